"""How does the seal read and write? The `SealStore` of both databases; the order of steps is the sealer's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import Connection, delete, select

from gateway.allowance.account import Account
from gateway.errors import LedgerFault, LedgerForked, Unguarded
from gateway.ledger.log.entry import Entry
from gateway.ledger.log.merkle import Frontier
from gateway.sealing.submission import Changes, SealTransaction
from gateway.store.base.engine import ADMIT, Database
from gateway.store.base.statements import Lookup, put_many
from gateway.store.base.tables import epochs
from gateway.store.ledger.entries import read_head
from gateway.store.ledger.stored_tiles import complete, keep_open
from gateway.store.ledger.tables import ledger_entries, ledger_head
from gateway.store.sealing.tables import accounts, attempts, proof_ids, repeats, revoked_tokens

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
                for table in (proof_ids, repeats, attempts, revoked_tokens):
                    connection.execute(delete(table).where(table.c.expires < now))

    def holds(self, entry: str) -> bool:
        """See `SealStore.holds`."""
        with self._database.sealing() as (connection, _):
            row = connection.execute(
                select(ledger_entries.c.leaf_index).where(ledger_entries.c.id == UUID(entry).bytes)
            )
            return row.first() is not None


class SealsWithin:
    """Seals in a transaction under the sealing lock that somebody else began and will commit."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._transaction = _Transaction(connection, now, _Reads(connection.dialect.name))

    @contextmanager
    def transaction(self) -> Iterator[SealTransaction]:
        """See `SealStore.transaction`; nothing is committed here."""
        yield self._transaction

    def holds(self, entry: str) -> bool:
        """See `SealStore.holds`: nobody asks, for whoever commits knows."""
        raise LookupError(entry)


class _Reads:
    """The reads of the seal, written once."""

    def __init__(self, dialect: str) -> None:
        self.epochs = Lookup(dialect, "SELECT scope, count FROM epochs", epochs.c.scope)
        self.proofs = Lookup(dialect, "SELECT id FROM proof_ids", proof_ids.c.id)
        self.repeats = Lookup(dialect, "SELECT key, body, status, answer FROM repeats", repeats.c.key, "expires > {}")
        self.accounts = Lookup(
            dialect, "SELECT id, tat, day, day_spent, month, month_spent, balance FROM accounts", accounts.c.id
        )
        self.attempts = Lookup(dialect, "SELECT tag, guesses FROM attempts", attempts.c.tag)


class _Transaction:
    def __init__(self, connection: Connection, now: int, reads: _Reads) -> None:
        self._connection = connection
        self._now = now
        self._reads = reads

    def epochs(self, scopes: Collection[str]) -> tuple[int, Mapping[str, int]]:
        rows = self._reads.epochs.rows(self._connection, list(scopes)) if scopes else []
        return self._now, {scope: count for scope, count in rows}  # noqa: C416  rows of two, for the type checker

    def known_proofs(self, ids: Collection[bytes]) -> set[bytes]:
        return {row[0] for row in self._reads.proofs.rows(self._connection, list(ids))}

    def repeats(self, keys: Collection[bytes]) -> Mapping[bytes, tuple[bytes, int, bytes]]:
        rows = self._reads.repeats.rows(self._connection, list(keys), self._now)
        return {key: (body, status, answer) for key, body, status, answer in rows}

    def accounts(self, ids: Collection[str]) -> Mapping[str, Account]:
        return {row[0]: Account(*row[1:]) for row in self._reads.accounts.rows(self._connection, list(ids))}

    def attempts(self, tags: Collection[bytes]) -> Mapping[bytes, bytes]:
        return {tag: guesses for tag, guesses in self._reads.attempts.rows(self._connection, list(tags))}  # noqa: C416

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
        if changes.revoked:
            rows = [(each.jti, each.client_id, each.expires) for each in changes.revoked]
            put_many(connection, revoked_tokens, rows, ("expires",))
            put_many(connection, epochs, sorted(changes.epochs.items()), ("count",))
        append(connection, changes.entries, changes.frontier)


def append(connection: Connection, entries: list[Entry], frontier: Frontier) -> None:
    """Write entries and the head that counts them; `frontier` has them appended already.

    Raises Unguarded outside a transaction of `Database.sealing`, LedgerForked.
    """
    first = frontier.size - len(entries)
    admit = connection.info.get(ADMIT)
    if admit is None:
        raise Unguarded("entries are appended in a transaction under the sealing lock alone")
    admit(first)
    put_many(
        connection,
        ledger_entries,
        [(first + at, UUID(entry.id).bytes, entry.leaf, entry.private) for at, entry in enumerate(entries)],
    )
    put_many(connection, ledger_head, [(1, frontier.size, bytes(frontier))], ("size", "frontier"))
    hashes = [entry.hash for entry in entries]
    if frontier.full:
        try:
            complete(connection, first, hashes, frontier)
        except LedgerFault as fault:
            raise LedgerForked(str(fault)) from fault
    keep_open(connection, first, hashes, frontier.size)
