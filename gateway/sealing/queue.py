"""Who seals, and when? One sealer per node: whatever is submitted while a transaction is under way goes into the next.

With one worker it is this task and its one thread; with several, its own process, which the workers reach over a socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from gateway.errors import Cause, CommitUnknown, Refused, StoreUnavailable
from gateway.sealing.sealer import Sealer
from gateway.sealing.submission import Outcome, Submission

MOST = 512  # outcomes in one transaction of single calls
QUEUE = 20_000  # outcomes that may wait


class Sealing(Protocol):
    """The port through which a worker seals."""

    async def seal(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """One outcome each, durable. Raises CommitUnknown, or Refused (LEDGER_UNAVAILABLE, OVERLOADED)."""

    async def close(self) -> None:
        """Seal what waits, then stop."""


def _told(fault: Exception) -> Exception:
    """What those who wait are told: a database that did not answer has changed nothing, unless it was at COMMIT."""
    if isinstance(fault, StoreUnavailable) and not isinstance(fault, CommitUnknown):
        return Refused(Cause.LEDGER_UNAVAILABLE, retry_after=1)
    return fault


class LocalSealing:
    """Seals in this process, in a thread of its own."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sealer")
        self._singles: deque[tuple[Sequence[Submission], asyncio.Future[list[Outcome]]]] = deque()
        self._batches: deque[tuple[Sequence[Submission], asyncio.Future[list[Outcome]]]] = deque()
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None

    async def seal(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """See `Sealing.seal`."""
        size = sum(len(each.drafts) for each in submissions)
        if self._waiting + size > QUEUE:
            raise Refused(Cause.OVERLOADED, retry_after=1)
        self._waiting += size
        future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        lane = self._batches if any(each.batch for each in submissions) else self._singles
        lane.append((submissions, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._singles or self._batches:
                for lane, most in ((self._singles, MOST), (self._batches, 1)):
                    taken: list[tuple[Sequence[Submission], asyncio.Future[list[Outcome]]]] = []
                    size = 0
                    while lane and size < most:
                        taken.append(lane.popleft())
                        size += sum(len(each.drafts) for each in taken[-1][0])
                    if not taken:
                        continue
                    self._waiting -= size
                    together = [submission for submissions, _ in taken for submission in submissions]
                    try:
                        outcomes = iter(await loop.run_in_executor(self._thread, self._sealer.seal, together))
                    except Exception as fault:  # noqa: BLE001  whatever it is, it belongs to those who wait
                        for _, future in taken:
                            if not future.done():
                                future.set_exception(_told(fault))
                        continue
                    for submissions, future in taken:
                        own = [next(outcomes) for _ in submissions]
                        if not future.done():
                            future.set_result(own)
        finally:
            self._task = None

    async def close(self) -> None:
        """See `Sealing.close`."""
        while self._task is not None:
            await asyncio.wait([self._task])
        self._thread.shutdown()
