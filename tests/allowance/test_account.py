"""Accounts: periods of Asia/Jakarta, the order of refusals, and not one answer more than agreed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.allowance import periods
from gateway.allowance.account import Account, Room, Shortage, current, readings, spend
from gateway.clock import DAY, HOUR, SECOND, parse_rfc3339

NOON = parse_rfc3339("2026-11-24T12:00:00+07:00")
AMPLE = Room(1000, 1000, 1000)
instants = st.integers(0, 4_102_444_800 * SECOND)


def local(instant: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)).astimezone(ZoneInfo("Asia/Jakarta"))


@given(instants)
def test_periods_are_those_of_jakarta(instant: int) -> None:
    """A day and a month end at the first instant of the next one in Asia/Jakarta, and number on by one there."""
    for period_of, ends in ((periods.day_of, periods.day_ends), (periods.month_of, periods.month_ends)):
        end = ends(instant)
        assert period_of(end) == period_of(instant) + 1
        assert period_of(end - 1) == period_of(instant)
        begins = local(end)
        assert (begins.hour, begins.minute, begins.second, begins.microsecond) == (0, 0, 0, 0)
    assert local(periods.month_ends(instant)).day == 1
    assert (local(instant).year * 12 + local(instant).month - 1) == periods.month_of(instant)


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        ("2026-11-24T16:59:59Z", "2026-11-25T00:00:00+07:00", "2026-12-01T00:00:00+07:00"),
        ("2026-11-24T17:00:00Z", "2026-11-26T00:00:00+07:00", "2026-12-01T00:00:00+07:00"),
        ("2026-12-31T16:59:59.999999Z", "2027-01-01T00:00:00+07:00", "2027-01-01T00:00:00+07:00"),
        ("2026-12-31T17:00:00Z", "2027-01-02T00:00:00+07:00", "2027-02-01T00:00:00+07:00"),
        ("2028-02-28T17:00:00Z", "2028-03-01T00:00:00+07:00", "2028-03-01T00:00:00+07:00"),
    ],
)
def test_days_and_months_end_at_midnight_in_jakarta(now: str, day: str, month: str) -> None:
    """Around midnight, the end of a month, of a year and of a leap February."""
    instant = parse_rfc3339(now)
    assert (periods.day_ends(instant), periods.month_ends(instant)) == (parse_rfc3339(day), parse_rfc3339(month))


def test_a_spent_day_opens_again_at_midnight_in_jakarta() -> None:
    """The last microsecond of the day is refused, the first of the next has all of it; the month goes on counting."""
    room = Room(1000, 2, 100)
    night = parse_rfc3339("2026-11-24T23:59:59.999999+07:00")
    account = Account()
    for _ in range(2):
        account = spend(account, room, night)
        assert isinstance(account, Account)
    refused = spend(account, room, night)
    assert refused == Shortage("day", night + 1)
    opened = spend(account, room, refused.resets_at, 2)
    assert isinstance(opened, Account)
    assert (opened.day_spent, opened.month_spent) == (2, 4)


def test_a_spent_month_opens_again_with_the_next() -> None:
    """At the end of the year, month and day begin anew together."""
    room = Room(1000, 3, 3)
    eve = parse_rfc3339("2026-12-31T23:00:00+07:00")
    account = spend(Account(), room, eve, 3)
    assert isinstance(account, Account)
    room = replace(room, day=5)
    assert spend(account, room, eve) == Shortage("month", eve + HOUR)
    opened = spend(account, room, eve + HOUR)
    assert isinstance(opened, Account)
    assert (opened.day_spent, opened.month_spent) == (1, 1)


def test_the_first_limit_without_room_is_told() -> None:
    """Burst before day before month before balance; what is refused spends nothing."""
    room = Room(1, 1, 1, tariff=1000, prepaid=True)
    account = spend(Account(balance=1000), room, NOON)
    assert isinstance(account, Account)
    assert account.balance == 0
    told = []
    for burst, day, month in ((1, 1, 1), (9, 1, 1), (9, 9, 1), (9, 9, 9)):
        now = NOON if burst == 1 else NOON + 2 * SECOND
        refused = spend(account, replace(room, burst=burst, day=day, month=month), now)
        assert isinstance(refused, Shortage)
        told.append(refused.limit)
    assert told == ["burst", "day", "month", "balance"]
    assert refused == Shortage("balance", 0)


def test_only_what_is_prepaid_takes_from_the_balance() -> None:
    """A postpaid or free partner with an empty balance is answered, a prepaid one at no tariff too."""
    for room in (Room(9, 9, 9, 1000, prepaid=False), Room(9, 9, 9, 0, prepaid=True)):
        spent = spend(Account(balance=0), room, NOON, 3)
        assert isinstance(spent, Account)
        assert (spent.balance, spent.day_spent, spent.month_spent) == (0, 3, 3)


@given(st.integers(1, 6), st.integers(0, 12), st.integers(0, 40), st.lists(st.integers(1, 9), max_size=9))
def test_what_is_told_to_come_back_at_is_right(burst: int, day: int, month: int, counts: list[int]) -> None:
    """At `resets_at` the same count fits as far as that limit goes, if it can fit at all; and the time is to come."""
    room, account = Room(burst, day, month), Account()
    for count in counts:
        spent = spend(account, room, NOON, count)
        if isinstance(spent, Account):
            account = spent
            continue
        assert spent.resets_at > NOON
        quota = {"burst": burst, "day": day, "month": month}[spent.limit]
        if count <= quota:
            again = spend(account, room, spent.resets_at, count)
            assert isinstance(again, Account) or again.limit != spent.limit


@given(st.lists(st.tuples(st.integers(0, 8 * HOUR), st.integers(1, 5)), min_size=1, max_size=80))
def test_no_day_and_no_month_holds_more_than_agreed(calls: list[tuple[int, int]]) -> None:
    """Against plain counting of every answer: what passes is exactly what there was room for."""
    room = Room(5, 11, 40, tariff=7, prepaid=True)
    account, now = Account(balance=7 * 200), parse_rfc3339("2026-12-20T20:00:00+07:00")
    days: dict[object, int] = {}
    months: dict[object, int] = {}
    balance = account.balance
    for gap, count in calls:
        now += gap + SECOND  # the burst is whole again
        today = local(now).date()
        fits = (
            days.get(today, 0) + count <= 11
            and months.get((today.year, today.month), 0) + count <= 40
            and balance >= 7 * count
        )
        spent = spend(account, room, now, count)
        assert isinstance(spent, Account) == fits
        if isinstance(spent, Account):
            account = spent
            days[today] = days.get(today, 0) + count
            months[today.year, today.month] = months.get((today.year, today.month), 0) + count
            balance -= 7 * count
    assert account.balance == balance


def test_counters_of_past_periods_are_zero() -> None:
    """A new day keeps the month's count, a new month neither; the balance and the burst stay."""
    account = Account(
        tat=5,
        day=periods.day_of(NOON),
        day_spent=3,
        month=periods.month_of(NOON),
        month_spent=8,
        balance=9,
    )
    assert current(account, NOON) is account
    tomorrow = current(account, NOON + DAY)
    assert (tomorrow.day_spent, tomorrow.month_spent, tomorrow.tat, tomorrow.balance) == (0, 8, 5, 9)
    assert tomorrow.day == account.day + 1
    later = current(account, NOON + 30 * DAY)
    assert (later.day_spent, later.month_spent, later.month) == (0, 0, account.month + 1)


def test_readings_show_what_is_left_and_when_it_is_whole() -> None:
    """Quota, window, left and seconds, rounded up; never below zero when the agreement has been narrowed."""
    account = spend(Account(), AMPLE, NOON + 1, 10)
    assert isinstance(account, Account)
    burst, day, month = readings(account, Room(1000, 4, 20), NOON + 1)
    assert (burst.name, burst.quota, burst.window, burst.left, burst.reset) == ("burst", 1000, 1, 990, 1)
    assert (day.name, day.quota, day.window, day.left, day.reset) == ("day", 4, 86_400, 0, 12 * 3600)
    assert (month.name, month.quota, month.window, month.left) == ("month", 20, 2_592_000, 10)
    assert month.reset == 6 * 86_400 + 12 * 3600
    assert [each.left for each in readings(account, Room(1000, 4, 9), NOON + 1)] == [990, 0, 0]
    assert readings(account, AMPLE, NOON + DAY)[1].left == 1000


@pytest.mark.parametrize("limit", ["day", "month"])
def test_several_at_once_do_not_pass_a_period(limit: str) -> None:
    """A batch larger than what is left of the day or the month is refused, although one more would fit."""
    room = replace(Room(9, 9, 9), **{limit: 3})
    account = spend(Account(), room, NOON, 2)
    assert isinstance(account, Account)
    refused = spend(account, room, NOON, 2)
    assert isinstance(refused, Shortage)
    assert refused.limit == limit
    assert isinstance(spend(account, room, NOON, 1), Account)


def test_a_clock_set_back_opens_no_spent_period() -> None:
    """After a failover the clock may be behind: what was spent in a later day or month stays spent."""
    for room, back in ((Room(9, 1, 9), 24 * HOUR), (Room(9, 9, 1), 31 * 24 * HOUR)):
        account = spend(Account(), room, NOON)
        assert isinstance(account, Account)
        assert isinstance(spend(account, room, NOON - back), Shortage)
        assert {one.name: one.left for one in readings(account, room, NOON - back)}[
            "day" if room.day == 1 else "month"
        ] == 0
