"""How does somebody become a member of the console, and cease to be? By two persons; what narrows takes one, and holds at once.

A member owns one client that no token can be had for, so that standing, epochs and persons are those of everybody else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select, update

from gateway.administration.commands import Act
from gateway.administration.sign_in import digest as digest_of_secret
from gateway.clock import DAY, jakarta_date, rfc3339_seconds, uuid7
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind
from gateway.partners.approvals import Approval, require_other_person
from gateway.partners.approvals import person as same
from gateway.partners.duties import Duty
from gateway.partners.lifecycle import digest
from gateway.staff.member import CERTIFIED_FOR, INVITED_FOR, PREFIX, Member, MemberState, link_of, require_state
from gateway.staff.roles import CONSOLE, Role, read_roles, scopes_of
from gateway.store.base.statements import put_many
from gateway.store.commands.unit_of_work import STAFF, CommandResult, UnitOfWork
from gateway.store.partners.agreements import partner_entry
from gateway.store.partners.credentials import CONSOLE as METHOD
from gateway.store.partners.tables import client_states, clients, partners, persons
from gateway.store.staff.tables import invitations, members, passkeys, sessions


def owner(partner: str) -> str:
    """Whom the client of a member belongs to."""
    return partner or STAFF


def member_of(row: Any) -> Member:  # noqa: ANN401  a row of `members`
    """A row as a value."""
    roles = frozenset(Role(name) for name in row.roles.split())
    return Member(row.id, row.person, roles, row.partner, MemberState(row.state), row.certified_until)


def read_member(connection: Connection, id: str) -> Member:
    """A member. Raises Refused(NOT_FOUND)."""
    row = connection.execute(select(members).where(members.c.id == id)).one_or_none()
    if row is None:
        raise Refused(Cause.NOT_FOUND)
    return member_of(row)


def member_base(connection: Connection, id: str) -> str:
    """A digest of a member as it stands, with its passkeys; empty when there is none."""
    row = connection.execute(select(members).where(members.c.id == id)).one_or_none()
    if row is None:
        return ""
    held = connection.execute(select(passkeys.c.id).where(passkeys.c.member == id).order_by(passkeys.c.id)).scalars()
    return digest([row.person, row.roles, row.partner, row.state, row.certified_until, row.external, list(held)])


def new_member(unit: UnitOfWork, act: Act) -> dict[str, Any]:
    """What is to be proposed for `POST /v1/staff/members`. Raises Refused."""
    body, connection = act.body, unit.connection
    partner = body.partner if isinstance(body.partner, str) else ""
    if partner:
        partner_entry(connection, partner)
    if partner == STAFF:
        raise Refused(Cause.MALFORMED_REQUEST, members=["partner"])
    roles = sorted(role.value for role in read_roles(body.roles, partner))
    external = body.external if isinstance(body.external, str) else ""
    _require_new(connection, body.person, partner, external)
    subject = {"member": uuid7(unit.now, unit.entropy), "person": body.person, "roles": roles, "partner": partner}
    return {**subject, "external": external} if external else subject


def _require_new(connection: Connection, person: str, partner: str, external: str) -> None:
    """Raises Refused(CONFLICT) when somebody is this person already, to us or to the OpenID provider."""
    held = connection.execute(select(members.c.person).where(members.c.partner == partner)).scalars()
    if same(person) in {same(name) for name in held}:
        raise Refused(Cause.CONFLICT, fault="there is a member of this name already")
    if external and connection.execute(select(members.c.id).where(members.c.external == external)).first():
        raise Refused(Cause.CONFLICT, fault="the provider's name is another member's")


def suspended_member(unit: UnitOfWork, act: Act) -> Member:
    """The member that `POST …/resume` names. Raises Refused."""
    member = read_member(unit.connection, act.path["id"])
    require_state(member, MemberState.SUSPENDED)
    return member


def recoverable_member(unit: UnitOfWork, act: Act) -> Member:
    """The member that `POST …/recover` names. Raises Refused(CONFLICT) when there is nothing to recover."""
    member = read_member(unit.connection, act.path["id"])
    require_state(member, MemberState.ENROLLED)
    return member


def add_member(unit: UnitOfWork, approval: Approval) -> CommandResult:
    """The effect of an approved member: it may be invited from now on, or comes back."""
    subject, connection = approval.subject, unit.connection
    if subject.get("of") == "resume":
        return _resume(unit, read_member(connection, subject["member"]))
    member = Member(
        subject["member"],
        subject["person"],
        frozenset(Role(name) for name in subject["roles"]),
        subject["partner"],
        MemberState.INVITED,
        unit.now + CERTIFIED_FOR,
    )
    external = subject.get("external", "")
    _require_new(connection, member.person, member.partner, external)
    if not member.partner:
        put_many(connection, partners, [(STAFF, "Directorate General (staff)", "directorate", False)], ("name",))
    row = (
        member.id, member.person, " ".join(sorted(member.roles)), member.partner, member.state.value,
        member.certified_until, unit.now, external,
    )  # fmt: skip
    put_many(connection, members, [row])
    values = {
        "client_id": member.client_id, "partner": owner(member.partner), "auth_method": METHOD,
        "scopes": _scopes(member), "keys": json.dumps({"keys": []}), "sender_constraint": "dpop",
        "certificate_name": "[]",
    }  # fmt: skip
    connection.execute(clients.insert().values(**values))
    put_many(connection, persons, [(member.client_id, member.person)])
    return _result(unit, member, "", "", certified_until=member.certified_until)


def _scopes(member: Member) -> str:
    return " ".join(sorted(scopes_of(member.roles)))


def _result(unit: UnitOfWork, member: Member, change: str, before: str, **told: Any) -> CommandResult:  # noqa: ANN401
    """What was done to a member; `told` goes into the answer, instants (microseconds) as RFC 3339."""
    private: dict[str, Any] = {
        "member": member.id, "member_person": member.person, "partner": owner(member.partner),
        "before": before, "after": member_base(unit.connection, member.id),
    }  # fmt: skip
    if change:
        private["change"] = change
    shown = {name: rfc3339_seconds(value) if type(value) is int else value for name, value in told.items()}
    answer = {"member": member.id, "person": member.person, **shown}
    return CommandResult(Kind.STAFF, answer, private, moved=(owner(member.partner),))


def _set(unit: UnitOfWork, member: Member, **values: Any) -> None:  # noqa: ANN401  columns of `members`
    unit.connection.execute(update(members).where(members.c.id == member.id).values(**values))


def invite(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST …/invitation`: a one-time link, told once; the links before it hold no more."""
    member = read_member(unit.connection, act.path["id"])
    require_state(member, MemberState.INVITED)
    until = unit.now + INVITED_FOR
    token = give_link(unit, member.id, until)
    return invited(unit, member.id, token=token, link=link_of("", token), expires=until)


def invited(unit: UnitOfWork, member: str, **told: Any) -> CommandResult:  # noqa: ANN401  as `_result`
    """What the entry of an invitation tells; nothing of the link."""
    result = _result(unit, read_member(unit.connection, member), "invite", member_base(unit.connection, member), **told)
    return CommandResult(result.kind, result.answer, result.private)


def give_link(unit: UnitOfWork, member: str, until: int) -> str:
    """The token of a new one-time link, the only one of this member; the database keeps its digest."""
    token = b64u(unit.entropy.bytes(32))
    unit.connection.execute(delete(invitations).where(invitations.c.member == member))
    put_many(unit.connection, invitations, [(digest_of_secret(token), member, until)])
    return token


def recover(unit: UnitOfWork, approval: Approval) -> CommandResult:
    """The effect of an approved recovery: passkeys and sessions go, and the member may be invited again."""
    member = read_member(unit.connection, approval.subject["member"])
    before = member_base(unit.connection, member.id)
    _forget(unit.connection, member.id)
    _set(unit, member, state=MemberState.INVITED.value)
    return _result(unit, member, "", before)


def _forget(connection: Connection, member: str) -> None:
    for table in (invitations, passkeys, sessions):
        connection.execute(delete(table).where(table.c.member == member))


def recertify(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST …/recertify`: another person says that this one still needs the roles; for a quarter."""
    member = read_member(unit.connection, act.path["id"])
    require_other_person((member.person,), act.person)
    before, until = member_base(unit.connection, member.id), unit.now + CERTIFIED_FOR
    _set(unit, member, certified_until=until)
    _give(unit.connection, member, _scopes(member))
    return _result(unit, member, "recertify", before, certified_until=until)


def lapse(unit: UnitOfWork, member: Member) -> CommandResult:
    """Nobody said in time that the roles are still needed: what they allow is gone until somebody does."""
    before = member_base(unit.connection, member.id)
    _give(unit.connection, member, CONSOLE)
    return _result(unit, member, "lapse", before)


def lapsing(connection: Connection, now: int) -> list[Member]:
    """Members whose certification has run out, and who still have what their roles allow."""
    over = connection.execute(select(members).where(members.c.certified_until <= now).order_by(members.c.id))
    held = {
        row.client_id: row.scopes for row in connection.execute(select(clients).where(clients.c.auth_method == METHOD))
    }
    return [member for member in map(member_of, over) if held.get(member.client_id) != CONSOLE]


def certification_duties(connection: Connection, now: int) -> list[Duty]:
    """Until when somebody has to say that a member still needs the roles: the last whole day of each certification."""
    rows = connection.execute(select(members).where(members.c.certified_until > now).order_by(members.c.id))
    return [
        Duty("", owner(row.partner), "certification", jakarta_date(row.certified_until - DAY), row.id, row.person)
        for row in rows
    ]


def _give(connection: Connection, member: Member, scopes: str) -> None:
    connection.execute(update(clients).where(clients.c.client_id == member.client_id).values(scopes=scopes))


def suspend(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST …/suspend`: at once; sessions and a link that was not used yet end."""
    connection, member = unit.connection, read_member(unit.connection, act.path["id"])
    require_state(member, MemberState.INVITED, MemberState.ENROLLED)
    before, reason = member_base(connection, member.id), act.body.reason
    for table in (invitations, sessions):
        connection.execute(delete(table).where(table.c.member == member.id))
    _set(unit, member, state=MemberState.SUSPENDED.value)
    row = (member.client_id, True, reason, unit.now)
    put_many(connection, client_states, [row], ("suspended", "reason", "not_before"))
    result = _result(unit, member, "suspend", before)
    return CommandResult(result.kind, result.answer, {**result.private, "reason": reason}, moved=result.moved)


def _resume(unit: UnitOfWork, member: Member) -> CommandResult:
    connection = unit.connection
    before = member_base(connection, member.id)
    enrolled = connection.execute(select(passkeys.c.id).where(passkeys.c.member == member.id)).first() is not None
    _set(unit, member, state=(MemberState.ENROLLED if enrolled else MemberState.INVITED).value)
    connection.execute(
        update(client_states).where(client_states.c.client_id == member.client_id).values(suspended=False, reason="")
    )
    return _result(unit, member, "", before)


def dismiss(unit: UnitOfWork, act: Act) -> CommandResult:
    """`DELETE /v1/staff/members/{id}`: at once, with passkeys and sessions."""
    connection, member = unit.connection, read_member(unit.connection, act.path["id"])
    before = member_base(connection, member.id)
    _forget(connection, member.id)
    connection.execute(delete(members).where(members.c.id == member.id))
    for table in (clients, persons, client_states):
        connection.execute(delete(table).where(table.c.client_id == member.client_id))
    return _result(unit, member, "dismiss", before, dismissed=True)


def end_sessions(unit: UnitOfWork, act: Act) -> CommandResult:
    """`DELETE …/sessions`: whoever is logged in as this member has to log in again."""
    connection, member = unit.connection, read_member(unit.connection, act.path["id"])
    ended = connection.execute(delete(sessions).where(sessions.c.member == member.id)).rowcount
    base = member_base(connection, member.id)
    result = _result(unit, member, "end_sessions", base)
    private = {**result.private, "ended": ended}
    return CommandResult(result.kind, {**result.answer, "ended": ended}, private)


# ------------------------------------------------------------------------------------- a member's own affairs


def read_own(connection: Connection, client_id: str) -> Member:
    """The member that a client is. Raises Refused(NOT_FOUND) for every other client."""
    if not client_id.startswith(PREFIX):
        raise Refused(Cause.NOT_FOUND)
    return read_member(connection, client_id.removeprefix(PREFIX))


def remove_passkey(unit: UnitOfWork, act: Act) -> CommandResult:
    """An own passkey, and the sessions that were begun with it; never the last one."""
    connection, member = unit.connection, read_own(unit.connection, act.client_id)
    held = list(connection.execute(select(passkeys.c.id).where(passkeys.c.member == member.id)).scalars())
    if act.path["passkey"] not in held:
        raise Refused(Cause.NOT_FOUND)
    if len(held) == 1:
        raise Refused(Cause.CONFLICT, fault="it is the last one; add another before")
    before = member_base(connection, member.id)
    connection.execute(delete(passkeys).where(passkeys.c.id == act.path["passkey"], passkeys.c.member == member.id))
    begun = (sessions.c.passkey == act.path["passkey"], sessions.c.member == member.id)
    connection.execute(delete(sessions).where(*begun))
    result = _result(unit, member, "remove_passkey", before, passkey=act.path["passkey"])
    return CommandResult(result.kind, result.answer, {**result.private, "passkey": act.path["passkey"]})


def end_session(unit: UnitOfWork, act: Act) -> CommandResult:
    """An own session, by its public id."""
    connection, member = unit.connection, read_own(unit.connection, act.client_id)
    where = (sessions.c.id == act.path["session"], sessions.c.member == member.id)
    if not connection.execute(delete(sessions).where(*where)).rowcount:
        raise Refused(Cause.NOT_FOUND)
    base = member_base(connection, member.id)
    result = _result(unit, member, "end_session", base, session=act.path["session"])
    return CommandResult(result.kind, result.answer, {**result.private, "session": act.path["session"]})


def end_other_sessions(unit: UnitOfWork, act: Act) -> CommandResult:
    """Every own session but the one that is named."""
    connection, member = unit.connection, read_own(unit.connection, act.client_id)
    own = sessions.c.member == member.id
    if connection.execute(select(sessions.c.id).where(own, sessions.c.id == act.path["session"])).first() is None:
        raise Refused(Cause.NOT_FOUND)
    ended = connection.execute(delete(sessions).where(own, sessions.c.id != act.path["session"])).rowcount
    result = _result(unit, member, "end_sessions", member_base(connection, member.id))
    return CommandResult(result.kind, {**result.answer, "ended": ended}, {**result.private, "ended": ended})


ACTS: Mapping[str, Any] = {
    "invite_member": invite,
    "recertify_member": recertify,
    "suspend_member": suspend,
    "dismiss_member": dismiss,
    "end_sessions": end_sessions,
    "remove_passkey": remove_passkey,
    "end_session": end_session,
    "end_other_sessions": end_other_sessions,
}
"""What one person may do; what takes two is proposed in `approvals`."""
