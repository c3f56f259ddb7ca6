"""How is a gap closed by hand? What the missing batches would have brought is proposed, approved by another, and applied.

From then on it is a batch like others, held in its place; what came after it is applied after it, and so wins.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select

from gateway.administration.commands import Act
from gateway.clock import Clock, jakarta_date, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.feeds.batch import digest_of
from gateway.feeds.sequence import AHEAD
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind
from gateway.partners.approvals import Approval
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.commands.unit_of_work import CommandResult, UnitOfWork
from gateway.store.feeds.delivery import Deliveries
from gateway.store.feeds.state import FeedState, put_watermark, read_state
from gateway.store.feeds.tables import feed_consolidations, feed_held
from gateway.store.partners.offices import require_own


@dataclass(frozen=True, slots=True)
class ExaminedConsolidation:
    """A consolidation before it is proposed: its sealed body, and what it would do."""

    digest: bytes
    sealed: bytes
    would: dict[str, int]
    refused: list[dict[str, Any]]


class Consolidations:
    """Examines consolidations; what they do is done by `propose` and `effect`."""

    def __init__(self, database: Database, deliveries: Deliveries, clock: Clock) -> None:
        self._database = database
        self._deliveries = deliveries
        self._clock = clock

    def prepare(self, act: Act) -> ExaminedConsolidation:
        """What the consolidation would do, looked at without a lock. Raises Refused."""
        regency, body, now = act.path["regency"], act.body, self._clock.now()
        with self._database.reading() as connection:
            require_own(connection, act.client_id, regency)
            state = read_state(connection, regency)
        require_missing(state, body.first, body.last)
        refused = self._deliveries.applying.dry(regency, body.changes, jakarta_date(now))
        bad = {each["index"] for each in refused}
        taken = [row for index, row in enumerate(body.changes) if index not in bad]
        digest = digest_of(body.changes)
        kept = msgspec.json.encode(
            {
                "sequence": body.first, "complete_until": rfc3339_seconds(state.complete_until), "digest": b64u(digest),
                "changes": body.changes,
            }
        )  # fmt: skip
        sealed = self._deliveries.seal_body(regency, body.first, kept)
        would = dict(sorted(Counter(str(row["event"]) for row in taken).items()))
        return ExaminedConsolidation(digest, sealed, would, refused)


def require_missing(state: FeedState, first: int, last: int) -> None:
    """Raises Refused(CONFLICT) unless everything from `first` to `last` is missing in the feed."""
    if last < first or last >= state.next + AHEAD:
        raise Refused(Cause.MALFORMED_REQUEST, members=["from", "to"])
    if first < state.next or any(number in state.waiting for number in range(first, last + 1)):
        raise Refused(Cause.CONFLICT, fault="not all of these sequences are missing")


def consolidation_base(connection: Connection, regency: str, first: int, last: int) -> str:
    """Whether the gap still is as it was when its consolidation was proposed."""
    state = read_state(connection, regency)
    try:
        require_missing(state, first, last)
    except Refused:
        return ""
    return "missing"


def examined_only(act: Act) -> CommandResult:
    """The answer of a dry run."""
    seen: ExaminedConsolidation = act.prepared
    private = {"change": "consolidation_dry_run", "regency": act.path["regency"], "digest": b64u(seen.digest)}
    return CommandResult(Kind.FEED, {"would": seen.would, "refused": seen.refused}, private)


def subject_of(act: Act) -> dict[str, Any]:
    """What the second person sees: where, which sequences, how many of which event; no resident."""
    seen: ExaminedConsolidation = act.prepared
    return {
        "regency": act.path["regency"], "from": act.body.first, "to": act.body.last, "changes": b64u(seen.digest),
        "would": seen.would, "refused": len(seen.refused),
    }  # fmt: skip


def keep(unit: UnitOfWork, approval: str, act: Act) -> None:
    """Keep the sealed changes until the second person has decided."""
    seen: ExaminedConsolidation = act.prepared
    row = (approval, act.path["regency"], act.body.first, act.body.last, seen.digest, seen.sealed)
    put_many(unit.connection, feed_consolidations, [row])


def effect(unit: UnitOfWork, approval: Approval) -> CommandResult:
    """The effect of an approved consolidation: it takes its place in the feed, and is applied like a held batch."""
    connection, subject = unit.connection, approval.subject
    row = connection.execute(select(feed_consolidations).where(feed_consolidations.c.approval == approval.id)).one()
    held = (row.regency, row.first, row.last, bytes(row.digest), bytes(row.sealed), unit.now)
    put_many(connection, feed_held, [held])
    discard(connection, approval.id)
    put_watermark(connection, read_state(connection, row.regency))
    private = {"regency": row.regency, "from": row.first, "to": row.last, "digest": b64u(bytes(row.digest))}
    answer = {"regency": row.regency, "from": row.first, "to": row.last, "would": subject["would"]}
    return CommandResult(Kind.FEED, answer, private)


def discard(connection: Connection, approval: str) -> None:
    """Destroy the changes of a consolidation that was decided."""
    connection.execute(delete(feed_consolidations).where(feed_consolidations.c.approval == approval))
