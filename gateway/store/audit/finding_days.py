"""What did each partner do on each day? Sums that findings are made from, so that nobody has to read the log for them.

They follow the copy that searches read, a stretch at a time; what they have not reached yet is summed up when it is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date

import msgspec
from sqlalchemy import Connection, delete, select

from gateway.clock import Clock, jakarta_date
from gateway.ledger.check.findings import Day, Days, SeenEntry, counts
from gateway.ledger.log.entry import Kind
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.partners.open_duties import live_agreements
from gateway.store.search.copy import DAYS_NEXT, AfterCopy, Facet, Filter, facets_of
from gateway.store.search.tables import finding_days, search_entries, search_facets

_FEW = 100  # facets that an index is worth asking for
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Day).decode
Rows = list[tuple[str | int, ...]]
"""Rows of the days' table, in its order."""


class DaySums(AfterCopy):
    """Sums up what is new in the copy."""

    chunk, fact = 10_000, DAYS_NEXT

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database)
        self._clock = clock

    def _make(self, connection: Connection, first: int, end: int) -> Rows | None:
        """The rows of the days that the stretch touches; None where what was summed up before does not hold any more."""
        facets = _facets(connection)
        destroyed = [id for id, facet in facets.items() if facet[1] == Kind.DESTRUCTION]
        if first and _any(connection, destroyed, first, end):
            return None
        book = _Book(connection, windows_of(connection, self._clock.now()))
        for seen in _seen(connection, facets, first, end):
            book.note(seen)
        return book.rows()

    def _keep(self, connection: Connection, first: int, end: int, summed: Rows | None) -> int:  # noqa: ARG002
        if summed is None:
            # What the copy has forgotten is not told from sums either: they are made again from what is left.
            connection.execute(delete(finding_days))
            return 0
        put_many(connection, finding_days, summed, ("lowest", "highest", "sums"))
        return end


class _Book:
    """The days that a stretch touches."""

    def __init__(self, connection: Connection, windows: Mapping[str, str]) -> None:
        self._connection = connection
        self._windows = windows
        self._days: dict[tuple[str, int], tuple[list[int], Day]] = {}

    def note(self, seen: SeenEntry) -> None:
        key = seen.partner, jakarta_date(seen.at).toordinal()
        held = self._days.get(key)
        if held is None:
            held = self._days[key] = self._read(key) or ([seen.index, seen.index], self._begin(key))
        held[0][:] = min(held[0][0], seen.index), max(held[0][1], seen.index)
        held[1].note(seen, self._windows.get(seen.partner, ""))

    def rows(self) -> Rows:
        return [(*key, *bounds, _encode(day).decode()) for key, (bounds, day) in self._days.items()]

    def _read(self, key: tuple[str, int]) -> tuple[list[int], Day] | None:
        columns = finding_days.c
        where = (columns.partner == key[0], columns.day == key[1])
        row = self._connection.execute(select(finding_days).where(*where)).one_or_none()
        return None if row is None else ([row.lowest, row.highest], _decode(row.sums))

    def _begin(self, key: tuple[str, int]) -> Day:
        """A new day; the one before it is over."""
        columns = finding_days.c
        where = (columns.partner == key[0], columns.day < key[1])
        last = self._connection.execute(
            select(columns.day).where(*where).order_by(columns.day.desc()).limit(1)
        ).scalar()
        last = max([last or 0, *(day for partner, day in self._days if partner == key[0] and day < key[1])])
        before = self._days.get((key[0], last)) or self._read((key[0], last))
        if before is not None:
            before[1].close()
            self._days[key[0], last] = before
        return Day()


def days_of(connection: Connection, wanted: Filter, now: int) -> Days:
    """The days of a stretch, of the partners that are asked for: sums where a day lies whole in it, else its entries."""
    windows, facets = windows_of(connection, now), _facets(connection, wanted.partners)
    days: Days = defaultdict(dict)
    reached = DaySums.reached(connection)
    columns = finding_days.c
    where = (columns.partner.in_(wanted.partners), columns.highest >= wanted.first, columns.lowest < wanted.end)
    for row in connection.execute(select(finding_days).where(*where)):
        day = date.fromordinal(row.day)
        if wanted.first <= row.lowest and row.highest < wanted.end:
            days[row.partner][day] = _decode(row.sums)
            continue
        mine = {id: facet for id, facet in facets.items() if facet[0] == row.partner}
        first, end = max(wanted.first, row.lowest), min(wanted.end, row.highest + 1, reached)
        for seen in _seen(connection, mine, first, end):
            if jakarta_date(seen.at) == day:
                _note(days, seen, windows)
    for seen in _seen(connection, facets, max(wanted.first, reached), wanted.end):
        _note(days, seen, windows)
    return days


def _note(days: Days, seen: SeenEntry, windows: Mapping[str, str]) -> None:
    day = days[seen.partner].setdefault(jakarta_date(seen.at), Day())
    day.note(seen, windows.get(seen.partner, ""))


def windows_of(connection: Connection, now: int) -> dict[str, str]:
    """The agreed hours of partners: the widest of their agreements, and none when one of them has none."""
    held: dict[str, list[str]] = {}
    for agreement in live_agreements(connection, now):
        access = agreement.fields.get("access")
        hours = access.get("hours") if isinstance(access, Mapping) else ""
        held.setdefault(agreement.partner, []).append(str(hours or ""))
    return {
        partner: f"{min(each[:5] for each in all_of)}-{max(each[6:] for each in all_of)}"
        for partner, all_of in held.items()
        if all(all_of) and (len(all_of) == 1 or all(each[:5] < each[6:] for each in all_of))
    }


def _facets(connection: Connection, partners: Collection[str] | None = None) -> dict[int, Facet]:
    if partners is not None:
        return facets_of(connection, Filter(tuple(partners), 0, 0))
    rows = connection.execute(select(search_facets))
    return {row.id: (row.partner, row.kind, row.purpose, row.outcome) for row in rows}


def _any(connection: Connection, facets: Collection[int], first: int, end: int) -> bool:
    columns = search_entries.c
    where = (columns.facet.in_(facets), columns.leaf_index >= first, columns.leaf_index < end)
    return bool(facets) and connection.execute(select(columns.leaf_index).where(*where).limit(1)).first() is not None


def _seen(connection: Connection, facets: Mapping[int, Facet], first: int, end: int) -> Iterator[SeenEntry]:
    """What findings are about, in a stretch of the copy."""
    if first >= end:
        return
    columns = search_entries.c
    few = [columns.facet.in_(facets)] if len(facets) <= _FEW else []
    rows = connection.execute(
        select(columns.leaf_index, columns.facet, columns.at, columns.subject)
        .where(columns.leaf_index >= first, columns.leaf_index < end, *few)
        .order_by(columns.leaf_index)
        .execution_options(yield_per=10_000)
    )
    for index, id, at, subject in rows:
        facet = facets.get(id)
        if facet is not None:
            seen = SeenEntry(index, at, *facet, bytes(subject))
            if counts(seen):
                yield seen
