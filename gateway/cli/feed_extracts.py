"""What happened between two extracts of a regency's register? Offices have extracts; the feed wants events."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from gateway.errors import Misconfigured
from gateway.feeds.events import EVENTS, REGIONS
from gateway.register.claims import LineFault
from gateway.register.lines import CsvLines
from gateway.register.record import Record

_NEWBORN = timedelta(days=366)
_BEGINS = {event.begins: event.name for event in EVENTS.values() if event.begins}
_ENDS = {event.ends: event.name for event in EVENTS.values() if event.ends}
_MARRIED, _DIVORCED = "KAWIN", "CERAI HIDUP"
_CARD, _STATUS = "family_card_number", "marital_status"


@dataclass(slots=True)
class ExtractDifference:
    """Changes as a batch takes them, how many of which event, and how many residents the later extract lacks."""

    changes: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    vanished: int = 0


def compare_extracts(before: Path, after: Path, regency: str, today: date) -> ExtractDifference:
    """What happened, as settled today. Raises Misconfigured on a line that no extract may have, or an ending without event."""
    held = {record.nik: record for record in _records(before, today)}
    found = ExtractDifference()
    for record in _records(after, today):
        earlier = held.pop(record.nik, None)
        for event, more in _events(earlier, record, regency, today):
            found.counts[event] += 1
            row = {"nik": record.nik, "event": event, "phase": "settled", "occurred_on": today.isoformat(), **more}
            found.changes.append(row)
    found.vanished = len(held)
    return found


def _records(path: Path, today: date) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            lines = CsvLines(next(rows, []), today)
            for row in rows:
                yield lines.parse(row)
        except (LineFault, csv.Error) as fault:
            raise Misconfigured([f"{path}, line {rows.line_num}: {fault}"]) from fault


def _events(earlier: Record | None, record: Record, regency: str, today: date) -> Iterator[tuple[str, dict[str, Any]]]:
    claims = dict(record.claims)
    if earlier is None:
        born = claims.get("birth_date", "")
        newborn = bool(born) and today - date.fromisoformat(born) < _NEWBORN
        event = "birth" if newborn else "moved_in"
        yield event, {"claims": {name: text for name, text in claims.items() if name in EVENTS[event].writes}}
        earlier = Record(record.nik, claims, (), biometric=False) if newborn else record
    changed = {name: text for name, text in claims.items() if earlier.claims.get(name) != text}
    if changed:
        yield _life(changed, regency)
    if record.biometric and not earlier.biometric:
        yield "biometric_recorded", {}
    was, now = ({one.reason: one for one in each.conditions} for each in (earlier, record))
    for reason in sorted(was.keys() - now.keys()):
        if reason in _ENDS and _ENDS[reason] != "biometric_recorded":
            yield _ENDS[reason], {}
    for reason in sorted(now.keys() - was.keys()):
        if reason in _BEGINS:
            successor = now[reason].successor
            yield _BEGINS[reason], {"successor": successor} if successor else {}


def _life(changed: dict[str, str], regency: str) -> tuple[str, dict[str, Any]]:
    """The event that brings these claims."""
    if changed.get("regency", regency) != regency:
        return "moved_out", {"claims": {name: text for name, text in changed.items() if name in REGIONS}}
    event = {_MARRIED: "marriage", _DIVORCED: "divorce"}.get(changed.get(_STATUS, "").strip().upper(), "")
    if not event:
        event = "family_card" if changed.keys() == {_CARD} else "element_corrected"
    if not changed.keys() <= EVENTS[event].writes:
        event = "element_corrected"
    return event, {"claims": changed}
