"""How do private parts end? Under a record that says which, by whom and before when; every proof stays valid."""

from __future__ import annotations

from array import array
from collections.abc import Collection
from dataclasses import dataclass

import msgspec
from sqlalchemy import bindparam, update

from gateway.clock import Entropy
from gateway.ledger.log.destruction import KEPT, record_document
from gateway.ledger.log.entry import Kind, Leaf
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf, read_head
from gateway.store.ledger.tables import ledger_entries
from gateway.store.sealing.history import RecordedChange, write_history

CHUNK = 2_000
_leaf = msgspec.json.Decoder(Leaf).decode
_destroy = update(ledger_entries).where(ledger_entries.c.leaf_index == bindparam("at")).values(private=None)


@dataclass(frozen=True, slots=True)
class Destroyed:
    """Index of the record, and how many private parts were destroyed under it."""

    record: int
    count: int


def prune(
    database: Database, kinds: Collection[str], before: str, persons: tuple[str, str], entropy: Entropy
) -> Destroyed | None:
    """Destroy the private parts of entries of `kinds` sealed before an instant (RFC 3339, whole hour); None when none is left.

    The record comes first, so that a missing private part is always explained, even when this is broken off and has to be
    called again. `persons` are the proposer and the approver.
    """
    wanted = frozenset(kinds) - KEPT
    indexes = array("q")
    with LedgerOf(database).stored() as stored:
        for page in stored.pages:
            for index, _, raw, private in page:
                if private is None:
                    continue
                leaf = _leaf(raw)
                if leaf.kind in wanted and leaf.at < before:
                    indexes.append(index)
    if not indexes:
        return None
    with database.sealing() as (connection, now):
        record = read_head(connection).size
        document = record_document(sorted(wanted), before, len(indexes), proposer=persons[0], approver=persons[1])
        write_history(connection, [RecordedChange(Kind.DESTRUCTION, "+".join(persons), document)], now, entropy)
    for at in range(0, len(indexes), CHUNK):
        with database.sealing() as (connection, _):
            if database.dialect == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
            connection.execute(_destroy, [{"at": index} for index in indexes[at : at + CHUNK]])
    if database.dialect == "sqlite":
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Destroyed(record, len(indexes))
