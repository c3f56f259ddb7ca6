"""How is money kept? Top-ups of prepaid balances, alerts when little is left, and what a day's entries add up to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, select, update

from gateway.allowance.account import Account, current
from gateway.clock import SECOND, jakarta_date, jakarta_midnight, parse_rfc3339, rfc3339
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.partners.agreement import Agreement
from gateway.partners.approvals import Approval
from gateway.partners.lifecycle import digest
from gateway.partners.money import LEVELS, Charged, level, statement
from gateway.store.base.statements import put_many
from gateway.store.commands.unit_of_work import CommandResult, UnitOfWork
from gateway.store.ledger.entries import read_head
from gateway.store.ledger.tables import ledger_entries
from gateway.store.partners.agreements import open_account
from gateway.store.partners.tables import agreement_versions, payments, reminders, statements
from gateway.store.sealing.tables import accounts

SETTLED = 60 * SECOND
"""How long after midnight a day's last entries may still be on their way into the ledger."""
_PAGE = 5_000


def payment_base(connection: Connection, reference: str) -> str:
    """Empty while no payment of this reference was credited."""
    found = connection.execute(select(payments.c.agreement).where(payments.c.reference == reference)).scalar()
    return f"credited to {found}" if found else ""


def credit(unit: UnitOfWork, approval: Approval) -> CommandResult:
    """The effect of an approved payment: the balance is topped up."""
    connection, subject, agreement = unit.connection, approval.subject, approval.agreement
    open_account(connection, agreement, approval.partner, unit.now)
    held = connection.execute(select(accounts.c.balance).where(accounts.c.id == agreement)).scalar_one()
    balance = held + subject["amount"]
    connection.execute(update(accounts).where(accounts.c.id == agreement).values(balance=balance))
    row = (subject["reference"], agreement, subject["amount"], balance, unit.now)
    put_many(connection, payments, [row])
    private = {
        "partner": approval.partner, "amount": subject["amount"], "payment": digest(subject["reference"]), "before": held,
        "after": balance,
    }  # fmt: skip
    answer = {"agreement": agreement, "amount": subject["amount"], "balance": balance}
    return CommandResult(Kind.MONEY, answer, private, agreement, moved=(approval.partner,))


def alerts(connection: Connection, governing: list[Agreement], now: int) -> list[tuple[Agreement, str, str, int]]:
    """(agreement, allowance, period, level) of everything that has passed a level and of which nobody was told."""
    held = {row.id: Account(*row[1:]) for row in connection.execute(select(accounts))}
    found: list[tuple[Agreement, str, str, int]] = []
    for agreement in governing:
        account = current(held.get(agreement.id, Account()), now)
        for name, period, used, whole in _used(connection, agreement, account, now):
            reached = level(used, whole)
            found.extend(
                (agreement, name, period, each)
                for each in LEVELS
                if each <= reached and not is_told(connection, agreement.id, name, period, str(each))
            )
    return found


def is_told(connection: Connection, agreement: str, subject: str, period: str, stage: str) -> bool:
    """Whether somebody was told of this already."""
    key = (agreement, subject, period, stage)
    wanted = [column == value for column, value in zip(reminders.primary_key.columns, key, strict=True)]
    return connection.execute(select(reminders.c.stage).where(*wanted)).first() is not None


def _used(
    connection: Connection, agreement: Agreement, account: Account, now: int
) -> Iterator[tuple[str, str, int, int]]:
    today = jakarta_date(now).isoformat()
    limits = agreement.limits
    yield "day", today, account.day_spent, limits.day
    yield "month", today[:7], account.month_spent, limits.month
    if limits.prepaid:
        last = last_payment(connection, agreement.id)
        if last is not None:  # an opening balance is nobody's payment: nothing to compare with
            yield "balance", digest(last[0])[:12], last[1] - account.balance, last[1]


def last_payment(connection: Connection, agreement: str) -> tuple[str, int] | None:
    """(reference, balance after it) of the last prepayment of an agreement."""
    row = connection.execute(
        select(payments.c.reference, payments.c.balance)
        .where(payments.c.agreement == agreement)
        .order_by(payments.c.credited_at.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.reference, row.balance)


def tell_alert(unit: UnitOfWork, agreement: Agreement, name: str, period: str, reached: int) -> CommandResult:
    """Note that somebody was told, as an entry."""
    put_many(unit.connection, reminders, [(agreement.id, name, period, str(reached))])
    private = {"change": "alert", "partner": agreement.partner, "limit": name, "period": period, "level": reached}
    return CommandResult(Kind.MONEY, {}, private, agreement.id)


def kept_statement(connection: Connection, partner: str, day: date) -> dict[str, Any] | None:
    """The statement that was made of a day already."""
    found = connection.execute(
        select(statements.c.document).where(statements.c.partner == partner, statements.c.day == day.isoformat())
    ).scalar()
    return json.loads(found) if found else None


def keep_statement(connection: Connection, partner: str, day: date, document: dict[str, Any]) -> dict[str, Any]:
    """The statement as it was first given: it is signed, and what was signed does not change."""
    kept = kept_statement(connection, partner, day)
    if kept is None:
        put_many(connection, statements, [(partner, day.isoformat(), json.dumps(document, sort_keys=True))])
    return kept or document


def make_statement(connection: Connection, issuer: str, partner: str, day: date, now: int) -> dict[str, Any]:
    """What a day's entries say of a partner. Raises Refused(NOT_FOUND) for a day that is not over."""
    begins, ends = jakarta_midnight(day), jakarta_midnight(day + timedelta(days=1))
    if now < ends + SETTLED:
        raise Refused(Cause.NOT_FOUND, retry_after=max((ends + SETTLED - now) // SECOND, 1))
    size = read_head(connection).size
    first, last = first_at(connection, begins, size), first_at(connection, ends, size)
    own = set(
        connection.execute(
            select(agreement_versions.c.agreement).where(agreement_versions.c.partner == partner)
        ).scalars()
    )
    charged: list[Charged] = []
    refused = 0
    for leaf, _, private in entries_between(connection, first, last, [f"{partner}/", *sorted(own)]):
        mine = leaf["actor"].partition("/")[0] == partner
        if leaf["kind"] == Kind.REFUSAL and mine:
            refused += 1
        if leaf["kind"] == Kind.ANSWER:
            prices = private.get("price", {})
            charged.extend(
                Charged(agreement, leaf["purpose"], prices[agreement]) for agreement in prices if agreement in own
            )
    ledger = {"from": first, "to": last, "size": size}
    credited = connection.execute(
        select(payments)
        .where(payments.c.agreement.in_(own), payments.c.credited_at >= begins, payments.c.credited_at < ends)
        .order_by(payments.c.credited_at)
    )
    paid = [
        {"agreement": row.agreement, "amount": row.amount, "reference": row.reference, "at": rfc3339(row.credited_at)}
        for row in credited
    ]
    return statement(
        issuer=issuer,
        partner=partner,
        day=day.isoformat(),
        charged=charged,
        refused=refused,
        payments=paid,
        ledger=ledger,
    )


def first_at(connection: Connection, instant: int, size: int) -> int:
    """The index of the first entry at or after `instant`; entries are in the order of their time."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        leaf = connection.execute(
            select(ledger_entries.c.leaf).where(ledger_entries.c.leaf_index == middle)
        ).scalar_one()
        if parse_rfc3339(json.loads(bytes(leaf))["at"]) < instant:
            low = middle + 1
        else:
            high = middle
    return low


def entries_between(
    connection: Connection, first: int, last: int, naming: Sequence[str]
) -> Iterator[tuple[dict[str, Any], int, dict[str, Any]]]:
    """(leaf, its instant, private part; empty once it was destroyed) of the entries from `first` until before `last`.

    Only entries that name one of `naming`, in their leaf or their private part: nothing else is even decoded.
    """
    sought = [f'"{name}'.encode() for name in naming]
    after = first - 1
    while after < last - 1:
        rows = connection.execute(
            select(ledger_entries.c.leaf_index, ledger_entries.c.leaf, ledger_entries.c.private)
            .where(ledger_entries.c.leaf_index > after, ledger_entries.c.leaf_index < last)
            .order_by(ledger_entries.c.leaf_index)
            .limit(_PAGE)
        ).all()
        if not rows:
            return
        for _, stored, kept in rows:
            leaf, private = bytes(stored), bytes(kept or b"")
            if any(name in leaf or name in private for name in sought):
                told = msgspec.json.decode(leaf)
                yield told, parse_rfc3339(told["at"]), msgspec.json.decode(private[32:]) if private else {}
        after = rows[-1].leaf_index
