"""Which step may follow which, how does the clock run, and where does a case go?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.referrals.case import CLOCK, OPEN, REJECTIONS, WARN, CaseState, clock, route, step

ACTS = ("check", "mend", "refer", "reject", "mended_by_itself")


@given(st.lists(st.sampled_from(ACTS), max_size=8))
def test_a_closed_case_stays_closed_and_nothing_is_decided_unseen(acts):
    """Whatever is tried: after mended or rejected nothing follows, and an office mends or rejects only what it has checked."""
    state = CaseState.RECEIVED
    for act in acts:
        try:
            after = step(state, act)
        except Refused:
            continue
        assert state in OPEN
        assert after in OPEN or state is CaseState.CHECKED or act == "mended_by_itself"
        state = after


def test_the_way_of_the_contract():
    """Received, checked, mended or rejected; referred on, a case is received again."""
    assert step(CaseState.RECEIVED, "check") is CaseState.CHECKED
    assert step(CaseState.CHECKED, "mend") is CaseState.MENDED
    assert step(CaseState.CHECKED, "reject") is CaseState.REJECTED
    assert step(CaseState.CHECKED, "refer") is step(CaseState.RECEIVED, "refer") is CaseState.RECEIVED


@pytest.mark.parametrize(
    ("left", "told"), [(CLOCK, "running"), (WARN + 1, "running"), (WARN, "warning"), (1, "warning"), (0, "overdue")]
)
def test_the_clock_warns_before_it_runs_out(left, told):
    """72 hours from the opening on; the last twelve of them are pointed at."""
    assert clock(1_000, 1_000 + CLOCK - left) == told


def test_a_case_goes_to_whoever_keeps_the_record_or_to_the_one_named():
    """By the record where the answer had matched; else by the partner's word, or by the NIK alone."""
    assert route("3201", "7402154505909001", "3301") == "3201"
    assert route("", "7402154505909001", "3301") == "3301"
    assert route("", "7402154505909001", "") == "7402"


def test_every_rejection_is_told_in_both_languages():
    """A coded reason has words for the resident in Indonesian and in English."""
    assert all(set(words) == {"id", "en"} and all(words.values()) for words in REJECTIONS.values())
