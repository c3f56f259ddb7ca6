"""How do the changes of a batch get into the register? Some hundred records a transaction, each row exactly once.

What takes time is done beforehand and held against what stands when the lock is had: whoever else wrote meanwhile wins,
and the stretch is made again. A kill between two stretches leaves how far it came.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, func, select

from gateway.clock import Entropy
from gateway.errors import Cause, Refused, StoreUnavailable
from gateway.feeds.change import ChangeRefused, parse_change
from gateway.feeds.transition import tell
from gateway.keyring import Job, Keyring
from gateway.register.codec import decode, encode
from gateway.register.record import Record, ToldEvent
from gateway.store.base.engine import REGISTER_LOCK, Database
from gateway.store.base.statements import Lookup, put_many
from gateway.store.feeds.state import FeedState, put_progress, read_state
from gateway.store.register.tables import records, register_index
from gateway.verification.judge import INDEX, binding

STRETCH = 250
"""Records of one transaction: some milliseconds."""
_WITHOUT_PAUSE = 16  # rows
_TRIES = 50  # a stretch that somebody else's writing undoes is made again
Rows = dict[bytes, tuple[int, bytes]]
"""Index → (record id, sealed record)."""


@dataclass(slots=True)
class Stretch:
    """What some rows make of the register: sealed records by id, new residents, and what is refused."""

    found: Rows
    changed: list[tuple[int, bytes]] = field(default_factory=list)
    added: list[Record] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    dropped: int = 0


def give_way() -> None:
    """Let the thread that answers verifications go first."""
    time.sleep(0)


class Applying:
    """Applies batches to the register of one database."""

    def __init__(self, database: Database, keyring: Keyring, entropy: Entropy) -> None:
        self._database = database
        self._keyring = keyring
        self._entropy = entropy
        self._look = Lookup(database.dialect, f"{_SELECT} {_JOIN}", register_index.c.ix)

    def apply(self, regency: str, sequence: int, digest: bytes, changes: Sequence[Any], today: date) -> FeedState:
        """Apply what is not applied yet of the batch that is next; the feed with all of it applied, not yet gone on.

        Raises Refused(SEQUENCE_CONFLICT) when another body is under way as this sequence, StoreUnavailable.
        """
        tries = 0
        with self._database.reading() as connection:
            state = read_state(connection, regency)
        while True:
            if state.next != sequence or (state.digest and state.digest != digest):
                raise Refused(Cause.SEQUENCE_CONFLICT, sequence=sequence)
            if state.digest and state.applied == len(changes):
                return state
            first = state.applied
            rows = changes[first : first + STRETCH]
            made = self._make(regency, rows, first, today)
            written = self._write(replace(state, digest=digest), made, first + len(rows))
            if written is None:
                tries += 1
                if tries > _TRIES:
                    raise StoreUnavailable("the register is being written by others")
                with self._database.reading() as connection:
                    state = read_state(connection, regency)
            else:
                state = written

    def dry(self, regency: str, changes: Sequence[Any], today: date) -> list[dict[str, Any]]:
        """What would be refused of changes, if they were applied now; nothing is written."""
        held: dict[str, Record | None] = {}
        refused: list[dict[str, Any]] = []
        for first in range(0, len(changes), STRETCH):
            refused += self._make(regency, changes[first : first + STRETCH], first, today, held).refused
        return refused

    def _make(
        self, regency: str, rows: Sequence[Any], first: int, today: date, before: dict[str, Record | None] | None = None
    ) -> Stretch:
        """What `rows` make of the register as it stands, beginning with number `first` of their batch."""
        parsed, refused = [], []
        for index, raw in enumerate(rows, first):
            try:
                parsed.append((index, *parse_change(raw, regency, today)))
            except ChangeRefused as fault:
                refused.append(_refused(index, fault))
        macs = self._keyring.macs(Job.INDEX)
        indexes = {nik: [key.mac(nik.encode())[:INDEX] for key in macs] for _, nik, _ in parsed}
        with self._database.reading() as connection:
            found = self._rows(connection, [ix for each in indexes.values() for ix in each])
        made = Stretch(found, refused=refused)
        held: dict[str, Record | None] = {} if before is None else before
        ids: dict[str, int] = {}
        for nik, each in indexes.items():
            row = next((found[ix] for ix in each if ix in found), None)
            if row is not None:
                ids[nik] = row[0]
            if nik not in held:
                held[nik] = None if row is None else self._open(*row)
        changed = _tell_all(parsed, held, made)
        key = self._keyring.sealer(Job.CLAIMS)
        for nik, record in changed.items():
            if nik in ids:
                sealed = key.seal(encode(record), binding(ids[nik], key.version), self._entropy)
                made.changed.append((ids[nik], sealed))
            else:
                made.added.append(record)
        return made

    def _write(self, state: FeedState, made: Stretch, applied: int) -> FeedState | None:
        """The feed after the stretch, durable; None when something of it was changed by somebody else meanwhile."""
        mac, key = self._keyring.mac(Job.INDEX), self._keyring.sealer(Job.CLAIMS)
        indexes = {record.nik: mac.mac(record.nik.encode())[:INDEX] for record in made.added}
        with self._database.writing(REGISTER_LOCK) as connection:
            now = read_state(connection, state.regency)
            under_way = (now.next, now.applied) == (state.next, state.applied) and now.digest in {b"", state.digest}
            if not under_way or self._rows(connection, [*made.found, *indexes.values()]) != made.found:
                return None
            if made.added:
                following = int(connection.execute(select(func.max(records.c.id))).scalar() or 0) + 1
                rows, index = [], []
                for id, record in enumerate(made.added, following):
                    rows.append((id, key.seal(encode(record), binding(id, key.version), self._entropy)))
                    index.append((indexes[record.nik], mac.version, id))
                put_many(connection, records, rows)
                put_many(connection, register_index, index)
            put_many(connection, records, made.changed, ("sealed",))
            refused = json.loads(now.refused) + made.refused
            done = replace(
                now, digest=state.digest, applied=applied, dropped=now.dropped + made.dropped,
                refused=json.dumps(refused, separators=(",", ":")),
            )  # fmt: skip
            put_progress(connection, done)
            return done

    def _rows(self, connection: Connection, indexes: Sequence[bytes]) -> Rows:
        return {bytes(ix): (id, bytes(sealed)) for ix, id, sealed in self._look.rows(connection, indexes)}

    def _open(self, id: int, sealed: bytes) -> Record:
        opener = self._keyring.opener(Job.CLAIMS, sealed)
        return decode(opener.open(sealed, binding(id, opener.version)))


_SELECT = "SELECT register_index.ix, records.id, records.sealed FROM register_index"
_JOIN = "JOIN records ON records.id = register_index.record"


def _tell_all(
    parsed: Sequence[tuple[int, str, ToldEvent]], held: dict[str, Record | None], made: Stretch
) -> dict[str, Record]:
    """Tell everything in its order; the records that have changed, by NIK in sorted order."""
    changed: set[str] = set()
    for at, (index, nik, told) in enumerate(parsed):
        try:
            after = tell(held[nik], nik, told)
        except ChangeRefused as fault:
            made.refused.append(_refused(index, fault))
            continue
        if after.record != held[nik]:
            changed.add(nik)
        held[nik] = after.record
        made.dropped += len(after.dropped)
        if not at % _WITHOUT_PAUSE:
            give_way()
    made.refused.sort(key=lambda each: int(each["index"]))
    return {nik: record for nik in sorted(changed) if (record := held[nik]) is not None}


def _refused(index: int, fault: ChangeRefused) -> dict[str, Any]:
    told: dict[str, Any] = {"index": index, "slug": fault.slug.value}
    return told | {"members": list(fault.members)} if fault.members else told
