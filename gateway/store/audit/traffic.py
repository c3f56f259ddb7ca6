"""How many calls came, and how did they end? Sums by minute, hour and day over the copy that the log is searched by.

They are counted after the seal, a stretch at a time, and each entry once; reading them never counts an entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select, text

from gateway.administration.commands import Shown, View
from gateway.allowance.account import Account
from gateway.clock import JAKARTA, SECOND, parse_rfc3339, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.partners.agreement import AgreementState
from gateway.partners.in_force import governing, state_at
from gateway.register.reasons import Status
from gateway.sealing.usage import usage_document
from gateway.store.audit.assignments import require
from gateway.store.audit.tables import traffic
from gateway.store.base.statements import put_many
from gateway.store.commands.query import ReadContext, instant
from gateway.store.commands.unit_of_work import STAFF
from gateway.store.ledger.tables import ledger_entries
from gateway.store.partners.agreements import partner_entry
from gateway.store.partners.standings import PartnersOf
from gateway.store.partners.tables import partners
from gateway.store.sealing.tables import accounts
from gateway.store.search.copy import AfterCopy, covered, told_of
from gateway.store.search.tables import search_entries, search_facets
from gateway.store.verification.latencies import by_step
from gateway.verification.latency import told

STEPS: Mapping[str, int] = {"minute": 60, "hour": 3600, "day": 86_400}
"""Seconds of each step; days are those of Asia/Jakarta."""
USUAL: Mapping[str, int] = {"minute": 60, "hour": 48, "day": 31}
"""How many points are shown when nobody says since when."""
MOST = 750  # points
BUSIEST = 20  # partners that are told apart where nobody names one
_KEPT = {60: 32 * 86_400, 3600: 400 * 86_400}  # seconds for which minutes and hours are kept; days stay
_CALLS = frozenset({Kind.ANSWER, Kind.REFUSAL, Kind.REPEAT})
_MINUTES = text(
    f"SELECT facet, at / {60 * SECOND} AS minute, count(*) FROM search_entries "  # noqa: S608  a number of ours
    "WHERE leaf_index >= :first AND leaf_index < :end GROUP BY facet, minute"
)


def start_of(second: int, step: int) -> int:
    """When the step began that an instant lies in; both in seconds since 1970."""
    shift = JAKARTA // SECOND if step == STEPS["day"] else 0
    return (second + shift) // step * step - shift


class TrafficTally(AfterCopy):
    """Counts what is new in the copy."""

    chunk, fact = 20_000, "traffic.next"

    def _make(self, connection: Connection, first: int, end: int) -> Counter[tuple[int, int, int]]:
        sums: Counter[tuple[int, int, int]] = Counter()
        for facet, minute, count in connection.execute(_MINUTES, {"first": first, "end": end}):
            for step in STEPS.values():
                sums[step, start_of(minute * 60, step), facet] += count
        return sums

    def _keep(self, connection: Connection, first: int, end: int, summed: Mapping[tuple[int, int, int], int]) -> int:
        _add(connection, summed)
        _forget(connection, first, end)
        for step, kept in _KEPT.items():
            newest = max((begins for one, begins, _ in summed if one == step), default=0)
            connection.execute(delete(traffic).where(traffic.c.step == step, traffic.c.begins < newest - kept))
        return end


def _add(connection: Connection, sums: Mapping[tuple[int, int, int], int]) -> None:
    """Add to what is counted already."""
    columns = traffic.c
    held: dict[tuple[int, int, int], int] = {}
    for step in STEPS.values():
        begins = {one for of, one, _ in sums if of == step}
        if begins:
            where = (columns.step == step, columns.begins >= min(begins), columns.begins <= max(begins))
            held |= {tuple(row[:3]): row[3] for row in connection.execute(select(traffic).where(*where))}
    put_many(connection, traffic, [(*key, held.get(key, 0) + count) for key, count in sums.items()], ("entries",))


def _forget(connection: Connection, first: int, end: int) -> None:
    """Where private parts were destroyed, their outcomes are not told from sums either."""
    facets = {row.id: tuple(row[1:]) for row in connection.execute(select(search_facets))}
    records = [id for id, facet in facets.items() if facet[1] == Kind.DESTRUCTION]
    columns = search_entries.c
    where = (columns.facet.in_(records), columns.leaf_index >= first, columns.leaf_index < end)
    indexes = connection.execute(select(columns.leaf_index).where(*where)).scalars().all() if records else []
    by_facet = {facet: id for id, facet in facets.items()}
    for index in indexes:
        private = connection.execute(
            select(ledger_entries.c.private).where(ledger_entries.c.leaf_index == index)
        ).scalar_one()
        reach = covered(told_of(private))
        if reach is None:
            continue
        for id, facet in facets.items():
            bare = by_facet.get((*facet[:3], ""))
            if facet[1] in reach[0] and bare is not None and bare != id:
                _move(connection, id, bare, reach[1] // SECOND)


def _move(connection: Connection, facet: int, bare: int, before: int) -> None:
    columns = traffic.c
    where = (columns.facet == facet, columns.begins < before)
    sums = {(row.step, row.begins, bare): row.entries for row in connection.execute(select(traffic).where(*where))}
    for key, count in sums.items():  # few: one outcome of one partner
        held = connection.execute(
            select(columns.entries).where(columns.step == key[0], columns.begins == key[1], columns.facet == bare)
        ).scalar()
        put_many(connection, traffic, [(*key, count + (held or 0))], ("entries",))
    connection.execute(delete(traffic).where(*where))


# ------------------------------------------------------------------------------------------------ showing


@dataclass(slots=True)
class _Sum:
    """What calls have come to."""

    usable: int = 0
    not_usable: int = 0
    repeats: int = 0
    unknown: int = 0  # answers whose private part was destroyed
    refusals: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, outcome: str, count: int) -> None:
        if kind == Kind.REPEAT:
            self.repeats += count
        elif kind == Kind.REFUSAL:
            self.refusals[outcome] += count
        elif not outcome:
            self.unknown += count
        elif outcome == Status.ACTIVE:
            self.usable += count
        else:
            self.not_usable += count

    def document(self) -> dict[str, Any]:
        refused = sum(self.refusals.values())
        answers = self.usable + self.not_usable + self.unknown
        return {
            "calls": answers + refused + self.repeats, "answers": answers, "usable": self.usable,
            "not_usable": self.not_usable, "repeats": self.repeats, "refused": refused,
            "refusals": dict(sorted(self.refusals.items())),
        }  # fmt: skip


def _stretch(view: View, now: int) -> tuple[str, list[int], int]:
    """(name of the step, when each point begins, where the last ends). Raises Refused(MALFORMED_REQUEST)."""
    query = view.query
    name = query.get("step") or "hour"
    if name not in STEPS:
        raise Refused(Cause.MALFORMED_REQUEST, members=["step"])
    step = STEPS[name]
    until = instant(query["until"], "until", end=True) if query.get("until") else now
    last = start_of(max(min(until, now) - 1, 0) // SECOND, step)
    first = start_of(instant(query["since"], "since") // SECOND, step) if query.get("since") else None
    if first is None:
        first = last - (USUAL[name] - 1) * step
    if not 0 <= (last - first) // step < MOST:
        raise Refused(Cause.MALFORMED_REQUEST, members=["since", "until"])
    return name, list(range(first, last + 1, step)), last + step


def _sums(connection: Connection, view: tuple[int, int, int, tuple[str, ...]], *by: ColumnElement[Any]) -> list[Any]:
    """How many calls there were, summed by these columns; `view` is step, from, until before, and partners (none: all)."""
    step, first, end, partners_of = view
    facets, sums = search_facets.c, traffic.c
    query = (
        select(*by, func.sum(sums.entries))
        .select_from(traffic.join(search_facets, facets.id == sums.facet))
        .where(
            sums.step == step, sums.begins >= first, sums.begins < end, facets.kind.in_(_CALLS), facets.partner != STAFF
        )
    )
    if partners_of:
        query = query.where(facets.partner.in_(partners_of))
    return [(*row[:-1], int(row[-1])) for row in connection.execute(query.group_by(*by))]


def _document(context: ReadContext, view: View, only: tuple[str, ...]) -> dict[str, Any]:
    """Of `only` these partners; none: of all."""
    connection, facets = context.connection, search_facets.c
    name, begins, end = _stretch(view, context.now)
    stretch = (STEPS[name], begins[0], end, only)
    points = {at: _Sum() for at in begins}
    for at, kind, outcome, count in _sums(connection, stretch, traffic.c.begins, facets.kind, facets.outcome):
        points[at].add(kind, outcome, count)
    each: dict[str, _Sum] = {}
    whole = _Sum()
    for who, kind, outcome, count in _sums(connection, stretch, facets.partner, facets.kind, facets.outcome):
        each.setdefault(who, _Sum()).add(kind, outcome, count)
        whole.add(kind, outcome, count)
    sums = {who: one.document() for who, one in each.items()}
    busiest = sorted(sums, key=lambda who: (-sums[who]["calls"], who))[:BUSIEST]
    calls: dict[int, dict[str, int]] = {at: {} for at in begins}
    for at, who, count in _sums(connection, stretch, traffic.c.begins, facets.partner):
        if who in busiest:
            calls[at][who] = count
    return {
        "step": name,
        "since": rfc3339_seconds(begins[0] * SECOND),
        "until": rfc3339_seconds(end * SECOND),
        "counted_until": _counted_until(connection),
        "total": whole.document(),
        "points": [
            {"at": rfc3339_seconds(at * SECOND), **points[at].document(), "partners": calls[at]} for at in begins
        ],
        "partners": [{"partner": who, **sums[who]} for who in busiest],
        "other_partners": len(sums) - len(busiest),
        "allowances": _allowances(context, list(only) or busiest),
    }


def _allowances(context: ReadContext, wanted: list[str]) -> list[dict[str, Any]]:
    """What these partners have agreed, spent and left, by agreement in force."""
    spent = {row.id: Account(*row[1:]) for row in context.connection.execute(select(accounts))} if wanted else {}
    known = set(context.connection.execute(select(partners.c.id).where(partners.c.id.in_(wanted))).scalars())
    return [
        {"partner": who, **usage_document(one, spent.get(one.id, Account()), context.now)}
        for who in wanted
        if who in known
        for one in governing(PartnersOf.partner(context.connection, who).agreements, context.now)
        if state_at(one, context.now) is AgreementState.IN_FORCE
    ]


def _counted_until(connection: Connection) -> str | None:
    """Up to when everything is counted: the last counted entry's time; None while nothing is."""
    index = TrafficTally.reached(connection) - 1
    at = connection.execute(select(search_entries.c.at).where(search_entries.c.leaf_index == index)).scalar()
    return None if at is None else rfc3339_seconds(at)


def show_traffic(context: ReadContext, view: View) -> Shown:
    """`GET /v1/traffic`: of the house or one partner, with how long verifications took (of the whole house).

    Raises Refused(ASSIGNMENT_MISSING) for an auditor whose assignments do not cover it.
    """
    partner = view.query.get("partner", "")
    if partner:
        partner_entry(context.connection, partner)
    only: tuple[str, ...] = (partner,) if partner else ()
    if view.scope == "audit.read":  # an auditor sees what was assigned, and nothing without
        _, at, end = _stretch(view, context.now)
        reach = {"since": at[0] * SECOND, "until": min(end * SECOND, context.now)}
        held = require(context.connection, view.person, context.now, partner=partner, **reach)
        only = only or held.partners
    document = _document(context, view, only)
    begins = [parse_rfc3339(point["at"]) // SECOND for point in document["points"]]
    end = parse_rfc3339(document["until"]) // SECOND
    counts = by_step(context.connection, begins, end)
    for point, one in zip(document["points"], counts, strict=True):
        point["latency"] = told(one)
    document["latency"] = told([sum(each) for each in zip(*counts, strict=True)])
    return Shown(document, private={"filters": {"partner": partner}} if partner else {})


def show_own_traffic(context: ReadContext, view: View) -> Shown:
    """`GET /v1/usage/traffic`: a partner's own."""
    return Shown(_document(context, view, (view.path["partner"],)))


VIEWS: Mapping[str, Callable[[ReadContext, View], Shown]] = {"traffic": show_traffic, "own_traffic": show_own_traffic}
