"""Does an operator who follows docs/operate.md get there, with nothing but the wheel? On SQLite and on PostgreSQL."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployment import HOUSE, free_port, fresh_database, wait_for

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode puts no test folder on the path

from installed import Installed, ended, installed

PAGE = (HOUSE / "docs" / "operate.md").read_text("utf-8")
PLACE = "/etc/nik-gateway"


def _blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


class Operator:
    """Somebody who types what the page says, line by line, in an empty directory."""

    def __init__(self, installation: Installed, database: str, port: int) -> None:
        self.installed, self.database, self.port = installation, database, port
        self.house = installation.home / "etc"
        self.config = self.house / "gateway.toml"
        self.log = installation.home.parent / "serve.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.typed: list[str] = []
        installation.begin({"NIK_GATEWAY_CONFIG": str(self.config)})

    def lay_out(self) -> None:
        """The files that the page speaks of: residents and agreements, each the example of its page."""
        home = self.installed.home
        (home / "residents.ndjson.gz").write_bytes(gzip.compress(_blocks("json")[0].encode()))
        (home / "residents.csv").write_text(_blocks("csv")[0])
        example = _blocks("toml", (HOUSE / "docs" / "agreements.md").read_text("utf-8"))[-1]
        (home / "agreements.toml").write_text(example)

    def type(self, line: str) -> str:
        """Type one line of the page; it must succeed. What it printed."""
        self.typed.append(line)
        line = line.replace(PLACE, str(self.house))
        words = shlex.split(line, comments=True)
        if words[:2] == ["nik-gateway", "serve"]:
            self.serve()
            return ""
        if words[:2] == ["nik-gateway", "init"] and self.database:
            words += ["--database", self.database]
        if "retire" in words and "token" in words:
            self._age(words)
        if words[0] == "nik-gateway":
            code, printed = self.installed.run(*words[1:])
        else:
            code, printed = self.installed.shell(line)
        assert code == 0, f"{line}\n{printed}"
        if words[:2] == ["nik-gateway", "init"]:
            self._settle()
        return printed

    def _settle(self) -> None:
        """The tests' port in place of 8080."""
        for path in (self.config, self.house / "example" / "profile.toml"):
            path.write_text(path.read_text().replace("8080", str(self.port)))

    def _age(self, words: list[str]) -> None:
        """Let the time have passed that the page names before a key is retired."""
        code, printed = self.installed.run(*words[1:])
        assert (code, "may still live" in printed) == (1, True), printed
        for path in (self.house / "keys").glob(f"{words[words.index('--job') + 1]}-*.jwk"):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"since": "2026-01-01T00:00:00Z"}))

    def serve(self) -> None:
        """Start the gateway and wait until it is ready."""
        self.process = self.installed.start("serve", "--config", str(self.config), log=self.log)
        wait_for("the gateway", lambda: self.ready() == 200 or self.process.poll() is not None)  # type: ignore[union-attr]
        assert self.process.poll() is None, self.log.read_text()

    def ready(self) -> int:
        """The status of /readyz; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    def close(self) -> None:
        """Whatever still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()


@pytest.fixture(scope="module")
def installation() -> Iterator[Installed]:
    """The program, installed once for the tests of this file."""
    with installed() as made:
        yield made


def _lines() -> list[str]:
    """Every line of the page's shell blocks but those of the HSM, which need a token."""
    return [
        line
        for block in _blocks("sh")
        if "provision" not in block
        for line in block.splitlines()
        if line.strip() and not line.startswith("export ")
    ]


def _whole_page(operator: Operator) -> None:
    operator.lay_out()
    said: dict[str, str] = {}
    for line in _lines():
        said[line] = operator.type(line)
    begun = next(told for line, told in said.items() if " init " in line)
    assert "Still missing" in begun
    assert "https://nik.example.go.id/console/enrol#" in begun
    asked = next(told for line, told in said.items() if " verify " in line)
    assert "DAPAT DIGUNAKAN" in asked.splitlines(), asked
    assert operator.process is not None
    assert ended(operator.process) == 0, operator.log.read_text()
    assert [line for line in operator.log.read_text().splitlines() if not line.startswith("{")] == []


def test_the_page_runs_on_sqlite(installation: Installed) -> None:
    """Every command of the page, in its order, leads from an empty directory to answers; the log is JSON, line by line."""
    operator = Operator(installation, "", free_port())
    try:
        _whole_page(operator)
    finally:
        operator.close()


@pytest.mark.prove
def test_the_page_runs_on_postgresql(durable_postgresql_server: str) -> None:
    """The same on a PostgreSQL server that the installation is given."""
    with installed() as made, fresh_database(durable_postgresql_server) as database:
        operator = Operator(made, database, free_port())
        try:
            _whole_page(operator)
        finally:
            operator.close()
