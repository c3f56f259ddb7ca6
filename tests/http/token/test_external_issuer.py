"""Is a partner served that comes with a token of another authorization server? With the same binding, and no more rights."""

from __future__ import annotations

from typing import Any

import pytest
from contract import refused
from joserfc.jwk import import_key
from other_issuer import OtherIssuer
from partner import Partner
from served import Gateway

USAGE = "/v1/usage"


@pytest.fixture
def partner(strict_gateway: Gateway) -> Partner:
    """Whoever holds the proof key; it never asks our own token endpoint."""
    return strict_gateway.new_partner("bpjs")


def made(gateway: Gateway, other: OtherIssuer, partner: Partner, **claims: Any) -> str:
    """A token of the other issuer, bound to the partner's proof key."""
    return other.token(f"{gateway.issuer}/v1", import_key(partner.proof_key.jwk).thumbprint(), **claims)


def call(partner: Partner, token: str, method: str = "GET", path: str = USAGE, body: object = None) -> Any:
    """A call with the nonce that the gateway wants."""
    reply = partner.call(method, path, body, token=token)
    if "dpop-nonce" not in reply.headers:
        return reply
    proof = partner.proof(method, path, token, {"nonce": reply.headers["dpop-nonce"]})
    return partner.call(method, path, body, token=token, proofs=[proof])


def test_its_token_asks_for_our_partner(strict_gateway, other_issuer, partner) -> None:
    """It is answered, and charged, as the client that it stands for."""
    token = made(strict_gateway, other_issuer, partner)
    question = strict_gateway.question("bpjs", strict_gateway.resident())
    answered = call(partner, token, "POST", "/v1/verifications", question)
    assert (answered.status_code, answered.json().get("usable")) == (200, True), answered.text
    agreements = call(partner, token).json()["agreements"]
    assert [one["agreement"] for one in agreements] == ["pks-bpjs"]
    metadata = strict_gateway.http.get("/.well-known/oauth-protected-resource/v1").json()
    assert metadata["authorization_servers"] == [strict_gateway.issuer, other_issuer.issuer]


def test_it_is_bound_as_our_own_are(strict_gateway, other_issuer, partner) -> None:
    """Another's proof, no binding at all, and the scheme Bearer are refused."""
    token = made(strict_gateway, other_issuer, partner)
    thief = strict_gateway.new_partner("tax")
    assert call(thief, token).status_code == 401
    assert call(partner, made(strict_gateway, other_issuer, partner, cnf=...)).status_code == 401
    assert partner.call("GET", USAGE, token=token, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_it_opens_nothing_else(strict_gateway, other_issuer, partner) -> None:
    """A stranger's client, and scopes of staff."""
    assert call(partner, made(strict_gateway, other_issuer, partner, client_id="stranger")).status_code == 401
    token = made(strict_gateway, other_issuer, partner, client_id="their-auditor", scope="audit.read nik.verify")
    refused(call(partner, token), "insufficient-scope", strict_gateway.issuer)


def test_our_introspection_knows_nothing_of_it(strict_gateway, other_issuer, partner) -> None:
    """It is not ours to tell about (RFC 7662 §2.2)."""
    server = strict_gateway.partner("resource-server")
    form = {"token": made(strict_gateway, other_issuer, partner), "client_assertion": server.assertion()}
    form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert server.http.post("/oauth2/introspect", data=form).json() == {"active": False}
