"""What if more comes than can be sealed? Refused at once, fairly, and nothing is sealed for whoever left."""

# Attacks held here:
#   test_too_long_a_wait_is_refused_at_once   more calls than can be sealed in time
#   test_flood_of_one_client_delays_nobody    one client that fills the queue to keep another waiting
#   test_who_has_gone_is_not_sealed           asking and leaving, to use up work and the ledger

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest
from deployment import SINGLE, Deployment, Line, Partner, jcs

from gateway.clock import SECOND
from gateway.errors import Cause, Refused
from gateway.verification.batching import MOST, RequestBatcher


class Watch:
    """A clock that goes only when somebody works."""

    def __init__(self) -> None:
        self.instant = 0

    def now(self) -> int:
        """See `Clock.now`."""
        return self.instant


class Counter:
    """Settles batches slowly: `pace` microseconds for every question; the door to it can be held shut."""

    def __init__(self, pace: int) -> None:
        self.watch = Watch()
        self.pace = pace
        self.batches: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def settle(self, calls: Sequence[str]) -> Sequence[str]:
        """Every call is its own outcome."""
        self.batches.append(list(calls))
        await self.open.wait()
        self.watch.instant += self.pace * len(calls)
        return calls


async def _warmed(pace: int) -> tuple[Counter, RequestBatcher]:
    """A turnstile that has learnt the pace."""
    counter = Counter(pace)
    batcher = RequestBatcher(counter.settle, counter.watch)
    for at in range(100):
        await batcher.enter("c", 1, str(at), lambda: False)
    counter.batches.clear()
    return counter, batcher


def test_too_long_a_wait_is_refused_at_once() -> None:
    """Once the predicted wait is over 250 ms the next call is refused at once, and those inside are settled."""

    async def run() -> None:
        counter, batcher = await _warmed(pace=2000)
        counter.open.clear()
        inside = [asyncio.create_task(batcher.enter("c", 1, str(at), lambda: False)) for at in range(1000)]
        done, waiting = await asyncio.wait(inside, timeout=0.5)
        refused = [task.exception() for task in done]
        assert refused
        for fault in refused:
            assert isinstance(fault, Refused)
            assert fault.refusal.cause is Cause.OVERLOADED
            assert int(str(fault.refusal.facts["retry_after"])) >= 1
        predicted = (len(waiting) - MOST) * 2000
        assert predicted <= SECOND // 4 + MOST * 2000, "nobody was let in to wait for longer"
        counter.open.set()
        assert len(await asyncio.gather(*waiting)) + len(refused) == 1000

    asyncio.run(run())


def test_flood_of_one_client_delays_nobody() -> None:
    """A call of another client goes with the very next batch, however many calls of the flooding client wait."""

    async def run() -> None:
        counter, batcher = await _warmed(pace=1)
        counter.open.clear()
        flood = [asyncio.create_task(batcher.enter("flood", 1, "flood", lambda: False)) for _ in range(MOST * 10)]
        await asyncio.sleep(0)
        other = asyncio.create_task(batcher.enter("other", 1, "other", lambda: False))
        await asyncio.sleep(0)
        counter.open.set()
        await asyncio.gather(*flood, other)
        assert "other" in [call for batch in counter.batches[:2] for call in batch]

    asyncio.run(run())


async def _lines_to_one_worker(node: Deployment, count: int) -> list[Line]:
    held: dict[int, list[Line]] = {}
    while True:
        line = await Line.to(node.port)
        await line.ask("GET", "/healthz", {})
        own = held.setdefault(node.worker_of(line), [])
        own.append(line)
        if len(own) == count:
            for others in held.values():
                if others is not own:
                    for each in others:
                        each.leave()
            return own


@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_who_has_gone_is_not_sealed(node: Deployment) -> None:
    """A call whose caller left before the seal has no entry and costs nothing; those who stayed have theirs."""
    staying = 3

    async def run() -> list[int]:
        partner = await Partner(node).log_in()
        *lines, leaving = await _lines_to_one_worker(node, staying + 1)
        with closing(sqlite3.connect(node.directory / "gateway.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # nothing can be sealed now
            asked = []
            for line in lines:
                asked.append(asyncio.create_task(partner.verify(line, partner.question(node.active[0]))))
                await asyncio.sleep(0.05)
            leaving.write("POST", SINGLE, partner.headers(), jcs(partner.question(node.active[0])))
            await asyncio.sleep(0.1)
            leaving.leave()
            await asyncio.sleep(0.1)
            other.execute("COMMIT")
        replies = await asyncio.gather(*asked)
        for line in lines:
            line.leave()
        return [reply.status for reply in replies]

    before = len(node.ledger()[0])
    assert asyncio.run(run()) == [200] * staying
    assert len(node.ledger()[0]) - before == staying + 1, "the token, and those who stayed"
