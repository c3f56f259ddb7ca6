"""How is a database reached? One engine per process, with what each dialect needs to keep the promises of the seal.

SQLite: WAL, synchronous=FULL, explicit BEGIN. PostgreSQL: read committed, and a WARNING at COMMIT is no success.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    Table,
    any_,
    bindparam,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from gateway.clock import SECOND, Clock
from gateway.errors import CommitUnknown, Misconfigured, StoreUnavailable

SEAL_LOCK = 0x4E_49_4B  # "NIK": the advisory lock that everyone who appends to the ledger takes first
BUSY = 10_000  # milliseconds to wait for SQLite's one writer


class Database:
    """An open database. `dialect` is "sqlite" or "postgresql"."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self.url = url
        self.engine = _engine(url)
        self.dialect = self.engine.dialect.name
        self._warned = threading.local()

    @property
    def sqlite_file(self) -> Path | None:
        """The file of an SQLite database."""
        return Path(self.engine.url.database or "") if self.dialect == "sqlite" else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection with one consistent snapshot for what is read. Raises StoreUnavailable."""
        try:
            with self.engine.connect() as connection:
                if self.dialect == "sqlite":
                    connection.exec_driver_sql("BEGIN")
                yield connection
                connection.rollback()
        except (OperationalError, DBAPIError) as fault:
            raise StoreUnavailable(_brief(fault)) from fault

    @contextmanager
    def sealing(self) -> Iterator[tuple[Connection, int]]:
        """(connection, now) in a transaction under the sealing lock; commits on leaving, durably.

        `now` is database time in microseconds. Raises StoreUnavailable when nothing was changed, CommitUnknown when that
        cannot be said. Other exceptions roll back and go on.
        """
        try:
            connection = self.engine.connect()
        except SQLAlchemyError as fault:
            raise StoreUnavailable(_brief(fault)) from fault
        with connection:
            try:
                now = self._lock(connection)
            except DBAPIError as fault:
                raise StoreUnavailable(_brief(fault)) from fault
            try:
                yield connection, now
            except DBAPIError as fault:
                connection.rollback()
                if fault.connection_invalidated or isinstance(fault, OperationalError):
                    raise StoreUnavailable(_brief(fault)) from fault
                raise
            except BaseException:
                connection.rollback()
                raise
            self._commit(connection)

    def _lock(self, connection: Connection) -> int:
        if self.dialect == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return self._clock.now()
        # A statement of its own: one that also read would read from before it got the lock.
        connection.execute(_LOCK, {"key": SEAL_LOCK})
        return int(connection.execute(_NOW).scalar_one())

    def _commit(self, connection: Connection) -> None:
        notices: list[str] = []
        driver: Any = connection.connection.driver_connection
        if self.dialect == "postgresql":

            def note(diagnostic: Any) -> None:  # noqa: ANN401  psycopg's Diagnostic
                if diagnostic.severity_nonlocalized == "WARNING":
                    notices.append(str(diagnostic.message_primary))

            driver.add_notice_handler(note)
        try:
            connection.commit()
        except DBAPIError as fault:
            raise CommitUnknown(_brief(fault)) from fault
        finally:
            if self.dialect == "postgresql":
                driver.remove_notice_handler(note)
        if notices:  # e.g. "canceling wait for synchronous replication": it would not survive a failover
            raise CommitUnknown(notices[0], local=True)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_NOW = text(f"SELECT (extract(epoch FROM clock_timestamp()) * {SECOND})::bigint")


def _engine(url: str) -> Engine:
    if url.startswith("sqlite:"):
        engine = create_engine(url, connect_args={"timeout": BUSY / 1000, "check_same_thread": False}, pool_size=8)

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _: Any) -> None:  # noqa: ANN401  sqlite3.Connection
            connection.isolation_level = None  # transactions begin where we say so
            cursor = connection.cursor()
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                f"busy_timeout={BUSY}",
                "cache_size=-65536",
                "mmap_size=1073741824",
                "temp_store=MEMORY",
            ):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        return engine
    if url.startswith("postgresql+psycopg:"):
        return create_engine(
            url, pool_size=8, pool_pre_ping=False, connect_args={"connect_timeout": 5, "prepare_threshold": 2}
        )
    raise Misconfigured(
        [f"database.url: {url.split(':', 1)[0]!r} is not known; use sqlite:///FILE or postgresql+psycopg://…"]
    )


def _brief(fault: BaseException) -> str:
    """The driver's own words, without the statement and its parameters (they may hold what must not be logged)."""
    original = getattr(fault, "orig", None) or fault
    return f"{type(original).__name__}: {str(original).splitlines()[0] if str(original) else ''}"


def among(column: ColumnElement[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """`column` is one of the values given as parameter `name` (a list); one statement whatever their number."""
    if dialect == "postgresql":
        array: BindParameter[Any] = bindparam(name, type_=ARRAY(column.type))
        return column == any_(array)
    return column.in_(bindparam(name, expanding=True))


_ARRAYS = {
    "TEXT": "text[]",
    "BIGINT": "bigint[]",
    "BYTEA": "bytea[]",
    "SMALLINT": "smallint[]",
    "INTEGER": "integer[]",
    "BOOLEAN": "boolean[]",
}
_statements: dict[tuple[str, str, tuple[str, ...]], str] = {}


def put_many(
    connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], replace: tuple[str, ...] = ()
) -> None:
    """Insert `rows` (all columns, in the table's order); on a conflict of the primary key set the columns `replace`.

    One statement for all rows: SQLite's executemany, PostgreSQL's unnest of one array a column.
    """
    if not rows:
        return
    dialect = connection.dialect.name
    key = (dialect, table.name, replace)
    statement = _statements.get(key)
    if statement is None:
        statement = _statements[key] = _put_statement(connection, table, replace)
    if dialect == "postgresql":
        connection.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True)))
    else:
        connection.exec_driver_sql(statement, list(rows))


def _put_statement(connection: Connection, table: Table, replace: tuple[str, ...]) -> str:
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{_ARRAYS[column.type.compile(connection.dialect)]}" for column in table.columns)
        statement = f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608  names of our own tables
    else:
        marks = ", ".join("?" for _ in table.columns)
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608
    if replace:
        key = ", ".join(column.name for column in table.primary_key.columns)
        changes = ", ".join(f"{name} = excluded.{name}" for name in replace)
        statement += f" ON CONFLICT ({key}) DO UPDATE SET {changes}"
    return statement
