"""Which small dangerous faults must a test notice? The tables of this folder, one a room.

A fault is a list: text, what it becomes, what that means and, where no test can notice it, the reason.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOUSE = Path(__file__).parents[2]
TABLES = Path(__file__).parent


@dataclass(frozen=True)
class Fault:
    """One fault: `old`, which stands in `file` exactly once, becomes `new`; `tests` are what should turn red (words for pytest)."""

    room: str
    file: str
    old: str
    new: str
    means: str
    tests: tuple[str, ...]
    lives: str = ""  # why it is known that no test notices it

    def applied(self, house: Path = HOUSE) -> str:
        """The file's text with the fault in it. Raises ValueError where the table does not fit the file."""
        text = (house / self.file).read_text("utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.room}: {self.file}: stands there {text.count(self.old)} times: {self.old!r}")
        return text.replace(self.old, self.new)


def faults(*rooms: str) -> Iterator[Fault]:
    """Every fault of the tables, or of those rooms."""
    for path in sorted(TABLES.glob("*.toml")):
        if rooms and path.stem not in rooms:
            continue
        for group in tomllib.loads(path.read_text("utf-8"))["of"]:
            for old, new, means, *lives in group["faults"]:
                yield Fault(path.stem, group["file"], old, new, means, tuple(group["tests"]), *lives)
