"""A check by several processes says what a check by one says: sound of what is sound, and the same entry of what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from logs import CLOCK, ENTROPY, Log, log_in
from sqlalchemy import Connection, delete, select, update

from gateway.clock import HOUR, rfc3339
from gateway.errors import LedgerFault
from gateway.ledger.check.check import Report
from gateway.ledger.log.merkle import Frontier
from gateway.store.base.statements import put_many
from gateway.store.ledger.parts import _in_parts, check_in_parts
from gateway.store.ledger.tables import ledger_entries, ledger_head, ledger_open, ledger_tiles
from gateway.store.sealing.retention import prune

STRETCH = 512
SIZE = 1_700


def by_two(log: Log, marks: dict[int, bytes] | None = None) -> Report:
    return check_in_parts(log.database, CLOCK, 2, lambda _: None, marks or {}, STRETCH)


def test_a_sound_log_is_sound_by_whoever_checks_it(database_url: str) -> None:
    """The same report, of a log with destroyed parts too, without a second look by one process alone; and marks hold."""
    with log_in(database_url) as log:
        log.grow(300, kind="partner").grow(SIZE - 301)
        head = log.reader.head()
        then = Frontier(head.size, head.frontier).root()
        prune(log.database, ["partner"], rfc3339(2_500_000 * HOUR), ("A", "B"), ENTROPY)
        report = _in_parts(log.database, CLOCK, 2, lambda _: None, {head.size: then}, STRETCH)
        assert report == log.check()
        assert (report.size, report.destroyed, dict(report.under)) == (SIZE, 300, {SIZE - 1: 300})
        with pytest.raises(LedgerFault, match="are not those of the checkpoint"):
            by_two(log, {700: then})


def _leaf(connection: Connection, at: int, change: Callable[[bytes], bytes]) -> None:
    where = ledger_entries.c.leaf_index == at
    leaf = bytes(connection.execute(select(ledger_entries.c.leaf).where(where)).scalar_one())
    connection.execute(update(ledger_entries).where(where).values(leaf=change(leaf)))


def _entry(connection: Connection, index: int) -> None:
    row = connection.execute(select(ledger_entries).where(ledger_entries.c.leaf_index == 0)).one()
    put_many(connection, ledger_entries, [(index, b"\0" * 16, bytes(row.leaf), bytes(row.private))])


def _delete(connection: Connection, first: int, end: int) -> None:
    index = ledger_entries.c.leaf_index
    connection.execute(delete(ledger_entries).where(index >= first, index < end))


TAMPERINGS: dict[str, tuple[int, Callable[[Connection], object]]] = {
    "another leaf, as good": (700, lambda c: _leaf(c, 700, lambda leaf: leaf.replace(b"Satu", b"Tiga"))),
    "another leaf in the open tile": (1_690, lambda c: _leaf(c, 1_690, lambda leaf: leaf.replace(b"Satu", b"Tiga"))),
    "a leaf that is none": (1_200, lambda c: _leaf(c, 1_200, lambda leaf: leaf[:-1])),
    "an entry gone, the last of a stretch": (511, lambda c: _delete(c, 511, 512)),
    "an entry gone, the first of a stretch": (512, lambda c: _delete(c, 512, 513)),
    "a whole stretch gone": (512, lambda c: _delete(c, 512, 1_024)),
    "the end gone": (1_600, lambda c: _delete(c, 1_600, SIZE)),
    "an entry too many": (SIZE, lambda c: _entry(c, SIZE)),
    "an entry far beyond": (SIZE, lambda c: _entry(c, 1 << 40)),
    "an entry before the first": (0, lambda c: _entry(c, -5)),
    "a tile gone": (-1, lambda c: c.execute(delete(ledger_tiles).where(ledger_tiles.c.number == 2))),
    "a tile's root": (
        -1,
        lambda c: c.execute(update(ledger_tiles).where(ledger_tiles.c.number == 2).values(root=bytes(32))),
    ),
    "the open tile's hashes gone": (-1, lambda c: c.execute(delete(ledger_open))),
    "the head gone": (-1, lambda c: c.execute(delete(ledger_head))),
}


OFTEN = {"another leaf, as good", "a whole stretch gone", "an entry before the first", "the open tile's hashes gone"}


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.prove) for name in TAMPERINGS]
)
def test_the_same_entry_is_named(sqlite_url: str, name: str) -> None:
    """Whatever was done, and wherever the stretches end: one process and two name the same."""
    named, tamper = TAMPERINGS[name]
    with log_in(sqlite_url) as log:
        log.grow(SIZE)
        with log.database.engine.begin() as connection:
            tamper(connection)
        with pytest.raises(LedgerFault) as found:
            by_two(log)
        assert found.value.index == log.verdict() == named


def test_postgresql_is_checked_by_two_as_well(postgresql_url: str) -> None:
    """A changed leaf and a missing one are named, and the log is sound once they are put back."""
    with log_in(postgresql_url) as log:
        log.grow(SIZE)
        for at in (513, 1_695):
            with log.database.reading() as connection:
                where = ledger_entries.c.leaf_index == at
                before = bytes(connection.execute(select(ledger_entries.c.leaf).where(where)).scalar_one())
            with log.database.engine.begin() as connection:
                _leaf(connection, at, lambda leaf: leaf.replace(b"Satu", b"Tiga"))
            with pytest.raises(LedgerFault) as found:
                by_two(log)
            assert found.value.index == at
            with log.database.engine.begin() as connection:
                _leaf(connection, at, lambda _, before=before: before)
        assert by_two(log).size == SIZE
