"""What is the log searched by? A copy of what the leaves say, and sums over it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from gateway.store.base.tables import Bytes, metadata

search_facets = Table(  # what entries are searched by; few rows, however long the log is
    "search_facets",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("partner", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # empty once the private part was destroyed
    Index("search_facets_all", "partner", "kind", "purpose", "outcome", unique=True),
)

search_entries = Table(  # a copy of what the leaves say, made again from them at any time (store/search.py)
    "search_entries",
    metadata,
    Column("leaf_index", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("facet", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("subject", Bytes, nullable=False),  # the resident's keyed tag; empty when none, or once destroyed
    Index("search_entries_facet", "facet", "leaf_index"),
    Index("search_entries_subject", "subject", "leaf_index"),
)

finding_days = Table(  # what each partner did on each day: sums that findings are made from (store/finding_days.py)
    "finding_days",
    metadata,
    Column("partner", Text, nullable=False),
    Column("day", Integer, nullable=False),  # of Asia/Jakarta, counted from 0001-01-01 as 1
    Column("lowest", BigInteger, nullable=False),  # leaf index of its first entry, and of its last
    Column("highest", BigInteger, nullable=False),
    Column("sums", Text, nullable=False),  # JSON of `ledger.findings.Day`
    PrimaryKeyConstraint("partner", "day"),
)
