"""What does an auditor see of the log, under an assignment? Entries by filter, resident or lot, with proofs; and findings.

Every view tells its own entry what was searched for: filters, the assignment, and of a NIK its keyed tag alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from gateway.administration.commands import Act, Shown, View
from gateway.clock import DAY, jakarta_date, jakarta_midnight, parse_rfc3339, rfc3339, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.ledger.check.check import text_id
from gateway.ledger.check.findings import HISTORY, RULES, Finding, judged
from gateway.ledger.log.entry import Kind, Leaf
from gateway.ledger.log.sampling import draws
from gateway.ledger.publication.checkpoint import Checkpoint
from gateway.ledger.publication.export import selection
from gateway.ledger.publication.rhythm import NotYet
from gateway.nik import Nik
from gateway.store.audit.assignments import Assignment, all_assignments, read_assignment, require
from gateway.store.audit.finding_days import days_of
from gateway.store.audit.tables import finding_notes
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.commands.query import (
    MOST,
    PAGE,
    ReadContext,
    day_of,
    instant,
    limit_of,
    page,
    revision,
    whole_number,
)
from gateway.store.commands.unit_of_work import CommandResult, UnitOfWork
from gateway.store.ledger.tables import ledger_entries
from gateway.store.partners.money import first_at
from gateway.store.search.copy import (
    SALT,
    AuditTools,
    Filter,
    FoundEntry,
    at_indexes,
    facets_of,
    find,
    find_subject,
    followed,
    partner_of,
)

DRAWS = 20_000  # entries that a sample looks at, at most
_DRAWN = 400  # at a time
FILTERS = ("kind", "purpose", "outcome")
PAGED = ("cursor", "limit")
_leaf = msgspec.json.Decoder(Leaf).decode


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one search may look at, and what its entry tells of it."""

    assignment: Assignment
    filter: Filter
    told: Mapping[str, Any]


def bounds(context: ReadContext, view: View) -> Bounds:
    """The stretch and the partners that a search is about, within an assignment. Raises Refused(ASSIGNMENT_MISSING)."""
    query, connection = view.query, context.connection
    since = instant(query["since"], "since") if query.get("since") else None
    until = instant(query["until"], "until", end=True) if query.get("until") else None
    held = require(connection, view.person, context.now, partner=query.get("partner", ""), since=since, until=until)
    size = followed(connection)
    first = first_at(connection, max(held.since, since or 0), size)
    end = first_at(connection, min(held.until, until if until is not None else held.until), size)
    after = whole_number(query.get("cursor", ""), "cursor", -1)
    partners = (query["partner"],) if query.get("partner") else held.partners
    wanted = Filter(partners, max(first, after + 1), end, *(query.get(name, "") for name in FILTERS))
    told = {"assignment": held.id, "filters": {name: value for name, value in sorted(query.items()) if value}}
    return Bounds(held, wanted, told)


def rows_of(connection: Connection, indexes: Sequence[int]) -> dict[int, tuple[bytes, bytes | None]]:
    """(leaf, private part) by leaf index."""
    columns = ledger_entries.c
    wanted = select(columns.leaf_index, columns.leaf, columns.private).where(columns.leaf_index.in_(list(indexes)))
    return {
        row.leaf_index: (bytes(row.leaf), None if row.private is None else bytes(row.private))
        for row in connection.execute(wanted)
    }


def items_of(connection: Connection, found: Sequence[FoundEntry]) -> list[dict[str, Any]]:
    """Entries as a list shows them."""
    rows = rows_of(connection, [each.index for each in found])
    items = []
    for each in found:
        leaf = _leaf(rows[each.index][0])
        items.append(
            {
                "index": each.index, "id": leaf.id, "at": leaf.at, "partner": each.partner, "actor": leaf.actor,
                "kind": leaf.kind, "agreement": leaf.agreement or None, "purpose": leaf.purpose or None,
                "outcome": each.outcome or None, "subject": b64u(each.subject) if each.subject else None,
            }
        )  # fmt: skip
    return items


def _listed(context: ReadContext, found: list[FoundEntry], limit: int, bound: Bounds) -> Shown:
    shown = found[:limit]
    document = {
        "items": items_of(context.connection, shown),
        "next": str(shown[-1].index) if len(found) > limit else None,
        "assignment": bound.assignment.id,
        "size": followed(context.connection),
    }
    return Shown(document, private=bound.told)


def search(context: ReadContext, view: View) -> Shown:
    """`GET /v1/ledger/entries`."""
    limit, bound = limit_of(view), bounds(context, view)
    return _listed(context, find(context.connection, bound.filter, limit + 1), limit, bound)


def search_nik(context: ReadContext, view: View) -> Shown:
    """`POST /v1/ledger/search-nik`: who asked about a resident, within the assignment."""
    body = view.body
    tags = audit_tools(context).tags(Nik.parse(body.nik))
    query = {"cursor": body.cursor if isinstance(body.cursor, str) else ""}
    limit = body.limit if isinstance(body.limit, int) else PAGE
    bound = bounds(context, View(view.name, query=query, person=view.person))
    stretch = bound.filter
    found = find_subject(context.connection, tags, stretch.first, stretch.end, limit + 1, bound.assignment.partners)
    shown = _listed(context, found, limit, bound)
    return Shown(shown.document, private={**bound.told, "subject": b64u(tags[0])})


def entry(context: ReadContext, view: View) -> Shown:
    """`GET /v1/ledger/entries/{id}`: leaf, private part, and the proof that it is in the log."""
    tools = audit_tools(context)
    with tools.ledger.moment() as moment:
        found = moment.find(view.path["id"])
    if found is None:
        raise Refused(Cause.NOT_FOUND)
    index, raw = found
    leaf = _leaf(raw)
    at = parse_rfc3339(leaf.at)
    held = require(context.connection, view.person, context.now, partner=partner_of(leaf.actor), since=at, until=at + 1)
    private = rows_of(context.connection, [index])[index][1]
    proof = tools.published.receipt(leaf.id)
    document = {
        "id": leaf.id,
        "index": index,
        "leaf": raw.decode(),
        "private": None if private is None else msgspec.json.decode(private[SALT:]),
        "private_bytes": None if private is None else b64u(private),
        "proof": None if proof is None or isinstance(proof, NotYet) else proof.text,
        "inclusion": None if proof is None or isinstance(proof, NotYet) else proof.document,
        "keys": tools.published.keys().split(),
        "assignment": held.id,
    }
    return Shown(document, agreement=leaf.agreement, private={"assignment": held.id})


def published(context: ReadContext) -> tuple[str, int]:
    """(the published checkpoint, the entries that it covers). Raises Refused(NOT_FOUND) before the first."""
    note = audit_tools(context).published.checkpoint()
    if note is None:
        raise Refused(Cause.NOT_FOUND, retry_after=2)
    return note, Checkpoint.parse(note.partition("\n\n")[0] + "\n").size


def draw(context: ReadContext, view: View, stretch: Filter, size: int) -> tuple[list[FoundEntry], dict[str, Any]]:
    """Entries by lot among the first `size`, in the order in which they were drawn; and seed, stretch and how many draws.

    Raises Refused(MALFORMED_REQUEST), NOT_FOUND where no checkpoint covers the `end` that was asked for yet.
    """
    seed = view.query.get("seed", "")
    if not 0 < len(seed) <= 100:  # noqa: PLR2004
        raise Refused(Cause.MALFORMED_REQUEST, members=["seed"])
    count = whole_number(view.query.get("count", ""), "count", PAGE, MOST)
    end = whole_number(view.query.get("end", ""), "end", min(stretch.end, size), stretch.end)
    if end > size:
        raise Refused(Cause.NOT_FOUND, retry_after=2)
    wanted = set(facets_of(context.connection, replace(stretch, end=end)).values())
    chosen: list[FoundEntry] = []
    drawn, lots = 0, draws(seed, stretch.first, end)
    while len(chosen) < count and drawn < DRAWS and (indexes := list(islice(lots, _DRAWN))):
        drawn += len(indexes)
        held = at_indexes(context.connection, indexes)
        for index in indexes:
            one = held[index]
            if (one.partner, one.kind, one.purpose, one.outcome) in wanted and len(chosen) < count:
                chosen.append(one)
    return chosen, {"seed": seed, "first": min(stretch.first, end), "end": end, "drawn": drawn}


def sample(context: ReadContext, view: View) -> Shown:
    """`GET /v1/ledger/sample`: entries by lot; the same seed over the same stretch draws the same."""
    bound, (_, size) = bounds(context, view), published(context)
    chosen, lot = draw(context, view, bound.filter, size)
    return Shown({**_listed(context, chosen, MOST, bound).document, **lot}, private=bound.told)


def export(context: ReadContext, view: View) -> Shown:
    """`GET /v1/ledger/export`: NDJSON, a line for the selection and one for each entry, with its proof; a sample with `seed`."""
    tools, bound, (note, size) = audit_tools(context), bounds(context, view), published(context)
    lots, pages = ({name for name in names if view.query.get(name)} for names in (("seed", "count", "end"), PAGED))
    told: dict[str, Any] = {**bound.told, "next": None}
    if lots:
        if pages:
            raise Refused(Cause.MALFORMED_REQUEST, members=sorted(pages))
        shown, told["sample"] = draw(context, view, bound.filter, size)
    else:
        limit = limit_of(view, 500, 1_000)
        found = find(context.connection, replace(bound.filter, end=min(bound.filter.end, size)), limit + 1)
        shown = found[:limit]
        told["next"] = str(shown[-1].index) if len(found) > limit else None
    rows = rows_of(context.connection, [each.index for each in shown])
    with tools.ledger.moment() as moment:
        wanted = [(each.index, b"", *rows[each.index]) for each in shown]
        raw = selection(note, tools.published.keys().split(), moment.tree(size), wanted, told)
    file = b64u(sha256(raw).digest())
    document = {"export": file, "count": len(shown), "next": told["next"]}
    return Shown(document, private={**bound.told, "file": file}, raw=raw)


def own_assignments(context: ReadContext, view: View) -> Shown:
    """`GET /v1/ledger/assignments`: the caller's own."""
    items = [each.document(context.now) for each in all_assignments(context.connection, view.person)]
    return Shown(page(items, "id", view.query)[0])


def every_assignment(context: ReadContext, view: View) -> Shown:
    """`GET /v1/assignments`."""
    items = [each.document(context.now) for each in all_assignments(context.connection)]
    return Shown(page(items, "id", view.query)[0])


def one_assignment(context: ReadContext, view: View) -> Shown:
    """`GET /v1/assignments/{id}`."""
    document = read_assignment(context.connection, view.path["id"]).document(context.now)
    return Shown(document, revision(document))


# ----------------------------------------------------------------------------------------------- findings


def found_under(connection: Connection, now: int, wanted: Filter) -> list[Finding]:
    """The findings of a stretch."""
    return judged(days_of(connection, wanted, now))


def list_findings(context: ReadContext, view: View) -> Shown:
    """`GET /v1/ledger/findings`, with owner, note and state."""
    query, connection = view.query, context.connection
    if query.get("rule") and query["rule"] not in RULES:
        raise Refused(Cause.MALFORMED_REQUEST, members=["rule"])
    bound = bounds(context, View(view.name, query={**query, "cursor": ""}, person=view.person))
    shown_from = jakarta_date(instant(query["since"], "since")) if query.get("since") else None
    early = _early(context, bound, query)
    notes = {row.id: row for row in connection.execute(select(finding_notes))}
    items = []
    for each in found_under(connection, context.now, early):
        note = notes.get(each.id)
        state = note.state if note else "open"
        if (
            (shown_from is None or each.day >= shown_from)
            and query.get("rule", "") in ("", each.rule)
            and query.get("state", "") in ("", state)
        ):
            items.append(_finding_item(each, note))
    document, _ = page(sorted(items, key=lambda each: str(each["id"])), "id", query)
    _name_entries(connection, document["items"])
    return Shown({**document, "assignment": bound.assignment.id}, private=bound.told)


def _early(context: ReadContext, bound: Bounds, query: Mapping[str, str]) -> Filter:
    """The stretch with the days before it that its own are compared with, as far as the assignment goes."""
    stretch = bound.filter
    if not query.get("since"):
        return stretch
    begin = max(bound.assignment.since, instant(query["since"], "since") - 2 * HISTORY * DAY)
    return Filter(stretch.partners, first_at(context.connection, begin, followed(context.connection)), stretch.end)


def _finding_item(each: Finding, note: Any) -> dict[str, Any]:  # noqa: ANN401  a row or None
    return {
        "id": each.id, "rule": each.rule, "partner": each.partner, "day": each.day.isoformat(), "text": dict(each.text),
        "count": each.count, "entries": list(each.entries), "owner": (note.owner or None) if note else None,
        "note": (note.note or None) if note else None, "state": note.state if note else "open",
        "noted_at": rfc3339_seconds(note.noted_at) if note else None,
    }  # fmt: skip


def _name_entries(connection: Connection, items: list[dict[str, Any]]) -> None:
    """Entries are told by their ids, so that each can be opened."""
    columns = ledger_entries.c
    for item in items:
        wanted = select(columns.leaf_index, columns.id).where(columns.leaf_index.in_(item["entries"]))
        ids = {row.leaf_index: text_id(bytes(row.id)) for row in connection.execute(wanted)}
        item["entries"] = [ids[index] for index in item["entries"]]


def seek_finding(database: Database, now: int, act: Act) -> Finding:
    """The finding that is to be noted, before any lock is taken. Raises Refused(NOT_FOUND, ASSIGNMENT_MISSING)."""
    rule, _, rest = act.path["id"].partition(".")
    text, _, partner = rest.partition(".")
    if rule not in RULES:
        raise Refused(Cause.NOT_FOUND)
    begin = jakarta_midnight(day_of(text))
    with database.reading() as connection:
        held = require(connection, act.person, now, partner=partner, since=begin, until=begin + DAY)
        size = followed(connection)
        first = first_at(connection, max(held.since, begin - 2 * HISTORY * DAY), size)
        stretch = Filter((partner,), first, first_at(connection, begin + DAY, size))
        for each in found_under(connection, now, stretch):
            if each.id == act.path["id"]:
                return each
    raise Refused(Cause.NOT_FOUND)


def note_finding(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/ledger/findings/{id}`: whose it is, what was found out, and what became of it."""
    finding: Finding = act.prepared
    connection, body = unit.connection, act.body
    row = connection.execute(select(finding_notes).where(finding_notes.c.id == finding.id)).one_or_none()
    before = (
        {"owner": row.owner, "state": row.state, "note": row.note}
        if row
        else {"owner": "", "state": "open", "note": ""}
    )
    given = {name: getattr(body, name) for name in before if isinstance(getattr(body, name), str)}
    if not given:
        raise Refused(Cause.MALFORMED_REQUEST, members=["owner", "note", "state"])
    after = {**before, **given}
    kept = (finding.id, after["owner"], after["state"], after["note"], act.person, unit.now)
    put_many(connection, finding_notes, [kept], ("owner", "state", "note", "noted_by", "noted_at"))
    private = {"change": "note_finding", "finding": finding.id, "before": before, "after": after}
    answer = {"finding": finding.id, **{name: value or None for name, value in after.items()}}
    return CommandResult(Kind.AUDIT, {**answer, "noted_at": rfc3339(unit.now)}, private)


def audit_tools(context: ReadContext) -> AuditTools:
    """What auditing reaches beside the database. Raises Refused where this process has none."""
    if context.audit_tools is None:
        raise Refused(Cause.REGISTER_UNAVAILABLE, retry_after=1)
    return context.audit_tools


VIEWS: Mapping[str, Callable[[ReadContext, View], Shown]] = {
    "search": search,
    "search_nik": search_nik,
    "entry": entry,
    "sample": sample,
    "export": export,
    "findings": list_findings,
    "own_assignments": own_assignments,
    "assignments": every_assignment,
    "assignment": one_assignment,
}


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    "note_finding": note_finding,
}
"""What is done here, by the name of the act."""
PREPARED: Mapping[str, Callable[[Database, int, Act], Any]] = {
    "note_finding": seek_finding,
}
"""What is looked up beforehand: it takes too long to do it under the sealing lock."""
