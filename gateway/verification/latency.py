"""How long do verifications take? Counts in fixed buckets, and the percentiles that can be read from them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

BOUNDS = (0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500, 1000, 2500)
"""Upper bounds of the buckets in milliseconds; one more bucket has whatever took longer."""
BUCKETS = len(BOUNDS) + 1


def bucket(seconds: float) -> int:
    """The bucket of one call."""
    return bisect_left(BOUNDS, seconds * 1000)


def percentile(counts: Sequence[int], share: float) -> float | None:
    """The upper bound in milliseconds of the bucket that the percentile lies in; None without a call.

    What took longer than the last bound is told as twice that bound: "more than", not how much.
    """
    wanted, seen = sum(counts) * share, 0
    if not wanted:
        return None
    for bound, count in zip((*BOUNDS, 2 * BOUNDS[-1]), counts, strict=True):
        seen += count
        if seen >= wanted:
            return float(bound)
    return None


def told(counts: Sequence[int]) -> dict[str, float | int | None]:
    """Median, 95th and 99th percentile in milliseconds, and how many calls they are of."""
    named = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {"calls": sum(counts), **{name: percentile(counts, share) for name, share in named.items()}}
