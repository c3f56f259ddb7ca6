"""How do many tests share one migrated database of each kind? It is made once a worker, and emptied before every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from admitting import any_log
from sqlalchemy import delete, insert

from gateway.clock import SystemClock
from gateway.store.base.engine import Database
from gateway.store.ledger.tables import ledger_head
from gateway.store.migrations import schema
from gateway.store.migrations.all_tables import metadata


def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Database]:
    """A migrated database of the kind `request.param`, on the run's own server; dropped at the end."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path_factory.mktemp(name) / 'gateway.db'}", SystemClock(), any_log)
        schema.upgrade(database)
        yield database
        database.close()
        return
    server = str(request.getfixturevalue("postgresql_server"))
    unique = f"{name}_{os.getpid()}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{unique}" TEMPLATE template0'.encode())
        database = Database(f"{server.rpartition('/')[0]}/{unique}", SystemClock(), any_log)
        schema.upgrade(database)
        yield database
        database.close()
        connection.execute(f'DROP DATABASE "{unique}" WITH (FORCE)'.encode())


def emptied(database: Database) -> Database:
    """The database as it was when it was made."""
    with database.sealing() as (connection, _):
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
        connection.execute(insert(ledger_head).values(one=1, size=0, frontier=b""))
    return database
