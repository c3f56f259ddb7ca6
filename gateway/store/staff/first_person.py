"""Who lets the first people in, before there is a registrar and an approver to do it? Whoever installs the gateway.

Each such member, and each link, is an entry of the ledger like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from gateway.administration.commands import Act
from gateway.administration.requests.staff import NewMember
from gateway.clock import Entropy
from gateway.errors import Cause, Refused
from gateway.partners.approvals import Approval, Decision, Widening
from gateway.partners.approvals import person as same
from gateway.partners.purposes import PurposeCatalogue
from gateway.sealing.standing import partner_scope
from gateway.staff.member import INVITED_FOR, MemberState
from gateway.staff.roles import Role
from gateway.store.base.engine import Database
from gateway.store.commands.unit_of_work import UnitOfWork
from gateway.store.sealing.history import RecordedChange, bump, write_history
from gateway.store.staff.members import add_member, give_link, invited, new_member, owner
from gateway.store.staff.tables import members


@dataclass(frozen=True, slots=True)
class Founded:
    """A member and the token of a one-time link, empty when the member has a passkey already."""

    member: str
    token: str
    expires: int


def enough(connection: Connection) -> bool:
    """Whether two persons can let others in: an enrolled registrar, and another who approves."""
    where = (members.c.state == MemberState.ENROLLED.value, members.c.partner == "")
    able = [(row.id, row.roles.split()) for row in connection.execute(select(members).where(*where))]
    registrars = [id for id, roles in able if Role.REGISTRAR in roles]
    approvers = [id for id, roles in able if Role.APPROVER in roles]
    return any(one != other for one in registrars for other in approvers)


def found(database: Database, entropy: Entropy, body: NewMember, actor: str) -> Founded:
    """A member by one person's word. Raises Refused(SAME_PERSON) once there are two who can do it by the rules."""
    with database.sealing() as (connection, now):
        if enough(connection):
            raise Refused(Cause.SAME_PERSON)
        return _made(UnitOfWork(connection, now, entropy, PurposeCatalogue({})), body, actor, INVITED_FOR)


def keep(database: Database, entropy: Entropy, body: NewMember, actor: str, life: int) -> Founded:
    """The member of a demonstration, with a new link as long as the old one was not used."""
    with database.sealing() as (connection, now):
        unit = UnitOfWork(connection, now, entropy, PurposeCatalogue({}))
        partner = body.partner if isinstance(body.partner, str) else ""
        rows = connection.execute(select(members).where(members.c.partner == partner)).all()
        held = next((row for row in rows if same(row.person) == same(body.person)), None)
        if held is None:
            return _made(unit, body, actor, life)
        if held.state != MemberState.INVITED.value:
            return Founded(held.id, "", 0)
        return _invited(unit, held.id, actor, life)


def _made(unit: UnitOfWork, body: NewMember, actor: str, life: int) -> Founded:
    subject = new_member(unit, Act("propose_member", {}, body, actor))
    partner = owner(subject["partner"])
    approval = Approval(
        "", Widening.MEMBER, Decision.APPROVED, partner, "", 0, "", "", subject, (body.person, actor), unit.now
    )
    result = add_member(unit, approval)
    private = {"change": "first_member", **result.private}
    write_history(unit.connection, [RecordedChange(result.kind, actor, private)], unit.now, unit.entropy)
    bump(unit.connection, partner_scope(partner))
    return _invited(unit, subject["member"], actor, life)


def _invited(unit: UnitOfWork, member: str, actor: str, life: int) -> Founded:
    until = unit.now + life
    token = give_link(unit, member, until)
    result = invited(unit, member)
    write_history(unit.connection, [RecordedChange(result.kind, actor, result.private)], unit.now, unit.entropy)
    return Founded(member, token, until)
