"""What went wrong with personal data, how many residents are concerned, and until when must it be told (UU 27/2022 art 46)?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select, update

from gateway.administration.commands import Act, Shown, View
from gateway.clock import HOUR, rfc3339_seconds, uuid7
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.store.audit.tables import incidents
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.commands.query import ReadContext, instant, page, revision
from gateway.store.commands.unit_of_work import CommandResult, UnitOfWork
from gateway.store.partners.money import first_at
from gateway.store.partners.tables import partners
from gateway.store.search.copy import Filter, facets_of, followed
from gateway.store.search.tables import search_entries

CLOCK = 72 * HOUR


def count_affected(database: Database, now: int, act: Act) -> tuple[int, int, int]:
    """(since, until, residents concerned) of a new incident, before any lock is taken. Raises Refused(MALFORMED_REQUEST).

    Residents are told apart by their tags: whoever was asked about under two versions of the key counts twice, so that it
    is never less than the truth.
    """
    body = act.body
    since, until = instant(body.since, "since"), instant(body.until, "until", end=True)
    if not since < until or since > now:
        raise Refused(Cause.MALFORMED_REQUEST, members=["since", "until"])
    with database.reading() as connection:
        known = set(connection.execute(select(partners.c.id)).scalars())
        if not set(body.partners) <= known:
            raise Refused(Cause.MALFORMED_REQUEST, members=["partners"])
        size = followed(connection)
        first, end = first_at(connection, since, size), first_at(connection, until, size)
        return since, until, _affected(connection, Filter(tuple(body.partners), first, end))


def _affected(connection: Connection, wanted: Filter) -> int:
    """Residents about whom these partners were answered something, not only that they do not exist."""
    facets = facets_of(connection, wanted)
    told = [id for id, facet in facets.items() if facet[1] == Kind.ANSWER and facet[3] != "unknown"]
    columns = search_entries.c
    query = select(func.count(columns.subject.distinct())).where(
        columns.facet.in_(told),
        columns.leaf_index >= wanted.first,
        columns.leaf_index < wanted.end,
        columns.subject != b"",
    )
    return int(connection.execute(query).scalar_one()) if told else 0


def record_incident(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/incidents`; the notice is due 72 hours from now."""
    since, until, affected = act.prepared
    body, id = act.body, uuid7(unit.now, unit.entropy)
    who = sorted(set(body.partners))
    row = (id, body.description, json.dumps(who), since, until, affected, act.person, unit.now, 0, "")
    put_many(unit.connection, incidents, [row])
    due = rfc3339_seconds(unit.now + CLOCK)
    private = {"change": "incident", "incident": id, "partners": who, "affected": affected, "notice_due_at": due}
    answer = {"id": id, "affected": affected, "notice_due_at": due}
    return CommandResult(Kind.INCIDENT, answer, private)


def note_notice(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/incidents/{id}/notified`: the clock stops."""
    connection, id = unit.connection, act.path["id"]
    row = connection.execute(select(incidents).where(incidents.c.id == id)).one_or_none()
    if row is None:
        raise Refused(Cause.NOT_FOUND)
    if row.notified_at:
        raise Refused(Cause.CONFLICT, fault="the notice was given already")
    given = {"notified_at": unit.now, "notice": act.body.reference}
    connection.execute(update(incidents).where(incidents.c.id == id).values(**given))
    late = unit.now > row.recorded_at + CLOCK
    private = {"change": "incident_notified", "incident": id, "notice": act.body.reference, "late": late}
    return CommandResult(Kind.INCIDENT, {"id": id, "notified_at": rfc3339_seconds(unit.now), "late": late}, private)


def _item(row: Any, now: int) -> dict[str, Any]:  # noqa: ANN401  a row
    return {
        "id": row.id, "description": row.description, "partners": json.loads(row.partners),
        "since": rfc3339_seconds(row.since), "until": rfc3339_seconds(row.until), "affected": row.affected,
        "recorded_by": row.person, "recorded_at": rfc3339_seconds(row.recorded_at),
        "notice_due_at": rfc3339_seconds(row.recorded_at + CLOCK), "overdue": (row.notified_at or now) > row.recorded_at + CLOCK,
        "notified_at": rfc3339_seconds(row.notified_at) if row.notified_at else None, "notice": row.notice or None,
    }  # fmt: skip


def show_incident(context: ReadContext, view: View) -> Shown:
    """`GET /v1/incidents/{id}`."""
    row = context.connection.execute(select(incidents).where(incidents.c.id == view.path["id"])).one_or_none()
    if row is None:
        raise Refused(Cause.NOT_FOUND)
    document = _item(row, context.now)
    return Shown(document, revision(document))


def list_incidents(context: ReadContext, view: View) -> Shown:
    """`GET /v1/incidents`."""
    rows = context.connection.execute(select(incidents).order_by(incidents.c.id))
    return Shown(page([_item(row, context.now) for row in rows], "id", view.query)[0])


VIEWS: Mapping[str, Callable[[ReadContext, View], Shown]] = {"incident": show_incident, "incidents": list_incidents}


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    "record_incident": record_incident,
    "note_notice": note_notice,
}
"""What is done here, by the name of the act."""
PREPARED: Mapping[str, Callable[[Database, int, Act], Any]] = {
    "record_incident": count_affected,
}
"""What is looked up beforehand: it takes too long to do it under the sealing lock."""
