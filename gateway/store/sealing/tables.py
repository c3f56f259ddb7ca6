"""What does the seal spend and remember? Accounts, attempts, proof ids, stored answers, tokens that were revoked."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    SmallInteger,
    Table,
    Text,
)

from gateway.store.base.tables import Bytes, metadata

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("client_id", Text, nullable=False, index=True),
    Column("expires", BigInteger, nullable=False, index=True),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tat", BigInteger, nullable=False),
    Column("day", Integer, nullable=False),
    Column("day_spent", BigInteger, nullable=False),
    Column("month", Integer, nullable=False),
    Column("month_spent", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("tag", Bytes, primary_key=True),
    Column("guesses", Bytes, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

proof_ids = Table(
    "proof_ids",
    metadata,
    Column("id", Bytes, primary_key=True),
    Column("expires", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

repeats = Table(
    "repeats",
    metadata,
    Column("key", Bytes, primary_key=True),
    Column("body", Bytes, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("answer", Bytes, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
