"""Is what the log is searched by a true copy of it, and does a search cost the same however long the log is?"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from sqlalchemy import Connection, delete, func, select, text, update

from gateway.clock import HOUR, SECOND, SystemClock, SystemEntropy, rfc3339, uuid7
from gateway.errors import LedgerFault, Refused
from gateway.keyring import Job
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind, make_entry, private_bytes
from gateway.ledger.log.merkle import Frontier
from gateway.store.administration.key_use import count_uses
from gateway.store.audit.assignments import require
from gateway.store.audit.tables import access_requests, assignments
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.ledger.entries import read_head
from gateway.store.ledger.tables import ledger_entries
from gateway.store.sealing.retention import prune
from gateway.store.sealing.seals import append
from gateway.store.search.copy import (
    Filter,
    Follower,
    FoundEntry,
    at_indexes,
    facets_of,
    find,
    find_subject,
    followed,
    page_statement,
)
from gateway.store.search.tables import search_entries, search_facets

CLOCK, ENTROPY = SystemClock(), SystemEntropy()
PARTNERS, PURPOSES = ("bank", "bpjs", "tax"), ("account_opening", "credit")
OUTCOMES = ("active", "unknown", "different", "deceased")
TAGS = [bytes([number]) * 16 for number in range(1, 20)]
NOW = CLOCK.now() // SECOND * SECOND


def grow(database: Database, count: int, seed: int = 1) -> None:
    """More entries, two hours old, a second apart."""
    chance = random.Random(seed)  # noqa: S311  made again by its seed
    with database.sealing() as (connection, _):
        head = read_head(connection)
        frontier = Frontier(head.size, head.frontier)
        entries = []
        for number in range(count):
            at = NOW - 2 * HOUR + (head.size + number) * SECOND // 100
            refused = chance.random() < 0.1
            outcome = "attempts-exhausted" if refused else chance.choice(OUTCOMES)
            private = {"address": "::1", "outcome": outcome, "subject": b64u(chance.choice(TAGS))}
            kind = Kind.REFUSAL if refused else Kind.ANSWER
            if chance.random() < 0.05:
                kind, private = Kind.TOKEN, {"address": "::1"}
            entries.append(
                make_entry(
                    kind=kind, id=uuid7(at, ENTROPY), at=at, actor=f"{chance.choice(PARTNERS)}/main", agreement="a-1",
                    purpose="" if kind is Kind.TOKEN else chance.choice(PURPOSES), answer=bytes(32), request=bytes(32),
                    private=private_bytes(bytes(32), private),
                )
            )  # fmt: skip
        frontier.append([entry.hash for entry in entries])
        append(connection, entries, frontier)


@pytest.fixture
def log(database: Database) -> Database:
    """Each engine with 5,000 entries, all of them copied."""
    grow(database, 5_000)
    assert Follower(database).follow() == 5_000
    return database


def whole(database: Database) -> list[FoundEntry]:
    """Every entry of the copy."""
    with database.reading() as connection:
        size = followed(connection)
        found = at_indexes(connection, range(size))
        return [found[index] for index in sorted(found)]


def test_the_copy_follows_and_is_made_again(log: Database) -> None:
    """Nothing twice, nothing missed, by several at once or in steps; made again from the log it is the very same."""
    before = whole(log)
    assert [each.index for each in before] == list(range(5_000))
    grow(log, 50, seed=2)
    follower = Follower(log)
    with ThreadPoolExecutor(3) as nodes:
        assert sum(nodes.map(lambda _: Follower(log).follow(), range(3))) == 50
    held = whole(log)
    assert held[:5_000] == before
    assert follower.rebuild() == 5_050
    assert whole(log) == held


def test_every_filter_finds_what_it_names(log: Database) -> None:
    """All combinations of partners, kind, purpose and outcome give what reading everything gives, page by page."""
    held = whole(log)
    with log.reading() as connection:
        for partners, kind, purpose, outcome in product(
            (("bank",), ("bank", "tax")), ("", "answer"), ("", "credit"), ("", "unknown", "nothing")
        ):
            wanted = [
                each for each in held
                if each.partner in partners and kind in ("", each.kind) and purpose in ("", each.purpose)
                and outcome in ("", each.outcome) and 100 <= each.index < 4_000
            ]  # fmt: skip
            paged: list[FoundEntry] = []
            first = 100
            while page := find(connection, Filter(partners, first, 4_000, kind, purpose, outcome), 500):
                paged += page
                first = page[-1].index + 1
            assert paged == wanted, (partners, kind, purpose, outcome)


def test_a_resident_is_found_under_every_version_of_the_tag(log: Database) -> None:
    """In order of the log, and of named partners alone where an assignment names them."""
    held = whole(log)
    tags = [TAGS[3], TAGS[7]]
    with log.reading() as connection:
        found = find_subject(connection, tags, 0, 5_000, 10_000)
        assert found == [each for each in held if each.subject in tags]
        of_bank = find_subject(connection, tags, 0, 5_000, 10_000, ("bank",))
        assert of_bank == [each for each in found if each.partner == "bank"]
        assert find_subject(connection, [bytes(16)], 0, 5_000, 10) == []


def test_what_retention_destroyed_is_forgotten(log: Database) -> None:
    """Tags and outcomes of destroyed private parts are gone from the copy, whether it was made before or after."""
    soon = rfc3339((NOW // HOUR + 1) * HOUR)
    assert prune(log, ["answer"], soon, ("Satu", "Dua"), ENTROPY) is not None
    Follower(log).follow()
    after = whole(log)
    answers = [each for each in after if each.kind == "answer"]
    assert answers
    assert {(each.subject, each.outcome) for each in answers} == {(b"", "")}
    assert any(each.subject for each in after if each.kind == "refusal")
    assert Follower(log).compare() is None
    Follower(log).rebuild()
    assert whole(log) == after


@pytest.mark.parametrize(
    "change",
    [
        {"subject": b""}, {"subject": TAGS[0][:15] + b"x"}, {"at": 1}, {"facet": 1}, None,
    ],
)  # fmt: skip
def test_a_copy_that_says_something_else_is_named(log: Database, change: dict[str, object] | None) -> None:
    """Whoever hides an entry from searches, or gives it to another, is found out; made again it is right."""
    follower = Follower(log)
    assert follower.compare() is None
    held = whole(log)
    index = next(each.index for each in held[2_500:] if each.subject and each.partner != held[0].partner)
    where = search_entries.c.leaf_index == index
    with log.sealing() as (connection, _):
        gone = delete(search_entries).where(where)
        connection.execute(gone if change is None else update(search_entries).where(where).values(**change))
    assert follower.compare() == index
    follower.rebuild()
    assert follower.compare() is None
    assert whole(log) == held


def test_what_cannot_be_read_is_named(log: Database) -> None:
    """An entry that somebody has spoilt is never passed over in silence: whoever follows or compares is told its index."""
    grow(log, 3, seed=4)
    with log.sealing() as (connection, _):
        connection.execute(update(ledger_entries).where(ledger_entries.c.leaf_index == 5_001).values(leaf=b"{"))
    with pytest.raises(LedgerFault) as found:
        Follower(log).follow()
    assert found.value.index == 5_001
    with log.sealing() as (connection, _):
        connection.execute(delete(ledger_entries).where(ledger_entries.c.leaf_index == 5_001))
    with pytest.raises(LedgerFault, match="missing") as found:
        Follower(log).follow()
    assert found.value.index == 5_001


def test_a_key_that_an_open_request_needs_is_not_put_aside(database: Database) -> None:
    """The NIK of a request for access lies sealed as records do, and counts as they do until it is closed."""
    assert count_uses(database, Job.CLAIMS, 2) == 0
    with database.sealing() as (connection, _):
        put_many(connection, access_requests, [("r1", "demo auditor", "A1", "open", NOW, 0, b"\x02sealed")])
    assert (count_uses(database, Job.CLAIMS, 2), count_uses(database, Job.CLAIMS, 1)) == (1, 0)


def test_an_assignment_bounds_and_expires(database: Database) -> None:
    """By person, partner and period, until its end; another person's is nobody else's."""
    row = ("a1", "demo auditor", "ST/1", '["bank"]', NOW - 10 * HOUR, NOW, NOW + HOUR, 0)
    with database.sealing() as (connection, _):
        put_many(connection, assignments, [row])
    with database.reading() as connection:
        assert require(connection, "Demo  AUDITOR", NOW, partner="bank", since=NOW - HOUR, until=NOW).id == "a1"
        for auditor, now, bounds in (
            ("Somebody Else", NOW, {}),
            ("Demo Auditor", NOW + HOUR, {}),
            ("Demo Auditor", NOW, {"partner": "bpjs"}),
            ("Demo Auditor", NOW, {"since": NOW - 11 * HOUR}),
            ("Demo Auditor", NOW, {"until": NOW + 1}),
        ):
            with pytest.raises(Refused, match="assignment-missing"):
                require(connection, auditor, now, **bounds)


@pytest.mark.prove
def test_a_search_costs_the_same_however_long_the_log_is(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 400,000 entries every part of a search is a short walk along an index, and takes milliseconds."""
    took: list[float] = []
    for size in (40_000, 400_000):
        with database.sealing() as (connection, _):
            _fill(connection, size)
        if database.dialect == "postgresql":
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE search_entries"))
        with database.reading() as connection:
            rare = Filter(("p7",), 0, size, "", "", "o3")
            assert len(find(connection, rare, 51)) == 51
            best = min(_timed(lambda: find(connection, rare, 51)) for _ in range(20))  # noqa: B023  called at once
            took.append(best)
    with database.reading() as connection:
        ids = list(facets_of(connection, rare))
        assert len(ids) == 3
        statement = page_statement(len(ids))
        named = {**{f"f{number}": id for number, id in enumerate(ids)}, "first": 0, "end": 400_000, "most": 51}
        explain = "EXPLAIN (ANALYZE, BUFFERS)" if database.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = _plan(connection, f"{explain} {statement}", named)
        subject = "SELECT leaf_index FROM search_entries WHERE subject = :s AND leaf_index >= 0 ORDER BY 1 LIMIT 51"
        of_one = _plan(connection, f"{explain} {subject}", {"s": _tag(9)})
    with capsys.disabled():
        print(f"\n{database.dialect}: {[f'{each * 1000:.2f} ms' for each in took]}\n{plan}\n{of_one}")  # noqa: T201  the proof is the plan
    assert "search_entries_facet" in plan
    assert "search_entries_subject" in of_one
    assert "Seq Scan" not in plan + of_one
    assert "SCAN search_entries" not in plan + of_one
    assert took[1] < 5 * took[0] + 0.005


def _plan(connection: Connection, statement: str, named: dict[str, object]) -> str:
    return "\n".join(str(row[-1]) for row in connection.execute(text(statement), named))


def _tag(number: int) -> bytes:
    return (number % 20_000).to_bytes(16, "big")


def _fill(connection: Connection, size: int) -> None:
    """The copy of a log of `size` entries: twenty partners, three purposes, ten outcomes."""
    held = connection.execute(select(func.count()).select_from(search_entries)).scalar_one()
    if not held:
        facets = [
            (number + 1, f"p{number // 30}", "answer", f"u{number // 10 % 3}", f"o{number % 10}")
            for number in range(600)
        ]
        put_many(connection, search_facets, facets)
    for start in range(held, size, 20_000):
        rows = [(at, at * 7919 % 600 + 1, NOW + at, _tag(at * 31)) for at in range(start, min(start + 20_000, size))]
        put_many(connection, search_entries, rows)


def _timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def test_nothing_of_the_log_depends_on_the_copy(log: Database) -> None:
    """Thrown away it costs nobody a proof: the log's own tables are not touched by following or making again."""
    with log.reading() as connection:
        before = connection.execute(select(ledger_entries)).all()
    Follower(log).rebuild()
    with log.reading() as connection:
        assert connection.execute(select(ledger_entries)).all() == before
