"""May this visit go on? Session, role, certification, and whether a page of ours sent it; limits of the door before all."""

from __future__ import annotations

from dataclasses import replace

from gateway.administration.sign_in import SignIn
from gateway.console.frame.client import ConsoleClient, scope_of
from gateway.console.frame.page import Page
from gateway.console.frame.session import COOKIE, Visit, require_own
from gateway.errors import Cause, Refusal, Refused
from gateway.web.api.components import Components
from gateway.web.http.cookies import cookie


class LoggedOut(Exception):
    """There is no session (any more): to the login."""


class PageAccess:
    """What every request passes before anything is read."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self.sign_in: SignIn = components.sign_in
        self._client = ConsoleClient(components)

    async def knock(self, visit: Visit) -> None:
        """Raises Refused(RATE_EXCEEDED, OVERLOADED): too many from this address did not prove who they are."""
        await self._components.rate_limiter.admit_address(visit.address)

    async def enter(self, visit: Visit) -> Visit:
        """The visit with its session. Raises LoggedOut, Refused."""
        held = cookie(visit.request.scope["headers"], COOKIE)
        if not held:
            raise LoggedOut
        try:
            session = await self.sign_in.session(held)
        except Refused as refused:
            if refused.refusal.cause != Cause.INVALID_TOKEN:
                raise
            await self._components.rate_limiter.count_failure(visit.address)
            raise LoggedOut from refused
        await self._components.rate_limiter.admit_client(session.client_id)
        return replace(visit, session=session)

    async def open(self, visit: Visit, page: Page, roles: frozenset[object] | None = None) -> None:
        """Raises Turned (sealed) unless the member may open the page, or has one of `roles` for an act of it."""
        member = visit.member
        if member.lapsed and page.name != "me":
            refusal = Refusal(
                Cause.INSUFFICIENT_SCOPE, {"scope": scope_of(page), "fault": "the certification has lapsed"}
            )
        elif not member.roles & (page.roles if roles is None else roles):
            refusal = Refusal(Cause.INSUFFICIENT_SCOPE, {"scope": scope_of(page)})
        else:
            return
        raise await self._client.refuse(visit, scope_of(page), refusal)

    def require_own(self, visit: Visit, token: str | None) -> None:
        """Raises Refused(INSUFFICIENT_SCOPE) unless a page of this console sent it."""
        require_own(visit, self._components.console_origin, token)
