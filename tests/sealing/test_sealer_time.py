"""The seal and the clock: to the microsecond, on a database whose time is set by hand (SQLite takes the node's)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from admitting import any_log
from sqlalchemy import select
from submissions import ACCOUNT, EPOCHS, Deployment, body, cause, draft, guess, proof, repeat, submit

from gateway.allowance.account import Account, Room
from gateway.clock import DAY, SECOND, parse_rfc3339, rfc3339
from gateway.keyring import Keyring
from gateway.sealing.submission import Revoke, Sealed, StaleEpoch
from gateway.store.base.engine import Database
from gateway.store.base.tables import epochs
from gateway.store.migrations import schema
from gateway.store.sealing.tables import attempts, repeats, revoked_tokens

NIGHT = parse_rfc3339("2026-12-31T23:59:59.500+07:00")
MIDNIGHT = parse_rfc3339("2027-01-01T00:00:00+07:00")
FOREVER = NIGHT + 1000 * DAY


class HandClock:
    """A clock that is set by hand."""

    at = NIGHT

    def now(self) -> int:
        return self.at


@pytest.fixture
def clock() -> HandClock:
    """Half a second before the year ends in Jakarta."""
    return HandClock()


@pytest.fixture
def timed(sqlite_url: str, keyring: Keyring, clock: HandClock) -> Iterator[Deployment]:
    """A sealer whose database tells the time of that clock."""
    database = Database(sqlite_url, clock, any_log)
    schema.upgrade(database)
    yield Deployment(database, keyring)
    database.close()


def one(deployment: Deployment, **parts: object) -> Sealed:
    members = {name: parts.pop(name) for name in ("expires", "ends", "repeat", "proofs") if name in parts}
    outcome = deployment.one(draft(**parts), **{"expires": FOREVER, "ends": FOREVER, **members})
    assert isinstance(outcome, Sealed)
    return outcome


@pytest.mark.parametrize("member", ["expires", "ends"])
def test_token_and_term_end_on_the_microsecond(timed: Deployment, member: str) -> None:
    """At the very instant they are over, one before they are not."""
    assert cause(one(timed, **{member: NIGHT + 1})) == ""
    assert cause(one(timed, **{member: NIGHT})) != ""


def test_a_day_and_a_month_open_at_midnight_in_jakarta(timed: Deployment, clock: HandClock) -> None:
    """Refused until then with the instant and the seconds, answered from then on."""
    charges = ((ACCOUNT, Room(1000, 2, 2)),)
    clock.at = MIDNIGHT - 2 * SECOND - 1
    assert [cause(one(timed, charges=charges)) for _ in range(3)] == ["", "", "allowance-exhausted"]
    refused = one(timed, charges=charges)
    assert (body(refused)["resets_at"], refused.retry_after) == ("2026-12-31T17:00:00Z", 3)
    clock.at = MIDNIGHT - 1
    assert cause(one(timed, charges=charges)) == "allowance-exhausted"
    clock.at = MIDNIGHT
    assert cause(one(timed, charges=charges)) == ""
    assert (timed.account().day_spent, timed.account().month_spent) == (1, 1)


def test_a_reset_is_never_told_too_early(timed: Deployment, clock: HandClock) -> None:
    """A burst of one a second, half a second gone: the instant is rounded up to the second, and so are the seconds."""
    charges = ((ACCOUNT, Room(1, 9, 9)),)
    one(timed, charges=charges)
    clock.at += SECOND // 4
    refused = one(timed, charges=charges)
    assert cause(refused) == "rate-exceeded"
    assert body(refused)["resets_at"] == "2026-12-31T17:00:01Z"
    assert refused.retry_after == 1
    clock.at = parse_rfc3339(body(refused)["resets_at"])
    assert cause(one(timed, charges=charges)) == ""


def test_a_budget_slides(timed: Deployment, clock: HandClock) -> None:
    """Each guess leaves after its own 24 hours; `resets_at` is the very instant, and not a microsecond before it opens."""
    first = one(timed, answer={"usable": False}, attempt=guess(2, 1, "a"))
    clock.at += 3600 * SECOND
    one(timed, answer={"usable": False}, attempt=guess(2, 1, "b"))
    refused = one(timed, answer={"usable": False}, attempt=guess(2, 1, "c"))
    assert (cause(first), cause(refused)) == ("", "attempts-exhausted")
    opens = parse_rfc3339(body(refused)["resets_at"])
    assert NIGHT + DAY <= opens <= NIGHT + DAY + SECOND
    assert refused.retry_after == -(-(opens - clock.at) // SECOND)  # rounded up: never before the reset
    clock.at = opens - 1
    assert cause(one(timed, attempt=guess(2, 0, "right"))) == "attempts-exhausted"
    clock.at = opens
    assert cause(one(timed, answer={"usable": False}, attempt=guess(2, 1, "d"))) == ""
    assert cause(one(timed, attempt=guess(2, 0, "right"))) == "attempts-exhausted"


def test_what_a_budget_remembers_lives_as_long_as_it_counts(timed: Deployment) -> None:
    """And no longer than a second more: then the row may be swept."""
    one(timed, answer={"usable": False}, attempt=guess(2, 1, "a"))
    with timed.database.reading() as connection:
        assert connection.execute(select(attempts.c.expires)).scalars().all() == [NIGHT + DAY + SECOND]


def test_an_idempotency_key_lives_a_day(timed: Deployment, clock: HandClock) -> None:
    """Until its last microsecond the earlier answer is given, then it is a new call."""
    first = one(timed, repeat=repeat("k"))
    clock.at = NIGHT + DAY - 1
    assert one(timed, repeat=repeat("k")).body == first.body
    clock.at = NIGHT + DAY
    assert one(timed, repeat=repeat("k")).body != first.body
    with timed.database.reading() as connection:
        assert connection.execute(select(repeats.c.expires)).scalars().all() == [NIGHT + 2 * DAY]


def test_entries_bear_database_time(timed: Deployment) -> None:
    """The leaf and the answer say the same instant."""
    answer = body(one(timed))
    assert answer["answered_at"] == timed.leaves()[0]["at"] == rfc3339(NIGHT) == "2026-12-31T16:59:59.500Z"


def test_a_new_account_has_spent_nothing() -> None:
    """And a room is free of charge unless a tariff is named."""
    assert Account() == Account(tat=0, day=0, day_spent=0, month=0, month_spent=0, balance=0)
    assert Room(1, 2, 3) == Room(burst=1, day=2, month=3, tariff=0, prepaid=False)


def test_a_revoked_token_moves_whoever_did_not_know(deployment: Deployment) -> None:
    """The next of the very same transaction is decided again, and so is everyone after it, on the new count."""
    revoke = Revoke("jti-1", "bank-1", FOREVER, "partner:bank")
    with deployment.database.sealing() as (connection, _):
        connection.execute(epochs.insert().values(scope="partner:bank", count=4))
    known = {**EPOCHS, "partner:bank": 4}
    used = proof()
    before, revoking, after, stranger = deployment.seal(
        submit(epochs=known), submit(draft(charges=()), epochs=known, revoke=revoke), submit(epochs=known,
        proofs=(used,)),
        submit(epochs={"house": 0}),
    )  # fmt: skip
    assert [cause(outcome) for outcome in (before, revoking, stranger)] == ["", "", ""]
    assert after == StaleEpoch({**EPOCHS, "partner:bank": 5})
    assert deployment.used(used) == [False]
    (later,) = deployment.seal(submit(epochs=known))
    assert later == after
    with deployment.database.reading() as connection:
        assert [tuple(row) for row in connection.execute(select(revoked_tokens)).all()] == [
            ("jti-1", "bank-1", FOREVER)
        ]
        assert connection.execute(select(epochs.c.count)).scalars().all() == [5]
    assert cause(deployment.one(epochs={**EPOCHS, "partner:bank": 5})) == ""
