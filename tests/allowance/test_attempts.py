"""Attempt budgets: a window of 24 hours that slides over distinct wrong guesses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.allowance import attempts
from gateway.allowance.attempts import Guess
from gateway.clock import DAY, HOUR, SECOND, parse_rfc3339

NOON = parse_rfc3339("2026-11-24T12:00:00+07:00")


def keyed(number: int) -> bytes:
    return number.to_bytes(32, "big")[::-1]


def test_the_same_guess_again_is_no_new_guess() -> None:
    """However often it is repeated, it is charged once, as long as it counts."""
    guesses = attempts.charge((), 2, keyed(1), NOON)
    assert attempts.charge(guesses, 2, keyed(1), NOON + HOUR) == guesses
    assert attempts.spent(guesses) == 2
    assert attempts.spent(attempts.charge(guesses, 1, keyed(2), NOON)) == 3


def test_an_old_guess_is_a_new_one_again() -> None:
    """Once it has left the window it costs anew."""
    row = attempts.encode(attempts.charge((), 1, keyed(1), NOON))
    later = NOON + DAY + SECOND
    assert attempts.decode(row, later) == ()
    assert attempts.spent(attempts.charge(attempts.decode(row, later), 1, keyed(1), later)) == 1


def test_only_the_start_of_the_hash_is_kept() -> None:
    """Eight bytes tell guesses apart; whoever hands in all 32 or only those means the same guess."""
    guesses = attempts.charge((), 1, keyed(1), NOON)
    assert guesses == (Guess(NOON // SECOND, 1, keyed(1)[:8]),)
    assert attempts.charge(guesses, 1, keyed(1)[:8], NOON) == guesses


@given(st.lists(st.builds(Guess, st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(min_size=8, max_size=8))))
def test_a_row_reads_back(guesses: list[Guess]) -> None:
    """What was written is read, oldest first as it was written, as far as it still counts."""
    now = DAY // 2
    assert attempts.decode(attempts.encode(tuple(guesses)), now) == tuple(guesses)


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 10 * HOUR), st.integers(1, 2)), min_size=1, max_size=40))
def test_no_24_hours_hold_more_than_the_budget(budget: int, tries: list[tuple[int, int]]) -> None:
    """A guesser who tries whenever it may never gets more than budget (and one guess's dearness) into any 24 hours."""
    now, row = NOON, b""
    charged: list[tuple[int, int]] = []
    for number, (gap, cost) in enumerate(tries):
        now += gap
        guesses = attempts.decode(row, now)
        if attempts.spent(guesses) >= budget:
            opens = attempts.resets_at(guesses, budget)
            assert opens > now
            assert attempts.spent(attempts.decode(row, opens - 1)) >= budget  # not a moment later than needed
            assert attempts.spent(attempts.decode(row, opens)) < budget  # and never early
            now = opens
            guesses = attempts.decode(row, now)
        charged.append((now, cost))
        row = attempts.encode(attempts.charge(guesses, cost, keyed(number), now))
    for at, (begins, _) in enumerate(charged):
        inside = [cost for moment, cost in charged[at:] if moment < begins + DAY]
        assert sum(inside[:-1]) < budget


def test_the_window_is_never_short() -> None:
    """A guess in the last microsecond of a second counts for 24 hours all the same."""
    late = NOON + SECOND - 1
    row = attempts.encode(attempts.charge((), 1, keyed(1), late))
    assert attempts.spent(attempts.decode(row, late + DAY - 1)) == 1
    assert attempts.spent(attempts.decode(row, NOON + DAY + SECOND)) == 0
