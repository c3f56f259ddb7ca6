"""Does a gateway with ten million residents and ten million entries answer as fast as one with a hundred thousand of each?

`python -m bench.large_service [COUNT] [--write FILE]`. Two demonstrations side by side, asked in turns about residents from
all over their registers; search copy and sums are brought up to the end first, so that nobody follows meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import ledger
from bench.large_ledger import LARGE, SMALL, put
from bench.load import Outcome, send_all
from bench.partner import Partner, question
from bench.run import SINGLE
from bench.serving import HOUSE, free_port, served
from gateway.clock import SystemClock
from gateway.config import read
from gateway.store.audit.finding_days import DaySums
from gateway.store.audit.traffic import TrafficTally
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf
from gateway.store.search.copy import Follower
from gateway.synthetic.population import as_line, residents
from tests import servers

SEED = 1  # of a demonstration, unless it is told another
ASKED = 20_000  # residents asked about, from all over the register
COUNT = 3_000  # verifications in each measurement
AT_ONCE = 20_000
FALL = 0.05  # the bar: how much less the large one may answer
PROGRAM = str(Path(sys.executable).with_name("nik-gateway"))


@dataclass(slots=True)
class Side:
    """One demonstration: where it lies, how many residents and entries it has, and what was seen of it."""

    place: Path
    size: int
    partner: Partner
    bodies: list[bytes]
    pid: int = 0

    def ask(self, turn: int) -> Outcome:
        """Ask about `COUNT` residents, others in each turn."""
        some = [self.bodies[at % len(self.bodies)] for at in range(turn * COUNT, (turn + 1) * COUNT)]
        return send_all(self.port, self.partner.requests(SINGLE, some)).demand(200)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.partner.base_url.rpartition(":")[2])


def build(place: Path, size: int, database: str | None, tell: Callable[[str], None]) -> Side:
    """A demonstration of `size` residents and as many entries, with everything that follows the ledger at its end."""
    words = [PROGRAM, "demo", str(place), "--no-serve", "--residents", str(size), "--host", "127.0.0.1"]
    words += ["--port", str(free_port()), *(["--database", database] if database else [])]
    began = time.perf_counter()
    if not (place / "demo.json").exists():
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=HOUSE)
    tell(f"{size:,} residents made and taken in {time.perf_counter() - began:,.0f} s")
    opened = Database(read(place / "gateway.toml").database_url, SystemClock(), lambda _: None)
    try:
        first, began = LedgerOf(opened).head().size, time.perf_counter()
        for _ in ledger.fill(opened, first, max(size - first, 0), AT_ONCE):
            pass
        tell(f"{size:,} entries sealed in {time.perf_counter() - began:,.0f} s")
        for what in (Follower(opened), TrafficTally(opened), DaySums(opened, SystemClock())):
            while what.follow(250_000):
                pass
        tell(f"copied and summed up in {time.perf_counter() - began:,.0f} s")
    finally:
        opened.close()
    partner = Partner.from_demo(place)
    chosen = place / "asked.ndjson"
    if not chosen.exists():
        people = itertools.islice(residents(size, SEED), 0, size, max(size // ASKED, 1))
        chosen.write_text("".join(f"{json.dumps(question(as_line(one), partner.purpose))}\n" for one in people))
    bodies = [line.encode() for line in chosen.read_text().splitlines()]
    tell(f"{len(bodies):,} residents chosen from all over the register")
    return Side(place, size, partner, bodies)


def _memory(pid: int) -> float:
    """Private memory of the processes below one, in MB."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
    return own + sum(_memory(int(child)) for child in below)


@contextlib.contextmanager
def serving(side: Side) -> Iterator[Side]:
    """The side, served."""
    command = [PROGRAM, "serve", "--config", str(side.place / "gateway.toml")]
    with served(command, side.port) as process:
        side.pid = process.pid
        yield side


def measure(small: Side, large: Side, rounds: int) -> dict[str, dict[int, float]]:
    """What is told of both, in turns: answers a second, times, and memory before and after."""
    seen: dict[int, list[Outcome]] = {small.size: [], large.size: []}
    found: dict[str, dict[int, float]] = {}
    with serving(small), serving(large):
        for side in (small, large):
            side.ask(0)
        found["memory of all processes at the beginning, MB"] = {
            side.size: _memory(side.pid) for side in (small, large)
        }
        for turn in range(1, rounds + 1):
            for side in (small, large) if turn % 2 else (large, small):
                seen[side.size].append(side.ask(turn))
        found["memory of all processes at the end, MB"] = {side.size: _memory(side.pid) for side in (small, large)}
    pairs = zip(seen[small.size], seen[large.size], strict=True)
    rates = {size: statistics.median(one.rate for one in outcomes) for size, outcomes in seen.items()}
    return {
        "verifications a second (median)": rates,
        "large : small, median of pairs": {large.size: statistics.median(b.rate / a.rate for a, b in pairs)},
        "p50 of 32 at once, ms": {size: statistics.median(o.p50 for o in some) * 1e3 for size, some in seen.items()},
        "p99 of 32 at once, ms": {size: statistics.median(o.p99 for o in some) * 1e3 for size, some in seen.items()},
        **found,
    }


def main() -> int:
    """Build both, measure, print the table. Returns 1 when the large one answers more than five per cent less."""
    parser = argparse.ArgumentParser(prog="bench.large_service", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=LARGE)
    parser.add_argument("--rounds", type=int, default=15, help="pairs of measurements")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--place", type=Path, help="a folder where the demonstrations are made and left")
    parser.add_argument("--write", type=Path, help="a file between whose marks the table is put")
    words = parser.parse_args()
    began = time.perf_counter()

    def tell(line: str) -> None:
        print(f"[{time.perf_counter() - began:6,.0f} s] {line}", flush=True)

    with contextlib.ExitStack() as stack:
        place = words.place or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="nik-large-", dir=servers.open_place()))
        )
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o711)  # PostgreSQL may run as another user
        sides = []
        for size in (min(SMALL, words.count), words.count):
            url = None
            if words.database == "postgresql":
                server = servers.Postgresql(place / f"postgresql-{size}", durable=True)
                server.start()
                stack.callback(server.stop)
                url = server.url
            sides.append(build(place / f"demo-{size}", size, url, tell))
        found = measure(*sides, words.rounds)
    told = table(found, [side.size for side in sides])
    print(told)
    if words.write:
        put(words.write, "bench.large_service", told)
    (ratio,) = found["large : small, median of pairs"].values()
    return int(ratio < 1 - FALL)


def table(found: dict[str, dict[int, Any]], sizes: list[int]) -> str:
    """A Markdown table: a row for what was measured, a column for each size."""
    lines = [
        "| | " + " | ".join(f"{size:,} residents and entries" for size in sizes) + " |",
        "|---|" + "---:|" * len(sizes),
    ]
    for row, values in found.items():
        cells = [f"{values[size]:,.{0 if values[size] > 100 else 2}f}" if size in values else "" for size in sizes]  # noqa: PLR2004
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
