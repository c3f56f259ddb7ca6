"""Rotating the register's keys: everything comes under the new ones while it is read, and the old ones can go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import insert, select

from gateway.clock import SystemEntropy
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import SealBroken
from gateway.ledger.log.entry import Kind
from gateway.register.codec import decode
from gateway.register.record import Record
from gateway.store.administration.key_use import count_uses
from gateway.store.administration.rekeying import left, rekey
from gateway.store.audit.access_requests import reseal_requests
from gateway.store.audit.tables import access_requests
from gateway.store.base.engine import Database
from gateway.store.ledger.tables import ledger_entries
from gateway.store.register.residents import Progress, RegisterOf
from gateway.store.register.tables import records, register_index
from gateway.synthetic.population import residents
from gateway.verification.judge import binding, indexes

ENTROPY = SystemEntropy()
PEOPLE = list(residents(60, 7))
Keys = dict[tuple[Job, int], Any]


def ring(keys: Keys, *versions: int) -> Keyring:
    """These versions of index and claims, the first of everything else."""
    kept = {Job.INDEX: versions, Job.CLAIMS: versions}
    return Keyring([key for (job, version), key in keys.items() if version in kept.get(job, (1,))])


def store(database: Database, keyring: Keyring, people: list[Record]) -> None:
    """Import residents."""
    progress = Progress(len(people), len(people), 0, b"p" * 32, finished=False)
    RegisterOf(database, keyring, ENTROPY).store(people, "f", progress)


def find(database: Database, keyring: Keyring, nik: str) -> Record | None:
    """What the corridor finds."""
    with database.reading() as connection:
        found = set(RegisterOf(database, keyring, ENTROPY).find(connection, indexes(keyring, nik)).values())
    if not found:
        return None
    ((id, sealed),) = found
    opener = keyring.opener(Job.CLAIMS, sealed)
    return decode(opener.open(sealed, binding(id, opener.version)))


def versions(database: Database) -> tuple[set[int], set[int], int]:
    """(versions of index rows, versions of records, how many index rows)."""
    with database.reading() as connection:
        index = connection.execute(select(register_index.c.key_version)).scalars().all()
        sealed = connection.execute(select(records.c.sealed)).scalars().all()
    return set(index), {bytes(each)[0] for each in sealed}, len(index)


@pytest.mark.parametrize("page", [1, 7, 60, 200])
def test_everything_comes_under_the_new_keys(database: Database, keys: Keys, page: int) -> None:
    """Whatever stood under which version before; then the new ones alone find and open everybody."""
    store(database, ring(keys, 1), PEOPLE[:40])
    store(database, ring(keys, 1, 2), PEOPLE[30:60])  # ten of them stand under two indexes now
    three = ring(keys, 1, 2, 3)
    assert left(database, three) == 70 + 60
    told: list[int] = []
    done = rekey(database, three, ENTROPY, actor="A. Operator", tell=told.append, page=page)
    assert (done.index, done.claims, done.rewritten, done.left) == (3, 3, 60, 0)
    assert told[-1] == 60
    assert versions(database) == ({3}, {3}, 60)
    for job in (Job.INDEX, Job.CLAIMS):
        assert [count_uses(database, job, version) for version in (1, 2, 3)] == [0, 0, 60]
    alone = ring(keys, 3)
    assert [find(database, alone, person.nik) for person in PEOPLE] == PEOPLE
    assert find(database, alone, "7402154505909001") is None


def test_between_two_pages_everybody_is_found(database: Database, keys: Keys) -> None:
    """By a process that knows both versions: whoever was asked for while it went on."""
    store(database, ring(keys, 1), PEOPLE)
    both = ring(keys, 1, 2)
    seen: list[bool] = []

    def look() -> None:
        seen.append([find(database, both, person.nik) for person in PEOPLE[::9]] == PEOPLE[::9])

    rekey(database, both, ENTROPY, actor="A", rest=look, page=13)
    assert len(seen) == 5
    assert all(seen)


def test_an_interrupted_run_goes_on(database: Database, keys: Keys) -> None:
    """Where the last page ended, and counts as if it had been one."""
    store(database, ring(keys, 1), PEOPLE)
    both = ring(keys, 1, 2)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rekey(database, both, ENTROPY, actor="A", rest=interrupt, page=25)
    assert left(database, both) == 2 * 35
    told: list[int] = []
    done = rekey(database, both, ENTROPY, actor="A", tell=told.append, page=25)
    assert told == [50, 60]
    assert (done.seen, done.rewritten, done.left) == (60, 60, 0)
    again = rekey(database, both, ENTROPY, actor="A")
    assert (again.seen, again.rewritten) == (60, 0)


def test_what_is_written_with_old_keys_meanwhile_is_found_in_another_round(database: Database, keys: Keys) -> None:
    """A node that does not use the new keys yet may take a resident in again."""
    store(database, ring(keys, 1), PEOPLE)
    both = ring(keys, 1, 2)
    behind = iter([PEOPLE[:5]])

    def late() -> None:
        for people in behind:
            store(database, ring(keys, 1), people)

    done = rekey(database, both, ENTROPY, actor="A", rest=late, page=20)
    assert done.left == 0
    assert [find(database, ring(keys, 2), person.nik) for person in PEOPLE] == PEOPLE


def test_a_run_without_the_old_key_changes_nothing(database: Database, keys: Keys) -> None:
    """What it cannot open it leaves alone, and says so."""
    store(database, ring(keys, 1), PEOPLE)
    with pytest.raises(SealBroken):
        rekey(database, ring(keys, 2), ENTROPY, actor="A")
    assert versions(database) == ({1}, {1}, 60)


def test_the_ledger_tells_of_it(database: Database, keys: Keys) -> None:
    """One entry, in the transaction that ends it: who, which versions, how many; no NIK."""
    store(database, ring(keys, 1), PEOPLE)
    rekey(database, ring(keys, 1, 2), ENTROPY, actor="A. Operator", page=10)
    with database.reading() as connection:
        (row,) = connection.execute(select(ledger_entries)).all()
    leaf, private = json.loads(bytes(row.leaf)), json.loads(bytes(row.private)[32:])
    assert (leaf["kind"], leaf["actor"]) == (Kind.REKEY, "A. Operator")
    assert private == {"index": 2, "claims": 2, "rewritten": 60, "left": 0}


def test_an_open_request_for_access_is_sealed_anew(database: Database, keys: Keys) -> None:
    """Its NIK opens with the new key alone; a closed one holds nothing and stays so."""
    old, new = ring(keys, 1), ring(keys, 1, 2)
    sealed = old.sealer(Job.CLAIMS).seal(b"7402154505909001", b"access-request\0r", ENTROPY)
    rows = [("r", "open", sealed), ("s", "closed", b"")]
    with database.sealing() as (connection, now):
        for id, state, nik in rows:
            connection.execute(
                insert(access_requests).values(
                    id=id, officer="o", reference="x", state=state, opened_at=now, closed_at=0, nik=nik
                )
            )
    assert rekey(database, new, ENTROPY, actor="A").rewritten == 1
    with database.sealing() as (connection, _):
        held = dict(connection.execute(select(access_requests.c.id, access_requests.c.nik)).all())
        assert reseal_requests(connection, new, ENTROPY) == 0
    key = ring(keys, 2).opener(Job.CLAIMS, bytes(held["r"]))
    assert key.open(bytes(held["r"]), b"access-request\0r") == b"7402154505909001"
    assert bytes(held["s"]) == b""
