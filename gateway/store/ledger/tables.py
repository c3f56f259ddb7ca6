"""Where is the log kept? Leaves with their private parts, the head, and its tiles."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
)

from gateway.store.base.tables import Bytes, metadata

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("leaf_index", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", Bytes, nullable=False),  # the 16 bytes of the entry's UUID
    Column("leaf", Bytes, nullable=False),
    Column("private", Bytes),  # null once destroyed by retention
    Index("ledger_entries_id", "id", unique=True),
)

ledger_head = Table(
    "ledger_head",
    metadata,
    Column("one", SmallInteger, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", Bytes, nullable=False),
)

ledger_tiles = Table(  # full ones alone; the last of a level is computed when it is asked for
    "ledger_tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", Bytes, nullable=False),  # 256 of them, 8,192 bytes
    Column("root", Bytes, nullable=False),  # over them: a hash of the level above
)

ledger_open = Table(  # the leaf hashes of the tile that is not full yet, one row for each seal that appended to it
    "ledger_open",
    metadata,
    Column("first", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("hashes", Bytes, nullable=False),
)
