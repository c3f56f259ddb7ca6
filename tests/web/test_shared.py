"""What many ask for at once: how often is it made?"""

from __future__ import annotations

import asyncio

import pytest

from gateway.web.http.shared import LIFE, Shared


class HandClock:
    """A clock that stands where it was put."""

    at = 1

    def now(self) -> int:
        """The time."""
        return self.at


def test_it_is_made_once_for_all_who_ask_together() -> None:
    """Concurrent and close calls share one; a fault is everybody's and not kept; whoever leaves takes nobody along."""
    clock, made = HandClock(), 0

    async def make() -> int:
        nonlocal made
        made += 1
        await asyncio.sleep(0)
        if made == 2:  # the second time
            raise LookupError
        return made

    async def run() -> None:
        shared = Shared(make, clock)
        leaving = asyncio.ensure_future(shared.get())
        others = [asyncio.ensure_future(shared.get()) for _ in range(50)]
        await asyncio.sleep(0)
        leaving.cancel()
        assert await asyncio.gather(*others) == [1] * 50
        assert await shared.get() == 1
        clock.at += LIFE
        with pytest.raises(LookupError):
            await shared.get()
        clock.at += LIFE
        assert await shared.get() == 3

    asyncio.run(run())


def test_a_clock_that_is_set_back_keeps_nothing_fresh() -> None:
    """What was made at a moment that has not come yet is made anew."""
    clock, made = HandClock(), []

    async def make() -> int:
        made.append(clock.at)
        return len(made)

    async def run() -> None:
        shared = Shared(make, clock)
        assert [await shared.get(), await shared.get()] == [1, 1]
        clock.at -= 600_000_000
        assert await shared.get() == 2

    asyncio.run(run())
