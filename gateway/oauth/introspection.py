"""Does this token hold? `POST /oauth2/introspect`, RFC 7662, for resource servers alone; signed on demand, RFC 9701.

A mere client is refused: it must not be able to ask as if it were a resource server (FAPI 2.0 Message Signing §6.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from authlib.oauth2.rfc6749.errors import InvalidRequestError, UnauthorizedClientError
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from gateway.clock import SECOND, Clock
from gateway.keyring import SigningKey
from gateway.keyring.keys import b64u
from gateway.oauth.access_token import AccessTokens, TokenClaims
from gateway.oauth.client import INTROSPECT, Client
from gateway.oauth.mtls import Certificate
from gateway.oauth.revocation import presented
from gateway.oauth.token_endpoint import AUTH_METHODS, ClientRequest, Grant, TokenEndpoint

PATH = "/oauth2/introspect"
MEDIA_TYPE = "application/token-introspection+jwt"
INACTIVE: Mapping[str, Any] = {"active": False}
_encode = msgspec.json.Encoder().encode


class _IntrospectionEndpoint(IntrospectionEndpoint):  # type: ignore[misc]  # authlib is untyped
    CLIENT_AUTH_METHODS = AUTH_METHODS

    def __init__(self, tokens: AccessTokens, clock: Clock) -> None:
        super().__init__(None)
        self._tokens = tokens
        self._clock = clock

    def authenticate_token(self, request: ClientRequest, client: Any) -> TokenClaims | None:  # noqa: ANN401
        if INTROSPECT not in client.record.scopes:
            error = UnauthorizedClientError(description="only a registered resource server may introspect")
            error.status_code = 403
            raise error
        token = request.fields.get("token")
        if not token:
            raise InvalidRequestError(description="token is needed")
        request.token = presented(self._tokens, token, self._clock)
        return request.token

    def create_introspection_payload(self, token: TokenClaims | None) -> dict[str, Any]:  # noqa: ARG002
        """What is told is made once it is known whether the token's client still stands: see `describe`."""
        return {}


class Introspections:
    """The introspection endpoint of one issuer."""

    def __init__(
        self, issuer: str, server: TokenEndpoint, tokens: AccessTokens, signer: SigningKey, clock: Clock
    ) -> None:
        self._issuer = issuer
        self._server = server
        self._signer = signer
        self._clock = clock
        server.register_endpoint(_IntrospectionEndpoint(tokens, clock))
        header = {"typ": "token-introspection+jwt", "alg": signer.alg, "kid": signer.kid}
        self._header = b64u(_encode(header)).encode()

    @property
    def alg(self) -> str:
        """What answers are signed with."""
        return self._signer.alg

    def decide(self, form: Mapping[str, str], client: Client | None, certificate: Certificate | None = None) -> Grant:
        """Decide a request: its `token` has the claims of a token of this issuer that is not over, None for any other."""
        request = ClientRequest(form, [], client, certificate)
        status, body = self._server.create_endpoint_response("introspection", request)
        return Grant(status, body, tuple(request.proofs), request.token, request.reason)

    def sign(self, document: Mapping[str, Any], resource_server: str) -> bytes:
        """The response of RFC 9701 §5: the document for this resource server alone, with neither `sub` nor `exp` of its own."""
        claims = {
            "iss": self._issuer,
            "aud": resource_server,
            "iat": self._clock.now() // SECOND,
            "token_introspection": document,
        }
        signed = self._header + b"." + b64u(_encode(claims)).encode()
        return signed + b"." + b64u(self._signer.sign(signed)).encode()


def describe(claims: TokenClaims) -> dict[str, Any]:
    """What a resource server is told of a token that holds (RFC 7662 §2.2, RFC 9449 §6.2, RFC 8705 §3.2, RFC 9396 §9.2)."""
    document: dict[str, Any] = {
        "active": True,
        "iss": claims.iss,
        "aud": claims.aud,
        "sub": claims.sub,
        "client_id": claims.client_id,
        "jti": claims.jti,
        "iat": claims.iat,
        "exp": claims.exp,
        "scope": claims.scope,
        "token_type": "DPoP" if claims.cnf.jkt else "Bearer",
        "cnf": msgspec.to_builtins(claims.cnf),
    }
    if claims.authorization_details:
        document["authorization_details"] = msgspec.to_builtins(claims.authorization_details)
    return document


def wants_jwt(accept: str) -> bool:
    """Whether `Accept` names the signed form, and does not prefer JSON to it (RFC 9701 §4, RFC 9110 §12.5.1)."""
    qualities: dict[str, float] = {}
    for part in accept.split(",")[:20]:
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        qualities[media] = float(weight) if re.fullmatch(r"[01](\.[0-9]{0,3})?", weight) else 0.0
    return qualities.get(MEDIA_TYPE, 0.0) > 0 and qualities[MEDIA_TYPE] >= qualities.get("application/json", 0.0)
