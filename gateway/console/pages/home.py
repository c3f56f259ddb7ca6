"""What needs doing now, by whoever has just come in? Greeting, and counts that lead to the page where something can be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.clock import DAY, HOUR, JAKARTA
from gateway.console.frame.page import APPROVER, AUDITOR, ENGINEER, EVERYBODY, KEY_OFFICER, REGISTRAR, Ask, Page
from gateway.console.frame.session import START, Visit
from gateway.console.pages.engineer import balance, gauges

_OFFICE = frozenset({REGISTRAR, APPROVER, KEY_OFFICER})
_PARTNER = frozenset({ENGINEER})
SOON = 14
"""Days before the end of a certification from which on the first page says it aloud."""
_PARTS = ((4, "night"), (11, "morning"), (15, "noon"), (18, "afternoon"), (24, "evening"))
"""Until which hour of Asia/Jakarta one says what."""


def greeting(now: int) -> str:
    """Which part of the day it is in Asia/Jakarta."""
    hour = (now + JAKARTA) % DAY // HOUR
    return next(name for until, name in _PARTS if hour < until)


def _made(docs: Mapping[str, Any], visit: Visit, now: int) -> Mapping[str, Any]:
    days = (visit.member.certified_until - now) // DAY
    sheets = [
        {
            "agreement": one["agreement"],
            "gauges": [each for each in gauges(one) if each.name != "burst"],
            "balance": balance(one),
        }
        for one in (docs["usage"] or {"agreements": ()})["agreements"]
    ]
    return {
        "greeting": greeting(now), "days": days, "soon": days <= SOON, "sheets": sheets,
        "todo": todo(docs),
    }  # fmt: skip


def todo(docs: Mapping[str, Any]) -> list[tuple[str, int, str, str]]:
    """(its words, how many, by when or since when, the page where it is done), the most pressing first; never a count of 0."""
    found: list[tuple[str, int, str, str]] = []
    if docs["office"]:
        office = docs["office"]
        duties, approvals, keys = office["duties"], office["approvals"], office["keys"]
        found += [
            ("duties_overdue", duties["overdue"], "", "duties"),
            ("duties_late", duties["late"], "", "duties"),
            ("approvals", approvals["for_you"], approvals["oldest"] or "", "approvals"),
            ("duties_due", duties["due"], duties["next"] or "", "duties"),
            ("keys", keys["expiring"], keys["next"] or "", "duties"),
            ("proposed", office["drafts"]["proposed"], "", "approvals"),
            ("drafts", office["drafts"]["draft"], "", "drafts"),
            ("suspended", office["partners"]["suspended"], "", "partners"),
        ]
    if docs["audit"]:
        audit = docs["audit"]
        found += [
            *_clocks("requests", audit["access_requests"], "requests"),
            ("findings", audit["findings"]["open"], "", "findings"),
            ("examining", audit["findings"]["examining"], "", "findings"),
            ("assignments", audit["assignments"]["expiring"], audit["assignments"]["next"] or "", "mine"),
        ]
    clocks = (docs["office"] or docs["audit"] or {}).get("incidents")
    if clocks:
        found = [*_clocks("incidents", clocks, "incidents"), *found]
    return [one for one in found if one[1]]


def _clocks(name: str, told: Mapping[str, Any], page: str) -> list[tuple[str, int, str, str]]:
    """What of a clock of 72 hours has run out, is near, and runs on."""
    calm = told["open"] - told["near"] - told["overdue"]
    return [
        (f"{name}_overdue", told["overdue"], "", page),
        (f"{name}_near", told["near"], told["next"] or "", page),
        (f"{name}_open", calm, told["next"] or "", page),
    ]


PAGES: tuple[Page, ...] = (
    Page(
        name="home",
        path=START,
        roles=EVERYBODY,
        menu=True,
        asks=(
            Ask("office", "overview", "partners.read", roles=_OFFICE),
            Ask("audit", "audit_overview", "audit.read", roles=frozenset({AUDITOR})),
            Ask("usage", "own_usage", "nik.verify", roles=_PARTNER),
            Ask("failures", "own_failures", "nik.verify", fixed={"limit": "5"}, roles=_PARTNER),
        ),
        template="home.html",
        made=_made,
    ),
)
