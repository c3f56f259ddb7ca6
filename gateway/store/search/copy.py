"""How is the log searched without reading it? By a copy of what leaves and private parts say, which follows the log.

The copy proves nothing and is made again from the leaves at any time (`rebuild`); that is why it bears no `ledger_` name.
It is written after the seal, never inside it, and forgets what retention has destroyed as soon as it meets the record.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select, text, update

from gateway.clock import parse_rfc3339
from gateway.errors import LedgerFault
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u_decode
from gateway.ledger.log.destruction import KEPT
from gateway.ledger.log.entry import Kind, Leaf
from gateway.ledger.publication.rhythm import Publication
from gateway.nik import Nik
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.base.tables import house_facts
from gateway.store.ledger.entries import LedgerOf
from gateway.store.ledger.tables import ledger_entries, ledger_head
from gateway.store.search.tables import finding_days, search_entries, search_facets

SEARCH_LOCK = 0x4E_49_4C  # PostgreSQL: one follows at a time, and never under the lock of the seal
CHUNK = 500
SALT = 32
TAG = 16  # bytes of a resident's tag
DAYS_NEXT = "findings.next"  # the house's fact: the first leaf index that no day of findings has counted yet
_FOLLOWED = "search.next"  # the house's fact: the first leaf index that is not copied yet
_leaf = msgspec.json.Decoder(Leaf).decode
Facet = tuple[str, str, str, str]
"""(partner, kind, purpose, outcome)."""


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """One entry as the copy has it. `at` in microseconds."""

    index: int
    at: int
    partner: str
    kind: str
    purpose: str
    outcome: str
    subject: bytes


def partner_of(actor: str) -> str:
    """Whose entry it is: the partner of `<partner>/<client>`, else the house (persons at the command line are the house)."""
    return actor.partition("/")[0] if "/" in actor else "house"


@dataclass(frozen=True, slots=True)
class AuditTools:
    """What auditing reaches beside the database: keys (a resident's tags), the published log, and the copy's follower."""

    keyring: Keyring
    published: Publication
    ledger: LedgerOf
    follower: Follower

    def tags(self, nik: Nik) -> list[bytes]:
        """The tags that name a resident in the log, one for every live version of the key, newest first."""
        return [key.mac(nik.digits.encode())[:TAG] for key in self.keyring.macs(Job.LEDGER_TAG)]


class Following(ABC):
    """What is made after the seal from what it has sealed: a stretch at a time, and each entry once."""

    chunk: int  # entries of one transaction
    fact: str  # the house's fact: the first leaf index that is not in it yet

    def __init__(self, database: Database) -> None:
        self._database = database

    def follow(self, most: int = 1_000_000_000) -> int:
        """Take in `most` entries that are new, or a stretch more; how many were. Raises StoreUnavailable."""
        done = 0
        while done < most:
            # What takes time is done beforehand: whoever writes in SQLite keeps the seal waiting.
            with self._database.reading() as connection:
                first = self.reached(connection)
                end = min(first + self.chunk, self._limit(connection))
                if first >= end:
                    break
                made = self._make(connection, first, end)
            with self._database.writing(SEARCH_LOCK) as connection:
                if self.reached(connection) == first:  # nobody else was faster
                    reached = self._keep(connection, first, end, made)
                    put_many(connection, house_facts, [(self.fact, str(reached))], ("value",))
                    done += max(reached - first, 0)  # backwards when all has to be made again
        return done

    @classmethod
    def reached(cls, connection: Connection) -> int:
        """The first leaf index that is not in it yet."""
        return _fact(connection, cls.fact)

    @abstractmethod
    def _limit(self, connection: Connection) -> int:
        """The first leaf index that there is nothing of to follow yet."""

    @abstractmethod
    def _make(self, connection: Connection, first: int, end: int) -> Any:  # noqa: ANN401  its own
        """What comes of the entries from `first` until before `end`; nothing is written."""

    @abstractmethod
    def _keep(self, connection: Connection, first: int, end: int, made: Any) -> int:  # noqa: ANN401  its own
        """Write that down; where to go on."""


class Follower(Following):
    """Brings the copy up to the log."""

    chunk, fact = CHUNK, _FOLLOWED

    def _limit(self, connection: Connection) -> int:
        return size_of(connection)

    def rebuild(self) -> int:
        """Make the copy again from the log, a stretch at a time while searches go on; how many entries it has."""
        with self._database.reading() as connection:
            end = min(followed(connection), size_of(connection))
        for first in range(0, end, CHUNK):
            with self._database.writing(SEARCH_LOCK) as connection:
                last = min(first + CHUNK, end)
                where = (search_entries.c.leaf_index >= first, search_entries.c.leaf_index < last)
                connection.execute(delete(search_entries).where(*where))
                self._keep(connection, first, last, self._make(connection, first, last))
        with self._database.writing(SEARCH_LOCK) as connection:
            connection.execute(delete(search_entries).where(search_entries.c.leaf_index >= end))
            connection.execute(delete(finding_days))  # sums over the copy are made again as well
            put_many(connection, house_facts, [(_FOLLOWED, str(end)), (DAYS_NEXT, "0")], ("value",))
        return end + self.follow()

    def compare(self) -> int | None:
        """The first entry that the copy tells otherwise than the log does; None when there is none."""
        blank: list[tuple[int, str, int]] = []
        records: list[dict[str, Any]] = []
        with LedgerOf(self._database).stretch() as (moment, pages_from):
            size = moment.head.size
            with self._database.reading() as connection:
                size = min(size, followed(connection))
                for rows in pages_from(0):
                    wanted = [row for row in rows if row[0] < size]
                    held = at_indexes(connection, [row[0] for row in wanted])
                    for index, _, raw, private in wanted:
                        made = _made(index, bytes(raw), private)
                        found = held.get(index)
                        bare = replace(made, outcome="", subject=b"")
                        if found == bare != made:
                            blank.append((index, made.kind, made.at))  # right if a record of destruction covers it
                        elif found != made:
                            return int(index)
                        if made.kind == Kind.DESTRUCTION:
                            records.append(told_of(private))
        for index, kind, at in blank:
            if not any(_covers(record, kind, at) for record in records):
                return index
        return None

    def _make(self, connection: Connection, first: int, end: int) -> list[tuple[FoundEntry, dict[str, Any]]]:
        """What the copy will have of entries, each with the record of destruction that it is (empty: none)."""
        columns = ledger_entries.c
        rows = connection.execute(
            select(columns.leaf_index, columns.leaf, columns.private)
            .where(columns.leaf_index >= first, columns.leaf_index < end)
            .order_by(columns.leaf_index)
        ).all()
        if len(rows) != end - first:
            there = {row[0] for row in rows}
            raise LedgerFault(next(index for index in range(first, end) if index not in there), "missing")
        made = [(_made(index, bytes(raw), private), private) for index, raw, private in rows]
        return [(one, told_of(private) if one.kind == Kind.DESTRUCTION else {}) for one, private in made]

    def _keep(
        self,
        connection: Connection,
        first: int,  # noqa: ARG002  told to everybody who follows
        end: int,
        made: Sequence[tuple[FoundEntry, dict[str, Any]]],
    ) -> int:
        facets = _facets(connection)
        copied: list[tuple[int, int, int, bytes]] = []
        for one, record in made:
            facet = _facet(connection, facets, (one.partner, one.kind, one.purpose, one.outcome))
            copied.append((one.index, facet, one.at, one.subject))
            if one.kind == Kind.DESTRUCTION:
                put_many(connection, search_entries, copied)
                copied = []
                self._forget(connection, facets, record)
        put_many(connection, search_entries, copied)
        return end

    @staticmethod
    def _forget(connection: Connection, facets: dict[Facet, int], record: dict[str, Any]) -> None:
        """Drop what came from private parts that were destroyed under this record."""
        reach = covered(record)
        if reach is None:
            return
        kinds, before = reach
        for facet, id in list(facets.items()):
            if facet[1] in kinds:
                bare = _facet(connection, facets, (*facet[:3], ""))
                where = (search_entries.c.facet == id, search_entries.c.at < before)
                connection.execute(update(search_entries).where(*where).values(facet=bare, subject=b""))


class AfterCopy(Following):
    """What is summed up over the copy."""

    def _limit(self, connection: Connection) -> int:
        return followed(connection)


def followed(connection: Connection) -> int:
    """The first leaf index that is not copied yet."""
    return _fact(connection, _FOLLOWED)


def _fact(connection: Connection, name: str) -> int:
    return int(connection.execute(select(house_facts.c.value).where(house_facts.c.name == name)).scalar() or 0)


def size_of(connection: Connection) -> int:
    """How many entries the log has."""
    return int(connection.execute(select(ledger_head.c.size).where(ledger_head.c.one == 1)).scalar() or 0)


def _made(index: int, raw: bytes, private: bytes | None) -> FoundEntry:
    """What the copy has to say of an entry, as long as no record of destruction covers it."""
    try:
        leaf, told = _leaf(raw), told_of(private)
        at = parse_rfc3339(leaf.at)
    except (msgspec.MsgspecError, ValueError) as fault:
        raise LedgerFault(index, "cannot be read") from fault
    return FoundEntry(index, at, partner_of(leaf.actor), leaf.kind, leaf.purpose, _outcome(told), _subject(told))


def covered(record: dict[str, Any]) -> tuple[frozenset[str], int] | None:
    """(kinds, before when) of a record of destruction; None when it tells nothing."""
    try:
        return frozenset(record["kinds"]) - KEPT, parse_rfc3339(record["before"])
    except (KeyError, TypeError, ValueError):
        return None


def _covers(record: dict[str, Any], kind: str, at: int) -> bool:
    reach = covered(record)
    return reach is not None and kind in reach[0] and at < reach[1]


def _facets(connection: Connection) -> dict[Facet, int]:
    rows = connection.execute(select(search_facets))
    return {(row.partner, row.kind, row.purpose, row.outcome): row.id for row in rows}


def _facet(connection: Connection, facets: dict[Facet, int], facet: Facet) -> int:
    id = facets.get(facet)
    if id is None:
        id = facets[facet] = max(facets.values(), default=0) + 1
        put_many(connection, search_facets, [(id, *facet)])
    return id


def told_of(private: bytes | None) -> dict[str, Any]:
    """What a private part says; nothing once it was destroyed."""
    if private is None:
        return {}
    told = msgspec.json.decode(bytes(private)[SALT:])
    return told if isinstance(told, dict) else {}


def _outcome(told: dict[str, Any]) -> str:
    outcome = told.get("outcome") or told.get("change") or ""
    return outcome if isinstance(outcome, str) else ""


def _subject(told: dict[str, Any]) -> bytes:
    try:
        return b64u_decode(str(told.get("subject") or ""))
    except ValueError:
        return b""


# ---------------------------------------------------------------------------------------------- searching


@dataclass(frozen=True, slots=True)
class Filter:
    """What is searched for; an empty text is no condition. Entries `first` to `end - 1`, of these partners alone."""

    partners: tuple[str, ...]
    first: int
    end: int
    kind: str = ""
    purpose: str = ""
    outcome: str = ""


def facets_of(connection: Connection, wanted: Filter) -> dict[int, Facet]:
    """The facets that a filter covers, by id."""
    columns = search_facets.c
    query = select(search_facets).where(columns.partner.in_(wanted.partners))
    for column, value in (
        (columns.kind, wanted.kind),
        (columns.purpose, wanted.purpose),
        (columns.outcome, wanted.outcome),
    ):
        if value:
            query = query.where(column == value)
    rows = connection.execute(query.order_by(columns.id))
    return {row.id: (row.partner, row.kind, row.purpose, row.outcome) for row in rows}


_MOST_PARTS = 100  # SQLite takes 500 in one statement; fewer keep statements short


def page_statement(count: int, *, newest: bool = False) -> str:
    """SQL for a page over `count` facets: each gives at most a page, by its own index, so the log's length costs nothing."""
    order = " DESC" if newest else ""
    part = (
        "SELECT * FROM (SELECT leaf_index, facet, at, subject FROM search_entries WHERE facet = :f{} "
        "AND leaf_index >= :first AND leaf_index < :end ORDER BY leaf_index{} LIMIT :most) p{}"
    )
    parts = " UNION ALL ".join(part.format(number, order, number) for number in range(count))
    return f"{parts} ORDER BY 1{order} LIMIT :most"


def find(connection: Connection, wanted: Filter, most: int, *, newest: bool = False) -> list[FoundEntry]:
    """The first `most` entries that a filter covers, in order of the log; `newest`: the last ones, newest first."""
    facets = facets_of(connection, wanted)
    ids = list(facets)
    rows: list[Any] = []
    for start in range(0, len(ids), _MOST_PARTS):
        part = ids[start : start + _MOST_PARTS]
        names = {f"f{number}": id for number, id in enumerate(part)}
        named = {**names, "first": wanted.first, "end": wanted.end, "most": most}
        rows += connection.execute(text(page_statement(len(part), newest=newest)), named).all()
    rows.sort(key=lambda row: int(row[0]), reverse=newest)
    return [_found(row, facets[row[1]]) for row in rows[:most]]


def find_subject(  # noqa: PLR0913  whom, in which stretch, of whom
    connection: Connection,
    tags: Sequence[bytes],
    first: int,
    end: int,
    most: int,
    partners: tuple[str, ...] | None = None,
) -> list[FoundEntry]:
    """The first `most` entries about a resident, named by every live version of the tag; of these partners alone, if named."""
    columns = search_entries.c
    found: list[FoundEntry] = []
    for tag in tags:
        query = (
            select(columns.leaf_index, columns.facet, columns.at, columns.subject, search_facets)
            .join(search_facets, search_facets.c.id == columns.facet)
            .where(columns.subject == tag, columns.leaf_index >= first, columns.leaf_index < end)
        )
        if partners is not None:
            query = query.where(search_facets.c.partner.in_(partners))
        rows = connection.execute(query.order_by(columns.leaf_index).limit(most))
        found += [_found(row, (row.partner, row.kind, row.purpose, row.outcome)) for row in rows]
    return sorted(found, key=lambda each: each.index)[:most]


def at_indexes(connection: Connection, indexes: Sequence[int]) -> dict[int, FoundEntry]:
    """Entries by their leaf index."""
    columns = search_entries.c
    rows = connection.execute(
        select(columns.leaf_index, columns.facet, columns.at, columns.subject, search_facets)
        .join(search_facets, search_facets.c.id == columns.facet)
        .where(columns.leaf_index.in_(list(indexes)))
    )
    return {row.leaf_index: _found(row, (row.partner, row.kind, row.purpose, row.outcome)) for row in rows}


def _found(row: Any, facet: Facet) -> FoundEntry:  # noqa: ANN401  a row
    partner, kind, purpose, outcome = facet
    return FoundEntry(row[0], row[2], partner, kind, purpose, outcome, bytes(row[3]))
