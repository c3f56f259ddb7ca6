"""Which day is it where the gateway counts days? In Jakarta, seven hours ahead of the machine's UTC."""

from __future__ import annotations

from datetime import timedelta

from gateway.clock import SystemClock, jakarta_date


def day(offset: int = 0) -> str:
    """A day in Jakarta, so many days from today, as `YYYY-MM-DD`."""
    return str(jakarta_date(SystemClock().now()) + timedelta(days=offset))
