"""Until when is a regency's register complete, and how late is that?"""

from __future__ import annotations

from gateway.clock import SECOND

AHEAD = 60 * SECOND
"""So far the clock of an office may be ahead of the centre's."""


def advance(current: int, told: int, now: int) -> int:
    """The watermark after a batch that says to be complete until `told`; it never goes back, and never into the future."""
    return max(current, min(told, now))


def lag_seconds(complete_until: int, now: int) -> int:
    """How late a regency's register is, in seconds."""
    return max(now - complete_until, 0) // SECOND
