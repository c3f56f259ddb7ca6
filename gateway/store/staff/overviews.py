"""What is seen of the people at the console? By administrators: everybody. By a member: the own passkeys and sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from gateway.clock import rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.staff.member import CERTIFIED_FOR, Member, MemberState, certification
from gateway.staff.roles import Role
from gateway.staff.session import ends
from gateway.store.staff.members import member_of, owner, read_member, read_own
from gateway.store.staff.tables import invitations, members, passkeys, sessions


def rows(connection: Connection, now: int, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Members, the longest known first, or with `due=yes` those whose certification ends soonest. Raises Refused."""
    known: Mapping[str, set[str]] = {"state": set(MemberState), "role": set(Role), "due": {"yes"}}
    wrong = [name for name, values in known.items() if query.get(name) and query[name] not in values]
    if wrong:
        raise Refused(Cause.MALFORMED_REQUEST, members=wrong)
    due = query.get("due") == "yes"
    ordered = select(members).order_by(*([members.c.certified_until] if due else []), members.c.id)
    counts = select(passkeys.c.member, func.count()).group_by(passkeys.c.member)
    held = {row[0]: row[1] for row in connection.execute(counts)}
    found = [member_of(row) for row in connection.execute(ordered)]
    return [
        _row(one, now, held.get(one.id, 0))
        for one in found
        if query.get("text", "").casefold() in one.person.casefold()
        and query.get("state", "") in ("", one.state)
        and (not query.get("role") or query["role"] in one.roles)
        and query.get("partner", "") in ("", owner(one.partner))
        and (not due or certification(one, now) != "valid")
    ]


def _row(member: Member, now: int, count: int) -> dict[str, Any]:
    return {
        "id": member.id,
        "person": member.person,
        "roles": sorted(member.roles),
        "partner": member.partner or None,
        "state": member.state.value,
        "client_id": member.client_id,
        "certified_until": rfc3339_seconds(member.certified_until),
        "certification": certification(member, now),
        "passkey_count": count,
    }


def document(connection: Connection, id: str, now: int) -> dict[str, Any]:
    """One member, as administrators see it. Raises Refused(NOT_FOUND)."""
    member = read_member(connection, id)
    since, external = connection.execute(select(members.c.since, members.c.external).where(members.c.id == id)).one()
    wanted = select(invitations.c.expires).where(invitations.c.member == id, invitations.c.expires > now)
    invited_until = connection.execute(wanted).scalar()
    held = _passkeys(connection, id)
    return {
        **_row(member, now, len(held)),
        "since": rfc3339_seconds(since),
        "external": external or None,
        "certified_at": rfc3339_seconds(member.certified_until - CERTIFIED_FOR),
        "invited_until": rfc3339_seconds(invited_until) if invited_until else None,
        "passkeys": [{name: row[name] for name in ("id", "label", "created_at")} for row in held],
        "open_sessions": len(_open(connection, id, now)),
    }


def own(connection: Connection, client_id: str, session: str, now: int) -> dict[str, Any]:
    """What a member sees of the own access, by the client and in the session that asks. Raises Refused(NOT_FOUND)."""
    member = read_own(connection, client_id)
    shown = [{**each, "current": each["id"] == session} for each in _open(connection, member.id, now)]
    held = _passkeys(connection, member.id)
    return {**_row(member, now, len(held)), "passkeys": held, "sessions": shown}


def _passkeys(connection: Connection, member: str) -> list[dict[str, Any]]:
    found = connection.execute(select(passkeys).where(passkeys.c.member == member).order_by(passkeys.c.id))
    return [
        {
            "id": row.id,
            "label": row.label,
            "created_at": rfc3339_seconds(row.added_at),
            "used_at": rfc3339_seconds(row.used_at),
        }
        for row in found
    ]


def _open(connection: Connection, member: str, now: int) -> list[dict[str, Any]]:
    found = connection.execute(select(sessions).where(sessions.c.member == member).order_by(sessions.c.id))
    return [
        {
            "id": row.id,
            "address": row.address,
            "passkey": row.passkey,
            "began_at": rfc3339_seconds(row.began),
            "seen_at": rfc3339_seconds(row.seen),
            "expires": rfc3339_seconds(ends(row.began, row.seen)),
        }
        for row in found
        if ends(row.began, row.seen) > now
    ]
