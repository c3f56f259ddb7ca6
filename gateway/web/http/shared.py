"""What does it cost that many ask for the same at once? It is made once, for all who ask within a fifth of a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from gateway.clock import SECOND, Clock

LIFE = SECOND // 5
_Value = TypeVar("_Value")


class Shared(Generic[_Value]):
    """A public document that is read from elsewhere: nobody has to say who asks, so asking often must cost nothing."""

    def __init__(self, make: Callable[[], Awaitable[_Value]], clock: Clock) -> None:
        self._make, self._clock = make, clock
        self._making: asyncio.Task[_Value] | None = None
        self._until = 0

    async def get(self) -> _Value:
        """The document, not older than that. Raises whatever making it raised."""
        # A clock that was set back makes nothing younger.
        fresh = self._until - LIFE <= self._clock.now() < self._until
        if self._making is None or (self._making.done() and not fresh):
            self._making = asyncio.ensure_future(self._timed())
        return await asyncio.shield(self._making)

    async def _timed(self) -> _Value:
        try:
            return await self._make()
        finally:
            self._until = self._clock.now() + LIFE
