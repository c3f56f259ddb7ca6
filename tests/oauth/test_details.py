"""Rich authorization (RFC 9396): what a token may be bound to, and what it is then worth."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from holders import BASE, NOW, HandClock, Holder

from gateway.clock import SystemEntropy
from gateway.keyring import Job, MacKey, SigningKey
from gateway.keyring import file as key_files
from gateway.oauth import assertion
from gateway.oauth.access_token import AccessTokens, Details, claim_bounds
from gateway.oauth.client import Client
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.jose import parse_key
from gateway.oauth.token_endpoint import PATH, Grant, TokenEndpoint

EC = Holder("EC")
DPOP = Holder("EC", "dpop")
CLIENT = Client("bank-1", "bank", "private_key_jwt", {EC.kid: parse_key(EC.public)}, frozenset({"nik.verify"}))
KEY = key_files.parse(key_files.new(Job.TOKEN, 1, SystemEntropy()))
assert isinstance(KEY, SigningKey)
TOKENS = AccessTokens(BASE, BASE + "/v1", KEY, [KEY.public_jwk])
AGREED = {"account_opening": {"name", "birth_date", "sex"}, "credit_application": {"name", "mother_name"}}
TYPE = "nik_verification"


def ask(details: object) -> Grant:
    """What the endpoint decides when it is asked with these details, as JSON or as they are."""
    checker = ProofChecker(BASE, HandClock(), MacKey(Job.NONCE, 1, bytes(32)))
    endpoint = TokenEndpoint(BASE, BASE + "/v1", TOKENS, checker, HandClock(), SystemEntropy())
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": assertion.TYPE,
        "client_assertion": EC.assertion("bank-1"),
        "authorization_details": details if isinstance(details, str) else json.dumps(details),
    }
    return endpoint.grant(form, [DPOP.proof(htu=BASE + PATH)], CLIENT, AGREED)


GRANTED: list[list[dict[str, Any]]] = [
    [{"type": TYPE, "purposes": ["account_opening"]}],
    [{"type": TYPE, "purposes": ["account_opening"], "claims": ["name"]}],
    [{"type": TYPE, "purposes": ["account_opening", "credit_application"], "claims": ["mother_name", "sex"]}],
    [
        {"type": TYPE, "purposes": ["account_opening"], "claims": ["sex"]},
        {"type": TYPE, "purposes": ["credit_application"]},
    ],
]


@pytest.mark.parametrize("details", GRANTED)
def test_what_was_agreed_is_granted_and_echoed(details: list[dict[str, Any]]) -> None:
    """The response echoes exactly what was asked, and the token holds it (§7, §9.1)."""
    grant = ask(details)
    assert grant.status == 200, grant.body
    assert grant.body["authorization_details"] == details
    found = TOKENS.verify(grant.body["access_token"], NOW)
    assert msgspec.to_builtins(found.claims.authorization_details) == details
    assert found.purposes == {name for one in details for name in one["purposes"]}


REFUSED: dict[str, object] = {
    "no JSON": "no json",
    "an object": {"type": TYPE, "purposes": ["account_opening"]},
    "empty": [],
    "null": None,
    "of texts": [TYPE],
    "no type": [{"purposes": ["account_opening"]}],
    "unknown type": [{"type": "payment", "purposes": ["account_opening"]}],
    "one of two unknown": [
        {"type": TYPE, "purposes": ["account_opening"]},
        {"type": "x", "purposes": ["account_opening"]},
    ],
    "unknown field": [{"type": TYPE, "purposes": ["account_opening"], "actions": ["verify"]}],
    "no purposes": [{"type": TYPE}],
    "empty purposes": [{"type": TYPE, "purposes": []}],
    "one of two without purposes": [
        {"type": TYPE, "purposes": ["account_opening"]},
        {"type": TYPE, "claims": ["name"]},
    ],
    "purposes a text": [{"type": TYPE, "purposes": "account_opening"}],
    "purposes null": [{"type": TYPE, "purposes": None}],
    "purposes of numbers": [{"type": TYPE, "purposes": [1]}],
    "purpose not agreed": [{"type": TYPE, "purposes": ["vaccination"]}],
    "one of two purposes not agreed": [{"type": TYPE, "purposes": ["account_opening", "vaccination"]}],
    "empty claims": [{"type": TYPE, "purposes": ["account_opening"], "claims": []}],
    "claims null": [{"type": TYPE, "purposes": ["account_opening"], "claims": None}],
    "claims a text": [{"type": TYPE, "purposes": ["account_opening"], "claims": "name"}],
    "claim not agreed": [{"type": TYPE, "purposes": ["account_opening"], "claims": ["name", "religion"]}],
    "claim of another purpose": [{"type": TYPE, "purposes": ["account_opening"], "claims": ["mother_name"]}],
    "deep": "[" * 5_000,
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_was_not_agreed_is_refused(what: str) -> None:
    """`invalid_authorization_details`, and no token (§5)."""
    grant = ask(REFUSED[what])
    assert (grant.status, grant.body["error"], grant.token) == (400, "invalid_authorization_details", None)


def test_without_details_a_token_is_bound_to_none() -> None:
    """An empty parameter is one that was not sent (RFC 6749 §3.2): the token is worth the agreement."""
    checker = ProofChecker(BASE, HandClock(), MacKey(Job.NONCE, 1, bytes(32)))
    endpoint = TokenEndpoint(BASE, BASE + "/v1", TOKENS, checker, HandClock(), SystemEntropy())
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": assertion.TYPE,
        "client_assertion": EC.assertion("bank-1"),
    }
    grant = endpoint.grant(form, [DPOP.proof(htu=BASE + PATH)], CLIENT, AGREED)
    assert "authorization_details" not in grant.body
    assert TOKENS.verify(grant.body["access_token"], NOW).purposes is None


def test_claims_bind_their_own_purpose_alone() -> None:
    """What one object grants for its purposes widens no other; named without claims, a purpose has no bound but the agreement."""
    one = Details(TYPE, ["account_opening"], ["name"])
    other = Details(TYPE, ["credit_application"], ["mother_name"])
    more = Details(TYPE, ["account_opening"], ["sex"])
    free = Details(TYPE, ["account_opening"])
    assert claim_bounds([one, other]) == {"account_opening": {"name"}, "credit_application": {"mother_name"}}
    assert claim_bounds([one, more]) == {"account_opening": {"name", "sex"}}
    assert claim_bounds([one, free]) == claim_bounds([free]) == {}
    assert claim_bounds([free, other]) == {"credit_application": {"mother_name"}}
