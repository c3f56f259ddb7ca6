"""Does what was taken away stay away, and what was rewritten stay there? On every worker, and after a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from deployment import Deployment, Line, Partner, Reply, command

from gateway.clock import SystemClock, SystemEntropy
from nik_gateway_client.proofs import ASSERTION_TYPE, client_assertion

CLOCK, ENTROPY = SystemClock(), SystemEntropy()


@pytest.fixture
def node() -> Iterator[Deployment]:
    """A deployment of a test's own, with two workers, that the test itself starts."""
    deployment = Deployment(workers=2)
    try:
        yield deployment
        deployment.stop()
    finally:
        deployment.close()


async def _on_every_worker(node: Deployment, partner: Partner, purpose: str) -> list[Reply]:
    lines = await node.line_to_each_worker()
    replies = [await partner.verify(line, partner.question(node.active[0], purpose=purpose)) for line in lines]
    for line in lines:
        line.leave()
    assert len({reply.status for reply in replies}) == 1, "workers disagree"
    return replies


async def _one(node: Deployment, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
    line = await Line.to(node.port)
    reply = await line.ask(method, path, headers, body)
    line.leave()
    return reply


def revoke(node: Deployment, partner: Partner, token: str) -> None:
    """`POST /oauth2/revoke`."""
    assertion = client_assertion(partner.key, partner.client_id, partner.base, CLOCK.now(), ENTROPY)
    form = {"token": token, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert asyncio.run(_one(node, "POST", "/oauth2/revoke", kind, urlencode(form).encode())).status == 200


def new_tokens(node: Deployment, partner: Partner) -> int:
    """The status of a token request."""
    return asyncio.run(_one(node, "POST", "/oauth2/token", *partner.token_request())).status


def kid_of(partner: Partner) -> str:
    """The kid of a partner's one key."""
    path = partner.deployment.directory / "partners" / partner.client_id / "key.jwk"
    return str(json.loads(path.read_text())["kid"])


@pytest.mark.timeout(300)
def test_what_was_taken_away_stays_away(node: Deployment) -> None:
    """A revoked token, a suspended client's and a removed key's: refused by every worker before and after a restart."""
    node.start()
    purposes = {"bpjs": "claim_eligibility", "bank": "account_opening", "small": "account_opening"}
    partners = {client_id: Partner(node, client_id) for client_id in purposes}
    for partner in partners.values():
        asyncio.run(partner.log_in())
        assert {
            reply.status for reply in asyncio.run(_on_every_worker(node, partner, purposes[partner.client_id]))
        } == {200}
    other = asyncio.run(Partner(node, "bpjs").log_in())
    revoke(node, partners["bpjs"], partners["bpjs"].token)
    node.command("partners", "suspend-client", "bank", "--reason", "key_compromised", "--by", "Petugas Satu")
    node.command("partners", "remove-key", "small", kid_of(partners["small"]), "--by", "Petugas Satu")

    def assert_away() -> None:
        for client_id, partner in partners.items():
            replies = asyncio.run(_on_every_worker(node, partner, purposes[client_id]))
            assert [(reply.status, reply.slug) for reply in replies] == [(401, "invalid-token")] * node.workers, (
                client_id
            )
        assert {reply.status for reply in asyncio.run(_on_every_worker(node, other, purposes["bpjs"]))} == {200}
        assert [new_tokens(node, partners[client_id]) for client_id in ("bpjs", "bank", "small")] == [200, 400, 400]

    assert_away()
    node.stop()
    node.start()
    assert_away()


def keys(node: Deployment, *words: str, code: int = 0) -> str:
    """A `keys` command about this deployment's keys and database."""
    config = () if words[0] == "rotate" else ("--config", str(node.config))
    left, printed = command("keys", *words, "--keys", str(node.directory / "keys"), *config)
    assert left == code, printed
    return printed


def rows(node: Deployment, job: str) -> dict[int, int]:
    """Version → how many rows need it, as `keys list` counts."""
    listed = json.loads(keys(node, "list", "--json"))["keys"]
    return {row["version"]: row["rows"] for row in listed if row["job"] == job}


async def _ask_on(node: Deployment, partner: Partner, seen: list[Reply], stop: asyncio.Event) -> None:
    line, at = await Line.to(node.port), 0
    while not stop.is_set():
        seen.append(await partner.verify(line, partner.question(node.active[at % len(node.active)])))
        at += 1
    line.leave()


async def _rekey_under_load(node: Deployment, partner: Partner) -> tuple[list[Reply], dict[str, Any]]:
    seen: list[Reply] = []
    stop = asyncio.Event()
    loops = [asyncio.create_task(_ask_on(node, partner, seen, stop)) for _ in range(2)]
    await asyncio.sleep(0.2)
    printed = await asyncio.to_thread(node.command, "register", "rekey", "--by", "C. Operator", "--json")
    await asyncio.sleep(0.2)
    stop.set()
    await asyncio.gather(*loops)
    return seen, json.loads(printed)


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_the_register_comes_under_new_keys_while_it_is_read(node: Deployment) -> None:
    """Everybody is found all the while; then the old keys go, and a repeat of before still gets its answer."""
    node.start()
    partner = asyncio.run(Partner(node).log_in())
    once = {"idempotency-key": '"before-the-rotation"'}
    question = partner.question(node.active[3])
    first = asyncio.run(_repeated(node, partner, question, once))
    node.stop()
    for job in ("index", "claims", "idempotency"):
        keys(node, "rotate", "--job", job)
        assert rows(node, job)[1] == (1 if job == "idempotency" else 1000)
    node.start()
    asyncio.run(partner.log_in())
    assert asyncio.run(_repeated(node, partner, question, once)).document == first.document
    other = partner.question(node.active[4])
    assert asyncio.run(_repeated(node, partner, other, once)).slug == "idempotency-conflict"
    seen, told = asyncio.run(_rekey_under_load(node, partner))
    assert len(seen) > 20
    assert [reply.document for reply in seen if reply.status != 200 or not reply.document["usable"]] == []
    assert (told["index"], told["claims"], told["rewritten"], told["left"]) == (2, 2, 1000, 0)
    for job in ("index", "claims"):
        assert rows(node, job) == {1: 0, 2: 1000}
        keys(node, "retire", "--job", job, "--version", "1")
    keys(node, "retire", "--job", "idempotency", "--version", "1", code=1)  # a repeat of today still needs it
    node.stop()
    node.start()
    asyncio.run(partner.log_in())
    assert asyncio.run(_repeated(node, partner, question, once)).document == first.document
    replies = asyncio.run(_on_every_worker(node, partner, "claim_eligibility"))
    assert [reply.document["usable"] for reply in replies] == [True, True]
    assert "rekey" in {leaf["kind"] for leaf in node.ledger()[0].values()}


async def _repeated(node: Deployment, partner: Partner, question: dict[str, Any], once: dict[str, str]) -> Reply:
    line = await Line.to(node.port)
    reply = await partner.verify(line, question, **once)
    line.leave()
    return reply
