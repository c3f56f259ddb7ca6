"""How fast do residents get in, against a bare `executemany` or COPY of the very rows that are stored of them?

Ours is what `nik-gateway register import` does with a file: lines parsed and checked, index and sealed record made, batches
committed with how far they came. Theirs is one transaction that inserts the finished rows.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from gateway.clock import SystemClock, SystemEntropy, jakarta_date
from gateway.keyring import Keyring
from gateway.keyring import file as key_files
from gateway.store.base.engine import Database
from gateway.store.migrations import schema
from gateway.store.register.intake import take_in
from gateway.store.register.residents import RegisterOf
from gateway.synthetic.population import as_line, residents
from tests import servers

RESIDENTS = 40_000
BAR = 1 / 3
EXAMPLE_KEYS = Path(__file__).parents[1] / "keys.example"
_TABLES = (("records", "id, sealed"), ("register_index", "ix, key_version, record"))


def keys() -> Keyring:
    """The example's keys."""
    return key_files.load(EXAMPLE_KEYS, frozenset())


@contextlib.contextmanager
def prepared(count: int = RESIDENTS) -> Iterator[list[tuple[str, Callable[[], float], Callable[[], float]]]]:
    """(name of the row, ours, theirs: both residents a second) for each database; every turn imports into an empty register."""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nik-bench-", dir=servers.open_place())))
        place.chmod(0o711)  # PostgreSQL may run as another user
        file = place / "residents.ndjson"
        with file.open("w") as lines:
            lines.writelines(json.dumps(as_line(one)) + "\n" for one in residents(count, 1))
        postgresql = servers.Postgresql(place / "postgresql", durable=True)
        postgresql.start()
        stack.callback(postgresql.stop)
        made = []
        for name, url in (("SQLite", f"sqlite:///{place / 'gateway.db'}"), ("PostgreSQL", postgresql.url)):
            database = Database(url, SystemClock(), lambda _: None)
            stack.callback(database.close)
            schema.upgrade(database)
            made.append((name, *_sides(database, file, count, place / "bare.db")))
        yield made


def _sides(database: Database, file: Path, count: int, bare: Path) -> tuple[Callable[[], float], Callable[[], float]]:
    clock, entropy = SystemClock(), SystemEntropy()
    register = RegisterOf(database, keys(), entropy)
    turn = itertools.count()
    rows: list[list[tuple[Any, ...]]] = []

    def ours() -> float:
        _empty(database)
        began = time.perf_counter()
        with file.open("rb") as lines:
            done = take_in(
                lines, register, database, entropy, name=f"bench-{next(turn)}", kind="", today=jakarta_date(clock.now()),
                complete_until=clock.now(), rejects=file.with_suffix(".rejects"), tell=lambda _: None, actor="bench",
            )  # fmt: skip
        assert (done.taken, done.refused) == (count, 0)  # noqa: S101  a measurement of something else is none
        return count / (time.perf_counter() - began)

    def theirs() -> float:
        if not rows:
            with database.reading() as connection:
                for table, columns in _TABLES:
                    rows.append([tuple(row) for row in connection.exec_driver_sql(f"SELECT {columns} FROM {table}")])  # noqa: S608
        return count / (_executemany(bare, rows) if database.dialect == "sqlite" else _copy(database, rows))

    return ours, theirs


def _empty(database: Database) -> None:
    with database.sealing() as (connection, _):
        for table in ("register_index", "records"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608  names of our own


def _executemany(file: Path, rows: list[list[tuple[Any, ...]]]) -> float:
    file.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE records (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL);"
            "CREATE TABLE register_index (ix BLOB PRIMARY KEY, key_version INTEGER, record INTEGER) WITHOUT ROWID;"
        )
        began = time.perf_counter()
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO records VALUES (?, ?)", rows[0])
        database.executemany("INSERT INTO register_index VALUES (?, ?, ?)", rows[1])
        database.execute("COMMIT")
        return time.perf_counter() - began


def _copy(database: Database, rows: list[list[tuple[Any, ...]]]) -> float:
    _empty(database)
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for (table, columns), own in zip(_TABLES, rows, strict=True):
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in own:
                    copy.write_row(row)
        connection.commit()
        return time.perf_counter() - began
