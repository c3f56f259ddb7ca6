"""Commands ask the keeper before they append: a database that does not extend the kept checkpoint stays as it is."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from admitting import any_log
from deployment import CLOCK, ENTROPY, Deployment, command
from sqlalchemy import func, select

from gateway.store.base.engine import Database
from gateway.store.ledger.tables import ledger_entries
from gateway.store.register.tables import records
from gateway.store.sealing.history import RecordedChange, write_history

TWO = ("--proposer", "Petugas Satu", "--approver", "Petugas Dua")
DATABASE = "gateway.sqlite"


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    """A demo on SQLite that nobody serves; a checkpoint of it is kept, and a backup lies beside that is older."""
    built = Deployment()
    try:
        with closing(sqlite3.connect(built.directory / DATABASE)) as source:
            source.execute("VACUUM INTO ?", (str(built.directory / "backup"),))
        built.command("partners", "suspend-client", "small", "--reason", "breach", "--by", "Petugas Satu")
        built.command("ledger", "export", str(built.directory / "export.ndjson"))
        yield built
    finally:
        built.close()


def restore(deployment: Deployment) -> None:
    for rest in deployment.directory.glob(f"{DATABASE}*"):
        rest.unlink()
    shutil.copy(deployment.directory / "backup", deployment.directory / DATABASE)


def counts(deployment: Deployment) -> tuple[int, int]:
    """(entries of the ledger, records of residents)."""
    database = Database(f"sqlite:///{deployment.directory / DATABASE}", CLOCK, any_log)
    with database.reading() as connection:
        found = [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES]
    database.close()
    return found[0], found[1]


TABLES = (ledger_entries, records)
APPENDING = {
    "a client suspended": ("partners", "suspend-client", "bpjs", "--reason", "breach", "--by", "Petugas Satu"),
    "an agreement suspended": ("agreements", "suspend", "pks-bpjs", "--by", "Petugas Satu", "--reason", "breach"),
    "somebody dismissed": ("staff", "dismiss", "auditor", "--by", "Petugas Satu"),
    "residents imported": ("register", "import", "FILE"),
    "the demo made again": ("demo",),
}


def attempt(deployment: Deployment, words: tuple[str, ...]) -> tuple[int, str]:
    """What a command leaves with and prints."""
    if words == ("demo",):
        return command("demo", str(deployment.directory), "--no-serve", "--residents", "1200")
    people = deployment.directory / "people.ndjson"
    one = {"nik": "3171010101909001", "claims": {"name": "SITI", "birth_date": "1990-01-01"}, "status": "active"}
    people.write_text(json.dumps(one) + "\n")
    named = [str(people) if word == "FILE" else word for word in words]
    return command(*named, "--config", str(deployment.config))


@pytest.mark.parametrize("name", APPENDING)
def test_no_command_appends_to_a_restored_backup(deployment: Deployment, name: str) -> None:
    """It leaves with 2, says what to do, and neither the ledger nor the register has grown."""
    restore(deployment)
    before = counts(deployment)
    code, printed = attempt(deployment, APPENDING[name])
    assert (code, "declare-new-log" in printed) == (2, True), printed
    assert counts(deployment) == before


def test_a_backup_that_grew_elsewhere_is_no_better(deployment: Deployment) -> None:
    """As long as the kept checkpoint and longer, but another history: it is proven against the checkpoint, not counted."""
    restore(deployment)
    database = Database(f"sqlite:///{deployment.directory / DATABASE}", CLOCK, any_log)
    with database.sealing() as (connection, now):
        changes = [RecordedChange("agreement", "Petugas Tiga", {"number": number}) for number in range(50)]
        write_history(connection, changes, now, ENTROPY)
    database.close()
    before = counts(deployment)
    code, printed = attempt(deployment, APPENDING["a client suspended"])
    assert (code, "does not extend" in printed) == (2, True), printed
    assert counts(deployment) == before


def test_whoever_only_looks_may_look_and_two_persons_go_on(deployment: Deployment) -> None:
    """Lists are shown on a refused database too; once a new log was declared, commands append again."""
    restore(deployment)
    assert "bpjs" in deployment.command("partners", "list")
    assert "active" in deployment.command("register", "status")
    deployment.command("ledger", "declare-new-log", *TWO, "--reason", "restored")
    deployment.command(*APPENDING["a client suspended"])
    assert "sound" in deployment.command("ledger", "check")


def test_the_database_that_extends_the_checkpoint_is_appended_to(deployment: Deployment) -> None:
    """Nothing is in the way of a command where all is well."""
    before = counts(deployment)
    deployment.command(*APPENDING["an agreement suspended"])
    assert counts(deployment) == (before[0] + 1, before[1])
