"""How many wrong guesses about one NIK has a partner left? A sliding window of 24 hours over distinct guesses.

The very same guess again is no new guess; success never refills; once spent, right guesses are refused too.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gateway.clock import DAY, SECOND

WINDOW = DAY
GUESS = 8
_row = struct.Struct(f">IB{GUESS}s")


@dataclass(frozen=True, slots=True)
class Guess:
    """One wrong guess: when (seconds since 1970), what it cost, and the first 8 bytes of its keyed hash."""

    at: int
    cost: int
    hash: bytes


def decode(blob: bytes, now: int) -> tuple[Guess, ...]:
    """The guesses of a stored row that still count at `now`, oldest first."""
    since = (now - WINDOW) // SECOND  # a guess may be from the end of its second: it counts until that is 24 hours ago
    return tuple(guess for guess in (Guess(*row) for row in _row.iter_unpack(blob)) if guess.at >= since)


def encode(guesses: tuple[Guess, ...]) -> bytes:
    """The row to store."""
    return b"".join(_row.pack(guess.at, guess.cost, guess.hash) for guess in guesses)


def spent(guesses: tuple[Guess, ...]) -> int:
    """What the guesses have cost."""
    return sum(guess.cost for guess in guesses)


def resets_at(guesses: tuple[Guess, ...], budget: int) -> int:
    """The instant (microseconds) at which enough guesses have grown old for one more. Needs `spent >= budget`."""
    left = spent(guesses)
    for guess in guesses:
        left -= guess.cost
        if left < budget:
            return (guess.at + 1) * SECOND + WINDOW
    return 0


def charge(guesses: tuple[Guess, ...], cost: int, hash: bytes, now: int) -> tuple[Guess, ...]:  # noqa: A002
    """The guesses after a wrong one; the same one again changes nothing."""
    hash = hash[:GUESS]  # noqa: A001
    if any(guess.hash == hash for guess in guesses):
        return guesses
    return (*guesses, Guess(now // SECOND, cost, hash))
