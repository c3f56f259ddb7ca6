"""How is a token given up, and how is one asked about? `POST /oauth2/revoke` and `POST /oauth2/introspect` over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar.types import Scope

from gateway.clock import SECOND
from gateway.errors import Refused
from gateway.oauth import introspection, revocation
from gateway.oauth.access_token import TokenClaims
from gateway.verification.standing import Standing
from gateway.web.certificate import certificate_of
from gateway.web.headers import Headers
from gateway.web.token import OAuthCall, Reply, client_of, used_before

_OK = 200


class RevocationCall(OAuthCall):
    """`POST /oauth2/revoke` (RFC 7009): 200 whatever the token was; one of the client's own is void from then on."""

    path = revocation.PATH

    async def _answer(
        self,
        scope: Scope,
        form: Mapping[str, str],
        headers: Headers,
        standing: Standing | None,
        origin: str,
    ) -> Reply | None:
        rooms = self._rooms
        certificate = certificate_of(scope, headers, rooms.proxies)
        grant = rooms.revocations.decide(form, client_of(standing), certificate)
        if grant.status != _OK or standing is None:
            return _refused(grant.status, grant.body)
        await rooms.door.admit_client(standing.client.client_id)
        sealed = await rooms.grants.revocation(standing, grant.token, grant.proofs, origin)
        if sealed is None:
            return None
        refused = used_before(sealed)
        return _refused(refused.status, refused.body) if refused else Reply(_OK, {}, standing.partner.id)


class IntrospectionCall(OAuthCall):
    """`POST /oauth2/introspect` (RFC 7662): JSON, or a signed JWT for whoever accepts that (RFC 9701)."""

    path = introspection.PATH

    async def _answer(
        self,
        scope: Scope,
        form: Mapping[str, str],
        headers: Headers,
        standing: Standing | None,
        origin: str,
    ) -> Reply | None:
        rooms = self._rooms
        certificate = certificate_of(scope, headers, rooms.proxies)
        grant = rooms.introspections.decide(form, client_of(standing), certificate)
        if grant.status != _OK or standing is None:
            return _refused(grant.status, grant.body)
        await rooms.door.admit_client(standing.client.client_id)
        owner = await rooms.directory.standing(grant.token.client_id) if grant.token else None
        document = _document(grant.token, owner)
        sealed = await rooms.grants.introspection(standing, document, grant.proofs, origin, owner)
        if sealed is None:
            return None
        refused = used_before(sealed)
        if refused is not None:
            return _refused(refused.status, refused.body)
        accept = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"accept")
        if not introspection.wants_jwt(accept):
            return Reply(_OK, document, standing.partner.id)
        signed = rooms.introspections.sign(document, standing.client.client_id)
        return Reply(_OK, {}, standing.partner.id, signed, introspection.MEDIA_TYPE.encode())


def _document(claims: TokenClaims | None, owner: Standing | None) -> Mapping[str, Any]:
    """What is told of a token: that it holds, with its claims, or that it does not, and nothing else (RFC 7662 §2.2)."""
    if claims is None or owner is None:
        return introspection.INACTIVE
    try:
        owner.validity.admit(claims.jti, claims.key, claims.iat * SECOND)
    except Refused:
        return introspection.INACTIVE
    return introspection.describe(claims)


def _refused(status: int, body: Mapping[str, Any]) -> Reply:
    """An error; a client that did not authenticate is told so with 401 (RFC 7662 §2.3)."""
    return Reply(401 if body.get("error") == "invalid_client" else status, body)
