"""Does the first page say what needs doing now, to each role what is its own?"""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.administration.requests.partners import NewPartner
from gateway.administration.requests.staff import NewMember
from gateway.clock import HOUR, JAKARTA
from gateway.console.frame.words import WORDS
from gateway.console.pages.home import greeting, todo
from gateway.staff.roles import Role
from nik_gateway_client import GatewayClient, Refusal

NONE = {"open": 0, "near": 0, "overdue": 0, "next": None}


@pytest.mark.parametrize("role", list(Role))
def test_everybody_is_greeted_with_role_and_certification(http_of, role) -> None:
    """By name, with the roles in words and the day on which the certification ends."""
    page = http_of(role).get("/console").text
    heading = re.search(r"<h1>(.*?)</h1>", page)
    assert heading is not None
    assert heading[1].startswith("Selamat ")
    assert WORDS["id"][f"role.{role}"] in page
    assert "Sertifikasi akses Anda berlaku sampai" in page


def test_the_first_page_comes_after_the_login(console, page_of) -> None:
    """Whoever goes to the console is there, and not sent on."""
    tab = page_of(Role.APPROVER).open(console.origin + "/console")
    assert tab.url == console.origin + "/console"
    assert tab.locator('nav.menu a[aria-current="page"]').get_attribute("href") == "/console"
    tab.close()


def test_what_waits_for_an_approver_is_counted(console, http_of) -> None:
    """A proposal of somebody else is one more; an own one is not."""

    def waiting() -> int:
        page = http_of(Role.APPROVER).get("/console").text
        told = re.search(r'<data value="(\d+)">[^<]*</data>\s*<span>(?:<a[^>]*>)?Usulan menunggu keputusan Anda', page)
        return int(told[1]) if told else 0

    before = waiting()
    console.act("propose_member", {}, NewMember("Nita Baru", ["registrar"]), "Demo Registrar")
    assert waiting() == before + 1
    console.act("propose_member", {}, NewMember("Nana Baru", ["registrar"]), "Agus Approver")
    assert waiting() == before + 1


def test_an_engineer_sees_quota_and_last_failures(console, http_of) -> None:
    """What is left, and the newest refusals with a way to their causes."""
    resident = console.deployment.active[20]
    claims = {name: resident["claims"][name] for name in ("name", "birth_date")}
    with (
        GatewayClient(console.deployment.directory / "partners" / "bpjs" / "profile.toml") as client,
        pytest.raises(Refusal),
    ):
        client.verify(resident["nik"], "passport_application", claims)
    page = http_of(Role.ENGINEER).get("/console").text
    assert "Hari ini" in page
    assert 'href="/console/own/failures?cause=purpose-not-agreed"' in page
    assert resident["nik"] not in page


def test_links_lead_to_pages_that_open(http_of, console) -> None:
    """Every count that is a link leads where its reader may go."""
    console.act("register_partner", {}, NewPartner("Bank Beranda", "bank"), "Demo Registrar")
    for role in (Role.REGISTRAR, Role.APPROVER, Role.AUDITOR, Role.KEY_OFFICER):
        page = http_of(role).get("/console").text
        main = page[page.index("<main") :]
        for href in re.findall(r'href="([^"]+)"', main):
            assert http_of(role).get(href).status_code == 200, (role, href)


def test_nothing_that_is_none_is_shown() -> None:
    """Only what there is, and what presses first stands first."""
    office: dict[str, Any] = {
        "partners": {"total": 2, "suspended": 0}, "drafts": {"draft": 0, "proposed": 0},
        "approvals": {"open": 1, "for_you": 1, "by_kind": {}, "oldest": "2026-11-20T01:00:00Z"},
        "duties": {"due": 0, "late": 0, "overdue": 2, "next": None}, "keys": {"expiring": 0, "next": None},
        "incidents": {"open": 3, "near": 1, "overdue": 1, "next": "2026-11-25T01:00:00Z"},
    }  # fmt: skip
    told = todo({"office": office, "audit": None})
    assert [(name, count) for name, count, _, _ in told] == [
        ("incidents_overdue", 1), ("incidents_near", 1), ("incidents_open", 1), ("duties_overdue", 2), ("approvals", 1),
    ]  # fmt: skip
    audit = {
        "findings": {"open": 0, "examining": 0, "confirmed": 9, "dismissed": 9}, "incidents": NONE,
        "access_requests": NONE, "assignments": {"in_force": 1, "expiring": 0, "next": None},
    }  # fmt: skip
    assert todo({"office": None, "audit": audit}) == []


@pytest.mark.parametrize(
    ("hour", "part"),
    [(0, "night"), (4, "morning"), (10, "morning"), (11, "noon"), (15, "afternoon"), (18, "evening"), (23, "evening")],
)
def test_the_greeting_is_that_of_the_hour_in_jakarta(hour: int, part: str) -> None:
    """Whatever the machine's own zone."""
    assert greeting(20_000 * 24 * HOUR + hour * HOUR - JAKARTA) == part
    for language in WORDS.values():
        assert f"home.greeting.{part}" in language
