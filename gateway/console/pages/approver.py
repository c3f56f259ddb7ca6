"""What waits for a second person? The queue, one proposal with all that has to be looked at, and what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.administration.requests import partners as bodies
from gateway.clock import SECOND
from gateway.console.frame.client import seen
from gateway.console.frame.differences import readable
from gateway.console.frame.page import (
    APPROVER,
    KEY_OFFICER,
    PAGED,
    REGISTRAR,
    Action,
    Ask,
    Column,
    Field,
    Page,
    TableSpec,
)
from gateway.console.frame.session import Visit
from gateway.console.frame.words import Words
from gateway.console.pages import key_paper
from gateway.partners.approvals import Widening
from gateway.partners.approvals import person as same

READ, WRITE, APPROVE = "partners.read", "partners.write", "partners.approve"
KINDS = tuple(kind.value for kind in Widening)
HOUSE = "dukcapil"
"""Whom credentials, people and assignments of the house belong to."""
ABOUT_PEOPLE = frozenset({"member", "recovery", "administrator", "assignment"})
_READERS = frozenset({REGISTRAR, APPROVER, KEY_OFFICER})
_APPROVERS = frozenset({APPROVER})
_PROPOSERS = frozenset({REGISTRAR, KEY_OFFICER})
_HIDDEN = frozenset({"jwk", "member", "of", "agreement", "version", "partner"})
"""Members of a subject that are told in other words, or by others."""
_FILTERS = (Field("kind", "choice", choices=KINDS, required=False), Field("partner", required=False))
Item = Mapping[str, Any]
Fact = tuple[str, object, bool]
"""(heading, value, whether it is a code)."""


def hand(item: Item, person: str) -> str:
    """Which hand a person had in a proposal: proposed | about | drafted; empty when none, so that they may decide."""
    if same(item["proposer"]) == same(person):
        return "proposed"
    if same(person) not in {same(each) for each in item["persons"]}:
        return ""
    return "about" if item["kind"] in ABOUT_PEOPLE else "drafted"


def what(item: Item, words: Words) -> str:
    """What a proposal would do, in a few words."""
    about, kind = item["about"], item["kind"]
    facts = {
        **{name: held for name, held in about.items() if isinstance(held, str | int)},
        "agreement": item["agreement"] or "",
        "version": item["version"] or "",
        "partner": item["partner_name"] or item["partner"],
        "roles": _said(about.get("roles", ()), words),
        "scopes": ", ".join(about.get("scopes", ())),
        "amount": words.money(about["amount"]) if "amount" in about else "",
        "ground": words.choice(about.get("ground", "")),
    }
    if kind == "resume":
        kind = "resume_agreement" if item["agreement"] else "resume_partner"
    elif kind == "member" and about.get("of") == "resume":
        kind = "resume_member"
    return words(f"proposal.what.{kind}", **facts)


def _said(slugs: Iterable[str], words: Words) -> str:
    return ", ".join(words.choice(slug) for slug in slugs)


def _more(item: Item, words: Words) -> Item:
    deployment = {"partner_name": words("proposal.house")} if item["partner"] == HOUSE else {}
    return {"what": what(item, words), **deployment}


def facts(approval: Item, words: Words) -> list[Fact]:
    """What is to be looked at, under its headings."""
    subject, about = approval["subject"], approval["about"]
    found: list[Fact] = []
    if approval["partner_name"] and approval["partner"] != HOUSE:
        found.append((words("proposal.partner"), approval["partner_name"], False))
    if approval["agreement"]:
        found.append((words("proposal.agreement"), approval["agreement"], True))
    found += [_fact(name, about[name], words) for name in about if name not in _HIDDEN and about[name] not in ("", [])]
    if "jwk" in subject:
        found += [(words(key), value, not key.endswith(("kind", "from", "until"))) for key, value in
                  key_paper.described(subject["jwk"], words)]  # fmt: skip
    return [one for at, one in enumerate(found) if one[:2] not in [each[:2] for each in found[:at]]]


def _fact(name: str, held: Any, words: Words) -> Fact:  # noqa: ANN401, PLR0911  any JSON, one line a kind
    heading = words(f"proposal.{name}") if words.has(f"proposal.{name}") else name
    match name:
        case "roles" | "suspensions":
            return heading, _said([str(each).removeprefix("purpose ") for each in held], words), False
        case "scopes" | "partners":
            return heading, ", ".join(held), True
        case "would":
            return heading, ", ".join(f"{event} {count}" for event, count in held.items()), True
        case "amount":
            return heading, words.money(held), False
        case "expires" if isinstance(held, int):
            return heading, words.instant(held // SECOND * SECOND), False
        case "since" | "until" | "expires":
            return heading, words.day(str(held)), False
        case "ground" | "auth_method":
            return heading, words.choice(held), False
        case _:
            return heading, str(held), name in {"client_id", "reference"}


def _queue(docs: Mapping[str, Any], visit: Visit, _: int) -> Item:
    """In which of the proposals this person had a hand, by id."""
    return {"hands": {item["id"]: hand(item, visit.member.person) for item in docs["approvals"]["items"]}}


def _one(docs: Mapping[str, Any], visit: Visit, _: int) -> Item:
    """One proposal as it is judged: by whom, what about, what to look at, and what may be done."""
    approval, words, roles = docs["approval"], visit.words, visit.member.roles
    mine = hand(approval, visit.member.person)
    waits = approval["state"] == "open"
    kind = "resume_member" if approval["kind"] == "member" and approval["about"].get("of") else approval["kind"]
    kind = "certificate" if kind == "key" and "x5c" in approval["subject"]["jwk"] else kind
    widened = [one.label for one in readable(approval["difference"], words) if one.effect == "widens"]
    return {
        "what": what(approval, words),
        "hand": mine,
        "facts": facts(approval, words),
        "looks": words(f"look.{kind}").split("\n") if approval["stands"] else [],
        "next": f"next.{kind}" if approval["state"] == "approved" and words.has(f"next.{kind}") else "",
        "widened": widened,
        "seen": seen(approval),
        "approves": waits and approval["stands"] and not mine and bool(roles & _APPROVERS),
        "rejects": waits and mine != "proposed" and bool(roles & _APPROVERS),
        "withdraws": waits and mine == "proposed" and bool(roles & _PROPOSERS),
        "reads": bool(roles & {REGISTRAR, APPROVER}),
    }


APPROVALS = Page(
    name="approvals",
    path="/console/approvals",
    roles=_READERS,
    menu=True,
    template="approvals.html",
    asks=(Ask("approvals", "approvals", READ, query=("kind", "partner", *PAGED), fixed={"state": "open"}),),
    filters=_FILTERS,
    tables=(
        TableSpec(
            "approvals",
            "approvals",
            (
                Column("what", link="/console/approvals/{id}", label="proposal"),
                Column("kind", "choice", label="proposal_kind"),
                Column("partner_name", label="about_partner"),
                Column("proposer"),
                Column("proposed_at", "time"),
            ),
            more=_more,
        ),
    ),
    made=_queue,
)

APPROVAL = Page(
    name="approval",
    path="/console/approvals/{id}",
    roles=_READERS,
    parent="approvals",
    template="approval.html",
    asks=(Ask("approval", "approval", READ, path={"id": "id"}),),
    actions=(
        Action(
            "approve",
            _APPROVERS,
            APPROVE,
            bodies.ApprovedDigest,
            (Field("digest", "fixed", value="digest"),),
            path={"id": "id"},
            watch="approval",
            step_up=True,
            when={"state": "open", "stands": True},
        ),
        Action(
            "reject", _APPROVERS, APPROVE, bodies.Objection, (Field("reason"),), path={"id": "id"}, watch="approval",
            grave=True, when={"state": "open"},
        ),
        Action(
            "withdraw", _PROPOSERS, WRITE, bodies.Objection, (Field("reason"),), path={"id": "id"}, watch="approval",
            grave=True, when={"state": "open"},
        ),
    ),
    made=_one,
)  # fmt: skip

DECISIONS = Page(
    name="decisions",
    path="/console/decisions",
    roles=_READERS,
    parent="approvals",
    asks=(
        Ask(
            "approvals",
            "approvals",
            READ,
            query=("state", "kind", "partner", *PAGED),
            fixed={"state": "decided", "order": "newest"},
        ),
    ),
    filters=(Field("state", "choice", choices=("approved", "rejected", "withdrawn"), required=False), *_FILTERS),
    tables=(
        TableSpec(
            "decisions",
            "approvals",
            (
                Column("what", link="/console/approvals/{id}", label="proposal"),
                Column("partner_name", label="about_partner"),
                Column("state", "state"),
                Column("proposer"),
                Column("decider"),
                Column("decided_at", "time"),
                Column("reason", label="why"),
            ),
            more=_more,
        ),
    ),
)

PAGES: tuple[Page, ...] = (APPROVALS, APPROVAL, DECISIONS)
