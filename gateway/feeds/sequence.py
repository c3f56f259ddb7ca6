"""Where does a batch stand in its feed? Applied in order, held when an earlier one is missing, given again when it is known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gateway.errors import Cause, Refused

AHEAD = 1_000
"""So far ahead of the next one a batch may be; further ahead it is a fault of the sender, not a gap."""
MOST_HELD = 200
"""So many batches are held for one regency; the sender comes again with more once the gap is closed."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is to be done with a batch: `repeat` it is known already; `missing` names those that it has to wait for."""

    repeat: bool = False
    missing: tuple[int, ...] = ()


def place(next: int, held: Collection[int], sequence: int, digest: bytes, known: bytes | None) -> Place:  # noqa: A002
    """`next` is the sequence to be applied next, `held` those that wait behind a gap, `known` the digest under `sequence`.

    Raises Refused(SEQUENCE_CONFLICT) when another body was sent under it, MALFORMED_REQUEST when it is out of all order,
    OVERLOADED when more is held than may be.
    """
    if known is not None:
        if known != digest:
            raise Refused(Cause.SEQUENCE_CONFLICT, sequence=sequence)
        return Place(repeat=True)
    if sequence < next:  # closed by a consolidation: nobody sent it, and nobody may any more
        raise Refused(Cause.SEQUENCE_CONFLICT, sequence=sequence)
    if sequence >= next + AHEAD:
        raise Refused(Cause.MALFORMED_REQUEST, members=["sequence"])
    if sequence > next and len(held) >= MOST_HELD:
        raise Refused(Cause.OVERLOADED, retry_after=60)
    return Place(missing=missing(next, {*held, sequence}, sequence))


def missing(next: int, held: Collection[int], until: int) -> tuple[int, ...]:  # noqa: A002
    """The sequences from `next` up to before `until` that are not held."""
    return tuple(number for number in range(next, until) if number not in held)


def expected(next: int, held: Collection[int]) -> int:  # noqa: A002
    """The first sequence from `next` on that is not here: what the sender is to send next."""
    while next in held:
        next += 1  # noqa: A001
    return next


def gaps(next: int, held: Collection[int]) -> tuple[int, ...]:  # noqa: A002
    """Every sequence that is missing before the last one held."""
    return missing(next, held, max(held)) if held else ()
