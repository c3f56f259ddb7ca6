"""What does everybody see of themselves? Passkeys, sessions, roles and certification, language and appearance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.clock import DAY
from gateway.console.frame.page import EVERYBODY, Action, Ask, Column, Field, Page, TableSpec
from gateway.console.frame.session import THEMES, Visit
from gateway.staff.roles import CONSOLE

SOON = 30
"""Days before the end of a certification from which on it is said aloud."""
_SESSION = (Field("session", "hidden"),)
_NAMED = {"session": "field:session"}


def _made(docs: Mapping[str, Any], visit: Visit, now: int) -> Mapping[str, Any]:
    """Days of the certification that are left, whether a passkey is to be shown first, and what appearances there are."""
    me = docs["me"]
    days = max(0, (visit.member.certified_until - now) // DAY)
    return {
        "days": days,
        "soon": days <= SOON and not visit.member.lapsed,
        "alone": len(me["passkeys"]) == 1,
        "shows_first": bool(me["passkeys"]) and visit.member.stepped_up_until <= now,
        "others": len(me["sessions"]) > 1,
        "current": next((each["id"] for each in me["sessions"] if each["current"]), ""),
        "themes": (*THEMES, "auto"),
    }


PAGES = (
    Page(
        name="me",
        path="/console/me",
        roles=EVERYBODY,
        template="me.html",
        asks=(Ask("me", "me", CONSOLE),),
        tables=(
            TableSpec(
                "passkeys",
                "me",
                (Column("label"), Column("created_at", "time"), Column("used_at", "time")),
                items="passkeys",
            ),
            TableSpec(
                "sessions",
                "me",
                (
                    Column("began_at", "time"),
                    Column("seen_at", "time"),
                    Column("expires", "time"),
                    Column("address", "code"),
                    Column("current", "state"),
                ),
                items="sessions",
            ),
        ),
        actions=(
            Action(
                "remove_passkey",
                EVERYBODY,
                CONSOLE,
                fields=(Field("passkey", "hidden"),),
                path={"passkey": "field:passkey"},
                grave=True,
                step_up=True,
            ),
            Action("end_session", EVERYBODY, CONSOLE, fields=_SESSION, path=_NAMED),
            Action("end_other_sessions", EVERYBODY, CONSOLE, fields=_SESSION, path=_NAMED),
        ),
        made=_made,
    ),
)
