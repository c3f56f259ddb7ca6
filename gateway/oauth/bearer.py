"""Who is calling? Step 1 of the corridor: an access token in the Authorization header and proof of possession.

RFC 6750 §2.1, RFC 9449 §7.1, RFC 8705 §3; nothing of a body has been parsed when this runs.
"""

from __future__ import annotations

from gateway.clock import SECOND, Clock
from gateway.errors import Cause, Refused
from gateway.oauth.access_token import AccessToken, AccessTokens
from gateway.oauth.client import Caller, ProofId
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.mtls import Certificate


class Identifier:
    """Turns a call's headers into a Caller."""

    def __init__(self, tokens: AccessTokens, proofs: ProofChecker, clock: Clock) -> None:
        self._tokens = tokens
        self._proofs = proofs
        self._clock = clock

    def identify(  # noqa: PLR0913  what a call proves its caller with
        self,
        authorization: list[str],
        dpop: list[str],
        method: str,
        path: str,
        address: str,
        certificate: Certificate | None = None,
    ) -> Caller:
        """The caller. Raises Refused (INVALID_TOKEN, INVALID_DPOP_PROOF, USE_DPOP_NONCE).

        Scopes are looked at one step on: whoever is identified gets a sealed refusal.
        """
        if len(authorization) != 1:
            raise Refused(Cause.INVALID_TOKEN, fault="one Authorization header with an access token is needed")
        scheme, _, text = authorization[0].partition(" ")
        text = text.strip()
        if scheme.lower() not in {"dpop", "bearer"} or not text:
            raise Refused(
                Cause.INVALID_TOKEN, fault="the Authorization scheme must be DPoP, or Bearer with a certificate"
            )
        token = self._tokens.verify(text, self._clock.now())
        bound = token.claims.cnf
        if (bound.jkt is None) == (bound.x5t is None):
            raise Refused(Cause.INVALID_TOKEN, fault="the token is bound to no key, or to two")
        proven: tuple[ProofId, ...] = ()
        if bound.jkt is not None:
            if scheme.lower() != "dpop":
                raise Refused(Cause.INVALID_TOKEN, fault="the token is bound by DPoP: use the scheme DPoP")
            proof = self._proofs.check(dpop, method, path, token.ath)
            if proof.thumbprint != bound.jkt:
                raise Refused(
                    Cause.INVALID_TOKEN, fault="the proof is by another key than the one the token is bound to"
                )
            proven = (proof.id,)
        else:
            _check_certificate(token, scheme.lower(), certificate)
        return Caller(
            token.claims.client_id,
            token.claims.partner,
            token.scopes,
            "dpop" if proven else "mtls",
            token.claims.jti,
            token.expires,
            proven,
            address,
            token.purposes,
            token.claim_names,
            token.claims.key,
            token.claims.iat * SECOND,
            certificate.thumbprint if certificate else "",
        )


def _check_certificate(token: AccessToken, scheme: str, certificate: Certificate | None) -> None:
    """RFC 8705 §3: the certificate of this connection is the one that the token is bound to. Raises Refused.

    There is no proof to replay: possession was proven in the handshake of the very connection that the call came by.
    """
    if scheme != "bearer":
        raise Refused(Cause.INVALID_TOKEN, fault="the token is bound to a certificate: use the scheme Bearer")
    if certificate is None:
        raise Refused(Cause.INVALID_TOKEN, fault="the token is bound to a certificate, and none came with this call")
    if certificate.thumbprint != token.claims.cnf.x5t:
        raise Refused(Cause.INVALID_TOKEN, fault="the token is bound to another certificate than this call's")
