"""What does each control of an agreement's form hold, and what is missing or wrong at it? Values for the templates to lay out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.partners.purposes import TIER_2
from gateway.web.console.agreement_form import SECTIONS, Entry, Group, at, id_of, name_of
from gateway.web.console.differences import BETWEEN, part_of, said
from gateway.web.console.words import Words


@dataclass(frozen=True, slots=True)
class Lack:
    """Something missing or at fault: the control that it is about ("" for none of the form), its name and what is wrong."""

    name: str
    label: str
    text: str
    missing: bool
    section: str = ""

    @property
    def id(self) -> str:
        """Where the page shows it; of a whole table that is its section."""
        return id_of(f"section.{self.section}" if self.section else self.name)


@dataclass(frozen=True, slots=True)
class Claim:
    """One element in the control of a purpose."""

    name: str
    use: str
    tier_2: bool
    allowed: bool


@dataclass(frozen=True, slots=True)
class Box:
    """One control."""

    entry: Entry
    name: str
    label: str
    hint: str
    values: tuple[str, ...]
    lacks: tuple[Lack, ...] = ()
    claims: tuple[Claim, ...] = ()
    choices: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its id in the page."""
        return id_of(self.name)

    @property
    def value(self) -> str:
        """What it holds, as one text."""
        return self.values[0] if self.values else ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a group; `key` and `title` for one of a keyed group."""

    name: str
    boxes: tuple[Box, ...]
    key: str = ""
    title: str = ""
    lacks: tuple[Lack, ...] = ()

    @property
    def id(self) -> str:
        """Its id in the page."""
        return id_of(self.name)


@dataclass(frozen=True, slots=True)
class Rows:
    """A group with its rows; `free` are the keys (key, title) that a keyed one may still take."""

    group: Group
    label: str
    hint: str
    lines: tuple[Line, ...]
    lacks: tuple[Lack, ...] = ()
    free: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """Its id in the page."""
        return id_of(self.group.path)


@dataclass(frozen=True, slots=True)
class Part:
    """One section: its controls and groups, and how much in it is missing or at fault."""

    name: str
    parts: tuple[Box | Rows, ...]
    lacks: int = 0

    @property
    def id(self) -> str:
        """Its id in the page."""
        return id_of(f"section.{self.name}")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole form. `elsewhere`: what is missing or at fault where the form has no control."""

    sections: tuple[Part, ...]
    lacks: tuple[Lack, ...] = ()
    elsewhere: tuple[Lack, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The closed list of purposes, as the view `purposes` tells it."""

    purposes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @staticmethod
    def of(document: Mapping[str, Any] | None) -> Catalogue:
        """From the view's document."""
        return Catalogue({one["purpose"]: one for one in (document or {}).get("items", [])})

    def title(self, purpose: str, words: Words) -> str:
        """How people call a purpose."""
        found = self.purposes.get(purpose)
        return str(found["title"][words.language]) if found else words.choice(purpose)

    def start(self, purpose: str) -> dict[str, Any]:
        """What an agreement for a purpose starts from."""
        found = self.purposes.get(purpose, {})
        kept = {name: found[name] for name in ("legal_basis", "decide", "demands") if found.get(name)}
        return {**kept, "inform": []}


def sheet(
    fields: Mapping[str, Any], missing: Sequence[str], faults: Sequence[str], catalogue: Catalogue, words: Words
) -> Sheet:
    """The form of a draft with these fields, of which this is `missing` and those are `faults` (as a version tells them)."""
    lacks = tuple(_lacks(missing, faults, catalogue, words))
    told: dict[str, list[Lack]] = {}
    for lack in lacks:
        told.setdefault(lack.name, []).append(lack)
    maker = _Maker(fields, told, catalogue, words)
    sections = tuple(maker.section(section.name, section.parts) for section in SECTIONS)
    last = len(maker.placed)
    placed = tuple(
        lack if lack.name in maker.placed else replace(lack, section=_section_of(lack.name))
        for lack in sorted(lacks, key=lambda lack: maker.placed.get(lack.name, last))
    )
    elsewhere = tuple(lack for lack in placed if lack.name not in maker.placed and not lack.section)
    return Sheet(sections, placed, elsewhere)


def _section_of(name: str) -> str:
    """The section in which a table stands that the form shows by its fields; empty for one that it does not show."""
    return next(
        (one.name for one in SECTIONS if name and any(part.path.startswith(f"{name}.") for part in one.parts)), ""
    )


class _Maker:
    """Makes sections, and notes which names have a place in them."""

    def __init__(
        self, fields: Mapping[str, Any], told: Mapping[str, list[Lack]], catalogue: Catalogue, words: Words
    ) -> None:
        self._fields, self._told, self._catalogue, self._words = fields, told, catalogue, words
        self.placed: dict[str, int] = {}  # in the order of the form

    def section(self, name: str, parts: Sequence[Entry | Group]) -> Part:
        before = len(self._at_all())
        made = tuple(
            self._box(part, part.path, part.path, at(self._fields, part.path))
            if isinstance(part, Entry)
            else self._rows(part)
            for part in parts
        )
        return Part(name, made, len(self._at_all()) - before)

    def _at_all(self) -> list[Lack]:
        return [lack for name in self.placed for lack in self._told.get(name, ())]

    def _lack(self, name: str) -> tuple[Lack, ...]:
        self.placed.setdefault(name, len(self.placed))
        return tuple(self._told.get(name, ()))

    def _label(self, path: str) -> str:
        return part_of(path, self._words)

    def _hint(self, path: str) -> str:
        for key in (f"agreed.{path}.hint", f"agreed.{path.rpartition('.')[2]}.hint"):
            if self._words.has(key):
                return self._words(key)
        return ""

    def _rows(self, group: Group) -> Rows:
        held, lines = at(self._fields, group.path), []
        if group.keyed:
            rows = held if isinstance(held, Mapping) else {}
            for key, row in rows.items():
                lines.append(self._line(group, f"{group.path}.{key}", row, str(key)))
        else:
            for place, row in enumerate(held if isinstance(held, list) else []):
                lines.append(self._line(group, f"{group.path}.{place}", row))
        free: tuple[tuple[str, str], ...] = ()
        if group.keyed:
            taken = {line.key for line in lines}
            titles = [(name, self._catalogue.title(name, self._words)) for name in self._catalogue.purposes]
            free = tuple(sorted((each for each in titles if each[0] not in taken), key=lambda each: each[1]))
        lacks = self._lack(group.path)
        return Rows(group, self._label(group.path), self._hint(group.path), tuple(lines), lacks, free)

    def _line(self, group: Group, name: str, row: Any, key: str = "") -> Line:  # noqa: ANN401  any JSON
        if not group.entries:
            entry = Entry(group.path, needed=group.needed)
            label = self._words("agreed.row", name=self._label(group.path), number=int(name.rpartition(".")[2]) + 1)
            return Line(name, (Box(entry, name, label, "", (_text(row),), self._lack(name)),))
        boxes = tuple(
            self._box(entry, f"{name}.{entry.path}", f"{group.path}.{entry.path}", at(row, entry.path), row, key)
            for entry in group.entries
        )
        title = self._catalogue.title(key, self._words) if key else ""
        return Line(name, boxes, key, title, self._lack(name))

    def _box(  # noqa: PLR0913  what a control is made of
        self,
        entry: Entry,
        name: str,
        path: str,
        held: Any,  # noqa: ANN401  any JSON
        row: Any = None,  # noqa: ANN401  any JSON
        key: str = "",
    ) -> Box:
        label, hint, lacks = self._label(path), self._hint(path), self._lack(name)
        purpose = self._catalogue.purposes.get(key, {})
        locked: tuple[str, ...] = ()
        if entry.kind == "claims":
            return Box(entry, name, label, hint, (), lacks, self._claims(entry, row, purpose))
        if entry.kind == "tells_order" or (key and entry.path == "tells_order" and not purpose.get("tells_order")):
            return Box(entry, name, label, hint, (_text(held),), lacks, choices=() if held is None else entry.choices)
        if entry.kind == "many":
            locked = tuple(purpose.get("demands", ()))
            values = [str(each) for each in held] if isinstance(held, list) else []
            return Box(entry, name, label, hint, tuple({*values, *locked}), lacks, choices=entry.choices, locked=locked)
        if entry.kind == "window":
            begins, _, ends = _text(held).partition("-")
            return Box(entry, name, label, hint, (begins, ends), lacks)
        return Box(entry, name, label, hint, (_text(held),), lacks, choices=entry.choices)

    @staticmethod
    def _claims(entry: Entry, row: Any, purpose: Mapping[str, Any]) -> tuple[Claim, ...]:  # noqa: ANN401  any JSON
        # A purpose that names no deciding elements has those of the closed list.
        held = {"decide": purpose.get("decide", []), **(row if isinstance(row, Mapping) else {})}
        decide, inform = (held[kind] if isinstance(held.get(kind), list) else [] for kind in ("decide", "inform"))
        allowed = {*purpose.get("decide", ()), *purpose.get("inform", ())} if purpose else set(entry.choices)
        return tuple(
            Claim(claim, "decide" if claim in decide else "inform" if claim in inform else "", claim in TIER_2, claim in allowed)
            for claim in entry.choices
            if claim in allowed or claim in decide or claim in inform
        )  # fmt: skip


def _text(held: Any) -> str:  # noqa: ANN401  any JSON
    if held is None:
        return ""
    return ("yes" if held else "no") if isinstance(held, bool) else str(held)


# -------------------------------------------------------------------------- what is missing, and what is wrong


def _lacks(missing: Sequence[str], faults: Sequence[str], catalogue: Catalogue, words: Words) -> Iterator[Lack]:
    for path in dict.fromkeys(missing):
        yield Lack(name_of(path), place_of(path, catalogue, words), words("lack.missing"), missing=True)
    for told in faults:
        path, _, what = told.partition(": ")
        if path in missing:
            yield Lack(name_of(path), place_of(path, catalogue, words), fault_of(what, words), missing=False)
            continue
        yield Lack(name_of(path), place_of(path, catalogue, words), fault_of(what, words), missing=False)


def place_of(path: str, catalogue: Catalogue, words: Words) -> str:
    """A path as faults name it, in words, with the number of a row."""
    named: list[str] = []
    before = ""
    for part in path.split("."):
        plain, _, number = part.partition("[")
        before = f"{before}.{plain}" if before else plain
        if before.startswith("purposes.") and before.count(".") == 1:
            named.append(catalogue.title(plain, words))
            continue
        label = part_of(before, words)
        if named and label.startswith(f"{named[-1]}:"):  # it says so itself
            named.pop()
        named.append(f"{label} {number.rstrip(']')}" if number else label)
    return BETWEEN.join(named)


_FAULTS: tuple[tuple[str, str], ...] = tuple(
    (name, pattern)
    for name, pattern in (
        ("text", r"must be a text of 1 to (?P<most>\d+) characters in one line"),
        ("whole", r"must be a whole number from (?P<least>[\d,]+) to (?P<most>[\d,]+)"),
        ("flag", r"must be true or false"),
        ("day", r"must be a date YYYY-MM-DD"),
        ("texts", r"must be a list of texts"),
        ("table", r"must be a (?:table|list of tables)"),
        ("unknown", r"unknown key"),
        ("twice", r"names something twice"),
        ("ends", r"must be after starts"),
        ("month", r"must not be less than day"),
        ("exempt", r"must be 0, for the partner is exempt"),
        ("closed", r"is not a purpose of the closed list.*"),
        ("deciding", r"at least one claim must decide"),
        ("both", r"both sides must have signed.*"),
        ("order", r"the purpose does not let by_order be told"),
        ("assessment", r"a change of purpose, element or allowance needs a newer impact assessment"),
        ("forbidden", r"unknown claim `(?P<what>[^`]*)` — refused by law.*"),
        ("claim", r"unknown claim `(?P<what>[^`]*)`"),
        ("not_allowed", r"`(?P<what>[^`]*)` is not allowed for this purpose.*"),
        ("decides", r"`(?P<what>[^`]*)` already decides"),
        ("network", r"`(?P<what>[^`]*)` is no address or network.*"),
        ("whole_internet", r"`(?P<what>[^`]*)` lets the whole internet in"),
        ("thumbprint", r"`(?P<what>[^`]*)` is no x5t#S256 thumbprint.*"),
        ("email", r"`(?P<what>[^`]*)` is not an e-mail address"),
        ("country", r"`(?P<what>[^`]*)` is not a country code of two letters"),
        ("digest", r"`(?P<what>[^`]*)` is not 64 hexadecimal digits"),
        ("window", r"`(?P<what>[^`]*)` is not a window as 07:00-21:00"),
        ("choice", r"`(?P<what>[^`]*)` is not one of .*"),
        ("path", r"is given by the path"),
        ("keys", r"keys are proposed one by one.*"),
        ("agreement_id", r"the agreement's own id.*"),
        ("import_twice", r"it stands in the import twice"),
        ("no_partner", r"no such partner.*"),
        ("other_partner", r"it belongs to another partner"),
        ("otherwise", r"it is registered otherwise"),
        ("not_known", r"not known"),
        ("waits", r"version (?P<version>\d+) waits already.*"),
        ("ended", r"the agreement has ended.*"),
    )
)
"""What the gateway says of a field, and the text `fault.<name>` that says it in the language of the page."""


def fault_of(what: str, words: Words) -> str:
    """A fault in the language of the page; as it is told where nobody has words for it."""
    for name, pattern in _FAULTS:
        if found := re.fullmatch(pattern, what, re.DOTALL):
            facts = {
                key: words.number(int(value.replace(",", "")))
                if re.fullmatch(r"[\d,]+", value)
                else words.choice(value)
                for key, value in found.groupdict().items()
            }
            return words(f"fault.{name}", **facts)
    return what


# ------------------------------------------------------------------------------------------- as it is read, only

Row = tuple[str, list[str]]
"""(label, texts)."""


def read_only(
    fields: Mapping[str, Any], catalogue: Catalogue, words: Words
) -> list[tuple[str, list[tuple[str, list[Row]]]]]:
    """(section, its blocks) of everything that stands in a version: each block has a title ("" for none) and rows."""
    shown = []
    for section in SECTIONS:
        plain: list[Row] = []
        blocks: list[tuple[str, list[Row]]] = []
        for part in section.parts:
            held = at(fields, part.path)
            if isinstance(part, Group) and part.keyed:
                for key, row in (held if isinstance(held, Mapping) else {}).items():
                    blocks.append((catalogue.title(str(key), words), _rows_of(f"{part.path}.{key}", row, words)))
            elif held not in (None, "", []):
                plain.append((part_of(part.path, words), _texts(part.path, held, words)))
        shown.append((section.name, [*([("", plain)] if plain else []), *blocks]))
    return shown


def _rows_of(path: str, row: Any, words: Words) -> list[Row]:  # noqa: ANN401  any JSON
    return [
        (part_of(f"{path}.{name}", words), _texts(f"{path}.{name}", value, words))
        for name, value in (row if isinstance(row, Mapping) else {}).items()
        if value not in ("", None, [])
    ]


def _texts(path: str, held: Any, words: Words) -> list[str]:  # noqa: ANN401  any JSON
    return [said(path, each, words) for each in (held if isinstance(held, list) else [held])]
