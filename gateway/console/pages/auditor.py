"""What does an auditor see and do? The ledger and its proofs, findings, samples, exports; and who gives assignments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.administration.requests import audit
from gateway.console.frame.page import APPROVER, AUDITOR, PAGED, REGISTRAR, Action, Ask, Column, Field, Page, TableSpec
from gateway.console.frame.session import Visit
from gateway.console.pages import residents
from gateway.console.pages.countdown import ago
from gateway.ledger.check.findings import RULES
from gateway.ledger.log.entry import KINDS

Documents = Mapping[str, Any]
READ, NOTE, SEE, WRITE = "audit.read", "audit.note", "partners.read", "partners.write"
STATES = ("open", "examining", "confirmed", "dismissed")
_OWN = frozenset({AUDITOR})
_PARTNERS = frozenset({REGISTRAR, APPROVER})
_SPAN = (Field("since", "day", required=False), Field("until", "day", required=False))
_FILTERS = (
    Field("partner", required=False),
    Field("purpose", required=False),
    Field("kind", "choice", required=False, choices=tuple(sorted(KINDS))),
    Field("outcome", required=False),
    *_SPAN,
)
_QUERY = ("partner", "purpose", "kind", "outcome", "since", "until")
_LOT = ("seed", "count", "end", *_QUERY)
_MINE = Ask("assignments", "own_assignments", READ, fixed={"limit": "200"})
_ENTRY = "/console/ledger/entries/{id}"
_ENTRIES = (
    Column("at", "time", link=_ENTRY),
    Column("partner", "code"),
    Column("kind", "choice"),
    Column("purpose", "choice"),
    Column("outcome", "choice"),
    Column("index", "number", label="entry"),
)
_ASSIGNMENT = (
    Column("letter"),
    Column("state", "state"),
    Column("partners", "codes"),
    Column("since", "day"),
    Column("until", "day", label="before"),
    Column("expires", "time"),
)


def _entry(docs: Documents, _: Visit, __: int) -> Documents:
    """The leaf's members, and those of the private part as texts."""
    entry = docs["entry"]
    private = entry["private"] or {}
    return {"leaf": json.loads(entry["leaf"]), "private": [(name, _text(private[name])) for name in sorted(private)]}


def _text(held: Any) -> str:  # noqa: ANN401  any JSON
    if isinstance(held, list) and all(isinstance(each, str) for each in held):
        return ", ".join(held)
    return held if isinstance(held, str) else json.dumps(held, ensure_ascii=False)


def _checkpoint(docs: Documents, visit: Visit, now: int) -> Documents:
    """How old the checkpoint is, and where anybody finds it."""
    age = ago(docs["checkpoint"]["published_at"], now, visit.words)
    return {"age": age, "address": f"{visit.issuer}/ledger"}


PAGES: tuple[Page, ...] = (
    Page(
        name="ledger",
        path="/console/ledger",
        roles=_OWN,
        menu=True,
        asks=(_MINE, Ask("found", "search", READ, query=(*_QUERY, *PAGED), optional=True)),
        tables=(TableSpec("entries", "found", _ENTRIES),),
        filters=_FILTERS,
        template="ledger.html",
    ),
    Page(
        name="entry",
        path=_ENTRY,
        roles=_OWN,
        parent="ledger",
        asks=(Ask("entry", "entry", READ, path={"id": "id"}),),
        script="proof.js",
        template="entry.html",
        made=_entry,
    ),
    Page(
        name="findings",
        path="/console/findings",
        roles=_OWN,
        menu=True,
        asks=(
            _MINE,
            Ask("found", "findings", READ, query=("partner", "rule", "state", "since", "until", *PAGED), optional=True),
        ),
        filters=(
            Field("partner", required=False),
            Field("rule", "choice", required=False, choices=RULES),
            Field("state", "choice", required=False, choices=STATES),
            *_SPAN,
        ),
        tables=(
            TableSpec(
                "findings",
                "found",
                (
                    Column("day", "day"),
                    Column("partner", "code"),
                    Column("rule", "choice"),
                    Column("count", "number"),
                    Column("state", "state"),
                    Column("owner"),
                    Column("note"),
                ),
            ),
        ),
        actions=(
            Action(
                "note_finding",
                _OWN,
                NOTE,
                audit.FindingNote,
                (
                    Field("finding", "fixed"),
                    Field("state", "choice", choices=STATES),
                    Field("owner", required=False),
                    Field("note", "area", required=False),
                ),
                path={"id": "field:finding"},
            ),
        ),
        template="findings.html",
    ),
    Page(
        name="resident",
        path="/console/who-asked",
        roles=_OWN,
        menu=True,
        asks=(Ask("found", "search_nik", READ), _MINE),
        tables=(TableSpec("asked", "found", _ENTRIES),),
        search=(
            Field("nik", "nik"),
            Field("limit", "hidden", required=False),
            Field("cursor", "hidden", required=False),
        ),
        search_body=audit.NikSearch,
        template="resident.html",
    ),
    Page(
        name="sample",
        path="/console/sample",
        roles=_OWN,
        menu=True,
        asks=(
            _MINE,
            Ask("found", "sample", READ, query=_LOT, needs=("seed",), optional=True),
            Ask("sample", "export", READ, query=_LOT, needs=("file",)),  # the file alone
        ),
        tables=(TableSpec("sample", "found", _ENTRIES),),
        filters=(Field("seed"), Field("count", "number", value="=25"), *_FILTERS),
        files={"sample": "application/x-ndjson"},
        template="sample.html",
    ),
    Page(
        name="export",
        path="/console/export",
        roles=_OWN,
        menu=True,
        asks=(_MINE, Ask("part", "export", READ, query=(*_QUERY, *PAGED), needs=("limit",), optional=True)),
        filters=(*_FILTERS, Field("limit", "choice", choices=("100", "500", "1000"), value="=1000")),
        files={"part": "application/x-ndjson"},
        template="export.html",
    ),
    *residents.PAGES,
    Page(
        name="checkpoint",
        path="/console/checkpoint",
        roles=_OWN,
        menu=True,
        asks=(Ask("checkpoint", "checkpoint", READ),),
        tables=(
            TableSpec(
                "witnesses",
                "checkpoint",
                (Column("name", "code"), Column("cosigned_at", "time"), Column("key", "code")),
                items="witnesses",
            ),
        ),
        script="proof.js",
        template="checkpoint.html",
        made=_checkpoint,
    ),
    Page(
        name="mine",
        path="/console/my-assignments",
        roles=_OWN,
        menu=True,
        asks=(Ask("assignments", "own_assignments", READ, query=PAGED),),
        tables=(TableSpec("mine", "assignments", _ASSIGNMENT),),
    ),
    Page(
        name="assignments",
        path="/console/assignments",
        roles=_PARTNERS,
        menu=True,
        asks=(Ask("assignments", "assignments", SEE, query=PAGED),),
        tables=(
            TableSpec(
                "assignments", "assignments", (Column("auditor", link="/console/assignments/{id}"), *_ASSIGNMENT)
            ),
        ),
        actions=(
            Action(
                "propose_assignment",
                frozenset({REGISTRAR}),
                WRITE,
                audit.NewAssignment,
                (
                    Field("auditor"),
                    Field("letter"),
                    Field("partners", "names"),
                    Field("since", "day"),
                    Field("until", "day"),
                    Field("expires", "day"),
                ),
            ),
        ),
    ),
    Page(
        name="assignment",
        path="/console/assignments/{id}",
        roles=_PARTNERS,
        parent="assignments",
        asks=(Ask("assignment", "assignment", SEE, path={"id": "id"}),),
        facts=(Column("auditor"), *_ASSIGNMENT),
        actions=(
            Action(
                "end_assignment",
                frozenset({REGISTRAR}),
                WRITE,
                path={"id": "id"},
                watch="assignment",
                grave=True,
                when={"state": "in_force"},
            ),
        ),
    ),
)
