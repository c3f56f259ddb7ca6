"""What do administrators see? Every view is one document from one snapshot; its ETag is a digest of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from gateway.administration.commands import Shown, View
from gateway.administration.replay import past_of, replay
from gateway.allowance.account import Account
from gateway.clock import DAY, jakarta_date, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.partners import lifecycle
from gateway.partners.agreement import Agreement, AgreementState
from gateway.partners.approvals import Decision, Widening
from gateway.partners.difference import difference
from gateway.partners.document import to_document
from gateway.partners.in_force import governing, state_at
from gateway.sealing.usage import usage_document
from gateway.store.administration.approval_views import approval_row, approval_rows, last_suspension
from gateway.store.administration.approvals import read_approval, stands
from gateway.store.commands.query import ReadContext, ViewedDocument, number, page, revision
from gateway.store.commands.tables import approvals
from gateway.store.commands.unit_of_work import STAFF
from gateway.store.ledger.entries import read_head
from gateway.store.partners.agreements import owner_of, partner_entry, present_of, standing_exemption, versions_of
from gateway.store.partners.credentials import CONSOLE as METHOD
from gateway.store.partners.credentials import expiries, keys_of, person_of
from gateway.store.partners.money import entries_between, first_at
from gateway.store.partners.open_duties import exemption_duties, key_duties, live_agreements, open_duties
from gateway.store.partners.tables import (
    agreement_versions,
    agreements,
    clients,
    deliveries,
    drafts,
    partners,
    payments,
)
from gateway.store.sealing.tables import accounts
from gateway.store.staff import overviews as staff_views
from gateway.store.staff.members import certification_duties

REPLAYED = 30 * DAY
ENTRIES = 100_000
"""How many entries of the ledger a replay looks at; the newest of them when there are more."""


def show(context: ReadContext, view: View) -> Shown:
    """The document of a view. Raises Refused(NOT_FOUND, MALFORMED_REQUEST)."""
    document, agreement = _VIEWS[view.name](context, view)
    return Shown(document, "" if "items" in document else revision(document), agreement)


def _partner(context: ReadContext, view: View) -> ViewedDocument:
    entry = partner_entry(context.connection, view.path["id"])
    suspended = context.connection.execute(select(partners.c.suspended).where(partners.c.id == entry.id)).scalar()
    ids = context.connection.execute(
        select(agreements.c.id).where(agreements.c.partner == entry.id).order_by("id")
    ).scalars()
    versioned = context.connection.execute(
        select(agreement_versions.c.agreement).where(agreement_versions.c.partner == entry.id)
    ).scalars()
    held = sorted({*ids, *versioned})
    return {
        "id": entry.id,
        "name": entry.name,
        "class": entry.kind,
        "exemption": standing_exemption(context.connection, entry.id),
        "suspended": bool(suspended),
        "agreements": [{"agreement": each, "state": _state(context, each)} for each in held],
        "keys": keys_of_partner(context, entry.id),
    }, ""


def keys_of_partner(context: ReadContext, partner: str) -> list[dict[str, Any]]:
    """Keys and certificates of every client of a partner."""
    shown = []
    held = context.connection.execute(
        select(clients.c.client_id, clients.c.auth_method)
        .where(clients.c.partner == partner)
        .order_by(clients.c.client_id)
    )
    for client_id, method in held.all():
        ends = expiries(context.connection, client_id)
        for jwk in keys_of(context.connection, client_id):
            end = ends.get(str(jwk.get("kid")))
            shown.append(
                {
                    "client_id": client_id, "kid": jwk.get("kid"), "kty": jwk.get("kty"), "auth_method": method,
                    "certificate": jwk.get("x5t#S256"), "expires": rfc3339_seconds(end) if end else None,
                }
            )  # fmt: skip
    return shown


def _state(context: ReadContext, agreement: str) -> str:
    held = [one for one in versions_of(context.connection, agreement) if one.state not in lifecycle.UNSETTLED]
    if held:
        return state_at(governing(tuple(held), context.now)[0], context.now).value
    row = context.connection.execute(select(drafts.c.state).where(drafts.c.agreement == agreement)).scalars()
    return AgreementState.PROPOSED.value if AgreementState.PROPOSED.value in set(row) else AgreementState.DRAFT.value


def _agreement(context: ReadContext, view: View) -> ViewedDocument:
    agreement = view.path["a"]
    partner = owner_of(context.connection, agreement)
    held = versions_of(context.connection, agreement)
    settled = tuple(one for one in held if one.state not in lifecycle.UNSETTLED)
    governs = governing(settled, context.now)[0] if settled else None
    return {
        "agreement": agreement,
        "partner": partner,
        "state": _state(context, agreement),
        "version": governs.version if governs else None,
        "digest": governs.digest if governs else None,
        "suspension": governs.suspension or None if governs else None,
        "suspended_purposes": sorted({name for one in settled for name in one.suspended}),
        "purposes": sorted(governs.purposes) if governs else [],
        "versions": _version_rows(context, agreement, held),
    }, agreement


def _version_rows(context: ReadContext, agreement: str, held: Sequence[Agreement]) -> list[dict[str, Any]]:
    rows = {
        one.version: {"version": one.version, "state": state_at(one, context.now).value, "digest": one.digest}
        for one in held
    }
    for row in context.connection.execute(select(drafts).where(drafts.c.agreement == agreement)):
        rows[row.version] = {"version": row.version, "state": row.state, "digest": row.digest}
    return [rows[version] for version in sorted(rows)]


def _version(context: ReadContext, view: View) -> ViewedDocument:
    agreement, version = view.path["a"], number(view.path["v"])
    partner = partner_entry(context.connection, owner_of(context.connection, agreement))
    held = versions_of(context.connection, agreement)
    row = context.connection.execute(
        select(drafts).where(drafts.c.agreement == agreement, drafts.c.version == version)
    ).one_or_none()
    before = lifecycle.newest_approved([one for one in held if one.version < version])
    if row is None:
        one = next((each for each in held if each.version == version), None)
        if one is None:
            raise Refused(Cause.NOT_FOUND)
        state, seen, missing, faults = state_at(one, context.now).value, one.digest, [], []
        agreed: Agreement | None = one
        fields = {name: value for name, value in to_document(one).items() if name not in {"state", "digest", "version"}}
    else:
        fields = json.loads(row.fields)
        present = present_of(context.connection, context.now, fields, before, context.reach)
        found = lifecycle.examine(fields, partner, agreement, version, context.purposes, present)
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
        "approval": _open_approval(context, agreement, version) if row is not None else None,
    }
    return document, agreement


def _open_approval(context: ReadContext, agreement: str, version: int) -> str | None:
    """The proposal that a version waits with."""
    columns = approvals.c
    wanted = select(columns.id).where(
        columns.agreement == agreement, columns.version == version, columns.state == Decision.OPEN.value,
        columns.kind == Widening.VERSION.value,
    )  # fmt: skip
    return context.connection.execute(wanted).scalar()


def _approval(context: ReadContext, view: View) -> ViewedDocument:
    approval = read_approval(context.connection, view.path["id"])
    waits = approval.state is Decision.OPEN
    document = {
        **approval_row(context.connection, approval),
        "subject": dict(approval.subject),
        "stands": stands(context.connection, approval) if waits else None,
        "suspended_by": None,
        "difference": [],
        "replay": None,
    }
    if approval.kind is Widening.VERSION:
        held = versions_of(context.connection, approval.agreement)
        after = next((one for one in held if one.version == approval.version), None)
        before = lifecycle.newest_approved([one for one in held if one.version < approval.version])
        if after is not None:
            document["difference"] = [each.document() for each in difference(before, after)]
        if after is not None and context.replays and waits:
            document["replay"] = _replay(context, approval.partner, after)
    if waits and context.replays and (approval.kind is Widening.RESUME or approval.subject.get("of") == "resume"):
        document["suspended_by"] = last_suspension(context.connection, approval, ENTRIES)
    return document, approval.agreement


def _replay(context: ReadContext, partner: str, after: Agreement) -> dict[str, Any]:
    """What the version would have refused of the last 30 days' answers."""
    size, since = read_head(context.connection).size, context.now - REPLAYED
    first = first_at(context.connection, since, size)
    begun = max(first, size - ENTRIES)
    past = (
        past_of(leaf["actor"], leaf["purpose"], at, private)
        for leaf, at, private in entries_between(context.connection, begun, size, [after.id])
        if leaf["kind"] == Kind.ANSWER and leaf["agreement"] == after.id
    )
    told = replay(context.decider, partner_entry(context.connection, partner).kind, after, past)
    period = {"since": rfc3339_seconds(since), "until": rfc3339_seconds(context.now), "complete": begun == first}
    return {**period, **told}


def _usage(context: ReadContext, view: View) -> ViewedDocument:
    partner = partner_entry(context.connection, view.path["id"]).id
    held = [one for one in live_agreements(context.connection, context.now) if one.partner == partner]
    rows = {row.id: Account(*row[1:]) for row in context.connection.execute(select(accounts))}
    shown = [usage_document(one, rows.get(one.id, Account()), context.now) for one in held]
    return {"partner": partner, "agreements": shown}, ""


# ------------------------------------------------------------------------------------------------ lists


def _partners(context: ReadContext, view: View) -> ViewedDocument:
    """`text` (part of the name or id), `class` and `state` (active, suspended) narrow it."""
    rows = context.connection.execute(select(partners).where(partners.c.id != STAFF).order_by(partners.c.id)).all()
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


def _partner_agreements(context: ReadContext, view: View) -> ViewedDocument:
    shown, _ = _partner(context, view)
    return page(shown["agreements"], "agreement", view.query)


def _partner_keys(context: ReadContext, view: View) -> ViewedDocument:
    shown, _ = _partner(context, view)
    return page(sorted(shown["keys"], key=lambda each: str(each["kid"])), "kid", view.query)


def _partner_payments(context: ReadContext, view: View) -> ViewedDocument:
    shown, _ = _partner(context, view)
    own = [each["agreement"] for each in shown["agreements"]]
    rows = context.connection.execute(
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


def _versions(context: ReadContext, view: View) -> ViewedDocument:
    shown, agreement = _agreement(context, view)
    items = [{**each, "order": f"{each['version']:09d}"} for each in shown["versions"]]
    document, _ = page(items, "order", view.query)
    document["items"] = [{name: each[name] for name in each if name != "order"} for each in document["items"]]
    return document, agreement


def _approvals(context: ReadContext, view: View) -> ViewedDocument:
    """`state` (`decided`: no longer open), `kind` and `partner` narrow it; with `order=newest` the newest come first."""
    return page(
        approval_rows(context.connection, view.query), "id", view.query, back=view.query.get("order") == "newest"
    )


def _deliveries(context: ReadContext, view: View) -> ViewedDocument:
    agreement = view.path["a"]
    owner_of(context.connection, agreement)
    rows = context.connection.execute(
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


def _duties(context: ReadContext, view: View) -> ViewedDocument:
    """The calendar: what is open, soonest first; `partner` and `until` narrow it."""
    until, wanted = view.query.get("until", ""), view.query.get("partner", "")
    today = jakarta_date(context.now)
    try:
        last = date.fromisoformat(until) if until else today + timedelta(days=400)
    except ValueError as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=["until"]) from fault
    live = live_agreements(context.connection, context.now)
    found = [duty for one in live for duty in open_duties(context.connection, one, context.now)]
    for partner in sorted({one.partner for one in live}):
        found += key_duties(context.connection, partner)
    found += exemption_duties(context.connection) + certification_duties(context.connection, context.now)
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


def _staff(context: ReadContext, view: View) -> ViewedDocument:
    rows = context.connection.execute(
        select(clients).where(clients.c.partner == STAFF, clients.c.auth_method != METHOD).order_by(clients.c.client_id)
    ).all()
    items = [
        {
            "client_id": row.client_id,
            "person": person_of(context.connection, row.client_id),
            "scopes": row.scopes.split(),
        }
        for row in rows
    ]
    return page(items, "client_id", view.query)


def _members(context: ReadContext, view: View) -> ViewedDocument:
    """`text`, `state`, `role` and `partner` narrow it; `due=yes`: whose certification ends within 30 days or has, soonest first."""
    items = staff_views.rows(context.connection, context.now, view.query)
    if view.query.get("due") != "yes":
        return page(items, "id", view.query)
    document, _ = page(
        [{**each, "order": f"{each['certified_until']} {each['id']}"} for each in items], "order", view.query
    )
    document["items"] = [{name: each[name] for name in each if name != "order"} for each in document["items"]]
    return document, ""


def _member(context: ReadContext, view: View) -> ViewedDocument:
    return staff_views.document(context.connection, view.path["id"], context.now), ""


def _me(context: ReadContext, view: View) -> ViewedDocument:
    return staff_views.own(context.connection, view.client_id, view.token_id, context.now), ""


_VIEWS: Mapping[str, Callable[[ReadContext, View], ViewedDocument]] = {
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
