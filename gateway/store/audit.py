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

from gateway.clock import DAY, jakarta_date, jakarta_midnight, parse_rfc3339, rfc3339, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.ledger.check import text_id
from gateway.ledger.checkpoint import Checkpoint
from gateway.ledger.entry import Kind, Leaf
from gateway.ledger.export import selection
from gateway.ledger.findings import HISTORY, RULES, Finding, judged
from gateway.ledger.publication import NotYet
from gateway.ledger.sampling import draws
from gateway.nik import Nik
from gateway.store.agreements import day_of
from gateway.store.assignments import Assignment, all_assignments, read_assignment, require
from gateway.store.deeds import Books, Deed
from gateway.store.engine import Database, put_many
from gateway.store.finding_days import days_of
from gateway.store.money import first_at
from gateway.store.search import (
    SALT,
    Filter,
    Found,
    Instruments,
    at_indexes,
    facets_of,
    find,
    find_subject,
    followed,
    partner_of,
)
from gateway.store.tables import finding_notes, ledger_entries
from gateway.store.views import MOST, PAGE, Sight, etag, page
from gateway.verification.acts import Act, Shown, View

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


def instant(text: str, member: str, *, end: bool = False) -> int:
    """A moment of a query: RFC 3339, or a day in Asia/Jakarta (`end`: until its end). Raises Refused(MALFORMED_REQUEST)."""
    try:
        if len(text) == 10:  # noqa: PLR2004  a day
            return jakarta_midnight(day_of(text)) + (DAY if end else 0)
        return parse_rfc3339(text)
    except (ValueError, Refused) as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=[member]) from fault


def bounds(sight: Sight, view: View) -> Bounds:
    """The stretch and the partners that a search is about, within an assignment. Raises Refused(ASSIGNMENT_MISSING)."""
    query, connection = view.query, sight.connection
    since = instant(query["since"], "since") if query.get("since") else None
    until = instant(query["until"], "until", end=True) if query.get("until") else None
    held = require(connection, view.person, sight.now, partner=query.get("partner", ""), since=since, until=until)
    size = followed(connection)
    first = first_at(connection, max(held.since, since or 0), size)
    end = first_at(connection, min(held.until, until if until is not None else held.until), size)
    after = whole_number(query.get("cursor", ""), "cursor", -1)
    partners = (query["partner"],) if query.get("partner") else held.partners
    wanted = Filter(partners, max(first, after + 1), end, *(query.get(name, "") for name in FILTERS))
    told = {"assignment": held.id, "filters": {name: value for name, value in sorted(query.items()) if value}}
    return Bounds(held, wanted, told)


def whole_number(text: str, member: str, absent: int, most: int = 1 << 62) -> int:
    """A number of a query, `absent` when there is none. Raises Refused(MALFORMED_REQUEST)."""
    if not text:
        return absent
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or int(text) > most:  # noqa: PLR2004
        raise Refused(Cause.MALFORMED_REQUEST, members=[member])
    return int(text)


def limit_of(view: View, usual: int = PAGE, most: int = MOST) -> int:
    """How many items a page may have. Raises Refused(MALFORMED_REQUEST)."""
    limit = whole_number(view.query.get("limit", ""), "limit", usual, most)
    if not limit:
        raise Refused(Cause.MALFORMED_REQUEST, members=["limit"])
    return limit


def rows_of(connection: Connection, indexes: Sequence[int]) -> dict[int, tuple[bytes, bytes | None]]:
    """(leaf, private part) by leaf index."""
    columns = ledger_entries.c
    wanted = select(columns.leaf_index, columns.leaf, columns.private).where(columns.leaf_index.in_(list(indexes)))
    return {
        row.leaf_index: (bytes(row.leaf), None if row.private is None else bytes(row.private))
        for row in connection.execute(wanted)
    }


def items_of(connection: Connection, found: Sequence[Found]) -> list[dict[str, Any]]:
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


def _listed(sight: Sight, found: list[Found], limit: int, bound: Bounds) -> Shown:
    shown = found[:limit]
    document = {
        "items": items_of(sight.connection, shown),
        "next": str(shown[-1].index) if len(found) > limit else None,
        "assignment": bound.assignment.id,
        "size": followed(sight.connection),
    }
    return Shown(document, private=bound.told)


def search(sight: Sight, view: View) -> Shown:
    """`GET /v1/ledger/entries`."""
    limit, bound = limit_of(view), bounds(sight, view)
    return _listed(sight, find(sight.connection, bound.filter, limit + 1), limit, bound)


def search_nik(sight: Sight, view: View) -> Shown:
    """`POST /v1/ledger/search-nik`: who asked about a resident, within the assignment."""
    body = view.body
    tags = instruments(sight).tags(Nik.parse(body.nik))
    query = {"cursor": body.cursor if isinstance(body.cursor, str) else ""}
    limit = body.limit if isinstance(body.limit, int) else PAGE
    bound = bounds(sight, View(view.name, query=query, person=view.person))
    stretch = bound.filter
    found = find_subject(sight.connection, tags, stretch.first, stretch.end, limit + 1, bound.assignment.partners)
    shown = _listed(sight, found, limit, bound)
    return Shown(shown.document, private={**bound.told, "subject": b64u(tags[0])})


def entry(sight: Sight, view: View) -> Shown:
    """`GET /v1/ledger/entries/{id}`: leaf, private part, and the proof that it is in the log."""
    tools = instruments(sight)
    with tools.ledger.moment() as moment:
        found = moment.find(view.path["id"])
    if found is None:
        raise Refused(Cause.NOT_FOUND)
    index, raw = found
    leaf = _leaf(raw)
    at = parse_rfc3339(leaf.at)
    held = require(sight.connection, view.person, sight.now, partner=partner_of(leaf.actor), since=at, until=at + 1)
    private = rows_of(sight.connection, [index])[index][1]
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


def published(sight: Sight) -> tuple[str, int]:
    """(the published checkpoint, the entries that it covers). Raises Refused(NOT_FOUND) before the first."""
    note = instruments(sight).published.checkpoint()
    if note is None:
        raise Refused(Cause.NOT_FOUND, retry_after=2)
    return note, Checkpoint.parse(note.partition("\n\n")[0] + "\n").size


def draw(sight: Sight, view: View, stretch: Filter, size: int) -> tuple[list[Found], dict[str, Any]]:
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
    wanted = set(facets_of(sight.connection, replace(stretch, end=end)).values())
    chosen: list[Found] = []
    drawn, lots = 0, draws(seed, stretch.first, end)
    while len(chosen) < count and drawn < DRAWS and (indexes := list(islice(lots, _DRAWN))):
        drawn += len(indexes)
        held = at_indexes(sight.connection, indexes)
        for index in indexes:
            one = held[index]
            if (one.partner, one.kind, one.purpose, one.outcome) in wanted and len(chosen) < count:
                chosen.append(one)
    return chosen, {"seed": seed, "first": min(stretch.first, end), "end": end, "drawn": drawn}


def sample(sight: Sight, view: View) -> Shown:
    """`GET /v1/ledger/sample`: entries by lot; the same seed over the same stretch draws the same."""
    bound, (_, size) = bounds(sight, view), published(sight)
    chosen, lot = draw(sight, view, bound.filter, size)
    return Shown({**_listed(sight, chosen, MOST, bound).document, **lot}, private=bound.told)


def export(sight: Sight, view: View) -> Shown:
    """`GET /v1/ledger/export`: NDJSON, a line for the selection and one for each entry, with its proof; a sample with `seed`."""
    tools, bound, (note, size) = instruments(sight), bounds(sight, view), published(sight)
    lots, pages = ({name for name in names if view.query.get(name)} for names in (("seed", "count", "end"), PAGED))
    told: dict[str, Any] = {**bound.told, "next": None}
    if lots:
        if pages:
            raise Refused(Cause.MALFORMED_REQUEST, members=sorted(pages))
        shown, told["sample"] = draw(sight, view, bound.filter, size)
    else:
        limit = limit_of(view, 500, 1_000)
        found = find(sight.connection, replace(bound.filter, end=min(bound.filter.end, size)), limit + 1)
        shown = found[:limit]
        told["next"] = str(shown[-1].index) if len(found) > limit else None
    rows = rows_of(sight.connection, [each.index for each in shown])
    with tools.ledger.moment() as moment:
        wanted = [(each.index, b"", *rows[each.index]) for each in shown]
        raw = selection(note, tools.published.keys().split(), moment.tree(size), wanted, told)
    file = b64u(sha256(raw).digest())
    document = {"export": file, "count": len(shown), "next": told["next"]}
    return Shown(document, private={**bound.told, "file": file}, raw=raw)


def own_assignments(sight: Sight, view: View) -> Shown:
    """`GET /v1/ledger/assignments`: the caller's own."""
    items = [each.document(sight.now) for each in all_assignments(sight.connection, view.person)]
    return Shown(page(items, "id", view.query)[0])


def every_assignment(sight: Sight, view: View) -> Shown:
    """`GET /v1/assignments`."""
    items = [each.document(sight.now) for each in all_assignments(sight.connection)]
    return Shown(page(items, "id", view.query)[0])


def one_assignment(sight: Sight, view: View) -> Shown:
    """`GET /v1/assignments/{id}`."""
    document = read_assignment(sight.connection, view.path["id"]).document(sight.now)
    return Shown(document, etag(document))


# ----------------------------------------------------------------------------------------------- findings


def found_under(connection: Connection, now: int, wanted: Filter) -> list[Finding]:
    """The findings of a stretch."""
    return judged(days_of(connection, wanted, now))


def list_findings(sight: Sight, view: View) -> Shown:
    """`GET /v1/ledger/findings`, with owner, note and state."""
    query, connection = view.query, sight.connection
    if query.get("rule") and query["rule"] not in RULES:
        raise Refused(Cause.MALFORMED_REQUEST, members=["rule"])
    bound = bounds(sight, View(view.name, query={**query, "cursor": ""}, person=view.person))
    shown_from = jakarta_date(instant(query["since"], "since")) if query.get("since") else None
    early = _early(sight, bound, query)
    notes = {row.id: row for row in connection.execute(select(finding_notes))}
    items = []
    for each in found_under(connection, sight.now, early):
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


def _early(sight: Sight, bound: Bounds, query: Mapping[str, str]) -> Filter:
    """The stretch with the days before it that its own are compared with, as far as the assignment goes."""
    stretch = bound.filter
    if not query.get("since"):
        return stretch
    begin = max(bound.assignment.since, instant(query["since"], "since") - 2 * HISTORY * DAY)
    return Filter(stretch.partners, first_at(sight.connection, begin, followed(sight.connection)), stretch.end)


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


def note_finding(books: Books, act: Act) -> Deed:
    """`POST /v1/ledger/findings/{id}`: whose it is, what was found out, and what became of it."""
    finding: Finding = act.prepared
    connection, body = books.connection, act.body
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
    kept = (finding.id, after["owner"], after["state"], after["note"], act.person, books.now)
    put_many(connection, finding_notes, [kept], ("owner", "state", "note", "noted_by", "noted_at"))
    private = {"change": "note_finding", "finding": finding.id, "before": before, "after": after}
    answer = {"finding": finding.id, **{name: value or None for name, value in after.items()}}
    return Deed(Kind.AUDIT, {**answer, "noted_at": rfc3339(books.now)}, private)


def instruments(sight: Sight) -> Instruments:
    """What auditing reaches beside the database. Raises Refused where this process has none."""
    if sight.instruments is None:
        raise Refused(Cause.REGISTER_UNAVAILABLE, retry_after=1)
    return sight.instruments


VIEWS: Mapping[str, Callable[[Sight, View], Shown]] = {
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
