"""Who is calling? Step 1 of the corridor: an access token in the Authorization header and proof of possession.

RFC 6750 §2.1, RFC 9449 §7.1; nothing of a body has been parsed when this runs.
"""

from __future__ import annotations

from gateway.clock import SECOND, Clock
from gateway.errors import Cause, Refused
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.client import Caller
from gateway.oauth.dpop import ProofChecker


class Identifier:
    """Turns a call's headers into a Caller."""

    def __init__(self, tokens: AccessTokens, proofs: ProofChecker, clock: Clock) -> None:
        self._tokens = tokens
        self._proofs = proofs
        self._clock = clock

    def identify(self, authorization: list[str], dpop: list[str], method: str, path: str, address: str) -> Caller:
        """The caller. Raises Refused (INVALID_TOKEN, INVALID_DPOP_PROOF, USE_DPOP_NONCE).

        Scopes are looked at one step on: whoever is identified gets a sealed refusal.
        """
        if len(authorization) != 1:
            raise Refused(Cause.INVALID_TOKEN, fault="one Authorization header with an access token is needed")
        scheme, _, text = authorization[0].partition(" ")
        text = text.strip()
        if scheme.lower() not in {"dpop", "bearer"} or not text:
            raise Refused(Cause.INVALID_TOKEN, fault="the Authorization scheme must be DPoP")
        token = self._tokens.verify(text, self._clock.now())
        if token.claims.cnf.jkt is None:
            raise Refused(Cause.INVALID_TOKEN, fault="the token is bound to no key")
        if scheme.lower() != "dpop":
            raise Refused(Cause.INVALID_TOKEN, fault="the token is bound by DPoP: use the scheme DPoP")
        proof = self._proofs.check(dpop, method, path, token.ath)
        if proof.thumbprint != token.claims.cnf.jkt:
            raise Refused(Cause.INVALID_TOKEN, fault="the proof is by another key than the one the token is bound to")
        return Caller(
            token.claims.client_id,
            token.claims.partner,
            token.scopes,
            "dpop",
            token.claims.jti,
            token.expires,
            (proof.id,),
            address,
            token.purposes,
            token.claim_names,
            token.claims.key,
            token.claims.iat * SECOND,
        )
