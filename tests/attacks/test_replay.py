"""Can something that was sent once be used again? On another worker, after a restart, or many times at once."""

# Attacks held here:
#   test_proof_serves_once_on_all_workers      a captured call sent again to another worker
#   test_proof_serves_once_however_parallel    the same proof raced over many connections
#   test_assertion_serves_once                 a captured token request sent again to another worker
#   test_nothing_serves_again_after_restart    both, hoping that a restart forgets

from __future__ import annotations

import asyncio

from deployment import SINGLE, Deployment, Line, Partner, Reply, jcs


async def _send(node: Deployment, path: str, headers: dict[str, str], body: bytes) -> Reply:
    line = await Line.to(node.port)
    reply = await line.ask("POST", path, headers, body)
    line.leave()
    return reply


def _refuses_proof(reply: Reply) -> bool:
    return (reply.status, reply.slug) == (401, "invalid-dpop-proof") and "DPoP" in reply.headers["www-authenticate"]


def test_proof_serves_once_on_all_workers(node: Deployment) -> None:
    """The same proof is answered by one worker and refused by the other, and by the first."""

    async def run() -> list[Reply]:
        partner = await Partner(node).log_in()
        lines = await node.line_to_each_worker()
        headers, body = partner.headers(), jcs(partner.question(node.active[0]))
        replies = [await line.ask("POST", SINGLE, headers, body) for line in [*lines, lines[0]]]
        for line in lines:
            line.leave()
        return replies

    first, *again = asyncio.run(run())
    assert first.status == 200
    assert all(_refuses_proof(reply) for reply in again)


def test_proof_serves_once_however_parallel(node: Deployment) -> None:
    """Of twenty calls at once with one proof exactly one is answered."""

    async def run() -> list[Reply]:
        partner = await Partner(node).log_in()
        headers, body = partner.headers(), jcs(partner.question(node.active[0]))
        return await asyncio.gather(*(_send(node, SINGLE, headers, body) for _ in range(20)))

    replies = asyncio.run(run())
    assert [reply.status for reply in replies].count(200) == 1
    assert sum(_refuses_proof(reply) for reply in replies) == 19


def test_assertion_serves_once(node: Deployment) -> None:
    """A client assertion gets one token, on one worker; even a fresh proof beside it gets no second one."""

    async def run() -> list[Reply]:
        partner = Partner(node)
        lines = await node.line_to_each_worker()
        headers, body = partner.token_request()
        fresh, _ = partner.token_request()
        replies = [await lines[0].ask("POST", "/oauth2/token", headers, body)]
        replies += [await line.ask("POST", "/oauth2/token", fresh, body) for line in lines]
        for line in lines:
            line.leave()
        return replies

    first, *again = asyncio.run(run())
    assert (first.status, first.document["token_type"]) == (200, "DPoP")
    assert {reply.status for reply in again} <= {400, 401}
    assert [reply.document["error"] for reply in again] == ["invalid_client"] * 2


def test_nothing_serves_again_after_restart(node: Deployment) -> None:
    """A proof and an assertion used before a restart are refused after it, while the token still holds."""
    partner = Partner(node)
    token_headers, token_body = partner.token_request()

    async def before() -> tuple[dict[str, str], bytes]:
        reply = await _send(node, "/oauth2/token", token_headers, token_body)
        partner.token = reply.document["access_token"]
        headers, body = partner.headers(), jcs(partner.question(node.active[0]))
        assert (await _send(node, SINGLE, headers, body)).status == 200
        return headers, body

    async def after(headers: dict[str, str], body: bytes) -> tuple[Reply, Reply, Reply]:
        fresh, _ = partner.token_request()
        return (
            await _send(node, SINGLE, headers, body),
            await _send(node, "/oauth2/token", fresh, token_body),
            await _send(node, SINGLE, partner.headers(), body),
        )

    sent = asyncio.run(before())
    node.stop()
    node.start()
    proof, assertion, fresh = asyncio.run(after(*sent))
    assert _refuses_proof(proof)
    assert assertion.document["error"] == "invalid_client"
    assert fresh.status == 200
