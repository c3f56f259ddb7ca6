"""Which deployment does a test of the corridor's parts get? A database with its tables, keys, and a sealer over both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode puts no test folder on the path

from submissions import ENTROPY, House

from gateway.clock import SystemClock
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files
from gateway.store import schema
from gateway.store.engine import Database


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    """One key for each job, and two for the index."""
    keys = [key_files.parse(key_files.new(job, 1, ENTROPY)) for job in Job]
    return Keyring([*keys, key_files.parse(key_files.new(Job.INDEX, 2, ENTROPY))])


@pytest.fixture
def house(database_url: str, keyring: Keyring) -> Iterator[House]:
    """A sealer over a fresh database of each kind."""
    database = Database(database_url, SystemClock())
    schema.upgrade(database)
    yield House(database, keyring)
    database.close()
