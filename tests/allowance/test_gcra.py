"""The burst: never more than agreed in any window, and never later than needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.allowance import gcra
from gateway.clock import SECOND

calls = st.lists(st.tuples(st.integers(0, 600_000), st.integers(1, 4)), min_size=1, max_size=60)


@given(st.integers(1, 7), calls)
def test_no_window_holds_more_than_was_agreed(burst: int, arrivals: list[tuple[int, int]]) -> None:
    """In every window of W microseconds at most burst + W · burst per second pass, whatever the arrivals."""
    now, tat = 0, 0
    passed: list[tuple[int, int]] = []
    for gap, cost in arrivals:
        now += gap
        fits, tat = gcra.spend(tat, now, burst, cost)
        if fits:
            passed.append((now, cost))
    for first, (begins, _) in enumerate(passed):
        count = 0
        for ends, cost in passed[first:]:
            count += cost
            assert count <= burst + (ends - begins) * burst / SECOND


@given(st.integers(1, 7), calls)
def test_it_is_a_leaky_bucket(burst: int, arrivals: list[tuple[int, int]]) -> None:
    """Call by call it decides as a bucket of `burst` that runs out one call each interval, in exact arithmetic."""
    step = gcra.interval(burst)
    now, tat, level, seen = 0, 0, 0, 0  # level in microseconds of work
    for gap, cost in arrivals:
        now += gap
        level, seen = max(level - (now - seen), 0), now
        fits, later = gcra.spend(tat, now, burst, cost)
        assert fits == (level + cost * step <= burst * step)
        assert fits or later == tat
        tat = later
        level += cost * step if fits else 0


@given(st.integers(1, 1_000_000))
def test_the_rate_is_never_faster_than_agreed(burst: int) -> None:
    """A second holds no more intervals than the burst, also where it does not divide evenly."""
    assert SECOND // gcra.interval(burst) <= burst
    assert burst * gcra.interval(burst) >= SECOND


@given(st.integers(1, 50), st.lists(st.integers(0, 200_000), max_size=80))
def test_the_gauge_tells_what_passes(burst: int, gaps: list[int]) -> None:
    """Exactly `left` calls pass now; with none left one passes after `retry` and none a microsecond before."""
    now, tat = 0, 0
    for gap in gaps:
        now += gap
        _, tat = gcra.spend(tat, now, burst)
    gauge = gcra.gauge(tat, now, burst)
    assert gcra.spend(tat, now, burst, gauge.left + 1)[0] is False
    assert not gauge.left or gcra.spend(tat, now, burst, gauge.left)[0]
    if gauge.left:
        assert gauge.retry == 0
    else:
        assert gcra.spend(tat, now + gauge.retry, burst)[0]
        assert not gcra.spend(tat, now + gauge.retry - 1, burst)[0]
    assert gcra.gauge(tat, now + gauge.reset, burst) == gcra.Gauge(burst, 0, 0)
    assert not gauge.reset or gcra.gauge(tat, now + gauge.reset - 1, burst).left < burst


def test_a_burst_passes_at_once_and_no_call_more() -> None:
    """Five at five a second pass together, the sixth 200 ms later, on the microsecond."""
    tat = 0
    for _ in range(5):
        fits, tat = gcra.spend(tat, 10 * SECOND, 5)
        assert fits
    assert not gcra.spend(tat, 10 * SECOND + 199_999, 5)[0]
    assert gcra.spend(tat, 10 * SECOND + 200_000, 5)[0]


@given(st.integers(1, 9), st.integers(1, 12), st.lists(st.integers(0, 300_000), max_size=40))
def test_the_wait_is_exact(burst: int, cost: int, gaps: list[int]) -> None:
    """As many as do not fit now fit after it, and not a microsecond before; more than ever fit wait for the whole burst."""
    now, tat = 0, 0
    for gap in gaps:
        now += gap
        _, tat = gcra.spend(tat, now, burst)
    if gcra.spend(tat, now, burst, cost)[0]:
        return
    wait = gcra.wait(tat, now, burst, cost)
    assert wait > 0
    if cost <= burst:
        assert gcra.spend(tat, now + wait, burst, cost)[0]
        assert not gcra.spend(tat, now + wait - 1, burst, cost)[0]
    else:
        assert wait == (gcra.gauge(tat, now, burst).reset or gcra.interval(burst))
