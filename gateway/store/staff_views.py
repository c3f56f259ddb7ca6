"""What is seen of the people at the console? By administrators: everybody. By a member: the own passkeys and sessions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from gateway.clock import rfc3339_seconds
from gateway.staff.member import CERTIFIED_FOR, Member, certification
from gateway.staff.session import ends
from gateway.store.staff import member_of, read_member, read_own
from gateway.store.tables import invitations, members, passkeys, sessions


def rows(connection: Connection, now: int) -> list[dict[str, Any]]:
    """Every member, the longest known first."""
    return [_row(member_of(row), now) for row in connection.execute(select(members).order_by(members.c.id))]


def _row(member: Member, now: int) -> dict[str, Any]:
    return {
        "id": member.id,
        "person": member.person,
        "roles": sorted(member.roles),
        "partner": member.partner or None,
        "state": member.state.value,
        "client_id": member.client_id,
        "certified_until": rfc3339_seconds(member.certified_until),
        "certification": certification(member, now),
    }


def document(connection: Connection, id: str, now: int) -> dict[str, Any]:
    """One member, as administrators see it. Raises Refused(NOT_FOUND)."""
    member = read_member(connection, id)
    since = connection.execute(select(members.c.since).where(members.c.id == id)).scalar_one()
    wanted = select(invitations.c.expires).where(invitations.c.member == id, invitations.c.expires > now)
    invited_until = connection.execute(wanted).scalar()
    return {
        **_row(member, now),
        "since": rfc3339_seconds(since),
        "certified_at": rfc3339_seconds(member.certified_until - CERTIFIED_FOR),
        "invited_until": rfc3339_seconds(invited_until) if invited_until else None,
        "passkeys": [{name: row[name] for name in ("id", "label", "created_at")} for row in _passkeys(connection, id)],
    }


def own(connection: Connection, client_id: str, session: str, now: int) -> dict[str, Any]:
    """What a member sees of the own access, by the client and in the session that asks. Raises Refused(NOT_FOUND)."""
    member = read_own(connection, client_id)
    shown = [{**each, "current": each["id"] == session} for each in _open(connection, member.id, now)]
    return {**_row(member, now), "passkeys": _passkeys(connection, member.id), "sessions": shown}


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
