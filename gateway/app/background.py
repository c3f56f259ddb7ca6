"""What is done again and again beside the calls? Each round fails alone, and is made again at its next time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from gateway.clock import SECOND
from gateway.errors import GatewayError, StoreUnavailable
from gateway.oauth.external import ExternalTokens
from gateway.store.administration.duties import Watch
from gateway.store.base.engine import Database
from gateway.store.feeds.offices import Feeds
from gateway.store.search.copy import AfterCopy, Follower
from gateway.store.verification.latencies import keep
from gateway.store.verification.reading import ThreadedReading
from gateway.web.api.components import Components

WATCH_EVERY = 60  # seconds between two looks at duties, keys and allowances
RENEW_EVERY = 15  # seconds between two looks at the age of another issuer's keys
COUNT_EVERY = 60  # seconds between entries that count what was refused before identity
GO_ON_EVERY = 60  # seconds between two looks for batches that a killed process has left
FOLLOW_EVERY = 10  # seconds between two looks at what the copy for searches lacks of the log
FOLLOW_MOST, FOLLOW_PAUSE = 500, 0.1  # entries at a time, and seconds between while there are more
SUM_AFTER = 2_000  # entries copied, after which they are summed up
TRUST_EVERY = 5  # seconds until a newly registered self-signed certificate is known to the listener
Trust = Callable[[Collection[bytes]], None]  # takes the self-signed certificates (DER) that clients have registered
_log = structlog.get_logger("gateway")


@asynccontextmanager
async def going_on(rounds: Collection[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """While this lasts, the rounds are made."""
    tasks = [asyncio.create_task(each) for each in rounds]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def keep_renewed(external: ExternalTokens) -> None:
    """Fetch the other issuer's keys at once and before they grow old; while that fails, its tokens wear out."""
    while True:
        if external.due():
            try:
                await external.refresh()
            except GatewayError as fault:
                _log.warning("the keys of the other issuer could not be fetched", reason=str(fault))
        await asyncio.sleep(RENEW_EVERY)


async def count(components: Components) -> None:
    """Seal every minute how many calls were refused before identity."""
    while True:
        await asyncio.sleep(COUNT_EVERY)
        await count_once(components)


async def watch_over(watch: Watch) -> None:
    """Look after duties, keys and allowances; of several nodes one does, see `Watch.round`."""
    while True:
        try:
            await asyncio.to_thread(watch.round, WATCH_EVERY * SECOND)
        except GatewayError as fault:
            _log.warning("duties could not be looked after", reason=str(fault))
        await asyncio.sleep(WATCH_EVERY)


async def go_on_with(feeds: Feeds) -> None:
    """Apply what waits in a feed that nothing is missing in: a process was killed before it could."""
    while True:
        try:
            await asyncio.to_thread(feeds.go_on)
        except GatewayError as fault:
            _log.warning("held batches could not be applied", reason=str(fault))
        await asyncio.sleep(GO_ON_EVERY)


async def follow(follower: Follower, sums: Sequence[AfterCopy]) -> None:
    """Keep what the log is searched and summed up by up to the log, a little at a time: the seal is not kept waiting."""
    pause: float = FOLLOW_EVERY
    unsummed = 0
    while True:
        await asyncio.sleep(pause)
        try:
            copied = await asyncio.to_thread(follower.follow, FOLLOW_MOST)
            more, unsummed = copied >= FOLLOW_MOST, unsummed + copied
            if not more or unsummed >= SUM_AFTER:
                unsummed = 0
                for each in sums:
                    await asyncio.sleep(FOLLOW_PAUSE)
                    more |= await asyncio.to_thread(each.follow, SUM_AFTER) >= SUM_AFTER
            pause = FOLLOW_PAUSE if more else FOLLOW_EVERY
        except GatewayError as fault:
            _log.warning("the search copy of the log could not follow it", reason=str(fault))


async def keep_times(components: Components, database: Database, worker: str) -> None:
    """Write down every minute how long the verifications of this worker took."""
    while True:
        await asyncio.sleep(COUNT_EVERY)
        await keep_times_once(components, database, worker)


async def keep_times_once(components: Components, database: Database, worker: str) -> None:
    """Write down what was counted since the last time; what cannot be written is counted on."""
    counts = components.metrics.take_counts()
    try:
        await asyncio.to_thread(keep, database, worker, counts, components.clock.now())
    except GatewayError as fault:
        components.metrics.put_back(counts)
        _log.warning("the times of verifications could not be written down", reason=str(fault))


async def keep_trusting(reading: ThreadedReading, trust: Trust) -> None:
    """Tell the listener of self-signed certificates that were registered."""
    while True:
        await asyncio.sleep(TRUST_EVERY)
        try:
            trust(await reading.certificates())
        except StoreUnavailable as fault:
            _log.warning("registered certificates could not be read", reason=str(fault))


async def count_once(components: Components) -> None:
    """Seal what was counted since the last time; what cannot be sealed is counted on."""
    if not components.unidentified:
        return
    counts, components.unidentified = components.unidentified, {}
    try:
        await components.plain.count(counts)
    except GatewayError as fault:
        for cause, count in counts.items():  # nothing is lost: they go into the next entry
            components.unidentified[cause] = components.unidentified.get(cause, 0) + count
        _log.warning("calls refused before identity could not be counted", reason=str(fault))
