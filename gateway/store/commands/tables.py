"""What waits for a second person, and what was decided?"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Table,
    Text,
)

from gateway.store.base.tables import metadata

approvals = Table(
    "approvals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("partner", Text, nullable=False),
    Column("agreement", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", Text, nullable=False),  # of what is to be approved
    Column("base", Text, nullable=False),  # of what stood before, when it was proposed
    Column("subject", Text, nullable=False),
    Column("persons", Text, nullable=False),  # JSON list: who may not approve it, the proposer last
    Column("proposed_at", BigInteger, nullable=False),
    Column("decider", Text, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)
