"""How does a batch come in? Placed in its feed, applied or held, and sealed; what waited behind it follows by itself."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from gateway.administration.commands import Act
from gateway.clock import Clock, Entropy, jakarta_date, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.feeds.batch import ChangeBatch, parse_batch
from gateway.feeds.sequence import missing, place
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind
from gateway.store.base.engine import REGISTER_LOCK, Database
from gateway.store.base.statements import put_many
from gateway.store.commands.unit_of_work import CommandResult, UnitOfWork
from gateway.store.feeds.applying import Applying, give_way
from gateway.store.feeds.state import (
    FeedState,
    complete,
    given_answer,
    known_digest,
    put_watermark,
    read_state,
    touch,
    touches,
    untouch,
)
from gateway.store.feeds.tables import feed_held
from gateway.store.partners.offices import require_own
from gateway.store.sealing.history import RecordedChange, write_history
from gateway.verification.judge import INDEX

ACTOR = "house"
_TOUCHED_AT_ONCE = 2_000  # rows of one transaction


@dataclass(frozen=True, slots=True)
class Arrived:
    """A batch before it is sealed: `held` is its sealed body when it has to wait, else it is applied already."""

    batch: ChangeBatch
    held: bytes = b""
    repeat: bool = False


class Deliveries:
    """Takes batches into one database."""

    def __init__(self, database: Database, keyring: Keyring, entropy: Entropy, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._entropy = entropy
        self._clock = clock
        self.applying = Applying(database, keyring, entropy)

    def prepare(self, act: Act) -> Arrived:
        """Everything of a batch that takes time, in short transactions; its entry is the next step (`take`). Raises Refused."""
        regency, now = act.path["regency"], self._clock.now()
        with self._database.reading() as connection:
            require_own(connection, act.client_id, regency)
        batch = parse_batch(act.body, now, give_way)
        with self._database.reading() as connection:
            state = read_state(connection, regency)
            known = known_digest(connection, regency, batch.sequence)
        where = place(state.next, state.waiting, batch.sequence, batch.digest, known)
        if where.repeat:
            return Arrived(batch, repeat=True)
        if where.missing:
            self._name_touched(regency, batch, state, now)
            return Arrived(batch, self.seal_body(regency, batch.sequence, act.body))
        if batch.changes:
            self.applying.apply(regency, batch.sequence, batch.digest, batch.changes, jakarta_date(now))
        return Arrived(batch)

    def seal_body(self, regency: str, sequence: int, body: bytes) -> bytes:
        """A body as it is kept: packed, and sealed for this place of this feed alone."""
        return self._keyring.sealer(Job.CLAIMS).seal(zlib.compress(body, 1), _binding(regency, sequence), self._entropy)

    def open_body(self, regency: str, sequence: int, sealed: bytes) -> bytes:
        """What `seal_body` kept."""
        opener = self._keyring.opener(Job.CLAIMS, sealed)
        return zlib.decompress(opener.open(sealed, _binding(regency, sequence)))

    def _name_touched(self, regency: str, batch: ChangeBatch, state: FeedState, now: int) -> None:
        """Make stale whom the missing batches touched, as far as this one names them, and whom it touches itself."""
        mac = self._keyring.mac(Job.INDEX)
        absent = set(missing(state.next, state.waiting, batch.sequence))
        named = {number: niks for number, niks in batch.touched.items() if number in absent}
        own = [row.get("nik") for row in batch.changes if isinstance(row, dict)]
        named[batch.sequence] = tuple(nik for nik in own if isinstance(nik, str))
        for number, niks in named.items():
            indexes = [mac.mac(nik.encode())[:INDEX] for nik in niks]
            for first in range(0, len(indexes), _TOUCHED_AT_ONCE):
                with self._database.writing(REGISTER_LOCK) as connection:
                    touch(connection, regency, number, indexes[first : first + _TOUCHED_AT_ONCE], now)

    def finish(self, regency: str) -> None:
        """Apply what waited for the batch that is in now, each with its own entry. Raises StoreUnavailable."""
        while True:
            with self._database.reading() as connection:
                state = read_state(connection, regency)
                row = connection.execute(
                    select(feed_held).where(feed_held.c.regency == regency, feed_held.c.sequence == state.next)
                ).one_or_none()
            if row is None:
                break
            self._apply_held(state, row)
        with self._database.reading() as connection:
            stale = touches(connection, regency, state.next)
        if stale:
            with self._database.writing(REGISTER_LOCK) as connection:
                untouch(connection, regency, state.next)

    def _apply_held(self, state: FeedState, row: Any) -> None:  # noqa: ANN401  a row of `feed_held`
        body = self.open_body(state.regency, row.sequence, bytes(row.sealed))
        batch = parse_batch(body, row.held_at, give_way)
        digest = bytes(row.digest)
        if batch.changes:
            self.applying.apply(state.regency, row.sequence, digest, batch.changes, jakarta_date(row.held_at))
        with self._database.sealing() as (connection, now):
            under_way = ready(connection, state.regency, row.sequence, digest, len(batch.changes))
            if under_way is None:
                return  # another process was faster
            _, answer = complete(connection, under_way, row.upto, batch.complete_until, now)
            private = {**told(under_way, batch, answer), "change": "held", "upto": row.upto}
            write_history(connection, [RecordedChange(Kind.FEED, ACTOR, private)], now, self._entropy)

    def unfinished(self) -> list[str]:
        """Regencies in whose feed a batch waits that nothing is missing before: a process was killed on the way."""
        with self._database.reading() as connection:
            held = set(connection.execute(select(feed_held.c.regency)).scalars())
            states = [read_state(connection, regency) for regency in sorted(held)]
        return [state.regency for state in states if state.next in (state.held or {})]


def _binding(regency: str, sequence: int) -> bytes:
    return f"feed\0{regency}\0{sequence}".encode()


def ready(connection: Connection, regency: str, sequence: int, digest: bytes, rows: int) -> FeedState | None:
    """The feed when this batch is next and all of its rows are applied; None when it is neither."""
    state = read_state(connection, regency)
    if state.next != sequence:
        return None
    if not rows and not state.digest:
        return FeedState(regency, sequence, digest, complete_until=state.complete_until, held=state.held)
    return state if state.digest == digest and state.applied == rows else None


def told(state: FeedState, batch: ChangeBatch, answer: dict[str, Any]) -> dict[str, Any]:
    """What the private part of a batch's entry keeps: counts, never a row."""
    slugs = [each["slug"] for each in answer["refused"]]
    return {
        "change": "batch", "regency": state.regency, "sequence": batch.sequence, "digest": b64u(batch.digest),
        "accepted": answer["accepted"], "refused": {slug: slugs.count(slug) for slug in sorted(set(slugs))},
        "dropped": state.dropped, "complete_until": rfc3339_seconds(batch.complete_until),
    }  # fmt: skip


def take(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/feeds/{regency}/batches`: the entry of a batch that was applied, or is held from here on."""
    arrived: Arrived = act.prepared
    batch, connection, regency = arrived.batch, unit.connection, act.path["regency"]
    require_own(connection, act.client_id, regency)
    state = read_state(connection, regency)
    known = known_digest(connection, regency, batch.sequence)
    facts = {"regency": regency, "sequence": batch.sequence, "digest": b64u(batch.digest)}
    if known is not None:
        if known != batch.digest:
            raise Refused(Cause.SEQUENCE_CONFLICT, sequence=batch.sequence)
        given = given_answer(connection, regency, batch.sequence)
        answer = given or _held(state, batch.sequence)
        return CommandResult(Kind.FEED, answer, {"change": "again", **facts})
    if arrived.held:
        row = (regency, batch.sequence, batch.sequence, batch.digest, arrived.held, unit.now)
        put_many(connection, feed_held, [row])
        state = read_state(connection, regency)
        put_watermark(connection, state)
        answer = _held(state, batch.sequence)
        return CommandResult(Kind.FEED, answer, {"change": "hold", **facts, "missing": answer["missing"]})
    under_way = ready(connection, regency, batch.sequence, batch.digest, len(batch.changes))
    if under_way is None:  # it came twice at the very same moment, and the other one is not through yet
        raise Refused(Cause.OVERLOADED, retry_after=1)
    _, answer = complete(connection, under_way, batch.sequence, batch.complete_until, unit.now)
    return CommandResult(Kind.FEED, answer, told(under_way, batch, answer))


def _held(state: FeedState, sequence: int) -> dict[str, Any]:
    return {"held": True, "missing": list(missing(state.next, state.waiting, sequence))}


def reseal_held(connection: Connection, keyring: Keyring, entropy: Entropy) -> int:
    """Seal what is held under the newest key; how many batches it was."""
    key, count = keyring.sealer(Job.CLAIMS), 0
    columns = feed_held.c
    for regency, sequence, held in connection.execute(select(columns.regency, columns.sequence, columns.sealed)).all():
        sealed = bytes(held)
        if sealed[0] == key.version:
            continue
        bound = _binding(regency, sequence)
        anew = key.seal(keyring.opener(Job.CLAIMS, sealed).open(sealed, bound), bound, entropy)
        where = (columns.regency == regency, columns.sequence == sequence)
        connection.execute(update(feed_held).where(*where).values(sealed=anew))
        count += 1
    return count


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {"take_batch": take}
"""What is done here, by the name of the act."""
