"""How is a database reached? One engine per process, with what each dialect needs to keep the promises of the seal.

SQLite: WAL, synchronous=FULL, explicit BEGIN. PostgreSQL: read committed, and a WARNING at COMMIT is no success.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.clock import SECOND, Clock
from gateway.errors import CommitUnknown, Misconfigured, StoreUnavailable

SEAL_LOCK = 0x4E_49_4B  # "NIK": the advisory lock that everyone who appends to the ledger takes first
BUSY = 10_000  # milliseconds to wait for whoever writes
IDLE = 60_000  # milliseconds after which PostgreSQL gives up a transaction, and its lock, of a node that is gone
_PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": BUSY,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "options": f"-c lock_timeout={BUSY} -c idle_in_transaction_session_timeout={IDLE}",
}


class Database:
    """An open database. `dialect` is "sqlite" or "postgresql"."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self.url = url
        self.engine = _engine(url)
        self.dialect = self.engine.dialect.name
        driver: Any = self.engine.dialect.dbapi
        # What goes through a driver's cursor (the hot reads and writes) raises the driver's own faults.
        self._faults: type[Exception] = driver.Error
        self._transient = (driver.OperationalError, driver.InterfaceError)
        self._writer = Lock()

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
                    self._begin(connection, "BEGIN")
                try:
                    yield connection
                except BaseException:
                    if self.dialect == "sqlite":
                        # A cursor that was broken off keeps its snapshot, and nothing can be written after an old one.
                        connection.invalidate()
                    raise
                connection.rollback()
        except (DBAPIError, self._faults) as fault:
            self._forget(fault)
            raise StoreUnavailable(_brief(fault)) from fault

    @contextmanager
    def sealing(self) -> Iterator[tuple[Connection, int]]:
        """(connection, now) in a transaction under the sealing lock; commits on leaving, durably.

        `now` is database time in microseconds. Raises StoreUnavailable when nothing was changed, CommitUnknown when
        that cannot be said. Other exceptions roll back and go on.
        """
        try:
            connection = self.engine.connect()
        except SQLAlchemyError as fault:
            raise StoreUnavailable(_brief(fault)) from fault
        with connection, self._turn():
            try:
                now = self._lock(connection)
            except (DBAPIError, self._faults) as fault:
                raise StoreUnavailable(_brief(fault)) from fault
            try:
                yield connection, now
            except (DBAPIError, self._faults) as fault:
                self._forget(fault)
                with suppress(DBAPIError):
                    connection.rollback()
                if isinstance(getattr(fault, "orig", fault), self._transient):
                    raise StoreUnavailable(_brief(fault)) from fault
                raise
            except BaseException:
                connection.rollback()
                raise
            self._commit(connection)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Writers of one process wait here in SQLite, which would have them look again every few milliseconds."""
        if self.dialect != "sqlite":
            yield
            return
        if not self._writer.acquire(timeout=BUSY / 1000):
            raise StoreUnavailable("another transaction of this process has not ended")
        try:
            yield
        finally:
            self._writer.release()

    @contextmanager
    def writing(self, lock: int | None = None) -> Iterator[Connection]:
        """A transaction for what is no entry of the ledger, so that no seal waits for it; one at a time under a `lock`.

        SQLite has one writer: there it is under the lock of the seal. Raises StoreUnavailable.
        """
        if self.dialect == "sqlite":
            with self.sealing() as (connection, _):
                yield connection
            return
        try:
            with self.engine.begin() as connection:
                if lock is not None:
                    connection.execute(_LOCK, {"key": lock})
                yield connection
        except (DBAPIError, self._faults) as fault:
            self._forget(fault)
            raise StoreUnavailable(_brief(fault)) from fault

    def _forget(self, fault: BaseException) -> None:
        """Give up pooled connections when one was lost: SQLAlchemy sees only the faults of statements that it ran."""
        if isinstance(fault, self._transient) and self.dialect == "postgresql":
            self.engine.dispose()

    def _lock(self, connection: Connection) -> int:
        if self.dialect == "sqlite":
            self._begin(connection, "BEGIN IMMEDIATE")
            return self._clock.now()
        # A statement of its own: one that also read would read from before it got the lock.
        connection.execute(_LOCK, {"key": SEAL_LOCK})
        return int(connection.execute(_NOW).scalar_one())

    @staticmethod
    def _begin(connection: Connection, statement: str) -> None:
        """Begin a transaction of SQLite that SQLAlchemy knows of, by the driver's own cursor: see `Lookup`."""
        connection.begin()
        connection.connection.cursor().execute(statement)

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
_NOW = text(f"SELECT (extract(epoch FROM clock_timestamp()) * {SECOND})::bigint")  # noqa: S608  a number of ours


def _engine(url: str) -> Engine:
    if url.startswith("sqlite:"):
        engine = create_engine(
            url,
            connect_args={"timeout": BUSY / 1000, "check_same_thread": False},
            pool_size=8,
            pool_reset_on_return=None,
            hide_parameters=True,  # a fault may be logged, what was asked may not
        )

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
            url,
            pool_size=8,
            pool_pre_ping=False,
            hide_parameters=True,
            connect_args=_PATIENCE | {"prepare_threshold": 2},
        )
    raise Misconfigured(
        [f"database.url: {url.split(':', 1)[0]!r} is not known; use sqlite:///FILE or postgresql+psycopg://…"]
    )


def _brief(fault: BaseException) -> str:
    """The driver's own words, without the statement and its parameters (they may hold what must not be logged)."""
    original = getattr(fault, "orig", None) or fault
    return f"{type(original).__name__}: {str(original).splitlines()[0] if str(original) else ''}"


class Lookup:
    """One read, written once: the rows of a table whose key is among given values, in one statement.

    It goes through the driver's own cursor: SQLAlchemy's part of a read costs more than the read (docs/decisions).
    """

    def __init__(self, dialect: str, select: str, key: Column[Any], further: str = "") -> None:
        """`select` is SQL up to WHERE; `further` a condition with one more parameter, `{}` standing for it."""
        self._select = f"{select} WHERE {key.table.name}.{key.name}"
        self._further = f" AND {further.format('%s' if dialect == 'postgresql' else '?')}" if further else ""
        array = _ARRAYS[str(key.type.compile(_POSTGRESQL()))] if dialect == "postgresql" else ""
        self._one = f"{self._select} = ANY(%s::{array}){self._further}" if array else ""

    def rows(self, connection: Connection, keys: Sequence[Any], *more: object) -> list[tuple[Any, ...]]:
        """The rows found; raises the driver's faults, which `reading` and `sealing` understand."""
        if not keys:
            return []
        cursor = connection.connection.cursor()
        if self._one:
            cursor.execute(self._one, (list(keys), *more))
        else:
            # As many marks as the next power of two, so that few statements are enough and each is prepared once.
            count = 1 << (len(keys) - 1).bit_length()
            marks = ",".join("?" * count)
            padded = (*keys, *([keys[-1]] * (count - len(keys))), *more)
            cursor.execute(f"{self._select} IN ({marks}){self._further}", padded)
        return list(cursor.fetchall())


_ARRAYS = {
    "TEXT": "text[]",
    "BIGINT": "bigint[]",
    "BYTEA": "bytea[]",
    "SMALLINT": "smallint[]",
    "INTEGER": "integer[]",
    "BOOLEAN": "boolean[]",
}
_POSTGRESQL: Any = postgresql.dialect  # SQLAlchemy leaves its dialects untyped
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
    cursor = connection.connection.cursor()
    if dialect == "postgresql":
        cursor.execute(statement, tuple(list(column) for column in zip(*rows, strict=True)))
    elif len(rows) == 1:
        cursor.execute(statement, rows[0])
    else:
        cursor.executemany(statement, rows)


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
