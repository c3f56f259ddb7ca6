"""Is docs/conformance.md true? Every module of the suite has its row, and every row tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HOUSE = Path(__file__).parents[1]
PAGE = (HOUSE / "docs" / "conformance.md").read_text("utf-8")
HELD = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def _rows(heading: str) -> list[list[str]]:
    """The cells of the rows of the first table under a heading."""
    table = PAGE.partition(f"## {heading}")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [row for row in rows[1:] if not row[0].startswith("---")]


def _tests(path: str) -> set[str]:
    body = ast.parse((HOUSE / path).read_text("utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_module_has_its_row() -> None:
    """Fourteen of them, in their order, each with tests that hold it."""
    rows = _rows("Modules, for `private_key_jwt` and DPoP")
    assert [row[0] for row in rows] == [str(number) for number in range(1, 15)]
    assert all(HELD.search(row[-1]) for row in rows)


def test_every_test_that_is_named_exists() -> None:
    """And is a test of that file."""
    named = HELD.findall(PAGE)
    assert len(named) > 40
    missing = [(path, name) for path, name in named if name not in _tests(path)]
    assert missing == []


def test_every_further_rule_names_its_tests() -> None:
    """What the suite does not ask is held by tests as well."""
    rows = _rows("What the suite does not ask of client credentials")
    assert len(rows) > 8
    assert all(HELD.search(row[-1]) for row in rows)


def test_no_test_of_the_matrix_is_left_out() -> None:
    """Whatever test_matrix_… tests is named on the page by its file."""
    files = {path.relative_to(HOUSE).as_posix() for path in (HOUSE / "tests" / "http").glob("test_matrix_*.py")}
    assert files <= {path for path, _ in HELD.findall(PAGE)}
