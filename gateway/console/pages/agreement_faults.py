"""What is missing or wrong in an agreement, where, in the language of the page? The gateway's own words, translated one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.console.frame.differences import BETWEEN, part_of
from gateway.console.frame.words import Words
from gateway.console.pages.agreement_form import id_of, name_of


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


def lacks_of(missing: Sequence[str], faults: Sequence[str], catalogue: Catalogue, words: Words) -> Iterator[Lack]:
    """What a version tells to be missing and at fault, each with its place and in words."""
    told = [(path, what) for path, _, what in (fault.partition(": ") for fault in faults)]
    for path in dict.fromkeys(missing):
        if path not in {each for each, _ in told}:  # else the fault says why what is there does not do
            yield Lack(name_of(path), place_of(path, catalogue, words), words("lack.missing"), missing=True)
    for path, what in told:
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
