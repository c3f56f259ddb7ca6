"""What is spent, what is left, and is there room for this answer? One account per agreement.

Order of refusal: the burst, then the day, then the month, then the prepaid balance. Never more than agreed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from msgspec import Struct

from gateway.allowance import gcra
from gateway.allowance.periods import day_ends, day_of, month_ends, month_of
from gateway.clock import SECOND


class Room(Struct, frozen=True):
    """What was agreed: `burst` per second, `day`, `month`, price of an answer in rupiah, and whether it is prepaid."""

    burst: int
    day: int
    month: int
    tariff: int = 0
    prepaid: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """What stands in the books: GCRA state, which day and month, answers in each, and the balance in rupiah."""

    tat: int = 0
    day: int = 0
    day_spent: int = 0
    month: int = 0
    month_spent: int = 0
    balance: int = 0


@dataclass(frozen=True, slots=True)
class Shortage:
    """Which limit has no room, and the instant at which it has again (0: only a payment makes room)."""

    limit: str  # burst | day | month | balance
    resets_at: int


class Reading(Struct, frozen=True):
    """One limit as a header shows it: quota, window in seconds, left, seconds until it is whole again."""

    name: str
    quota: int
    window: int
    left: int
    reset: int


def current(account: Account, now: int) -> Account:
    """The account with counters of past periods set to zero."""
    # A clock that has gone back (after a failover, say) does not open a spent period again.
    day, month = max(day_of(now), account.day), max(month_of(now), account.month)
    if account.day == day and account.month == month:
        return account
    return replace(
        account,
        day=day,
        day_spent=account.day_spent if account.day == day else 0,
        month=month,
        month_spent=account.month_spent if account.month == month else 0,
    )


def spend(account: Account, room: Room, now: int, count: int = 1) -> Account | Shortage:
    """The account after `count` answers, or the first limit that has no room for them (then nothing is spent)."""
    account = current(account, now)
    fits, tat = gcra.spend(account.tat, now, room.burst, count)
    if not fits:
        return Shortage("burst", now + gcra.wait(account.tat, now, room.burst, count))
    if account.day_spent + count > room.day:
        return Shortage("day", day_ends(now))
    if account.month_spent + count > room.month:
        return Shortage("month", month_ends(now))
    price = room.tariff * count if room.prepaid else 0
    if price and account.balance < price:
        return Shortage("balance", 0)
    return Account(
        tat, account.day, account.day_spent + count, account.month, account.month_spent + count, account.balance - price
    )


def readings(account: Account, room: Room, now: int) -> tuple[Reading, ...]:
    """How every limit stands at `now`, for `RateLimit` headers and `GET /v1/usage`."""
    account = current(account, now)
    burst = gcra.gauge(account.tat, now, room.burst)
    ends, month = day_ends(now), month_ends(now)
    return (
        Reading("burst", room.burst, 1, burst.left, _seconds(burst.reset)),
        Reading("day", room.day, 86_400, max(room.day - account.day_spent, 0), _seconds(ends - now)),
        Reading("month", room.month, 2_592_000, max(room.month - account.month_spent, 0), _seconds(month - now)),
    )


def _seconds(micros: int) -> int:
    """Rounded up, so that nobody comes back too early."""
    return -(-micros // SECOND)
