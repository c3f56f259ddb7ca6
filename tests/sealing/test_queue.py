"""The one sealer of a node: many callers share a transaction, and each gets their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from submissions import ENTROPY, ISSUER, Deployment, body, cause, draft, refusal, submit

from gateway.errors import Cause, CommitUnknown, GatewayError, Refused, StoreUnavailable
from gateway.sealing import queue as sealing_room
from gateway.sealing.queue import LocalSealing
from gateway.sealing.sealer import Sealer
from gateway.sealing.submission import Failed, SealTransaction, Submission
from gateway.store.sealing.seals import SealsOf
from gateway.web.http.problems import Problems


class Watched(SealsOf):
    """Counts transactions; holds the next one until it is let go; fails as it is told."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment.database)
        self.transactions = 0
        self.faults: list[Exception] = []
        self.go = threading.Event()
        self.go.set()

    @contextmanager
    def transaction(self) -> Iterator[SealTransaction]:
        self.go.wait(10)
        if self.faults:
            raise self.faults.pop()
        self.transactions += 1
        with super().transaction() as transaction:
            yield transaction


class Bench:
    """A sealing over a watched store."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.store = Watched(deployment)
        self.sealing = LocalSealing(Sealer(self.store, deployment.keyring, ENTROPY, Problems(ISSUER)))

    async def together(self, *calls: Sequence[Submission]) -> list[Any]:
        """Submit all of these while another transaction is under way; their outcomes or faults."""
        self.store.go.clear()
        first = asyncio.ensure_future(self.sealing.seal([submit()]))
        await asyncio.sleep(0.02)
        tasks = [asyncio.ensure_future(self.sealing.seal(call)) for call in calls]
        await asyncio.sleep(0)
        self.store.go.set()
        await first
        return list(await asyncio.gather(*tasks, return_exceptions=True))


@pytest.fixture
def run(deployment: Deployment) -> Callable[[Callable[[Bench], Any]], None]:
    """Runs a coroutine over a bench, and closes it."""

    def whole(body: Callable[[Bench], Any]) -> None:
        async def main() -> None:
            bench = Bench(deployment)
            await body(bench)
            await bench.sealing.close()

        asyncio.run(main())

    return whole


def test_many_callers_share_transactions(run: Any) -> None:
    """A hundred that come while one is under way are sealed by one more; each gets the outcome of their own."""

    async def body_of(bench: Bench) -> None:
        drafts = [draft() for _ in range(100)]
        outcomes = await bench.together(*([submit(each)] for each in drafts))
        assert [body(outcome[0])["id"] for outcome in outcomes] == [each.id for each in drafts]
        assert bench.store.transactions == 2
        assert bench.deployment.check().size == 101

    run(body_of)


def test_a_transaction_has_a_bound(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many outcomes of single calls in one, the rest in the next."""
    monkeypatch.setattr(sealing_room, "MOST", 10)

    async def body_of(bench: Bench) -> None:
        await bench.together(*([submit()] for _ in range(25)))
        assert bench.store.transactions == 1 + 3

    run(body_of)


def test_batches_go_alone_and_in_turn_with_singles(run: Any) -> None:
    """A batch is a transaction of its own, and does not keep single calls waiting behind all batches."""

    async def body_of(bench: Bench) -> None:
        batches = [[submit(*(draft() for _ in range(5)))] for _ in range(3)]
        outcomes = await bench.together(*batches, *([submit()] for _ in range(4)))
        assert [len(body(outcome[0]).get("items", ())) for outcome in outcomes] == [5, 5, 5, 0, 0, 0, 0]
        assert bench.store.transactions == 1 + 3 + 1
        kinds = [leaf["actor"] for leaf in bench.deployment.leaves()]
        assert len(kinds) == 20

    run(body_of)


def test_a_call_of_several_submissions_gets_as_many_outcomes(run: Any) -> None:
    """In its own order, mixed with those of others."""

    async def body_of(bench: Bench) -> None:
        mine = [submit(), submit(refusal()), submit()]
        outcomes = await bench.together([submit()], mine, [submit(refusal())])
        assert [[cause(one) for one in outcome] for outcome in outcomes] == [
            [""],
            ["", "claim-not-agreed", ""],
            ["claim-not-agreed"],
        ]

    run(body_of)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (StoreUnavailable("gone"), Refused),
        (CommitUnknown("lost"), CommitUnknown),
        (GatewayError("broken"), GatewayError),
    ],
)
def test_a_failed_transaction_is_told_to_its_callers_alone(
    run: Any, fault: GatewayError, told: type[Exception]
) -> None:
    """`ledger-unavailable` where nothing was changed, unknown where that cannot be said; the next call is sealed."""

    async def body_of(bench: Bench) -> None:
        bench.store.go.clear()
        first = asyncio.ensure_future(bench.sealing.seal([submit()]))
        second = asyncio.ensure_future(bench.sealing.seal([submit()]))
        await asyncio.sleep(0)
        bench.store.faults = [fault]
        bench.store.go.set()
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert {type(result) for result in results} == {told}
        if isinstance(results[0], Refused):
            assert results[0].refusal.cause is Cause.LEDGER_UNAVAILABLE
            assert results[0].refusal.facts["retry_after"] == 1
        assert cause((await bench.sealing.seal([submit()]))[0]) == ""
        assert bench.deployment.check().size == 1

    run(body_of)


def test_an_offender_does_not_spoil_its_company(run: Any) -> None:
    """A poisoned call of one client among those of others."""

    async def body_of(bench: Bench) -> None:
        poisoned = submit(draft(purpose="\ud800"))
        outcomes = await bench.together([submit()], [poisoned], [submit()])
        assert [type(outcome[0]) is Failed for outcome in outcomes] == [False, True, False]

    run(body_of)


def test_the_queue_has_a_bound(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it a call is refused at once; what waits is sealed, and then there is room again."""
    monkeypatch.setattr(sealing_room, "QUEUE", 10)

    async def body_of(bench: Bench) -> None:
        outcomes = await bench.together(
            *([submit()] for _ in range(9)), *([submit()] for _ in range(3)), [submit(*(draft() for _ in range(4)))]
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
        assert len(refused) in {3, 4}
        assert {one.refusal.cause for one in refused} == {Cause.OVERLOADED}
        assert cause((await bench.sealing.seal([submit()]))[0]) == ""

    run(body_of)


def test_a_caller_who_gave_up_harms_nobody(run: Any) -> None:
    """Its call is sealed all the same, for it was submitted; the others get theirs."""

    async def body_of(bench: Bench) -> None:
        bench.store.go.clear()
        tasks = [asyncio.ensure_future(bench.sealing.seal([submit()])) for _ in range(3)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        await asyncio.sleep(0)
        bench.store.go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[1], asyncio.CancelledError)
        assert [cause(results[at][0]) for at in (0, 2)] == ["", ""]

    run(body_of)


def test_closing_seals_what_waits(deployment: Deployment) -> None:
    """Then it ends."""

    async def main() -> None:
        bench = Bench(deployment)
        bench.store.go.clear()
        tasks = [asyncio.ensure_future(bench.sealing.seal([submit()])) for _ in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(bench.sealing.close())
        await asyncio.sleep(0)
        bench.store.go.set()
        await closing
        assert [cause(one) for (one,) in await asyncio.gather(*tasks)] == [""] * 5

    asyncio.run(main())
    assert deployment.check().size == 5
