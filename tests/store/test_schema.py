"""The schema: brought up from nothing, left alone when it is whole, and refused when it is from the future."""

from __future__ import annotations

import pytest
from admitting import any_log
from sqlalchemy import inspect, select, text

from gateway.clock import SystemClock
from gateway.errors import Misconfigured
from gateway.store.base.engine import Database
from gateway.store.ledger.tables import ledger_head
from gateway.store.migrations import schema
from gateway.store.migrations.all_tables import metadata


@pytest.fixture
def fresh(database_url: str):
    """A database in which nothing is yet."""
    database = Database(database_url, SystemClock(), any_log)
    yield database
    database.close()


def test_a_new_database_gets_every_table(fresh: Database) -> None:
    """With the columns and keys of `tables`, and an empty ledger; a second time nothing happens."""
    assert schema.version(fresh) == ""
    with pytest.raises(Misconfigured, match=r"schema version none, .* is needed\. Run: nik-gateway db upgrade"):
        schema.require_newest(fresh)
    for _ in range(2):
        schema.upgrade(fresh)
        assert schema.version(fresh) == schema.newest()
        schema.require_newest(fresh)
    found = inspect(fresh.engine)
    assert set(found.get_table_names()) == {*metadata.tables, "alembic_version"}
    for table in metadata.sorted_tables:
        assert {column["name"]: column["nullable"] for column in found.get_columns(table.name)} == {
            column.name: column.nullable for column in table.columns
        }
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [
            column.name for column in table.primary_key
        ]
    with fresh.reading() as connection:
        (head,) = connection.execute(select(ledger_head)).all()
    assert (head.one, head.size, bytes(head.frontier)) == (1, 0, b"")


def test_a_newer_schema_is_refused(fresh: Database) -> None:
    """Neither served nor touched: a newer gateway has used it."""
    schema.upgrade(fresh)
    with fresh.sealing() as (connection, _):
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (schema.upgrade, schema.require_newest):
        with pytest.raises(Misconfigured, match="schema version 9999 is unknown to this program"):
            attempt(fresh)
    assert schema.version(fresh) == "9999"


def test_two_that_upgrade_at_once_do_not_spoil_it(database_url: str) -> None:
    """Whoever comes second finds it done."""
    first, second = Database(database_url, SystemClock(), any_log), Database(database_url, SystemClock(), any_log)
    schema.upgrade(first)
    schema.upgrade(second)
    schema.require_newest(second)
    first.close()
    second.close()


def test_an_undurable_postgresql_is_named(postgresql_url: str, sqlite_url: str) -> None:
    """The tests' hasty server has fsync off: production would refuse it; SQLite is set up by ourselves."""
    for url, faults in ((postgresql_url, ["database: fsync is off"]), (sqlite_url, [])):
        database = Database(url, SystemClock(), any_log)
        assert [fault.split(":")[0] + ":" + fault.split(":")[1] for fault in schema.undurable(database)] == faults
        database.close()


def test_a_database_that_cannot_be_reached_is_told() -> None:
    """As a fault of the settings, without a password."""
    database = Database("postgresql+psycopg://nik:secret@127.0.0.1:1/nik", SystemClock(), any_log)
    with pytest.raises(Misconfigured, match="cannot be reached") as raised:
        schema.require_newest(database)
    assert "secret" not in str(raised.value)
    with pytest.raises(Misconfigured, match="is not known"):
        Database("mysql://x", SystemClock(), any_log)
