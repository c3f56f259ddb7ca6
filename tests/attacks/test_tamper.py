"""Does `ledger check` find every change made to the ledger behind the program's back? Over SQL, on both databases."""

# Attacks held here (an intruder with the database's password, a broken disk):
#   test_tampering_is_found            flip a bit in every column, delete, insert, swap and truncate rows, move the head
#   test_the_command_names_the_entry   what an operator sees of it: exit 1 and the number of the entry
#   test_every_single_bit_counts       all bits of a small ledger, one after another (make prove)

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from admitting import any_log
from deployment import CLOCK, ENTROPY, Deployment
from sqlalchemy import ColumnElement, Connection, delete, select, update

from gateway.errors import LedgerFault
from gateway.ledger.check.check import Report, sweep
from gateway.ledger.log.merkle import leaf_hash
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.ledger.entries import LedgerOf
from gateway.store.ledger.tables import ledger_entries, ledger_head, ledger_open
from gateway.store.migrations.all_tables import metadata
from gateway.store.sealing.history import RecordedChange, write_history

SIZE = 23  # 10111 in binary: subtrees of several sizes in the frontier
VICTIM = 9
Row = tuple[int, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Small:
    """A small sound ledger, and what it was made of so that it can be made whole again."""

    database: Database
    rows: Sequence[Row]
    head: tuple[int, bytes]

    def restore(self, connection: Connection) -> None:
        """Everything as it was."""
        connection.execute(delete(ledger_entries))
        put_many(connection, ledger_entries, self.rows)
        connection.execute(update(ledger_head).values(size=self.head[0], frontier=self.head[1]))
        connection.execute(delete(ledger_open))
        put_many(connection, ledger_open, [(0, b"".join(leaf_hash(row[2]) for row in self.rows))])

    def check(self) -> Report:
        """Raises LedgerFault."""
        with LedgerOf(self.database).stored() as stored:
            return sweep(stored.head, stored.pages, stored.tiles, stored.kept)


@pytest.fixture
def small(database_url: str) -> Iterator[Small]:
    """A ledger of `SIZE` entries in an empty database."""
    database = Database(database_url, CLOCK, any_log)
    metadata.create_all(database.engine)
    with database.engine.begin() as connection:
        put_many(connection, ledger_head, [(1, 0, b"")])
    with database.sealing() as (connection, now):
        changes = [RecordedChange("agreement", "Petugas Satu", {"change": str(at)}, f"pks-{at}") for at in range(SIZE)]
        write_history(connection, changes, now, ENTROPY)
    with database.reading() as connection:
        rows = [tuple(row) for row in connection.execute(select(ledger_entries).order_by("leaf_index"))]
        head = connection.execute(select(ledger_head.c.size, ledger_head.c.frontier)).one()
    yield Small(database, [(at, bytes(id), bytes(leaf), bytes(private)) for at, id, leaf, private in rows], tuple(head))
    database.close()


def flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit the other way."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _rows(connection: Connection, at: int) -> Row:
    return tuple(connection.execute(select(ledger_entries).where(ledger_entries.c.leaf_index == at)).one())  # type: ignore[return-value]


def _set(connection: Connection, at: int, **values: object) -> None:
    connection.execute(update(ledger_entries).where(ledger_entries.c.leaf_index == at).values(**values))


def _swap(connection: Connection, *names: str) -> None:
    one, other = _rows(connection, VICTIM), _rows(connection, VICTIM + 4)
    columns = [column.name for column in ledger_entries.columns]
    connection.execute(delete(ledger_entries).where(ledger_entries.c.leaf_index.in_((VICTIM, VICTIM + 4))))
    for at, own, strange in ((VICTIM, one, other), (VICTIM + 4, other, one)):
        row = dict(zip(columns, own, strict=True)) | {n: dict(zip(columns, strange, strict=True))[n] for n in names}
        put_many(connection, ledger_entries, [tuple((row | {"leaf_index": at}).values())])


def _insert(connection: Connection) -> None:
    """An entry slipped in between: everything behind it moves up by one, and the head counts it."""
    rows = [tuple(row) for row in connection.execute(select(ledger_entries).order_by("leaf_index"))]
    connection.execute(delete(ledger_entries).where(ledger_entries.c.leaf_index >= VICTIM))
    forged = json.loads(bytes(rows[VICTIM][2])) | {"id": "0193a000-0000-7000-8000-000000000000"}
    leaf = json.dumps(forged, sort_keys=True, separators=(",", ":")).encode()
    id = bytes.fromhex(forged["id"].replace("-", ""))
    put_many(connection, ledger_entries, [(VICTIM, id, leaf, rows[VICTIM][3])])
    put_many(connection, ledger_entries, [(row[0] + 1, *row[1:]) for row in rows[VICTIM:]])


def _insert_and_count(connection: Connection) -> None:
    _insert(connection)
    connection.execute(update(ledger_head).values(size=SIZE + 1))


def _rename(connection: Connection) -> None:
    """A leaf that says another purpose, in canonical form: nothing but its hash tells."""
    leaf = bytes(_rows(connection, VICTIM)[2])
    _set(connection, VICTIM, leaf=leaf.replace(b'"actor":"Petugas Satu"', b'"actor":"Petugas Dua_"'))


def _move_head(connection: Connection, bit: int) -> None:
    frontier = bytes(connection.execute(select(ledger_head.c.frontier)).scalar_one())
    connection.execute(update(ledger_head).values(frontier=flipped(frontier, bit)))


def _move_kept(connection: Connection, bit: int) -> None:
    hashes = bytes(connection.execute(select(ledger_open.c.hashes)).scalar_one())
    connection.execute(update(ledger_open).values(hashes=flipped(hashes, bit)))


def _delete(connection: Connection, which: ColumnElement[bool]) -> None:
    connection.execute(delete(ledger_entries).where(which))


TAMPERINGS: dict[str, tuple[Callable[[Connection], object], range | None]] = {
    # name: (what is done, the entries one of which must be named; None: the head)
    "a bit of a leaf's first byte": (
        lambda c: _set(c, VICTIM, leaf=flipped(bytes(_rows(c, VICTIM)[2]), 0)), range(VICTIM, VICTIM + 1)),
    "a bit of a private part": (
        lambda c: _set(c, VICTIM, private=flipped(bytes(_rows(c, VICTIM)[3]), 300)), range(VICTIM, VICTIM + 1)),
    "a bit of an id": (
        lambda c: _set(c, VICTIM, id=flipped(bytes(_rows(c, VICTIM)[1]), 5)), range(VICTIM, VICTIM + 1)),
    "a bit of an index": (lambda c: _set(c, VICTIM, leaf_index=VICTIM + 64), range(VICTIM, VICTIM + 1)),
    "a leaf in words as good as before": (_rename, range(VICTIM, VICTIM + 1)),
    "an entry deleted": (lambda c: _delete(c, ledger_entries.c.leaf_index == VICTIM), range(VICTIM, VICTIM + 1)),
    "the first entry deleted": (lambda c: _delete(c, ledger_entries.c.leaf_index == 0), range(1)),
    "the last entries deleted": (
        lambda c: _delete(c, ledger_entries.c.leaf_index >= SIZE - 3), range(SIZE - 3, SIZE - 2)),
    "all entries deleted": (lambda c: c.execute(delete(ledger_entries)), range(1)),
    "an entry slipped in": (_insert, range(SIZE + 1)),
    "an entry slipped in and counted": (_insert_and_count, range(VICTIM, VICTIM + 1)),
    "a bit of a hash kept of the open tile": (lambda c: _move_kept(c, 300), None),
    "the hashes kept of the open tile deleted": (lambda c: c.execute(delete(ledger_open)), None),
    "an entry appended": (
        lambda c: put_many(c, ledger_entries, [(SIZE, b"\0" * 16, *_rows(c, 0)[2:])]), range(SIZE, SIZE + 1)),
    "two leaves swapped": (lambda c: _swap(c, "leaf"), range(VICTIM, VICTIM + 1)),
    "two private parts swapped": (lambda c: _swap(c, "private"), range(VICTIM, VICTIM + 1)),
    "two whole entries swapped": (
        lambda c: _swap(c, "id", "leaf", "private"), range(VICTIM, VICTIM + 1)),
    "the head's size less by one": (
        lambda c: c.execute(update(ledger_head).values(size=SIZE - 1)), range(SIZE - 1, SIZE)),
    "the head's size more by one": (
        lambda c: c.execute(update(ledger_head).values(size=SIZE + 1)), range(SIZE, SIZE + 1)),
    "the head emptied": (lambda c: c.execute(update(ledger_head).values(size=0, frontier=b"")), range(1)),
    "the head without frontier": (lambda c: c.execute(update(ledger_head).values(frontier=b"")), None),
    "a bit of the frontier": (lambda c: _move_head(c, 300), None),
    "the head deleted": (lambda c: c.execute(delete(ledger_head)), None),
}  # fmt: skip


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_tampering_is_found(small: Small) -> None:
    """After every way of tampering the check fails, names an entry where one is to blame, and is sound once undone."""
    assert small.check().size == SIZE
    for name, (tamper, entries) in TAMPERINGS.items():
        with small.database.engine.begin() as connection:
            tamper(connection)
        with pytest.raises(LedgerFault) as found:
            small.check()
        assert found.value.index in (range(-1, 0) if entries is None else entries), (name, found.value)
        with small.database.engine.begin() as connection:
            if name == "the head deleted":
                put_many(connection, ledger_head, [(1, *small.head)])
            small.restore(connection)
        assert small.check().size == SIZE, name


def test_the_command_names_the_entry() -> None:
    """`nik-gateway ledger check` exits 1 and names the first entry that does not fit, in words and as JSON."""
    deployment = Deployment()
    try:
        assert "sound" in deployment.command("ledger", "check")
        database = Database(f"sqlite:///{deployment.directory / 'gateway.sqlite'}", CLOCK, any_log)
        with database.engine.begin() as connection:
            for at in (VICTIM + 3, VICTIM):
                _set(connection, at, private=flipped(bytes(_rows(connection, at)[3]), 300))
        database.close()
        assert f"entry {VICTIM}:" in deployment.command("ledger", "check", code=1)
        document = json.loads(deployment.command("ledger", "check", "--json", code=1))
        assert (document["sound"], document["entry"]) == (False, VICTIM)
    finally:
        deployment.close()


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_every_single_bit_counts(small: Small) -> None:
    """Whichever single bit of any column of an entry, or of the head, is flipped in the database: the check fails."""
    columns = [column.name for column in ledger_entries.columns]
    for row in small.rows[:: SIZE // 4]:
        at = row[0]
        for name, value in zip(columns[1:], row[1:], strict=True):
            for bit in range(len(value) * 8):
                with _changed(small, at, **{name: flipped(value, bit)}), pytest.raises(LedgerFault):
                    small.check()
        for index in (at ^ 1 << bit for bit in range(63)):
            if index >= SIZE:  # the database itself refuses an index that is taken
                with _changed(small, at, leaf_index=index), pytest.raises(LedgerFault):
                    small.check()
    for size in (SIZE ^ 1 << bit for bit in range(63)):
        with _changed(small, -1, size=size), pytest.raises(LedgerFault):
            small.check()
    for bit in range(len(small.head[1]) * 8):
        with _changed(small, -1, frontier=flipped(small.head[1], bit)), pytest.raises(LedgerFault):
            small.check()
    assert small.check().size == SIZE


@contextmanager
def _changed(small: Small, at: int, **values: Any) -> Iterator[None]:
    """The entry `at`, or the head (-1), with other values while the block lasts."""
    table, key, names = ledger_entries, ledger_entries.c.leaf_index, ("leaf_index", "id", "leaf", "private")
    stands, before = at, dict(zip(names, small.rows[at], strict=True))
    if at < 0:
        table, key, stands = ledger_head, ledger_head.c.one, 1
        before = dict(zip(("size", "frontier"), small.head, strict=True))
    with small.database.engine.begin() as connection:
        connection.execute(update(table).where(key == stands).values(**values))
    yield
    with small.database.engine.begin() as connection:
        connection.execute(update(table).where(key == values.get("leaf_index", stands)).values(**before))
