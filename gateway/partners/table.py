"""What stands in one table of an agreement file, and what is wrong with it?

Every take returns a value of the right type even when the table is at fault, so that one reading finds all faults.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Faults:
    """What was found wrong so far: `found` in words, `missing` the paths of mandatory fields that are absent."""

    found: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def add(self, path: str, what: str) -> None:
        """Note that the value at `path` is at fault."""
        self.found.append(f"{path}: {what}" if path else what)

    def absent(self, path: str, why: str) -> None:
        """Note that the mandatory value at `path` is not there."""
        self.missing.append(path)
        self.add(path, f"missing — {why}" if why else "missing")


class FieldReader:
    """One table while it is being read. `close` reports whatever was never taken: unknown keys are faults."""

    def __init__(self, values: Mapping[str, object], path: str, faults: Faults) -> None:
        self._values = values
        self.here = path
        self._taken: set[str] = set()
        self.faults = faults

    def path(self, key: str) -> str:
        """The dotted path of `key` from the row on, as it is named in faults."""
        return f"{self.here}.{key}" if self.here else key

    def has(self, key: str) -> bool:
        """Whether the key is there at all."""
        return key in self._values

    def keys(self) -> tuple[str, ...]:
        """Every key of the table, as written."""
        return tuple(self._values)

    def raw(self, key: str, why: str = "", default: object = None) -> object:
        """The value as TOML gave it; a mandatory one (no default) that is absent is a fault."""
        self._taken.add(key)
        if key not in self._values:
            if default is None:
                self.faults.absent(self.path(key), why)
            return default
        return self._values[key]

    def text(self, key: str, why: str = "", default: str | None = None, pattern: str = "", form: str = "") -> str:
        """A text of 1 to 500 characters in one line; `pattern` must match all of it and `form` says it in words."""
        value = self.raw(key, why, default)
        if value is None or (value == "" and default == ""):
            return ""
        if not isinstance(value, str) or not 0 < len(value.strip()) <= _LONGEST or not value.isprintable():
            self.faults.add(self.path(key), f"must be a text of 1 to {_LONGEST} characters in one line")
            return ""
        if pattern and not re.fullmatch(pattern, value, re.ASCII):
            self.faults.add(self.path(key), f"`{value}` is not {form}")
            return ""
        return value

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number from `least` to `most`."""
        value = self.raw(key, "", default)
        if value is None:
            return least
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.faults.add(self.path(key), f"must be a whole number from {least:,} to {most:,}")
            return least
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """`true` or `false`."""
        value = self.raw(key, "", default)
        if not isinstance(value, bool):
            self.faults.add(self.path(key), "must be true or false")
            return default
        return value

    def choice(self, key: str, among: Collection[str], why: str = "", default: str | None = None) -> str:
        """One word of a closed list."""
        value = self.text(key, why, default)
        if value and value not in among:
            self.faults.add(self.path(key), f"`{value}` is not one of {', '.join(sorted(among))}")
            return ""
        return value

    def day(self, key: str, why: str = "") -> date:
        """A calendar day, as a TOML date or as text YYYY-MM-DD."""
        value = self.raw(key, why)
        if type(value) is date:
            return value
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        if value is not None:
            self.faults.add(self.path(key), "must be a date YYYY-MM-DD")
        return date.min

    def texts(self, key: str, why: str = "", default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of different texts; a mandatory list must not be empty."""
        value = self.raw(key, why, default)
        if value is None or value == default:
            return default or ()
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.faults.add(self.path(key), "must be a list of texts")
            return ()
        if not value and default is None:
            self.faults.absent(self.path(key), why or "the list is empty")
        if len(set(value)) != len(value):
            self.faults.add(self.path(key), "names something twice")
        return tuple(value)

    def table(self, key: str, why: str = "") -> FieldReader:
        """The table at `key`; an absent one reads as empty after its fault was noted."""
        value = self.raw(key, why)
        if isinstance(value, Mapping):
            return FieldReader(value, self.path(key), self.faults)
        if value is not None:
            self.faults.add(self.path(key), "must be a table")
        # The fault of the table stands for those of its fields: they go to a list that nobody reads.
        return FieldReader({}, self.path(key), Faults())

    def tables(self, key: str, why: str = "", *, optional: bool = False) -> list[FieldReader]:
        """The list of tables at `key`; a mandatory one must not be empty."""
        value = self.raw(key, why, [] if optional else None)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            self.faults.add(self.path(key), "must be a list of tables")
            return []
        if not value and not optional:
            self.faults.absent(self.path(key), why or "the list is empty")
        return [FieldReader(item, f"{self.path(key)}[{index}]", self.faults) for index, item in enumerate(value, 1)]

    def close(self) -> None:
        """Note every key that nobody took."""
        for key in self._values:
            if key not in self._taken:
                self.faults.add(self.path(key), "unknown key")
