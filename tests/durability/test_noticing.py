"""Does a node notice that it answers nobody? Callers are told within a second, /readyz turns red, and it comes back alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import servers
from deployment import Deployment, Line, Partner, Reply, fresh_database, wait_for

from gateway.store.base.engine import SEAL_LOCK

SOON = 2.0  # seconds within which /readyz has to be red
LATEST = 1.5  # seconds within which a caller has to be refused: a second, and what a busy machine adds
SLOW = float(os.environ.get("NIK_SLOW_MACHINE", "2"))  # how much longer everything takes beside other tests
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON ledger_entries FOR EACH ROW EXECUTE FUNCTION full_disk();
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON house_facts FOR EACH ROW EXECUTE FUNCTION full_disk();
"""


class Node:
    """A node of two workers on PostgreSQL, with its door on a Valkey of its own."""

    def __init__(self, url: str, valkey: servers.Valkey) -> None:
        self.url = url.replace("+psycopg", "")
        self.valkey = valkey
        self.deployment = Deployment(url, 2, f'[door]\nstore = "{valkey.url}"\n')
        self.deployment.start()
        self.partner = asyncio.run(Partner(self.deployment).log_in())

    def ready(self) -> tuple[int, Any]:
        """Status and document of /readyz."""
        return asyncio.run(self._get("/readyz"))

    async def _get(self, path: str) -> tuple[int, Any]:
        line = await Line.to(self.deployment.port)
        reply = await line.ask("GET", path, {})
        line.leave()
        return reply.status, reply.document

    def call(self) -> tuple[Reply, float]:
        """One verification, and how long it took."""

        async def ask() -> Reply:
            line = await Line.to(self.deployment.port)
            reply = await self.partner.verify(line, self.partner.question(self.deployment.active[0]))
            line.leave()
            return reply

        began = time.monotonic()
        return asyncio.run(ask()), time.monotonic() - began

    def red(self, member: str, patience: float = SOON) -> str:
        """What /readyz says of `member` as soon as it is red, which must be soon."""
        began = time.monotonic()
        wait_for(f"{member} to be red", lambda: self.ready()[0] == 503)
        assert time.monotonic() - began < patience * SLOW
        return str(self.ready()[1].get(member, ""))

    def green(self) -> None:
        """It is ready again by itself, and answers."""
        wait_for("the node to be ready", lambda: self.ready()[0] == 200)
        wait_for("an answer", lambda: self.call()[0].status == 200)


@pytest.fixture(scope="module")
def node(postgresql_server: str) -> Iterator[Node]:
    """One node for the tests of this file; each leaves it answering."""
    place = Path(tempfile.mkdtemp(prefix="nik-valkey-", dir=servers.open_place()))
    valkey = servers.Valkey(place / "own")
    valkey.start()
    with fresh_database(postgresql_server) as url:
        made = Node(url, valkey)
        try:
            yield made
        finally:
            made.deployment.stop()
            made.deployment.close()
            valkey.stop()
            shutil.rmtree(place, ignore_errors=True)


def test_a_stopped_sealer_is_noticed_and_started_again(node: Node) -> None:
    """Callers are refused within a second, /readyz is red, and the watcher ends it: nobody has to come."""
    node.green()
    (sealer,) = node.deployment.children("sealer-process")
    os.kill(sealer, signal.SIGSTOP)
    reply, took = node.call()
    assert (reply.status, reply.slug, reply.document["billed"]) == (503, "ledger-unavailable", None)
    assert took < LATEST * SLOW
    node.red("sealing")
    wait_for("another sealer", lambda: node.deployment.children("sealer-process") not in ([], [sealer]))
    node.green()


def test_a_lock_that_somebody_holds_is_noticed(node: Node) -> None:
    """A session that holds the sealing lock and does nothing turns every node red; calls are refused within a second."""
    with psycopg.connect(node.url) as held:
        held.execute("SELECT pg_advisory_xact_lock(%s)", (SEAL_LOCK,))
        reply, took = node.call()
        assert (reply.status, reply.slug) == (503, "ledger-unavailable")
        assert took < LATEST * SLOW
        assert node.red("database", 2 * SOON) or node.red("sealing")
        held.rollback()
    node.green()


def test_a_full_disk_is_noticed(node: Node) -> None:
    """The first call that cannot be sealed turns the node red, unbilled; when there is room again it is ready by itself."""
    with psycopg.connect(node.url, autocommit=True) as own:
        own.execute(FULL)
        reply, took = node.call()
        assert (reply.status, reply.slug, reply.document["billed"]) == (503, "ledger-unavailable", False)
        assert took < LATEST * SLOW
        assert "could not extend file" in node.red("sealing")
        own.execute("DROP FUNCTION full_disk CASCADE")
    node.green()


def test_a_door_whose_store_is_gone_is_noticed(node: Node) -> None:
    """Calls are refused within a second, /readyz is red, and the log says so once for each process, not for each call."""
    known = len(node.deployment.events())
    node.valkey.kill()
    node.red("door")
    time.sleep(1.1)  # what was taken of the store in advance holds for a second
    for _ in range(3):
        reply, took = node.call()
        assert (reply.status, reply.slug) == (503, "overloaded")
        assert took < LATEST * SLOW
    told = [
        event for event in node.deployment.events()[known:] if event["event"].startswith("the door's store does not")
    ]
    assert 1 <= len(told) <= node.deployment.workers
    node.valkey.start()
    node.green()


def test_checkpoints_that_cannot_be_written_are_noticed(node: Node) -> None:
    """A node whose checkpoint file can no longer be replaced is red until it can."""
    kept = node.deployment.directory / "ledger.checkpoint.public"
    kept.unlink()
    kept.mkdir()
    (kept / "in the way").touch()
    node.call()
    node.red("sealing", 3 * SOON)
    shutil.rmtree(kept)
    node.green()


def test_a_node_that_is_stopped_turns_red_first(node: Node) -> None:
    """Told to stop it is red and answers on; then nobody is let in, what is under way is finished, and it ends with 0."""
    deployment = node.deployment
    deployment.stop()
    text = deployment.config.read_text()
    deployment.config.write_text(text.replace("drain_seconds = 0", "drain_seconds = 4"))
    deployment.start()
    node.green()
    assert deployment.process is not None
    deployment.process.terminate()
    node.red("node")
    assert node.call()[0].status == 200
    assert deployment.process.wait(30) == 0
    with pytest.raises(ConnectionRefusedError):
        node.ready()
    deployment.config.write_text(text)
    deployment.start()
    node.green()
