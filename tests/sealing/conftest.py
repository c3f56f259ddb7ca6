"""What does a test of this room seal with? A migrated database of each kind, keys, and a sealer over both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))  # pytest's importlib mode puts no test folder on the path
sys.path.insert(0, str(Path(__file__).parent))

from kept import emptied, migrated
from submissions import Deployment

from gateway.keyring import Keyring
from gateway.store.base.engine import Database


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def seal_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A migrated database of each kind for this worker."""
    yield from migrated(request, tmp_path_factory, "seals")


@pytest.fixture
def deployment(seal_database: Database, keyring: Keyring) -> Deployment:
    """A sealer over an empty database of each kind."""
    return Deployment(emptied(seal_database), keyring)
