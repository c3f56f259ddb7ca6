"""Is every answer that a partner holds in the ledger, whenever the gateway is killed? Real processes and disks."""

# Attacks and accidents held here:
#   test_whole_node_killed, test_dozens_of_kills, test_a_thousand_kills   power cut: an answer that left has its entry, billed once
#   test_one_process_killed                                a worker or the sealer dies: the node mends itself

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from admitting import any_log
from deployment import HOUSE, Deployment, Line, Partner, Reply, assert_sealed, fresh_database, wait_for
from durability.forge import ForgedDeployment
from durability.kills import Held, kills, load
from sqlalchemy import select

from gateway.clock import SystemClock
from gateway.config import read
from gateway.store.base.engine import Database
from gateway.store.sealing.tables import accounts

CHANCE = random.Random()  # noqa: S311  which one does not matter
_UNAVAILABLE = {"ledger-unavailable", "register-unavailable"}


@pytest.fixture(params=["sqlite", "postgresql"])
def node(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A deployment that is not running yet: SQLite with one worker, PostgreSQL (fsync on) with two."""
    if request.param == "sqlite":
        deployment = Deployment()
        yield deployment
        deployment.close()
        return
    with fresh_database(request.getfixturevalue("durable_postgresql_server")) as url:
        deployment = Deployment(url, workers=2)
        yield deployment
        deployment.close()


def _assert_nothing_lost(node: Deployment, held: Held) -> None:
    leaves, _ = node.ledger()
    for question, reply in held:
        if "entry" in reply.document:
            assert_sealed(leaves, question, reply.document)
    answered = sum(leaf["kind"] == "answer" and leaf["agreement"] == "pks-bpjs" for leaf in leaves.values())
    database = Database(read(node.config).database_url, SystemClock(), any_log)
    with database.reading() as connection:
        spent = connection.execute(select(accounts.c.month_spent).where(accounts.c.id == "pks-bpjs")).scalar_one()
    database.close()
    assert spent == answered, "what is billed is what was answered, to the last one"


def _kill_rounds(node: Deployment, rounds: int) -> None:
    held: Held = []
    node.start()
    for _ in range(rounds):
        moment = CHANCE.uniform(0.0, 0.6)

        async def strike(moment: float = moment) -> None:
            await asyncio.sleep(moment)
            node.kill()

        got, _ = asyncio.run(load(node, strike, 0.05, CHANCE))
        assert {reply.status for _, reply in got} <= {200, 429, 503}
        held += got
        node.start()
        _assert_nothing_lost(node, held)
    assert "sound" in node.command("ledger", "check")
    node.stop()


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_whole_node_killed(node: Deployment) -> None:
    """After SIGKILL of the whole process group at a random moment under load every answer held is in a sound ledger."""
    _kill_rounds(node, 3)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("engine", "workers"), [("sqlite", 1), ("postgresql", 2)])
def test_dozens_of_kills(request: pytest.FixtureRequest, engine: str, workers: int) -> None:
    """Twelve times on each database: every answer held is sealed and billed once."""
    with ExitStack() as stack:
        server = "" if engine == "sqlite" else request.getfixturevalue("durable_postgresql_server")
        node = ForgedDeployment(stack.enter_context(fresh_database(server)) if server else "", workers)
        stack.callback(node.close)
        kills(node, 0, 12, secrets.token_hex(4), lambda words, _: sys.stdout.write(f"{words}\n"))


@pytest.mark.prove
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_thousand_kills(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], engine: str, workers: int
) -> None:
    """A thousand times in all, over both databases and one and two workers: every answer held is sealed and billed once."""
    # KILLS=200 makes fewer; KILLS_SEED=… goes on where a proof of that seed was broken off.
    rounds, case = int(os.environ.get("KILLS", "1000")) // 4, f"{engine}, workers: {workers}"
    seed = os.environ.get("KILLS_SEED") or secrets.token_hex(4)
    record = HOUSE / "var" / "kills" / f"{seed}.json"
    record.parent.mkdir(parents=True, exist_ok=True)

    def tell(words: str, done: int) -> None:
        record.write_text(json.dumps(_done(record) | {case: done}))
        with capsys.disabled():
            sys.stdout.write(f"\n{case}, seed {seed}: {words}")
            sys.stdout.flush()

    with ExitStack() as stack:
        server = "" if engine == "sqlite" else request.getfixturevalue("durable_postgresql_server")
        node = ForgedDeployment(stack.enter_context(fresh_database(server)) if server else "", workers)
        stack.callback(node.close)
        kills(node, _done(record).get(case, 0), rounds, seed, tell)


def _done(record: Path) -> dict[str, int]:
    return dict(json.loads(record.read_text())) if record.exists() else {}


@pytest.mark.timeout(300)
def test_one_process_killed(durable_postgresql_server: str) -> None:
    """A worker, then the sealer, killed under load are started again by the node; nothing is lost or billed twice."""
    with fresh_database(durable_postgresql_server) as url:
        node = Deployment(url, workers=2)
        try:
            node.start()

            async def strike() -> None:
                for kind in ("worker-process", "sealer-process"):
                    await asyncio.sleep(0.4)
                    victim = node.children(kind)[0]
                    known = len(node.events())
                    os.kill(victim, signal.SIGKILL)
                    await asyncio.to_thread(wait_for, f"another {kind}", lambda known=known: _came_back(node, known))
                    assert victim not in node.children(kind)

            held, _ = asyncio.run(load(node, strike, 0.3, CHANCE))
            refused = [reply.document for _, reply in held if reply.status == 503]
            assert {reply.status for _, reply in held} <= {200, 429, 503}
            for problem in refused:
                assert problem["type"].rpartition("/")[2] in _UNAVAILABLE
                assert problem["retryable"] is True
                assert problem["billed"] is None or ("entry" not in problem and problem["billed"] is False)
            _assert_nothing_lost(node, held)
            last = asyncio.run(_one(node))
            assert last.status == 200
            assert "sound" in node.command("ledger", "check")
            node.stop()
        finally:
            node.close()


def _came_back(node: Deployment, known: int) -> bool:
    return any(event["event"] in {"started", "sealing"} for event in node.events()[known:])


async def _one(node: Deployment) -> Reply:
    partner = await Partner(node).log_in()
    line = await Line.to(node.port)
    reply = await partner.verify(line, partner.question(node.active[0]))
    line.leave()
    return reply
