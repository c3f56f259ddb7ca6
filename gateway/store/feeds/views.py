"""What is told of feeds: where each stands, how fresh every regency is, who turns 17, and why one resident's NIK does not work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select

from gateway.administration.commands import Shown, View
from gateway.clock import SECOND, jakarta_date, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.feeds.watermark import lag_seconds
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u
from gateway.nik import Nik
from gateway.register.codec import decode
from gateway.register.reasons import REASONS, Status
from gateway.register.record import Record
from gateway.register.status import causes, gap_reason
from gateway.store.commands.query import ReadContext, whole_number
from gateway.store.feeds.state import FeedState, count_touched, read_state
from gateway.store.feeds.tables import feed_held, feeds
from gateway.store.partners.offices import own_regencies, require_own
from gateway.store.register.residents import RegisterOf
from gateway.store.register.tables import records, watermarks
from gateway.verification.judge import binding, indexes

MOST_DAYS = 366
MOST_COMING = 5_000
_ADULT = 17
_PAGE = 1_000


class FeedViews:
    """Views of feeds and of residents by their own office. `behind_after` in microseconds, `gap_hours` in hours."""

    def __init__(self, keyring: Keyring, register: RegisterOf, *, behind_after: int, gap_hours: int) -> None:
        self._keyring = keyring
        self._register = register
        self._behind_after = behind_after
        self._gap_hours = gap_hours
        self.all: Mapping[str, Callable[[ReadContext, View], Shown]] = {
            "own_feeds": self.own_feeds,
            "feed": self.feed,
            "freshness": self.freshness,
            "coming": self.coming,
            "diagnose": self.diagnose,
        }

    def own_feeds(self, context: ReadContext, view: View) -> Shown:
        """`GET /v1/feeds`: the caller's own regencies, and what each is to send next."""
        own = sorted(own_regencies(context.connection, view.client_id))
        states = [read_state(context.connection, regency) for regency in own]
        return Shown({"feeds": [{"regency": each.regency, **self._standing(each, context.now)} for each in states]})

    def feed(self, context: ReadContext, view: View) -> Shown:
        """`GET /v1/feeds/{regency}`: to its own office."""
        connection, regency = context.connection, view.path["regency"]
        require_own(connection, view.client_id, regency)
        state = read_state(connection, regency)
        return Shown(
            {"regency": regency, **self._standing(state, context.now), "touched": count_touched(connection, regency)}
        )

    def _standing(self, state: FeedState, now: int) -> dict[str, Any]:
        lag = lag_seconds(state.complete_until, now)
        return {
            "next": state.expected, "complete_until": rfc3339_seconds(state.complete_until), "gaps": list(state.gaps),
            "held": len(state.held or {}), "lag_seconds": lag, "behind": lag * SECOND > self._behind_after,
        }  # fmt: skip

    def freshness(self, context: ReadContext, view: View) -> Shown:  # noqa: ARG002  every view is called alike
        """`GET /v1/freshness`: every regency, to whoever has a token."""
        columns = watermarks.c
        marks = context.connection.execute(select(columns.regency, columns.complete_until).order_by(columns.regency))
        nexts = {row.regency: row.next for row in context.connection.execute(select(feeds.c.regency, feeds.c.next))}
        held: dict[str, dict[int, int]] = {}
        for row in context.connection.execute(select(feed_held.c.regency, feed_held.c.sequence, feed_held.c.upto)):
            held.setdefault(row.regency, {})[row.sequence] = row.upto
        told = []
        for regency, until in marks:
            state = FeedState(regency, nexts.get(regency, 1), complete_until=until, held=held.get(regency))
            standing = self._standing(state, context.now)
            names = ("complete_until", "lag_seconds", "gaps", "behind")
            told.append({"regency": regency, **{name: standing[name] for name in names}})
        return Shown({"regencies": told})

    def coming(self, context: ReadContext, view: View) -> Shown:
        """`GET /v1/feeds/{regency}/coming`: own residents who turn 17 in the next days without biometrics, the soonest first.

        Reads the whole register: nothing in it tells without a key where a resident lives.
        """
        regency = view.path["regency"]
        require_own(context.connection, view.client_id, regency)
        days = whole_number(view.query.get("days", ""), "days", 90, MOST_DAYS)
        today = jakarta_date(context.now)
        last = today + timedelta(days=days)
        found: list[tuple[date, str]] = []
        for record in self._everybody(context.connection):
            if record.biometric or record.regency != regency or (record.conditions and _dead(record)):
                continue
            birthday = _seventeenth(record)
            if birthday is not None and today < birthday <= last:
                found.append((birthday, record.nik))
        found.sort()
        items = [{"nik": nik, "turns_17_on": day.isoformat()} for day, nik in found[:MOST_COMING]]
        return Shown({"regency": regency, "days": days, "residents": items, "more": len(found) > MOST_COMING})

    def _everybody(self, connection: Connection) -> Any:  # noqa: ANN401  an iterator of records
        after = 0
        statement = select(records.c.id, records.c.sealed).where(records.c.id > bindparam("after"))
        statement = statement.order_by(records.c.id).limit(_PAGE)
        while rows := connection.execute(statement, {"after": after}).all():
            for id, sealed in rows:
                yield self._open(id, bytes(sealed))
            after = rows[-1].id

    def diagnose(self, context: ReadContext, view: View) -> Shown:
        """`POST /v1/register/diagnose`: every cause that applies to an own resident; another's is not found, nor is nobody."""
        connection, body = context.connection, view.body
        nik = Nik.parse(body.nik)
        ixs = indexes(self._keyring, nik.digits)
        found = self._register.find(connection, ixs)
        touched = self._register.touched(connection, ixs)
        row = next((found[ix] for ix in ixs if ix in found), None)
        record = None if row is None else self._open(*row)
        own = own_regencies(connection, view.client_id)
        if (
            record is None
            or record.nik != nik.digits
            or not own & {record.regency, *(one.regency for one in record.waiting)}
        ):
            raise Refused(Cause.NOT_FOUND)
        state = read_state(connection, record.regency or next(iter(own)))
        standing = self._standing(state, context.now)
        since = min(touched.values(), default=0)
        gap = gap_reason(since, context.now, self._gap_hours) if since else ""
        day = jakarta_date(since).isoformat() if since else ""
        today = jakarta_date(context.now)
        told = causes(record, today, source_behind=standing["behind"], gap=gap, gap_since=day)
        first = REASONS[told[0][0]] if told else None
        tag = self._keyring.mac(Job.LEDGER_TAG).mac(nik.digits.encode())[:16]
        return Shown(
            {
                "status": (first.status if first else Status.ACTIVE).value,
                "reason": first.slug if first else None,
                "causes": [{"reason": slug, "since": when or None} for slug, when in told],
                "as_of": standing["complete_until"],
                "feed": {name: standing[name] for name in ("next", "gaps", "lag_seconds")},
                "next_step": dict(first.remedy.document()) if first else None,
            },
            private={"subject": b64u(tag), "ticket": body.ticket, "regency": record.regency},
        )

    def _open(self, id: int, sealed: bytes) -> Record:
        opener = self._keyring.opener(Job.CLAIMS, sealed)
        return decode(opener.open(sealed, binding(id, opener.version)))


def _dead(record: Record) -> bool:
    return any(one.reason in {"deceased", "moved_abroad"} for one in record.conditions)


def _seventeenth(record: Record) -> date | None:
    """The day on which a resident is asked for biometrics; None when the birth date is not known."""
    try:
        born = date.fromisoformat(record.claims.get("birth_date", ""))
    except ValueError:
        return None
    try:
        return born.replace(year=born.year + _ADULT)
    except ValueError:  # born on 29 February
        return date(born.year + _ADULT, 3, 1)
