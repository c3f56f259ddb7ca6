"""Several workers and one sealer: everything travels, nothing is mixed up, and a sealer that dies is no answer."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from submissions import EPOCHS, Deployment, body, cause, draft, guess, refusal, repeat, submit

from gateway.allowance.account import Room
from gateway.errors import Cause, CommitUnknown, Refusal, Refused
from gateway.sealing import socket as sealing_socket
from gateway.sealing.queue import LocalSealing
from gateway.sealing.socket import RemoteSealing, serve_sealing
from gateway.sealing.submission import Failed, Sealed, StaleEpoch, Submission


@asynccontextmanager
async def serving(deployment: Deployment, path: Path) -> AsyncIterator[asyncio.Event]:
    """A sealer behind the socket, until the block is left."""
    stop = asyncio.Event()
    task = asyncio.ensure_future(serve_sealing(path, LocalSealing(deployment.sealer), stop))
    while not path.exists():  # noqa: ASYNC110, ASYNC240  the sealer tells nobody but the file system
        await asyncio.sleep(0.002)
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


@pytest.fixture
def run(deployment: Deployment, tmp_path: Path) -> Callable[[Callable[..., Any]], None]:
    """Runs a coroutine with a served sealer and two workers."""

    def whole(body: Callable[..., Any]) -> None:
        async def main() -> None:
            path = tmp_path / "sealer"
            workers = [RemoteSealing(path) for _ in range(2)]
            async with serving(deployment, path):
                await body(*workers)
            for worker in workers:
                await worker.close()

        asyncio.run(main())

    return whole


def test_everything_travels(run: Any, deployment: Deployment) -> None:
    """Answers, refusals, batches, repetitions, moved epochs, readings and Retry-After come as from a sealer at home."""
    charges = (("pks-three", Room(1000, 3, 1000)), ("pks-other", Room(1000, 1000, 1000)))
    wrong = draft({"usable": False, "match": False}, charges=charges, attempt=guess(5, 2, "x"))
    kept = repeat("k")

    async def both(worker: RemoteSealing, other: RemoteSealing) -> None:
        mine = [
            submit(wrong, repeat=kept),
            submit(refusal()),
            submit(epochs={**EPOCHS, "house": 9}),
            submit(draft(purpose="a" * 70_000)),
        ]
        answered, refused, moved, long = await worker.seal(mine)
        assert body(answered)["id"] == wrong.id
        assert (cause(refused), cause(long)) == ("claim-not-agreed", "")
        assert moved == StaleEpoch(EPOCHS)
        batch, again = await other.seal(
            [submit(*(draft(ref=f"r{at}", charges=charges) for at in range(3))), submit(repeat=kept)]
        )
        items = body(batch)["items"]
        assert [item["ref"] for item in items] == ["r0", "r1", "r2"]
        assert [item["billed"] for item in items] == [True, True, False]
        assert again == replace(answered, readings=again.readings)
        (late,) = await other.seal([submit(draft(charges=charges))])
        assert isinstance(late, Sealed)
        assert late.cause == "allowance-exhausted"
        assert late.retry_after > 0
        assert {reading.name for reading in late.readings} == {"burst", "day", "month"}

    run(both)
    assert deployment.check().size == 8
    assert deployment.account("pks-other").day_spent == 3


def test_a_submission_is_the_same_on_the_other_side() -> None:
    """Every member of every kind of draft survives the socket's encoding."""
    whole = [
        submit(draft(attempt=guess(5, 2, "x"), ref="r"), repeat=repeat("k")),
        submit(draft(refusal=Refusal(Cause.NIK_FORMAT, {"fault": "date"}), charges=()), draft(), whole=True),
    ]
    packed = msgspec.msgpack.encode(whole)
    assert msgspec.msgpack.decode(packed, type=list[Submission]) == whole


def test_concurrent_calls_of_two_workers_are_not_mixed_up(run: Any, deployment: Deployment) -> None:
    """Forty at once over two lines: each gets its own, and both share transactions."""

    async def both(*workers: RemoteSealing) -> None:
        drafts = [draft() for _ in range(40)]
        outcomes = await asyncio.gather(*(workers[at % 2].seal([submit(each)]) for at, each in enumerate(drafts)))
        assert [body(outcome[0])["id"] for outcome in outcomes] == [each.id for each in drafts]

    run(both)
    assert deployment.check().size == 40


def test_a_poisoned_call_is_its_workers_alone(run: Any) -> None:
    """Failed travels as well; the line stays."""

    async def both(worker: RemoteSealing, other: RemoteSealing) -> None:
        poisoned, fine = await asyncio.gather(worker.seal([submit(draft(id="none"))]), other.seal([submit()]))
        assert isinstance(poisoned[0], Failed)
        assert cause(fine[0]) == ""
        assert cause((await worker.seal([submit()]))[0]) == ""

    run(both)


def test_a_refusal_to_seal_travels(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the sealer refuses as a whole is refused to the worker."""

    async def both(worker: RemoteSealing, _: RemoteSealing) -> None:
        async def refuse(*_: Any) -> Any:
            raise Refused(Cause.OVERLOADED, retry_after=3)

        with monkeypatch.context() as patch:
            patch.setattr(LocalSealing, "seal", refuse)
            with pytest.raises(Refused) as raised:
                await worker.seal([submit()])
        assert raised.value.refusal == Refusal(Cause.OVERLOADED, {"retry_after": 3})

    run(both)


def test_any_other_fault_is_an_unknown_commit(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker cannot tell what became of it, and is not left waiting."""

    async def both(worker: RemoteSealing, _: RemoteSealing) -> None:
        async def fail(*_: Any) -> Any:
            msg = "broken"
            raise RuntimeError(msg)

        with monkeypatch.context() as patch:
            patch.setattr(LocalSealing, "seal", fail)
            with pytest.raises(CommitUnknown):
                await worker.seal([submit()])
        assert cause((await worker.seal([submit()]))[0]) == ""

    run(both)


def test_only_its_own_user_may_seal(run: Any, tmp_path: Path) -> None:
    """The socket has mode 0600."""

    async def both(*_: RemoteSealing) -> None:
        assert stat.S_IMODE((tmp_path / "sealer").stat().st_mode) == 0o600

    run(both)


async def _cut(worker: RemoteSealing) -> None:
    """What a worker sees of a sealer that was killed: the line is gone."""
    assert worker._writer is not None
    worker._writer.transport.abort()


def test_a_sealer_that_dies_is_an_unknown_commit_and_then_works_again(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits is told that nobody knows; once a sealer is there again, the same worker seals through it."""
    path = tmp_path / "sealer"

    async def main() -> None:
        worker = RemoteSealing(path)
        async with serving(deployment, path):
            assert cause((await worker.seal([submit()]))[0]) == ""
            held = asyncio.Event()
            seal = LocalSealing.seal

            async def hold(self: LocalSealing, submissions: Any) -> Any:
                await held.wait()
                return await seal(self, submissions)

            with monkeypatch.context() as patch:
                patch.setattr(LocalSealing, "seal", hold)
                waiting = [asyncio.ensure_future(worker.seal([submit()])) for _ in range(3)]
                await asyncio.sleep(0.02)
                await _cut(worker)
                results = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(result) for result in results] == [CommitUnknown] * 3
            held.set()
        early = asyncio.ensure_future(worker.seal([submit()]))  # while there is no sealer
        await asyncio.sleep(0.05)
        assert not early.done()
        async with serving(deployment, path):
            assert cause((await early)[0]) == ""
            assert cause((await worker.seal([submit()]))[0]) == ""
            await worker.close()

    asyncio.run(main())


def test_a_sealer_that_does_not_come_back_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a little patience: `ledger-unavailable`, for nothing was submitted."""
    monkeypatch.setattr(sealing_socket, "PATIENCE", 0.1)

    async def main() -> None:
        worker = RemoteSealing(tmp_path / "none")
        with pytest.raises(Refused) as raised:
            await worker.seal([submit()])
        assert raised.value.refusal.cause is Cause.LEDGER_UNAVAILABLE
        await worker.close()

    asyncio.run(main())
