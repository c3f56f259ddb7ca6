"""Does every page do what the table says, for everybody? All of PAGES, for every role and for strangers."""

from __future__ import annotations

import re

import pytest
from console_walk import concrete

from gateway.console.frame.answers import HEADERS, POLICY
from gateway.console.frame.page import EVERYBODY
from gateway.console.frame.words import WORDS
from gateway.console.pages import PAGES, menu
from gateway.console.routes import action_path
from gateway.staff.roles import Role

ROLES = list(Role)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nobody_sees_a_page_without_a_session(http_of, page) -> None:
    """A stranger, or a cookie of nobody, is sent to the login, and comes back to the page from there; htmx is told."""
    path = re.sub(r"\{[a-z_]+\}", "x", page.path)
    for headers in ({}, {"cookie": "__Host-session=" + "A" * 43}):
        reply = http_of(None).get(path, headers=headers)
        assert (reply.status_code, reply.headers["location"]) == (
            303, "/console/login?next=" + path.replace("/", "%2F"),
        )  # fmt: skip
        for action in page.actions:
            told = http_of(None).post(re.sub(r"\{[a-z_]+\}", "x", action_path(page, action)), headers=headers)
            assert told.status_code == 303
            assert told.headers["location"].startswith("/console/login")
    smooth = http_of(None).get(path, headers={"hx-request": "true"})
    assert (smooth.status_code, smooth.headers["hx-redirect"][:14]) == (204, "/console/login")


@pytest.mark.parametrize("role", ROLES)
def test_a_menu_holds_what_its_reader_may_open(http_of, role) -> None:
    """The menu is what the table gives the role: each entry opens, and no other is there."""
    text = http_of(role).get("/console/me").text
    nav = re.search(r'<nav class="menu".*?</nav>', text, re.DOTALL)
    shown = re.findall(r'<a href="([^"]+)"', nav.group(0)) if nav else []
    assert (
        shown == [page.path for page in menu({role})] == [one.path for one in PAGES if one.menu and role in one.roles]
    )
    for path in shown:
        assert http_of(role).get(path).status_code == 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_table_is_a_csv_file(http_of, furnished, page) -> None:
    """`?csv=<table>` gives each table of a page: a byte order mark, headings, and a name with the date; others are 404."""
    client = http_of(min(page.roles))
    assert furnished
    for path in [] if page.search else concrete(page, client):
        for table in page.tables:
            reply = client.get(path, params={"csv": table.name})
            assert reply.status_code == 200, (path, table.name)
            assert reply.content.startswith(b"\xef\xbb\xbf")
            assert reply.headers["content-disposition"].startswith(f'attachment; filename="{table.name}-')
            assert len(reply.text.splitlines()[0].split(",")) >= len(table.columns)
        assert client.get(path, params={"csv": "nothing"}).status_code == 404


def test_every_answer_carries_the_headers(http_of) -> None:
    """Pages, refusals, redirects and files all carry the policy and its companions; a page is never stored."""
    paths = [
        "/console/me",
        "/console/login",
        "/console/enrol",
        "/console",
        "/console/nothing",
        "/console/static/console.css",
    ]
    for path in paths:
        reply = http_of(Role.AUDITOR).get(path)
        assert reply.headers["content-security-policy"] == POLICY
        for name, value in HEADERS.items():
            if name != "cache-control":
                assert reply.headers[name] == value, path
        assert ("no-store" in reply.headers["cache-control"]) != ("static" in path), path
    assert http_of(Role.AUDITOR).get("/console/nothing").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_method_that_a_path_does_not_have_is_answered_by_a_page(http_of, method) -> None:
    """405 in words with what is allowed, on pages, actions, ceremonies and files; an unknown path is no path by any method."""
    client = http_of(Role.REGISTRAR)
    for path in ("/console/partners", "/console/login", "/console/static/console.css"):
        reply = client.request(method, path)
        assert (reply.status_code, reply.headers["allow"]) == (405, "GET"), path
        assert "<h1>" in reply.text
        assert reply.headers["content-security-policy"] == POLICY
    form = client.request(method if method != "POST" else "PUT", "/console/partners/do/register_partner")
    assert (form.status_code, form.headers["allow"]) == (405, "GET, POST")
    assert client.get("/console/login/begin").status_code == 405
    assert client.request(method, "/console/nothing").status_code == 404


def test_both_languages_say_the_same_things() -> None:
    """The files of words hold the same keys with the same facts in them, and every key of the table is there."""
    one, other = WORDS["id"], WORDS["en"]
    assert one.keys() == other.keys()
    for key in one:
        assert set(re.findall(r"\{[a-z_]+\}", one[key])) == set(re.findall(r"\{[a-z_]+\}", other[key])), key
    needed = {f"role.{role}" for role in Role}
    for page in PAGES:
        needed |= {f"page.{page.name}"}
        for table in page.tables:
            needed |= {f"table.{table.name}", f"table.{table.name}.empty"}
        columns = [*page.facts, *(column for table in page.tables for column in table.columns)]
        needed |= {f"column.{column.label or column.name}" for column in columns}
        fields = [*page.filters, *page.search, *(field for action in page.actions for field in action.fields)]
        needed |= {f"field.{field.name}" for field in fields if field.kind != "hidden"}
        for action in page.actions:
            needed |= {f"act.{action.act}", f"act.{action.act}.what", f"act.{action.act}.done"}
            needed |= {f"act.{action.act}.once"} if action.shows_once else set()
    assert needed <= one.keys(), sorted(needed - one.keys())


def test_every_role_has_its_own_account() -> None:
    """Everybody may see their own account."""
    me = next(page for page in PAGES if page.name == "me")
    assert me.roles == EVERYBODY
