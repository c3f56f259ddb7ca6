"""Destroying private parts: under a record that explains them, while every proof stays valid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from logs import CLOCK, ENTROPY, Log, checker, log_in
from sqlalchemy import func, select, update

from gateway.clock import DAY, HOUR, SECOND, jakarta_date, jakarta_midnight, rfc3339
from gateway.errors import LedgerFault
from gateway.ledger.log.destruction import record_document
from gateway.ledger.log.entry import Kind
from gateway.store.ledger.tables import ledger_entries
from gateway.store.sealing.history import RecordedChange, write_history
from gateway.store.sealing.retention import prune

NOW = CLOCK.now()
SOON = rfc3339((NOW // HOUR + 2) * HOUR)  # two: the hour may turn while a run is under way
PERSONS = ("Petugas Satu", "Petugas Dua")


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    """300 entries of two kinds on each engine."""
    with log_in(database_url) as log:
        yield log.grow(100).grow(100, kind="partner").grow(100)


def without(log: Log) -> int:
    with log.database.reading() as connection:
        missing = select(func.count()).select_from(ledger_entries).where(ledger_entries.c.private.is_(None))
        return int(connection.execute(missing).scalar_one())


def test_pruning_leaves_every_proof_valid(log: Log, tmp_path: Path) -> None:
    """Of one kind alone; the check counts them under the record's number, and the root is that of before."""
    keeper = log.keeper(tmp_path / "kept")
    before = keeper.publish().checkpoint
    done = prune(log.database, ["partner"], SOON, PERSONS, ENTROPY)
    assert (done.record, done.count, without(log)) == (300, 100, 100)
    report = log.check({before.size: before.root})
    assert (report.destroyed, dict(report.under)) == (100, {300: 100})
    assert keeper.publish().checkpoint.size == 301
    assert prune(log.database, ["partner"], SOON, PERSONS, ENTROPY) is None


def test_a_second_pruning_has_its_own_record(log: Log) -> None:
    """What is destroyed later is explained by the later record; records themselves are never destroyed."""
    prune(log.database, ["partner"], SOON, PERSONS, ENTROPY)
    prune(log.database, [str(kind) for kind in Kind], SOON, PERSONS, ENTROPY)
    report = log.check()
    assert dict(report.under) == {300: 100, 301: 200}
    assert without(log) == 300


def test_younger_entries_stay(log: Log) -> None:
    """Only what was sealed before the day is destroyed."""
    yesterday = rfc3339(jakarta_midnight(jakarta_date(NOW) - timedelta(days=1)))
    assert prune(log.database, ["agreement", "partner"], yesterday, PERSONS, ENTROPY) is None
    assert without(log) == 0


def test_destruction_without_a_record_is_a_fault(log: Log) -> None:
    """A private part that is gone without a record, or one that the record does not cover, is named."""
    prune(log.database, ["partner"], SOON, PERSONS, ENTROPY)
    with log.database.engine.begin() as connection:
        connection.execute(update(ledger_entries).where(ledger_entries.c.leaf_index == 42).values(private=None))
    with pytest.raises(LedgerFault, match="without a record") as found:
        log.check()
    assert found.value.index == 42


@pytest.mark.parametrize(
    ("kinds", "before"),
    [(["agreement"], NOW - DAY), (["partner"], NOW + DAY), ([], NOW + DAY), (["destruction"], NOW + DAY)],
    ids=["another kind", "another time", "no kind", "records themselves"],  # NOW differs between the workers of a run
)
def test_a_record_explains_no_more_than_it_tells(sqlite_url: str, kinds: list[str], before: int) -> None:
    """Another kind, an earlier day, none at all: what is missing is not explained."""
    with log_in(sqlite_url) as log:
        log.grow(5)
        with log.database.sealing() as (connection, now):
            told = record_document(kinds, rfc3339(before), 1, *PERSONS)
            write_history(connection, [RecordedChange(Kind.DESTRUCTION, "+".join(PERSONS), told)], now, ENTROPY)
            connection.execute(update(ledger_entries).where(ledger_entries.c.leaf_index == 2).values(private=None))
        assert log.verdict() == 2


def test_a_record_explains_nothing_that_came_after_it(sqlite_url: str) -> None:
    """An entry sealed after the record is not covered by it, however late its day is."""
    with log_in(sqlite_url) as log:
        log.grow(5)
        prune(log.database, ["agreement"], rfc3339(NOW + DAY), PERSONS, ENTROPY)
        log.grow(1)
        with log.database.engine.begin() as connection:
            connection.execute(update(ledger_entries).where(ledger_entries.c.leaf_index == 6).values(private=None))
        assert log.verdict() == 6


def test_a_record_that_was_destroyed_explains_nothing(sqlite_url: str) -> None:
    """Who destroys the record's own private part leaves all of them unexplained; the first is named."""
    with log_in(sqlite_url) as log:
        log.grow(5)
        done = prune(log.database, ["agreement"], SOON, PERSONS, ENTROPY)
        with log.database.engine.begin() as connection:
            connection.execute(
                update(ledger_entries).where(ledger_entries.c.leaf_index == done.record).values(private=None)
            )
        assert log.verdict() == 0


def test_nothing_of_what_was_destroyed_stays_in_the_file(tmp_path: Path) -> None:
    """SQLite: the bytes of a destroyed private part are overwritten, in the database and in its journal."""
    path = tmp_path / "log.db"
    with log_in(f"sqlite:///{path}") as log:
        log.grow(20)
        with log.database.reading() as connection:
            parts = [bytes(part) for part in connection.execute(select(ledger_entries.c.private)).scalars()]
        prune(log.database, ["agreement"], SOON, PERSONS, ENTROPY)
        held = b"".join(each.read_bytes() for each in tmp_path.glob("log.db*"))
        assert not [part for part in parts if part[:32] in held]
        tree, destructions = checker().check_database(str(path))
        assert (tree.size, destructions.under) == (21, {20: 20})


def test_many_hours_are_told_apart(sqlite_url: str) -> None:
    """Entries of several hours, the record's day in the middle of them: those before are explained, those behind are not."""
    with log_in(sqlite_url) as log:
        hours = [(NOW // HOUR - 5 + at) * HOUR + 17 * SECOND for at in range(5)]
        with log.database.sealing() as (connection, _):
            for at in hours:
                write_history(connection, [RecordedChange(Kind.READ, "a+b", {"at": at})], at, ENTROPY)
        middle = rfc3339((NOW // HOUR - 2) * HOUR)
        assert prune(log.database, ["read"], middle, PERSONS, ENTROPY).count == 3
        assert dict(log.check().under) == {5: 3}
        with log.database.engine.begin() as connection:
            connection.execute(update(ledger_entries).where(ledger_entries.c.leaf_index == 3).values(private=None))
        assert log.verdict() == 3
