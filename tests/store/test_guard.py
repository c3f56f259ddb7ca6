"""May anything be appended where nobody keeps the log? Every way to append refuses without a guard."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from gateway.clock import SystemClock, SystemEntropy
from gateway.errors import Unguarded
from gateway.ledger.log.entry import Kind
from gateway.ledger.log.merkle import Frontier
from gateway.store.base.engine import Database
from gateway.store.migrations import schema
from gateway.store.sealing.history import RecordedChange, write_history
from gateway.store.sealing.seals import SealsOf, SealsWithin, append

ENTROPY = SystemEntropy()


@pytest.fixture
def unguarded(sqlite_url: str) -> Database:
    """A database of which nobody says whether its log may be appended to."""
    database = Database(sqlite_url, SystemClock())
    schema.upgrade(database)
    return database


def _write(connection: Connection) -> None:
    write_history(connection, [RecordedChange(Kind.IMPORT, "Budi", {})], 1, ENTROPY)


def test_nothing_is_sealed_without_a_guard(unguarded: Database) -> None:
    """A transaction under the sealing lock, by which all of a gateway append, is refused; so is one of the sealer."""
    with pytest.raises(Unguarded), unguarded.sealing():
        pass
    with pytest.raises(Unguarded), SealsOf(unguarded).transaction():
        pass


def test_nothing_is_appended_outside_the_seal(unguarded: Database) -> None:
    """Another transaction, or one that has ended, appends nothing: not by a change, not by the seal, not by itself."""
    unguarded.guard(lambda _: None)
    with unguarded.sealing() as (connection, now):
        _write(connection)
    with unguarded.reading() as connection:
        with pytest.raises(Unguarded):
            _write(connection)
        with pytest.raises(Unguarded):
            append(connection, [], Frontier(0, b""))
        with pytest.raises(Unguarded), SealsWithin(connection, now).transaction() as transaction:
            append(transaction._connection, [], Frontier(0, b""))
