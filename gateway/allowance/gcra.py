"""May one more call pass at this instant? The generic cell rate algorithm (ITU-T I.371), in whole microseconds.

`burst` calls per second on average, and up to `burst` at once. State is one number, the *theoretical arrival time*.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.clock import SECOND


@dataclass(frozen=True, slots=True)
class Gauge:
    """What is left of a burst: `left` calls now; after `reset` microseconds it is whole again; one more in `retry`."""

    left: int
    reset: int
    retry: int


def interval(burst: int) -> int:
    """Microseconds between calls at the agreed rate."""
    return -(-SECOND // burst)  # rounded up: never faster than agreed


def spend(tat: int, now: int, burst: int, cost: int = 1) -> tuple[bool, int]:
    """Take `cost` calls at `now`: (whether they fit, the new theoretical arrival time). Unchanged when they do not."""
    step = interval(burst)
    later = max(tat, now) + cost * step
    if later - now > burst * step:
        return False, tat
    return True, later


def wait(tat: int, now: int, burst: int, cost: int) -> int:
    """Microseconds until `cost` calls fit that do not now; until the burst is whole again for more than it ever holds."""
    step = interval(burst)
    return max(tat - now, 0) + min(cost - burst, 0) * step or step


def gauge(tat: int, now: int, burst: int) -> Gauge:
    """How the burst stands at `now`."""
    step = interval(burst)
    used = max(tat - now, 0)
    left = max((burst * step - used) // step, 0)
    return Gauge(left, used, 0 if left else used - (burst - 1) * step)
