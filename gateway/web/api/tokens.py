"""How is a token given up, and how is one asked about? `POST /oauth2/revoke` and `POST /oauth2/introspect` over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar.types import Scope

from gateway.clock import SECOND
from gateway.errors import Refused
from gateway.oauth import introspection, revocation
from gateway.oauth.access_token import TokenClaims
from gateway.oauth.mtls import Certificate
from gateway.oauth.token_endpoint import Grant
from gateway.sealing.standing import Standing
from gateway.sealing.submission import Outcome
from gateway.web.api.token import OAuthCall, TokenReply, client_of
from gateway.web.http.headers import Headers


class RevocationCall(OAuthCall):
    """`POST /oauth2/revoke` (RFC 7009): 200 whatever the token was; one of the client's own is void from then on."""

    path = revocation.PATH
    unauthenticated = 401

    def _decide(
        self,
        form: Mapping[str, str],
        headers: Headers,  # noqa: ARG002  a proof proves nothing here
        standing: Standing | None,
        certificate: Certificate | None,
    ) -> Grant:
        return self._components.revocations.decide(form, client_of(standing), certificate)

    async def _settle(
        self,
        scope: Scope,  # noqa: ARG002  every endpoint is told of the call
        grant: Grant,
        standing: Standing,
        origin: str,
    ) -> tuple[Outcome, TokenReply]:
        sealed = await self._components.grants.revocation(standing, grant.token, grant.proofs, origin)
        return sealed, TokenReply(grant.status, {}, standing.partner.id)


class IntrospectionCall(OAuthCall):
    """`POST /oauth2/introspect` (RFC 7662): JSON, or a signed JWT for whoever accepts that (RFC 9701)."""

    path = introspection.PATH
    unauthenticated = 401

    def _decide(
        self,
        form: Mapping[str, str],
        headers: Headers,  # noqa: ARG002  a proof proves nothing here
        standing: Standing | None,
        certificate: Certificate | None,
    ) -> Grant:
        return self._components.introspections.decide(form, client_of(standing), certificate)

    async def _settle(self, scope: Scope, grant: Grant, standing: Standing, origin: str) -> tuple[Outcome, TokenReply]:
        components = self._components
        owner = await components.directory.standing(grant.token.client_id) if grant.token else None
        document = _document(grant.token, owner)
        sealed = await components.grants.introspection(standing, document, grant.proofs, origin, owner)
        accept = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"accept")
        if not introspection.wants_jwt(accept):
            return sealed, TokenReply(grant.status, document, standing.partner.id)
        signed = components.introspections.sign(document, standing.client.client_id)
        return sealed, TokenReply(grant.status, {}, standing.partner.id, signed, introspection.MEDIA_TYPE.encode())


def _document(claims: TokenClaims | None, owner: Standing | None) -> Mapping[str, Any]:
    """What is told of a token: that it holds, with its claims, or that it does not, and nothing else (RFC 7662 §2.2)."""
    if claims is None or owner is None:
        return introspection.INACTIVE
    try:
        owner.validity.admit(claims.jti, claims.key, claims.iat * SECOND)
    except Refused:
        return introspection.INACTIVE
    return introspection.describe(claims)
