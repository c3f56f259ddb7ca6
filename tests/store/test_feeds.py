"""Does a batch get into the register whole and once, whatever happens on the way? On each database."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from gateway.clock import SystemEntropy
from gateway.feeds.batch import digest_of
from gateway.keyring import Job, Keyring
from gateway.register.record import Record
from gateway.store.base.engine import Database
from gateway.store.feeds.applying import STRETCH, Applying, Stretch
from gateway.store.feeds.state import FeedState, complete, read_state
from gateway.store.register.residents import Progress, RegisterOf

TODAY = date(2026, 11, 24)
REGENCY = "7402"
ENTROPY = SystemEntropy()


@pytest.fixture
def keyring(keys: dict[tuple[Job, int], Any]) -> Keyring:
    """One version of every key."""
    return Keyring([keys[job, 1] for job in Job])


def births(count: int) -> list[dict[str, Any]]:
    """So many births, and an order for each."""
    niks = [f"7402{10 + number // 999:02d}050590{9000 + number % 999:04d}" for number in range(count)]
    day = TODAY.isoformat()
    claims = {"name": "SITI", "birth_date": "1990-05-05"}
    rows = [{"nik": nik, "event": "birth", "phase": "settled", "occurred_on": day, "claims": claims} for nik in niks]
    return rows + [{"nik": nik, "event": "order", "phase": "settled", "occurred_on": day} for nik in niks]


class Killed(Applying):
    """A process that is killed after so many stretches."""

    def __init__(self, database: Database, keyring: Keyring, after: int) -> None:
        super().__init__(database, keyring, ENTROPY)
        self.left = after

    def _write(self, state: FeedState, made: Stretch, applied: int) -> FeedState | None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super()._write(state, made, applied)


def test_a_batch_that_is_broken_off_is_gone_on_with(database: Database, keyring: Keyring) -> None:
    """Killed between stretches and begun again and again, every row is applied once; what is refused is told once."""
    changes = births(STRETCH + 50)
    changes.append(changes[0])
    digest = digest_of(changes)
    for after in (1, 0, 1):
        with pytest.raises(KeyboardInterrupt):
            Killed(database, keyring, after).apply(REGENCY, 1, digest, changes, TODAY)
    with database.reading() as connection:
        assert read_state(connection, REGENCY).applied == 2 * STRETCH
    state = Applying(database, keyring, ENTROPY).apply(REGENCY, 1, digest, changes, TODAY)
    with database.sealing() as (connection, now):
        moved, answer = complete(connection, state, 1, now, now)
    assert answer == {
        "accepted": len(changes) - 1, "next": 2,
        "refused": [{"index": len(changes) - 1, "slug": "already-registered"}],
    }  # fmt: skip
    assert (moved.next, moved.gaps, moved.complete_until) == (2, (), now)
    held = list(RegisterOf(database, keyring, ENTROPY).residents())
    assert len({one.nik for one in held}) == len(held) == STRETCH + 50
    assert {tuple(condition.reason for condition in one.conditions) for one in held} == {("by_order",)}


class Overtaken(Applying):
    """Somebody else imports a resident between the reading of a stretch and its writing, once."""

    def __init__(self, database: Database, keyring: Keyring, other: Record) -> None:
        super().__init__(database, keyring, ENTROPY)
        self.others = [other]
        self.register = RegisterOf(database, keyring, ENTROPY)

    def _write(self, state: FeedState, made: Stretch, applied: int) -> FeedState | None:
        if self.others:
            self.register.store([self.others.pop()], "other", Progress(1, 1, 0, b"", finished=False))
        return super()._write(state, made, applied)


def test_what_others_write_meanwhile_is_not_lost(database: Database, keyring: Keyring) -> None:
    """A stretch that was read before somebody else wrote is made again on what stands then."""
    first, second = births(1)
    register = RegisterOf(database, keyring, ENTROPY)
    claims = {**first["claims"], "regency": REGENCY}
    register.store([Record(first["nik"], claims)], "one", Progress(1, 1, 0, b"", finished=False))
    imported = Record(first["nik"], {**claims, "name": "SITI AMINAH"})
    Overtaken(database, keyring, imported).apply(REGENCY, 1, digest_of([second]), [second], TODAY)
    (held,) = register.residents()
    assert (held.claims["name"], [one.reason for one in held.conditions]) == ("SITI AMINAH", ["by_order"])
