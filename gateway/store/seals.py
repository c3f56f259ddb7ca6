"""How does the seal read and write? The `SealStore` of both databases; the order of steps is the sealer's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, select, update

from gateway.allowance.account import Account
from gateway.ledger.entry import Entry
from gateway.ledger.merkle import Frontier
from gateway.store.engine import Database, among, put_many
from gateway.store.ledger import read_head
from gateway.store.tables import accounts, attempts, epochs, ledger_entries, ledger_head, proof_ids, repeats
from gateway.verification.seal import Changes, SealTransaction

FORGET_EVERY = 2_000  # seals between two sweeps of what has expired


class SealsOf:
    """Seals in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads = _Reads(database.dialect)
        self._count = 0

    @contextmanager
    def transaction(self) -> Iterator[SealTransaction]:
        """See `SealStore.transaction`."""
        with self._database.sealing() as (connection, now):
            yield _Transaction(connection, now, self._reads)
            self._count += 1
            if self._count % FORGET_EVERY == 1:
                for table in (proof_ids, repeats, attempts):
                    connection.execute(delete(table).where(table.c.expires < now))

    def holds(self, entry: str) -> bool:
        """See `SealStore.holds`."""
        with self._database.sealing() as (connection, _):
            row = connection.execute(
                select(ledger_entries.c.leaf_index).where(ledger_entries.c.id == UUID(entry).bytes)
            )
            return row.first() is not None


class _Reads:
    """The statements, built once."""

    def __init__(self, dialect: str) -> None:
        self.epochs = select(epochs.c.scope, epochs.c.count).where(among(epochs.c.scope, "ids", dialect))
        self.proofs = select(proof_ids.c.id).where(among(proof_ids.c.id, "ids", dialect))
        self.repeats = select(repeats.c.key, repeats.c.body, repeats.c.status, repeats.c.answer).where(
            among(repeats.c.key, "ids", dialect), repeats.c.expires > bindparam("now")
        )
        self.accounts = select(accounts).where(among(accounts.c.id, "ids", dialect))
        self.attempts = select(attempts.c.tag, attempts.c.guesses).where(among(attempts.c.tag, "ids", dialect))


_advance = update(ledger_head).where(ledger_head.c.one == 1).values(size=bindparam("s"), frontier=bindparam("f"))


class _Transaction:
    def __init__(self, connection: Connection, now: int, reads: _Reads) -> None:
        self._connection = connection
        self._now = now
        self._reads = reads

    def epochs(self, scopes: Collection[str]) -> tuple[int, Mapping[str, int]]:
        rows = self._connection.execute(self._reads.epochs, {"ids": list(scopes)})
        return self._now, dict(rows.all())

    def known_proofs(self, ids: Collection[bytes]) -> set[bytes]:
        return {bytes(row[0]) for row in self._connection.execute(self._reads.proofs, {"ids": list(ids)})}

    def repeats(self, keys: Collection[bytes]) -> Mapping[bytes, tuple[bytes, int, bytes]]:
        rows = self._connection.execute(self._reads.repeats, {"ids": list(keys), "now": self._now})
        return {bytes(row[0]): (bytes(row[1]), row[2], bytes(row[3])) for row in rows}

    def accounts(self, ids: Collection[str]) -> Mapping[str, Account]:
        return {row[0]: Account(*row[1:]) for row in self._connection.execute(self._reads.accounts, {"ids": list(ids)})}

    def attempts(self, tags: Collection[bytes]) -> Mapping[bytes, bytes]:
        rows = self._connection.execute(self._reads.attempts, {"ids": list(tags)})
        return {bytes(row[0]): bytes(row[1]) for row in rows}

    def frontier(self) -> Frontier:
        head = read_head(self._connection)
        return Frontier(head.size, head.frontier)

    def write(self, changes: Changes) -> None:
        connection = self._connection
        put_many(connection, proof_ids, sorted(changes.proofs.items()))
        put_many(connection, repeats, sorted(changes.repeats), ("body", "status", "answer", "expires"))
        put_many(
            connection,
            accounts,
            [(id, a.tat, a.day, a.day_spent, a.month, a.month_spent, a.balance) for id, a in changes.accounts.items()],
            ("tat", "day", "day_spent", "month", "month_spent", "balance"),
        )
        put_many(
            connection,
            attempts,
            [(tag, row, expires) for tag, (row, expires) in changes.attempts.items()],
            ("guesses", "expires"),
        )
        append(connection, changes.entries, changes.frontier)


def append(connection: Connection, entries: list[Entry], frontier: Frontier) -> None:
    """Write entries and the head that counts them; `frontier` has them appended already."""
    first = frontier.size - len(entries)
    put_many(
        connection,
        ledger_entries,
        [(first + at, UUID(entry.id).bytes, entry.leaf, entry.private) for at, entry in enumerate(entries)],
    )
    connection.execute(_advance, {"s": frontier.size, "f": bytes(frontier)})
