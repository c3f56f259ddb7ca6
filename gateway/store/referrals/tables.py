"""Where are cases kept about a NIK that does not work?"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Table, Text

from gateway.store.base.tables import Bytes, metadata

referrals = Table(  # cases about a NIK that does not work; its NIK lies sealed until the case is closed
    "referrals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ticket", Text, nullable=False, unique=True),
    Column("partner", Text, nullable=False, index=True),  # empty when an office opened it
    Column("regency", Text, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column(
        "matched", Boolean, nullable=False
    ),  # the answer had matched: only then does the register close it by itself
    Column("nik", Bytes, nullable=False),
    Column("tag", Bytes, nullable=False),  # the resident's keyed tag in the ledger
    Column("opened_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),  # the code of a rejection
)
