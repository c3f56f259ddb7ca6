"""What does a partner see of itself? Its agreement and use, its refused calls, keys and statements; nothing of others.

The partner is the caller's own, never one that a path or a query names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import msgspec
from sqlalchemy import func, select

from gateway.administration.commands import Shown, View
from gateway.allowance.account import Account
from gateway.clock import DAY, jakarta_date
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind, Leaf
from gateway.ledger.log.merkle import leaf_hash
from gateway.partners.agreement import AgreementState
from gateway.partners.in_force import agreement_document, governing, state_at
from gateway.sealing.usage import usage_document
from gateway.store.administration.views import keys_of_partner
from gateway.store.audit.searches import rows_of
from gateway.store.commands.query import ReadContext, instant, limit_of, page, whole_number
from gateway.store.partners.money import SETTLED, first_at, last_payment
from gateway.store.partners.standings import PartnersOf
from gateway.store.partners.tables import agreements, statements
from gateway.store.sealing.tables import accounts
from gateway.store.search.copy import Filter, find, followed

STATEMENT_DAYS = 400  # for which statements are listed, at most
_NO_END = 1 << 62
_leaf = msgspec.json.Decoder(Leaf).decode


def agreement(context: ReadContext, view: View) -> Shown:
    """What `GET /v1/agreement` tells, with every key of the partner and without an address: nobody calls by token here."""
    document = agreement_document(PartnersOf.partner(context.connection, view.path["partner"]), context.now)
    keys = keys_of_partner(context, view.path["partner"])
    return Shown({**document, "keys": [{"kid": each["kid"], "expires": each["expires"]} for each in keys]})


def usage(context: ReadContext, view: View) -> Shown:
    """What `GET /v1/usage` tells; of a prepaid balance also what the last payment had made it (`topped_up`)."""
    held = PartnersOf.partner(context.connection, view.path["partner"]).agreements
    live = [one for one in governing(held, context.now) if state_at(one, context.now) is AgreementState.IN_FORCE]
    spent = select(accounts).where(accounts.c.id.in_([one.id for one in live]))
    rows = {row.id: Account(*row[1:]) for row in context.connection.execute(spent)}
    told = []
    for one in live:
        paid = last_payment(context.connection, one.id) if one.limits.prepaid else None
        more = {"topped_up": paid[1]} if paid else {}
        told.append({**usage_document(one, rows.get(one.id, Account()), context.now), **more})
    return Shown({"agreements": told})


def failures(context: ReadContext, view: View) -> Shown:
    """`GET /v1/failures`: refused calls, newest first; each with the entry by which both sides can speak of it."""
    connection, query = context.connection, view.query
    if query.get("cause") and query["cause"] not in set(Cause):
        raise Refused(Cause.MALFORMED_REQUEST, members=["cause"])
    limit, size = limit_of(view), followed(connection)
    first = first_at(connection, instant(query["since"], "since"), size) if query.get("since") else 0
    end = whole_number(query.get("cursor", ""), "cursor", _NO_END)
    wanted = Filter((view.path["partner"],), first, end, kind=Kind.REFUSAL, outcome=query.get("cause", ""))
    found = find(connection, wanted, limit + 1, newest=True)
    rows = rows_of(connection, [each.index for each in found[:limit]])
    items = []
    for each in found[:limit]:
        raw = rows[each.index][0]
        leaf = _leaf(raw)
        items.append(
            {
                "id": leaf.id, "at": leaf.at, "purpose": leaf.purpose or None,
                "cause": dict(context.words(each.outcome)) if each.outcome else None,
                "agreement": leaf.agreement or None, "client": leaf.actor.partition("/")[2], "entry": b64u(leaf_hash(raw)),
            }
        )  # fmt: skip
    following = str(found[limit - 1].index) if len(found) > limit else None
    told = {name: query[name] for name in ("cause", "since") if query.get(name)}
    return Shown({"items": items, "next": following}, private={"filters": told})


def keys(context: ReadContext, view: View) -> Shown:
    """`GET /v1/keys`: the partner's keys and certificates, with their ends."""
    held = keys_of_partner(context, view.path["partner"])
    return Shown(page(sorted(held, key=lambda each: str(each["kid"])), "kid", view.query)[0])


def days(context: ReadContext, view: View) -> Shown:
    """`GET /v1/statements`: the days of which there is a statement or can be one, newest first; sums of those that were made."""
    connection, partner, limit = context.connection, view.path["partner"], limit_of(view)
    cursor = view.query.get("cursor", "")
    newest = jakarta_date(context.now - SETTLED - DAY)
    try:
        last = min(date.fromisoformat(cursor) - timedelta(days=1), newest) if cursor else newest
    except (ValueError, OverflowError) as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=["cursor"]) from fault
    since = connection.execute(select(func.min(agreements.c.since)).where(agreements.c.partner == partner)).scalar()
    begun = max(jakarta_date(since), newest - timedelta(days=STATEMENT_DAYS)) if since is not None else newest
    shown = [last - timedelta(days=number) for number in range(limit)]
    shown = [day for day in shown if day >= begun]
    wanted = select(statements.c.day, statements.c.document).where(
        statements.c.partner == partner, statements.c.day.in_([day.isoformat() for day in shown])
    )
    made = {row.day: json.loads(row.document)["statement"] for row in connection.execute(wanted)}
    items = [_day(day.isoformat(), made.get(day.isoformat())) for day in shown]
    following = shown[-1].isoformat() if shown and shown[-1] > begun else None
    return Shown({"items": items, "next": following, "newest": newest.isoformat()})


def _day(day: str, made: Mapping[str, Any] | None) -> dict[str, Any]:
    sums = {name: made[name] if made else None for name in ("answers", "refusals", "amount", "credited")}
    return {"date": day, "made": made is not None, **sums}


VIEWS: Mapping[str, Callable[[ReadContext, View], Shown]] = {
    "own_agreement": agreement,
    "own_usage": usage,
    "own_failures": failures,
    "own_keys": keys,
    "own_statements": days,
}
