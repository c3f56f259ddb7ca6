"""How are the times of verifications kept? A row for each minute and worker, for 32 days; written beside the calls."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from gateway.clock import DAY, SECOND
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.verification.tables import latencies
from gateway.verification.latency import BUCKETS

KEPT = 32 * DAY
_MINUTE = 60


def keep(database: Database, worker: str, counts: Sequence[int], now: int) -> None:
    """Add what a worker has counted to its present minute, and drop what is old. Raises StoreUnavailable."""
    if not any(counts):
        return
    minute = now // (_MINUTE * SECOND) * _MINUTE
    columns = latencies.c
    with database.writing() as connection:
        held = connection.execute(
            select(columns.counts).where(columns.minute == minute, columns.worker == worker)
        ).scalar()
        whole = [one + other for one, other in zip(counts, _read(held), strict=True)]
        put_many(connection, latencies, [(minute, worker, json.dumps(whole))], ("counts",))
        connection.execute(delete(latencies).where(columns.minute < (now - KEPT) // SECOND))


def _read(text: str | None) -> list[int]:
    """The counts of a row; none of what was counted in other buckets by an earlier release."""
    counts = json.loads(text) if text else []
    return counts if len(counts) == BUCKETS else [0] * BUCKETS


def by_step(connection: Connection, begins: Sequence[int], end: int) -> list[list[int]]:
    """The counts of each stretch from one of `begins` until before the next, the last until `end` (seconds since 1970)."""
    found = [[0] * BUCKETS for _ in begins]
    columns = latencies.c
    rows = connection.execute(
        select(columns.minute, columns.counts)
        .where(columns.minute >= begins[0], columns.minute < end)
        .order_by(columns.minute)
    )
    at = 0
    for minute, text in rows:
        while at + 1 < len(begins) and begins[at + 1] <= minute:
            at += 1
        found[at] = [one + other for one, other in zip(found[at], _read(text), strict=True)]
    return found
