"""What does a test call? A demonstration as an operator builds and serves it, with some agreements more."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner
from partner import Partner, ProofKey

from gateway.cli.agreements import agreements
from gateway.cli.demo import demo

HOUSE = Path(__file__).parents[2]
PATIENCE = 40  # seconds until a server that does not get ready is given up
OBSERVED = 400  # residents at the head of the sample about whom nobody guesses wrongly
Resident = dict[str, Any]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Gateway:
    """One served demonstration."""

    def __init__(self, directory: Path, database: str | None, workers: int, more: str = "") -> None:
        """`database` None: SQLite, by `serve`; else by `demo`, which finds everything built already.

        `more` is TOML that the settings of `serve` end with.
        """
        self.directory = directory
        self.workers = workers
        port = free_port()
        self._options = [str(directory), "--residents", "1000", "--port", str(port), "--workers", str(workers)]
        self._options += ["--database", database] if database else []
        _run(demo, [*self._options, "--no-serve"])
        with (directory / "gateway.toml").open("a") as settings:
            settings.write(more)
        self._add_agreements()
        self.facts = json.loads((directory / "demo.json").read_text())
        self.magic = json.loads((directory / "magic.json").read_text())
        lines = (directory / self.facts["sample"]).read_text().splitlines()
        self.people: list[Resident] = [
            row for row in map(json.loads, lines) if _basic(row).keys() == {"name", "birth_date"}
        ]
        self.issuer: str = self.facts["issuer"]
        # One connection a call where there are several workers: calls of one test then meet all of them.
        kept = httpx.Limits(max_keepalive_connections=None if workers == 1 else 0)
        self.http = httpx.Client(base_url=self.facts["base_url"], trust_env=False, timeout=20, limits=kept)
        self._partners: dict[str, Partner] = {}
        self._unused = iter([row for row in self.people[OBSERVED:] if row["status"] == "active"])
        self._serials = itertools.count(1)
        self._serve(database)

    def partner(self, client_id: str) -> Partner:
        """A client of the demonstration, as it is kept for every test."""
        if client_id not in self._partners:
            self._partners[client_id] = self.new_partner(client_id)
        return self._partners[client_id]

    def new_partner(self, client_id: str) -> Partner:
        """The same client with another proof key and no token yet."""
        jwk = json.loads((self.directory / "partners" / client_id / "key.jwk").read_text())
        return Partner(self.issuer, client_id, jwk, self.http)

    def resident(self, fits: Callable[[Resident], bool] = bool) -> Resident:
        """An active resident about whom no other test asks, and whose claims fit."""
        return next(one for one in self._unused if fits(one["claims"]))

    def of_reason(self, reason: str) -> Resident:
        """The resident that shows a reason; never guess wrongly about them."""
        found: Resident = self.magic["reason"][reason]
        return found

    def unknown(self) -> Resident:
        """A well-formed NIK that nobody has: serials below 9000 are not the demonstration's."""
        return {
            "nik": f"320101010190{next(self._serials):04d}",
            "claims": {"name": "TIADA", "birth_date": "1990-01-01"},
        }

    def question(self, client_id: str, resident: Resident, **members: Any) -> dict[str, Any]:
        """What a partner asks first: its first purpose, name and birth date."""
        purposes = {row["client_id"]: row["purposes"][0] for row in self.facts["partners"]}
        basic = {
            "nik": resident["nik"],
            "purpose": purposes.get(client_id, "account_opening"),
            "claims": _basic(resident),
        }
        return basic | members

    def fresh_connection(self) -> httpx.Client:
        """A client whose first call opens a connection, and so may meet another worker."""
        return httpx.Client(base_url=self.issuer, trust_env=False, timeout=20)

    def stop(self) -> int:
        """End every process; the exit code of the command."""
        self.http.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(30)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._log.close()

    def _serve(self, database: str | None) -> None:
        words = (
            ["serve", "--config", str(self.directory / "gateway.toml")]
            if database is None
            else ["demo", *self._options]
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NIK_")}
        self._log = (self.directory / "served.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", *words],
            cwd=HOUSE,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is the tests' to answer
        )
        deadline = time.monotonic() + PATIENCE
        while not self._ready(shown=database is not None):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError((self.directory / "served.log").read_text()[-3000:])
            time.sleep(0.05)

    def _ready(self, *, shown: bool) -> bool:
        if shown and b"The NIK gateway runs at" not in (self.directory / "served.log").read_bytes():
            return False
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _add_agreements(self) -> None:
        """More partners, with the agreement of `small` in other words: by the command that takes agreements in."""
        (small,) = (
            block
            for block in (self.directory / "agreements.toml").read_text().split("[[agreement]]\n")
            if block.startswith('id = "pks-small"')
        )
        rows = ""
        for client_id, words in _MORE.items():
            jwk, block = _new_key(self.directory / "partners" / client_id, client_id), small
            block = block[: block.index("keys = [")].replace('"small"', f'"{client_id}"').replace("small", client_id)
            for old, new in words.items():
                assert old in block, old
                block = block.replace(old, new)
            public = ", ".join(f'{name} = "{value}"' for name, value in jwk.items() if name != "d")
            rows += f"[[agreement]]\n{block}keys = [{{ {public} }}]\n\n"
        assert len(tomllib.loads(rows)["agreement"]) == len(_MORE)
        more = self.directory / "more.toml"
        more.write_text(rows)
        two = ["--proposer", "Demo Registrar", "--approver", "Demo Approver"]
        _run(agreements, ["import", "--config", str(self.directory / "gateway.toml"), str(more), *two])


FREE = {
    'class = "bank"': 'class = "ministry", exemption = { ground = "ministry", proof = "DEMO/1" }',
    "tariff = 1000": "tariff = 0",
    "day = 100,": "day = 1000,",
}
_MORE: Mapping[str, Mapping[str, str]] = {
    # Demands to know who asks, and may be told of an order.
    "counter": {
        **FREE,
        "account_opening": "passport_application",
        'disclosure = "status"': 'disclosure = "reason"',
        "tells_order = false": "tells_order = true",
    },
    # Asks for others and may see more than they: the bank, and whoever has its answers unsigned.
    "broker": {
        **FREE,
        'class = "bank"': 'class = "intermediary", exemption = { ground = "ministry", proof = "DEMO/1" }',
        "on_behalf_of = []": 'on_behalf_of = ["bank", "unsigned"]',
        'disclosure = "status"': 'disclosure = "claims"',
        'inform = ["birth_place", "sex"]': 'inform = ["birth_place", "sex", "mother_name"]',
    },
    # Has agreed that its answers are not signed.
    "unsigned": {**FREE, 'method = "dpop",': 'method = "dpop", signed_answers = false,'},
    # May ask a hundred times a day, as `small` may: for the test that spends them.
    "frugal": {old: new for old, new in FREE.items() if not old.startswith("day")},
}


def _new_key(folder: Path, client_id: str) -> dict[str, str]:
    jwk = {**ProofKey().private_jwk, "kid": f"{client_id}-1", "alg": "ES256", "use": "sig"}
    folder.mkdir(parents=True)
    (folder / "key.jwk").write_text(json.dumps(jwk))
    profile = (folder.parent / "small" / "profile.toml").read_text()
    (folder / "profile.toml").write_text(profile.replace('"small"', f'"{client_id}"'))
    return jwk


def _basic(resident: Resident) -> dict[str, str]:
    return {name: value for name, value in resident["claims"].items() if name in ("name", "birth_date")}


def _run(command: Any, words: list[str]) -> None:
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def every_text(document: object) -> Iterator[str]:
    """Every text and number of a JSON document, names of members included."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield name
            yield from every_text(value)
    elif isinstance(document, list):
        for value in document:
            yield from every_text(value)
    else:
        yield str(document)
