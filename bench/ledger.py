"""How long does `ledger check` take against bare SHA-256 over the same bytes? On both databases, in processor time.

`python -m bench.ledger` prints the rows alone. The check runs in one thread; PostgreSQL's own processes are not counted.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path

from gateway.clock import SECOND, SystemClock, SystemEntropy, uuid7
from gateway.keyring.keys import b64u
from gateway.ledger.check.check import sweep
from gateway.ledger.log.entry import Entry, make_entry, private_bytes
from gateway.ledger.log.merkle import Frontier
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf, read_head
from gateway.store.migrations import schema
from gateway.store.sealing.seals import append
from tests import servers

ENTRIES = 100_000
AT_ONCE = 2_000
PARTNERS = 40
PURPOSES = ("account_opening", "claim_eligibility", "taxpayer_registration")
_START = 1_764_000_000 * SECOND
_entropy = SystemEntropy()


def tag(number: int) -> bytes:
    """What stands for the resident that an entry is about: one of a million."""
    return (number * 7919 % 1_000_000).to_bytes(16, "big")


def entry(number: int) -> Entry:
    """An entry as a verification makes it, by one of `PARTNERS`; its instant is `number` × 0.1 s after the first."""
    partner, at = number % PARTNERS, _START + number * SECOND // 10
    wrong = number % 23 == 0
    private = {
        "address": "192.0.2.7", "claims": ["birth_date", "name"], "outcome": "different" if wrong else "active",
        "policy": "p" * 43, "price": [[f"pks-{partner}", 1]], "state": "s" * 43,
        "subject": b64u(tag(number)), "token": "019ab9a3-5c21-7d04-8f11-3c5b7e9a1d20",
    }  # fmt: skip
    return make_entry(
        kind="refusal" if number % 50 == 0 else "answer",
        id=uuid7(at, _entropy),
        at=at,
        actor=f"partner-{partner}/client-{partner % 3}",
        agreement=f"pks-{partner}",
        purpose=PURPOSES[number % len(PURPOSES)],
        answer=_entropy.bytes(32),
        request=_entropy.bytes(32),
        private=private_bytes(_entropy.bytes(32), private),
    )


def fill(database: Database, first: int, count: int, at_once: int = AT_ONCE) -> Iterator[int]:
    """Append entries by the seal's own code; yields how many there are after each transaction."""
    for begin in range(first, first + count, at_once):
        entries = [entry(number) for number in range(begin, min(begin + at_once, first + count))]
        with database.sealing() as (connection, _):
            head = read_head(connection)
            frontier = Frontier(head.size, head.frontier)
            frontier.append([each.hash for each in entries])
            append(connection, entries, frontier)
        yield begin + len(entries)


@contextlib.contextmanager
def databases() -> Iterator[list[Database]]:
    """An empty database of each kind, on disk and durable."""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nik-bench-", dir=servers.open_place())))
        place.chmod(0o711)  # PostgreSQL may run as another user
        postgresql = servers.Postgresql(place / "postgresql", durable=True)
        postgresql.start()
        stack.callback(postgresql.stop)
        made = [
            Database(url, SystemClock(), lambda _: None)
            for url in (f"sqlite:///{place / 'gateway.db'}", postgresql.url)
        ]
        for database in made:
            stack.callback(database.close)
            schema.upgrade(database)
        yield made


def rates(database: Database, entries: int) -> tuple[Callable[[], float], Callable[[], float]]:
    """What measures the check, and what measures bare SHA-256 over the first leaves and private parts: entries a second."""
    with LedgerOf(database).stored() as stored:
        rows = islice((row for page in stored.pages for row in page), entries)
        values = [value for row in rows for value in (row[2], row[3])]

    def check() -> float:
        with LedgerOf(database).stored() as stored, _uncollected():
            began = time.process_time()
            sweep(stored.head, stored.pages, stored.tiles, stored.kept)
            return entries / (time.process_time() - began)

    def bare() -> float:
        return entries / _hashing(values)

    return check, bare


def _hashing(values: Sequence[bytes]) -> float:
    with _uncollected():
        began = time.process_time()
        for value in values:
            sha256(value).digest()
        return time.process_time() - began


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    gc.disable()  # as the command does
    try:
        yield
    finally:
        gc.enable()


def measured(entries: int = ENTRIES) -> Iterator[tuple[str, Callable[[], float], Callable[[], float], float]]:
    """(name of the row, ours, theirs, bar) for each database, while it is there."""
    with databases() as both:
        for database in both:
            for _ in fill(database, 0, entries):
                pass
            check, bare = rates(database, entries)
            name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[database.dialect]
            yield f"ledger check on {name} : bare SHA-256", check, bare, 1 / 3


if __name__ == "__main__":
    for _name, _ours, _theirs, _bar in measured(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES):
        _pairs = [(_ours(), _theirs()) for _ in range(5)]
        _ratio = sorted(one / other for one, other in _pairs)[2]
        print(f"{_name}: {_ratio:.2f} (1 : {1 / _ratio:.2f}); {_pairs[2][0]:,.0f}/s : {_pairs[2][1]:,.0f}/s")
