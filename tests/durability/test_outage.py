"""What happens while the database is away or busy? Refusals that can be retried, and no restart of the gateway."""

# Accidents held here:
#   test_postgresql_goes_and_comes_back   the database is stopped under load, a worker dies meanwhile, it comes back
#   test_sqlite_is_locked_for_a_while     another program writes to the SQLite file for a moment
#   test_sqlite_is_locked_for_long        … for longer than the gateway waits (make prove)

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
import servers
from deployment import Deployment, Line, Partner, Reply, assert_sealed, deployed, wait_for

from gateway.cli.serve import TRY_AGAIN

UNAVAILABLE = {"register-unavailable", "ledger-unavailable", "overloaded"}
Held = list[tuple[dict[str, Any], Reply]]


class Load:
    """Callers that ask until told to stop; they keep what they were told."""

    def __init__(self, node: Deployment, partner: Partner) -> None:
        self.node, self.partner = node, partner
        self.held: Held = []
        self._enough = asyncio.Event()
        self._callers = [asyncio.create_task(self._ask_on()) for _ in range(6)]

    async def _ask_on(self) -> None:
        while not self._enough.is_set():
            line = await Line.to(self.node.port)
            with suppress(ConnectionError):
                while not self._enough.is_set():
                    question = self.partner.question(self.node.active[len(self.held) % len(self.node.active)])
                    self.held.append((question, await self.partner.verify(line, question)))
                    await asyncio.sleep(0.005)
            line.leave()

    async def until(self, status: int, times: int = 20) -> None:
        """Wait until so many further calls were answered with `status`."""
        async with asyncio.timeout(40):
            before = len(self.held)
            while sum(reply.status == status for _, reply in self.held[before:]) < times:  # noqa: ASYNC110  a count
                await asyncio.sleep(0.02)

    async def end(self) -> None:
        """Stop asking."""
        self._enough.set()
        await asyncio.gather(*self._callers)


def _assert_told_well(held: Held) -> None:
    for _, reply in held:
        assert reply.status in {200, 503}
        if reply.status == 503:
            assert reply.slug in UNAVAILABLE
            assert reply.document["retryable"] is True
            assert reply.document["billed"] in {None, False}
            assert int(reply.headers["retry-after"]) >= 1


def _assert_nothing_lost(node: Deployment, held: Held) -> None:
    leaves, _ = node.ledger()
    for question, reply in held:
        if "entry" in reply.document:
            assert_sealed(leaves, question, reply.document)


async def _status(node: Deployment, path: str) -> int:
    line = await Line.to(node.port)
    reply = await line.ask("GET", path, {})
    line.leave()
    return reply.status


async def _outage(node: Deployment, server: servers.Postgresql) -> Held:
    load = Load(node, await Partner(node).log_in())
    await load.until(200)
    before = {kind: set(node.children(kind)) for kind in ("worker-process", "sealer-process")}
    await asyncio.to_thread(server.stop)
    await load.until(503)
    assert await _status(node, "/healthz") == 200
    assert await _status(node, "/readyz") == 503
    line = await Line.to(node.port)
    refused = await line.ask("POST", "/oauth2/token", *Partner(node).token_request())
    line.leave()
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    await asyncio.to_thread(server.start)
    await load.until(200)
    assert {kind: set(node.children(kind)) for kind in before} == before, "no process had to be started again"
    await load.end()
    async with asyncio.timeout(10):  # the first to ask may meet a connection from before
        while await _status(node, "/readyz") != 200:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.1)
    return load.held


async def _worker_dies_meanwhile(node: Deployment, server: servers.Postgresql) -> None:
    """A worker and the sealer die while the database is away: the node keeps trying until it is back."""
    await asyncio.to_thread(server.stop)
    known = len(node.events())
    victims = [*node.children("sealer-process"), node.children("worker-process")[0]]
    for victim in victims:
        os.kill(victim, signal.SIGKILL)

    def tried_in_vain() -> bool:
        ended = [event for event in node.events()[known:] if event["event"] == "a process has ended"]
        return {event["process"] for event in ended if event["code"] == TRY_AGAIN} >= {"sealer"}

    await asyncio.to_thread(wait_for, "the sealer to try again", tried_in_vain)
    assert "cannot be reached" in await asyncio.to_thread(node.command, "ledger", "check", code=2)
    await asyncio.to_thread(server.start)
    assert node.process is not None
    assert node.process.poll() is None, "the node goes on"
    load = Load(node, await _logged_in(node))
    await load.until(200)
    await load.end()
    await asyncio.to_thread(wait_for, "both workers", lambda: len(node.children("worker-process")) == 2)


async def _logged_in(node: Deployment) -> Partner:
    async with asyncio.timeout(30):
        while True:
            with suppress(AssertionError, OSError):
                return await Partner(node).log_in()
            await asyncio.sleep(0.1)


@pytest.mark.timeout(300)
def test_postgresql_goes_and_comes_back(own_postgresql: servers.Postgresql) -> None:
    """With PostgreSQL away callers get a retryable 503; with it back they are answered, by the same processes."""
    with deployed(own_postgresql.url, workers=2) as node:
        held = asyncio.run(_outage(node, own_postgresql))
        _assert_told_well(held)
        _assert_nothing_lost(node, held)
        asyncio.run(_worker_dies_meanwhile(node, own_postgresql))
        assert "sound" in node.command("ledger", "check")


@pytest.fixture(scope="module")
def small_node() -> Iterator[Deployment]:
    """A running gateway of one worker on SQLite."""
    with deployed() as node:
        yield node


async def _locked(node: Deployment, seconds: float) -> Held:
    load = Load(node, await Partner(node).log_in())
    await load.until(200)
    with closing(sqlite3.connect(node.directory / "gateway.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(seconds)
        other.execute("COMMIT")
    await load.until(200)
    await load.end()
    return load.held


def test_sqlite_is_locked_for_a_while(small_node: Deployment) -> None:
    """While another program writes to the file calls wait or get 503; afterwards all goes on, nothing is lost."""
    held = asyncio.run(_locked(small_node, 0.7))
    _assert_told_well(held)
    _assert_nothing_lost(small_node, held)


@pytest.mark.prove
def test_sqlite_is_locked_for_long(small_node: Deployment) -> None:
    """Whoever waited longer than the gateway does is told that the ledger is unavailable, with nothing billed."""
    held = asyncio.run(_locked(small_node, 13))
    _assert_told_well(held)
    assert "ledger-unavailable" in {reply.slug for _, reply in held}
    _assert_nothing_lost(small_node, held)
