"""Conformance module 2: does all go well when a client does all well? And what two clients may not do to each other."""

from __future__ import annotations

import base64
import math
from collections import Counter
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from contract import refused
from partner import Partner

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

TOKEN, USAGE = "/oauth2/token", "/v1/usage"
LEAST = {"EC": 256, "RSA": 2048, "OKP": 256}


def bits(text: str) -> float:
    """The entropy of a text as the conformance suite measures it: Shannon's, over its own characters."""
    counts = Counter(text)
    return -len(text) * sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def test_the_servers_keys_are_sound(gateway) -> None:
    """Each has a kid of its own and is long enough; no key is private, none is symmetric."""
    for path in ("/oauth2/jwks", "/keys"):
        keys = gateway.http.get(path).json()["keys"]
        assert keys
        assert len({key["kid"] for key in keys}) == len(keys)
        for key in keys:
            number = key["n"] if key["kty"] == "RSA" else key["x"]
            assert len(base64.urlsafe_b64decode(number + "==")) * 8 >= LEAST[key["kty"]]
            assert not {"d", "k", "x5u"} & key.keys()


def test_a_token_response_is_what_it_should_be(gateway) -> None:
    """JSON, not to be kept; type DPoP, a lifetime, no refresh and no ID token; of 128 bits and more."""
    reply = gateway.new_partner("bpjs").request_token()
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    body: dict[str, Any] = reply.json()
    assert body["token_type"] == "DPoP"
    assert 0 < body["expires_in"] <= 300
    assert not body.keys() & {"refresh_token", "id_token"}
    assert len(body["access_token"]) * 6 >= 128
    assert bits(body["access_token"]) >= 96


def test_two_clients_are_served_side_by_side(gateway) -> None:
    """Each with its own key and token, in turn."""
    clients = [gateway.new_partner(name) for name in ("bpjs", "bank")]
    for _ in range(2):
        for one in clients:
            assert one.call("GET", USAGE).status_code == 200


def test_one_clients_token_is_useless_to_the_other(gateway) -> None:
    """With the other's proof key it is refused, and with an assertion of the other's making no token is had."""
    mine, other = gateway.new_partner("bpjs"), gateway.new_partner("tax")
    token = other.token()
    refused(mine.call("GET", USAGE, token=token), "invalid-token", gateway.issuer, identified=False)
    reply = mine.request_token({"client_assertion": other.assertion({"iss": "bpjs", "sub": "bpjs"})})
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    "accept", ["application/json", "application/json;charset=utf-8", "application/json, */*;q=0.1", "*/*", None]
)
def test_a_resource_answers_whatever_is_accepted(gateway, accept: str | None) -> None:
    """200 with `Date` and JSON, for any `Accept` that leaves room for JSON, and for none."""
    partner: Partner = gateway.partner("bpjs")
    reply = partner.call("GET", USAGE, headers={"Accept": accept})
    assert reply.status_code == 200
    assert parsedate_to_datetime(reply.headers["date"])
    assert reply.headers["content-type"] == "application/json"
    body = gateway.question("bpjs", gateway.resident())
    reply = partner.call("POST", "/v1/verifications", body, headers={"Accept": accept})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
