"""How does a change outside the sealer become an entry? In the very transaction that makes the change, under its lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from gateway.clock import Entropy, uuid7
from gateway.ledger.log.canonical import digest
from gateway.ledger.log.entry import Entry, make_entry, private_bytes, request_digest
from gateway.ledger.log.merkle import Frontier
from gateway.store.base.statements import put_many
from gateway.store.base.tables import epochs
from gateway.store.ledger.entries import read_head
from gateway.store.sealing.seals import append


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """One thing that was changed: of which kind, by whom, and what the private part keeps of it (digests, not data).

    `answer` is what the leaf commits to in public.
    """

    kind: str
    actor: str
    private: Mapping[str, object]
    agreement: str = ""
    answer: Mapping[str, object] = field(default_factory=dict)


def write_history(connection: Connection, changes: Sequence[RecordedChange], now: int, entropy: Entropy) -> None:
    """Append one entry for each change; `connection` is in a sealing transaction."""
    head = read_head(connection)
    frontier = Frontier(head.size, head.frontier)
    entries = [_entry(change, now, entropy) for change in changes]
    frontier.append([entry.hash for entry in entries])
    append(connection, entries, frontier)


def _entry(change: RecordedChange, now: int, entropy: Entropy) -> Entry:
    return make_entry(
        kind=change.kind,
        id=uuid7(now, entropy),
        at=now,
        actor=change.actor,
        agreement=change.agreement,
        purpose="",
        answer=digest(change.answer),
        request=request_digest(entropy.bytes(32), b""),
        private=private_bytes(entropy.bytes(32), change.private),
    )


def bump(connection: Connection, scope: str) -> None:
    """Count a change of `scope`; what was decided on an older count is refused by the seal from now on."""
    count = connection.execute(select(epochs.c.count).where(epochs.c.scope == scope)).scalar()
    put_many(connection, epochs, [(scope, (count or 0) + 1)], ("count",))
