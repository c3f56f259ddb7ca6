"""Who goes through together, who first, who not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SECOND
from gateway.errors import CallerGone, Cause, Refused
from gateway.verification.batching import MOST, QUIET, TURNS, Pace, RequestBatcher


class Counter:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0

    def now(self) -> int:
        return self.at


def stays() -> bool:
    return False


class Gate:
    """Lets one batch at a time pass when it is told to, and remembers what went together."""

    def __init__(self) -> None:
        self.clock = Counter()
        self.batches: list[list[Any]] = []
        self.open = asyncio.Event()
        self.batcher = RequestBatcher(self._settle, self.clock)

    async def _settle(self, calls: Sequence[Any]) -> Sequence[Any]:
        self.batches.append(list(calls))
        await self.open.wait()
        return [f"done {call}" for call in calls]

    def enter(self, client: str, call: Any, size: int = 1, gone: Callable[[], bool] = stays) -> asyncio.Task[Any]:
        return asyncio.ensure_future(self.batcher.enter(client, size, call, gone))

    async def occupied(self) -> list[asyncio.Task[Any]]:
        """Fill every lane, so that whoever comes now has to wait."""
        tasks = []
        for name, size in (("first single", 1), ("first batch", 5)):
            tasks.append(self.enter("first", name, size))
            await turns()
        self.batches.clear()
        return tasks


async def turns(count: int = 2 * QUIET) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def run(body: Callable[[Gate], Awaitable[None]]) -> None:
    async def whole() -> None:
        await body(Gate())

    asyncio.run(whole())


def test_a_call_alone_goes_at_once() -> None:
    """Nobody waits for company."""

    async def body(gate: Gate) -> None:
        task = gate.enter("a", "one")
        await turns()
        assert gate.batches == [["one"]]
        gate.open.set()
        assert await task == "done one"

    run(body)


def test_whoever_is_ready_in_one_turn_goes_together() -> None:
    """And everyone gets their own outcome."""

    async def body(gate: Gate) -> None:
        tasks = [gate.enter(f"c{number}", number) for number in range(9)]
        gate.open.set()
        assert await asyncio.gather(*tasks) == [f"done {number}" for number in range(9)]
        assert gate.batches == [list(range(9))]

    run(body)


def test_whoever_comes_meanwhile_goes_next() -> None:
    """All who wait while batches are under way are one batch."""

    async def body(gate: Gate) -> None:
        first = await gate.occupied()
        tasks = [gate.enter("a", number) for number in range(30)]
        await turns()
        assert gate.batches == []
        gate.open.set()
        await asyncio.gather(*first, *tasks)
        assert gate.batches == [list(range(30))]

    run(body)


def test_who_is_answered_and_asks_again_is_waited_for() -> None:
    """A few turns: one that waited alone does not go alone while those of the last batch come back."""

    async def body(gate: Gate) -> None:
        gate.open.set()

        async def asks_on(client: str, times: int, before: int = 0) -> None:
            await turns(before)
            for number in range(times):
                await gate.batcher.enter(client, 1, number, stays)
                await turns(2)  # the answer is signed and sent, the next question read

        alone, others = asks_on("alone", 10, before=4), [asks_on(f"c{number}", 10) for number in range(9)]
        await asyncio.gather(alone, *others)
        assert [len(batch) for batch in gate.batches][2:9] == [10] * 7

    run(body)


def test_nobody_is_waited_for_for_ever() -> None:
    """Newcomers in every turn do not keep the gate shut."""

    async def body(gate: Gate) -> None:
        gate.open.set()
        tasks = []
        for number in range(2 * TURNS):
            tasks.append(gate.enter("a", number))
            await turns(1)
        assert len(gate.batches) >= 1
        assert await asyncio.gather(*tasks) == [f"done {number}" for number in range(2 * TURNS)]

    run(body)


def test_no_batch_is_larger_than_the_most() -> None:
    """The rest waits for the next."""

    async def body(gate: Gate) -> None:
        first = await gate.occupied()
        gate.batcher._pace = Pace(0.0, 0.0)
        tasks = [gate.enter("a", number) for number in range(2 * MOST + 1)]
        gate.open.set()
        await asyncio.gather(*first, *tasks)
        assert [len(batch) for batch in gate.batches] == [MOST, MOST, 1]

    run(body)


def test_a_busy_client_does_not_keep_others_waiting() -> None:
    """One of each client in turn: the single call of a quiet one is in the very next batch."""

    async def body(gate: Gate) -> None:
        first = await gate.occupied()
        gate.batcher._pace = Pace(0.0, 0.0)
        busy = [gate.enter("busy", f"busy {number}") for number in range(3 * MOST)]
        quiet = [gate.enter(f"quiet {number}", f"quiet {number}") for number in range(3)]
        gate.open.set()
        await asyncio.gather(*first, *busy, *quiet)
        assert [call for call in gate.batches[0] if call.startswith("quiet")] == ["quiet 0", "quiet 1", "quiet 2"]
        assert [call for batch in gate.batches for call in batch if call.startswith("busy")] == [
            f"busy {number}" for number in range(3 * MOST)
        ]

    run(body)


def test_two_busy_clients_share_alike() -> None:
    """Half of each batch is either's."""

    async def body(gate: Gate) -> None:
        first = await gate.occupied()
        gate.batcher._pace = Pace(0.0, 0.0)
        tasks = [gate.enter(client, client) for client in ("a", "b") for _ in range(MOST)]
        gate.open.set()
        await asyncio.gather(*first, *tasks)
        assert [batch.count("a") for batch in gate.batches] == [MOST // 2, MOST // 2]

    run(body)


def test_single_calls_go_before_batches() -> None:
    """Whatever came first; a batch goes alone, and batches of several clients in turn."""

    async def body(gate: Gate) -> None:
        first = await gate.occupied()
        batches = [gate.enter("a", "A1", 100), gate.enter("a", "A2", 100), gate.enter("b", "B1", 100)]
        singles = [gate.enter("a", "s1"), gate.enter("c", "s2")]
        gate.open.set()
        await asyncio.gather(*first, *batches, *singles)
        assert gate.batches == [["s1", "s2"], ["A1"], ["B1"], ["A2"]]

    run(body)


def test_who_would_wait_too_long_is_refused_at_once() -> None:
    """Over 250 ms by the measured pace: overloaded, with a time to come back, and nothing of it waits."""

    async def body(gate: Gate) -> None:
        first = await gate.occupied()
        gate.batcher._pace = Pace(0.0, 10_000.0)  # 10 ms each
        tasks = [gate.enter("a", number) for number in range(MOST + 1)]
        await turns()
        with pytest.raises(Refused) as raised:
            await gate.batcher.enter("a", 1, "late", stays)
        assert raised.value.refusal.cause is Cause.OVERLOADED
        assert raised.value.refusal.facts["retry_after"] == 1
        gate.open.set()
        await asyncio.gather(*first, *tasks)
        assert all("late" not in batch for batch in gate.batches)
        gate.batcher._pace = Pace(0.0, 0.0)
        assert await gate.batcher.enter("a", 1, "again", stays) == "done again"

    run(body)


def test_a_short_queue_is_never_refused() -> None:
    """However slow the first calls were measured to be: one batch more is always taken."""

    async def body(gate: Gate) -> None:
        first = await gate.occupied()
        gate.batcher._pace = Pace(0.0, 1e9)
        tasks = [gate.enter("a", number) for number in range(MOST)]
        gate.open.set()
        assert len(await asyncio.gather(*first, *tasks)) == MOST + len(first)

    run(body)


def test_the_pace_is_measured() -> None:
    """It follows what batches take, so that the predicted wait does."""

    async def body(gate: Gate) -> None:
        gate.open.set()

        async def slow(calls: Sequence[Any]) -> Sequence[Any]:
            gate.clock.at += len(calls) * SECOND // 10
            return calls

        gate.batcher._settle = slow
        for _ in range(50):
            await gate.batcher.enter("a", 1, "x", stays)
        assert gate.batcher._pace.wait(10) == pytest.approx(SECOND, rel=0.01)

    run(body)


@given(
    st.integers(0, 20_000),
    st.integers(0, 1_000),
    st.sampled_from([4, MOST]).flatmap(lambda most: st.lists(st.integers(1, most), min_size=40, max_size=40)),
)
def test_the_wait_is_foretold_from_batches_of_any_size(batch: int, question: int, sizes: list[int]) -> None:
    """What a batch takes by itself is not counted once for every question, though only small ones were seen."""
    pace = Pace()
    for size in sizes:
        pace.note(size, batch + size * question)
    for questions in (1, MOST, 5 * MOST):
        told, right = pace.wait(questions), -(-questions // MOST) * batch + questions * question
        if len(set(sizes[-20:])) > 1:
            assert told == pytest.approx(right, rel=0.01, abs=1)
        else:
            assert told >= right - 1, "where all were alike it is rather told too long"


def test_who_has_gone_is_not_sealed() -> None:
    """Dropped before anything is looked up, unbilled; the others of its batch go on."""

    async def body(gate: Gate) -> None:
        gate.open.set()
        tasks = [
            gate.enter("a", "gone", gone=lambda: True),
            gate.enter("a", "here"),
            gate.enter("b", "left", gone=lambda: True),
        ]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [CallerGone, str, CallerGone]
        assert gate.batches == [["here"]]
        with pytest.raises(CallerGone):
            await gate.batcher.enter("a", 1, "alone", lambda: True)
        assert await gate.batcher.enter("a", 1, "next", stays) == "done next"

    run(body)


def test_a_cancelled_call_harms_no_other() -> None:
    """Whether it waits or is under way, and whether its caller has gone too; and it takes no place for ever."""

    async def body(gate: Gate) -> None:
        first = await gate.occupied()
        waiting = [gate.enter("a", "cut", gone=lambda: True), gate.enter("a", "kept"), gate.enter("b", "cut 2")]
        await turns()
        waiting[0].cancel()
        waiting[2].cancel()
        first[0].cancel()
        await turns()
        gate.open.set()
        assert await asyncio.wait_for(waiting[1], 5) == "done kept"
        assert gate.batches == [["kept"]]
        assert await asyncio.wait_for(gate.batcher.enter("a", 1, "next", stays), 5) == "done next"

    run(body)


def test_a_failed_batch_is_its_callers_alone() -> None:
    """Everyone in it is told; those of the next batch are not."""

    async def body(gate: Gate) -> None:
        first = await gate.occupied()
        settle = gate.batcher._settle

        async def once(_: Sequence[Any]) -> Sequence[Any]:
            gate.batcher._settle = settle
            msg = "broken"
            raise RuntimeError(msg)

        gate.batcher._settle = once
        together = [gate.enter("a", "x"), gate.enter("b", "y"), gate.enter("c", "batch", 5)]
        gate.open.set()
        results = await asyncio.gather(*together, *first, return_exceptions=True)
        assert [type(result) for result in results[:3]] == [RuntimeError, RuntimeError, str]
        assert all(isinstance(result, str) for result in results[3:])

    run(body)
