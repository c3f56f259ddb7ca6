"""How is a change of an agreement said, so that whoever decides can judge it? Each by its effect, with what goes and what comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.console.frame.words import Words

BETWEEN = " \u203a "
"""What stands between the parts of a place, the widest first."""
_SLUGS = frozenset(
    {"decide", "inform", "demands", "disclosure", "legal_basis", "method", "class", "ground", "purposes"}
)
_DAYS = frozenset({"starts", "ends", "due", "date"})
_MONEY = frozenset({"tariff"})


@dataclass(frozen=True, slots=True)
class ShownChange:
    """One change in words: where, what it does to access, and what goes, stays and comes."""

    path: str
    label: str
    effect: str
    gone: tuple[str, ...]
    kept: tuple[str, ...]
    come: tuple[str, ...]


def readable(difference: Iterable[Mapping[str, Any]], words: Words) -> list[ShownChange]:
    """The `difference` of a version or an approval, each change as a person reads it."""
    return [_change(each, words) for each in difference]


def label_of(path: str, words: Words) -> str:
    """The name of a place in an agreement: its parts, the widest first."""
    parts = path.split(".")
    if parts[0] == "purposes" and len(parts) > 1:
        named = [f"{words('agreed.purpose')}: {words.choice(parts[1])}"]
        rest, before = parts[2:], "purposes"
    else:
        named, rest, before = [], parts, ""
    for part in rest:
        before = f"{before}.{part}" if before else part
        label = part_of(before, words)
        if named and label.startswith(f"{named[-1]}:"):  # it says so itself
            named.pop()
        named.append(label)
    return BETWEEN.join(named)


def part_of(path: str, words: Words) -> str:
    """The name of the last part of a path; the part itself where it has none."""
    last = path.rpartition(".")[2]
    for key in (f"agreed.{path}", f"agreed.{last}"):
        if words.has(key):
            return words(key)
    return words.choice(last)


def said(path: str, value: Any, words: Words) -> str:  # noqa: ANN401  any JSON
    """One plain value of an agreement as a person reads it."""
    parts = path.split(".")
    last = parts[-1]
    if isinstance(value, bool):
        return words("yes" if value else "no")
    if isinstance(value, Mapping):
        return ", ".join(said(f"{path}.{name}", each, words) for name, each in value.items() if each not in ("", None))
    if isinstance(value, int | float):
        return words.money(int(value)) if last in _MONEY else words.number(value)
    text = str(value)
    if last in _DAYS and len(text) == len("2026-01-01") and text[4:5] == "-":
        return words.day(text)
    if last == "side":
        return words(f"agreed.side.{text}") if words.has(f"agreed.side.{text}") else text
    return words.choice(text) if last in _SLUGS or (parts[0] == "purposes" and len(parts) == 2) else text  # noqa: PLR2004  a purpose as a whole


def _change(each: Mapping[str, Any], words: Words) -> ShownChange:
    path = str(each["path"])
    before, after = _texts(path, each["before"], words), _texts(path, each["after"], words)
    gone = tuple(text for text in before if text not in after)
    kept = tuple(text for text in before if text in after)
    return ShownChange(
        path,
        label_of(path, words),
        str(each["effect"]),
        gone,
        kept,
        tuple(text for text in after if text not in before),
    )


def _texts(path: str, value: Any, words: Words) -> Sequence[str]:  # noqa: ANN401  any JSON
    if value is None:
        return ()
    values = value if isinstance(value, list) else [value]
    return [text for one in values if (text := said(path, one, words))]
