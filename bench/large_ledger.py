"""Does a ledger of ten million entries behave like one of a hundred thousand? On both databases; the table of docs/measured.md.

`python -m bench.large_ledger [ENTRIES] [--write FILE]`. Entries, tiles, frontier and search copy are written by the seal's and the
follower's own code. Absolute figures are this machine's; what counts is how little they change from the small ledger to the large.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from bench import ledger
from bench.serving import HOUSE
from gateway.clock import SystemClock
from gateway.ledger.log.note import PLAIN, NoteSigner, VerifierKey
from gateway.ledger.publication.keeper import Keeper
from gateway.ledger.publication.rhythm import Publication
from gateway.store.audit.finding_days import DaySums
from gateway.store.audit.searches import found_under
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf
from gateway.store.migrations import schema
from gateway.store.search.copy import Filter, Follower, facets_of, find, find_subject, page_statement
from tests import servers

SMALL = 100_000
LARGE = 10_000_000
AT_ONCE = 20_000
PAGE = 51
ROUNDS = 15
PLAIN_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_CHECK = """
import gc, json, sys, time
from gateway.clock import SystemClock
from gateway.store.engine import Database
from gateway.store.ledger_parts import check_in_parts
gc.disable()
database = Database(sys.argv[1], SystemClock(), lambda _: None)
began, busy = time.perf_counter(), time.process_time()
report = check_in_parts(database, SystemClock(), int(sys.argv[2]), lambda _: None, {})
private = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) * 1024
print(json.dumps({"size": report.size, "wall": time.perf_counter() - began, "busy": time.process_time() - busy,
    "bytes": report.bytes, "memory": private}))
"""


@dataclass(frozen=True, slots=True)
class Deployed:
    """One database, its node's keeper, and what is published from it."""

    database: Database
    keeper: Keeper
    publication: Publication

    @property
    def name(self) -> str:
        """What the table calls it."""
        return PLAIN_NAMES[self.database.dialect]


def deployed(database: Database, place: Path) -> Deployed:
    """A keeper and a publication for a database."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))  # the same whenever it is measured again

    def signers(origin: str) -> list[NoteSigner]:
        return [NoteSigner(VerifierKey(origin, PLAIN, private.public_key().public_bytes_raw()), private.sign)]

    log = LedgerOf(database)
    keeper = Keeper(place / f"{database.dialect}.checkpoint", "bench.example/ledger", signers, log)
    return Deployed(database, keeper, Publication(keeper, log))


def grow(each: Deployed, size: int, tell: Callable[[str], None]) -> dict[str, float]:
    """Bring ledger and search copy to `size` entries; seconds by what was done."""
    began = time.perf_counter()
    first = LedgerOf(each.database).head().size
    if first == size:
        return {}  # made before
    for done in ledger.fill(each.database, first, size - first, AT_ONCE):
        if done % 500_000 == 0 or done == size:
            tell(f"{each.name}: {done:,} of {size:,} entries sealed, {time.perf_counter() - began:,.0f} s")
    sealed = time.perf_counter()
    disk = _disk(each.database)
    follower = Follower(each.database)
    while follower.follow(250_000):
        tell(f"{each.name}: search copy follows, {time.perf_counter() - sealed:,.0f} s")
    copied, days = time.perf_counter(), DaySums(each.database, SystemClock())
    while days.follow(250_000):
        tell(f"{each.name}: sums of findings follow, {time.perf_counter() - copied:,.0f} s")
    summed = time.perf_counter()
    if each.database.dialect == "postgresql":
        with each.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return {
        "entries sealed a second": (size - first) / (sealed - began),
        "entries copied for searches a second": (size - first) / (copied - sealed),
        "entries summed up for findings a second": (size - first) / (summed - copied),
        "bytes on disk an entry: ledger": disk / size,
        "bytes on disk an entry: with copy and sums": _disk(each.database) / size,
    }


def _disk(database: Database) -> float:
    if database.sqlite_file is not None:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return float(database.sqlite_file.stat().st_size)
    with database.engine.connect() as connection:
        return float(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def measure(each: Deployed, size: int) -> Iterator[tuple[str, float]]:
    """What somebody waits for, in milliseconds; and the check, in microseconds an entry."""
    began = time.perf_counter()
    each.keeper.publish()
    yield "checkpoint of all that is new, ms", (time.perf_counter() - began) * 1000
    ids = [ledger_id(each.database, size * part // (ROUNDS + 1)) for part in range(1, ROUNDS + 1)]
    yield "receipt with its proof, ms", _median(lambda at: each.publication.receipt(ids[at]))
    partner = "partner-7"
    with each.database.reading() as connection:
        wanted = Filter((partner,), 0, size)
        pages = {
            "search, first page of a partner, ms": Filter((partner,), 0, size),
            "search, a page in the middle, ms": Filter((partner,), size // 2, size),
            "search, a page of refusals, ms": Filter((partner,), 0, size, kind="refusal"),
        }
        for name, asked in pages.items():
            yield name, _median(lambda _, asked=asked: find(connection, asked, PAGE))
        yield "search by NIK, ms", _median(lambda _: find_subject(connection, [ledger.tag(7)], 0, size, PAGE))
        now = each.database._clock.now()  # noqa: SLF001  the bench's own database
        found_under(connection, now, wanted)
        yield "findings of a partner, ms", _median(lambda _: found_under(connection, now, wanted), 3)
        if each.database.dialect == "postgresql":
            _require_index(connection, wanted, size)
    url = each.database.engine.url.render_as_string(hide_password=False)
    alone = _check(url, 1, size)
    yield "ledger check by one process, µs of processor an entry", alone["busy"] / size * 1e6
    yield "ledger check by one process, µs an entry by the clock", alone["wall"] / size * 1e6
    yield "ledger check by one process, MB of its own", alone["memory"] / 1e6
    yield "bare SHA-256 over the same bytes, µs of processor an entry", 1e6 / ledger.rates(each.database, SMALL)[1]()
    cores = os.cpu_count() or 1
    yield f"ledger check by {cores} processes, µs an entry by the clock", _check(url, cores, size)["wall"] / size * 1e6


def _check(url: str, processes: int, size: int) -> dict[str, Any]:
    command = [sys.executable, "-c", _CHECK, url, str(processes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HOUSE)
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["size"] == size  # noqa: S101  a measurement of something else is none
    return told


def ledger_id(database: Database, index: int) -> str:
    """The id of the entry at an index."""
    with LedgerOf(database).stretch() as (moment, _):
        return str(json.loads(moment.leaf(index))["id"])


def _median(act: Callable[[int], object], rounds: int = ROUNDS) -> float:
    seconds = []
    for at in range(rounds):
        began = time.perf_counter()
        act(at)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


def _require_index(connection: Any, wanted: Filter, size: int) -> None:
    """Raises AssertionError where PostgreSQL would read a table through for a page of a search."""
    ids = list(facets_of(connection, wanted))
    names = {f"f{number}": id for number, id in enumerate(ids)} | {"first": size // 2, "end": size, "most": PAGE}
    plan = [row[0] for row in connection.execute(text(f"EXPLAIN {page_statement(len(ids))}"), names)]
    scans = [line.strip() for line in plan if "Scan" in line]
    assert scans, plan  # noqa: S101
    assert all("Index" in line for line in scans), scans  # noqa: S101
    print("PostgreSQL's plan for a page:", *plan, sep="\n  ", flush=True)


def table(found: dict[str, dict[tuple[str, int], float]], sizes: list[int]) -> str:
    """A Markdown table: a row for what was measured, a column for each database and size."""
    columns = [(name, size) for name in PLAIN_NAMES.values() for size in sizes]
    lines = [
        "| | " + " | ".join(f"{name}, {size:,}" for name, size in columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for row, values in found.items():
        cells = [f"{values[column]:,.{_digits(values[column])}f}" if column in values else "" for column in columns]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _digits(value: float) -> int:
    return 2 if value < 10 else 1 if value < 100 else 0  # noqa: PLR2004


def main() -> int:
    """Build, measure at both sizes, print the table."""
    parser = argparse.ArgumentParser(prog="bench.large_ledger", description=__doc__)
    parser.add_argument("entries", type=int, nargs="?", default=LARGE)
    parser.add_argument("--write", type=Path, help="a file between whose marks the table is put")
    parser.add_argument(
        "--place", type=Path, help="a folder where the databases are made and left, to be measured again"
    )
    parser.add_argument("--only", choices=list(PLAIN_NAMES), help="one of the two databases")
    words = parser.parse_args()
    sizes, found = [min(SMALL, words.entries), words.entries], dict[str, dict[tuple[str, int], float]]()
    began = time.perf_counter()

    def tell(line: str) -> None:
        print(f"[{time.perf_counter() - began:6,.0f} s] {line}", flush=True)

    with contextlib.ExitStack() as stack:
        place = words.place or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="nik-large-", dir=servers.open_place()))
        )
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o711)  # PostgreSQL may run as another user
        for dialect in [words.only] if words.only else PLAIN_NAMES:
            with contextlib.ExitStack() as one:
                url = f"sqlite:///{place / 'gateway.db'}"
                if dialect == "postgresql":
                    server = servers.Postgresql(place / "postgresql", durable=True)
                    server.start()
                    one.callback(server.stop)
                    url = server.url
                database = Database(url, SystemClock(), lambda _: None)
                one.callback(database.close)
                schema.upgrade(database)
                each = deployed(database, place)
                for size in sizes:
                    if size < LedgerOf(database).head().size:
                        continue  # measured when it was this small
                    rows = grow(each, size, tell)
                    for row, value in [*rows.items(), *measure(each, size)]:
                        found.setdefault(row, {})[each.name, size] = value
                        tell(f"{each.name}, {size:,}: {row}: {value:,.2f}")
            if not words.place:
                (place / "gateway.db").unlink(missing_ok=True)
    print(table(found, sizes))
    if words.write:
        put(words.write, "bench.large_ledger", table(found, sizes))
    return 0


def put(path: Path, name: str, made: str) -> None:
    """Put what a measurement made between the marks of its name in a file."""
    begun, ended = f"<!-- {name} -->\n", "<!-- end -->\n"
    head, _, rest = path.read_text("utf-8").partition(begun)
    path.write_text(f"{head}{begun}\n{made}\n{ended}{rest.partition(ended)[2]}", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
