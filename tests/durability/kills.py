"""Does a node that is killed at a random moment, again and again, lose or invent anything? Round by round.

After each kill the entries that are new are read: they follow on those before, the head is their tree, every answer that a
partner holds is among them, and what is billed is what was answered. The whole log is checked every fifty rounds.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from admitting import any_log
from deployment import Deployment, Line, Partner, Reply, assert_sealed
from sqlalchemy import select

from gateway.clock import SystemClock
from gateway.config import read
from gateway.keyring.keys import b64u
from gateway.ledger.log.merkle import Frontier
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf
from gateway.store.sealing.tables import accounts

Held = list[tuple[dict[str, Any], Reply]]
CALLERS = 12
WHOLE_EVERY = 50
TOLD_EVERY = 10
BILLED = "pks-bpjs"


@dataclass(slots=True)
class Tally:
    """What was seen so far."""

    rounds: int = 0
    answers: int = 0  # that partners hold
    refused: int = 0
    cut: int = 0  # calls whose connection was lost
    entries: int = 0
    billed: int = 0
    frontier: Frontier = field(default_factory=Frontier)


async def ask_on(node: Deployment, partner: Partner, held: Held, enough: asyncio.Event, chance: random.Random) -> int:
    """Ask one question after another until it is enough, connecting anew whenever the connection is lost; how often it was."""
    cut = 0
    while not enough.is_set():
        try:
            line = await Line.to(node.port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        try:
            while not enough.is_set():
                question = partner.question(chance.choice(node.active))
                if chance.random() < 0.2:
                    question["claims"]["name"] = "NOBODY OF THAT NAME"
                held.append((question, await partner.verify(line, question)))
        except ConnectionError:
            cut += 1
        line.leave()
    return cut


async def load(
    node: Deployment, strike: Callable[[], Awaitable[None]], seconds: float, chance: random.Random
) -> tuple[Held, int]:
    """What callers hold after a load during which `strike` did its worst; it begins once there are answers.

    The load goes on for `seconds` after it.
    """
    partner = await Partner(node).log_in()
    held: Held = []
    enough = asyncio.Event()
    callers = [asyncio.create_task(ask_on(node, partner, held, enough, chance)) for _ in range(CALLERS)]
    async with asyncio.timeout(30):
        while not any(reply.status == 200 for _, reply in held):  # noqa: ASYNC110  a count
            await asyncio.sleep(0.01)
    await strike()
    await asyncio.sleep(seconds)
    enough.set()
    return held, sum(await asyncio.gather(*callers))


def kill_once(node: Deployment, tally: Tally, seed: str) -> None:
    """Start, load, kill at a random moment, and hold what is left against what partners hold. Raises AssertionError."""
    chance = random.Random(f"{seed}/{tally.rounds}")  # noqa: S311  chance that comes again
    moment = chance.uniform(0.0, 0.4)
    node.start()

    async def strike() -> None:
        await asyncio.sleep(moment)
        node.kill()

    held, cut = asyncio.run(load(node, strike, 0.0, chance))
    assert {reply.status for _, reply in held} <= {200, 429, 503}
    tally.cut += cut
    _hold(node, tally, held)
    tally.rounds += 1
    if tally.rounds % WHOLE_EVERY == 0:
        assert "sound" in node.command("ledger", "check")


def _hold(node: Deployment, tally: Tally, held: Held) -> None:
    database = Database(read(node.config).database_url, SystemClock(), any_log)
    leaves: dict[str, dict[str, Any]] = {}
    try:
        with LedgerOf(database).stretch() as (moment, pages):
            head = moment.head
            for page in pages(tally.frontier.size):
                for index, _, leaf, _ in page:
                    assert index == tally.frontier.size, "no entry is missing"
                    entry = sha256(b"\0" + leaf).digest()
                    tally.frontier.append([entry])
                    leaves[b64u(entry)] = json.loads(leaf)
        with database.reading() as connection:
            spent = connection.execute(select(accounts.c.month_spent).where(accounts.c.id == BILLED)).scalar()
    finally:
        database.close()
    assert (head.size, head.frontier) == (tally.frontier.size, bytes(tally.frontier)), (
        "the head is the tree of the entries"
    )
    for question, reply in held:
        if "entry" in reply.document:
            assert_sealed(leaves, question, reply.document)
            tally.answers += reply.status == 200
            tally.refused += reply.status != 200
    tally.entries = head.size
    tally.billed += sum(leaf["kind"] == "answer" and leaf["agreement"] == BILLED for leaf in leaves.values())
    assert (spent or 0) == tally.billed, "what is billed is what was answered, to the last one"


def kills(node: Deployment, first: int, rounds: int, seed: str, tell: Callable[[str, int], None]) -> Tally:
    """The rounds from `first` up to `rounds` on one deployment; `tell` hears words and how many rounds are done."""
    tally = Tally(first)
    while tally.rounds < rounds:
        try:
            kill_once(node, tally, seed)
        except BaseException as fault:
            tell(f"round {tally.rounds + 1} of {rounds}, seed {seed}: {type(fault).__name__}: {fault}", tally.rounds)
            raise
        if tally.rounds % TOLD_EVERY == 0 or tally.rounds == rounds:
            words = f"{tally.answers:,} answers and {tally.refused:,} refusals held, {tally.cut:,} calls cut"
            tell(f"{tally.rounds} kills, {words}, {tally.entries:,} entries, nothing lost", tally.rounds)
    assert "sound" in node.command("ledger", "check")
    return tally
