"""What do auditors and officers keep? Assignments, notes, access requests, incidents, and sums of traffic."""

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

traffic = Table(  # how many entries each facet has in a minute, an hour, a day: sums over the copy (store/traffic.py)
    "traffic",
    metadata,
    Column("step", Integer, nullable=False),  # seconds
    Column("begins", BigInteger, nullable=False),  # seconds since 1970
    Column("facet", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    PrimaryKeyConstraint("step", "begins", "facet"),
    Index("traffic_facet", "facet", "step", "begins"),
)

assignments = Table(
    "assignments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("auditor", Text, nullable=False, index=True),  # the person
    Column("letter", Text, nullable=False),
    Column("partners", Text, nullable=False),  # JSON list
    Column("since", BigInteger, nullable=False),  # the period of the entries that may be read
    Column("until", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),  # 0 while nobody has taken it back
)

finding_notes = Table(
    "finding_notes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("noted_by", Text, nullable=False),
    Column("noted_at", BigInteger, nullable=False),
)

access_requests = Table(
    "access_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("officer", Text, nullable=False, index=True),  # the person
    Column("reference", Text, nullable=False),  # of the identity check at the desk
    Column("state", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("nik", Bytes, nullable=False),  # sealed; empty once closed
)

withheld = Table(
    "withheld",
    metadata,
    Column("request", Text, nullable=False),
    Column("what", Text, nullable=False),  # entry or purpose
    Column("name", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("person", Text, nullable=False),
    PrimaryKeyConstraint("request", "what", "name"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("partners", Text, nullable=False),  # JSON list
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("affected", BigInteger, nullable=False),
    Column("person", Text, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("notified_at", BigInteger, nullable=False),  # 0 until the notice was given
    Column("notice", Text, nullable=False),  # its number
)
