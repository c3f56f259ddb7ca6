"""What does a person see and send? Pages, forms, what an act came to, and every refusal in words with what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from litestar import Response

from gateway.clock import jakarta_date
from gateway.console.admission import LoggedOut, PageAccess
from gateway.console.frame import forms
from gateway.console.frame.answers import answer, go, html, told_of
from gateway.console.frame.cells import csv_file, member, path_of
from gateway.console.frame.client import MOST_ROWS, ConsoleClient, Told, Turned, changes, items_of, seen
from gateway.console.frame.page import Action, Page
from gateway.console.frame.session import LOGIN, START, Visit, form_of, session_cookie
from gateway.console.pages import PAGES, menu, page_named
from gateway.errors import Cause, Refused
from gateway.staff.roles import CONSOLE, Role
from gateway.web.api.components import Components
from gateway.web.http.problems import PROBLEMS

Documents = Mapping[str, Told | None]


class Screen:
    """The pages of PAGES."""

    def __init__(self, components: Components, gate: PageAccess) -> None:
        self._components = components
        self._gate = gate
        self.client = ConsoleClient(components)

    async def show(self, visit: Visit, page: Page) -> Response[bytes]:
        """A page, or one of its tables as a CSV file."""
        try:
            visit = await self._gate.enter(visit)
            if visit.member.lapsed and visit.path == START:
                return go(visit, "/console/me")
            await self._gate.open(visit, page)
            query = visit.query()
            if "csv" in query:
                return await self._csv(visit, page, query)
            if "file" in query:
                return await self._file(visit, page, query)
            told = await self.client.read_all(visit, page, parameters_of(visit), query)
        except (LoggedOut, Turned) as fault:
            return self.turned(visit, fault)
        return self.render(visit, page, told, query)

    async def search(self, visit: Visit, page: Page) -> Response[bytes]:
        """A page whose first view is asked with a body: for what must never stand in a URL, and is not shown again."""
        try:
            visit, given = await self._posted(visit, page)
            try:
                body = forms.body_of(page.search, given, page.search_body)
            except forms.Wrong as wrong:
                told: Documents = {ask.name: None for ask in page.asks}
                return self.render(visit, page, told, {}, errors=wrong.errors, status=422)
            told = await self.client.read_all(visit, page, parameters_of(visit), visit.query(), body)
        except (LoggedOut, Turned) as fault:
            return self.turned(visit, fault)
        return self.render(visit, page, told, {})

    async def own(self, visit: Visit, page: Page) -> Response[bytes]:
        """What is posted to a page that answers it by itself."""
        try:
            visit, given = await self._posted(visit, page, page.writers)
            if page.own is None:
                raise Refused(Cause.METHOD_NOT_ALLOWED)
            answered: Response[bytes] = await page.own(self, visit, page, given)
        except (LoggedOut, Turned) as fault:
            return self.turned(visit, fault)
        return answered

    async def form(self, visit: Visit, page: Page, action: Action) -> Response[bytes]:
        """The form of an action: what will happen, to whom, how it is undone."""
        try:
            visit = await self._gate.enter(visit)
            await self._gate.open(visit, page, action.roles)
            watched = await self._watched(visit, page, action)
        except (LoggedOut, Turned) as fault:
            return self.turned(visit, fault)
        given = {name: [value] for name, value in visit.query().items()} or None
        return self._form(
            visit, page, action, watched, None if given is None else {**_started(action, watched), **given}
        )

    async def act(self, visit: Visit, page: Page, action: Action) -> Response[bytes]:  # noqa: PLR0911  one for each way it goes
        """Do what a form asks for. Nothing typed is lost when it is refused."""
        try:
            visit, given = await self._posted(visit, page, action.roles)
            watched: Told | None = None
            try:
                if action.compose is None:
                    body = forms.body_of(_typed(action), given, action.body)
                else:
                    watched = await self._watched(visit, page, action)
                    body = action.compose(given, watched.document if watched else None)
                understood = action.preview(given, visit.words) if action.preview else None
            except forms.Wrong as wrong:
                watched = watched or await self._watched(visit, page, action)
                return self._form(visit, page, action, watched, given, wrong.errors, 422)
            if understood is not None and not _one(given, "confirmed"):
                return self._html(
                    visit,
                    "preview.html",
                    page=page,
                    action=action,
                    given=given,
                    understood=understood,
                    back=_back(visit),
                )
            if action.step_up and visit.member.stepped_up_until <= self._components.clock.now():
                return self._html(visit, "step_up.html", page=page, action=action, given=given, status=403)
            match = _one(given, "match") if action.guarded else ""
            try:
                document = await self.client.act(visit, action, parameters_of(visit), given, body, match)
            except Turned as turned:
                return await self._not_done(visit, page, action, given, turned)
        except (LoggedOut, Turned) as fault:
            return self.turned(visit, fault)
        if action.shows_once:
            return self._html(
                visit, "once.html", page=page, action=action, document=document, back=_back(visit),
                origin=self._components.console_origin,
            )  # fmt: skip
        target = path_of(action.after, document, parameters_of(visit)) if action.after else _back(visit)
        return go(visit, f"{target}?{urlencode({'done': action.act})}")

    async def unknown(self, visit: Visit) -> Response[bytes]:
        """A path that is none."""
        try:
            visit = await self._gate.enter(visit)
        except LoggedOut as fault:
            return self.turned(visit, fault)
        return self.problem(visit, Refused(Cause.NOT_FOUND))

    async def unable(self, visit: Visit, allowed: Sequence[str]) -> Response[bytes]:
        """A method that a path does not have."""
        return self.problem(visit, Refused(Cause.METHOD_NOT_ALLOWED, allowed=list(allowed)))

    def problem(self, visit: Visit, refused: Refused) -> Response[bytes]:
        """A refusal that is not sealed."""
        status, document = self.client.unsealed(visit, refused)
        return self._problem(visit, refused.refusal.cause, status, document)

    def turned(self, visit: Visit, fault: Exception) -> Response[bytes]:
        """To the login, or the page of a sealed refusal."""
        if isinstance(fault, LoggedOut) or (isinstance(fault, Turned) and fault.cause == Cause.INVALID_TOKEN):
            wanted = visit.path if visit.request.method == "GET" else _back(visit)
            return go(visit, f"{LOGIN}?next={quote(wanted, safe='')}", (session_cookie("", 0),))
        if isinstance(fault, Turned):
            return self._problem(visit, fault.cause, fault.status, fault.document)
        raise fault

    def _problem(self, visit: Visit, cause: Cause, status: int, document: Mapping[str, Any]) -> Response[bytes]:
        steps = PROBLEMS[cause].what_to_do[visit.words.language].split("\n")
        own = f"problem.{cause.value}"
        steps = visit.words(own).split("\n") if visit.words.has(own) else steps
        lapsed = visit.session is not None and visit.session.lapsed
        page = self._html(
            visit, "problem.html", status=status, document=document, steps=steps, lapsed=lapsed, back=_back(visit)
        )
        page.headers.update(told_of(document))
        return page

    async def _posted(
        self, visit: Visit, page: Page, roles: frozenset[Role] = frozenset()
    ) -> tuple[Visit, dict[str, list[str]]]:
        """Who sent which form: one of `roles` if there are any, else whoever may open the page.

        Raises LoggedOut, Turned, Refused: what somebody known is refused is sealed.
        """
        visit = await self._gate.enter(visit)
        await self._gate.open(visit, page, roles or None)
        try:
            given = await form_of(visit)
            self._gate.require_own(visit, visit.request.headers.get("x-csrf-token", _one(given, "csrf")))
        except Refused as refused:
            raise await self.client.refuse(visit, CONSOLE, refused.refusal) from refused
        return visit, given

    async def _watched(self, visit: Visit, page: Page, action: Action) -> Told | None:
        if not action.watch:
            return None
        ask = next(one for one in page.asks if one.name == action.watch)
        return await self.client.read(visit, ask, parameters_of(visit), visit.query())

    async def _not_done(
        self, visit: Visit, page: Page, action: Action, given: Mapping[str, Sequence[str]], turned: Turned
    ) -> Response[bytes]:
        """A form that administration turned down: beside its fields, as a page of what changed meanwhile, or above the form."""
        if turned.cause == Cause.INVALID_TOKEN:
            raise turned
        watched = await self._watched(visit, page, action)
        errors: Mapping[str, str] = {}
        if turned.cause == Cause.MALFORMED_REQUEST:
            errors = forms.errors_at(action.fields, [str(each) for each in turned.document.get("members", [])])
        elif turned.cause == Cause.CONFLICT and watched and watched.revision != _one(given, "match"):
            moved = changes(_one(given, "seen"), watched.document)
            fields = forms.fill(forms.offering(action.fields, watched.document), given, None, {})
            return self._html(
                visit, "stale.html", status=turned.status, page=page, action=action, moved=moved, fields=fields, watched=watched,
                seen=seen(watched.document), back=_back(visit), fits=_fits(action, watched.document),
            )  # fmt: skip
        return self._form(visit, page, action, watched, given, errors, turned.status, turned.document)

    def _form(  # noqa: PLR0913, PLR0917  what a form shows
        self,
        visit: Visit,
        page: Page,
        action: Action,
        watched: Told | None,
        given: Mapping[str, Sequence[str]] | None = None,
        errors: Mapping[str, str] | None = None,
        status: int = 200,
        problem: Mapping[str, Any] | None = None,
    ) -> Response[bytes]:
        document = watched.document if watched else None
        fields = forms.fill(forms.offering(action.fields, document), given, document, errors or {})
        return self._html(
            visit, "action.html", status=status, page=page, action=action, fields=fields, watched=watched,
            seen=seen(document) if document else "", problem=problem, errors=errors or {}, back=_back(visit),
        )  # fmt: skip

    def render(  # noqa: PLR0913  what a page shows
        self,
        visit: Visit,
        page: Page,
        told: Documents,
        query: Mapping[str, str],
        errors: Mapping[str, str] | None = None,
        status: int = 200,
        more: Mapping[str, Any] | None = None,
    ) -> Response[bytes]:
        """The page with these documents; `more` takes the place of what it makes of them."""
        docs = {name: one.document if one and not one.problem else None for name, one in told.items()}
        problems = {name: one.problem if one else None for name, one in told.items()}
        revisions = {name: one.revision if one else "" for name, one in told.items()}
        tables = {
            table.name: items_of(docs[table.of] or {}, table, visit.words) if docs.get(table.of) is not None else None
            for table in page.tables
        }
        offered = [action for action in page.actions if self._offered(visit, action, docs)]
        first = docs[page.asks[0].name] if page.asks else None
        asked = {name: [value] for name, value in query.items()}
        filters = forms.fill(page.filters, asked if any(one.name in asked for one in page.filters) else None, None, {})
        # A search is not shown again: it may name a person.
        search = forms.fill(page.search, {}, None, errors or {})
        done = query.get("done", "")
        known = done and any(action.act == done for one in PAGES for action in one.actions)
        made = more if more is not None else page.made(docs, visit, self._components.clock.now()) if page.made else {}
        return self._html(
            visit, page.template or "plain.html", status=status, page=page, docs=docs, tables=tables, first=first,
            actions=offered, filters=filters, search=search, query=query, done=done if known else "", problems=problems,
            parameters=parameters_of(visit), made=made, revisions=revisions,
        )  # fmt: skip

    def _html(self, visit: Visit, template: str, **facts: Any) -> Response[bytes]:  # noqa: ANN401  of a template
        page: Page | None = facts.get("page")
        parent = page_named(page.parent) if page is not None and page.parent else None
        session = visit.session
        entries = () if session is None or session.lapsed else menu(session.roles)
        entry = page
        while entry is not None and entry.parent and not entry.menu:
            entry = page_named(entry.parent)
        current = entry.name if entry else ""
        return html(visit, template, **{"page": None, **facts}, menu=entries, parent=parent, current=current)

    @staticmethod
    def _offered(visit: Visit, action: Action, docs: Mapping[str, Any]) -> bool:
        if not visit.member.roles & action.roles or any(
            field.kind in ("hidden", "fixed") and not field.value for field in action.fields
        ):
            return False
        document = docs.get(action.watch) or next(iter(docs.values()), None)
        return _fits(action, document)

    async def _file(self, visit: Visit, page: Page, query: Mapping[str, str]) -> Response[bytes]:
        """What a view sends, as a file."""
        name = query["file"]
        kind = page.files.get(name)
        if kind is None:
            raise Refused(Cause.NOT_FOUND)
        ask = next(one for one in page.asks if one.name == name)
        told = await self.client.read(visit, replace(ask, optional=False), parameters_of(visit), query)
        file = f"{name}-{jakarta_date(self._components.clock.now()).isoformat()}.{kind.rpartition('/')[2].removeprefix('x-')}"
        return answer(told.raw, kind, more={"content-disposition": f'attachment; filename="{file}"'})

    async def _csv(self, visit: Visit, page: Page, query: Mapping[str, str]) -> Response[bytes]:
        table = next((one for one in page.tables if one.name == query["csv"]), None)
        if table is None:
            raise Refused(Cause.NOT_FOUND)
        items, cut = await self.client.rows(visit, page, table, parameters_of(visit), query)
        note = visit.words("csv.cut", most=visit.words.number(MOST_ROWS)) if cut else ""
        name = f"{table.name}-{jakarta_date(self._components.clock.now()).isoformat()}.csv"
        return answer(
            csv_file(table.columns, items, visit.words, note),
            "text/csv; charset=utf-8",
            more={"content-disposition": f'attachment; filename="{name}"'},
        )


def _fits(action: Action, document: Any) -> bool:  # noqa: ANN401  any document
    return all(_holds(member(document, name), value) for name, value in action.when.items())


def _holds(held: Any, wanted: Any) -> bool:  # noqa: ANN401  any JSON
    if isinstance(wanted, bool):
        return bool(held) is wanted
    return held in wanted if isinstance(wanted, tuple) else bool(held == wanted)


def _typed(action: Action) -> tuple[Any, ...]:
    """The fields that make up the body: not those that name what the act's path does."""
    named = {source.removeprefix("field:") for source in action.path.values() if source.startswith("field:")}
    return tuple(field for field in action.fields if field.name not in named)


def _started(action: Action, watched: Told | None) -> dict[str, Sequence[str]]:
    document = watched.document if watched else None
    return {one.field.name: one.values for one in forms.fill(action.fields, None, document, {})}


def parameters_of(visit: Visit) -> dict[str, str]:
    """What the path of a page names."""
    return {name: str(value) for name, value in visit.request.path_params.items()}


def _one(given: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(given.get(name, ())), "")


def _back(visit: Visit) -> str:
    """The page that an action belongs to."""
    return quote(visit.path.partition("/do/")[0], safe="/")
