"""How does a test come by a log? In a database of its own, made of as many entries as it likes, and read by others."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from admitting import any_log
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from gateway.clock import SystemClock, SystemEntropy
from gateway.errors import LedgerFault
from gateway.ledger.check.check import Report, sweep
from gateway.ledger.log.note import PLAIN, NoteSigner, VerifierKey
from gateway.ledger.log.tiles import Tile
from gateway.ledger.publication.keeper import Cosign, Keeper
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.ledger.entries import LedgerOf
from gateway.store.ledger.stored_tiles import tiles_of
from gateway.store.ledger.tables import ledger_head
from gateway.store.migrations.all_tables import metadata
from gateway.store.sealing.history import RecordedChange, write_history

HOUSE = Path(__file__).parents[1]
CLOCK, ENTROPY = SystemClock(), SystemEntropy()
ORIGIN = "log.example/ledger"
SEED = bytes(range(32))


def checker() -> ModuleType:
    """The published single-file checker, as a module."""
    spec = importlib.util.spec_from_file_location("check_ledger", HOUSE / "checker" / "check_ledger.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def signers(origin: str, seed: bytes = SEED) -> list[NoteSigner]:
    """The one signer of a log."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return [NoteSigner(VerifierKey(origin, PLAIN, private.public_key().public_bytes_raw()), private.sign)]


VKEY = signers(ORIGIN)[0].key


class Log:
    """A ledger in a database."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, CLOCK, any_log)
        self.reader = LedgerOf(self.database)
        self._count = 0

    def grow(self, count: int, at_once: int = 1_000, kind: str = "agreement") -> Log:
        """Append entries, in transactions of `at_once`."""
        while count:
            some = min(count, at_once)
            with self.database.sealing() as (connection, now):
                self.append(connection, now, some, kind)
            count -= some
        return self

    def append(self, connection: Connection, now: int, count: int, kind: str = "agreement") -> None:
        """Append entries inside a transaction."""
        first, self._count = self._count, self._count + count
        changes = [
            RecordedChange(kind, "Petugas Satu+Petugas Dua", {"number": at}, f"pks-{at}")
            for at in range(first, first + count)
        ]
        write_history(connection, changes, now, ENTROPY)

    def check(self, marks: dict[int, bytes] | None = None) -> Report:
        """Raises LedgerFault."""
        with self.reader.stored() as stored:
            return sweep(stored.head, stored.pages, stored.tiles, stored.kept, marks=marks)

    def verdict(self, marks: dict[int, bytes] | None = None) -> int | None:
        """The index of the first entry that does not fit; None when all is sound."""
        try:
            self.check(marks)
        except LedgerFault as fault:
            return fault.index
        return None

    def keeper(self, path: Path, cosign: Cosign | None = None, base: str = ORIGIN) -> Keeper:
        """A node's keeper of this log."""
        return Keeper(path, base, signers, self.reader, cosign)

    def tile(self, tile: Tile) -> bytes:
        """A tile, by a connection of its own."""
        with self.database.reading() as connection:
            return tiles_of(connection)(tile)


@contextmanager
def log_in(url: str) -> Iterator[Log]:
    """An empty log in a database that is empty so far."""
    log = Log(url)
    metadata.create_all(log.database.engine)
    with log.database.engine.begin() as connection:
        put_many(connection, ledger_head, [(1, 0, b"")])
    try:
        yield log
    finally:
        log.database.close()
