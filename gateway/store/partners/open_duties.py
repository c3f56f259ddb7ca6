"""Which duties does a partner owe, and which end by themselves? Read alone; who watches them is administration/duties.py."""

from __future__ import annotations

import json
from datetime import date

from sqlalchemy import Connection, select

from gateway.clock import DAY, jakarta_date
from gateway.partners import lifecycle
from gateway.partners.agreement import Agreement, AgreementState
from gateway.partners.duties import Duty, duties_of
from gateway.partners.in_force import governing
from gateway.partners.terms import from_document
from gateway.store.partners.tables import agreement_versions, agreements, clients, deliveries, exemptions, key_terms

_LIVE = frozenset({AgreementState.APPROVED, AgreementState.IN_FORCE, AgreementState.SUSPENDED})


def live_agreements(connection: Connection, now: int) -> list[Agreement]:
    """Of each agreement that is not over the version that governs."""
    documents = connection.execute(
        select(agreement_versions.c.document).order_by(agreement_versions.c.agreement, agreement_versions.c.version)
    ).scalars()
    held = tuple(from_document(json.loads(document)) for document in documents)
    approved = tuple(one for one in held if one.state not in lifecycle.UNSETTLED)
    return [one for one in governing(approved, now) if one.state in _LIVE and now < one.ends] if approved else []


def open_duties(connection: Connection, agreement: Agreement, now: int) -> tuple[Duty, ...]:
    """What is open under one agreement."""
    delivered: dict[str, set[date]] = {}
    for row in connection.execute(select(deliveries).where(deliveries.c.agreement == agreement.id)):
        delivered.setdefault(row.duty, set()).add(date.fromisoformat(row.due))
    since = connection.execute(select(agreements.c.since).where(agreements.c.id == agreement.id)).scalar()
    return duties_of(agreement, delivered, agreement.starts if since is None else since, now)


def key_duties(connection: Connection, partner: str) -> list[Duty]:
    """When the keys of a partner end."""
    rows = connection.execute(
        select(key_terms, clients.c.partner)
        .join(clients, clients.c.client_id == key_terms.c.client_id)
        .where(clients.c.partner == partner)
    )
    return [
        Duty("", row.partner, "key_expiry", jakarta_date(row.expires), f"{row.client_id}/{row.kid}") for row in rows
    ]


def exemption_duties(connection: Connection) -> list[Duty]:
    """When exemptions end by themselves: their last days."""
    rows = connection.execute(select(exemptions).where(exemptions.c.ends > 0).order_by(exemptions.c.partner))
    return [Duty("", row.partner, "exemption_end", jakarta_date(row.ends - DAY), row.ground) for row in rows]
