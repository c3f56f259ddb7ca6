"""What does a registrar work with? Drafts and whose they are, duties that were delivered, and the closed list of purposes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select

from gateway.administration.commands import Shown, View
from gateway.clock import rfc3339_seconds
from gateway.partners import lifecycle
from gateway.partners.approvals import Decision, Widening
from gateway.partners.approvals import person as same
from gateway.partners.purposes import TIER_2
from gateway.store.commands.query import ReadContext, page
from gateway.store.commands.tables import approvals
from gateway.store.partners.agreements import owner_of, partner_entry, present_of, versions_of
from gateway.store.partners.tables import agreement_versions, agreements, deliveries, drafts


def drafts_view(context: ReadContext, view: View) -> Shown:
    """Every draft: who had a hand in it, what it lacks, the proposal that it waits with; `mine` and `agreement` narrow it."""
    connection = context.connection
    waiting = {
        (row.agreement, row.version): row
        for row in connection.execute(
            select(approvals).where(
                approvals.c.state == Decision.OPEN.value, approvals.c.kind == Widening.VERSION.value
            )
        )
    }
    wanted = select(drafts).order_by(drafts.c.agreement, drafts.c.version)
    if view.query.get("agreement"):
        wanted = wanted.where(drafts.c.agreement == view.query["agreement"])
    items = []
    for row in connection.execute(wanted).all():
        persons = json.loads(row.persons)
        own = same(view.person) in {same(each) for each in persons}
        if view.query.get("mine") and not own:
            continue
        partner = partner_entry(connection, owner_of(connection, row.agreement))
        before = [one for one in versions_of(connection, row.agreement) if one.version < row.version]
        fields = json.loads(row.fields)
        present = present_of(connection, context.now, fields, lifecycle.newest_approved(before), context.reach)
        found = lifecycle.examine(fields, partner, row.agreement, row.version, context.purposes, present)
        approval = waiting.get((row.agreement, row.version))
        items.append({
            "id": f"{row.agreement}/{row.version:06d}", "agreement": row.agreement, "version": row.version,
            "partner": partner.id, "partner_name": partner.name, "state": row.state, "mine": own, "persons": persons,
            "lacks": len({*found.missing, *found.faults}),
            "approval": approval.id if approval else None,
            "proposed_at": rfc3339_seconds(approval.proposed_at) if approval else None,
            "proposed_by_me": approval is not None and same(json.loads(approval.persons)[-1]) == same(view.person),
        })  # fmt: skip
    return Shown(page(items, "id", view.query)[0])


def delivered(context: ReadContext, view: View) -> Shown:
    """What was delivered, newest first; `partner` narrows it to one."""
    connection = context.connection
    pairs = select(agreement_versions.c.agreement, agreement_versions.c.partner).distinct()
    owners = {row.agreement: row.partner for row in connection.execute(pairs)}
    owners |= {row.id: row.partner for row in connection.execute(select(agreements.c.id, agreements.c.partner))}
    wanted = select(deliveries).order_by(deliveries.c.delivered_at.desc()).limit(500)
    items = [
        {
            "agreement": row.agreement, "partner": owners.get(row.agreement), "duty": row.duty, "due": row.due,
            "reference": row.reference, "person": row.person, "delivered_at": rfc3339_seconds(row.delivered_at),
        }
        for row in connection.execute(wanted)
        if view.query.get("partner", "") in ("", owners.get(row.agreement))
    ]  # fmt: skip
    return Shown({"items": items, "next": None})


def purposes(context: ReadContext, _: View) -> Shown:
    """The closed list of purposes, with what an agreement for each starts from and may name."""
    items: list[dict[str, Any]] = [
        {
            "purpose": one.name, "title": {"id": one.title_id, "en": one.title_en}, "legal_basis": one.legal_basis,
            "decide": list(one.decide), "inform": list(one.inform), "justified": sorted(TIER_2 & one.claims),
            "demands": sorted(one.demands), "tells_order": one.tells_order,
        }
        for one in context.purposes.purposes.values()
    ]  # fmt: skip
    return Shown({"items": items, "next": None})


VIEWS: Mapping[str, Callable[[ReadContext, View], Shown]] = {
    "drafts": drafts_view,
    "delivered": delivered,
    "purposes": purposes,
}
"""Views for the console alone."""
