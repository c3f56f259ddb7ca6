"""May this client give up this token? `POST /oauth2/revoke`, RFC 7009; who may ask is the token endpoint's own question.

A token that is unknown, over or another client's is answered like one that was revoked, and nothing is revoked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint

from gateway.clock import Clock
from gateway.errors import Refused
from gateway.oauth.access_token import AccessTokens, TokenClaims
from gateway.oauth.client import Client
from gateway.oauth.mtls import Certificate
from gateway.oauth.token_endpoint import AUTH_METHODS, ClientRequest, Grant, TokenEndpoint

PATH = "/oauth2/revoke"


class UnsupportedTokenTypeError(OAuth2Error):  # type: ignore[misc]  # authlib is untyped
    """RFC 7009 §2.2.1."""

    error = "unsupported_token_type"


def presented(tokens: AccessTokens, token: str, clock: Clock) -> TokenClaims | None:
    """The claims of an access token that this server issued and that is not over; None for everything else."""
    try:
        found = tokens.verify(token, clock.now())
    except Refused:
        return None
    return found.claims if tokens.issued(found) else None


class _RevocationEndpoint(RevocationEndpoint):  # type: ignore[misc]  # authlib is untyped
    CLIENT_AUTH_METHODS = AUTH_METHODS

    def __init__(self, tokens: AccessTokens, clock: Clock) -> None:
        super().__init__(None)
        self._tokens = tokens
        self._clock = clock

    def authenticate_token(self, request: ClientRequest, client: Any) -> TokenClaims | None:  # noqa: ANN401
        token = request.fields.get("token")
        if not token:
            raise InvalidRequestError(description="token is needed")
        found = presented(self._tokens, token, self._clock)
        # A hint that is wrong does not count (§2.1); one for a kind of token that is never issued here is told so.
        if found is None and request.fields.get("token_type_hint") == "refresh_token":
            raise UnsupportedTokenTypeError(description="there are no refresh tokens here")
        return found if found is not None and found.client_id == client.record.client_id else None

    def revoke_token(self, token: TokenClaims, request: ClientRequest) -> None:
        """Note what is to be revoked; whoever called `decide` seals it."""
        request.token = token


class Revocations:
    """The revocation endpoint of one issuer."""

    def __init__(self, server: TokenEndpoint, tokens: AccessTokens, clock: Clock) -> None:
        self._server = server
        server.register_endpoint(_RevocationEndpoint(tokens, clock))

    def decide(self, form: Mapping[str, str], client: Client | None, certificate: Certificate | None = None) -> Grant:
        """Decide a request: its `token`, when there is one, is to be revoked in the seal that uses up its `proofs`."""
        request = ClientRequest(form, [], client, certificate)
        status, body = self._server.create_endpoint_response("revocation", request)
        return Grant(status, body, tuple(request.proofs), request.token, request.reason)
