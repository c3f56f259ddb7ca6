"""Where the gateway demands nonces: is every proof one that could not have been made in advance? RFC 9449 §8 and §9."""

from __future__ import annotations

import httpx
import pytest
from contract import refused
from partner import ASSERTION_TYPE, Partner
from served import Gateway

TOKEN, USAGE = "/oauth2/token", "/v1/usage"


@pytest.fixture
def partner(strict_gateway: Gateway) -> Partner:
    """A client that has no nonce yet."""
    return strict_gateway.new_partner("bpjs")


def with_nonce(partner: Partner, nonce: str) -> httpx.Response:
    return partner.request_token(proofs=[partner.proof("POST", TOKEN, "", {"nonce": nonce})])


def first_nonce(partner: Partner) -> str:
    reply = partner.request_token()
    assert (reply.status_code, reply.json()["error"]) == (400, "use_dpop_nonce")
    nonce: str = reply.headers["dpop-nonce"]
    return nonce


def test_the_token_endpoint_demands_a_nonce_and_gives_it(partner) -> None:
    """Without one: 400 `use_dpop_nonce` with `DPoP-Nonce`; with it a token, and the next nonce beside it (§8.2)."""
    reply = with_nonce(partner, first_nonce(partner))
    assert reply.status_code == 200
    assert with_nonce(partner, reply.headers["dpop-nonce"]).status_code == 200


def test_the_resource_demands_a_nonce_and_gives_it(strict_gateway, partner) -> None:
    """401 with the challenge `use_dpop_nonce`; a 2xx brings the next one (§9); verifications too."""
    token = with_nonce(partner, first_nonce(partner)).json()["access_token"]
    reply = partner.call("GET", USAGE, token=token)
    refused(reply, "use-dpop-nonce", strict_gateway.issuer, identified=False)
    assert 'error="use_dpop_nonce"' in reply.headers["www-authenticate"]
    nonce = reply.headers["dpop-nonce"]
    question = strict_gateway.question("bpjs", strict_gateway.resident())
    for method, path, body in (("GET", USAGE, None), ("POST", "/v1/verifications", question)):
        proof = partner.proof(method, path, token, {"nonce": nonce})
        reply = partner.call(method, path, body, token=token, proofs=[proof])
        assert reply.status_code == 200, reply.text
        nonce = reply.headers["dpop-nonce"]


def test_an_assertion_survives_the_demand(partner) -> None:
    """Being sent back for a nonce uses up no assertion."""
    form = {"client_assertion": partner.assertion(), "client_assertion_type": ASSERTION_TYPE}
    nonce = partner.request_token(form).headers["dpop-nonce"]
    reply = partner.request_token(form, proofs=[partner.proof("POST", TOKEN, "", {"nonce": nonce})])
    assert reply.status_code == 200


@pytest.mark.parametrize("nonce", ["", "x", "A" * 28])
def test_no_other_nonce_will_do(partner, nonce: str) -> None:
    """What was not given is answered with what is."""
    reply = with_nonce(partner, nonce)
    assert (reply.status_code, reply.json()["error"]) == (400, "use_dpop_nonce")
    assert reply.headers["dpop-nonce"]


def test_without_the_demand_no_answer_brings_one(sqlite_gateway) -> None:
    """Where nonces are not demanded, a client is not led to think so."""
    assert "dpop-nonce" not in sqlite_gateway.new_partner("bpjs").request_token().headers
    assert "dpop-nonce" not in sqlite_gateway.partner("bpjs").call("GET", USAGE).headers
