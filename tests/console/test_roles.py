"""Does the table say everything about who may open and do what? Every page and act for every role, and no way beside them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from visitor import Visitor

from gateway.app import build
from gateway.clock import SystemClock, SystemEntropy
from gateway.config import read
from gateway.console.frame.page import Page
from gateway.console.pages import PAGES
from gateway.console.routes import PUBLIC, action_path
from gateway.errors import Cause
from gateway.ledger.log.entry import Kind
from gateway.staff.roles import Role

CEREMONIES = {
    "/console/login/begin", "/console/login/finish", "/console/enrol/invitation", "/console/enrol/begin",
    "/console/enrol/finish", "/console/step-up/begin", "/console/step-up/finish", "/console/passkey/begin",
    "/console/passkey/finish", "/console/logout",
}  # fmt: skip
"""What console.js, or the button to log out, posts to."""
EXTERNAL = {"/console/external", "/console/external/begin", "/console/external/step-up"}
"""The way over the house's own OpenID provider, where it has one."""
OF_ONE = {"request", "record"}
"""Pages of what belongs to whoever opened it: here the auditor."""
SENDERS = frozenset({Role.REGISTRAR, Role.AUDITOR})
"""Who sends something to a page itself: an agreement, a search."""
DONE = {200, 303, 400, 404, 412, 422}
"""How an act may end for whoever may do it: shown once, done, or turned down by what it is about."""


@pytest.fixture(scope="session")
def visitors(people) -> dict[Role, Visitor]:
    """Somebody of every role."""
    return {role: people(role) for role in Role}


def refusals(console: Any, after: int) -> Counter[str]:
    """How many refusals for want of the role were sealed after an entry, by client."""
    return Counter(
        leaf["actor"].rpartition("/")[2]
        for leaf, private in console.sealed(after)
        if leaf["kind"] == Kind.REFUSAL and private["outcome"] == Cause.INSUFFICIENT_SCOPE
    )


@pytest.fixture(scope="session")
def clients(console, visitors) -> dict[Role, tuple[str, str]]:
    """Role → (client, CSRF token) of its visitor."""
    found = {}
    for role, visitor in visitors.items():
        token = visitor.csrf()
        found[role] = (str(console.sealed()[-1][0]["actor"].rpartition("/")[2]), token)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_table_is_what_everybody_may(console, visitors, clients, furnished, page: Page) -> None:
    """A page opens, and an act is done, for the roles that the table names; for all others 403 in words, sealed each time."""
    path = furnished.get(page.path, page.path)
    after, turned = console.newest(), Counter[str]()
    for role, visitor in visitors.items():
        client, token = clients[role]
        asked = [(visitor.get(path), role in page.roles)]
        for action in page.actions:
            form = f"{path}/do/{action.act}"
            if role in action.roles:
                asked.append((visitor.get(form), True))
            else:
                asked.append((visitor.send(form, {"csrf": token, "match": '"none"'}), False))
        if (page.search or page.own) and role not in page.roles & SENDERS:
            asked.append((visitor.send(path, {"csrf": token, "do": "save", "match": '"none"'}), False))
        for reply, allowed in asked:
            others = page.name in OF_ONE and role != Role.AUDITOR and "/do/" not in reply.url.path
            assert reply.status_code == ((404 if others else 200) if allowed else 403), (
                role,
                reply.url,
                reply.text[:1500],
            )
            assert "<h1>" in reply.text
            assert bool(re.search(r"<code>[0-9a-f-]{36}</code></p>", reply.text)) or allowed
            turned[client] += not allowed
    assert refusals(console, after) == +turned


@pytest.mark.parametrize("page", [one for one in PAGES if one.actions], ids=lambda page: page.name)
def test_an_act_is_done_by_its_roles(visitors, clients, furnished, page: Page) -> None:
    """Whoever the table names may do it: what is sent is done, or turned down for what it says, never for the role."""
    path = furnished.get(page.path, page.path)
    for action in page.actions:
        for role in sorted(action.roles):
            reply = visitors[role].send(f"{path}/do/{action.act}", {"csrf": clients[role][1], "match": '"none"'})
            if reply.status_code == 403:
                assert action.step_up, (action.act, role)
                assert 'data-passkey="step-up"' in reply.text
            else:
                assert reply.status_code in DONE, (action.act, role, reply.status_code, reply.text[:1500])


def test_no_route_is_beside_the_table(console) -> None:
    """The application of a worker has the pages and acts of the table, the way in, and nothing more under /console."""
    settings = read(console.deployment.config)
    application = build(settings, SystemClock(), SystemEntropy(), sealer_socket=Path("nobody-is-asked"))
    found = {re.sub(r":str\}", "}", route.path) for route in application.routes if route.path.startswith("/console")}
    table = {page.path for page in PAGES} | {action_path(page, act) for page in PAGES for act in page.actions}
    assert found - EXTERNAL == table | PUBLIC | CEREMONIES | {"/console/{rest:path}"}


def test_every_page_with_parameters_is_walked(furnished) -> None:
    """None is passed by because nothing is there to be shown."""
    assert set(furnished) == {page.path for page in PAGES if "{" in page.path}
