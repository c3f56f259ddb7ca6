"""How does a file of residents get into the register? By batches, each durable with how far it has come.

A bad line is refused with its number and reason while the rest goes in; after a kill the same command goes on.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

from gateway.clock import Entropy
from gateway.errors import Misconfigured
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind
from gateway.register.claims import LineFault
from gateway.register.lines import CsvLines, parse_ndjson
from gateway.register.record import Record
from gateway.store.base.engine import Database
from gateway.store.register.residents import Progress, RegisterOf
from gateway.store.sealing.history import RecordedChange, write_history

BATCH = 2_000
_GZIP = b"\x1f\x8b"


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


@dataclass(slots=True)
class Intake:
    """One import under way: what was taken and refused so far, and which regencies it brought."""

    lines: int = 0
    taken: int = 0
    refused: int = 0
    regencies: set[str] = field(default_factory=set)


@contextmanager
def open_lines(source: Path | None, standard_input: BinaryIO) -> Iterator[BinaryIO]:
    """The bytes of a file, or of standard input; gzip is recognised by its first two bytes."""
    raw: Any = source.open("rb") if source else standard_input
    try:
        buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw, 1 << 20)
        if buffered.peek(2)[:2] == _GZIP:
            with gzip.open(buffered) as unpacked:
                yield unpacked  # type: ignore[misc]  # a GzipFile reads as a BinaryIO does
        else:
            yield buffered
    finally:
        if source:
            raw.close()


def parser_for(kind: str, first: bytes, today: date) -> Callable[[bytes], Record] | None:
    """What parses the lines that follow `first`; None when `first` is itself a line of data (NDJSON).

    `kind` is ndjson, csv or "" (told by the first line: an object opens with a brace). Raises Misconfigured.
    """
    if kind == "ndjson" or (not kind and first.lstrip().startswith(b"{")):
        return None
    try:
        rows = CsvLines(next(csv.reader([first.decode("utf-8-sig")])), today)
    except (LineFault, UnicodeDecodeError, StopIteration, csv.Error) as fault:
        raise Misconfigured([f"line 1: neither NDJSON nor a CSV header: {fault}"]) from fault

    def parse(line: bytes) -> Record:
        try:
            row = next(csv.reader([line.decode("utf-8")], strict=True))
        except (UnicodeDecodeError, csv.Error, StopIteration):
            msg = "not a CSV row in UTF-8"
            raise LineFault(msg) from None
        return rows.parse(row)

    return parse


def take_in(  # noqa: PLR0913  everything that an import is made of
    lines: BinaryIO,
    register: RegisterOf,
    database: Database,
    entropy: Entropy,
    *,
    name: str,
    kind: str,
    today: date,
    complete_until: int,
    rejects: Path,
    tell: Callable[[int], None],
    actor: str,
    anew: bool = False,
) -> Intake:
    """Import every line; goes on after the last durable batch when this very file was begun before.

    Raises Misconfigured when the header is no header or the file another than the one begun; StoreUnavailable when the
    database goes away (run it again).
    """
    done = Intake()
    first = lines.readline()
    begun = register.progress(name)
    digest = sha256(first)
    header = parser_for(kind, first, today)
    done.lines = 1
    parse = header or (lambda line: parse_ndjson(line, today))
    following: Iterator[bytes] = iter(lines) if header else itertools.chain([first], lines)
    if not header:
        done.lines, digest = 0, sha256()
    if begun and not begun.finished and not anew:
        _pass_over(following, begun, done, digest, parse)
    _keep_rejects(rejects, done.lines)
    with rejects.open("a", encoding="utf-8") as refused:
        for batch in _batches(following, BATCH):
            records: list[Record] = []
            for line in batch:
                done.lines += 1
                digest.update(line)
                record = _parse(line, parse, done, refused)
                if record is not None:
                    records.append(record)
            refused.flush()
            done.taken += len(records)
            register.store(
                records, name, Progress(done.lines, done.taken, done.refused, digest.digest(), finished=False)
            )
            tell(done.lines)
    end = Progress(done.lines, done.taken, done.refused, digest.digest(), finished=True)
    with database.sealing() as (connection, now):
        register.finish(connection, name, end, dict.fromkeys(done.regencies, complete_until))
        private: Mapping[str, object] = {
            "file": b64u(end.prefix), "lines": end.lines, "taken": end.taken, "refused": end.refused,
            "regencies": len(done.regencies),
        }  # fmt: skip
        write_history(connection, [RecordedChange(Kind.IMPORT, actor, private)], now, entropy)
    if not done.refused:
        rejects.unlink(missing_ok=True)
    return done


def _parse(line: bytes, parse: Callable[[bytes], Record], done: Intake, refused: IO[str]) -> Record | None:
    if not line.strip():
        return None
    try:
        record = parse(line.rstrip(b"\r\n"))
    except LineFault as fault:
        done.refused += 1
        refused.write(json.dumps({"line": done.lines, "reason": str(fault)}) + "\n")
        return None
    done.regencies.add(record.regency)
    return record


def _pass_over(
    lines: Iterator[bytes], begun: Progress, done: Intake, digest: _Hash, parse: Callable[[bytes], Record]
) -> None:
    """Read again what is in already: it must be the very same lines, and the regencies that they brought count."""
    for line in itertools.islice(lines, begun.lines - done.lines):
        digest.update(line)
        with suppress(LineFault):
            if line.strip():
                done.regencies.add(parse(line.rstrip(b"\r\n")).regency)
    if digest.digest() != begun.prefix:
        raise Misconfigured(
            [
                f"this is not the file whose import was begun ({begun.lines:,} lines of that are in). Give the same, or --anew"
            ]
        )
    done.lines, done.taken, done.refused = begun.lines, begun.taken, begun.refused


def _batches(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    iterator = iter(lines)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _keep_rejects(rejects: Path, lines: int) -> None:
    """Drop what was refused after the last durable batch: those lines are read again."""
    if not rejects.exists():
        return
    kept = [row for row in rejects.read_text("utf-8").splitlines() if row and json.loads(row)["line"] <= lines]
    rejects.write_text("".join(f"{row}\n" for row in kept) if lines else "", "utf-8")
