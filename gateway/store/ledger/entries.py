"""How is the ledger read back? In order of index, by pages, from one snapshot where the engine gives one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from gateway.errors import LedgerFault
from gateway.ledger.check.check import Row, StoredEntry, text_id
from gateway.ledger.log.proof import HashTree
from gateway.ledger.log.regrown import Head, OpenRow, TileRow
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.base.tables import house_facts
from gateway.store.ledger.stored_tiles import tiles_of
from gateway.store.ledger.tables import ledger_entries, ledger_head, ledger_open, ledger_tiles

PAGE = 1_000  # larger ones are slower: they leave the processor's cache
TILE_PAGE = 200
_BEFORE_ALL = -(1 << 63)  # no index is less; a stored one may be whatever a column holds
ORIGIN = "ledger.origin"  # the house's fact: the origin that was declared last
_HEAD = f"SELECT size, frontier FROM {ledger_head.name} WHERE one = 1"  # noqa: S608  our own; every seal reads it, see `Lookup`


def read_head(connection: Connection) -> Head:
    """The head row. Raises LedgerFault when somebody has taken it away."""
    row = connection.connection.cursor().execute(_HEAD).fetchone()
    if row is None:
        raise LedgerFault(-1, "the head is missing")
    size, frontier = row
    if not isinstance(frontier, bytes):
        raise LedgerFault(-1, "the head's frontier is not bytes")
    return Head(size, frontier)


@dataclass(frozen=True, slots=True)
class Stored:
    """The whole ledger as it stood at one moment."""

    head: Head
    pages: Iterator[Sequence[Row]]
    tiles: Iterator[TileRow]
    kept: Sequence[OpenRow]
    beyond: bool  # whether an entry lies before the first, or after those that the head counts


class MomentOf:
    """See `keeper.Moment`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def head(self) -> Head:
        """See `Moment.head`."""
        return read_head(self._connection)

    @property
    def origin(self) -> str:
        """See `Moment.origin`."""
        wanted = select(house_facts.c.value).where(house_facts.c.name == ORIGIN)
        return self._connection.execute(wanted).scalar_one_or_none() or ""

    def tree(self, size: int) -> HashTree:
        """See `Moment.tree`."""
        return HashTree(tiles_of(self._connection), size)

    def leaf(self, index: int) -> bytes:
        """The leaf of an entry. Raises LedgerFault when it is gone."""
        wanted = select(ledger_entries.c.leaf).where(ledger_entries.c.leaf_index == index)
        leaf = self._connection.execute(wanted).scalar_one_or_none()
        if leaf is None:
            raise LedgerFault(index, "missing")
        return bytes(leaf)

    def find(self, id: str) -> tuple[int, bytes] | None:
        """See `Moment.find`."""
        try:
            raw = UUID(id).bytes
        except ValueError:
            return None
        columns = ledger_entries.c
        row = self._connection.execute(select(columns.leaf_index, columns.leaf).where(columns.id == raw)).one_or_none()
        return (row.leaf_index, bytes(row.leaf)) if row else None


_PROBE = "probe"


class LedgerOf:
    """The ledger in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        mark = "%s" if database.dialect == "postgresql" else "?"
        self._page = (
            f"SELECT leaf_index, id, leaf, private FROM ledger_entries WHERE leaf_index > {mark} "  # noqa: S608  our own
            f"ORDER BY leaf_index LIMIT {PAGE}"
        )
        self._tile_page = (
            select(ledger_tiles)
            .where(
                (ledger_tiles.c.level > bindparam("level"))
                | ((ledger_tiles.c.level == bindparam("level")) & (ledger_tiles.c.number > bindparam("number")))
            )
            .order_by(ledger_tiles.c.level, ledger_tiles.c.number)
            .limit(TILE_PAGE)
        )

    def probe(self) -> None:
        """Write something small, durably, under the sealing lock; no entry. Raises StoreUnavailable."""
        with self._database.sealing() as (connection, now):
            put_many(connection, house_facts, [(_PROBE, str(now))], ("value",))

    def head(self) -> Head:
        """The head as it stands."""
        with self._database.reading() as connection:
            return read_head(connection)

    @contextmanager
    def moment(self) -> Iterator[MomentOf]:
        """See `keeper.Log.moment`."""
        with self._snapshot() as connection:
            yield MomentOf(connection)

    @contextmanager
    def stored(self) -> Iterator[Stored]:
        """Everything that a check looks at, from one moment: what is appended meanwhile is not seen."""
        with self._snapshot() as connection, closing(self._pages_ahead(connection)) as pages:
            head, tiles = read_head(connection), self._tiles(connection)
            yield Stored(head, pages, tiles, _kept(connection), _beyond(connection, head.size))

    @contextmanager
    def snapshot(self) -> Iterator[tuple[Head, Iterator[StoredEntry]]]:
        """(head, every entry that it should count), from one moment."""
        with self.stored() as stored:
            rows = (row for page in stored.pages for row in page)
            yield stored.head, (StoredEntry(index, text_id(id), leaf, private) for index, id, leaf, private in rows)

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        with self._database.reading() as connection:
            if self._database.dialect == "postgresql":
                connection.rollback()
                connection.execution_options(
                    isolation_level="REPEATABLE READ"
                )  # of this connection, until it is given back
            yield connection

    @contextmanager
    def stretch(self) -> Iterator[tuple[MomentOf, Callable[[int], Iterator[Sequence[Row]]]]]:
        """(the ledger at one moment, what gives its pages from an index on)."""
        with self._snapshot() as connection:
            yield MomentOf(connection), lambda first: self._pages(connection, first - 1)

    def _pages(self, connection: Connection, after: int = -1) -> Iterator[Sequence[Row]]:
        read = self._reader(connection)
        while rows := read(after):
            yield rows
            after = rows[-1][0]

    def _pages_ahead(self, connection: Connection) -> Generator[Sequence[Row]]:
        """As `_pages`; PostgreSQL's server fetches the next page while this one is looked at."""
        if self._database.dialect == "sqlite":
            yield from self._pages(connection, _BEFORE_ALL)
            return
        read = self._reader(connection)
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(read, _BEFORE_ALL)
            while rows := coming.result():
                coming = ahead.submit(read, rows[-1][0])
                yield rows

    def _reader(self, connection: Connection) -> Callable[[int], Sequence[Row]]:
        """What gives the page of entries after an index. PostgreSQL's binary form is half as dear to read as its text."""
        options = {} if self._database.dialect == "sqlite" else {"binary": True}
        cursor = connection.connection.cursor(**options)
        return lambda after: cursor.execute(self._page, (after,)).fetchall()

    def _tiles(self, connection: Connection) -> Iterator[TileRow]:
        at = (-1, 0)
        while rows := connection.execute(self._tile_page, {"level": at[0], "number": at[1]}).all():
            for row in rows:
                yield row.level, row.number, row.hashes, row.root
            at = (rows[-1].level, rows[-1].number)


def _kept(connection: Connection) -> list[OpenRow]:
    return [(row.first, row.hashes) for row in connection.execute(select(ledger_open).order_by(ledger_open.c.first))]


def _beyond(connection: Connection, size: int) -> bool:
    index = ledger_entries.c.leaf_index
    return connection.execute(select(index).where((index < 0) | (index >= size)).limit(1)).first() is not None
