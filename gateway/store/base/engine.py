"""How is a database reached? One engine per process, with what each dialect needs to keep the promises of the seal.

SQLite: WAL, synchronous=FULL, explicit BEGIN. PostgreSQL: read committed, and a WARNING at COMMIT is no success.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.clock import SECOND, Clock
from gateway.errors import CommitUnknown, Misconfigured, StoreUnavailable, Unguarded

REGISTER_LOCK = 0x4E_49_4D
"""PostgreSQL: the advisory lock of whoever writes records; taken after that of the seal, never before it."""
SEAL_LOCK = 0x4E_49_4B  # "NIK": the advisory lock that everyone who appends to the ledger takes first
BUSY = 10_000  # milliseconds to wait for whoever writes
IDLE = 30_000  # milliseconds after which PostgreSQL gives up a transaction of whoever is gone
HELD = 2_500  # the same, while it holds the sealing lock: nobody may keep the other nodes waiting longer than this
LONGEST = 30_000  # milliseconds of one statement under the sealing lock
_PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": BUSY,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "options": f"-c lock_timeout={BUSY} -c idle_in_transaction_session_timeout={IDLE}",
}

Admit = Callable[[int], None]
"""Asked with the leaf index that would come next. Raises LedgerForked when the log may not be appended to."""
ADMIT = "admit"


class Database:
    """An open database. `dialect` is "sqlite" or "postgresql"."""

    def __init__(self, url: str, clock: Clock, admit: Admit | None = None) -> None:
        """`admit` says whether the log may be appended to; without one (see `guard`) nothing is sealed in it."""
        self._clock = clock
        self.url = url
        self.engine = _engine(url)
        self.dialect = self.engine.dialect.name
        driver: Any = self.engine.dialect.dbapi
        # What goes through a driver's cursor (the hot reads and writes) raises the driver's own faults.
        self._faults: type[Exception] = driver.Error
        self._transient = (driver.OperationalError, driver.InterfaceError)
        self._writer = Lock()
        self._admit = admit
        self._anchored: tuple[int, ...] | None = None
        self._replaced = False
        if self.dialect == "sqlite":
            # The files may change rightly only when nobody of this process holds them open.
            event.listen(self.engine, "close", lambda *_: setattr(self, "_anchored", None))

    def guard(self, admit: Admit) -> None:
        """Have `admit` asked in every transaction of this process that appends: `Keeper.admit` of the node."""
        self._admit = admit

    @property
    def sqlite_file(self) -> Path | None:
        """The file of an SQLite database."""
        return Path(self.engine.url.database or "") if self.dialect == "sqlite" else None

    @property
    def replaced(self) -> bool:
        """Whether the SQLite file that was opened is no longer the one of that name: what is sealed in it would be lost."""
        return self._replaced

    def _files(self) -> tuple[int, ...]:
        """Which files an SQLite database is, by inode."""
        name = self.engine.url.database or ""
        try:
            return tuple(os.stat(name + end).st_ino for end in ("", "-wal"))  # noqa: PTH116  for every seal
        except FileNotFoundError:
            return ()

    def _require_same_files(self) -> None:
        """Raises StoreUnavailable, from now on, when somebody has put other files in the place of those that are open."""
        if self.dialect != "sqlite" or self._anchored is None:
            return
        if self._files() != self._anchored:
            self._replaced = True
        if self._replaced:
            raise StoreUnavailable("the database's files are no longer those that were opened: restart the gateway")

    def _anchor(self) -> None:
        """After a commit: were the files that it went to still those of that name? Raises CommitUnknown."""
        files = self._files()
        if self._anchored is None:
            self._anchored = files
        elif files != self._anchored:
            self._replaced = True
            raise CommitUnknown("the database's files are no longer those that were opened")

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
                    self._forget(connection)
                    if self.dialect == "sqlite":
                        # A cursor that was broken off keeps its snapshot, and nothing can be written after an old one.
                        connection.invalidate()
                    raise
                connection.rollback()
        except (DBAPIError, self._faults) as fault:
            raise StoreUnavailable(_brief(fault)) from fault

    @contextmanager
    def sealing(self) -> Iterator[tuple[Connection, int]]:
        """(connection, now) in a transaction under the sealing lock; commits on leaving, durably.

        `now` is database time in microseconds. Raises Unguarded when nobody says whether the log may be appended to,
        StoreUnavailable when nothing was changed, CommitUnknown when that cannot be said. Other exceptions roll back
        and go on.
        """
        if self._admit is None:
            raise Unguarded("this process has no keeper of the log, so nothing may be sealed")
        with self._locked() as (connection, now):
            info = connection.info  # asked for now: a connection that was lost tells it no more
            info[ADMIT] = self._admit
            try:
                yield connection, now
            finally:
                info.pop(ADMIT, None)

    @contextmanager
    def _locked(self) -> Iterator[tuple[Connection, int]]:
        try:
            connection = self.engine.connect()
        except SQLAlchemyError as fault:
            raise StoreUnavailable(_brief(fault)) from fault
        with connection, self._turn():
            try:
                self._require_same_files()
                now = self._lock(connection)
            except (DBAPIError, self._faults) as fault:
                self._forget(connection)
                raise StoreUnavailable(_brief(fault)) from fault
            try:
                yield connection, now
            except (DBAPIError, self._faults) as fault:
                lost = self._forget(connection)
                with suppress(DBAPIError):
                    connection.rollback()
                if lost or isinstance(getattr(fault, "orig", fault), self._transient):
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
            with self._locked() as (connection, _):
                yield connection
            return
        try:
            with self.engine.begin() as connection:
                try:
                    if lock is not None:
                        connection.execute(_LOCK, {"key": lock})
                    yield connection
                except (DBAPIError, self._faults):
                    self._forget(connection)
                    raise
        except (DBAPIError, self._faults) as fault:
            raise StoreUnavailable(_brief(fault)) from fault

    def lock_register(self, connection: Connection) -> None:
        """Keep feeds from writing records until the transaction ends; one in SQLite has no other beside it."""
        if self.dialect != "sqlite":
            connection.execute(_LOCK, {"key": REGISTER_LOCK})

    def _forget(self, connection: Connection) -> bool:
        """Give up the pool when this connection was lost, for the others went with it; a fault of a statement is none.

        Tells whether it was. SQLAlchemy sees only the faults of statements that it ran.
        """
        if self.dialect != "postgresql":
            return False
        driver: Any = None if connection.invalidated else connection.connection.driver_connection
        lost = driver is None or bool(driver.closed)
        if lost:
            self.engine.dispose()
        return lost

    def _lock(self, connection: Connection) -> int:
        if self.dialect == "sqlite":
            self._begin(connection, "BEGIN IMMEDIATE")
            return self._clock.now()
        # A statement of its own: one that also read would read from before it got the lock.
        connection.execute(_SEAL_LOCK, {"key": SEAL_LOCK})
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
            self._forget(connection)
            raise CommitUnknown(_brief(fault)) from fault
        finally:
            if self.dialect == "postgresql":
                driver.remove_notice_handler(note)
        if self.dialect == "sqlite":
            self._anchor()
        if notices:  # e.g. "canceling wait for synchronous replication": it would not survive a failover
            raise CommitUnknown(notices[0], local=True)

    def skew(self) -> int:
        """By how many microseconds this node's clock is ahead of the database's; 0 on SQLite, which has none of its own.

        Raises StoreUnavailable.
        """
        if self.dialect == "sqlite":
            return 0
        with self.reading() as connection:
            return self._clock.now() - int(connection.execute(_NOW).scalar_one())

    def lock_idle(self) -> float:
        """For how many seconds whoever holds the sealing lock has done nothing; 0 when nobody does. Raises StoreUnavailable."""
        if self.dialect == "sqlite":
            return 0.0
        with self.reading() as connection:
            return float(connection.execute(_LOCK_IDLE, {"key": SEAL_LOCK}).scalar_one())

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
# Bounds of our own for whoever has the lock, whatever the server's are; in the same statement, which costs no round trip.
_SEAL_LOCK = text(
    f"SELECT set_config('idle_in_transaction_session_timeout', '{HELD}', true), "
    f"set_config('statement_timeout', '{LONGEST}', true), pg_advisory_xact_lock(:key)"
)
_LOCK_IDLE = text(
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - greatest(a.query_start, a.state_change))), 0) "
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objid = :key AND a.datname = current_database()"
)
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
