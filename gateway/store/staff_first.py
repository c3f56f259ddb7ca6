"""Who lets the first people in, before there is a registrar and an approver to do it? Whoever installs the gateway.

Each such member, and each link, is an entry of the ledger like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from gateway.clock import Entropy
from gateway.errors import Cause, Refused
from gateway.partners.approvals import Approval, Decision, Widening
from gateway.partners.approvals import person as same
from gateway.partners.purposes import PurposeCatalogue
from gateway.staff.member import INVITED_FOR, State
from gateway.staff.roles import Role
from gateway.store.deeds import Books
from gateway.store.engine import Database
from gateway.store.history import Change, bump, write_history
from gateway.store.staff import add_member, give_link, invited, new_member, owner
from gateway.store.tables import members
from gateway.verification.acts import Act
from gateway.verification.staff import NewMember
from gateway.verification.standing import partner_scope


@dataclass(frozen=True, slots=True)
class Founded:
    """A member and the token of a one-time link, empty when the member has a passkey already."""

    member: str
    token: str
    expires: int


def enough(connection: Connection) -> bool:
    """Whether two persons can let others in: an enrolled registrar, and another who approves."""
    where = (members.c.state == State.ENROLLED.value, members.c.partner == "")
    able = [(row.id, row.roles.split()) for row in connection.execute(select(members).where(*where))]
    registrars = [id for id, roles in able if Role.REGISTRAR in roles]
    approvers = [id for id, roles in able if Role.APPROVER in roles]
    return any(one != other for one in registrars for other in approvers)


def found(database: Database, entropy: Entropy, body: NewMember, actor: str) -> Founded:
    """A member by one person's word. Raises Refused(SAME_PERSON) once there are two who can do it by the rules."""
    with database.sealing() as (connection, now):
        if enough(connection):
            raise Refused(Cause.SAME_PERSON)
        return _made(Books(connection, now, entropy, PurposeCatalogue({})), body, actor, INVITED_FOR)


def keep(database: Database, entropy: Entropy, body: NewMember, actor: str, life: int) -> Founded:
    """The member of a demonstration, with a new link as long as the old one was not used."""
    with database.sealing() as (connection, now):
        books = Books(connection, now, entropy, PurposeCatalogue({}))
        partner = body.partner if isinstance(body.partner, str) else ""
        rows = connection.execute(select(members).where(members.c.partner == partner)).all()
        held = next((row for row in rows if same(row.person) == same(body.person)), None)
        if held is None:
            return _made(books, body, actor, life)
        if held.state != State.INVITED.value:
            return Founded(held.id, "", 0)
        return _invited(books, held.id, actor, life)


def _made(books: Books, body: NewMember, actor: str, life: int) -> Founded:
    subject = new_member(books, Act("propose_member", {}, body, actor))
    partner = owner(subject["partner"])
    approval = Approval(
        "", Widening.MEMBER, Decision.APPROVED, partner, "", 0, "", "", subject, (body.person, actor), books.now
    )
    deed = add_member(books, approval)
    private = {"change": "first_member", **deed.private}
    write_history(books.connection, [Change(deed.kind, actor, private)], books.now, books.entropy)
    bump(books.connection, partner_scope(partner))
    return _invited(books, subject["member"], actor, life)


def _invited(books: Books, member: str, actor: str, life: int) -> Founded:
    until = books.now + life
    token = give_link(books, member, until)
    deed = invited(books, member)
    write_history(books.connection, [Change(deed.kind, actor, deed.private)], books.now, books.entropy)
    return Founded(member, token, until)
