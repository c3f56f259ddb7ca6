"""What time is it, and where does chance come from? The only door to both (handed in by `build`).

Instants are integers: microseconds since 1970-01-01T00:00Z. Days and months of allowances are those of
Asia/Jakarta (UTC+7, no daylight saving since 1964, so a fixed offset is exact).
"""

from __future__ import annotations

import os
import re
import threading
import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
JAKARTA = 7 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_rfc3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
).match


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00Z."""


class Entropy(Protocol):
    """Gives unpredictable bytes."""

    def bytes(self, count: int) -> bytes:
        """`count` bytes fit for keys and nonces."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """See `Clock.now`."""
        return time.time_ns() // 1000


_POOL = 4096


class SystemEntropy:
    """The operating system's random generator, asked for 4 KiB at a time; no byte is ever given twice.

    Not to be carried over a fork: both sides would give the same.
    """

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0
        self._lock = threading.Lock()

    def bytes(self, count: int) -> bytes:
        """See `Entropy.bytes`."""
        with self._lock:
            end = self._at + count
            if end > len(self._pool):
                self._pool = os.urandom(max(_POOL, count))
                self._at, end = 0, count
            taken = self._pool[self._at : end]
            self._at = end
        return taken


def uuid7(now: int, entropy: Entropy) -> str:
    """A UUID of version 7 (RFC 9562 §5.7) for the instant `now`: sorts by time, 36 characters."""
    random = int.from_bytes(entropy.bytes(10), "big")
    value = (now // 1000 & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 64 & 0xFFF) << 64
    value |= 2 << 62 | random & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_last_second = (-1, "")


def rfc3339(instant: int) -> str:
    """`instant` as RFC 3339 in UTC with exactly three digits of milliseconds: `2026-11-24T02:11:09.123Z`."""
    global _last_second  # noqa: PLW0603  one second's text serves thousands of answers
    seconds, micros = divmod(instant, SECOND)
    last = _last_second  # read once: another thread may write another second meanwhile
    if last[0] != seconds:
        last = _last_second = (seconds, (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S"))
    return f"{last[1]}.{micros // 1000:03d}Z"


@lru_cache(4096)  # few different ones are told: hours, days, the end of a token
def rfc3339_seconds(instant: int) -> str:
    """`instant` as RFC 3339 in UTC in whole seconds: `2026-11-24T01:00:00Z`."""
    return (_EPOCH + timedelta(seconds=instant // SECOND)).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str) -> int:
    """The instant that an RFC 3339 text with an offset names. Raises ValueError on anything else."""
    if not _rfc3339(text):  # `fromisoformat` reads more than RFC 3339
        msg = f"{text!r} is not of the form 2026-11-24T02:11:09Z"
        raise ValueError(msg)
    moment = datetime.fromisoformat(text.upper())
    return (moment - _EPOCH) // timedelta(microseconds=1)


def jakarta_date(instant: int) -> date:
    """The calendar day in Asia/Jakarta at `instant`."""
    return _date_of((instant + JAKARTA) // DAY)


@lru_cache(64)
def _date_of(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def jakarta_midnight(day: date) -> int:
    """The instant at which `day` begins in Asia/Jakarta."""
    return (day - date(1970, 1, 1)).days * DAY - JAKARTA
