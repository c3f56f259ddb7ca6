"""What does one row of a batch say, and may it be said? A refusal names member and cause and never repeats a value."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

import msgspec

from gateway.errors import GatewayError, Refused
from gateway.feeds.events import EVENTS, Event, Phase
from gateway.nik import Nik
from gateway.register.claims import LineFault, check_claims, parse_day
from gateway.register.record import ToldEvent


class Slug(StrEnum):
    """Why a row is refused."""

    MALFORMED_CHANGE = "malformed-change"
    UNKNOWN_RESIDENT = "unknown-resident"
    ALREADY_REGISTERED = "already-registered"
    NOT_OWN_REGION = "not-own-region"
    WRONG_ORDER = "wrong-order"


class ChangeRefused(GatewayError):
    """A row that does nothing: its slug, and the members that are wrong where that can be told."""

    def __init__(self, slug: Slug, *members: str) -> None:
        super().__init__(slug.value)
        self.slug = slug
        self.members = members


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    nik: str
    event: str
    phase: Phase
    occurred_on: str
    claims: dict[str, str] = {}
    successor: str = ""


_FIELDS = ("nik", "event", "phase", "occurred_on", "claims", "successor")


def parse_change(raw: Any, regency: str, today: date) -> tuple[str, ToldEvent]:  # noqa: ANN401  JSON
    """(NIK, what is told of it) of one row as `regency` sent it; `today` is the day in Asia/Jakarta.

    Raises ChangeRefused(MALFORMED_CHANGE).
    """
    try:
        row = msgspec.convert(raw, _Row)
    except msgspec.ValidationError:
        raise ChangeRefused(Slug.MALFORMED_CHANGE, *_wrong_members(raw)) from None
    event = EVENTS.get(row.event)
    if event is None:
        raise ChangeRefused(Slug.MALFORMED_CHANGE, "event")
    try:
        nik = Nik.parse(row.nik).digits
    except Refused:
        raise ChangeRefused(Slug.MALFORMED_CHANGE, "nik") from None
    try:
        day = parse_day(row.occurred_on, "occurred_on")
        if day > today and row.phase is Phase.SETTLED:
            raise ChangeRefused(Slug.MALFORMED_CHANGE, "occurred_on")
        _check_written(event, row, regency, today)
    except LineFault as fault:
        # "member: rule"; a made-up name of a member is not repeated.
        raise ChangeRefused(Slug.MALFORMED_CHANGE, str(fault).partition(":")[0]) from None
    _check_successor(event, row)
    return nik, ToldEvent(regency, row.event, row.phase.value, row.occurred_on, row.claims, row.successor)


def _check_written(event: Event, row: _Row, regency: str, today: date) -> None:
    claims = row.claims
    if row.phase is Phase.SETTLED or event.name == "moved_out":
        lacking = sorted(event.needs - claims.keys())
        if lacking:
            raise ChangeRefused(Slug.MALFORMED_CHANGE, *(f"claims.{name}" for name in lacking))
    if not claims:
        return
    # A row brings some claims, a record has more: what every record must have stands in for what the row leaves out.
    check_claims({"name": "-", "regency": regency} | claims, today)
    refused = sorted(claims.keys() - event.writes)
    if refused:
        raise ChangeRefused(Slug.MALFORMED_CHANGE, *(f"claims.{name}" for name in refused))
    named = claims.get("regency", regency)
    if (named == regency) is (event.name == "moved_out"):
        raise ChangeRefused(Slug.MALFORMED_CHANGE, "claims.regency")


def _check_successor(event: Event, row: _Row) -> None:
    wanted = event.name == "nik_duplicate" and row.phase is Phase.SETTLED
    if bool(row.successor) is not wanted and event.name != "nik_duplicate":
        raise ChangeRefused(Slug.MALFORMED_CHANGE, "successor")
    if not wanted and not row.successor:
        return
    try:
        if Nik.parse(row.successor).digits != row.nik:
            return
    except Refused:
        pass
    raise ChangeRefused(Slug.MALFORMED_CHANGE, "successor")


def _wrong_members(raw: Any) -> list[str]:  # noqa: ANN401  JSON
    """Which members of a row have not the form that they must have; "change" when it is no object at all."""
    if not isinstance(raw, dict):
        return ["change"]
    wrong = []
    for name, kind in (("nik", str), ("event", str), ("phase", Phase), ("occurred_on", str)):
        try:
            msgspec.convert(raw.get(name), kind)
        except msgspec.ValidationError:
            wrong.append(name)
    for name, some in (("claims", dict[str, str]), ("successor", str)):
        if name in raw:
            try:
                msgspec.convert(raw[name], some)
            except msgspec.ValidationError:
                wrong.append(name)
    if not wrong or any(name not in _FIELDS for name in raw):
        wrong.append("change")
    return wrong
