"""Who may search the log, over which partners and days, and until when? Nobody without an assignment that two persons gave."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from gateway.administration.commands import Act
from gateway.administration.requests.audit import NewAssignment
from gateway.clock import DAY, jakarta_date, jakarta_midnight, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.partners.approvals import Approval
from gateway.partners.approvals import person as same
from gateway.partners.lifecycle import digest
from gateway.store.audit.tables import assignments
from gateway.store.base.statements import put_many
from gateway.store.commands.query import day_of
from gateway.store.commands.unit_of_work import STAFF, CommandResult, UnitOfWork
from gateway.store.partners.tables import clients, partners, persons

HOUSE = "house"
"""What an assignment names for entries of the program itself and of persons at its command line; `dukcapil` for staff."""
LONGEST = 366  # days that an assignment lasts at most


@dataclass(frozen=True, slots=True)
class Assignment:
    """Entries of `partners` from `since` until before `until` may be read by `auditor` until `expires` (microseconds)."""

    id: str
    auditor: str
    letter: str
    partners: tuple[str, ...]
    since: int
    until: int
    expires: int
    ended_at: int

    def document(self, now: int) -> dict[str, Any]:
        """As it is shown."""
        state = "ended" if self.ended_at else "expired" if now >= self.expires else "in_force"
        return {
            "id": self.id, "auditor": self.auditor, "letter": self.letter, "partners": list(self.partners),
            "since": rfc3339_seconds(self.since), "until": rfc3339_seconds(self.until),
            "expires": rfc3339_seconds(self.expires), "state": state,
        }  # fmt: skip


def new_assignment(unit: UnitOfWork, act: Act) -> dict[str, Any]:
    """What is to be proposed for `POST /v1/assignments`. Raises Refused."""
    body: NewAssignment = act.body
    connection = unit.connection
    since, until, expires = _day("since", body.since), _day("until", body.until), _day("expires", body.expires)
    today = jakarta_date(unit.now)
    wrong = [
        *(["until"] if until < since else []),
        *(["expires"] if not today <= expires <= today + timedelta(days=LONGEST) else []),
    ]
    known = set(connection.execute(select(partners.c.id)).scalars()) | {HOUSE, STAFF}
    if not set(body.partners) <= known:
        wrong.append("partners")
    if not _may_read(connection, body.auditor):
        wrong.append("auditor")
    if wrong:
        raise Refused(Cause.MALFORMED_REQUEST, members=wrong)
    return {
        "auditor": body.auditor, "letter": body.letter, "partners": sorted(set(body.partners)), "since": body.since,
        "until": body.until, "expires": body.expires,
    }  # fmt: skip


def _day(member: str, text: str) -> date:
    try:
        return day_of(text)
    except Refused as refused:
        raise Refused(Cause.MALFORMED_REQUEST, members=[member]) from refused


def _may_read(connection: Connection, auditor: str) -> bool:
    """Whether a person of this name has a credential to read the log with."""
    rows = connection.execute(
        select(persons.c.name, clients.c.scopes).join(clients, clients.c.client_id == persons.c.client_id)
    )
    return any(same(row.name) == same(auditor) and "audit.read" in row.scopes.split() for row in rows)


def grant(unit: UnitOfWork, approval: Approval) -> CommandResult:
    """The effect of an approved assignment. Its period and its last day are whole days in Asia/Jakarta."""
    subject = approval.subject
    after = jakarta_midnight(day_of(subject["until"])) + DAY
    ends = jakarta_midnight(day_of(subject["expires"])) + DAY
    row = (
        approval.id, same(subject["auditor"]), subject["letter"], json.dumps(subject["partners"]),
        jakarta_midnight(day_of(subject["since"])), after, ends, 0,
    )  # fmt: skip
    put_many(unit.connection, assignments, [row])
    private = {"change": "assign", "assignment": approval.id, "auditor": subject["auditor"], "before": "",
               "after": digest(dict(subject))}  # fmt: skip
    return CommandResult(Kind.AUDIT, {"assignment": approval.id}, private)


def end(unit: UnitOfWork, act: Act) -> CommandResult:
    """`DELETE /v1/assignments/{id}`: taken back at once, by one person."""
    found = read_assignment(unit.connection, act.path["id"])
    if found.ended_at:
        raise Refused(Cause.CONFLICT, fault="it has ended already")
    unit.connection.execute(update(assignments).where(assignments.c.id == found.id).values(ended_at=unit.now))
    private = {
        "change": "unassign",
        "assignment": found.id,
        "auditor": found.auditor,
        "before": "in_force",
        "after": "",
    }
    return CommandResult(Kind.AUDIT, {"assignment": found.id, "state": "ended"}, private)


def read_assignment(connection: Connection, id: str) -> Assignment:
    """One assignment. Raises Refused(NOT_FOUND)."""
    row = connection.execute(select(assignments).where(assignments.c.id == id)).one_or_none()
    if row is None:
        raise Refused(Cause.NOT_FOUND)
    return _assignment(row)


def all_assignments(connection: Connection, auditor: str = "") -> list[Assignment]:
    """Every assignment, or an auditor's own, oldest first."""
    query = select(assignments).order_by(assignments.c.id)
    if auditor:
        query = query.where(assignments.c.auditor == same(auditor))
    return [_assignment(row) for row in connection.execute(query)]


def require(  # noqa: PLR0913  what is to be read
    connection: Connection,
    auditor: str,
    now: int,
    *,
    partner: str = "",
    since: int | None = None,
    until: int | None = None,
) -> Assignment:
    """The newest assignment in force that covers this. Raises Refused(ASSIGNMENT_MISSING)."""
    for held in reversed(all_assignments(connection, auditor)):
        if (
            not held.ended_at
            and now < held.expires
            and (not partner or partner in held.partners)
            and (since is None or held.since <= since)
            and (until is None or until <= held.until)
        ):
            return held
    raise Refused(Cause.ASSIGNMENT_MISSING)


def _assignment(row: Any) -> Assignment:  # noqa: ANN401  a row
    return Assignment(
        row.id,
        row.auditor,
        row.letter,
        tuple(json.loads(row.partners)),
        row.since,
        row.until,
        row.expires,
        row.ended_at,
    )


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    "end_assignment": end,
}
"""What is done here, by the name of the act."""
