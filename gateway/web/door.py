"""Is somebody flooding us? Sheds calls before they cost anything: by address until possession is proven, by client after.

`limits` with a moving window; it fails closed: when its store cannot be reached, calls are refused as overloaded.
"""

from __future__ import annotations

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from limits.storage import storage_from_string

from gateway.clock import SECOND, Clock
from gateway.errors import Cause, Refused

Limiter = MovingWindowRateLimiter | SlidingWindowCounterRateLimiter | FixedWindowRateLimiter


class Door:
    """Two limits in one store: `failures` by address, `calls` by client."""

    def __init__(self, store: str, failures: str, calls: str, clock: Clock) -> None:
        """`store` is memory:// or a Valkey/Redis URL; the limits are like "600/minute"."""
        if store == "memory://":
            self._limiter: Limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        else:
            self._limiter = SlidingWindowCounterRateLimiter(
                storage_from_string(f"async+{store}", implementation="valkey")
            )
        self._clock = clock
        self._failures: RateLimitItem = parse(failures)
        self._calls: RateLimitItem = parse(calls)

    async def admit_address(self, address: str) -> None:
        """Raises Refused(RATE_EXCEEDED, OVERLOADED) when too many calls from here have failed to identify themselves."""
        try:
            admitted = await self._limiter.test(self._failures, "address", address)
        except Exception as fault:
            raise Refused(Cause.OVERLOADED, retry_after=1) from fault
        if not admitted:
            raise await self._refused(self._failures, "address", address)

    async def count_failure(self, address: str) -> None:
        """One more call from here did not prove who it is from."""
        try:
            await self._limiter.hit(self._failures, "address", address)
        except Exception as fault:
            raise Refused(Cause.OVERLOADED, retry_after=1) from fault

    async def admit_client(self, client: str) -> None:
        """Count a call of an identified client. Raises Refused(RATE_EXCEEDED, OVERLOADED) when there are too many."""
        try:
            admitted = await self._limiter.hit(self._calls, "client", client)
        except Exception as fault:
            raise Refused(Cause.OVERLOADED, retry_after=1) from fault
        if not admitted:
            raise await self._refused(self._calls, "client", client)

    async def _refused(self, item: RateLimitItem, kind: str, name: str) -> Refused:
        reset, _ = await self._limiter.get_window_stats(item, kind, name)
        return Refused(
            Cause.RATE_EXCEEDED, limit="door", retry_after=max(int(reset - self._clock.now() / SECOND) + 1, 1)
        )
