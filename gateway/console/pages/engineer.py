"""What does the engineer of a partner see? What it may ask, has left, was refused and was charged; nothing of other partners."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.claims import CLAIMS
from gateway.clock import jakarta_date, parse_rfc3339
from gateway.console.frame.page import ENGINEER, PAGED, Ask, Column, Field, Page, TableSpec
from gateway.console.frame.session import Visit
from gateway.errors import Cause
from gateway.partners.money import level
from gateway.web.http.problems import PROBLEMS, WORDS
from gateway.web.openapi.samples import answer_examples

VERIFY = "nik.verify"
_OWN = frozenset({ENGINEER})
_CALLED = {"channel": "branch", "operator": "teller-17"}
_CONSENT = "CIF-2026-000123"


@dataclass(frozen=True, slots=True)
class Example:
    """A call that the agreement allows, ready to be copied: `command` is "" where the command has no option for it."""

    command: str
    body: str
    answer: str


@dataclass(frozen=True, slots=True)
class UsageGauge:
    """One limit: how much of it is spent, in per cent, which of 80, 90 and 100 it has reached, and when it is whole again."""

    name: str
    limit: int
    spent: int
    left: int
    percent: int
    level: int
    resets_at: str


def example(purpose: str, terms: Mapping[str, Any], on_behalf_of: Sequence[str]) -> Example:
    """The least call for a purpose of an agreement's document, and an answer with just the members that it discloses."""
    claims = {claim: CLAIMS[claim].example for claim in terms["decide"]}
    body: dict[str, Any] = {"nik": "<NIK>", "purpose": purpose, "claims": claims}
    given = [f'--claim {name}="{value}"' for name, value in claims.items()]
    demands = set(terms["demands"])
    if "consent" in demands:
        body["consent"] = {"basis": terms["legal_basis"], "reference": _CONSENT}
        given += [f"--consent-basis {terms['legal_basis']}", f"--consent-reference {_CONSENT}"]
    for name in sorted(demands & _CALLED.keys()):
        body[name] = _CALLED[name]
        given.append(f"--{name} {_CALLED[name]}")
    if "on_behalf_of" in demands:
        body["on_behalf_of"] = next(iter(on_behalf_of), "<on_behalf_of>")
    start = f"nik-gateway verify --profile profile.toml --purpose {purpose}"
    answer = dict(answer_examples()[terms["disclosure"]]["value"])
    if "claims" in answer:
        answer["claims"] = dict.fromkeys(claims, "match")
    command = "" if "on_behalf_of" in demands else " \\\n    ".join([start, *given])
    return Example(command, _json(body), _json(answer))


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


def gauges(document: Mapping[str, Any]) -> list[UsageGauge]:
    """The limits of an agreement in a document of usage. Nobody is told of a burst: it is whole again within a second."""
    return [
        UsageGauge(
            name, one["limit"], one["spent"], one["left"], _percent(one["spent"], one["limit"]),
            0 if name == "burst" else level(one["spent"], one["limit"]), one["resets_at"],
        )
        for name, one in document["limits"].items()
    ]  # fmt: skip


def balance(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is left of the last top-up, its level, and for how many answers it suffices; None where nothing is prepaid."""
    if "balance" not in document:
        return None
    left, whole = document["balance"], document.get("topped_up") or 0
    return {
        "left": left, "whole": whole, "spent": max(whole - left, 0), "percent": _percent(max(whole - left, 0), whole),
        "level": level(whole - left, whole) or (100 if left < document["tariff"] else 0),
        "answers": left // document["tariff"] if document["tariff"] else 0,
    }  # fmt: skip


def _percent(used: int, whole: int) -> int:
    return min(used * 100 // whole, 100) if whole > 0 else 0


def _agreed(docs: Mapping[str, Any], visit: Visit, _: int) -> Mapping[str, Any]:
    language = visit.words.language
    agreements = docs["own"]["agreements"]
    return {
        "examples": {
            one["agreement"]: {
                name: example(name, terms, one.get("on_behalf_of", ())) for name, terms in one["purposes"].items()
            }
            for one in agreements
        },
        "terms": {
            one["agreement"]: (_day(one["term"]["starts"]), _day(one["term"]["ends"], before=1)) for one in agreements
        },
        "restore": {slug: WORDS["restore", slug][language] for one in agreements for slug in one.get("restore", ())},
    }


def _day(instant: str, before: int = 0) -> str:
    """The day of Asia/Jakarta that lies `before` an instant by so many microseconds."""
    return jakarta_date(parse_rfc3339(instant) - before).isoformat()


def _spent(docs: Mapping[str, Any], _: Visit, __: int) -> Mapping[str, Any]:
    return {
        "sheets": [
            {"agreement": one["agreement"], "gauges": gauges(one), "balance": balance(one), "usage": one}
            for one in docs["usage"]["agreements"]
        ]
    }


def _refused(docs: Mapping[str, Any], _: Visit, __: int) -> Mapping[str, Any]:
    slugs = {one["cause"]["slug"] for one in docs["failures"]["items"] if one["cause"]}
    return {"retryable": {slug: PROBLEMS[Cause(slug)].retryable for slug in slugs}}


PAGES: tuple[Page, ...] = (
    Page(
        name="own",
        path="/console/own",
        roles=_OWN,
        menu=True,
        asks=(Ask("own", "own_agreement", VERIFY),),
        template="own.html",
        made=_agreed,
    ),
    Page(
        name="own_usage",
        path="/console/own/usage",
        roles=_OWN,
        menu=True,
        asks=(Ask("usage", "own_usage", VERIFY),),
        template="own_usage.html",
        script="charts.js",
        live=True,
        made=_spent,
    ),
    Page(
        name="own_failures",
        path="/console/own/failures",
        roles=_OWN,
        menu=True,
        asks=(Ask("failures", "own_failures", VERIFY, query=("cause", "since", *PAGED), fixed={"limit": "20"}),),
        tables=(
            TableSpec(
                "own_failures",
                "failures",
                (
                    Column("at", "time"),
                    Column("purpose", "choice"),
                    Column("cause.slug", "choice", label="own.cause"),
                    Column("client", "code", label="own.client"),
                    Column("id", "code", label="own.id"),
                    Column("entry", "code", label="own.entry"),
                ),
            ),
        ),
        filters=(
            Field("cause", "choice", required=False, choices=tuple(cause.value for cause in PROBLEMS)),
            Field("since", "day", required=False),
        ),
        template="own_failures.html",
        made=_refused,
    ),
    Page(
        name="own_keys",
        path="/console/own/keys",
        roles=_OWN,
        menu=True,
        asks=(Ask("keys", "own_keys", VERIFY, query=PAGED),),
        tables=(
            TableSpec(
                "own_keys",
                "keys",
                (
                    Column("kid", "code"),
                    Column("client_id", "code"),
                    Column("kty", "code"),
                    Column("auth_method", "choice"),
                    Column("expires", "time"),
                ),
            ),
        ),
        template="own_keys.html",
    ),
    Page(
        name="own_statements",
        path="/console/own/statements",
        roles=_OWN,
        menu=True,
        asks=(Ask("statements", "own_statements", VERIFY, query=PAGED),),
        tables=(
            TableSpec(
                "own_statements",
                "statements",
                (
                    Column("date", "day", link="/console/own/statements/{date}", label="own.day"),
                    Column("answers", "number", label="own.answers"),
                    Column("refusals", "number", label="own.refusals"),
                    Column("amount", "money", label="own.amount"),
                    Column("credited", "money", label="own.credited"),
                ),
            ),
        ),
    ),
    Page(
        name="own_statement",
        path="/console/own/statements/{date}",
        roles=_OWN,
        parent="own_statements",
        asks=(Ask("day", "statement", VERIFY, path={"date": "date"}),),
        tables=(
            TableSpec(
                "own_lines",
                "day",
                (
                    Column("purpose", "choice"),
                    Column("agreement", "code"),
                    Column("answers", "number", label="own.answers"),
                    Column("price", "money", label="own.price"),
                    Column("amount", "money", label="own.amount"),
                ),
                items="statement.lines",
            ),
            TableSpec(
                "own_payments",
                "day",
                (
                    Column("at", "time"),
                    Column("agreement", "code"),
                    Column("reference", "code", label="own.transfer"),
                    Column("amount", "money", label="own.amount"),
                ),
                items="statement.payments",
            ),
        ),
        template="own_statement.html",
        files={"day": "application/json"},
    ),
    Page(name="own_receipts", path="/console/own/receipts", roles=_OWN, menu=True, template="own_receipts.html"),
)
