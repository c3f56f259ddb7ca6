"""How long did verifications take? One row for each minute and worker."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from gateway.store.base.tables import metadata

latencies = Table(  # how long verifications took: one row for each minute and worker (store/latencies.py)
    "latencies",
    metadata,
    Column("minute", BigInteger, nullable=False),  # seconds since 1970
    Column("worker", Text, nullable=False),
    Column("counts", Text, nullable=False),  # JSON list, one number for each bucket (verification/timing.py)
    PrimaryKeyConstraint("minute", "worker"),
)
