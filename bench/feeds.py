"""How fast does a regency's feed go in, and what do single verifications notice of it? On both databases, through the door.

`python -m bench.feeds [--changes 100000] [--workers 2]` builds a demonstration on each, sends changes in batches of 10,000 as
an office does, and asks one verification after another meanwhile and before. Only ratios mean anything elsewhere.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.serving import HOUSE, free_port, served
from gateway.clock import SystemClock, jakarta_date, rfc3339_seconds
from gateway.feeds.batch import digest_of
from gateway.keyring.keys import b64u
from nik_gateway_client import GatewayClient, NoAnswer
from tests import servers

BATCH = 10_000
PROBE = 6.0  # seconds of asking without a feed
_ASK = """
import json, sys, time
from nik_gateway_client import GatewayClient
demo, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
people = [json.loads(line) for line in open(demo + "/residents.sample.ndjson")]
people = [one for one in people if one["status"] == "active"]
times = []
with GatewayClient(demo + "/partners/tax/profile.toml") as client:
    client.token()
    for one in people * 1000:
        began = time.perf_counter()
        client.verify(one["nik"], "taxpayer_registration", {name: one["claims"][name] for name in ("name", "birth_date")})
        times.append(time.perf_counter() - began)
        if time.monotonic() > until:
            break
print(json.dumps(times))
"""


def born(regency: str, first: int) -> list[dict[str, Any]]:
    """The births of one batch: nobody who lives."""
    day = jakarta_date(SystemClock().now()).isoformat()
    rows = []
    for number in range(first, first + BATCH):
        month, date = 1 + number // 28 % 12, 1 + number % 28
        district, year, serial = number // 336_000 % 90 + 10, number // 336 % 100, 9000 + number // 33_600 % 999
        nik = f"{regency}{district:02d}{date:02d}{month:02d}{year:02d}{serial:04d}"
        claims = {
            "name": f"UJI LAJU {number}",
            "birth_date": "2026-01-02",
            "sex": "F",
            "address": f"JL. UJI NO. {number}",
        }
        rows.append({"nik": nik, "event": "birth", "phase": "settled", "occurred_on": day, "claims": claims})
    return rows


def ask(demo: Path, seconds: float) -> subprocess.Popen[str]:
    """A process that asks one verification after another."""
    command = [sys.executable, "-c", _ASK, str(demo), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> list[float]:
    """How long each of its questions took, sorted, in milliseconds."""
    return sorted(1000 * each for each in json.loads(process.communicate()[0]))


def p(times: list[float], share: float) -> float:
    """A percentile."""
    return times[min(int(len(times) * share), len(times) - 1)]


def feed(demo: Path, first: int, changes: int) -> tuple[float, int]:
    """Send so many births; (seconds in which the gateway had a batch, how many were taken)."""
    office = json.loads((demo / "demo.json").read_text())["regencies"][0]
    spent, taken = 0.0, 0
    with GatewayClient(demo / "partners" / office["client_id"] / "profile.toml", timeout=120) as client:
        following = int(client.read(f"/feeds/{office['code']}")["next"])
        for number in range(first, first + changes, BATCH):
            rows = born(office["code"], number)
            body = {
                "sequence": following, "complete_until": rfc3339_seconds(SystemClock().now()),
                "digest": b64u(digest_of(rows)), "changes": rows,
            }  # fmt: skip
            content = json.dumps(body).encode()
            sent = time.perf_counter()
            _, answer = client.post(f"/feeds/{office['code']}/batches", content)
            spent += time.perf_counter() - sent
            taken += answer["accepted"]
            following = answer["next"]
    return spent, taken


def measured(demo: Path, changes: int) -> dict[str, float]:
    """Rate of the feed alone, and percentiles of single verifications without and with it."""
    spent, taken = feed(demo, 0, changes)
    quiet = told(ask(demo, PROBE))
    asking = ask(demo, PROBE)
    first, until = changes, time.monotonic() + PROBE + 1
    while time.monotonic() < until:
        feed(demo, first, BATCH)
        first += BATCH
    fed = told(asking)
    return {
        "changes_a_second": taken / spent, "taken": taken, "asked_quiet": len(quiet), "asked_fed": len(fed),
        "p50_quiet_ms": p(quiet, 0.5), "p50_fed_ms": p(fed, 0.5), "p99_quiet_ms": p(quiet, 0.99), "p99_fed_ms": p(fed, 0.99),
        "p99_ratio": p(fed, 0.99) / p(quiet, 0.99),
    }  # fmt: skip


@contextlib.contextmanager
def demonstrations(workers: int) -> Iterator[list[tuple[str, Path]]]:
    """A demonstration on each database, not served yet."""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nik-bench-", dir=servers.open_place())))
        place.chmod(0o711)  # PostgreSQL may run as another user
        postgresql = servers.Postgresql(place / "postgresql", durable=True)
        postgresql.start()
        stack.callback(postgresql.stop)
        made = []
        for name, database in (("SQLite", []), ("PostgreSQL", ["--database", postgresql.url])):
            command = [
                sys.executable,
                "-m",
                "gateway.cli",
                "demo",
                str(place / name),
                "--no-serve",
                "--residents",
                "2000",
            ]
            command += ["--port", str(free_port()), "--workers", str(workers), *database]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=HOUSE)
            made.append((name, place / name))
        yield made


def main() -> None:
    """Print a line for each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with demonstrations(given.workers) as made:
        for name, demo in made:
            port = int(json.loads((demo / "demo.json").read_text())["base_url"].rpartition(":")[2])
            with served([sys.executable, "-m", "gateway.cli", "serve", "--config", str(demo / "gateway.toml")], port):
                for _ in range(100):
                    with contextlib.suppress(NoAnswer), GatewayClient(demo / "partners/tax/profile.toml") as client:
                        client.agreement()
                        break
                    time.sleep(0.2)
                found = measured(demo, given.changes)
            print(name, json.dumps({key: round(value, 2) for key, value in found.items()}))


if __name__ == "__main__":
    main()
