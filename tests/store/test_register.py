"""The register: sealed records found by keyed indexes, replaced in place, and moved from one index key to the next."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from gateway.clock import SystemEntropy
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import SealBroken
from gateway.register.codec import decode
from gateway.register.record import Record
from gateway.sealing.standing import Watermark
from gateway.store.base.engine import Database
from gateway.store.register import residents as register_room
from gateway.store.register.residents import Progress, RegisterOf
from gateway.store.register.tables import records, register_index
from gateway.synthetic.population import residents
from gateway.verification.judge import INDEX, binding, indexes

ENTROPY = SystemEntropy()
PEOPLE = list(residents(300, 7))
Keys = dict[tuple[Job, int], Any]


def ring(keys: Keys, *versions: int, claims: tuple[int, ...] = (1,)) -> Keyring:
    return Keyring(
        [
            key
            for (job, version), key in keys.items()
            if version in {Job.INDEX: versions, Job.CLAIMS: claims}.get(job, (1,))
        ],
    )


def progress(lines: int = 0) -> Progress:
    return Progress(lines, lines, 0, b"p" * 32, finished=False)


def register(database: Database, keyring: Keyring) -> RegisterOf:
    return RegisterOf(database, keyring, ENTROPY)


def find(database: Database, keyring: Keyring, nik: str) -> Record | None:
    """The record of a NIK by any live version of the index key, opened as the corridor opens it."""
    with database.reading() as connection:
        found = register(database, keyring).find(connection, indexes(keyring, nik))
    if not found:
        return None
    (id, sealed), *others = set(found.values())
    assert others == []
    opener = keyring.opener(Job.CLAIMS, sealed)
    return decode(opener.open(sealed, binding(id, opener.version)))


def count(database: Database, table: Any) -> int:
    with database.reading() as connection:
        return len(connection.execute(select(table)).all())


@pytest.mark.parametrize("size", [1, 99, 300])
def test_what_was_stored_is_found(database: Database, keys: Keys, size: int) -> None:
    """Every one by its NIK, nobody by another's; few and many (which PostgreSQL takes by COPY)."""
    keyring = ring(keys, 1)
    held = register(database, keyring)
    held.store(PEOPLE[:size], "f", progress(size))
    for person in PEOPLE[:size:29]:
        assert find(database, keyring, person.nik) == person
    assert find(database, keyring, "7402154505909001") is None
    assert held.count() == size == count(database, register_index)
    assert size <= register_room.COPY_FROM or size == 300


@pytest.mark.parametrize("asked", [1, 2, 3, 5, 8, 40])
def test_a_miss_is_nobodys_record(database: Database, keys: Keys, asked: int) -> None:
    """Whoever does not exist reads a record like whoever does, and is given none; in an empty register too."""
    keyring = ring(keys, 1)
    held = register(database, keyring)
    strangers = [indexes(keyring, f"740215450590{serial}")[0] for serial in range(9001, 9001 + asked)]
    with database.reading() as connection:
        assert held.find(connection, strangers) == {}
    held.store(PEOPLE[:40], "f", progress(40))
    known = [indexes(keyring, person.nik)[0] for person in PEOPLE[:asked:2]]
    with database.reading() as connection:
        found = held.find(connection, [*strangers, *known])
        assert found.keys() == set(known)
        assert len({id for id, _ in found.values()}) == len(known)
        held.watermarks(connection)
        assert held.find(connection, [*known, *strangers]) == found


def test_a_resident_is_replaced_in_place(database: Database, keys: Keys) -> None:
    """Taken again it is the same row with what is known now; within one batch the last one counts."""
    keyring = ring(keys, 1)
    held = register(database, keyring)
    first = PEOPLE[0]
    second, third = (Record(first.nik, {**first.claims, "name": name}) for name in ("SITI", "SITI AMINAH"))
    held.store([first, PEOPLE[1]], "f", progress())
    held.store([second], "f", progress())
    assert find(database, keyring, first.nik) == second
    held.store([first, third, PEOPLE[2]], "f", progress())
    assert find(database, keyring, first.nik) == third
    assert find(database, keyring, PEOPLE[1].nik) == PEOPLE[1]
    assert held.count() == 3


def test_no_nik_stands_in_a_table(database: Database, keys: Keys) -> None:
    """Neither as text nor as its bytes, and no name: an index is a keyed hash, a record is sealed and padded."""
    held = register(database, ring(keys, 1))
    held.store(PEOPLE[:50], "f", progress())
    with database.reading() as connection:
        stored = b"".join(
            bytes(value)
            for table in (records.c.sealed, register_index.c.ix)
            for value in connection.execute(select(table)).scalars()
        )
        sizes = {len(bytes(sealed)) for sealed in connection.execute(select(records.c.sealed)).scalars()}
    for person in PEOPLE[:50]:
        assert person.nik.encode() not in stored
        assert person.claims["name"].encode() not in stored
    assert {(size - 1 - 12 - 16) % 64 for size in sizes} == {0}
    assert keys[Job.INDEX, 1].mac(PEOPLE[0].nik.encode())[:INDEX] in stored


def test_a_record_opens_in_its_own_row_alone(database: Database, keys: Keys) -> None:
    """Two rows that were exchanged in the database are found out."""
    keyring = ring(keys, 1)
    register(database, keyring).store(PEOPLE[:2], "f", progress())
    with database.sealing() as (connection, _):
        one, other = connection.execute(select(records.c.sealed).order_by(records.c.id)).scalars()
        connection.execute(records.update().where(records.c.id == 1).values(sealed=other))
        connection.execute(records.update().where(records.c.id == 2).values(sealed=one))
    with pytest.raises(SealBroken):
        find(database, keyring, PEOPLE[0].nik)


def test_an_index_key_is_rotated_with_two_live_versions(database: Database, keys: Keys) -> None:
    """Old rows are found by the old version; taken again a resident is found by the new one, in the same record."""
    old, both, new = ring(keys, 1), ring(keys, 1, 2), ring(keys, 2)
    register(database, old).store(PEOPLE[:150], "f", progress())
    assert find(database, both, PEOPLE[3].nik) == PEOPLE[3]
    assert find(database, new, PEOPLE[3].nik) is None
    again = [Record(person.nik, {**person.claims, "rt": "009"}) for person in PEOPLE[:150]]
    held = register(database, both)
    held.store([*again[:130], *PEOPLE[150:280]], "f", progress())
    assert held.count() == 280
    assert find(database, new, PEOPLE[3].nik) == again[3]
    assert find(database, old, PEOPLE[3].nik) == again[3]
    assert find(database, both, PEOPLE[140].nik) == PEOPLE[140]
    assert find(database, new, PEOPLE[200].nik) == PEOPLE[200]
    held.store(again[:130], "f", progress())
    assert held.count() == 280
    assert count(database, register_index) == 150 + 130 + 130


def test_a_seal_key_is_rotated_record_by_record(database: Database, keys: Keys) -> None:
    """What is taken again is sealed by the newest version; older ones still open."""
    register(database, ring(keys, 1)).store(PEOPLE[:2], "f", progress())
    both = ring(keys, 1, claims=(1, 2))
    register(database, both).store(PEOPLE[1:2], "f", progress())
    with database.reading() as connection:
        versions = [
            bytes(sealed)[0] for sealed in connection.execute(select(records.c.sealed).order_by(records.c.id)).scalars()
        ]
    assert versions == [1, 2]
    assert [find(database, both, person.nik) for person in PEOPLE[:2]] == PEOPLE[:2]
    with pytest.raises(SealBroken):
        find(database, ring(keys, 1, claims=(2,)), PEOPLE[0].nik)


def test_all_residents_are_read_by_pages(database: Database, keys: Keys) -> None:
    """Every one once, however large a page is."""
    held = register(database, ring(keys, 1))
    held.store(PEOPLE[:25], "f", progress())
    for page in (1, 7, 25, 100):
        told: list[int] = []
        assert list(held.residents(told.append, page)) == PEOPLE[:25]
        assert told[-1] == 25


def test_progress_is_part_of_the_batch(database: Database, keys: Keys) -> None:
    """What is noted is what is stored: both or neither."""
    held = register(database, ring(keys, 1))
    assert held.progress("f") is None
    held.store(PEOPLE[:2], "f", progress(2))
    assert held.progress("f") == progress(2)
    assert held.progress("g") is None
    huge = Record(PEOPLE[3].nik, {"name": "x" * 70_000})
    with pytest.raises(ValueError, match="too long"):
        held.store([PEOPLE[2], huge], "f", progress(4))
    assert held.progress("f") == progress(2)
    assert held.count() == 2


def test_watermarks_move_region_by_region(database: Database, keys: Keys) -> None:
    """To what is told, without closing a gap; the others stay where they are."""
    held = register(database, ring(keys, 1))
    held.advance({"7402": 5, "3171": 6})
    with database.sealing() as (connection, _):
        held.finish(connection, "f", progress(1), {"7402": 9})
    with database.reading() as connection:
        assert held.watermarks(connection) == {"7402": Watermark(9, gap=False), "3171": Watermark(6, gap=False)}
