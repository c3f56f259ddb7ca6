"""Where are people at the console kept, with their passkeys and sessions?"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Table,
    Text,
)

from gateway.store.base.tables import Bytes, metadata

members = Table(  # people at the console; each has a row in `clients` and in `persons` too
    "members",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("partner", Text, nullable=False, index=True),  # empty for the house
    Column("state", Text, nullable=False),
    Column("certified_until", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("external", Text, nullable=False, index=True),  # who it is to an OpenID provider; empty: nobody
)

invitations = Table(  # one-time links; one a member at most
    "invitations",
    metadata,
    Column("token", Bytes, primary_key=True),  # SHA-256 of it
    Column("member", Text, nullable=False, index=True),
    Column("expires", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("credential", Bytes, primary_key=True),
    Column("id", Text, nullable=False),  # what it is called where people see it
    Column("member", Text, nullable=False, index=True),
    Column("public_key", Bytes, nullable=False),  # COSE (RFC 9052)
    Column("signed", BigInteger, nullable=False),  # how often, as far as it tells
    Column("label", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

ceremonies = Table(  # challenges that wait for a passkey; each is taken once
    "ceremonies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("challenge", Bytes, nullable=False),
    Column("subject", Text, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("cookie", Bytes, primary_key=True),  # SHA-256 of it
    Column("id", Text, nullable=False, unique=True),
    Column("member", Text, nullable=False, index=True),
    Column("passkey", Text, nullable=False),  # with which it was begun
    Column("address", Text, nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("stepped_up_until", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
