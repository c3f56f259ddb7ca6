"""What does `POST /oauth2/token` answer? authlib's server and client-credentials grant, with the rules of FAPI 2.0 put in.

Read `TokenEndpoint.grant` as the table of contents; the order of checks is authlib's: grant type, client, scope, token.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientCredentialsGrant, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.errors import (
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from gateway.clock import SECOND, Clock, Entropy
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.oauth import assertion, mtls
from gateway.oauth.access_token import DETAILS_TYPE, LIFETIME, AccessTokens, Confirmation, Details, TokenClaims
from gateway.oauth.client import INTROSPECT, Client, ProofId
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.mtls import Authorities, Certificate, CertificateFault
from gateway.strict import require_all_once

PATH = "/oauth2/token"
AUTH_METHODS = ["private_key_jwt", *mtls.METHODS]
"""How clients authenticate, at every endpoint of the authorization server."""
_details = msgspec.json.Decoder(list[Details])
_ASSERTION = frozenset({"client_assertion", "client_assertion_type"})
# One text for every cause until a key or a certificate is proven, so that nobody learns who is registered or suspended.
_UNPROVEN = "no such client, or it is suspended, or none of its keys (kid, alg) made this assertion"
_SUSPENDED = "this client is suspended: ask the gateway's administration, and name the agreement"
_NOT_ITS_OWN = (
    "no such client, or this certificate is not its own: it must be the registered one (self_signed_tls_client_auth), or "
    "bear exactly the registered name and come from an authority of this gateway (tls_client_auth), and be in its term"
)


class InvalidDpopProofError(OAuth2Error):  # type: ignore[misc]  # authlib is untyped
    """RFC 9449 §5."""

    error = "invalid_dpop_proof"


class UseDpopNonceError(OAuth2Error):  # type: ignore[misc]  # authlib is untyped
    """RFC 9449 §8."""

    error = "use_dpop_nonce"


class InvalidAuthorizationDetailsError(OAuth2Error):  # type: ignore[misc]  # authlib is untyped
    """RFC 9396 §5."""

    error = "invalid_authorization_details"


@dataclass(frozen=True, slots=True)
class Grant:
    """What the endpoint decided: the response, and what must be sealed before it is sent (`proofs`, `token`).

    `token` is None when the response is an error, which is sent as it is. `reason`: why a client was not believed, for the
    operator alone.
    """

    status: int
    body: Mapping[str, Any]
    proofs: tuple[ProofId, ...] = ()
    token: TokenClaims | None = None
    reason: str = ""


class _Registered(ClientMixin):  # type: ignore[misc]  # authlib is untyped
    """A `Client` as authlib asks for it."""

    def __init__(self, client: Client) -> None:
        self.record = client

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002  authlib's signature
        return self.record.auth_method == method

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


def _admitted(client: Client) -> _Registered:
    """A client that has proven itself. Raises InvalidClientError when it is suspended, which it is told now."""
    if client.suspended:
        raise InvalidClientError(description=_SUSPENDED)
    return _Registered(client)


class ClientRequest(OAuth2Request):  # type: ignore[misc]
    """One request of a client on its way through authlib, with what the rules need and what they find.

    `proofs`, `key` (the thumbprint of the key that made the assertion) and `reason` are found by authentication.
    """

    def __init__(
        self,
        form: Mapping[str, str],
        dpop: list[str],
        client: Client | None,
        certificate: Certificate | None = None,
    ) -> None:
        # The address is not used; the scheme is: authlib's own check for TLS is made by `config` for the issuer.
        super().__init__("POST", f"https://gateway.invalid{PATH}")
        self.payload = BasicOAuth2Payload(dict(form))
        self.fields = form
        self.dpop = dpop
        self.registered = client
        self.certificate = certificate
        self.agreed: Mapping[str, AbstractSet[str]] | None = None
        self.proofs: list[ProofId] = []
        self.key = ""
        self.reason = ""
        self.token: TokenClaims | None = None


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        return 200, self.server.issue(self.request), []


class TokenEndpoint(AuthorizationServer):  # type: ignore[misc]
    """The token endpoint of one issuer."""

    def __init__(  # noqa: PLR0913  the parts that a token is made of
        self,
        issuer: str,
        resource: str,
        tokens: AccessTokens,
        proofs: ProofChecker,
        clock: Clock,
        entropy: Entropy,
        authorities: Authorities | None = None,
    ) -> None:
        """`authorities` vouch for the certificates of `tls_client_auth` clients; without any there are no such clients."""
        super().__init__()
        self._issuer = issuer
        self._resource = resource
        self._tokens = tokens
        self._proofs = proofs
        self._clock = clock
        self._entropy = entropy
        self._authorities = authorities or Authorities(())
        self.register_client_auth_method("private_key_jwt", self._authenticate)
        for method in mtls.METHODS:
            self.register_client_auth_method(method, partial(self._authenticate_by_certificate, method))
        self.register_grant(_Grant)

    def grant(
        self,
        form: Mapping[str, str],
        dpop: list[str],
        client: Client | None,
        agreed: Mapping[str, AbstractSet[str]] | None = None,
        certificate: Certificate | None = None,
    ) -> Grant:
        """Decide a token request. `client` is whoever `claimed_client` named, or None when there is no such client.

        `certificate` is the one that the request's connection was made with.

        `agreed` maps the purposes of its agreements to their claims; details beyond them are refused, unless it is None.
        """
        request = ClientRequest(form, dpop, client, certificate)
        request.agreed = agreed
        status, body = self.create_token_response(request)
        return Grant(status, body, tuple(request.proofs), request.token, request.reason)

    @staticmethod
    def claimed_client(form: Mapping[str, str]) -> str:
        """The client that a request claims to be from, unverified; empty when it claims none that could be."""
        try:
            return assertion.subject(form.get("client_assertion", ""))
        except assertion.AssertionFault:
            return form.get("client_id", "")

    # What authlib asks of a server.

    def query_client(self, client_id: str) -> None:
        """Clients come with the request: reading them is not authlib's job here."""

    def create_oauth2_request(self, request: ClientRequest) -> ClientRequest:
        """The request is made by `grant`."""
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any]:  # noqa: ANN401, ARG002
        """Status and body, for `grant`."""
        return status, body

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Nobody listens."""

    def save_token(self, token: Any, request: Any) -> None:  # noqa: ANN401
        """Tokens are JWTs; what is kept of them is an entry of the ledger, sealed by whoever called `grant`."""

    def get_error_uri(self, request: Any, error: Any) -> None:  # noqa: ANN401, ARG002
        """Errors are explained in docs/integrate.md."""
        return

    def validate_requested_scope(self, scope: str | None) -> None:
        """Scopes are validated per client, in `issue`."""

    def _authenticate(self, query_client: Any, request: ClientRequest) -> _Registered | None:  # noqa: ANN401, ARG002
        form = request.fields
        if request.certificate is not None and not _ASSERTION & form.keys():
            return None
        if form.get("client_assertion_type") != assertion.TYPE or not form.get("client_assertion"):
            raise InvalidClientError(
                description=f"client_assertion with client_assertion_type {assertion.TYPE} is needed, "
                "or client_id with a TLS client certificate"
            )
        try:
            jws, claims = assertion.parse(form["client_assertion"], self._issuer, self._clock.now())
            if form.get("client_id", claims.sub) != claims.sub:
                raise InvalidClientError(description="client_id is not the subject of the assertion")
            proof = assertion.verify(jws, claims, request.registered)
        except assertion.UnprovenFault as fault:
            request.reason = str(fault)
            raise InvalidClientError(description=_UNPROVEN) from fault
        except assertion.AssertionFault as fault:
            raise InvalidClientError(description=str(fault)) from fault
        assert request.registered is not None  # noqa: S101  for the type checker: nobody makes no assertion
        registered = _admitted(request.registered)
        request.proofs.append(proof.id)
        request.key = proof.thumbprint
        request.client = registered
        return registered

    def _authenticate_by_certificate(
        self,
        method: str,
        query_client: Any,  # noqa: ANN401, ARG002  authlib's signature
        request: ClientRequest,
    ) -> _Registered | None:
        """RFC 8705 §2; a request that holds an assertion too would authenticate twice (RFC 6749 §2.3)."""
        client, certificate = request.registered, request.certificate
        if certificate is None or _ASSERTION & request.fields.keys():
            return None
        if not request.fields.get("client_id"):
            raise InvalidClientError(description="client_id is needed beside a certificate")
        if client is None or client.auth_method not in mtls.METHODS:
            raise InvalidClientError(description=_NOT_ITS_OWN)
        if client.auth_method != method:
            return None
        now = self._clock.now()
        try:
            mtls.authenticate(certificate, method, client.name, client.certificates.keys(), self._authorities, now)
        except CertificateFault as fault:
            request.reason = str(fault)
            raise InvalidClientError(description=_NOT_ITS_OWN) from fault
        kid = client.certificates.get(certificate.thumbprint, "")
        if client.expiries.get(kid, now + 1) <= now:
            raise InvalidClientError(description=_NOT_ITS_OWN)
        registered = _admitted(client)
        request.key = client.keys[kid].thumbprint if kid else ""
        request.client = registered
        return registered

    def _bind(self, client: Client, request: ClientRequest) -> tuple[Confirmation, str]:
        """What the token is bound to, and its type: one binding, the one that the client is registered for."""
        if client.sender_constraint == "mtls":
            if request.certificate is None:
                raise InvalidRequestError(description="this client's tokens are bound to its certificate: none came")
            if request.dpop:
                raise InvalidRequestError(
                    description="this client's tokens are bound to its certificate: send no proof"
                )
            return Confirmation(x5t=request.certificate.thumbprint), "Bearer"
        try:
            proof = self._proofs.check(request.dpop, "POST", PATH, None)
        except Refused as refused:
            if refused.refusal.cause is Cause.USE_DPOP_NONCE:
                raise UseDpopNonceError(description="use the nonce of the DPoP-Nonce header") from refused
            raise InvalidDpopProofError(description=str(refused.refusal.facts["fault"])) from refused
        request.proofs.append(proof.id)
        return Confirmation(jkt=proof.thumbprint), "DPoP"

    def issue(self, request: ClientRequest) -> dict[str, Any]:
        """The token response (RFC 6749 §5.1, RFC 9449 §5, RFC 8705 §3, RFC 9396 §7)."""
        client: Client = request.client.record
        scopes = self._scopes(client, request.fields.get("scope"))
        if request.fields.get("resource", self._resource) != self._resource:
            error = InvalidRequestError(description=f"the only resource here is {self._resource}")
            error.error = "invalid_target"  # RFC 8707 §2
            raise error
        details = self._details(request.fields.get("authorization_details"), request.agreed)
        bound, token_type = self._bind(client, request)
        now = self._clock.now() // SECOND
        request.token = TokenClaims(
            iss=self._issuer,
            aud=self._resource,
            sub=client.client_id,
            client_id=client.client_id,
            jti=b64u(self._entropy.bytes(16)),
            iat=now,
            exp=now + LIFETIME,
            scope=" ".join(sorted(scopes)),
            cnf=bound,
            partner=client.partner,
            authorization_details=details,
            key=request.key,
        )
        response: dict[str, Any] = {
            "access_token": self._tokens.issue(request.token),
            "token_type": token_type,
            "expires_in": LIFETIME,
            "scope": request.token.scope,
        }
        if details:
            response["authorization_details"] = msgspec.to_builtins(details)
        return response

    @staticmethod
    def _scopes(client: Client, scope: str | None) -> frozenset[str]:
        granted = client.scopes - {INTROSPECT}
        if not granted:
            raise UnauthorizedClientError(description="a resource server gets no tokens")
        asked = frozenset((scope or "").split()) or granted
        if not asked <= granted:
            raise InvalidScopeError(description=f"this client may ask for: {' '.join(sorted(granted))}")
        if {"partners.write", "partners.approve"} <= asked:
            raise InvalidScopeError(description="partners.write and partners.approve never go in one token")
        return asked

    @staticmethod
    def _details(text: str | None, agreed: Mapping[str, AbstractSet[str]] | None) -> list[Details]:
        if text is None:
            return []
        try:
            details = _details.decode(text)
            require_all_once(text.encode())
        except msgspec.MsgspecError as fault:
            raise InvalidAuthorizationDetailsError(description="a JSON array of known objects is needed") from fault
        if not details or any(detail.type != DETAILS_TYPE for detail in details):
            raise InvalidAuthorizationDetailsError(description=f"the only type here is {DETAILS_TYPE}")
        if not all(detail.purposes and detail.claims != [] for detail in details):
            text = "purposes are needed in every object; claims, where they are given, are some"
            raise InvalidAuthorizationDetailsError(description=text)
        if agreed is not None:
            for detail in details:
                bounds = {claim for name in detail.purposes for claim in agreed.get(name, ())}
                claims = () if detail.claims is msgspec.UNSET else detail.claims
                if not agreed.keys() >= set(detail.purposes) or not bounds >= set(claims):
                    text = "purposes and claims must be those of the agreement"
                    raise InvalidAuthorizationDetailsError(description=text)
        return details
