"""What becomes of a gateway whose database was put back to yesterday? It answers nobody until two persons have spoken."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from deployment import Deployment, Line, Partner, Reply

from gateway.cli.main import group
from gateway.ledger.log.note import COSIGNATURE, VerifierKey, new_signer_text
from gateway.ledger.publication.checkpoint import verify


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    """A demo on SQLite, not started yet, whose one witness cannot be reached."""
    key = new_signer_text("auditor.example/w1", COSIGNATURE, bytes(32))[1]
    built = Deployment(settings=f'[ledger]\nwitnesses = [{{ vkey = "{key}", url = "http://127.0.0.1:9" }}]\n')
    try:
        yield built
    finally:
        built.close()


def command(deployment: Deployment, *words: str, code: int = 0) -> str:
    """What `nik-gateway` with these words and the deployment's settings prints."""
    done = CliRunner().invoke(group, [*words, "--config", str(deployment.config)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout if code == 0 or "--json" in words else done.output


def backup(deployment: Deployment, to: Path) -> None:
    """A consistent copy of the database, as an operator takes it."""
    source, target = sqlite3.connect(deployment.directory / "gateway.sqlite"), sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()


def ask(deployment: Deployment) -> Reply:
    """One question of the partner `bpjs`."""

    async def once() -> Reply:
        partner = await Partner(deployment).log_in()
        line = await Line.to(deployment.port)
        reply = await partner.verify(line, partner.question(deployment.active[0]))
        line.leave()
        return reply

    return asyncio.run(once())


def readiness(deployment: Deployment) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{deployment.port}/readyz", trust_env=False)


def missing(deployment: Deployment) -> bool:
    """Whether the log and the metrics tell that the witness was missing."""
    token = (deployment.directory / "metrics.token").read_text().strip()
    url, headers = f"http://127.0.0.1:{deployment.port}/metrics", {"Authorization": f"Bearer {token}"}
    counted = 'nik_gateway_cosignatures_total{outcome="missing",witness="auditor.example/w1"}'
    told = any(event["event"] == "a witness has not cosigned" for event in deployment.events())
    return told and counted in httpx.get(url, headers=headers, trust_env=False).text


def page(deployment: Deployment, name: str) -> str:
    return httpx.get(f"http://127.0.0.1:{deployment.port}/ledger/{name}", trust_env=False).text


def test_nothing_is_sealed_in_a_restored_backup(deployment: Deployment, tmp_path: Path) -> None:
    """Not ready, 503 to everybody; after a declaration by two persons there is a new log that names the old head."""
    deployment.start()
    backup(deployment, tmp_path / "backup")
    assert ask(deployment).status == 200
    assert missing(deployment)
    deployment.stop()
    old = (deployment.directory / "ledger.checkpoint").read_text()
    for rest in deployment.directory.glob("gateway.sqlite*"):
        rest.unlink()
    shutil.copy(tmp_path / "backup", deployment.directory / "gateway.sqlite")
    size = json.loads(command(deployment, "ledger", "check", "--json", code=1))
    assert size["sound"] is False

    deployment.start()
    state = readiness(deployment)
    assert (state.status_code, state.json()["ready"]) == (503, False)
    assert "declare-new-log" in state.json()["ledger"]
    with pytest.raises(AssertionError):  # not even a token
        ask(deployment)
    assert page(deployment, "checkpoint") == old
    assert any(event["event"].startswith("this database is refused") for event in deployment.events())

    two = ["--proposer", "Petugas Satu", "--reason", "restored after a fire", "--approver"]
    command(deployment, "ledger", "declare-new-log", *two, "petugas  satu", code=2)
    command(deployment, "ledger", "declare-new-log", *two, "Petugas Dua")
    deadline = time.monotonic() + 15
    while readiness(deployment).status_code != 200 or ask(deployment).status != 200:
        assert time.monotonic() < deadline
    keys = [VerifierKey.parse(line) for line in page(deployment, "keys").splitlines()]
    origin, size = old.split("\n")[:2]
    deadline = time.monotonic() + 15
    while (found := verify(page(deployment, "checkpoint"), keys).checkpoint).size < 10:
        assert time.monotonic() < deadline
    assert found.origin.startswith(f"{origin}/after/{size}/")
    command(deployment, "ledger", "declare-new-log", *two, "Petugas Dua", code=2)
    deployment.stop()
    assert "extends the checkpoint" in command(deployment, "ledger", "check")
    leaves, _ = deployment.ledger()
    assert [leaf["actor"] for leaf in leaves.values() if leaf["kind"] == "new_log"] == ["Petugas Satu+Petugas Dua"]


def test_the_commands_of_the_log(deployment: Deployment, tmp_path: Path) -> None:
    """Check --since, prove, export and prune on a deployment that is not running; the published checker agrees."""
    export = str(tmp_path / "export.ndjson")
    checker = Path(__file__).parents[3] / "checker" / "check_ledger.py"
    told = json.loads(command(deployment, "ledger", "export", export, "--private", "--json"))
    assert told["count"] == told["size"]
    assert Path(export).stat().st_mode & 0o777 == 0o600
    since = tmp_path / "since"
    shutil.copy(deployment.directory / "ledger.checkpoint", since)
    leaves, _ = deployment.ledger()
    id = next(leaf["id"] for leaf in leaves.values() if leaf["kind"] == "import")
    receipt = command(deployment, "ledger", "prove", id)
    assert receipt.startswith("c2sp.org/tlog-proof@v1\nextra ")
    command(deployment, "ledger", "prove", "0193a000-0000-7000-8000-000000000000", code=1)
    two = ["--proposer", "Petugas Satu", "--approver", "Petugas Dua"]
    command(deployment, "ledger", "prune", "--kind", "import", "--before", "2100-01-01", *two, code=2)
    command(deployment, "ledger", "prune", "--kind", "destruction", "--before", "2020-01-01", *two, code=2)
    assert "nothing" in command(deployment, "ledger", "prune", "--kind", "import", "--before", "2020-01-01", *two)
    report = json.loads(command(deployment, "ledger", "check", "--since", str(since), "--json"))
    assert (report["sound"], report["since"]) == (True, str(since))
    forged = tmp_path / "forged"
    forged.write_text(since.read_text().replace("\n", "x\n", 1))
    assert "NOT SOUND" in command(deployment, "ledger", "check", "--since", str(forged), code=1)
    later = json.loads(
        command(deployment, "ledger", "export", str(tmp_path / "none"), "--since", "2100-01-01", "--json")
    )
    assert later["count"] == 0
    module = {"__name__": "checker"}
    exec(compile(checker.read_text(), str(checker), "exec"), module)  # noqa: S102  our own published file
    assert module["main"](["export", export]) == 0  # type: ignore[operator]
    assert module["main"](["export", str(tmp_path / "none")]) == 0  # type: ignore[operator]
    assert module["main"](["sqlite", str(deployment.directory / "gateway.sqlite")]) == 0  # type: ignore[operator]
