"""Where does each feed stand? Next sequence, what is held behind a gap, whom the gap touches, and whose feed it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select

from gateway.feeds import sequence as order
from gateway.feeds.watermark import advance
from gateway.store.base.statements import put_many
from gateway.store.feeds.tables import feed_batches, feed_held, feeds
from gateway.store.register.tables import feed_touched, watermarks


@dataclass(frozen=True, slots=True)
class FeedState:
    """One feed. `next` is to be applied next, of which `applied` rows are in; `held` maps what waits to where it ends."""

    regency: str
    next: int = 1
    digest: bytes = b""
    applied: int = 0
    refused: str = "[]"
    dropped: int = 0
    complete_until: int = 0
    held: Mapping[int, int] | None = None

    @property
    def waiting(self) -> set[int]:
        """Every sequence that is here and cannot be applied yet."""
        return {number for first, last in (self.held or {}).items() for number in range(first, last + 1)}

    @property
    def expected(self) -> int:
        """What the sender is to send next."""
        return order.expected(self.next, self.waiting)

    @property
    def gaps(self) -> tuple[int, ...]:
        """Every sequence that is missing before something that is held."""
        return order.gaps(self.next, self.waiting)


def read_state(connection: Connection, regency: str) -> FeedState:
    """The feed of a regency as it stands; one that nobody has begun is empty."""
    row = connection.execute(select(feeds).where(feeds.c.regency == regency)).one_or_none()
    held = connection.execute(select(feed_held.c.sequence, feed_held.c.upto).where(feed_held.c.regency == regency))
    mark = connection.execute(select(watermarks.c.complete_until).where(watermarks.c.regency == regency)).scalar()
    waits = {each.sequence: each.upto for each in held}
    if row is None:
        return FeedState(regency, complete_until=mark or 0, held=waits)
    return FeedState(regency, row.next, bytes(row.digest), row.applied, row.refused, row.dropped, mark or 0, waits)


def put_progress(connection: Connection, state: FeedState) -> None:
    """Keep how far the batch under way is applied."""
    row = (state.regency, state.next, state.digest, state.applied, state.refused, state.dropped)
    put_many(connection, feeds, [row], ("next", "digest", "applied", "refused", "dropped"))


def known_digest(connection: Connection, regency: str, sequence: int) -> bytes | None:
    """The digest of what was sent under a sequence, applied or held; None when nothing was."""
    for table in (feed_batches, feed_held):
        where = (table.c.regency == regency, table.c.sequence == sequence)
        found = connection.execute(select(table.c.digest).where(*where)).scalar()
        if found is not None:
            return bytes(found)
    return None


def given_answer(connection: Connection, regency: str, sequence: int) -> dict[str, Any] | None:
    """What was answered to a batch that was applied."""
    where = (feed_batches.c.regency == regency, feed_batches.c.sequence == sequence)
    text = connection.execute(select(feed_batches.c.answer).where(*where)).scalar()
    return None if text is None else dict(json.loads(text))


def complete(
    connection: Connection, state: FeedState, upto: int, until: int, now: int
) -> tuple[FeedState, dict[str, Any]]:
    """The batch under way is applied whole: the feed goes on after `upto`, and its watermark rises to `until`.

    Returns the feed as it is then, and the answer that its sender gets, now and whenever it is sent again.
    """
    sequence, refused = state.next, json.loads(state.refused)
    connection.execute(delete(feed_held).where(feed_held.c.regency == state.regency, feed_held.c.sequence == sequence))
    held = {first: last for first, last in (state.held or {}).items() if first > upto}
    moved = FeedState(state.regency, upto + 1, complete_until=advance(state.complete_until, until, now), held=held)
    answer = {"accepted": state.applied - len(refused), "refused": refused, "next": moved.expected}
    kept = json.dumps(answer, separators=(",", ":"))
    put_many(connection, feed_batches, [(state.regency, sequence, state.digest, kept, now)])
    put_progress(connection, moved)
    put_watermark(connection, moved)
    return moved, answer


def put_watermark(connection: Connection, state: FeedState) -> None:
    """Write down until when the regency is complete, and whether a gap is open."""
    row = (state.regency, state.complete_until, bool(state.gaps))
    put_many(connection, watermarks, [row], ("complete_until", "gap"))


def touch(connection: Connection, regency: str, sequence: int, indexes: Iterable[bytes], now: int) -> None:
    """Name whom a batch that is missing or held touches; who was named before keeps his moment."""
    rows = [(ix, regency, sequence, now) for ix in sorted(set(indexes))]
    put_many(connection, feed_touched, rows, ("regency",))


def untouch(connection: Connection, regency: str, before: int) -> None:
    """Whom batches before this one touched, they touch no more."""
    connection.execute(delete(feed_touched).where(feed_touched.c.regency == regency, feed_touched.c.sequence < before))


def touches(connection: Connection, regency: str, before: int) -> bool:
    """Whether batches before this one still touch somebody."""
    where = (feed_touched.c.regency == regency, feed_touched.c.sequence < before)
    return connection.execute(select(feed_touched.c.regency).where(*where).limit(1)).first() is not None


def count_touched(connection: Connection, regency: str) -> int:
    """How many residents are stale for a gap of this feed."""
    wanted = select(func.count(func.distinct(feed_touched.c.ix))).where(feed_touched.c.regency == regency)
    return int(connection.execute(wanted).scalar_one())
