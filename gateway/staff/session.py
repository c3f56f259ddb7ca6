"""How long does somebody stay logged in? Half an hour without a call, a working day at most; a step-up lasts five minutes."""

from __future__ import annotations

from gateway.clock import HOUR, SECOND

IDLE = 30 * 60 * SECOND
WHOLE = 8 * HOUR
STEPPED_UP = 300 * SECOND
CHALLENGE = 300 * SECOND
"""How long a ceremony may take."""
NOTE_EVERY = 60 * SECOND
"""How far apart two calls must be for the later one to be written down as the last."""


def ends(began: int, seen: int) -> int:
    """When a session that began at `began` ends if nobody calls after `seen` (microseconds)."""
    return min(began + WHOLE, seen + IDLE)
