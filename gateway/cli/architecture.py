"""Which rooms are there, and which may import which? The table in docs/architecture.md, from the contracts of the repository."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

MARKS = ("<!-- rooms -->\n", "<!-- /rooms -->")


def rooms_text(page: str, root: Path) -> str:
    """The page with the table of today between its marks; `root` is the folder of pyproject.toml."""
    head, rest = page.split(MARKS[0])
    tail = rest.split(MARKS[1])[1]
    return head + MARKS[0] + "\n".join(_table(root)) + "\n" + MARKS[1] + tail


def _table(root: Path) -> list[str]:
    contracts = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = {
        tuple(one["containers"]): one["layers"] for one in contracts if one["type"] == "layers" and "containers" in one
    }
    lines = ["| row | room | question it answers | folders, from the top |", "|---|---|---|---|"]
    for number, row in enumerate(layers[("gateway",)], 1):
        rooms = [name.strip() for name in row.split("|")]
        shown = str(number)
        for room in (name for name in rooms if not name.startswith("(")):
            place = root / "gateway" / room
            folder = place.is_dir()
            inner = (
                " → ".join(each.replace("|", "·") for each in layers.get((f"gateway.{room}",), ())) if folder else ""
            )
            name = f"gateway/{room}" if folder else f"gateway/{room}.py"
            lines.append(
                f"| {shown} | `{name}` | {_question(place / '__init__.py' if folder else root / name)} | {inner} |"
            )
            shown = ""
    return lines


def _question(file: Path) -> str:
    """The title of a module's docstring."""
    return (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]
