"""How does a page become calls of administration, each of them an entry? Session → caller → `Administration` → page.

Whatever is refused here is sealed as a refusal, as over the API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.administration.calls import request_of
from gateway.administration.commands import Act, View
from gateway.administration.watching import Watching
from gateway.clock import uuid7
from gateway.console.frame.page import Action, Ask, Page, TableSpec
from gateway.console.frame.session import Visit
from gateway.console.frame.words import Words
from gateway.errors import Cause, Refusal, Refused
from gateway.sealing.submission import Sealed
from gateway.staff.roles import CONSOLE
from gateway.web.api.administration import WATCHED
from gateway.web.api.components import Components

MOST_ROWS = 10_000
"""Rows of one CSV file."""
_MOST_PAGE = "200"
_OWN = "nik.verify"


class Turned(Exception):
    """Administration said no, and sealed it: `status` and the problem `document` with the id of the entry."""

    def __init__(self, sealed: Sealed) -> None:
        super().__init__(sealed.cause)
        self.cause = Cause(sealed.cause)
        self.status = sealed.status
        self.document: Mapping[str, Any] = msgspec.json.decode(sealed.body)


@dataclass(frozen=True, slots=True)
class Told:
    """What a view showed: its document (the first line, where it sends lines), its revision, and what was sent.

    `problem`: why an optional one was refused; there is no document then.
    """

    document: Mapping[str, Any]
    revision: str = ""
    raw: bytes = b""
    problem: Mapping[str, Any] | None = None


class ConsoleClient:
    """Reads and acts for whoever is logged in."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._watching = Watching(components.administration, components.clock)

    async def read_all(
        self,
        visit: Visit,
        page: Page,
        parameters: Mapping[str, str],
        query: Mapping[str, str],
        body: Any = None,  # noqa: ANN401
    ) -> dict[str, Told | None]:
        """Every ask of a page by its name. Raises Turned, Refused."""
        told: dict[str, Told | None] = {}
        for at, ask in enumerate(page.asks):
            foreign = bool(ask.roles) and not visit.member.roles & ask.roles
            early = not all(query.get(name) for name in ask.needs)
            if foreign or early or (at == 0 and page.search and body is None):
                told[ask.name] = None
                continue
            told[ask.name] = await self.read(visit, ask, parameters, query, None if at else body, live=page.live)
        return told

    async def read(  # noqa: PLR0913  who reads what
        self,
        visit: Visit,
        ask: Ask,
        parameters: Mapping[str, str],
        query: Mapping[str, str],
        body: Any = None,  # noqa: ANN401
        *,
        live: bool = False,
    ) -> Told:
        """What a view shows. Raises Turned, Refused; an optional one tells its problem then."""
        member = visit.member
        scope = self._scope(visit, ask)
        asked = {**ask.fixed, **{name: query[name] for name in ask.query if query.get(name)}}
        own = {"partner": member.partner} if scope == _OWN else {}
        view = View(ask.view, {**own, **_path(ask.path, parameters, {})}, asked, body)
        raw = request_of("GET", visit.path, "", {"view": ask.view, "query": asked, "body": msgspec.to_builtins(body)})
        call = (self._id(), member.caller(scope, visit.address), visit.words.language, scope, raw, lambda: view)
        sealed = (
            await self._watching.read(*call, again="live" in query)
            if live
            else await self._components.administration.read(*call)
        )
        if sealed.cause:
            if ask.optional and sealed.status != 401:  # noqa: PLR2004  nobody is logged in any more
                return Told({}, problem=msgspec.json.decode(sealed.body))
            raise Turned(sealed)
        document = msgspec.json.decode(sealed.body.partition(b"\n")[0])
        return Told(document, sealed.revision, sealed.body)

    async def rows(
        self, visit: Visit, page: Page, table: TableSpec, parameters: Mapping[str, str], query: Mapping[str, str]
    ) -> tuple[list[Mapping[str, Any]], bool]:
        """(every item of a table, on all pages of its list; whether there were more than MOST_ROWS). Raises Turned, Refused."""
        ask = next(one for one in page.asks if one.name == table.of)
        kept = {name: value for name, value in query.items() if name not in {"cursor", "limit"}}
        if "limit" in ask.query:
            kept["limit"] = _MOST_PAGE
        items: list[Mapping[str, Any]] = []
        while len(items) <= MOST_ROWS:
            told = await self.read(visit, ask, parameters, kept)
            if told.problem:
                break
            items += items_of(told.document, table, visit.words)
            following = told.document.get("next")
            if not following or "cursor" not in ask.query:
                break
            kept["cursor"] = str(following)
        return items[:MOST_ROWS], len(items) > MOST_ROWS

    async def act(  # noqa: PLR0913  who does what
        self,
        visit: Visit,
        action: Action,
        parameters: Mapping[str, str],
        form: Mapping[str, Sequence[str]],
        body: Any,  # noqa: ANN401  any struct
        match: str,
    ) -> Mapping[str, Any]:
        """Do it; the document of the answer. Raises Turned, Refused."""
        member, scope = visit.member, self._scope(visit, action)
        path = _path(action.path, parameters, form)
        told = {"act": action.act, "path": path, "body": msgspec.to_builtins(body)}
        raw = request_of("POST", visit.path, "", told)

        expected = (match,) if match else ()

        def make(person: str) -> Act:
            return Act(action.act, path, body, person, WATCHED.get(action.act, ""), expected, member.client_id)

        sealed = await self._components.administration.act(
            self._id(), member.caller(scope, visit.address), visit.words.language, scope, raw, make
        )
        if sealed.cause:
            raise Turned(sealed)
        document: Mapping[str, Any] = msgspec.json.decode(sealed.body) if sealed.body else {}
        return document

    async def refuse(self, visit: Visit, scope: str, refusal: Refusal) -> Turned:
        """Seal that a member may not open a page; what to raise."""
        raw = request_of(visit.request.method, visit.path, "", None)
        sealed = await self._components.administration.refuse(
            self._id(), visit.member.caller(scope, visit.address), visit.words.language, scope, raw, refusal
        )
        return Turned(sealed)

    def unsealed(self, visit: Visit, refused: Refused) -> tuple[int, Mapping[str, Any]]:
        """(status, problem document) of a refusal for which no seal could be had, or of nobody known."""
        return self._components.problems(refused.refusal, visit.words.language, self._id())

    def _scope(self, visit: Visit, ask: Ask | Action) -> str:
        if ask.also and ask.scope not in visit.member.caller(ask.scope, "").scopes:
            return ask.also
        return ask.scope

    def _id(self) -> str:
        return uuid7(self._components.clock.now(), self._components.entropy)


def scope_of(page: Page) -> str:
    """The scope under which the refusal to open a page is sealed."""
    return page.asks[0].scope if page.asks else CONSOLE


def items_of(document: Mapping[str, Any], table: TableSpec, words: Words) -> list[Mapping[str, Any]]:
    """The items of a table, with what it tells beside their members."""
    found: Any = document
    for part in table.items.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    more = table.more
    return [{**item, **more(item, words)} for item in found or []] if more else list(found or [])


def changes(before: str, now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(member, then, now) of every plain member that differs from what a form was made for (as `seen`)."""
    try:
        then = json.loads(before)
    except ValueError:
        return []
    held = json.loads(seen(now))
    if not isinstance(then, dict):
        return []
    return [
        (name, then.get(name), held.get(name)) for name in sorted({*then, *held}) if then.get(name) != held.get(name)
    ]


_OF_THE_READING = {"receipt", "nonce", "entry", "answered_at", "billed", "replay", "suspended_by", "open_sessions"}


def seen(document: Mapping[str, Any]) -> str:
    """What a form remembers of the document that it was made for, to tell what has changed meanwhile."""
    kept = {
        name: value
        if isinstance(value, str | int | float | bool | None)
        else json.dumps(value, ensure_ascii=False)[:500]
        for name, value in document.items()
        if name not in _OF_THE_READING
    }
    return json.dumps(kept, ensure_ascii=False)


def _path(path: Mapping[str, str], parameters: Mapping[str, str], form: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What a view's or an act's path names. Raises Refused(NOT_FOUND) for a name that is not given."""
    found = {}
    for name, source in path.items():
        if source.startswith("="):
            found[name] = source[1:]
        elif source.startswith("field:"):
            found[name] = next(iter(form.get(source.removeprefix("field:"), ())), "")
        else:
            found[name] = parameters.get(source, "")
        if not found[name]:
            raise Refused(Cause.NOT_FOUND)
    return found
