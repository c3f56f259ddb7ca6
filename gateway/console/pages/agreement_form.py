"""Which fields has an agreement (docs/agreements.md), as the sections of a form? And how does a form become fields again?

Every control is named by the path of its field; rows of a list by their place in it (`mou.signatories.0.name`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.claims import ROWS
from gateway.partners.particulars import ACCESS_METHODS
from gateway.partners.purposes import DEMANDS, LEGAL_BASES

Given = Mapping[str, Sequence[str]]
FLAGS = ("yes", "no")
DISCLOSURES = ("verdict", "status", "reason", "claims")
CLAIMS = tuple(row.name for row in sorted(ROWS, key=lambda row: row.rank))


@dataclass(frozen=True, slots=True)
class FormField:
    """One field: its path (within its row for one of a group), how it is typed, whether it must be there.

    `kind`: text | area | number | day | choice | flag | window | many | claims.
    """

    path: str
    kind: str = "text"
    choices: tuple[str, ...] = ()
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """A list of rows with these entries; of plain texts where there are none. `keyed`: a table with a row for each key."""

    path: str
    entries: tuple[FormField, ...] = ()
    needed: bool = True
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the form that stands in its table of contents."""

    name: str
    parts: tuple[FormField | Group, ...]


def _instrument(name: str) -> Section:
    signatory = (FormField("name"), FormField("office"), FormField("side", "choice", ("directorate", "partner")))
    parts = (
        FormField(f"{name}.number"),
        FormField(f"{name}.date", "day"),
        FormField(f"{name}.file_sha256"),
        Group(f"{name}.signatories", signatory),
    )
    return Section(name, parts)


_CONTACT = (FormField("name"), FormField("email"), FormField("phone", needed=False))
PURPOSE = (
    FormField("sector_law"),
    FormField("legal_basis", "choice", tuple(sorted(LEGAL_BASES)), needed=False),
    FormField("disclosure", "choice", DISCLOSURES),
    FormField("claims", "claims", CLAIMS),
    FormField("justification", "area", needed=False),
    FormField("attempts", "number", needed=False),
    FormField("demands", "many", tuple(sorted(DEMANDS)), needed=False),
    FormField("tells_order", "flag", FLAGS, needed=False),
)
"""What stands in the table of one purpose; `claims` is both of its lists, `decide` and `inform`."""

SECTIONS = (
    Section("parties", (FormField("supervising_ministry"), Group("on_behalf_of", needed=False))),
    Section("term", (FormField("term.starts", "day"), FormField("term.ends", "day"))),
    _instrument("mou"),
    _instrument("pks"),
    Section("purposes", (Group("purposes", PURPOSE, keyed=True),)),
    Section(
        "access",
        (
            FormField("access.method", "choice", tuple(sorted(ACCESS_METHODS))),
            Group("access.addresses"),
            Group("access.certificates", needed=False),
            FormField("access.hours", "window", needed=False),
            FormField("access.signed_answers", "flag", FLAGS, needed=False),
        ),
    ),
    Section(
        "allowance",
        (
            FormField("allowance.burst", "number"),
            FormField("allowance.day", "number"),
            FormField("allowance.month", "number"),
            FormField("allowance.per_nik", "number", needed=False),
            FormField("allowance.tariff", "number"),
            FormField("allowance.prepaid", "flag", FLAGS, needed=False),
        ),
    ),
    Section(
        "duties",
        tuple(
            FormField(f"duties.{duty}.{name}", kind)
            for duty in ("return_data", "semester_report")
            for name, kind in (("due", "day"), ("every_months", "number"))
        ),
    ),
    Section(
        "protection",
        (
            FormField("dpia.reference"),
            FormField("dpia.date", "day"),
            Group("data_protection_officers", _CONTACT),
            *(FormField(f"breach_contact.{one.path}", one.kind, one.choices, one.needed) for one in _CONTACT),
            Group("sub_processors", (FormField("name"), FormField("country"), FormField("task")), needed=False),
        ),
    ),
    Section(
        "ending",
        (
            Group("suspension.grounds"),
            FormField("suspension.notice_days", "number", needed=False),
            Group("termination.grounds"),
            FormField("termination.notice_days", "number", needed=False),
        ),
    ),
)
"""The form, in the order in which an agreement is read."""

TABLES = (
    "term", "mou", "pks", "purposes", "access", "allowance", "duties", "duties.return_data", "duties.semester_report",
    "dpia", "breach_contact", "suspension", "termination",
)  # fmt: skip
"""Tables that a draft always has, so that each field missing in them is named by itself."""
_KNOWN = frozenset({
    part.path.partition(".")[0] for section in SECTIONS for part in section.parts
})  # fmt: skip
_NUMBER = re.compile(r"(?:Rp)?\s*([0-9][0-9 ., _]*)")
_PLACE = re.compile(r"\[(\d+)\]")


def groups() -> Iterator[Group]:
    """Every group of the form."""
    yield from (part for section in SECTIONS for part in section.parts if isinstance(part, Group))


def skeleton() -> dict[str, Any]:
    """The fields of a draft in which nothing stands yet."""
    fields: dict[str, Any] = {}
    for path in TABLES:
        put(fields, path, {})
    return fields


def unknown(fields: Mapping[str, Any]) -> list[str]:
    """Members that the form does not have: they are dropped when the draft is saved here."""
    return sorted(set(fields) - _KNOWN)


def at(fields: Any, path: str) -> Any:  # noqa: ANN401  any JSON
    """What stands at a path; None when nothing does."""
    for part in path.split("."):
        if isinstance(fields, list):
            fields = fields[int(part)] if part.isdigit() and int(part) < len(fields) else None
        elif isinstance(fields, Mapping):
            fields = fields.get(part)
        else:
            return None
    return fields


def put(fields: dict[str, Any], path: str, value: Any) -> None:  # noqa: ANN401  any JSON
    """Write a value at a path of tables."""
    *tables, last = path.split(".")
    for name in tables:
        held = fields.get(name)
        if not isinstance(held, dict):
            held = fields[name] = {}
        fields = held
    fields[last] = value


def name_of(path: str) -> str:
    """The name of the control for a path as faults name it: rows count from 0, both lists of claims are one control."""
    name = _PLACE.sub(lambda found: f".{int(found.group(1)) - 1}", path)
    if name.startswith("purposes.") and name.rpartition(".")[2] in {"decide", "inform"}:
        name = name.rpartition(".")[0] + ".claims"
    return name


def id_of(name: str) -> str:
    """The id of a control, a group or a section in the page."""
    return "a-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def read(given: Given) -> dict[str, Any]:
    """The fields as they were typed, empty rows and all. What is no number stays the text that it is: it is told at its field."""
    fields = skeleton()
    for section in SECTIONS:
        for part in section.parts:
            if isinstance(part, FormField):
                _read_entry(fields, part.path, part, given, part.path)
            elif part.keyed:
                for key in _keys(given, part.path):
                    put(fields, f"{part.path}.{key}", _row(part, f"{part.path}.{key}", given))
            else:
                places = range(_length(given, part.path))
                rows = [_row(part, f"{part.path}.{place}", given) for place in places]
                put(fields, part.path, rows)
    return fields


def _row(group: Group, name: str, given: Given) -> Any:  # noqa: ANN401  a table, or a text
    if not group.entries:
        return _one(given, name)
    row: dict[str, Any] = {}
    for entry in group.entries:
        _read_entry(row, entry.path, entry, given, f"{name}.{entry.path}")
    return row


def _read_entry(fields: dict[str, Any], path: str, entry: FormField, given: Given, name: str) -> None:
    if entry.kind == "claims":
        before = path.rpartition(".")[0]
        for kind in ("decide", "inform"):
            claims = [claim for claim in entry.choices if _one(given, f"{name}.{claim}") == kind]
            put(fields, f"{before}.{kind}" if before else kind, claims)
        return
    if entry.kind == "many":
        if chosen := [text for text in given.get(name, ()) if text]:
            put(fields, path, chosen)
        return
    if entry.kind == "window":
        begins, ends = _one(given, f"{name}.from"), _one(given, f"{name}.to")
        if begins or ends:
            put(fields, path, f"{begins}-{ends}")
        return
    text = _one(given, name)
    if not text:
        return
    put(fields, path, (text == "yes") if entry.kind == "flag" else _number(text) if entry.kind == "number" else text)


def _number(text: str) -> int | str:
    found = _NUMBER.fullmatch(text)
    return int(re.sub(r"\D", "", found.group(1))) if found and len(text) < 20 else text  # noqa: PLR2004  digits enough


def _one(given: Given, name: str) -> str:
    return " ".join(next(iter(given.get(name, ())), "").split())


def _length(given: Given, path: str) -> int:
    """How many rows a form has: one more than the highest place that it names."""
    named = re.compile(re.escape(path) + r"\.(\d{1,3})(?:\.|\Z)")
    return max((int(found.group(1)) + 1 for name in given if (found := named.match(name))), default=0)


def _keys(given: Given, path: str) -> list[str]:
    named = re.compile(re.escape(path) + r"\.([a-z][a-z0-9_]{0,63})\.")
    return list(dict.fromkeys(found.group(1) for name in given if (found := named.match(name))))


def pruned(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields without rows in which nothing stands: what is kept."""
    for group in groups():
        if group.keyed:
            continue
        rows = at(fields, group.path)
        put(fields, group.path, [row for row in rows if row] if isinstance(rows, list) else [])
    return fields


def added(fields: dict[str, Any], path: str, start: Mapping[str, Any] | None = None) -> str:
    """Add a row to the group at `path` (`purposes.<key>` for one of a keyed group); the name of the new row."""
    group = next((one for one in groups() if one.path == path), None)
    if group is None or group.keyed:
        put(fields, path, dict(start or {}))
        return path
    rows = at(fields, path)
    rows = [*(rows if isinstance(rows, list) else []), {} if group.entries else ""]
    put(fields, path, rows)
    return f"{path}.{len(rows) - 1}"


def removed(fields: dict[str, Any], path: str) -> None:
    """Take the row at `path` away."""
    before, _, last = path.rpartition(".")
    held = at(fields, before)
    if isinstance(held, dict):
        held.pop(last, None)
    elif isinstance(held, list) and last.isdigit() and int(last) < len(held):
        held.pop(int(last))
