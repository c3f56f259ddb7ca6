"""Do the sums of traffic say what the log says, each entry once, and what is it that they cost? On both databases."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from gateway.administration.commands import View
from gateway.clock import DAY, HOUR, SECOND, SystemClock, SystemEntropy, parse_rfc3339, rfc3339, rfc3339_seconds, uuid7
from gateway.errors import Refused
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind, make_entry, private_bytes
from gateway.ledger.log.merkle import Frontier
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.store.audit.tables import traffic
from gateway.store.audit.traffic import STEPS, TrafficTally, show_own_traffic, show_traffic, start_of
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.commands.query import ReadContext
from gateway.store.ledger.entries import read_head
from gateway.store.partners.tables import partners
from gateway.store.sealing.retention import prune
from gateway.store.sealing.seals import append
from gateway.store.search.copy import Follower
from gateway.store.search.tables import search_entries, search_facets
from gateway.store.verification.latencies import by_step, keep
from gateway.store.verification.tables import latencies
from gateway.verification.latency import BOUNDS, BUCKETS, bucket, percentile

ENTROPY = SystemEntropy()
NOW = SystemClock().now() // HOUR * HOUR
DECIDER = Decider(load(Path(__file__).parents[2] / "policies"))
PARTNERS = ("bank", "bpjs")
OUTCOMES = ("active", "deceased", "unknown")


def grow(database: Database, count: int, seed: int = 1, spread: int = 40 * SECOND) -> list[dict[str, Any]]:
    """More entries, over the last two days; what each of them says."""
    chance = random.Random(seed)  # noqa: S311  made again by its seed
    told = []
    with database.sealing() as (connection, _):
        head = read_head(connection)
        frontier = Frontier(head.size, head.frontier)
        entries = []
        for number in range(count):
            at = NOW - 2 * DAY + (head.size + number) * spread
            kind, outcome = chance.choice(
                [(Kind.ANSWER, each) for each in OUTCOMES] + [(Kind.REFUSAL, "rate-exceeded")]
            )
            partner = chance.choice(PARTNERS)
            if chance.random() < 0.1:
                kind, outcome = chance.choice([(Kind.REPEAT, "repeat"), (Kind.TOKEN, ""), (Kind.READ, "usage")])
            told.append({"at": at, "kind": str(kind), "outcome": outcome, "partner": partner})
            entries.append(
                make_entry(
                    kind=kind, id=uuid7(at, ENTROPY), at=at, actor=f"{partner}/main", agreement="a-1", purpose="credit",
                    answer=bytes(32), request=bytes(32),
                    private=private_bytes(bytes(32), {"outcome": outcome, "subject": b64u(bytes(16))}),
                )
            )  # fmt: skip
        frontier.append([entry.hash for entry in entries])
        append(connection, entries, frontier)
    Follower(database).follow()
    return told


def seen(database: Database, view: str = "traffic", path: dict[str, str] | None = None, **query: str) -> dict[str, Any]:
    """What a view shows."""
    show = show_own_traffic if view == "own_traffic" else show_traffic
    with database.reading() as connection:
        context = ReadContext(connection, NOW, DECIDER.policies.purposes, DECIDER)
        return dict(show(context, View(view, path or {}, query)).document)


@pytest.fixture
def log(database: Database) -> tuple[Database, list[dict[str, Any]]]:
    """Each engine with two partners, 4,000 entries of two days, all of them counted."""
    with database.sealing() as (connection, _):
        put_many(connection, partners, [(each, each.upper(), "bank", False) for each in PARTNERS])
    told = grow(database, 4_000)
    assert TrafficTally(database).follow() == 4_000
    return database, told


def expected(told: list[dict[str, Any]], partner: str = "") -> dict[str, Any]:
    """What entries come to, counted one by one."""
    own = [
        each for each in told if partner in ("", each["partner"]) and each["kind"] in {"answer", "refusal", "repeat"}
    ]
    by = Counter((each["kind"], each["outcome"]) for each in own)
    return {
        "calls": len(own), "usable": by["answer", "active"], "not_usable": by["answer", "deceased"] + by["answer", "unknown"],
        "repeats": by["repeat", "repeat"], "refusals": {"rate-exceeded": by["refusal", "rate-exceeded"]},
    }  # fmt: skip


@pytest.mark.parametrize("step", ["hour", "day"])
def test_every_point_says_what_the_log_says(log, step: str) -> None:
    """Of the house and of one partner: each point and the whole are what counting the entries one by one gives."""
    database, told = log
    shown = seen(database, step=step)
    assert shown["total"].items() >= expected(told).items()
    assert len(shown["points"]) == {"hour": 48, "day": 31}[step]
    for point in shown["points"]:
        begin = parse_rfc3339(point["at"])
        inside = [each for each in told if begin <= each["at"] < begin + STEPS[step] * SECOND]
        want = expected(inside)
        want["refusals"] = {cause: count for cause, count in want["refusals"].items() if count}
        assert point.items() >= want.items(), point["at"]
    for partner in PARTNERS:
        one = seen(database, step=step, partner=partner)
        own = seen(database, "own_traffic", {"partner": partner}, step=step)
        assert one["total"] == own["total"]
        assert own["total"].items() >= expected(told, partner).items()
        assert [each["partner"] for each in own["partners"]] == [partner]
        assert "latency" not in own


def test_every_entry_is_counted_once_by_however_many(log) -> None:
    """In steps, by several nodes at once, and again after the copy was made anew."""
    database, told = log
    told += grow(database, 300, seed=2)
    with ThreadPoolExecutor(3) as nodes:
        assert sum(nodes.map(lambda _: TrafficTally(database).follow(), range(3))) == 300
    Follower(database).rebuild()
    assert TrafficTally(database).follow() == 0
    assert seen(database, step="day")["total"].items() >= expected(told).items()


def test_what_was_destroyed_is_not_told_by_a_sum(log) -> None:
    """The number of answers stays, how they ended is gone."""
    database, told = log
    prune(database, ["answer"], rfc3339(NOW + HOUR), ("Satu", "Dua"), ENTROPY)
    Follower(database).follow()
    TrafficTally(database).follow()
    total = seen(database, step="day")["total"]
    want = expected(told)
    assert (total["usable"], total["not_usable"]) == (0, 0)
    assert total["answers"] == want["usable"] + want["not_usable"]
    assert total["refusals"] == want["refusals"]
    with database.reading() as connection:
        left = connection.execute(
            select(search_facets.c.outcome).join(traffic, traffic.c.facet == search_facets.c.id)
            .where(search_facets.c.kind == "answer")
        ).scalars()  # fmt: skip
        assert set(left) == {""}


def test_what_cannot_be_drawn_is_refused(log) -> None:
    """An unknown step or partner, a moment that is none, more points than a page has, an end before its beginning."""
    database, _ = log
    for query in (
        {"step": "second"}, {"since": "yesterday"}, {"step": "minute", "since": rfc3339_seconds(NOW - DAY)},
        {"since": rfc3339_seconds(NOW - HOUR), "until": rfc3339_seconds(NOW - 3 * HOUR)},
    ):  # fmt: skip
        with pytest.raises(Refused, match="malformed-request"):
            seen(database, **query)
    with pytest.raises(Refused, match="not-found"):
        seen(database, partner="nobody")


def test_a_day_is_one_of_jakarta() -> None:
    """It begins at 17:00 UTC the day before."""
    noon = parse_rfc3339("2026-03-02T05:00:00Z") // SECOND
    assert rfc3339_seconds(start_of(noon, 86_400) * SECOND) == "2026-03-01T17:00:00Z"
    assert rfc3339_seconds(start_of(noon + 59, 60) * SECOND) == "2026-03-02T05:00:00Z"


def test_times_of_workers_are_added_and_forgotten_in_time(database: Database) -> None:
    """Two workers, one of them twice in a minute, are one histogram; after 32 days nothing is left."""
    counts = [0] * BUCKETS
    counts[bucket(0.004)] = 98
    counts[bucket(0.9)] = 2
    for worker in ("one", "one", "two"):
        keep(database, worker, counts, NOW)
    keep(database, "three", [0] * BUCKETS, NOW)
    begin = NOW // SECOND
    with database.reading() as connection:
        (found,) = by_step(connection, [begin], begin + 60)
        assert found == [3 * each for each in counts]
        assert len(connection.execute(select(latencies)).all()) == 2
        before, after = by_step(connection, [begin - 60, begin], begin + 60)
    assert (sum(before), after) == (0, found)
    assert [percentile(found, share) for share in (0.5, 0.98, 0.99)] == [4, 4, 1000]
    keep(database, "one", counts, NOW + 33 * DAY)
    with database.reading() as connection:
        assert len(connection.execute(select(latencies)).all()) == 1


def test_a_percentile_is_the_bound_of_its_bucket() -> None:
    """Nothing without calls; what is slower than every bound is told as more than the last."""
    assert percentile([0] * BUCKETS, 0.5) is None
    slow = [0] * BUCKETS
    slow[bucket(60)] = 1
    assert percentile(slow, 0.5) == 2 * BOUNDS[-1]
    assert [bucket(bound / 1000) for bound in BOUNDS] == list(range(len(BOUNDS)))


def test_reading_walks_along_indexes(log) -> None:
    """A page of the last hour touches the sums of that hour alone: no entry, and no other hour."""
    database, _ = log
    if database.dialect == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    statement = "SELECT begins, facet, entries FROM traffic WHERE step = 60 AND begins >= :a AND begins < :b"
    with database.reading() as connection:
        plan = _plan(connection, statement, {"a": NOW // SECOND - 3600, "b": NOW // SECOND})
    assert "Seq Scan" not in plan
    assert "SCAN traffic" not in plan


@pytest.mark.prove
def test_a_page_costs_the_same_however_long_the_log_is(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    """With 400,000 entries the statement that counts a stretch reads that stretch alone."""
    with database.sealing() as (connection, _):
        put_many(connection, search_facets, [(id, f"p{id}", "answer", "u", "active") for id in range(1, 601)])
        for start in range(0, 400_000, TrafficTally.chunk):
            rows = [(at, at * 7919 % 600 + 1, NOW - DAY + at, b"") for at in range(start, start + TrafficTally.chunk)]
            put_many(connection, search_entries, rows)
    counted = (
        "SELECT facet, count(*) FROM search_entries WHERE leaf_index >= 390000 AND leaf_index < 400000 GROUP BY facet"
    )
    with database.reading() as connection:
        plan = _plan(connection, counted, {})
    with capsys.disabled():
        print(f"\n{plan}")  # noqa: T201  the proof is the plan
    assert "Seq Scan" not in plan
    assert "SCAN search_entries" not in plan


def _plan(connection: Connection, statement: str, named: dict[str, object]) -> str:
    explain = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return "\n".join(str(row[-1]) for row in connection.execute(text(f"{explain} {statement}"), named))
