"""Which database and which people does a test of the console's entrance get?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))  # pytest's importlib mode puts no test folder on the path
sys.path.insert(0, str(Path(__file__).parent))

from kept import emptied, migrated
from people import Console

from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.store.base.engine import Database


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def staff_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A migrated database of each kind for this worker."""
    yield from migrated(request, tmp_path_factory, "staff")


@pytest.fixture(scope="session")
def decider() -> Decider:
    """The policies that the house ships."""
    return Decider(load(Path(__file__).parents[2] / "policies"))


@pytest.fixture
def console(staff_database: Database, decider: Decider) -> Iterator[Console]:
    """An entrance to an empty database of each kind."""
    made = Console(emptied(staff_database), decider)
    yield made
    made.close()
