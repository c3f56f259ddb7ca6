"""What waits for somebody, at one glance? Counts for the first page of each role, each from one query."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select

from gateway.administration.commands import Shown, View
from gateway.clock import DAY, HOUR, jakarta_date, rfc3339_seconds
from gateway.partners.approvals import Decision
from gateway.partners.approvals import person as same
from gateway.partners.duties import Duty, duties_of
from gateway.store.audit.access_requests import CLOCK as ACCESS_CLOCK
from gateway.store.audit.assignments import all_assignments
from gateway.store.audit.incidents import CLOCK as INCIDENT_CLOCK
from gateway.store.audit.tables import access_requests, finding_notes, incidents
from gateway.store.commands.query import ReadContext
from gateway.store.commands.tables import approvals
from gateway.store.commands.unit_of_work import STAFF
from gateway.store.partners.open_duties import exemption_duties, live_agreements
from gateway.store.partners.tables import agreements, clients, deliveries, drafts, key_terms, partners

SOON = 30  # days
NEAR = 24 * HOUR  # before a clock of 72 hours runs out


def overview(context: ReadContext, view: View) -> Shown:
    """`GET /v1/overview`: for whoever administers, and whoever approves."""
    connection = context.connection
    return Shown(
        {
            "partners": _partners(connection),
            "drafts": _drafts(connection),
            "approvals": _approvals(connection, view.person),
            "duties": _duties(connection, context.now),
            "keys": _keys(connection, context.now),
            "incidents": _incidents(connection, context.now),
        }
    )


def audit_overview(context: ReadContext, view: View) -> Shown:
    """`GET /v1/ledger/overview`: for auditors, and officers at a resident's side; requests and assignments are their own."""
    connection = context.connection
    noted = _counted(connection, select(finding_notes.c.state, func.count()).group_by(finding_notes.c.state))
    return Shown(
        {
            "findings": {state: noted.get(state, 0) for state in ("open", "examining", "confirmed", "dismissed")},
            "access_requests": _requests(connection, context.now, view.person),
            "incidents": _incidents(connection, context.now),
            "assignments": _assignments(connection, context.now, view.person),
        }
    )


def _partners(connection: Connection) -> dict[str, Any]:
    query = select(partners.c.suspended, func.count()).where(partners.c.id != STAFF).group_by(partners.c.suspended)
    counts = {bool(suspended): count for suspended, count in connection.execute(query)}
    return {"total": sum(counts.values()), "suspended": counts.get(True, 0)}


def _drafts(connection: Connection) -> dict[str, Any]:
    counts = _counted(connection, select(drafts.c.state, func.count()).group_by(drafts.c.state))
    return {state: counts.get(state, 0) for state in ("draft", "proposed")}


def _counted(connection: Connection, query: Select[str, int]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query)}


def _approvals(connection: Connection, person: str) -> dict[str, Any]:
    """Open ones; `for_you`: those in which this person has had no hand."""
    columns = approvals.c
    query = select(columns.kind, columns.persons, columns.proposed_at).where(columns.state == Decision.OPEN.value)
    rows = connection.execute(query).all()
    free = [row for row in rows if same(person) not in {same(each) for each in json.loads(row.persons)}]
    return {
        "open": len(rows), "for_you": len(free), "by_kind": dict(sorted(Counter(row.kind for row in rows).items())),
        "oldest": _moment(min((row.proposed_at for row in rows), default=0)),
    }  # fmt: skip


def _duties(connection: Connection, now: int) -> dict[str, Any]:
    today = jakarta_date(now)
    last = today + timedelta(days=SOON)
    found = [duty for duty in _all_duties(connection, now) if duty.due <= last]
    states = Counter(duty.state(today) for duty in found)
    soonest = min((duty.due for duty in found if duty.due >= today), default=None)
    counts = {state: states.get(state, 0) for state in ("due", "late", "overdue")}
    return {**counts, "next": soonest.isoformat() if soonest else None}


def _all_duties(connection: Connection, now: int) -> list[Duty]:
    """What is open under every agreement, from one reading of what was delivered; and when exemptions end."""
    delivered: dict[str, dict[str, set[date]]] = {}
    for row in connection.execute(select(deliveries.c.agreement, deliveries.c.duty, deliveries.c.due)):
        delivered.setdefault(row.agreement, {}).setdefault(row.duty, set()).add(date.fromisoformat(row.due))
    since = {row.id: row.since for row in connection.execute(select(agreements.c.id, agreements.c.since))}
    found = exemption_duties(connection)
    for one in live_agreements(connection, now):
        found += duties_of(one, delivered.get(one.id, {}), since.get(one.id, one.starts), now)
    return found


def _keys(connection: Connection, now: int) -> dict[str, Any]:
    """Keys of partners and of the house that end soon."""
    query = (
        select(func.count(), func.min(key_terms.c.expires))
        .join(clients, clients.c.client_id == key_terms.c.client_id)
        .where(key_terms.c.expires <= now + SOON * DAY)
    )
    count, soonest = connection.execute(query).one()
    return {"expiring": count, "next": _moment(soonest or 0)}


def _incidents(connection: Connection, now: int) -> dict[str, Any]:
    """Those whose notice was not given yet."""
    query = select(incidents.c.recorded_at).where(incidents.c.notified_at == 0)
    return _clocks([at + INCIDENT_CLOCK for at in connection.execute(query).scalars()], now)


def _requests(connection: Connection, now: int, person: str) -> dict[str, Any]:
    columns = access_requests.c
    query = select(columns.opened_at).where(columns.officer == same(person), columns.closed_at == 0)
    return _clocks([at + ACCESS_CLOCK for at in connection.execute(query).scalars()], now)


def _clocks(due: list[int], now: int) -> dict[str, Any]:
    """How many clocks run, how many of them have a day left at most, how many have run out, and when the next one does."""
    return {
        "open": len(due), "near": sum(now <= each <= now + NEAR for each in due), "overdue": sum(each < now for each in due),
        "next": _moment(min((each for each in due if each >= now), default=0)),
    }  # fmt: skip


def _assignments(connection: Connection, now: int, person: str) -> dict[str, Any]:
    held = [one for one in all_assignments(connection, person) if not one.ended_at and one.expires > now]
    soon = [one.expires for one in held if one.expires <= now + SOON * DAY]
    return {"in_force": len(held), "expiring": len(soon), "next": _moment(min(soon, default=0))}


def _moment(at: int) -> str | None:
    return rfc3339_seconds(at) if at else None


VIEWS: Mapping[str, Callable[[ReadContext, View], Shown]] = {"overview": overview, "audit_overview": audit_overview}
