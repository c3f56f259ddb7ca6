"""What does a partner owe, by when, and what follows when it is late?

Return data and semester reports (Permendagri 102/2019 art 45): three months late cuts off, delivery restores.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from gateway.clock import jakarta_date
from gateway.partners.agreement import Agreement
from gateway.partners.in_force import months_after

GRACE_MONTHS = 3
"""How many months late a duty may be before the agreement is suspended."""

REVIEW_MONTHS = 12
"""After how many months an impact assessment is due for review: a reminder, never a suspension."""

OVERDUE = "_overdue"
"""What the reason of a suspension has behind the name of the duty."""

_WARNINGS = (7, 30)  # days before


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing that is due.

    `name` is return_data, semester_report, dpia_review, term_end, key_expiry, exemption_end, or certification.
    Only the first two can be delivered, and only they suspend.
    """

    agreement: str
    partner: str
    name: str
    due: date
    about: str = ""  # which key, exemption or member
    person: str = ""  # whose certification it is

    def state(self, today: date) -> str:
        """`due` until its day is over, then `late`, and `overdue` once it suspends."""
        if today <= self.due:
            return "due"
        return "overdue" if self.suspends and today >= months_after(self.due, GRACE_MONTHS) else "late"

    @property
    def suspends(self) -> bool:
        """Whether lateness ends in suspension."""
        return self.name in {"return_data", "semester_report"}

    @property
    def reason(self) -> str:
        """The reason of the suspension that it ends in."""
        return f"{self.name}{OVERDUE}"

    def stage(self, today: date) -> str:
        """Which reminder is due today; empty when none is. Stages follow one another, and each is told once."""
        if today > self.due:
            late = sum(months_after(self.due, months) <= today for months in range(1, GRACE_MONTHS))
            return f"late_{late}_months" if late and self.suspends else "late"
        left = (self.due - today).days
        return next((f"in_{days}_days" for days in _WARNINGS if left <= days), "")


def duties_of(
    agreement: Agreement, delivered: Mapping[str, Collection[date]], since: int, now: int
) -> tuple[Duty, ...]:
    """What is open under an agreement: everything that fell due and was not delivered, and what comes next of each kind.

    What fell due before `since` (when the agreement came to the gateway) was settled elsewhere and does not count.
    """
    today, first = jakarta_date(now), max(jakarta_date(since), jakarta_date(agreement.starts))
    found = []
    for name, start, months in _periodic(agreement):
        for due in _dues(start, months):
            if due >= first and due not in delivered.get(name, ()):
                found.append(Duty(agreement.id, agreement.partner, name, due))
            if due > today and due >= first:
                break
    dpia = agreement.fields.get("dpia")
    if isinstance(dpia, Mapping) and dpia.get("date"):
        review = months_after(date.fromisoformat(str(dpia["date"])), REVIEW_MONTHS)
        found.append(Duty(agreement.id, agreement.partner, "dpia_review", review))
    last = jakarta_date(agreement.ends) - timedelta(days=1)
    found.append(Duty(agreement.id, agreement.partner, "term_end", last))
    return tuple(sorted(found, key=lambda duty: (duty.due, duty.name)))


def overdue(duties: Collection[Duty], now: int) -> Duty | None:
    """The duty for which the agreement is to be suspended; the one that is late longest, None when none is."""
    today = jakarta_date(now)
    return min((each for each in duties if each.state(today) == "overdue"), key=lambda each: each.due, default=None)


def next_delivery(duties: Collection[Duty], name: str) -> Duty | None:
    """The duty that a delivery settles: the oldest open one of its kind."""
    return min(
        (each for each in duties if each.name == name and each.suspends), key=lambda each: each.due, default=None
    )


def _periodic(agreement: Agreement) -> Iterator[tuple[str, date, int]]:
    duties = agreement.fields.get("duties")
    for name, duty in duties.items() if isinstance(duties, Mapping) else ():
        yield name, date.fromisoformat(duty["due"]), int(duty["every_months"])


def _dues(first: date, months: int) -> Iterator[date]:
    count = 0
    while True:
        yield months_after(first, count * months)
        count += 1
