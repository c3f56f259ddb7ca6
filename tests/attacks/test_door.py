"""Can a flood keep others out? The door's limits on real workers that count together on Valkey."""

# Attacks held here:
#   test_failures_of_an_address_are_limited        guessing tokens, under ever new X-Forwarded-For, over all workers
#   test_spoofed_client_does_not_drain_its_victim  calling in a victim's name to use up the victim's limit
#   test_calls_of_a_client_are_limited             one identified client that floods
#   test_door_fails_closed                         switching the counter off to get in

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
import servers
from deployment import SINGLE, Deployment, Line, Partner, Reply, deployed

from nik_gateway_client.keys import PrivateKey

FAILURES, CALLS = 30, 40


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Valkey]:
    """A Valkey of this module's own: one test takes it away."""
    server = servers.Valkey(tmp_path_factory.mktemp("valkey") / "server")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def guarded(counter: servers.Valkey) -> Iterator[Deployment]:
    """A gateway of two workers whose door lets little through and counts on Valkey; each test has own addresses."""
    rate_limiter = f'[door]\nstore = "{counter.url}"\nfailures = "{FAILURES}/hour"\ncalls = "{CALLS}/hour"\n'
    with deployed(workers=2, settings=rate_limiter) as deployment:
        yield deployment


async def _lines(node: Deployment, address: str) -> list[Line]:
    """Connections from an address, to both workers."""
    held: dict[int, Line] = {}
    while len(held) < node.workers:
        line = await Line.to(node.port, address)
        await line.ask("GET", "/healthz", {})
        if held.setdefault(node.worker_of(line), line) is not line:
            line.leave()
    return list(held.values())


def _told(replies: list[Reply]) -> Counter[str]:
    return Counter(reply.slug or str(reply.document.get("error", reply.status)) for reply in replies)


def test_failures_of_an_address_are_limited(guarded: Deployment) -> None:
    """An address fails so often and no more, over both workers and whatever it was forwarded for; others go on."""

    async def run() -> tuple[list[Reply], Reply]:
        lines = await _lines(guarded, "127.0.0.2")
        headers = {"authorization": "DPoP guess", "content-type": "application/json"}
        replies = [
            await lines[at % 2].ask("POST", SINGLE, headers | {"x-forwarded-for": f"198.51.100.{at}"}, b"{}")
            for at in range(FAILURES + 10)
        ]
        partner = await Partner(guarded, "tax", "taxpayer_registration").log_in()
        other = await Line.to(guarded.port, "127.0.0.3")
        answer = await partner.verify(other, partner.question(guarded.active[0]))
        for line in [*lines, other]:
            line.leave()
        return replies, answer

    replies, answer = asyncio.run(run())
    assert _told(replies) == {"invalid-token": FAILURES, "rate-exceeded": 10}
    assert {reply.status for reply in replies[FAILURES:]} == {429}
    assert all(0 < int(reply.headers["retry-after"]) <= 3600 for reply in replies[FAILURES:])
    assert answer.status == 200


def test_spoofed_client_does_not_drain_its_victim(guarded: Deployment) -> None:
    """Assertions and proofs in a victim's name under another key count against the address they come from only."""

    async def run() -> tuple[list[Reply], list[Reply]]:
        spoof = Partner(guarded, "bank", "account_opening")
        spoof.key = PrivateKey.load(guarded.directory / "partners" / "small" / "key.jwk")
        lines = await _lines(guarded, "127.0.0.4")
        spoofed = [spoof.token_request() for _ in range(FAILURES + 5)]
        replies = [await lines[at % 2].ask("POST", "/oauth2/token", *one) for at, one in enumerate(spoofed)]
        victim = await Partner(guarded, "bank", "account_opening").log_in()
        own = await _lines(guarded, "127.0.0.5")
        answers = [await victim.verify(own[at % 2], victim.question(guarded.active[at])) for at in range(CALLS - 1)]
        for line in [*lines, *own]:
            line.leave()
        return replies, answers

    replies, answers = asyncio.run(run())
    assert _told(replies) == {"invalid_client": FAILURES, "temporarily_unavailable": 5}
    assert replies[-1].status == 429
    assert int(replies[-1].headers["retry-after"]) > 0
    assert {reply.status for reply in answers} == {200}, "the victim had its whole limit (its token was one call of it)"


def test_calls_of_a_client_are_limited(guarded: Deployment) -> None:
    """An identified client makes so many calls and no more, over both workers and from whichever address."""

    async def run() -> list[Reply]:
        partner = await Partner(guarded).log_in()
        lines = await _lines(guarded, "127.0.0.6") + await _lines(guarded, "127.0.0.7")
        replies = [await partner.verify(lines[at % 4], partner.question(guarded.active[at])) for at in range(CALLS + 9)]
        for line in lines:
            line.leave()
        return replies

    replies = asyncio.run(run())
    assert _told(replies) == {"200": CALLS - 1, "rate-exceeded": 10}
    assert all(int(reply.headers["retry-after"]) > 0 for reply in replies if reply.status == 429)


def test_door_fails_closed(guarded: Deployment, counter: servers.Valkey) -> None:
    """Without the counter nobody gets in, not even a partner; with it back everybody does, without a restart."""

    async def ask(partner: Partner) -> tuple[Reply, Reply]:
        line = await Line.to(guarded.port, "127.0.0.8")
        answer = await partner.verify(line, partner.question(guarded.active[0]))
        token = await line.ask("POST", "/oauth2/token", *partner.token_request())
        line.leave()
        return answer, token

    partner = Partner(guarded, "small", "account_opening")
    asyncio.run(partner.log_in())
    counter.kill()
    answer, token = asyncio.run(ask(partner))
    assert (answer.status, answer.slug, answer.document["retryable"]) == (503, "overloaded", True)
    assert int(answer.headers["retry-after"]) >= 1
    assert (token.status, token.document["error"]) == (503, "temporarily_unavailable")
    counter.start()
    answer, token = asyncio.run(ask(partner))
    assert (answer.status, token.status) == (200, 200)
