"""What is owed, and what follows from lateness?"""

from __future__ import annotations

from datetime import date

import pytest

from gateway.clock import jakarta_midnight
from gateway.partners.agreement import Agreement, AgreementState, Limits
from gateway.partners.duties import Duty, duties_of, next_delivery, overdue

DUTIES = {
    "semester_report": {"due": "2026-07-31", "every_months": 6},
    "return_data": {"due": "2026-01-31", "every_months": 1},
}
HELD = Agreement(
    "pks", "bank", 1, AgreementState.IN_FORCE, "", jakarta_midnight(date(2026, 1, 1)), jakarta_midnight(date(2028, 1, 1)), {},
    Limits(1, 1, 1), (), {"duties": DUTIES, "dpia": {"reference": "D", "date": "2025-11-10"}},
)  # fmt: skip
SINCE = HELD.starts


def at(day: str) -> int:
    return jakarta_midnight(date.fromisoformat(day))


def dues(name: str, now: str, delivered: dict[str, list[date]] | None = None, since: int = SINCE) -> list[str]:
    return [each.due.isoformat() for each in duties_of(HELD, delivered or {}, since, at(now)) if each.name == name]


def test_what_is_open_is_everything_late_and_what_comes_next() -> None:
    """Each due date that passed without a delivery, and one to come; the last of a month where the day is missing."""
    assert dues("return_data", "2026-04-10") == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]
    held = [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]
    assert dues("return_data", "2026-04-10", {"return_data": held}) == ["2026-04-30"]
    assert dues("semester_report", "2026-04-10") == ["2026-07-31"]


def test_what_fell_due_before_the_agreement_came_does_not_count() -> None:
    """Nor before its term began."""
    assert dues("return_data", "2026-04-10", since=at("2026-03-15")) == ["2026-03-31", "2026-04-30"]


@pytest.mark.parametrize(
    ("today", "state"),
    [
        ("2026-07-31", "due"),
        ("2026-08-01", "late"),
        ("2026-10-30", "late"),
        ("2026-10-31", "overdue"),
        ("2027-03-01", "overdue"),
    ],
)
def test_three_months_late_is_overdue(today: str, state: str) -> None:
    """Permendagri 102/2019: cut off when the semester report is three months late, not a day before."""
    duty = Duty("pks", "bank", "semester_report", date(2026, 7, 31))
    assert duty.state(date.fromisoformat(today)) == state
    assert duty.reason == "semester_report_overdue"


def test_only_reports_and_return_data_suspend() -> None:
    """A review of the assessment, the end of a term or of a key reminds, and cuts nobody off."""
    for name in ("dpia_review", "term_end", "key_expiry"):
        assert Duty("pks", "bank", name, date(2020, 1, 1)).state(date(2026, 1, 1)) == "late"
    late = duties_of(HELD, {"return_data": [date(2026, 1, 31)]}, SINCE, at("2026-06-10"))
    found = overdue(late, at("2026-06-10"))
    assert found is not None
    assert (found.name, found.due) == ("return_data", date(2026, 2, 28))
    assert overdue(duties_of(HELD, {}, SINCE, at("2026-02-10")), at("2026-02-10")) is None


def test_a_delivery_settles_the_oldest() -> None:
    """One delivery, one due date; what is no duty of a partner settles nothing."""
    open_ = duties_of(HELD, {}, SINCE, at("2026-04-10"))
    found = next_delivery(open_, "return_data")
    assert found is not None
    assert found.due == date(2026, 1, 31)
    assert next_delivery(open_, "dpia_review") is None
    assert next_delivery(open_, "other") is None


@pytest.mark.parametrize(
    ("today", "stage"),
    [
        ("2026-06-01", ""), ("2026-07-01", "in_30_days"), ("2026-07-24", "in_7_days"), ("2026-07-31", "in_7_days"),
        ("2026-08-01", "late"), ("2026-08-31", "late_1_months"), ("2026-09-30", "late_2_months"),
    ],
)  # fmt: skip
def test_reminders_come_in_stages(today: str, stage: str) -> None:
    """A month and a week before, and each month after."""
    assert Duty("pks", "bank", "semester_report", date(2026, 7, 31)).stage(date.fromisoformat(today)) == stage


def test_assessments_and_terms_are_in_the_calendar() -> None:
    """The review of the assessment a year after it, and the last day of the term."""
    assert dues("dpia_review", "2026-04-10") == ["2026-11-10"]
    assert dues("term_end", "2026-04-10") == ["2027-12-31"]
