"""Which database and keys does a test of the store get?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode puts no test folder on the path

from kept import emptied, migrated

from gateway.clock import SystemEntropy
from gateway.keyring import Job
from gateway.keyring import file as key_files
from gateway.store.base.engine import Database


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def store_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A migrated database of each kind for this worker."""
    yield from migrated(request, tmp_path_factory, "store")


@pytest.fixture
def database(store_database: Database) -> Database:
    """An empty database of each kind."""
    return emptied(store_database)


@pytest.fixture(scope="session")
def keys() -> dict[tuple[Job, int], Any]:
    """Three versions of every key, by job and version."""
    entropy = SystemEntropy()
    return {
        (job, version): key_files.parse(key_files.new(job, version, entropy)) for job in Job for version in (1, 2, 3)
    }
