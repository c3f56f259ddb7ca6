"""Does a suspension hold from the next answer on, on every worker? Suspended from the command line under load."""

# Attacks held here:
#   test_suspension_holds_from_the_next_answer_on   a partner that was cut off and goes on asking, on a worker that may
#                                                   not have heard of it; one purpose; `resume` needs two persons

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from deployment import Deployment, Line, Partner, Reply

ELIGIBILITY, MEMBERSHIP = "claim_eligibility", "membership_registration"


@dataclass(frozen=True, slots=True)
class Seen:
    """One reply: by which worker, about which purpose, and when its call was sent."""

    worker: int
    purpose: str
    sent: float
    reply: Reply


async def _keep_asking(node: Deployment, partner: Partner, line: Line, seen: list[Seen], stop: asyncio.Event) -> None:
    worker, at = node.worker_of(line), 0
    while not stop.is_set():
        at += 1
        question = partner.question(node.active[at % 100], purpose=(ELIGIBILITY, MEMBERSHIP)[at % 2])
        sent = time.monotonic()
        seen.append(Seen(worker, question["purpose"], sent, await partner.verify(line, question)))
        await asyncio.sleep(0.01)
    line.leave()


async def _suspend_and_resume(node: Deployment) -> tuple[list[Seen], list[float]]:
    """What the partner saw, and the moments at which four commands had returned."""
    partner = await Partner(node).log_in()
    lines = await node.line_to_each_worker()
    seen: list[Seen] = []
    stop = asyncio.Event()
    loops = [asyncio.create_task(_keep_asking(node, partner, line, seen, stop)) for line in lines]
    moments: list[float] = []
    suspend: tuple[str, ...] = ("suspend", "pks-bpjs", "--reason", "breach", "--by", "Petugas Satu")
    resume: tuple[str, ...] = ("resume", "pks-bpjs", "--proposer", "Petugas Satu", "--approver", "Petugas Dua")
    for words in ((*suspend, "--purpose", ELIGIBILITY), resume, suspend, resume):
        await asyncio.to_thread(node.command, "agreements", *words)
        moments.append(time.monotonic())
        await asyncio.sleep(0.2)
    stop.set()
    await asyncio.gather(*loops)
    return seen, moments


def _purposes_answered(seen: list[Seen], worker: int, after: float, before: float) -> set[str]:
    """The purposes that a worker answered among calls sent in (after, before); it refused for one cause only."""
    replies = [one for one in seen if one.worker == worker and after < one.sent < before]
    assert replies, "every worker was asked in every phase"
    assert {one.reply.slug for one in replies} <= {"", "agreement-not-in-force"}
    return {one.purpose for one in replies if one.reply.status == 200}


def test_suspension_holds_from_the_next_answer_on(node: Deployment) -> None:
    """After the command has returned no worker answers the suspended purpose or agreement; after `resume` both do."""
    seen, (purpose_off, purpose_on, all_off, all_on) = asyncio.run(_suspend_and_resume(node))
    workers = {one.worker for one in seen}
    assert workers == set(node.children("worker-process"))
    soon = 0.2  # how long each phase lasts at least
    for worker in workers:
        assert _purposes_answered(seen, worker, purpose_off, purpose_off + soon) == {MEMBERSHIP}
        assert _purposes_answered(seen, worker, purpose_on, purpose_on + soon) == {ELIGIBILITY, MEMBERSHIP}
        assert _purposes_answered(seen, worker, all_off, all_off + soon) == set()
        assert _purposes_answered(seen, worker, all_on, all_on + soon) == {ELIGIBILITY, MEMBERSHIP}
    problem = next(one.reply.document for one in seen if one.sent > all_off and one.reply.slug)
    assert (problem["state"], problem["billed"]) == ("suspended", False)
    assert problem["restore"]
    node.command("agreements", "resume", "pks-bpjs", "--proposer", "Satu", "--approver", "satu", code=1)
    _assert_in_the_order_of_the_ledger(node)


def _assert_in_the_order_of_the_ledger(node: Deployment) -> None:
    """Between the entries of the last suspension and the last resumption there is no answer of that agreement."""
    leaves: list[dict[str, Any]] = list(node.ledger()[0].values())
    own = [leaf for leaf in leaves if leaf["agreement"] == "pks-bpjs"]
    changes = [at for at, leaf in enumerate(own) if leaf["kind"] == "agreement"]
    suspended, resumed = changes[-2:]
    assert "answer" not in {leaf["kind"] for leaf in own[suspended:resumed]}
    assert "answer" in {leaf["kind"] for leaf in own[:suspended]}
    assert "answer" in {leaf["kind"] for leaf in own[resumed:]}
