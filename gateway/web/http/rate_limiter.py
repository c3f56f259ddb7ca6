"""Is somebody flooding us? Sheds calls before they cost anything: by address until possession is proven, by client after.

`limits` with a moving window; it fails closed: when its store cannot be reached, calls are refused as overloaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.storage import storage_from_string

from gateway.clock import SECOND, Clock
from gateway.errors import Cause, Refused
from gateway.web.http.headers import network_of

_Value = TypeVar("_Value")
_log = structlog.get_logger("gateway")
PATIENCE = 0.5  # seconds that the store has to answer
NAMES = 100_000  # clients and addresses remembered at once; anyone may come from many addresses


class RateLimiter:
    """Two limits in one store: `failures` by address, `calls` by client.

    The store is not asked for every call: a client's calls are taken a hundredth of its limit at a time, and an address
    that was found clean stays so for a second, or until it fails here.
    """

    def __init__(self, store: str, failures: str, calls: str, clock: Clock, ipv6_prefix: int = 64) -> None:
        """`store` is memory:// or a Valkey/Redis URL; the limits are like "600/minute"; see `network_of` for the prefix."""
        self._limiter = SlidingWindowCounterRateLimiter(_storage(store))
        self._clock = clock
        self._prefix = ipv6_prefix
        self._failures: RateLimitItem = parse(failures)
        self._calls: RateLimitItem = parse(calls)
        self.fault = ""
        self._portion = max(self._calls.amount // 100, 1)
        self._taken: dict[str, tuple[int, int]] = {}  # client → (calls left of its portion, until when it holds)
        self._clean: dict[str, int] = {}  # address → until when it counts as clean

    async def admit_address(self, address: str) -> None:
        """Raises Refused(RATE_EXCEEDED, OVERLOADED) when too many calls from here failed to identify themselves."""
        now, address = self._clock.now(), network_of(address, self._prefix)
        if self._clean.get(address, 0) > now:
            return
        if not await self._asked(self._limiter.test(self._failures, "address", address)):
            raise await self._refused(self._failures, "address", address)
        _keep(self._clean, address, now + SECOND)

    async def count_failure(self, address: str) -> None:
        """One more call from here did not prove who it is from."""
        address = network_of(address, self._prefix)
        self._clean.pop(address, None)
        await self._asked(self._limiter.hit(self._failures, "address", address))

    async def admit_client(self, client: str) -> None:
        """Count a call of an identified client. Raises Refused(RATE_EXCEEDED, OVERLOADED) when there are too many."""
        now = self._clock.now()
        left, until = self._taken.get(client, (0, 0))
        if not left or until <= now:
            if not await self._asked(self._limiter.hit(self._calls, "client", client, cost=self._portion)):
                raise await self._refused(self._calls, "client", client)
            left, until = self._portion, now + SECOND
        _keep(self._taken, client, (left - 1, until))

    async def health(self) -> str:
        """Why nobody is let in at present; empty when the store answers."""
        with suppress(Refused):
            await self._asked(self._limiter.test(self._failures, "health", "health"))
        return self.fault

    async def _asked(self, question: Coroutine[Any, Any, bool]) -> bool:
        """What the store says; a store that does not answer, or not in time, lets nobody in."""
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await question
        except Exception as fault:
            if not self.fault:
                _log.error("the door's store does not answer: nobody is let in", reason=type(fault).__name__)
            self.fault = "the door's store does not answer"
            raise Refused(Cause.OVERLOADED, retry_after=1) from fault
        if self.fault:
            _log.warning("the door's store answers again")
        self.fault = ""
        return answer

    async def _refused(self, item: RateLimitItem, kind: str, name: str) -> Refused:
        reset, _ = await self._limiter.get_window_stats(item, kind, name)
        return Refused(
            Cause.RATE_EXCEEDED, limit="door", retry_after=max(int(reset - self._clock.now() / SECOND) + 1, 1)
        )


def _storage(store: str) -> Any:  # noqa: ANN401  a storage of limits
    return MemoryStorage() if store == "memory://" else storage_from_string(f"async+{store}", implementation="valkey")


def _keep(memory: dict[str, _Value], name: str, value: _Value) -> None:
    if len(memory) >= NAMES:
        memory.clear()
    memory[name] = value
