"""How the corridor reads: records, its own earlier answers and watermarks, in one trip."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from admitting import any_log
from sqlalchemy import update

from gateway.clock import SECOND, SystemClock, SystemEntropy, uuid7
from gateway.errors import StoreUnavailable
from gateway.keyring import Job, Keyring
from gateway.ledger.log.entry import Kind
from gateway.sealing.standing import Watermark
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.ledger.entries import LedgerOf
from gateway.store.ledger.tables import ledger_entries
from gateway.store.partners.standings import PartnersOf
from gateway.store.register.residents import Progress, RegisterOf
from gateway.store.sealing.history import RecordedChange, write_history
from gateway.store.sealing.tables import accounts
from gateway.store.verification.reading import FRESH, ThreadedReading
from gateway.synthetic.population import residents
from gateway.verification.judge import indexes

ENTROPY = SystemEntropy()
PEOPLE = list(residents(20, 5))


class HandClock:
    """A clock that is set by hand."""

    at = 1000 * SECOND

    def now(self) -> int:
        return self.at


class Desk:
    """A register of twenty and whoever reads it."""

    def __init__(self, database: Database, keys: dict[tuple[Job, int], Any]) -> None:
        self.database = database
        self.keyring = Keyring(
            [key for (job, version), key in keys.items() if version == 1 or (job is Job.INDEX and version == 2)]
        )
        self.register = RegisterOf(database, self.keyring, ENTROPY)
        self.register.store(PEOPLE, "f", Progress(20, 20, 0, b"", finished=True))
        self.clock = HandClock()
        self.reading = ThreadedReading(database, self.register, PartnersOf(database, ENTROPY), self.clock)

    def find(self, *niks: str, earlier: tuple[str, ...] = ()) -> Any:
        asked = [ix for nik in niks for ix in indexes(self.keyring, nik)]
        return asyncio.run(self.reading.find(asked, earlier))

    def append(self, count: int = 1) -> list[str]:
        changes = [RecordedChange(Kind.IMPORT, "house", {"number": number}) for number in range(count)]
        with self.database.sealing() as (connection, now):
            write_history(connection, changes, now, ENTROPY)
        with LedgerOf(self.database).snapshot() as (_, entries):
            return [entry.id for entry in entries][-count:]


@pytest.fixture
def desk(database: Database, keys: dict[tuple[Job, int], Any]) -> Iterator[Desk]:
    """A desk over each database."""
    made = Desk(database, keys)
    yield made
    made.reading.close()


def test_all_of_a_batch_is_found_at_once(desk: Desk) -> None:
    """Every resident by one of its indexes, in rows that open; who is not there is not found."""
    found = desk.find(*(person.nik for person in PEOPLE[:7]), "7402154505909001")
    assert len(found.records) == 7
    assert {ix for person in PEOPLE[:7] for ix in indexes(desk.keyring, person.nik)} >= set(found.records)
    assert all(isinstance(id, int) and isinstance(sealed, bytes) for id, sealed in found.records.values())
    assert (found.earlier, desk.find("7402154505909001").records) == ({}, {})


def test_earlier_answers_are_read_by_id(desk: Desk) -> None:
    """Leaf and private part, under the very text that was asked; destroyed parts are None, what is no id is nothing."""
    first, second = desk.append(2)
    with desk.database.sealing() as (connection, _):
        connection.execute(update(ledger_entries).where(ledger_entries.c.leaf_index == 1).values(private=None))
    strange = ("", "x", "019ab", uuid7(0, ENTROPY), "7402154505909001", first.replace("-", "") + "0")
    found = desk.find(PEOPLE[0].nik, earlier=(first, second, *strange)).earlier
    assert set(found) == {first, second}
    assert found[first][0].startswith(b'{"actor":"house"')
    assert found[first][1].endswith(b'{"number":0}')
    assert found[second][1] is None
    assert desk.find(PEOPLE[0].nik, earlier=strange).earlier == {}


def test_watermarks_serve_for_a_moment(desk: Desk) -> None:
    """They are read again after two seconds: older than the records is the safe side."""
    desk.register.advance({"7402": 5})
    assert desk.find(PEOPLE[0].nik).watermarks == {"7402": Watermark(5, gap=False)}
    desk.register.advance({"7402": 9, "3171": 9})
    desk.clock.at += FRESH - 1
    assert desk.find(PEOPLE[0].nik).watermarks == {"7402": Watermark(5, gap=False)}
    desk.clock.at += 1
    assert desk.find(PEOPLE[0].nik).watermarks == {"7402": Watermark(9, gap=False), "3171": Watermark(9, gap=False)}


def test_an_account_is_read_as_it_stands(desk: Desk) -> None:
    """Every number of it; an agreement that never spent has an empty one."""
    with desk.database.sealing() as (connection, _):
        put_many(connection, accounts, [("pks", 1, 2, 3, 4, 5, 6)])
    account = asyncio.run(desk.reading.account("pks"))
    assert (account.tat, account.day, account.day_spent, account.month, account.month_spent, account.balance) == (
        1,
        2,
        3,
        4,
        5,
        6,
    )
    assert asyncio.run(desk.reading.account("none")).day_spent == 0


def test_the_ledger_is_read_from_one_moment(desk: Desk) -> None:
    """What is appended while it is read is not seen: head and entries belong together."""
    desk.append(3)
    ledger = LedgerOf(desk.database)
    with ledger.snapshot() as (head, entries):
        first = next(entries)
        desk.append(2)
        rest = list(entries)
    assert (head.size, first.index, [entry.index for entry in rest]) == (3, 0, [1, 2])
    assert ledger.head().size == 5


def test_a_register_that_is_gone_is_unavailable(keys: dict[tuple[Job, int], Any]) -> None:
    """Whatever is asked of it."""
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", SystemClock(), any_log)
    keyring = Keyring([key for (_, version), key in keys.items() if version == 1])
    reading = ThreadedReading(
        database, RegisterOf(database, keyring, ENTROPY), PartnersOf(database, ENTROPY), SystemClock()
    )
    for question in (
        lambda: reading.find([b"x" * 16], []),
        lambda: reading.standing("x"),
        lambda: reading.account("x"),
    ):
        with pytest.raises(StoreUnavailable):
            asyncio.run(question())
    reading.close()
    database.close()
