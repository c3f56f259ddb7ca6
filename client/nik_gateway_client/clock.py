"""What time is it, and where does chance come from? The client's only door to both.

Instants are integers: microseconds since 1970-01-01T00:00Z. The duties of agreements are due by days in Asia/Jakarta (UTC+7).
"""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, date, datetime, timedelta

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
)


class LocalClock:
    """The clock of the machine that asks."""

    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00Z."""
        return time.time_ns() // 1000


class LocalEntropy:
    """The operating system's random generator."""

    def bytes(self, count: int) -> bytes:
        """`count` bytes fit for keys and nonces."""
        return os.urandom(count)


def uuid7(now: int, entropy: LocalEntropy) -> str:
    """A UUID of version 7 (RFC 9562 §5.7) for the instant `now`: sorts by time, 36 characters."""
    random = int.from_bytes(entropy.bytes(10), "big")
    value = (now // 1000 & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 64 & 0xFFF) << 64
    value |= 2 << 62 | random & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def parse_rfc3339(text: str) -> int:
    """The instant that an RFC 3339 text with an offset names. Raises ValueError on anything else."""
    if not _RFC3339.match(text):  # `fromisoformat` reads more than RFC 3339
        msg = f"{text!r} is not of the form 2026-11-24T02:11:09Z"
        raise ValueError(msg)
    return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)


def jakarta_date(instant: int) -> date:
    """The calendar day in Asia/Jakarta at `instant`."""
    return (_EPOCH + timedelta(microseconds=instant + 7 * HOUR)).date()
