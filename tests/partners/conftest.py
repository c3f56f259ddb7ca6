"""The example of docs/agreements.md, as text, as a table and as an agreement."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.partners.agreement import Agreement, AgreementState
from gateway.partners.purposes import PurposeCatalogue
from gateway.partners.terms import parse_file

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def catalogue() -> PurposeCatalogue:
    """The closed list of purposes that the house ships."""
    return PurposeCatalogue.read(ROOT / "policies" / "purposes.toml")


@pytest.fixture(scope="session")
def example() -> str:
    """The TOML of docs/agreements.md."""
    found = re.search(r"```toml\n(.*?)```", (ROOT / "docs/agreements.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def table(example: str) -> dict[str, Any]:
    """The example's one agreement as a table that a test may change."""
    agreement: dict[str, Any] = copy.deepcopy(tomllib.loads(example)["agreement"][0])
    return agreement


@pytest.fixture(scope="session")
def agreement(example: str, catalogue: PurposeCatalogue) -> Agreement:
    """The example's agreement, in force from 2026-01-01 to 2035-12-31."""
    found = parse_file(example, "agreements.md", catalogue, AgreementState.IN_FORCE)[0].agreement
    assert found is not None
    return found


@pytest.fixture
def place(table: dict[str, Any]) -> Callable[[str], tuple[Any, str]]:
    """Finds the table that holds a dotted path of the example, and the path's last word."""

    def find(path: str) -> tuple[Any, str]:
        here: Any = table
        *way, last = path.split(".")
        for word in way:
            here = here[int(word) if word.isdigit() else word]
        return here, last

    return find
