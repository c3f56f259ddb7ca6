"""How is the ledger read back? In order of index, by pages, from one snapshot where the engine gives one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from gateway.errors import LedgerFault
from gateway.ledger.check import Head, StoredEntry
from gateway.store.engine import Database
from gateway.store.tables import ledger_entries, ledger_head

PAGE = 5_000
_head = select(ledger_head.c.size, ledger_head.c.frontier).where(ledger_head.c.one == 1)


def read_head(connection: Connection) -> Head:
    """The head row. Raises LedgerFault when somebody has taken it away."""
    row = connection.execute(_head).one_or_none()
    if row is None:
        raise LedgerFault(-1, "the head is missing")
    return Head(row.size, bytes(row.frontier))


class LedgerOf:
    """The ledger in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._page = (
            select(ledger_entries)
            .where(ledger_entries.c.leaf_index > bindparam("after"))
            .order_by(ledger_entries.c.leaf_index)
            .limit(PAGE)
        )

    def head(self) -> Head:
        """The head as it stands."""
        with self._database.reading() as connection:
            return read_head(connection)

    @contextmanager
    def snapshot(self) -> Iterator[tuple[Head, Iterator[StoredEntry]]]:
        """(head, every entry that it should count), from one moment: what is appended meanwhile is not seen."""
        with self._database.reading() as connection:
            if self._database.dialect == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            head = read_head(connection)

            def entries() -> Iterator[StoredEntry]:
                after = -1
                while rows := connection.execute(self._page, {"after": after}).all():
                    for index, id, leaf, private in rows:
                        yield StoredEntry(index, _uuid(bytes(id)), bytes(leaf), private and bytes(private))
                    after = rows[-1].leaf_index

            yield head, entries()


def _uuid(raw: bytes) -> str:
    """The text of an id; of a damaged one, its bytes, so that the check can name it."""
    return str(UUID(bytes=raw)) if len(raw) == 16 else raw.hex()  # noqa: PLR2004  the size of a UUID
