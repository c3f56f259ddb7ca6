"""How much of a day's and a month's allowance is spent? Days and months are those of Asia/Jakarta."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from gateway.clock import DAY, JAKARTA, jakarta_date, jakarta_midnight


def day_of(instant: int) -> int:
    """The number of the Jakarta day (days since 1970-01-01) at `instant`."""
    return (instant + JAKARTA) // DAY


def month_of(instant: int) -> int:
    """The number of the Jakarta month (12 · year + month − 1) at `instant`."""
    day = jakarta_date(instant)
    return day.year * 12 + day.month - 1


def day_ends(instant: int) -> int:
    """The instant at which the Jakarta day of `instant` is over."""
    return (day_of(instant) + 1) * DAY - JAKARTA


def month_ends(instant: int) -> int:
    """The instant at which the Jakarta month of `instant` is over."""
    return _end_of(month_of(instant))


@lru_cache(64)
def _end_of(month: int) -> int:
    year, following = divmod(month + 1, 12)
    return jakarta_midnight(date(year, following + 1, 1))
