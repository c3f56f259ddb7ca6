"""Where are residents kept? Sealed records, the index that finds them, and until when each regency is complete."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

from gateway.store.base.tables import Bytes, metadata

register_index = Table(
    "register_index",
    metadata,
    Column("ix", Bytes, primary_key=True),
    Column("key_version", SmallInteger, nullable=False),
    Column("record", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

records = Table(
    "records",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("sealed", Bytes, nullable=False),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("regency", Text, primary_key=True),
    Column("complete_until", BigInteger, nullable=False),
    Column("gap", Boolean, nullable=False),
)

imports = Table(
    "imports",
    metadata,
    Column("name", Text, primary_key=True),
    Column("lines", BigInteger, nullable=False),  # lines taken from the file, the refused ones included
    Column("taken", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("prefix", Bytes, nullable=False),  # SHA-256 over those lines
    Column("finished", Boolean, nullable=False),
)

feed_touched = Table(  # whom a batch touches that is missing, or waits for one that is
    "feed_touched",
    metadata,
    Column("ix", Bytes, nullable=False),
    Column("regency", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    PrimaryKeyConstraint("ix", "regency", "sequence"),
    Index("feed_touched_by", "regency", "sequence"),
    sqlite_with_rowid=False,
)
