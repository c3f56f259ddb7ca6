"""How do people come in by the OpenID provider that the settings name? Out to it, and back with a code."""

from __future__ import annotations

from litestar import Response
from litestar.datastructures import Cookie

from gateway.console.admission import PageAccess
from gateway.console.frame.answers import go, html
from gateway.console.frame.session import LOGIN, Visit, safe_next, session_cookie
from gateway.errors import Refused
from gateway.web.api.components import Components
from gateway.web.http.cookies import cookie

COOKIE = "__Host-provider"
"""Binds the answer to the browser that asked. It has to come along from the provider's site; the session's never does."""


class ByProvider:
    """Two pages: one that sends to the provider, one that it sends back to."""

    def __init__(self, components: Components, gate: PageAccess) -> None:
        self._components, self._gate = components, gate

    async def leave(self, visit: Visit) -> Response[bytes]:
        """To the provider; back to the login when there is none, or it does not answer."""
        # Nobody has said who asks, and a row is kept for it.
        await self._components.rate_limiter.count_failure(visit.address)
        try:
            departure = await self._gate.sign_in.begin_external(safe_next(visit.query().get("next", "")))
        except Refused:
            return go(visit, f"{LOGIN}?failed")
        return go(visit, departure.url, (_cookie(departure.cookie, departure.max_age),))

    async def arrive(self, visit: Visit) -> Response[bytes]:
        """Let in whom the provider names. A page of ours leads on, for the session's cookie goes along from our site alone."""
        given = cookie(visit.request.scope["headers"], COOKIE)
        try:
            admission = await self._gate.sign_in.finish_external(visit.query(), given, visit.address)
        except Refused:
            await self._components.rate_limiter.count_failure(visit.address)
            return go(visit, f"{LOGIN}?failed", (_cookie("", 0),))
        cookies = (session_cookie(admission.cookie, admission.max_age), _cookie("", 0))
        return html(visit, "entered.html", cookies=cookies, next=admission.next)


def _cookie(value: str, max_age: int) -> Cookie:
    return Cookie(COOKIE, value=value, max_age=max_age, secure=True, httponly=True, samesite="lax", path="/")
