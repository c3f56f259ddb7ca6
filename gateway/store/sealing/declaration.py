"""How does a log end and another begin? Two persons declare it; the entry and the house's fact tell the new origin."""

from __future__ import annotations

from gateway.clock import Entropy
from gateway.ledger.log.entry import Kind
from gateway.ledger.log.note import b64
from gateway.ledger.publication.checkpoint import Checkpoint
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.base.tables import house_facts
from gateway.store.ledger.entries import ORIGIN
from gateway.store.sealing.history import RecordedChange, write_history


def declare_new_log(  # noqa: PLR0913  what a declaration consists of
    database: Database, old: Checkpoint, origin: str, persons: tuple[str, str], reason: str, entropy: Entropy
) -> None:
    """Append the entry and note the new origin, in one transaction. `persons` are the proposer and the approver."""
    head = {"origin": old.origin, "size": old.size, "root": b64(old.root)}
    told = {"old": head, "origin": origin}
    private = {**told, "reason": reason, "proposer": persons[0], "approver": persons[1]}
    with database.sealing() as (connection, now):
        write_history(connection, [RecordedChange(Kind.NEW_LOG, "+".join(persons), private, answer=told)], now, entropy)
        put_many(connection, house_facts, [(ORIGIN, origin)], ("value",))
