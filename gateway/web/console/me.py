"""What does everybody see of themselves? Passkeys, sessions, roles and certification."""

from __future__ import annotations

from gateway.staff.roles import CONSOLE
from gateway.web.console.page import EVERYBODY, Action, Ask, Column, Field, Page, Table

PAGES = (
    Page(
        name="me",
        path="/console/me",
        roles=EVERYBODY,
        template="me.html",
        asks=(Ask("me", "me", CONSOLE),),
        tables=(
            Table(
                "passkeys",
                "me",
                (Column("label"), Column("created_at", "time"), Column("used_at", "time")),
                items="passkeys",
            ),
            Table(
                "sessions",
                "me",
                (
                    Column("began_at", "time"),
                    Column("seen_at", "time"),
                    Column("address", "code"),
                    Column("current", "yes"),
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
            ),
            Action(
                "end_session",
                EVERYBODY,
                CONSOLE,
                fields=(Field("session", "hidden"),),
                path={"session": "field:session"},
            ),
        ),
    ),
)
