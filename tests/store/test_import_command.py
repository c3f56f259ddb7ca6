"""`nik-gateway register import` as a process that is killed: the same command goes on, and nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from admitting import any_log

from gateway.clock import SystemClock, SystemEntropy
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files
from gateway.register.lines import as_line
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf
from gateway.store.migrations import schema
from gateway.store.register.residents import RegisterOf
from gateway.synthetic.population import residents

PEOPLE = 5_000


@pytest.fixture
def deployment(sqlite_url: str, tmp_path: Path) -> Path:
    """A directory with settings, keys, a migrated database and a file of residents; its settings file."""
    for job in Job:
        key_files.write(tmp_path / "keys", key_files.new(job, 1, SystemEntropy()))
    database = Database(sqlite_url, SystemClock(), any_log)
    schema.upgrade(database)
    database.close()
    with (tmp_path / "people.ndjson").open("w") as file:
        for person in residents(PEOPLE, 3):
            file.write(json.dumps(as_line(person)) + "\n")
    settings = tmp_path / "gateway.toml"
    settings.write_text(f'issuer = "http://127.0.0.1:1"\ndemo = true\n[database]\nurl = "{sqlite_url}"\n')
    return settings


def command(settings: Path) -> list[str]:
    words = ["register", "import", "--config", str(settings), "--json", str(settings.parent / "people.ndjson")]
    return [sys.executable, "-m", "gateway.cli", *words]


def test_a_killed_import_goes_on(deployment: Path, sqlite_url: str) -> None:
    """SIGKILL in the middle; in the end every resident is there once, and one import is in the ledger."""
    database = Database(sqlite_url, SystemClock(), any_log)
    keyring: Keyring = key_files.load(deployment.parent / "keys")
    register = RegisterOf(database, keyring, SystemEntropy())

    def taken() -> int:
        progress = register.progress("people.ndjson")
        return progress.taken if progress else 0

    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command(deployment), env=environment, cwd=deployment.parent, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not taken():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < taken() < PEOPLE
    assert register.count() == taken()
    ended = subprocess.run(command(deployment), env=environment, cwd=deployment.parent, capture_output=True, check=True)
    assert json.loads(ended.stdout) == {"lines": PEOPLE, "taken": PEOPLE, "refused": 0, "rejects": None}
    assert register.count() == PEOPLE
    assert LedgerOf(database).head().size == 1
    database.close()
