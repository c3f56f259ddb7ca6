"""What is seen of proposals? Whom each is about, in whose hands it was, and why what it would resume was suspended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from gateway.clock import rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.partners.approvals import Approval, Decision, Widening
from gateway.store.administration.approvals import approval_of
from gateway.store.commands.tables import approvals
from gateway.store.ledger.entries import read_head
from gateway.store.partners.money import entries_between
from gateway.store.partners.tables import partners
from gateway.store.staff.tables import members

DECIDED = "decided"
"""What `state` may name beside the decisions themselves: whatever is no longer open."""
_LONG = frozenset({"jwk"})


def approval_rows(connection: Connection, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Proposals, the oldest first, or the newest with `order=newest`. Raises Refused(MALFORMED_REQUEST)."""
    wanted = select(approvals).order_by(approvals.c.id.desc() if query.get("order") == "newest" else approvals.c.id)
    known = {"state": {*Decision, DECIDED}, "kind": set(Widening), "order": {"newest"}}
    wrong = [name for name, values in known.items() if query.get(name) and query[name] not in values]
    if wrong:
        raise Refused(Cause.MALFORMED_REQUEST, members=wrong)
    for name in ("state", "kind", "partner"):
        if query.get(name) and query[name] != DECIDED:
            wanted = wanted.where(approvals.c[name] == query[name])
    if query.get("state") == DECIDED:
        wanted = wanted.where(approvals.c.state != Decision.OPEN.value)
    named = _names(connection)
    return [_row(approval_of(row), *named) for row in connection.execute(wanted)]


def approval_row(connection: Connection, approval: Approval) -> dict[str, Any]:
    """One proposal, as a list shows it."""
    return _row(approval, *_names(connection))


Names = tuple[Mapping[str, str], Mapping[str, Mapping[str, Any]]]


def _names(connection: Connection) -> Names:
    """(partners' names, what is told of a member) by id."""
    people = {row.id: {"person": row.person, "roles": row.roles.split()} for row in connection.execute(select(members))}
    return {row.id: row.name for row in connection.execute(select(partners.c.id, partners.c.name))}, people


def _row(approval: Approval, names: Mapping[str, str], people: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`about`: what was proposed, without the material of keys, and with the name of a member."""
    subject = {name: held for name, held in approval.subject.items() if name not in _LONG}
    decided = rfc3339_seconds(approval.decided_at) if approval.decided_at else None
    return {
        "id": approval.id,
        "kind": approval.kind.value,
        "state": approval.state.value,
        "partner": approval.partner,
        "partner_name": names.get(approval.partner),
        "agreement": approval.agreement or None,
        "version": approval.version or None,
        "about": {**people.get(str(subject.get("member", "")), {}), **subject},
        "digest": approval.digest,
        "proposer": approval.proposer,
        "persons": list(approval.persons),
        "proposed_at": rfc3339_seconds(approval.proposed_at),
        "decider": approval.decider or None,
        "decided_at": decided,
        "reason": approval.reason or None,
    }


def last_suspension(connection: Connection, approval: Approval, most: int) -> dict[str, Any] | None:
    """Who suspended what the proposal would resume, when and why, as the newest `most` entries of the ledger tell."""
    size = read_head(connection).size
    name, sought = "partner", approval.partner
    if member := approval.subject.get("member"):
        name, sought = "member", str(member)
    found = None
    for leaf, at, private in entries_between(connection, max(0, size - most), size, ["suspend"]):
        about = leaf["agreement"] if approval.agreement else private.get(name)
        of_member = leaf["kind"] == Kind.STAFF
        if private.get("change") == "suspend" and about == (approval.agreement or sought) and of_member == bool(member):
            found = {
                "reason": private.get("reason") or None, "person": private.get("person") or leaf["actor"],
                "purpose": private.get("of") or None, "at": rfc3339_seconds(at),
            }  # fmt: skip
    return found
