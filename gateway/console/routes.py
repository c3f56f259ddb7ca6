"""Which routes does the console have? Two for every page and one for every action of PAGES, and those of sign-in."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from litestar import Response, get, post, route
from litestar.params import FromPath
from litestar.types import Method

from gateway.clock import uuid7
from gateway.console.admission import PageAccess
from gateway.console.frame.answers import answer, assets, go
from gateway.console.frame.page import Action, Page
from gateway.console.frame.session import Asked, Visit, preference, visit_of
from gateway.console.pages import PAGES
from gateway.console.screen import Screen
from gateway.console.sign_in import SignInPages
from gateway.errors import Cause, Refused, StoreUnavailable
from gateway.web.api.components import Components

PUBLIC = frozenset({
    "/console/login",
    "/console/enrol",
    "/console/static/{file:path}",
})  # fmt: skip
"""Paths of the console that answer a GET of anybody."""
_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
_METHODS: tuple[Method, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE")
Answer = Callable[[Visit], Awaitable[Response[bytes]]]
Served = Callable[[Asked, Answer], Awaitable[Response[bytes]]]
Told = Callable[[Visit, Refused], Response[bytes]]


def console_routes(components: Components) -> list[Any]:  # noqa: C901  a list of small handlers, as `web.routes`
    """Every handler of the console."""
    gate = PageAccess(components)
    screen = Screen(components, gate)
    sign_in_pages = SignInPages(components, gate, screen)

    async def served(request: Asked, making: Answer, told: Told = screen.problem) -> Response[bytes]:
        visit = visit_of(request, components, uuid7(components.clock.now(), components.entropy))
        try:
            await gate.knock(visit)
            chosen = preference(visit) if request.method == "GET" else None
            if chosen is not None:
                return go(visit, chosen[0], (chosen[1],))
            return await making(visit)
        except Refused as refused:
            return told(visit, refused)
        except StoreUnavailable:
            return told(visit, Refused(Cause.LEDGER_UNAVAILABLE, retry_after=1))

    def page_route(page: Page) -> list[Any]:
        async def show(visit: Visit) -> Response[bytes]:
            return await screen.show(visit, page)

        async def search(visit: Visit) -> Response[bytes]:
            return await screen.search(visit, page)

        async def own(visit: Visit) -> Response[bytes]:
            return await screen.own(visit, page)

        made = [_handler(get, page.path, served, show)]
        if page.search:
            made.append(_handler(post, page.path, served, search))
        if page.own:
            made.append(_handler(post, page.path, served, own))
        for action in page.actions:
            made += action_route(page, action)
        return made

    def action_route(page: Page, action: Action) -> list[Any]:
        async def ask(visit: Visit) -> Response[bytes]:
            return await screen.form(visit, page, action)

        async def do(visit: Visit) -> Response[bytes]:
            return await screen.act(visit, page, action)

        return [
            _handler(get, action_path(page, action), served, ask),
            _handler(post, action_path(page, action), served, do),
        ]

    @get("/console/static/{file:path}")
    async def static(file: FromPath[str]) -> Response[bytes]:
        held = assets().get(str(file).lstrip("/"))
        if held is None:
            return answer(b"", "text/plain; charset=utf-8", 404)
        return answer(held[0], held[1], more=_FOREVER)

    made = [handler for page in PAGES for handler in page_route(page)]
    made += [_handler(get, path, served, told) for path, told in sign_in_pages.pages.items()]
    step = partial(served, told=sign_in_pages.told)
    made += [_handler(post, path, step, told) for path, told in sign_in_pages.ceremonies.items()]
    made.append(static)
    anything = partial(route, http_method=list(_METHODS))
    return [*made, *_others(made, served, screen), _handler(anything, "/console/{rest:path}", served, screen.unknown)]


def _others(made: list[Any], served: Served, screen: Screen) -> list[Any]:
    """For every path, what is said of the methods that it does not have: a page, as of every other refusal."""
    known: dict[str, set[str]] = {}
    for handler in made:
        for path in handler.paths:
            known.setdefault(path, set()).update(str(method) for method in handler.http_methods)
    return [
        _handler(
            partial(route, http_method=[one for one in _METHODS if one not in methods]),
            path,
            served,
            partial(screen.unable, allowed=sorted(methods & set(_METHODS))),
        )
        for path, methods in known.items()
    ]


def action_path(page: Page, action: Action) -> str:
    """Where the form of an action is, and is posted to."""
    return f"{page.path}/do/{action.act}"


def _handler(method: Callable[..., Any], path: str, served: Served, making: Answer) -> Any:  # noqa: ANN401  Litestar's
    async def answered(request: Asked) -> Response[bytes]:
        return await served(request, making)

    typed = re.sub(r"\{([a-z_]+)\}", r"{\1:str}", path)
    return method(typed, include_in_schema=False, status_code=200)(answered)
