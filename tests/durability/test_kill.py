"""Is every answer that a partner holds in the ledger, whenever the gateway is killed? Real processes and disks."""

# Attacks and accidents held here:
#   test_whole_node_killed, test_whole_node_killed_often   power cut: an answer that left has its entry, billed once
#   test_one_process_killed                                a worker or the sealer dies: the node mends itself

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from deployment import Deployment, Line, Partner, Reply, assert_sealed, fresh_database, wait_for
from sqlalchemy import select

from gateway.clock import SystemClock
from gateway.config import read
from gateway.store.engine import Database
from gateway.store.tables import accounts

Held = list[tuple[dict[str, Any], Reply]]
CALLERS = 12
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


async def _ask_on(node: Deployment, partner: Partner, held: Held, enough: asyncio.Event) -> None:
    """Ask one question after another until it is enough, connecting anew whenever the connection is lost."""
    while not enough.is_set():
        try:
            line = await Line.to(node.port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        with suppress(ConnectionError):
            while not enough.is_set():
                question = partner.question(random.choice(node.active))  # noqa: S311  which one does not matter
                if random.random() < 0.2:  # noqa: S311
                    question["claims"]["name"] = "NOBODY OF THAT NAME"
                held.append((question, await partner.verify(line, question)))
        line.leave()


async def _load(node: Deployment, strike: Callable[[], Awaitable[None]], seconds: float) -> Held:
    """What callers hold after a load during which `strike` did its worst; it begins once there are answers.

    The load goes on for `seconds` after it.
    """
    partner = await Partner(node).log_in()
    held: Held = []
    enough = asyncio.Event()
    callers = [asyncio.create_task(_ask_on(node, partner, held, enough)) for _ in range(CALLERS)]
    async with asyncio.timeout(30):
        while not any(reply.status == 200 for _, reply in held):  # noqa: ASYNC110  a count
            await asyncio.sleep(0.01)
    await strike()
    await asyncio.sleep(seconds)
    enough.set()
    await asyncio.gather(*callers)
    return held


def _assert_nothing_lost(node: Deployment, held: Held) -> None:
    leaves, _ = node.ledger()
    for question, reply in held:
        if "entry" in reply.document:
            assert_sealed(leaves, question, reply.document)
    answered = sum(leaf["kind"] == "answer" and leaf["agreement"] == "pks-bpjs" for leaf in leaves.values())
    database = Database(read(node.config).database_url, SystemClock())
    with database.reading() as connection:
        spent = connection.execute(select(accounts.c.month_spent).where(accounts.c.id == "pks-bpjs")).scalar_one()
    database.close()
    assert spent == answered, "what is billed is what was answered, to the last one"


def _kill_rounds(node: Deployment, rounds: int) -> None:
    held: Held = []
    node.start()
    for _ in range(rounds):
        moment = random.uniform(0.0, 0.6)  # noqa: S311

        async def strike(moment: float = moment) -> None:
            await asyncio.sleep(moment)
            node.kill()

        got = asyncio.run(_load(node, strike, 0.05))
        assert {reply.status for _, reply in got} <= {200, 429, 503}
        held += got
        node.start()
        _assert_nothing_lost(node, held)
    assert "sound" in node.command("ledger", "check")
    node.stop()


@pytest.mark.timeout(300)
def test_whole_node_killed(node: Deployment) -> None:
    """After SIGKILL of the whole process group at a random moment under load every answer held is in a sound ledger."""
    _kill_rounds(node, 3)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_whole_node_killed_often(node: Deployment) -> None:
    """Twenty kills of one deployment, one after another, lose nothing either."""
    _kill_rounds(node, 20)


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

            held = asyncio.run(_load(node, strike, 0.3))
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
