"""How both databases are read and written: many rows in one statement, one transaction, one writer."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from admitting import any_log
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept import emptied
from sqlalchemy import select, text

from gateway.clock import SECOND, SystemClock
from gateway.errors import CommitUnknown, StoreUnavailable
from gateway.store.base.engine import Database
from gateway.store.base.statements import Lookup, put_many
from gateway.store.base.tables import epochs
from gateway.store.migrations import schema
from gateway.store.partners.tables import partners
from gateway.store.register.tables import imports, watermarks
from gateway.store.sealing.tables import accounts, proof_ids

HELD = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
numbers = st.integers(-(2**63), 2**63 - 1)


def rows(database: Database, table) -> list[tuple]:
    with database.reading() as connection:
        return sorted(
            tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
            for row in connection.execute(select(table))
        )


@HELD
@given(
    st.dictionaries(
        texts,
        st.tuples(numbers, st.integers(-(2**31), 2**31 - 1), numbers, st.integers(0, 9), numbers, numbers),
        max_size=20,
    )
)
def test_rows_come_back_as_they_were_put(database: Database, given_: dict[str, tuple[int, ...]]) -> None:
    """Any text and any number that a column takes, any count of rows."""
    emptied(database)
    written = sorted((name, *values) for name, values in given_.items())
    with database.sealing() as (connection, _):
        put_many(connection, accounts, written)
    assert rows(database, accounts) == written


def test_every_kind_of_column_is_put(database: Database) -> None:
    """Bytes of every value, booleans, nothing at all."""
    every = bytes(range(256))
    with database.sealing() as (connection, _):
        put_many(connection, imports, [("a", 1, 2, 3, every, True), ("b", 0, 0, 0, b"", False)])
        put_many(connection, partners, [])
        put_many(connection, watermarks, [("7402", 5, True)])
    assert rows(database, imports) == [("a", 1, 2, 3, every, True), ("b", 0, 0, 0, b"", False)]
    assert rows(database, watermarks) == [("7402", 5, True)]


def test_a_conflict_replaces_what_was_named_and_nothing_else(database: Database) -> None:
    """Without a word of replacing it is a fault, and then nothing of that transaction stays."""
    with database.sealing() as (connection, _):
        put_many(connection, partners, [("a", "A", "bank", True), ("b", "B", "bank", False)])
        put_many(connection, partners, [("a", "A2", "tax", False), ("c", "C", "bank", False)], ("name",))
    expected = [("a", "A2", "bank", True), ("b", "B", "bank", False), ("c", "C", "bank", False)]
    assert rows(database, partners) == expected
    with pytest.raises(Exception, match=r"(?i)unique"), database.sealing() as (connection, _):  # noqa: PT012  it is the block that fails
        put_many(connection, partners, [("d", "D", "bank", False)])
        put_many(connection, partners, [("a", "A3", "bank", False)])
    assert rows(database, partners) == expected


@HELD
@given(st.sets(texts, max_size=20), st.lists(texts, min_size=1, max_size=20))
def test_a_lookup_finds_what_is_among(database: Database, held: set[str], asked: list[str]) -> None:
    """Asked in any number, with repetitions, for what is there and what is not."""
    emptied(database)
    lookup = Lookup(database.dialect, "SELECT scope, count FROM epochs", epochs.c.scope)
    with database.sealing() as (connection, _):
        put_many(connection, epochs, [(scope, len(scope)) for scope in held])
        found = lookup.rows(connection, asked)
    assert sorted(found) == sorted((scope, len(scope)) for scope in held & set(asked))


def test_a_lookup_has_a_further_condition(database: Database) -> None:
    """With a parameter of its own, for keys of bytes too."""
    lookup = Lookup(database.dialect, "SELECT id FROM proof_ids", proof_ids.c.id, "expires > {}")
    with database.sealing() as (connection, _):
        put_many(connection, proof_ids, [(b"\0" * 16, 1), (b"\xff" * 16, 2), (b"%s?:x" * 3, 3)])
        assert sorted(
            bytes(row[0]) for row in lookup.rows(connection, [b"\0" * 16, b"\xff" * 16, b"%s?:x" * 3], 1)
        ) == [b"%s?:x" * 3, b"\xff" * 16]


def test_a_transaction_is_whole_or_not_at_all(database: Database) -> None:
    """Whatever ends it but its own end undoes it, and the next one goes on."""
    for fault in (RuntimeError, KeyboardInterrupt, StoreUnavailable):
        with pytest.raises(fault), database.sealing() as (connection, _):  # noqa: PT012
            put_many(connection, epochs, [("x", 1)])
            raise fault
    assert rows(database, epochs) == []
    with pytest.raises(Exception, match="syntax"), database.sealing() as (connection, _):  # noqa: PT012
        put_many(connection, epochs, [("x", 1)])
        connection.execute(text("SELEC"))
    assert rows(database, epochs) == []


def test_what_is_read_is_of_one_moment(database: Database) -> None:
    """On SQLite for the whole block, on PostgreSQL for each statement; a reader does not wait for the writer."""
    with database.sealing() as (connection, _):
        put_many(connection, epochs, [("x", 1)])
        with database.reading() as other:
            assert other.execute(select(epochs)).all() == []
    with database.reading() as other:
        assert len(other.execute(select(epochs)).all()) == 1
        with database.sealing() as (connection, _):
            put_many(connection, epochs, [("y", 1)])
        assert len(other.execute(select(epochs)).all()) == (1 if database.dialect == "sqlite" else 2)


def test_there_is_one_writer(database: Database) -> None:
    """Eight threads that read, add one and write lose no count: the lock comes before the reading."""

    def add() -> None:
        for _ in range(5):
            with database.sealing() as (connection, _):
                count = connection.execute(select(epochs.c.count).where(epochs.c.scope == "x")).scalar() or 0
                put_many(connection, epochs, [("x", count + 1)], ("count",))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(database, epochs) == [("x", 40)]


def test_the_time_is_the_databases(database: Database) -> None:
    """In microseconds, and it goes on."""
    with database.sealing() as (_, first):
        pass
    with database.sealing() as (_, second):
        pass
    assert abs(first - SystemClock().now()) < 60 * SECOND
    assert second > first


def test_faults_are_told_without_parameters(database: Database) -> None:
    """What was asked for may be somebody's; the driver's own words are enough."""
    with pytest.raises(StoreUnavailable) as raised, database.reading() as connection:
        connection.execute(text("SELECT :secret FROM no_such_table"), {"secret": "SITI AMINAH"})
    assert "SITI" not in str(raised.value)
    assert "no_such_table" in str(raised.value)
    assert not isinstance(raised.value, CommitUnknown)


def test_sqlite_is_set_to_survive_a_power_cut(sqlite_url: str) -> None:
    """WAL, and every commit on the disk before it is called done."""
    database = Database(sqlite_url, SystemClock(), any_log)
    with database.engine.connect() as connection:
        shown = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    database.close()
    assert shown == ["wal", 2]
    assert database.sqlite_file is not None


def test_a_read_that_was_broken_off_keeps_nobody_from_writing(database: Database) -> None:
    """Its cursor may still be in somebody's hands: whichever connection the next writers get, they write."""
    with database.sealing() as (connection, _):
        put_many(connection, epochs, [(f"scope {number}", number) for number in range(50)])
    with database.reading(), database.reading():
        pass  # there are two connections now
    held = []
    with suppress(LookupError), database.reading() as connection:
        held.append(connection.execute(select(epochs)))
        next(iter(held[0]))
        raise LookupError
    for turn in range(6):
        with database.sealing() as (connection, _):
            put_many(connection, epochs, [("written", turn)], ("count",))
    assert ("written", 5) in rows(database, epochs)


def test_a_fault_of_a_statement_throws_no_connection_away(postgresql_url: str) -> None:
    """Whatever is refused or timed out, the backend stays; only a connection that is lost takes the pool along."""
    database = Database(postgresql_url, SystemClock(), any_log)

    def backend() -> int:
        with database.reading() as connection:
            return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    before = backend()
    for _ in range(5):
        with pytest.raises(StoreUnavailable), database.reading() as connection:  # noqa: PT012
            connection.execute(text("SET LOCAL statement_timeout = 1"))
            connection.execute(text("SELECT pg_sleep(1)"))
        with pytest.raises(StoreUnavailable), database.sealing() as (connection, _):  # noqa: PT012
            connection.execute(text("SET LOCAL statement_timeout = 1"))
            connection.execute(text("SELECT pg_sleep(1)"))
    assert backend() == before
    with pytest.raises(StoreUnavailable), database.reading() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert backend() != before
    database.close()


@pytest.mark.parametrize("end", ["", "-wal"])
def test_other_files_in_the_place_of_the_open_ones_are_noticed(sqlite_url: str, end: str) -> None:
    """What is sealed after somebody moved the files away is not told as sealed, and nothing is from then on."""
    database = Database(sqlite_url, SystemClock(), any_log)
    schema.upgrade(database)
    with database.sealing() as (connection, _):
        put_many(connection, partners, [("a", "A", "bank", True)])
    assert database.sqlite_file is not None
    moved = database.sqlite_file.with_name(database.sqlite_file.name + end)
    moved.rename(moved.with_name("moved" + end))
    with pytest.raises(StoreUnavailable), database.sealing() as (connection, _):
        put_many(connection, partners, [("b", "B", "bank", True)])
    assert database.replaced
    with pytest.raises(StoreUnavailable, match="restart"), database.sealing():
        pass
    database.close()
