"""Sums by partner and day: findings made from them are those that the entries themselves give, whatever stretch is asked for."""

from __future__ import annotations

import random
from datetime import date, timedelta

from sqlalchemy import func, select, update

from gateway.clock import HOUR, SECOND, SystemClock, SystemEntropy, jakarta_midnight, rfc3339, uuid7
from gateway.keyring.keys import b64u
from gateway.ledger.check.findings import Finding, SeenEntry, findings
from gateway.ledger.log.entry import make_entry, private_bytes
from gateway.ledger.log.merkle import Frontier
from gateway.store.audit.finding_days import DaySums
from gateway.store.audit.searches import found_under
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import read_head
from gateway.store.ledger.tables import ledger_entries
from gateway.store.sealing.retention import prune
from gateway.store.sealing.seals import append
from gateway.store.search.copy import Filter, Follower
from gateway.store.search.tables import finding_days

CLOCK, ENTROPY = SystemClock(), SystemEntropy()
BEGIN = date(2026, 10, 1)
PARTNERS = ("bank", "bpjs", "tax")


class Days:
    """Days of three partners, of which the bank tries NIKs on the tenth and guesses on the twelfth."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.chance = random.Random(7)  # noqa: S311  made again by its seed
        self.seen: list[SeenEntry] = []
        self.follower, self.sums = Follower(database), DaySums(database, CLOCK)

    def grow(self, first: int, days: int) -> None:
        for offset in range(first, first + days):
            day = jakarta_midnight(BEGIN + timedelta(days=offset))
            made = [self._one(partner, day) for partner in PARTNERS for _ in range(25)]
            if offset == 10:
                made += [self._one("bank", day, "unknown") for _ in range(15)]
            if offset == 12:
                tags = [self.chance.randbytes(16) for _ in range(6)]
                made += [self._one("bank", day, "different", tag) for tag in tags for _ in range(4)]
            self._seal(sorted(made, key=lambda each: each.at))

    def _one(self, partner: str, day: int, outcome: str = "", tag: bytes = b"") -> SeenEntry:
        drawn = outcome or ("different" if self.chance.random() < 0.05 else "active")
        at = day + 8 * HOUR + self.chance.randrange(10 * HOUR // SECOND) * SECOND
        purpose = "credit" if self.chance.random() < 0.2 else "account_opening"
        return SeenEntry(0, at, partner, "answer", purpose, drawn, tag or self.chance.randbytes(16))

    def _seal(self, made: list[SeenEntry]) -> None:
        entries = [
            make_entry(
                kind=each.kind, id=uuid7(each.at, ENTROPY), at=each.at, actor=f"{each.partner}/{each.partner}-1",
                agreement=f"pks-{each.partner}", purpose=each.purpose, answer=bytes(32), request=bytes(32),
                private=private_bytes(ENTROPY.bytes(32), {"outcome": each.outcome, "subject": b64u(each.subject)}),
            )
            for each in made
        ]  # fmt: skip
        with self.database.sealing() as (connection, _):
            head = read_head(connection)
            frontier = Frontier(head.size, head.frontier)
            frontier.append([entry.hash for entry in entries])
            append(connection, entries, frontier)
        first = len(self.seen)
        self.seen += [
            SeenEntry(first + at, each.at, each.partner, each.kind, each.purpose, each.outcome, each.subject)
            for at, each in enumerate(made)
        ]

    def found(self, first: int = 0, end: int = 1 << 40, partners: tuple[str, ...] = PARTNERS) -> list[Finding]:
        with self.database.reading() as connection:
            return found_under(connection, CLOCK.now(), Filter(partners, first, end))

    def wanted(self, first: int = 0, end: int = 1 << 40, partners: tuple[str, ...] = PARTNERS) -> list[Finding]:
        return findings([each for each in self.seen if first <= each.index < end and each.partner in partners])


def test_sums_and_entries_give_the_same_findings(database: Database) -> None:
    """Before anything is summed up, half of it, all of it; for any stretch, which may begin and end within a day."""
    days = Days(database)
    days.grow(0, 9)
    days.follower.follow()
    days.grow(9, 5)
    days.follower.follow()
    rules = {each.rule for each in days.wanted()}
    assert {"enumeration", "guessing"} <= rules
    chance = random.Random(3)  # noqa: S311
    size = len(days.seen)
    for reach in (0, 300, 600, 1_000_000):
        days.sums.follow(reach)
        assert days.found() == days.wanted(), reach
        for _ in range(8):
            first, end = sorted(chance.sample(range(size + 1), 2))
            assert days.found(first, end) == days.wanted(first, end), (reach, first, end)
        assert days.found(partners=("bank",)) == days.wanted(partners=("bank",))
    assert days.sums.follow() == 0


def test_a_day_goes_on_where_it_was_left(database: Database) -> None:
    """Entries of one day that come in several stretches are one day, and the day before is closed."""
    days = Days(database)
    for offset in (*range(13), 12, 12, 13):
        days.grow(offset, 1)
        days.follower.follow()
        days.sums.follow()
        assert days.found() == days.wanted(), offset
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(finding_days)).scalar_one() == 14 * len(PARTNERS)
        rows = connection.execute(
            select(finding_days.c.sums).where(finding_days.c.day < BEGIN.toordinal() + 9)
        ).scalars()
        assert all('"wrong":{}' in row for row in rows), "residents about whom there was no guessing are forgotten"


def test_what_was_destroyed_is_not_told_from_sums(database: Database) -> None:
    """After retention nobody finds what the private parts had said: the sums are made again from what is left."""
    days = Days(database)
    days.grow(0, 14)
    days.follower.follow()
    days.sums.follow()
    assert "guessing" in {each.rule for each in days.found()}
    prune(database, ["answer"], rfc3339(jakarta_midnight(BEGIN + timedelta(days=20))), ("Satu", "Dua"), ENTROPY)
    days.follower.follow()
    days.sums.follow()
    assert {each.rule for each in days.found()} & {"guessing", "enumeration"} == set()
    with database.reading() as connection:
        assert all('"wrong":{}' in row for row in connection.execute(select(finding_days.c.sums)).scalars())


def test_sums_are_made_again_with_the_copy(database: Database) -> None:
    """Whoever has tampered with them: `nik-gateway audit reindex` makes them from the log."""
    days = Days(database)
    days.grow(0, 13)
    days.follower.follow()
    days.sums.follow()
    with database.sealing() as (connection, _):
        connection.execute(update(finding_days).values(sums=func.replace(finding_days.c.sums, '"asked":', '"asked":9')))
    assert days.found() != days.wanted()
    days.follower.rebuild()
    assert days.found() == days.wanted()
    days.sums.follow()
    assert days.found() == days.wanted()
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(ledger_entries)).scalar_one() == len(days.seen)
