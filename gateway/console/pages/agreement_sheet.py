"""What does each control of an agreement's form hold, and what is missing or wrong at it? Values for the templates to lay out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.console.frame.differences import part_of, said
from gateway.console.frame.words import Words
from gateway.console.pages.agreement_faults import Catalogue, Lack, lacks_of
from gateway.console.pages.agreement_form import SECTIONS, FormField, Group, at, id_of
from gateway.partners.purposes import TIER_2


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """One element in the control of a purpose."""

    name: str
    use: str
    tier_2: bool
    allowed: bool


@dataclass(frozen=True, slots=True)
class Box:
    """One control."""

    entry: FormField
    name: str
    label: str
    hint: str
    values: tuple[str, ...]
    lacks: tuple[Lack, ...] = ()
    claims: tuple[ClaimRow, ...] = ()
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
class SheetPart:
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

    sections: tuple[SheetPart, ...]
    lacks: tuple[Lack, ...] = ()
    elsewhere: tuple[Lack, ...] = ()


def sheet(
    fields: Mapping[str, Any], missing: Sequence[str], faults: Sequence[str], catalogue: Catalogue, words: Words
) -> Sheet:
    """The form of a draft with these fields, of which this is `missing` and those are `faults` (as a version tells them)."""
    lacks = tuple(lacks_of(missing, faults, catalogue, words))
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

    def section(self, name: str, parts: Sequence[FormField | Group]) -> SheetPart:
        before = len(self._at_all())
        made = tuple(
            self._box(part, part.path, part.path, at(self._fields, part.path))
            if isinstance(part, FormField)
            else self._rows(part)
            for part in parts
        )
        return SheetPart(name, made, len(self._at_all()) - before)

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
            entry = FormField(group.path, needed=group.needed)
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
        entry: FormField,
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
    def _claims(entry: FormField, row: Any, purpose: Mapping[str, Any]) -> tuple[ClaimRow, ...]:  # noqa: ANN401  any JSON
        # A purpose that names no deciding elements has those of the closed list.
        held = {"decide": purpose.get("decide", []), **(row if isinstance(row, Mapping) else {})}
        decide, inform = (held[kind] if isinstance(held.get(kind), list) else [] for kind in ("decide", "inform"))
        allowed = {*purpose.get("decide", ()), *purpose.get("inform", ())} if purpose else set(entry.choices)
        return tuple(
            ClaimRow(claim, "decide" if claim in decide else "inform" if claim in inform else "", claim in TIER_2, claim in allowed)
            for claim in entry.choices
            if claim in allowed or claim in decide or claim in inform
        )  # fmt: skip


def _text(held: Any) -> str:  # noqa: ANN401  any JSON
    if held is None:
        return ""
    return ("yes" if held else "no") if isinstance(held, bool) else str(held)


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
