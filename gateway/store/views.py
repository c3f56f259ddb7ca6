"""What do administrators see? Every view is one document from one snapshot; its ETag is a digest of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, select

from gateway.allowance.account import Account
from gateway.clock import DAY, jakarta_date, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.ledger.entry import Kind
from gateway.partners import lifecycle
from gateway.partners.agreement import Agreement, State
from gateway.partners.approvals import Decision, Widening
from gateway.partners.difference import difference
from gateway.partners.document import to_document
from gateway.partners.in_force import governing, state_at
from gateway.partners.lifecycle import digest
from gateway.partners.purposes import PurposeCatalogue
from gateway.policy.decide import Decider
from gateway.store import staff_views
from gateway.store.agreements import number, owner_of, partner_entry, standing_exemption, versions_of
from gateway.store.approval_views import approval_row, approval_rows, last_suspension
from gateway.store.approvals import read_approval, stands
from gateway.store.credentials import CONSOLE as METHOD
from gateway.store.credentials import expiries, keys_of, person_of
from gateway.store.deeds import STAFF
from gateway.store.duties import exemption_duties, key_duties, live_agreements, open_duties
from gateway.store.ledger import read_head
from gateway.store.money import entries_between, first_at
from gateway.store.search import Instruments
from gateway.store.staff import certification_duties
from gateway.store.tables import (
    accounts,
    agreement_versions,
    agreements,
    approvals,
    clients,
    deliveries,
    drafts,
    partners,
    payments,
)
from gateway.verification.acts import Shown, View
from gateway.verification.plain import usage_document
from gateway.verification.replay import past_of, replay

PAGE, MOST = 50, 200
REPLAYED = 30 * DAY
ENTRIES = 100_000
"""How many entries of the ledger a replay looks at; the newest of them when there are more."""


def slug_alone(cause: str) -> Mapping[str, Any]:
    """What is told of a cause where nobody has words for it."""
    return {"slug": cause}


@dataclass(frozen=True, slots=True)
class Sight:
    """What a view is read from."""

    connection: Connection
    now: int
    purposes: PurposeCatalogue
    decider: Decider
    instruments: Instruments | None = None
    words: Callable[[str], Mapping[str, Any]] = slug_alone  # of a cause, by its slug
    replays: bool = False  # deciding the past again takes seconds: never under the sealing lock


def show(sight: Sight, view: View) -> Shown:
    """The document of a view. Raises Refused(NOT_FOUND, MALFORMED_REQUEST)."""
    document, agreement = _VIEWS[view.name](sight, view)
    return Shown(document, "" if "items" in document else etag(document), agreement)


_MOVING = frozenset({"replay", "overdue", "suspended_by", "open_sessions"})


def etag(document: Mapping[str, Any]) -> str:
    """The strong validator of a document (RFC 9110 §8.8.3); what moves by itself is left out."""
    return f'"{digest({name: value for name, value in document.items() if name not in _MOVING})[:27]}"'


Seen = tuple[dict[str, Any], str]
"""(document, the agreement that it speaks of)."""


def _partner(sight: Sight, view: View) -> Seen:
    entry = partner_entry(sight.connection, view.path["id"])
    suspended = sight.connection.execute(select(partners.c.suspended).where(partners.c.id == entry.id)).scalar()
    ids = sight.connection.execute(
        select(agreements.c.id).where(agreements.c.partner == entry.id).order_by("id")
    ).scalars()
    versioned = sight.connection.execute(
        select(agreement_versions.c.agreement).where(agreement_versions.c.partner == entry.id)
    ).scalars()
    held = sorted({*ids, *versioned})
    return {
        "id": entry.id,
        "name": entry.name,
        "class": entry.kind,
        "exemption": standing_exemption(sight.connection, entry.id),
        "suspended": bool(suspended),
        "agreements": [{"agreement": each, "state": _state(sight, each)} for each in held],
        "keys": keys_of_partner(sight, entry.id),
    }, ""


def keys_of_partner(sight: Sight, partner: str) -> list[dict[str, Any]]:
    """Keys and certificates of every client of a partner."""
    shown = []
    held = sight.connection.execute(
        select(clients.c.client_id, clients.c.auth_method)
        .where(clients.c.partner == partner)
        .order_by(clients.c.client_id)
    )
    for client_id, method in held.all():
        ends = expiries(sight.connection, client_id)
        for jwk in keys_of(sight.connection, client_id):
            end = ends.get(str(jwk.get("kid")))
            shown.append(
                {
                    "client_id": client_id, "kid": jwk.get("kid"), "kty": jwk.get("kty"), "auth_method": method,
                    "certificate": jwk.get("x5t#S256"), "expires": rfc3339_seconds(end) if end else None,
                }
            )  # fmt: skip
    return shown


def _state(sight: Sight, agreement: str) -> str:
    held = [one for one in versions_of(sight.connection, agreement) if one.state not in lifecycle.UNSETTLED]
    if held:
        return state_at(governing(tuple(held), sight.now)[0], sight.now).value
    row = sight.connection.execute(select(drafts.c.state).where(drafts.c.agreement == agreement)).scalars()
    return State.PROPOSED.value if State.PROPOSED.value in set(row) else State.DRAFT.value


def _agreement(sight: Sight, view: View) -> Seen:
    agreement = view.path["a"]
    partner = owner_of(sight.connection, agreement)
    held = versions_of(sight.connection, agreement)
    settled = tuple(one for one in held if one.state not in lifecycle.UNSETTLED)
    governs = governing(settled, sight.now)[0] if settled else None
    return {
        "agreement": agreement,
        "partner": partner,
        "state": _state(sight, agreement),
        "version": governs.version if governs else None,
        "digest": governs.digest if governs else None,
        "suspension": governs.suspension or None if governs else None,
        "suspended_purposes": sorted({name for one in settled for name in one.suspended}),
        "purposes": sorted(governs.purposes) if governs else [],
        "versions": _version_rows(sight, agreement, held),
    }, agreement


def _version_rows(sight: Sight, agreement: str, held: Sequence[Agreement]) -> list[dict[str, Any]]:
    rows = {
        one.version: {"version": one.version, "state": state_at(one, sight.now).value, "digest": one.digest}
        for one in held
    }
    for row in sight.connection.execute(select(drafts).where(drafts.c.agreement == agreement)):
        rows[row.version] = {"version": row.version, "state": row.state, "digest": row.digest}
    return [rows[version] for version in sorted(rows)]


def _version(sight: Sight, view: View) -> Seen:
    agreement, version = view.path["a"], number(view.path["v"])
    partner = partner_entry(sight.connection, owner_of(sight.connection, agreement))
    held = versions_of(sight.connection, agreement)
    row = sight.connection.execute(
        select(drafts).where(drafts.c.agreement == agreement, drafts.c.version == version)
    ).one_or_none()
    before = lifecycle.newest_approved([one for one in held if one.version < version])
    if row is None:
        one = next((each for each in held if each.version == version), None)
        if one is None:
            raise Refused(Cause.NOT_FOUND)
        state, seen, missing, faults = state_at(one, sight.now).value, one.digest, [], []
        agreed: Agreement | None = one
        fields = {name: value for name, value in to_document(one).items() if name not in {"state", "digest", "version"}}
    else:
        fields = json.loads(row.fields)
        found = lifecycle.examine(fields, partner, agreement, version, sight.purposes, before)
        state, seen, agreed = row.state, row.digest, found.agreement
        missing, faults = list(found.missing), list(found.faults)
    document: dict[str, Any] = {
        "agreement": agreement,
        "version": version,
        "state": state,
        "digest": seen,
        "missing": missing,
        "faults": faults,
        "fields": fields,
        "starts": rfc3339_seconds(agreed.starts) if agreed else None,
        "ends": rfc3339_seconds(agreed.ends) if agreed else None,
        "difference": [each.document() for each in difference(before, agreed)] if agreed else [],
        "persons": json.loads(row.persons) if row is not None else [],
        "approval": _open_approval(sight, agreement, version) if row is not None else None,
    }
    return document, agreement


def _open_approval(sight: Sight, agreement: str, version: int) -> str | None:
    """The proposal that a version waits with."""
    columns = approvals.c
    wanted = select(columns.id).where(
        columns.agreement == agreement, columns.version == version, columns.state == Decision.OPEN.value,
        columns.kind == Widening.VERSION.value,
    )  # fmt: skip
    return sight.connection.execute(wanted).scalar()


def _approval(sight: Sight, view: View) -> Seen:
    approval = read_approval(sight.connection, view.path["id"])
    waits = approval.state is Decision.OPEN
    document = {
        **approval_row(sight.connection, approval),
        "subject": dict(approval.subject),
        "stands": stands(sight.connection, approval) if waits else None,
        "suspended_by": None,
        "difference": [],
        "replay": None,
    }
    if approval.kind is Widening.VERSION:
        held = versions_of(sight.connection, approval.agreement)
        after = next((one for one in held if one.version == approval.version), None)
        before = lifecycle.newest_approved([one for one in held if one.version < approval.version])
        if after is not None:
            document["difference"] = [each.document() for each in difference(before, after)]
        if after is not None and sight.replays and waits:
            document["replay"] = _replay(sight, approval.partner, after)
    if waits and sight.replays and (approval.kind is Widening.RESUME or approval.subject.get("of") == "resume"):
        document["suspended_by"] = last_suspension(sight.connection, approval, ENTRIES)
    return document, approval.agreement


def _replay(sight: Sight, partner: str, after: Agreement) -> dict[str, Any]:
    """What the version would have refused of the last 30 days' answers."""
    size, since = read_head(sight.connection).size, sight.now - REPLAYED
    first = first_at(sight.connection, since, size)
    begun = max(first, size - ENTRIES)
    past = (
        past_of(leaf["actor"], leaf["purpose"], at, private)
        for leaf, at, private in entries_between(sight.connection, begun, size, [after.id])
        if leaf["kind"] == Kind.ANSWER and leaf["agreement"] == after.id
    )
    told = replay(sight.decider, partner_entry(sight.connection, partner).kind, after, past)
    period = {"since": rfc3339_seconds(since), "until": rfc3339_seconds(sight.now), "complete": begun == first}
    return {**period, **told}


def _usage(sight: Sight, view: View) -> Seen:
    partner = partner_entry(sight.connection, view.path["id"]).id
    held = [one for one in live_agreements(sight.connection, sight.now) if one.partner == partner]
    rows = {row.id: Account(*row[1:]) for row in sight.connection.execute(select(accounts))}
    shown = [usage_document(one, rows.get(one.id, Account()), sight.now) for one in held]
    return {"partner": partner, "agreements": shown}, ""


# ------------------------------------------------------------------------------------------------ lists


def page(items: Sequence[dict[str, Any]], name: str, query: Mapping[str, str], *, back: bool = False) -> Seen:
    """One page of a list sorted by its member `name`, downwards when `back`; `next` is the cursor of the next one, or null."""
    text = query.get("limit", str(PAGE))
    limit = int(text) if text.isdecimal() and len(text) < 4 else 0  # noqa: PLR2004  three digits are enough
    if not 1 <= limit <= MOST:
        raise Refused(Cause.MALFORMED_REQUEST, members=["limit"])
    after = query.get("cursor", "")
    left = (
        [each for each in items if (str(each[name]) < after if back else str(each[name]) > after)] if after else items
    )
    shown = left[:limit]
    return {"items": shown, "next": str(shown[-1][name]) if len(left) > limit else None}, ""


def _partners(sight: Sight, view: View) -> Seen:
    """`text` (part of the name or id), `class` and `state` (active, suspended) narrow it."""
    rows = sight.connection.execute(select(partners).where(partners.c.id != STAFF).order_by(partners.c.id)).all()
    sought, kind, state = (view.query.get(name, "") for name in ("text", "class", "state"))
    if state not in ("", "active", "suspended"):
        raise Refused(Cause.MALFORMED_REQUEST, members=["state"])
    items = [
        {"id": row.id, "name": row.name, "class": row.kind, "suspended": bool(row.suspended)}
        for row in rows
        if sought.casefold() in f"{row.name} {row.id}".casefold()
        and kind in ("", row.kind)
        and state in ("", "suspended" if row.suspended else "active")
    ]
    return page(items, "id", view.query)


def _partner_agreements(sight: Sight, view: View) -> Seen:
    shown, _ = _partner(sight, view)
    return page(shown["agreements"], "agreement", view.query)


def _partner_keys(sight: Sight, view: View) -> Seen:
    shown, _ = _partner(sight, view)
    return page(sorted(shown["keys"], key=lambda each: str(each["kid"])), "kid", view.query)


def _partner_payments(sight: Sight, view: View) -> Seen:
    shown, _ = _partner(sight, view)
    own = [each["agreement"] for each in shown["agreements"]]
    rows = sight.connection.execute(
        select(payments).where(payments.c.agreement.in_(own)).order_by(payments.c.reference)
    )
    items = [
        {
            "reference": row.reference, "agreement": row.agreement, "amount": row.amount, "balance": row.balance,
            "credited_at": rfc3339_seconds(row.credited_at),
        }
        for row in rows
    ]  # fmt: skip
    return page(items, "reference", view.query)


def _versions(sight: Sight, view: View) -> Seen:
    shown, agreement = _agreement(sight, view)
    items = [{**each, "order": f"{each['version']:09d}"} for each in shown["versions"]]
    document, _ = page(items, "order", view.query)
    document["items"] = [{name: each[name] for name in each if name != "order"} for each in document["items"]]
    return document, agreement


def _approvals(sight: Sight, view: View) -> Seen:
    """`state` (`decided`: no longer open), `kind` and `partner` narrow it; with `order=newest` the newest come first."""
    return page(approval_rows(sight.connection, view.query), "id", view.query, back=view.query.get("order") == "newest")


def _deliveries(sight: Sight, view: View) -> Seen:
    agreement = view.path["a"]
    owner_of(sight.connection, agreement)
    rows = sight.connection.execute(
        select(deliveries).where(deliveries.c.agreement == agreement).order_by(deliveries.c.due, deliveries.c.duty)
    )
    items = [
        {
            "id": f"{row.due}.{row.duty}", "duty": row.duty, "due": row.due, "reference": row.reference,
            "person": row.person, "delivered_at": rfc3339_seconds(row.delivered_at),
        }
        for row in rows
    ]  # fmt: skip
    document, _ = page(items, "id", view.query)
    return document, agreement


def _duties(sight: Sight, view: View) -> Seen:
    """The calendar: what is open, soonest first; `partner` and `until` narrow it."""
    until, wanted = view.query.get("until", ""), view.query.get("partner", "")
    today = jakarta_date(sight.now)
    try:
        last = date.fromisoformat(until) if until else today + timedelta(days=400)
    except ValueError as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=["until"]) from fault
    live = live_agreements(sight.connection, sight.now)
    found = [duty for one in live for duty in open_duties(sight.connection, one, sight.now)]
    for partner in sorted({one.partner for one in live}):
        found += key_duties(sight.connection, partner)
    found += exemption_duties(sight.connection) + certification_duties(sight.connection, sight.now)
    items = [
        {
            "id": ".".join(part for part in (duty.due.isoformat(), duty.agreement or duty.partner, duty.name, duty.about) if part),
            "agreement": duty.agreement or None,
            "partner": duty.partner,
            "duty": duty.name,
            "about": duty.about or None,
            "person": duty.person or None,
            "due": duty.due.isoformat(),
            "state": duty.state(today),
        }
        for duty in found
        if duty.due <= last and wanted in ("", duty.partner)
    ]  # fmt: skip
    return page(sorted(items, key=lambda each: str(each["id"])), "id", view.query)


def _staff(sight: Sight, view: View) -> Seen:
    rows = sight.connection.execute(
        select(clients).where(clients.c.partner == STAFF, clients.c.auth_method != METHOD).order_by(clients.c.client_id)
    ).all()
    items = [
        {
            "client_id": row.client_id,
            "person": person_of(sight.connection, row.client_id),
            "scopes": row.scopes.split(),
        }
        for row in rows
    ]
    return page(items, "client_id", view.query)


def _members(sight: Sight, view: View) -> Seen:
    """`text`, `state`, `role` and `partner` narrow it; `due=yes`: whose certification ends within 30 days or has, soonest first."""
    items = staff_views.rows(sight.connection, sight.now, view.query)
    if view.query.get("due") != "yes":
        return page(items, "id", view.query)
    document, _ = page(
        [{**each, "order": f"{each['certified_until']} {each['id']}"} for each in items], "order", view.query
    )
    document["items"] = [{name: each[name] for name in each if name != "order"} for each in document["items"]]
    return document, ""


def _member(sight: Sight, view: View) -> Seen:
    return staff_views.document(sight.connection, view.path["id"], sight.now), ""


def _me(sight: Sight, view: View) -> Seen:
    return staff_views.own(sight.connection, view.client_id, view.token_id, sight.now), ""


_VIEWS: Mapping[str, Callable[[Sight, View], Seen]] = {
    "partners": _partners,
    "partner": _partner,
    "partner_agreements": _partner_agreements,
    "partner_keys": _partner_keys,
    "partner_payments": _partner_payments,
    "usage": _usage,
    "agreement": _agreement,
    "versions": _versions,
    "version": _version,
    "deliveries": _deliveries,
    "approvals": _approvals,
    "approval": _approval,
    "duties": _duties,
    "staff": _staff,
    "members": _members,
    "member": _member,
    "me": _me,
}
