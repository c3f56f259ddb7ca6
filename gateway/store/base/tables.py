"""Which tables are there? One definition for both databases; migrations/ brings an older database up to it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.engine.interfaces import Dialect

metadata = MetaData()


class Bytes(LargeBinary):
    """Bytes that go to the driver as they are: both drivers take them so, and wrapping costs more than the rest of a read."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """Nothing is done to what goes in."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Nothing is done to what comes out."""


epochs = Table(
    "epochs",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

house_facts = Table(
    "house_facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
