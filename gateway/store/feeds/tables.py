"""Where do the feeds of regency offices stand, and what waits in them?"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Table, Text

from gateway.store.base.tables import Bytes, metadata

feeds = Table(  # where each regency's feed stands (store/feeds/state.py)
    "feeds",
    metadata,
    Column("regency", Text, primary_key=True),
    Column("next", BigInteger, nullable=False),  # the sequence that is to be applied next
    Column("digest", Bytes, nullable=False),  # of the batch that is being applied; empty when none is
    Column("applied", Integer, nullable=False),  # rows of it that are in
    Column("refused", Text, nullable=False),  # JSON: those of them that were refused, by index and slug
    Column("dropped", Integer, nullable=False),  # what had waited in records and turned out to be of no order
)

feed_batches = Table(  # what was applied, and what its sender was answered
    "feed_batches",
    metadata,
    Column("regency", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", Bytes, nullable=False),
    Column("answer", Text, nullable=False),
    Column("applied_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("regency", "sequence"),
)

feed_held = Table(  # batches that wait for an earlier one, and approved consolidations until they are applied
    "feed_held",
    metadata,
    Column("regency", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("upto", BigInteger, nullable=False),  # the last sequence that it stands for
    Column("digest", Bytes, nullable=False),
    Column("sealed", Bytes, nullable=False),
    Column("held_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("regency", "sequence"),
)

feed_consolidations = Table(  # sealed changes of a consolidation until its second person has decided
    "feed_consolidations",
    metadata,
    Column("approval", Text, primary_key=True),
    Column("regency", Text, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("digest", Bytes, nullable=False),
    Column("sealed", Bytes, nullable=False),
)
