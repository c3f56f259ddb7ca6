"""How does the corridor read? One thread and one snapshot for each batch: records, earlier entries and watermarks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection, select

from gateway.allowance.account import Account
from gateway.clock import SECOND, Clock
from gateway.errors import StoreUnavailable
from gateway.sealing.standing import RegisterRows, Standing, Watermark
from gateway.store.base.engine import Database
from gateway.store.base.statements import Lookup
from gateway.store.ledger.tables import ledger_entries
from gateway.store.partners.standings import PartnersOf
from gateway.store.referrals.cases import read_mended
from gateway.store.register.residents import RegisterOf
from gateway.store.sealing.tables import accounts

_Read = TypeVar("_Read")
PATIENCE = 1.0  # seconds that a call waits for what it reads
FRESH = 2 * SECOND  # how long watermarks serve before they are read again; older than the records is the safe side


class ThreadedReading:
    """Reads in threads of its own; see `sealing.standing.CorridorReads`."""

    def __init__(
        self, database: Database, register: RegisterOf, partners: PartnersOf, clock: Clock, threads: int = 2
    ) -> None:
        self._database = database
        self._embedded = database.dialect == "sqlite"
        self._register = register
        self._partners = partners
        self._clock = clock
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self._watermarks: tuple[int, Mapping[str, Watermark]] = (-FRESH, {})
        self._earlier = Lookup(database.dialect, "SELECT id, leaf, private FROM ledger_entries", ledger_entries.c.id)

    async def standing(self, client_id: str) -> Standing | None:
        """See `CorridorReads.standing`."""
        return await self._in_time(self._read_standing, client_id)

    async def _in_time(self, read: Callable[..., _Read], *parts: object) -> _Read:
        """What a thread reads. Raises StoreUnavailable when it does not come in time: a call waits for no stalled database."""
        task = asyncio.get_running_loop().run_in_executor(self._threads, partial(read, *parts))
        try:
            return await asyncio.wait_for(task, PATIENCE)
        except TimeoutError:
            raise StoreUnavailable("the database has not answered in time") from None

    def _read_standing(self, client_id: str) -> Standing | None:
        with self._database.reading() as connection:
            return self._partners.standing(connection, client_id)

    async def certificates(self) -> list[bytes]:
        """The self-signed certificates (DER) that clients have registered. Raises StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._certificates)

    def _certificates(self) -> list[bytes]:
        with self._database.reading() as connection:
            return self._partners.certificates(connection)

    async def find(self, indexes: Sequence[bytes], earlier: Sequence[str], cases: Sequence[str] = ()) -> RegisterRows:
        """See `CorridorReads.find`."""
        if self._embedded:
            # A look-up in the embedded database takes microseconds; handing it to a thread and back takes longer.
            return self._find(indexes, earlier, cases)
        return await self._in_time(self._find, indexes, earlier, cases)

    def _find(self, indexes: Sequence[bytes], earlier: Sequence[str], cases: Sequence[str]) -> RegisterRows:
        with self._database.reading() as connection:
            now = self._clock.now()
            read_at, marks = self._watermarks
            if now - read_at >= FRESH:
                marks = self._register.watermarks(connection)
                self._watermarks = (now, marks)
            return RegisterRows(
                self._register.find(connection, indexes),
                self._entries(connection, earlier) if earlier else {},
                marks,
                read_mended(connection, cases) if cases else {},
                self._register.touched(connection, indexes),
            )

    def _entries(self, connection: Connection, ids: Sequence[str]) -> dict[str, tuple[bytes, bytes | None]]:
        wanted: dict[bytes, str] = {}
        for text in ids:
            try:
                wanted[UUID(text).bytes] = text
            except ValueError:
                continue  # not the form of an id: it names no answer
        rows = self._earlier.rows(connection, list(wanted)) if wanted else []
        return {wanted[id]: (leaf, private) for id, leaf, private in rows}

    async def account(self, id: str) -> Account:
        """The account of an agreement as it stands."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._account, id)

    def _account(self, id: str) -> Account:
        with self._database.reading() as connection:
            row = connection.execute(select(accounts).where(accounts.c.id == id)).one_or_none()
            return Account(*row[1:]) if row else Account()

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown()
