"""Which calls go through the corridor together? Those that arrive while others are under way wait, and go as one batch.

Single requests beside calls of many, never behind them; fair among clients; a predicted wait over 250 ms is refused.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.clock import SECOND, Clock
from gateway.errors import CallerGone, Cause, Refused

MOST = 128  # questions in one batch of single requests
PATIENCE = SECOND // 4
QUIET = 4  # turns of the loop without a newcomer, after which nobody more is expected
TURNS = 24  # after which nobody more is waited for
_KEPT = 0.9  # of what was measured before, with each new batch


class Pace:
    """What batches take: a part for each batch and one for each question (µs), by least squares that forget.

    A small batch says little of a question's part: most of what it takes is its own.
    """

    def __init__(self, batch: float = 0.0, question: float = 100.0) -> None:
        self.batch = batch
        self.question = question
        self._sums = (0.0, 0.0, 0.0, 0.0, 0.0)  # of 1, sizes, times, sizes squared, sizes times times

    def note(self, size: int, took: float) -> None:
        """A batch of `size` questions took so long."""
        new = (1.0, size, took, size * size, size * took)
        self._sums = count, sizes, times, squares, products = tuple(  # type: ignore[assignment]  # five of them
            [_KEPT * old + one for old, one in zip(self._sums, new, strict=True)]
        )
        spread = count * squares - sizes * sizes
        self.question = (count * products - sizes * times) / spread if spread > count * count / 100 else times / sizes
        self.question = min(max(self.question, 0.0), times / sizes)
        self.batch = max((times - self.question * sizes) / count, 0.0)

    def wait(self, questions: int) -> float:
        """How long it will be until so many are through, in batches as large as may be."""
        return -(-questions // MOST) * self.batch + questions * self.question


@dataclass(slots=True, eq=False)
class Ticket:
    """One call that waits: whose it is, how many questions it has, whether its caller has gone away."""

    client: str
    size: int
    call: Any
    gone: Callable[[], bool]
    outcome: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class RequestBatcher:
    """Gathers calls and lets `settle` have them in batches."""

    def __init__(self, settle: Callable[[Sequence[Any]], Awaitable[Sequence[Any]]], clock: Clock) -> None:
        self._settle = settle
        self._clock = clock
        self._singles: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._batches: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._waiting = 0  # questions that wait
        self._pace = Pace()
        # One batch of singles and one call of many at once: more would be smaller, and what a batch costs not shared.
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._gathering = 0  # turns of the loop that the next batch has been waited for; 0: it is not
        self._quiet = 0  # those of them since the last newcomer
        self._ended = 0

    async def enter(self, client: str, size: int, call: Any, gone: Callable[[], bool]) -> Any:  # noqa: ANN401
        """The outcome of `call`. Raises Refused(OVERLOADED) when the wait would be too long."""
        wait = self._pace.wait(self._waiting)
        if wait > PATIENCE and self._waiting > MOST:
            raise Refused(Cause.OVERLOADED, retry_after=max(int(wait // SECOND), 1))
        ticket = Ticket(client, size, call, gone)
        lane = self._singles if size == 1 else self._batches
        queue = lane.get(client)
        if queue is None:
            queue = lane[client] = deque()
        queue.append(ticket)
        self._waiting += size
        self._quiet = 0
        self._gather()
        return await ticket.outcome

    def _gather(self) -> None:
        """Open soon, not at once: whoever has just been answered, or is being read, shall go with the same batch."""
        if not self._gathering:
            self._gathering = 1
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._quiet += 1
        self._gathering += 1
        if self._quiet < QUIET and self._gathering < TURNS and self._waiting < MOST:
            asyncio.get_running_loop().call_soon(self._look)
            return
        self._gathering = self._quiet = 0
        self._open()

    def _open(self) -> None:
        for name, lane, most in (("singles", self._singles, MOST), ("batches", self._batches, 1)):
            if lane and name not in self._under_way:
                task = self._under_way[name] = asyncio.create_task(self._pass(self._take(lane, most)), name=name)
                task.add_done_callback(self._close)

    def _close(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task.get_name()]
        self._gather()

    def _take(self, lane: OrderedDict[str, deque[Ticket]], most: int) -> list[Ticket]:
        """The next batch of a lane: up to `most` calls, one a client and round."""
        taken: list[Ticket] = []
        while lane and len(taken) < most:
            client, queue = lane.popitem(last=False)
            taken.append(queue.popleft())
            if queue:
                lane[client] = queue
        self._waiting -= sum(ticket.size for ticket in taken)
        return taken

    async def _pass(self, batch: list[Ticket]) -> None:
        here: list[Ticket] = []
        for ticket in batch:
            if ticket.outcome.done():  # whoever waited was cancelled
                continue
            if ticket.gone():
                ticket.outcome.set_exception(CallerGone())
            else:
                here.append(ticket)
        if not here:
            return
        began = self._clock.now()
        try:
            outcomes = await self._settle([ticket.call for ticket in here])
        except Exception as fault:  # noqa: BLE001  whatever it is, it belongs to those who wait
            for ticket in here:
                if not ticket.outcome.done():
                    ticket.outcome.set_exception(fault)
            return
        for ticket, outcome in zip(here, outcomes, strict=True):
            if not ticket.outcome.done():
                ticket.outcome.set_result(outcome)
        now = self._clock.now()
        self._pace.note(sum(ticket.size for ticket in here), now - max(began, self._ended))
        self._ended = now
