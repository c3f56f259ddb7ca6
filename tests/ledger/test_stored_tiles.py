"""Tiles in both databases: written once by whoever appends, the partial ones computed, all of them covered by the check."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from logs import Log, log_in
from sqlalchemy import Connection, delete, func, select, text, update
from tlog_scales.reader import TilesReader

from gateway.errors import LedgerFault, LedgerForked
from gateway.ledger.log.merkle import Frontier
from gateway.ledger.log.proof import HashTree, verify_consistency
from gateway.ledger.log.tiles import Tile, parse_path
from gateway.store.base.statements import put_many
from gateway.store.ledger.stored_tiles import tiles_of
from gateway.store.ledger.tables import ledger_entries, ledger_open, ledger_tiles
from gateway.store.migrations import schema

SIZE = 700


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    """An empty log on each engine."""
    with log_in(database_url) as log:
        yield log


def stored(log: Log) -> list[tuple[int, int]]:
    with log.database.reading() as connection:
        rows = connection.execute(select(ledger_tiles.c.level, ledger_tiles.c.number).order_by("level", "number"))
        return [tuple(row) for row in rows]


def roots_hold(log: Log, sizes: list[int]) -> None:
    """The tree from tiles has the head's root, and every older size is its beginning."""
    with log.database.reading() as connection:
        head = log.reader.head()
        root = Frontier(head.size, head.frontier).root()
        tree = HashTree(tiles_of(connection), head.size)
        assert tree.root() == root
        for old in sizes:
            then = HashTree(tiles_of(connection), old).root()
            verify_consistency(old, then, head.size, root, tree.consistency(old))


@pytest.mark.parametrize("at_once", [1, 7, 255, 256, 257, 600])
def test_tiles_are_written_however_entries_come(sqlite_url: str, at_once: int) -> None:
    """One by one, or many tiles in one transaction: the same tiles, and the tree is the head's."""
    with log_in(sqlite_url) as log:
        log.grow(SIZE, at_once)
        assert stored(log) == [(0, 0), (0, 1)]
        assert log.check().tiles == 2
        roots_hold(log, [0, 1, 255, 256, 257, 512, SIZE])


def test_both_engines_keep_tiles(log: Log) -> None:
    """Begun tiles are taken up by the next transaction, whoever it is; a foreign reader computes the root from them."""
    for count in (100, 155, 1, 1, 300):
        log.grow(count)
    assert stored(log) == [(0, 0), (0, 1)]
    roots_hold(log, [100, 255, 256, 257])

    class Backend:
        def get(self, *path: str) -> bytes | None:
            return log.tile(parse_path("/".join(path[1:])))

    reader = TilesReader(Backend())
    head = log.reader.head()
    reader.set_size(head.size)
    assert reader.calculate_root_hash() == Frontier(head.size, head.frontier).root()


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_tiles_of_higher_levels(log: Log) -> None:
    """Beyond 65,536 entries there is a full tile of level 1, written by whoever seals the last entry of it."""
    log.grow(65_535, 5_000).grow(1).grow(40_000, 3_001)
    assert (1, 0) in stored(log)
    assert log.check().tiles == 105_536 // 256 + 1
    roots_hold(log, [1, 65_535, 65_536, 65_537, 100_000])


def test_a_tile_that_is_not_there_is_not_made_up(log: Log) -> None:
    """Beyond the log there is nothing, neither full nor partial."""
    log.grow(300)
    for tile in (Tile(0, 1), Tile(0, 1, 45), Tile(0, 2, 1), Tile(1, 0, 2), Tile(1, 0), Tile(3, 0, 1)):
        with pytest.raises(LedgerFault):
            log.tile(tile)
    assert len(log.tile(Tile(0, 1, 44))) == 44 * 32
    assert len(log.tile(Tile(1, 0, 1))) == 32


def test_an_entry_changed_before_its_tile_is_full_stops_the_seal(log: Log) -> None:
    """Whoever completes a tile re-reads its entries: one that was changed meanwhile voids the whole transaction."""
    log.grow(250)
    with log.database.engine.begin() as connection:
        leaf = connection.execute(select(ledger_entries.c.leaf).where(ledger_entries.c.leaf_index == 17)).scalar_one()
        forged = bytes(leaf).replace(b"Satu", b"Tiga")
        connection.execute(update(ledger_entries).where(ledger_entries.c.leaf_index == 17).values(leaf=forged))
    with pytest.raises(LedgerForked):
        log.grow(10)
    assert log.reader.head().size == 250


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _where(level: int, number: int) -> object:
    return (ledger_tiles.c.level == level) & (ledger_tiles.c.number == number)


def _change(connection: Connection, **columns: Callable[[bytes], bytes]) -> None:
    row = connection.execute(select(ledger_tiles).where(_where(0, 1))).one()
    values = {name: change(bytes(getattr(row, name))) for name, change in columns.items()}
    connection.execute(update(ledger_tiles).where(_where(0, 1)).values(**values))


TAMPERINGS: dict[str, Callable[[Connection], object]] = {
    "a bit of the hashes": lambda c: _change(c, hashes=lambda h: _flip(h, 9_000)),
    "a bit of the root": lambda c: _change(c, root=lambda r: _flip(r, 3)),
    "both, made to fit each other": lambda c: _change(c, hashes=lambda _: bytes(8192), root=lambda _: bytes(32)),
    "a hash less": lambda c: _change(c, hashes=lambda h: h[:-32]),
    "a tile deleted": lambda c: c.execute(delete(ledger_tiles).where(_where(0, 0))),
    "the last tile deleted": lambda c: c.execute(delete(ledger_tiles).where(_where(0, 1))),
    "a tile too many": lambda c: put_many(c, ledger_tiles, [(0, 2, bytes(8192), bytes(32))]),
    "a tile of a level that there is not": lambda c: put_many(c, ledger_tiles, [(1, 0, bytes(8192), bytes(32))]),
    "another number": lambda c: c.execute(update(ledger_tiles).where(_where(0, 1)).values(number=7)),
    "another level": lambda c: c.execute(update(ledger_tiles).where(_where(0, 1)).values(level=2)),
}


def test_every_column_of_a_tile_counts(log: Log) -> None:
    """Whatever is done to the table of tiles, the check fails; and is sound once undone."""
    log.grow(SIZE)
    with log.database.reading() as connection:
        rows = [tuple(row) for row in connection.execute(select(ledger_tiles))]
    for name, tamper in TAMPERINGS.items():
        with log.database.engine.begin() as connection:
            tamper(connection)
        with pytest.raises(LedgerFault, match="tile"):
            log.check()
        with log.database.engine.begin() as connection:
            connection.execute(delete(ledger_tiles))
            put_many(connection, ledger_tiles, rows)
        assert log.check().size == SIZE, name


@pytest.mark.parametrize("at_once", [1, 7, 300])
def test_a_leaf_in_words_as_good_as_before_is_named_wherever_it_is(database_url: str, at_once: int) -> None:
    """Another canonical leaf, in a full tile or in the open one, whatever checkpoint is kept: exactly that entry is named."""
    with log_in(database_url) as log:
        log.grow(256 + 40, at_once)
        with log.database.reading() as connection:
            marks = {size: HashTree(tiles_of(connection), size).root() for size in (100, 270, 296)}
        assert log.check(marks).size == 296
        for index in (0, 1, 17, 255, 256, 257, 270, 294, 295):
            before = _reword(log, index)
            for known in ({}, marks):  # a checkpoint tells that the log is another one, and not where
                with pytest.raises(LedgerFault, match="leaf: another than the one that was sealed") as found:
                    log.check(known)
                assert found.value.index == index
            _put_leaf(log, index, before)
        assert log.check().size == 296


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_a_leaf_in_words_as_good_as_before_is_named_at_every_index(database_url: str) -> None:
    """The same for each entry of a full tile and an open one."""
    with log_in(database_url) as log:
        log.grow(200, 7).grow(311 - 200)
        for index in range(311):
            before = _reword(log, index)
            assert log.verdict() == index
            _put_leaf(log, index, before)
        assert log.verdict() is None


def _reword(log: Log, index: int) -> bytes:
    with log.database.reading() as connection:
        before = bytes(
            connection.execute(select(ledger_entries.c.leaf).where(ledger_entries.c.leaf_index == index)).scalar_one()
        )
    forged = before.replace(b"Petugas Satu", b"Petugas Nol_")
    assert forged != before
    _put_leaf(log, index, forged)
    return before


def _put_leaf(log: Log, index: int, leaf: bytes) -> None:
    with log.database.engine.begin() as connection:
        connection.execute(update(ledger_entries).where(ledger_entries.c.leaf_index == index).values(leaf=leaf))


OPEN_TAMPERINGS: dict[str, Callable[[Connection], object]] = {
    "a bit of the hashes": lambda c: _change_open(c, lambda h: _flip(h, 300)),
    "a hash less": lambda c: _change_open(c, lambda h: h[:-32]),
    "a hash more": lambda c: _change_open(c, lambda h: h + bytes(32)),
    "half a hash": lambda c: _change_open(c, lambda h: h[:-16]),
    "deleted": lambda c: c.execute(delete(ledger_open)),
    "from elsewhere on": lambda c: c.execute(update(ledger_open).where(ledger_open.c.first == 512).values(first=513)),
    "of a tile that is full": lambda c: put_many(c, ledger_open, [(0, bytes(32))]),
    "beyond the log": lambda c: put_many(c, ledger_open, [(SIZE, bytes(32))]),
}


def _change_open(connection: Connection, change: Callable[[bytes], bytes]) -> None:
    where = ledger_open.c.first == 512
    hashes = bytes(connection.execute(select(ledger_open.c.hashes).where(where)).scalar_one())
    connection.execute(update(ledger_open).where(where).values(hashes=change(hashes)))


def test_every_column_of_the_open_tile_counts(log: Log) -> None:
    """Whatever is done to the hashes kept beside the head, the check fails, blames no entry, and is sound once undone."""
    log.grow(SIZE - 100, 50).grow(100, 7)
    with log.database.reading() as connection:
        rows = [tuple(row) for row in connection.execute(select(ledger_open))]
    assert log.check().size == SIZE
    for name, tamper in OPEN_TAMPERINGS.items():
        with log.database.engine.begin() as connection:
            tamper(connection)
        with pytest.raises(LedgerFault, match="the open tile") as found:
            log.check()
        assert found.value.index == -1, name
        with log.database.engine.begin() as connection:
            connection.execute(delete(ledger_open))
            put_many(connection, ledger_open, rows)
        assert log.check().size == SIZE, name


def test_a_ledger_from_before_keeps_its_open_tile(database_url: str) -> None:
    """A database of the first schema that is brought up names a changed leaf as exactly as a new one does."""
    with log_in(database_url) as log:
        log.grow(270, 30)
        with log.database.engine.begin() as connection:
            connection.execute(text("DROP TABLE ledger_open"))
            connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
            connection.execute(text("INSERT INTO alembic_version VALUES ('0001')"))
        schema.upgrade(log.database)
        assert log.check().size == 270
        log.grow(5)
        assert log.check().size == 275
        _reword(log, 262)
        assert log.verdict() == 262


def test_nobody_reads_more_than_is_sealed(log: Log) -> None:
    """The tiles count as many hashes as the head has full tiles: nothing of a transaction that was rolled back remains."""
    log.grow(255)

    def broken_off() -> None:
        with log.database.sealing() as (connection, now):
            log.append(connection, now, 5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_off()
    with log.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(ledger_tiles)).scalar_one() == 0
    log.grow(1)
    assert stored(log) == [(0, 0)]
    assert log.check().size == 256
