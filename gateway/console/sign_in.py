"""How do people come in? Login, enrolment, step-up and further passkeys: HTML for people, JSON for the ceremonies.

The token of an invitation stands in the fragment of a URL and in the body of a POST, never where a log would hold it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar import Response
from litestar.datastructures import Cookie
from msgspec import Struct

from gateway.administration.sign_in import Admission, Ceremony
from gateway.console.admission import LoggedOut, PageAccess
from gateway.console.frame.answers import answer, go, html, told_of
from gateway.console.frame.session import LOGIN, Visit, form_of, safe_next, session_cookie
from gateway.console.provider import ByProvider
from gateway.console.screen import Screen
from gateway.errors import Cause, Refused
from gateway.staff.roles import CONSOLE
from gateway.strict import require_all_once
from gateway.verification.request import malformed
from gateway.web.api.components import Components
from gateway.web.http.exchange import encode, read_body

_JSON = "application/json"
Made = Callable[[Visit], Awaitable[Response[bytes]]]


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """What console.js sends: as far as the step needs it."""

    token: str = ""
    ceremony: str = ""
    response: dict[str, Any] = msgspec.field(default_factory=dict)
    label: str = ""
    next: str = ""


class SignInPages:
    """Pages and ceremonies of the entrance, by path."""

    def __init__(self, components: Components, gate: PageAccess, screen: Screen) -> None:
        self._components, self._gate, self._screen = components, gate, screen
        other = ByProvider(components, gate)
        self.pages: Mapping[str, Made] = {
            LOGIN: self._login,
            "/console/enrol": self._enrol,
            "/console/external/begin": other.leave,
            "/console/external": other.arrive,
        }
        stranger, member = self._stranger, self._member
        self.ceremonies: Mapping[str, Made] = {
            "/console/login/begin": stranger(self._begin_login),
            "/console/login/finish": stranger(self._finish_login),
            "/console/enrol/invitation": stranger(self._invitation),
            "/console/enrol/begin": stranger(self._begin_enrolment),
            "/console/enrol/finish": stranger(self._finish_enrolment),
            "/console/step-up/begin": member(self._begin_step_up),
            "/console/step-up/finish": member(self._finish_step_up),
            "/console/passkey/begin": member(self._begin_passkey),
            "/console/passkey/finish": member(self._finish_passkey),
            "/console/logout": self._logout,
        }

    async def _login(self, visit: Visit) -> Response[bytes]:
        query = visit.query()
        return html(
            visit,
            "login.html",
            next=safe_next(query.get("next", "")),
            out="out" in query,
            failed="failed" in query,
            provider=self._gate.sign_in.login is not None,
        )

    async def _enrol(self, visit: Visit) -> Response[bytes]:
        return html(visit, "enrol.html")

    def _stranger(self, step: Callable[[Visit, Said], Awaitable[Response[bytes]]]) -> Made:
        """A step before login: whoever fails it is counted at the door."""

        async def made(visit: Visit) -> Response[bytes]:
            try:
                self._gate.require_own(visit, None)
                said = await _said(visit)
                try:
                    return await step(visit, said)
                except Refused:
                    await self._components.rate_limiter.count_failure(visit.address)
                    raise
            except Refused as refused:
                return self.told(visit, refused)

        return made

    def _member(self, step: Callable[[Visit, Said], Awaitable[Response[bytes]]]) -> Made:
        """A step of whoever is logged in."""

        async def made(visit: Visit) -> Response[bytes]:
            try:
                visit = await self._gate.enter(visit)
                try:
                    self._gate.require_own(visit, visit.request.headers.get("x-csrf-token", ""))
                except Refused as refused:
                    turned = await self._screen.client.refuse(visit, CONSOLE, refused.refusal)
                    return answer(encode(turned.document), "application/problem+json", turned.status)
                return await step(visit, await _said(visit))
            except LoggedOut:
                return self.told(visit, Refused(Cause.INVALID_TOKEN))
            except Refused as refused:
                return self.told(visit, refused)

        return made

    def told(self, visit: Visit, refused: Refused) -> Response[bytes]:
        """A refusal as JSON, for the script that began a ceremony."""
        status, document = self._components.problems(refused.refusal, visit.words.language, visit.id)
        return answer(encode(document), "application/problem+json", status, more=told_of(document))

    async def _begin_login(self, _: Visit, __: Said) -> Response[bytes]:
        return _ceremony(await self._gate.sign_in.begin_login())

    async def _finish_login(self, visit: Visit, said: Said) -> Response[bytes]:
        admission = await self._gate.sign_in.finish_login(said.ceremony, said.response, visit.address)
        return _admitted(admission, safe_next(said.next))

    async def _invitation(self, visit: Visit, said: Said) -> Response[bytes]:
        found = await self._gate.sign_in.invited(said.token)
        roles = ", ".join(visit.words(f"role.{role}") for role in sorted(found.roles))
        until = str(visit.words.instant(found.expires).striptags())
        return _json({"person": found.person, "roles": roles, "partner": found.partner, "expires": until})

    async def _begin_enrolment(self, _: Visit, said: Said) -> Response[bytes]:
        return _ceremony(await self._gate.sign_in.begin_enrolment(said.token))

    async def _finish_enrolment(self, visit: Visit, said: Said) -> Response[bytes]:
        label = said.label or visit.words("passkey.label.first")
        made = await self._gate.sign_in.finish_enrolment(said.token, said.ceremony, said.response, label, visit.address)
        return _admitted(made, "/console/me")

    async def _begin_step_up(self, visit: Visit, _: Said) -> Response[bytes]:
        return _ceremony(await self._gate.sign_in.begin_step_up(visit.member))

    async def _finish_step_up(self, visit: Visit, said: Said) -> Response[bytes]:
        await self._gate.sign_in.finish_step_up(visit.member, said.ceremony, said.response)
        return _json({})

    async def _begin_passkey(self, visit: Visit, _: Said) -> Response[bytes]:
        return _ceremony(await self._gate.sign_in.begin_passkey(visit.member))

    async def _finish_passkey(self, visit: Visit, said: Said) -> Response[bytes]:
        label = said.label or visit.words("passkey.label.other")
        await self._gate.sign_in.finish_passkey(visit.member, said.ceremony, said.response, label)
        return _json({"next": "/console/me"})

    async def _logout(self, visit: Visit) -> Response[bytes]:
        gone = go(visit, f"{LOGIN}?out", (session_cookie("", 0),))
        try:
            visit = await self._gate.enter(visit)
        except LoggedOut:
            return gone
        given = await form_of(visit)
        self._gate.require_own(visit, next(iter(given.get("csrf", ())), ""))
        await self._gate.sign_in.end(visit.member)
        return gone


async def _said(visit: Visit) -> Said:
    """Raises Refused(UNSUPPORTED_MEDIA_TYPE, MALFORMED_REQUEST, BODY_TOO_LARGE)."""
    headers = visit.request.headers
    if headers.get("content-type", "").partition(";")[0] != _JSON:
        raise Refused(Cause.UNSUPPORTED_MEDIA_TYPE, accepted=[_JSON])
    length = headers.get("content-length", "")
    try:
        raw = await read_body(visit.request.receive, int(length) if length.isdigit() else -1)
        said = msgspec.json.decode(raw, type=Said)
        require_all_once(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise malformed(fault) from fault
    return said


def _json(document: Mapping[str, Any], cookies: tuple[Cookie, ...] = ()) -> Response[bytes]:
    return answer(encode(document), _JSON, cookies=cookies)


def _ceremony(ceremony: Ceremony) -> Response[bytes]:
    return _json({"ceremony": ceremony.id, "options": ceremony.options})


def _admitted(admission: Admission, target: str) -> Response[bytes]:
    return _json({"next": target}, (session_cookie(admission.cookie, admission.max_age),))
