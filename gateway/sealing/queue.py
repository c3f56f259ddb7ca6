"""Who seals, and when? One sealer per node: whatever is submitted while a transaction is under way goes into the next.

With one worker it is this task and its one thread; with several, its own process, which the workers reach over a socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog

from gateway.errors import Cause, CommitUnknown, Refused, StoreUnavailable
from gateway.sealing.sealer import Sealer
from gateway.sealing.submission import Outcome, Submission

_log = structlog.get_logger("gateway")
STALL = 1.0  # seconds that a transaction may take before those who wait for it are told to come back
EACH = 0.002  # seconds more for each outcome in it
MOST = 512  # outcomes in one transaction of single calls
QUEUE = 20_000  # outcomes that may wait


def patience(size: int) -> float:
    """How long a transaction of so many outcomes may take, in seconds."""
    return STALL + EACH * size


class Sealing(Protocol):
    """The port through which a worker seals."""

    async def seal(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """One outcome each, durable. Raises CommitUnknown, or Refused (LEDGER_UNAVAILABLE, OVERLOADED)."""

    async def health(self) -> str:
        """Why nothing is sealed at present; empty when it is."""

    async def close(self) -> None:
        """Seal what waits, then stop."""


def _told(fault: Exception) -> Exception:
    """What those who wait are told: a database that did not answer has changed nothing, unless it was at COMMIT."""
    if isinstance(fault, StoreUnavailable) and not isinstance(fault, CommitUnknown):
        return Refused(Cause.LEDGER_UNAVAILABLE, retry_after=1)
    return fault


_Waiting = tuple[Sequence[Submission], asyncio.Future[list[Outcome]]]


class LocalSealing:
    """Seals in this process, in a thread of its own."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sealer")
        self._singles: deque[_Waiting] = deque()
        self._batches: deque[_Waiting] = deque()
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None
        self._stalled = False
        self.fault = ""  # what the last transaction failed of; `keep_probing` finds out whether it is over

    async def health(self) -> str:
        """See `Sealing.health`."""
        return "a transaction has not ended in time" if self._stalled else self.fault

    def _stall(self, taken: Sequence[_Waiting]) -> None:
        """Whoever is in a transaction that takes too long may be sealed or not, whoever waits for the next is not."""
        self._stalled = True
        _log.error("sealing has stalled", waiting=self._waiting)
        for _, future in taken:
            if not future.done():
                future.set_exception(CommitUnknown("the transaction has not ended in time"))
        for lane in (self._singles, self._batches):
            while lane:
                _, future = lane.popleft()
                if not future.done():
                    future.set_exception(Refused(Cause.LEDGER_UNAVAILABLE, retry_after=1))
        self._waiting = 0

    async def seal(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """See `Sealing.seal`."""
        if self._stalled:
            raise Refused(Cause.LEDGER_UNAVAILABLE, retry_after=1)
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
        try:
            while self._singles or self._batches:
                for lane, most in ((self._singles, MOST), (self._batches, 1)):
                    taken: list[_Waiting] = []
                    size = 0
                    while lane and size < most:
                        taken.append(lane.popleft())
                        size += sum(len(each.drafts) for each in taken[-1][0])
                    if taken:
                        self._waiting -= size
                        await self._together(taken, size)
        finally:
            self._task = None

    async def _together(self, taken: Sequence[_Waiting], size: int) -> None:
        """One transaction for all of these."""
        loop = asyncio.get_running_loop()
        together = [submission for submissions, _ in taken for submission in submissions]
        alarm = loop.call_later(patience(size), self._stall, taken)
        try:
            outcomes = iter(await loop.run_in_executor(self._thread, self._sealer.seal, together))
        except Exception as fault:  # noqa: BLE001  whatever it is, it belongs to those who wait
            self.fault = str(fault) if isinstance(fault, StoreUnavailable) else self.fault
            for _, future in taken:
                if not future.done():
                    future.set_exception(_told(fault))
            return
        finally:
            alarm.cancel()
            if self._stalled:
                _log.warning("sealing goes on")
            self._stalled = False
        self.fault = ""
        for submissions, future in taken:
            own = [next(outcomes) for _ in submissions]
            if not future.done():
                future.set_result(own)

    async def close(self) -> None:
        """See `Sealing.close`."""
        while self._task is not None:
            await asyncio.wait([self._task])
        self._thread.shutdown()
