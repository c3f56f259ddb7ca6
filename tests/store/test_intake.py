"""Imports of residents: every form of file, every bad line by number, and on from where it was broken off."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from gateway.claims import CLAIMS
from gateway.clock import SystemEntropy
from gateway.errors import Misconfigured
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u
from gateway.ledger.check.check import check
from gateway.register.lines import as_line
from gateway.register.record import Record
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf
from gateway.store.ledger.tables import ledger_entries
from gateway.store.register import intake
from gateway.store.register.intake import Intake, open_lines, take_in
from gateway.store.register.residents import RegisterOf
from gateway.synthetic.population import residents

ENTROPY = SystemEntropy()
TODAY = date(2026, 11, 24)
PEOPLE = list(residents(60, 11))
LINES = [json.dumps(as_line(person)) for person in PEOPLE]
BAD = {
    4: "{",
    17: json.dumps({"nik": "123", "claims": {"name": "X", "birth_date": "1990-01-01", "regency": "7402"}}),
    18: "[]",
    59: "x",
}


class Import:
    """Imports into one database."""

    def __init__(self, database: Database, keys: dict[tuple[Job, int], Any], folder: Path) -> None:
        self.database = database
        self.register = RegisterOf(
            database, Keyring([key for (_, version), key in keys.items() if version == 1]), ENTROPY
        )
        self.rejects = folder / "rejects.ndjson"
        self.told: list[int] = []

    def take(
        self, data: bytes, name: str = "people", tell: Callable[[int], None] | None = None, **options: Any
    ) -> Intake:
        with open_lines(None, io.BytesIO(data)) as lines:  # type: ignore[arg-type]
            return take_in(
                lines, self.register, self.database, ENTROPY, name=name, kind=options.pop("kind", ""), today=TODAY,
                complete_until=options.pop("until", 1), rejects=self.rejects, tell=tell or self.told.append,
                actor="operator", **options,
            )  # fmt: skip

    def held(self) -> dict[str, Record]:
        return {record.nik: record for record in self.register.residents()}

    def refused(self) -> list[dict[str, Any]]:
        return [json.loads(row) for row in self.rejects.read_text().splitlines()] if self.rejects.exists() else []

    def marks(self) -> dict[str, int]:
        with self.database.reading() as connection:
            return {regency: mark.complete_until for regency, mark in self.register.watermarks(connection).items()}

    def entries(self) -> list[dict[str, Any]]:
        with self.database.reading() as connection:
            rows = connection.execute(select(ledger_entries.c.private).order_by(ledger_entries.c.leaf_index)).scalars()
            found = [msgspec.json.decode(bytes(row)[32:]) for row in rows]
        with LedgerOf(self.database).snapshot() as (head, entries):
            assert check(head, entries).size == len(found)
        return found


@pytest.fixture
def importer(
    database: Database, keys: dict[tuple[Job, int], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Import:
    """Imports with batches of ten lines."""
    monkeypatch.setattr(intake, "BATCH", 10)
    return Import(database, keys, tmp_path)


def ndjson(lines: list[str], ending: str = "\n") -> bytes:
    return "".join(line + ending for line in lines).encode()


def with_faults() -> list[str]:
    lines = list(LINES)
    for at, line in BAD.items():
        lines[at - 1] = line
    return lines


def as_csv(people: list[Record]) -> bytes:
    out = io.StringIO()
    header = ["nik", *CLAIMS, "biometric"]
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(header)
    for person in people:
        rows.writerow([person.nik, *(person.claims.get(claim, "") for claim in CLAIMS), str(person.biometric).lower()])
    return out.getvalue().encode()


PLAIN = [person for person in PEOPLE if not person.conditions]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_ndjson_is_taken(importer: Import, pack: Callable[[bytes], bytes], ending: str) -> None:
    """Plain or gzipped, with either line end, the last line with none, blank lines between."""
    data = ndjson([*LINES[:30], "", "  ", *LINES[30:]], ending).rstrip()
    done = importer.take(pack(data))
    assert (done.lines, done.taken, done.refused) == (62, 60, 0)
    assert importer.held() == {person.nik: person for person in PEOPLE}
    assert importer.refused() == []
    assert not importer.rejects.exists()
    assert importer.told == [10, 20, 30, 40, 50, 60, 62]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_csv_is_taken(importer: Import, pack: Callable[[bytes], bytes], mark: bytes) -> None:
    """With a header in any order, with or without a byte order mark; an empty cell is a claim that is not recorded."""
    done = importer.take(pack(mark + as_csv(PLAIN)))
    assert (done.taken, done.refused) == (len(PLAIN), 0)
    assert importer.held() == {person.nik: person for person in PLAIN}


def test_a_bad_row_of_csv_is_refused_by_number(importer: Import) -> None:
    """Too few cells, an open quote, no UTF-8; the header is line 1."""
    lines = as_csv(PLAIN).splitlines()
    lines[2], lines[4], lines[5] = b"7402", b'"7402', lines[5].replace(b",", b",\xff", 1)
    done = importer.take(b"\n".join(lines))
    assert (done.taken, done.refused) == (len(PLAIN) - 3, 3)
    assert [row["line"] for row in importer.refused()] == [3, 5, 6]


def test_a_bad_line_is_refused_while_the_rest_goes_in(importer: Import) -> None:
    """By number and reason, without its data; the entry of the import has the counts and the digest of the file."""
    data = ndjson(with_faults())
    done = importer.take(data, until=77)
    assert (done.lines, done.taken, done.refused) == (60, 56, 4)
    assert [row["line"] for row in importer.refused()] == sorted(BAD)
    assert importer.refused()[1] == {"line": 17, "reason": "nik: is not a NIK (length)"}
    assert not any("123" in row["reason"] for row in importer.refused())
    good = [person for at, person in enumerate(PEOPLE, 1) if at not in BAD]
    assert importer.held() == {person.nik: person for person in good}
    regencies = {person.regency for person in good}
    assert importer.marks() == dict.fromkeys(regencies, 77)
    assert importer.entries() == [
        {"file": b64u(sha256(data).digest()), "lines": 60, "taken": 56, "refused": 4, "regencies": len(regencies)},
    ]


class Killed(BaseException):
    """What ends a process in the middle."""


def break_off(importer: Import, data: bytes, after: int) -> None:
    def tell(lines: int) -> None:
        if lines >= after:
            raise Killed

    with pytest.raises(Killed):
        importer.take(data, tell=tell)


@pytest.mark.parametrize("after", [10, 20, 60])
@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_an_import_goes_on_where_it_was_broken_off(importer: Import, after: int, form: str) -> None:
    """After any batch: nothing is stored twice, every refused line is told once, all regencies' watermarks move."""
    data = ndjson(with_faults()) if form == "ndjson" else as_csv(PLAIN * (1 + 60 // len(PLAIN)))
    after = min(after, len(data.splitlines()) - 1)
    break_off(importer, data, after)
    begun = importer.register.progress("people")
    assert begun is not None
    assert not begun.finished
    assert importer.marks() == {}
    assert importer.entries() == []
    with importer.rejects.open("a") as listed:
        listed.write('{"line": 99, "reason": "written, but its batch was lost"}\n')
    before = importer.register.count()
    done = importer.take(data)
    assert all(told > after for told in importer.told)
    if form == "ndjson":
        assert (done.lines, done.taken, done.refused) == (60, 56, 4)
        assert [row["line"] for row in importer.refused()] == sorted(BAD)
        assert importer.register.count() == 56 >= before
        assert set(importer.marks()) == {person.regency for at, person in enumerate(PEOPLE, 1) if at not in BAD}
    else:
        assert importer.held() == {person.nik: person for person in PLAIN}
    assert len(importer.entries()) == 1
    assert importer.register.progress("people") is not None


def test_it_can_be_broken_off_again_and_again(importer: Import) -> None:
    """After each batch: in the end all is there as if nothing had been."""
    data = ndjson(with_faults())
    for after in (10, 20, 30, 40, 50):
        break_off(importer, data, after)
    done = importer.take(data)
    assert (done.taken, done.refused) == (56, 4)
    assert [row["line"] for row in importer.refused()] == sorted(BAD)
    assert len(importer.entries()) == 1


@pytest.mark.parametrize(
    "change", [lambda lines: [*lines[1:], lines[0]], lambda lines: lines[:15], lambda lines: [lines[1], *lines[1:]]]
)
def test_another_file_under_the_same_name_is_refused(
    importer: Import, change: Callable[[list[str]], list[str]]
) -> None:
    """Of what is in already every line must be the same; with `anew` it begins at the first line."""
    break_off(importer, ndjson(LINES), 20)
    other = ndjson(change(LINES))
    with pytest.raises(Misconfigured, match=r"not the file whose import was begun \(20 lines"):
        importer.take(other)
    assert importer.register.count() == 20
    done = importer.take(other, anew=True)
    assert done.lines == len(other.splitlines())
    assert len(importer.entries()) == 1


def test_a_file_under_another_name_begins_at_its_first_line(importer: Import) -> None:
    """And leaves the one that was broken off to go on."""
    break_off(importer, ndjson(LINES), 20)
    assert importer.take(ndjson(LINES[:5]), "others").lines == 5
    assert importer.take(ndjson(LINES)).taken == 60


def test_a_finished_import_may_be_done_again(importer: Import) -> None:
    """With newer data under the same name: it is taken from the first line, and its watermarks move on."""
    importer.take(ndjson(LINES), until=5)
    moved = [json.dumps({**json.loads(line), "claims": {**json.loads(line)["claims"], "rt": "009"}}) for line in LINES]
    done = importer.take(ndjson(moved), until=9)
    assert done.taken == 60 == importer.register.count()
    assert {record.claims["rt"] for record in importer.held().values()} == {"009"}
    assert set(importer.marks().values()) == {9}
    assert len(importer.entries()) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"a,b,c\n",
        b"nik,name\n",
        b"\xff\xfe\x00",
        b'nik,"name\n',
        b"nik,nik,name,birth_date,regency\n",
        b"<xml/>\n",
    ],
)
def test_what_has_no_header_is_refused_whole(importer: Import, data: bytes) -> None:
    """It is neither NDJSON nor CSV: nothing was begun."""
    with pytest.raises(Misconfigured, match="line 1: neither NDJSON nor a CSV header"):
        importer.take(data)
    assert importer.register.progress("people") is None


def test_the_form_may_be_told(importer: Import) -> None:
    """A file of which the first line is broken is still NDJSON when it was said to be."""
    done = importer.take(ndjson(["broken", *LINES[:2]]), kind="ndjson")
    assert (done.taken, done.refused) == (2, 1)
    assert importer.refused()[0]["line"] == 1


def test_a_file_is_closed_and_standard_input_is_not(tmp_path: Path) -> None:
    """By whoever opened it."""
    path = tmp_path / "people.ndjson.gz"
    path.write_bytes(gzip.compress(ndjson(LINES[:1])))
    with open_lines(path, io.BytesIO()) as lines:  # type: ignore[arg-type]
        assert lines.read() == ndjson(LINES[:1])
    piped = io.BytesIO(ndjson(LINES[:2]))
    with open_lines(None, io.BufferedReader(piped)) as lines:  # type: ignore[arg-type]
        assert lines.readline() == ndjson(LINES[:1])
    assert not piped.closed


def test_a_truncated_archive_is_an_error_and_can_be_gone_on_with(importer: Import) -> None:
    """What came before the end is in; with the whole archive the import goes on."""
    whole = gzip.compress(ndjson(LINES))
    with pytest.raises(EOFError):
        importer.take(whole[:-20])
    assert importer.take(whole).taken == 60
    assert importer.held() == {person.nik: person for person in PEOPLE}
