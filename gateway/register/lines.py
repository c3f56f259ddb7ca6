"""Which resident does one line of an import file describe, and what is wrong with it?

Pure parsing of NDJSON and CSV. A refusal names the member and the rule; a NIK or a claim's value is never repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date

import msgspec
from msgspec import UNSET, UnsetType

from gateway.claims import CLAIMS
from gateway.errors import Refused
from gateway.nik import Nik
from gateway.register.claims import REQUIRED, LineFault, check_claims, parse_day, refuse_member
from gateway.register.reasons import REASONS
from gateway.register.record import Condition, Record
from gateway.strict import MemberTwice, require_once

__all__ = ["LONGEST_LINE", "CsvLines", "LineFault", "as_line", "parse_ndjson"]

LONGEST_LINE = 64 * 1024
"""Bytes; a record's claims take 12,000 at the very most."""

_BIOMETRIC_AGE = 17
_OF_REGIONS = "source_behind"  # not a resident's: follows from how far the region's feed is
_NEVER_RECORDED = "biometric_not_recorded"
_UNMARRIED = "BELUM KAWIN"
_RANK = {slug: rank for rank, slug in enumerate(REASONS)}  # the first is the one that is told


class _Condition(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    reason: str
    since: str | None = None
    successor: str | None = None


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    nik: str
    claims: dict[str, str]
    status: str | UnsetType = UNSET
    reason: str | UnsetType | None = UNSET
    since: str | UnsetType | None = UNSET
    successor: str | UnsetType | None = UNSET
    biometric: bool | UnsetType = UNSET
    conditions: list[_Condition] | UnsetType = UNSET


_decode = msgspec.json.Decoder(_Line).decode
_UNKNOWN = re.compile(r"unknown field `(.*?)`(?: - at `\$\.?([a-z]*)[^`]*`)?\Z", re.DOTALL)
_NO_OBJECT = "not one JSON object in UTF-8"


def parse_ndjson(line: bytes, today: date) -> Record:
    """The resident of one line of NDJSON; `today` is the day on which nothing may lie in the future.

    `{"nik", "claims": {name: text}, "status"?, "reason"?, "since"?, "successor"?, "biometric"?, "conditions"?:
    [{"reason", "since"?, "successor"?}]}`: `reason`, `since` and `successor` are short for a single condition; beside
    `conditions`, `reason` can only repeat which of them is told. Raises `LineFault`.
    """
    if len(line) > LONGEST_LINE:
        raise LineFault(f"longer than {LONGEST_LINE} bytes")
    read = _read(line)
    _refuse_twice(line, read)
    return _record(read, today)


class CsvLines:
    """Parses the rows of a CSV file whose header names, in any order, nik, claims and the members beside them.

    Those are status, reason, since, successor and biometric, as in `parse_ndjson`; only NDJSON can tell two conditions.
    """

    def __init__(self, header: Sequence[str], today: date) -> None:
        """Read the header. Raises `LineFault` on an unknown or doubled column, or when a required one is missing."""
        for name in header:
            if name not in _COLUMNS:
                refuse_member(name, "column ")
        if len(set(header)) != len(header):
            raise LineFault("header: names a column twice")
        for required in ("nik", *REQUIRED):
            if required not in header:
                raise LineFault(f"header: lacks the column {required}")
        self._header = tuple(header)
        self._today = today

    def parse(self, row: Sequence[str]) -> Record:
        """The resident of one row; an empty cell is a claim that is not recorded. Raises `LineFault`."""
        if len(row) != len(self._header):
            raise LineFault(f"has {len(row)} cells where the header has {len(self._header)}")
        claims = {name: cell for name, cell in zip(self._header, row, strict=True) if cell}
        nik, status, reason, since, successor, biometric = [claims.pop(name, "") for name in _BESIDE_CLAIMS]
        if biometric not in _TRUTHS:
            raise LineFault("biometric: must be true or false")
        return _record(_Line(nik, claims, status, reason, since, successor, _TRUTHS[biometric]), self._today)


_TRUTHS: dict[str, bool | UnsetType] = {"": UNSET, "true": True, "false": False}
_BESIDE_CLAIMS = ("nik", "status", "reason", "since", "successor", "biometric")
_COLUMNS = frozenset(_BESIDE_CLAIMS) | frozenset(CLAIMS)


def as_line(record: Record) -> dict[str, object]:
    """`record` as the members of its line of NDJSON, always with `status` and `reason` (null when active)."""
    conditions = sorted(record.conditions, key=lambda condition: _RANK[condition.reason])
    line: dict[str, object] = {
        "nik": record.nik,
        "claims": dict(record.claims),
        "status": str(REASONS[conditions[0].reason].status) if conditions else "active",
        "reason": conditions[0].reason if conditions else None,
    }
    if not record.biometric:
        line["biometric"] = False
    written = [
        {name: text for name, text in zip(("reason", "since", "successor"), parts, strict=True) if text}
        for parts in ((one.reason, one.since, one.successor) for one in conditions)
    ]
    if len(written) == 1:
        line.update(written[0])
    elif written:
        line["conditions"] = written
    return line


def _record(read: _Line, today: date) -> Record:
    _parse_nik(read.nik, "nik")
    check_claims(read.claims, today)
    conditions = _conditions(read, today)
    biometric = read.biometric is not False
    if any(condition.reason == _NEVER_RECORDED for condition in conditions):
        if read.biometric is True:
            raise LineFault(f"biometric: true contradicts the reason {_NEVER_RECORDED}")
        _demand_grown_up(read.claims, today)
        biometric = False
    # What a line tells as its outcome must be what its conditions lead to; both may be left out. What age alone brings
    # is not asked here: a file written before a seventeenth birthday stays good after it.
    first = min(conditions, key=lambda condition: _RANK[condition.reason]).reason if conditions else ""
    if read.reason and read.reason != first:
        raise LineFault("reason: is not the one of conditions that is told")
    if read.status and read.status != (REASONS[first].status if first else "active"):
        raise LineFault("status: does not agree with the reason")
    return Record(read.nik, read.claims, conditions, biometric)


def _conditions(read: _Line, today: date) -> tuple[Condition, ...]:
    if not read.conditions:
        if read.reason:
            return (_condition(read, _Condition(read.reason, read.since or None, read.successor or None), today),)
        if read.since or read.successor:
            raise LineFault("since, successor: need a reason")
        return ()
    if read.since or read.successor:
        raise LineFault("since, successor: belong into conditions where those are given")
    conditions = [_condition(read, one, today) for one in read.conditions]
    if len({condition.reason for condition in conditions}) != len(conditions):
        raise LineFault("conditions: name a reason twice")
    return tuple(conditions)


def _parse_nik(text: str, member: str) -> str:
    try:
        return Nik.parse(text).digits
    except Refused as refused:
        fault = refused.refusal.facts.get("fault", "form")
        raise LineFault(f"{member}: is not a NIK ({fault})") from None


def _condition(read: _Line, told: _Condition, today: date) -> Condition:
    reason, since, successor = told.reason, told.since or "", told.successor or ""
    if reason not in REASONS:
        raise LineFault("reason: unknown")
    if reason == _OF_REGIONS:
        raise LineFault(f"reason: {_OF_REGIONS} cannot be imported, it follows from the region's feed")
    if since and parse_day(since, "since") > today:
        raise LineFault("since: lies in the future")
    if successor:
        if reason != "nik_duplicate":
            raise LineFault("successor: only the reason nik_duplicate has one")
        if _parse_nik(successor, "successor") == read.nik:
            raise LineFault("successor: is the NIK itself")
    return Condition(reason, since, successor)


def _demand_grown_up(claims: dict[str, str], today: date) -> None:
    # Under 17 and unmarried the question does not arise; who has no known age is not excused by that.
    born = claims.get("birth_date")
    if born is None or claims.get("marital_status", _UNMARRIED).strip().upper() != _UNMARRIED:
        return
    day = parse_day(born, "claims.birth_date")
    if today.year - day.year - ((today.month, today.day) < (day.month, day.day)) < _BIOMETRIC_AGE:
        raise LineFault(f"reason: {_NEVER_RECORDED} is not asked of the unmarried under {_BIOMETRIC_AGE}")


def _read(line: bytes) -> _Line:
    try:
        return _decode(line)
    except msgspec.ValidationError as invalid:
        fault = str(invalid)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fault = _NO_OBJECT
    # Raised out here, so that no context keeps the bytes. The decoder's text names members and kinds, no values; but
    # an unknown member's name may itself be data.
    unknown = _UNKNOWN.search(fault)
    if unknown:
        refuse_member(unknown[1], f"{unknown[2]}." if unknown[2] else "")
    if fault.endswith("`$.claims[...]`"):
        name = _claim_without_text(line)
        if name not in CLAIMS:
            refuse_member(name, "claims.")
        fault = f"claims.{name}: must be text"
    raise LineFault(fault[:1].lower() + fault[1:].replace("`", ""))


def _claim_without_text(line: bytes) -> str:
    # The decoder does not tell which; a second reading is for the faulty line alone.
    try:
        claims = json.loads(line)["claims"]
    except (ValueError, RecursionError):
        claims = {"": None}
    return next((name for name, text in claims.items() if not isinstance(text, str)), "")


def _refuse_twice(line: bytes, read: _Line) -> None:
    try:
        require_once(line, read)
    except MemberTwice:
        raise LineFault("names a member twice") from None
