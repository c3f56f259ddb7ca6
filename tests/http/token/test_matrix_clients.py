"""Conformance modules 4 to 13: whom does each endpoint take for the client that it says it is?

What the suite asks at the token endpoint is asked here of all three endpoints, and what it asks at PAR alone as well.
"""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
import pytest
from partner import ASSERTION_TYPE, Partner, merged

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

PATHS = {"token": "/oauth2/token", "revoke": "/oauth2/revoke", "introspect": "/oauth2/introspect"}
GOOD: dict[str, dict[str, Any]] = {
    "iat 8 s ahead": {"iat": 8, "exp": 68},
    "nbf 8 s ahead": {"nbf": 8},
    "both 8 s ahead": {"iat": 8, "nbf": 8, "exp": 68},
}
BAD: dict[str, dict[str, Any]] = {
    "exp five minutes ago": {"iat": -360, "exp": -300},
    "iat 61 s ahead": {"iat": 62, "exp": 120},
    "nbf 61 s ahead": {"nbf": 62},
    "no sub": {"sub": None},
    "no iss": {"iss": None},
    "no exp": {"exp": None},
    "no jti": {"jti": None},
    "no aud": {"aud": None},
}
AUDIENCES: dict[str, str | list[str]] = {
    "array of the issuer": ["{issuer}"],
    "array of both": ["{issuer}", "{issuer}{path}"],
    "array with the endpoint": ["{issuer}{path}"],
    "the endpoint itself": "{issuer}{path}",
    "the token endpoint": "{issuer}/oauth2/token",
    "with a slash": "{issuer}/",
    "another": "https://else.example",
}


def asked(partner: Partner, where: str, assertion: str | None, **form: str) -> httpx.Response:
    """The reply of an endpoint to a request that is right but for its assertion."""
    base = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    if where == "token":
        return partner.request_token({**base, **form})
    return partner.http.post(PATHS[where], data=merged({**base, "token": "x", **form}, None))


def client(gateway: Any, where: str) -> Partner:
    """Whoever may call an endpoint."""
    partner: Partner = gateway.partner("resource-server" if where == "introspect" else "bpjs")
    return partner


def timed(claims: dict[str, Any]) -> dict[str, Any]:
    now = int(time.time())
    return {name: now + value if isinstance(value, int) else value for name, value in claims.items()}


def denied(reply: httpx.Response, *errors: str) -> None:
    """400, or 401 with `invalid_client` alone; JSON, and a description of the characters that RFC 6749 §5.2 allows."""
    body = reply.json()
    assert body["error"] in (errors or ("invalid_client",)), reply.text
    assert reply.status_code == 400 or (reply.status_code, body["error"]) == (401, "invalid_client")
    assert reply.headers["content-type"] == "application/json"
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*", body.get("error_description", ""))
    assert not body.keys() - {"error", "error_description", "error_uri"}


@pytest.mark.parametrize("where", PATHS)
@pytest.mark.parametrize("what", GOOD)
def test_a_clock_a_little_ahead_is_forgiven(gateway, where: str, what: str) -> None:
    """FAPI 2.0 §5.3.2.1 (13): up to 10 seconds must be, at every endpoint."""
    partner = client(gateway, where)
    assert asked(partner, where, partner.assertion(timed(GOOD[what]))).status_code == 200


@pytest.mark.parametrize("where", PATHS)
@pytest.mark.parametrize("what", BAD)
def test_an_assertion_out_of_time_or_not_whole_is_refused(gateway, where: str, what: str) -> None:
    """Modules 11 and 13, and more: each by itself, at every endpoint."""
    partner = client(gateway, where)
    denied(asked(partner, where, partner.assertion(timed(BAD[what]))), "invalid_client", "invalid_request")


@pytest.mark.parametrize("where", PATHS)
@pytest.mark.parametrize("what", AUDIENCES)
def test_only_the_issuer_as_a_string_is_the_audience(gateway, where: str, what: str) -> None:
    """Module 12, and FAPI 2.0 §5.3.2.1 (8) to the letter, at every endpoint."""
    partner = client(gateway, where)
    made, words = AUDIENCES[what], {"issuer": gateway.issuer, "path": PATHS[where]}
    audience = made.format_map(words) if isinstance(made, str) else [each.format_map(words) for each in made]
    denied(asked(partner, where, partner.assertion({"aud": audience})))


@pytest.mark.parametrize("where", PATHS)
def test_nobody_signs_for_another(gateway, where: str) -> None:
    """Module 7: another client's id or assertion, with one's own key or the other way round."""
    partner, other = client(gateway, where), gateway.partner("tax")
    own, theirs = partner.client_id, other.client_id
    denied(asked(partner, where, other.assertion({"iss": own, "sub": own}, {"kid": partner.jwk["kid"]})))
    denied(asked(partner, where, partner.assertion({"iss": theirs, "sub": theirs}, {"kid": other.jwk["kid"]})))
    denied(asked(partner, where, partner.assertion(), client_id=theirs), "invalid_client", "invalid_request")


@pytest.mark.parametrize("where", PATHS)
def test_rs256_is_refused(gateway, where: str) -> None:
    """Module 9: by the very RSA key that is registered."""
    bank = gateway.partner("bank")
    denied(asked(bank, where, bank.assertion(header={"alg": "RS256"})))


@pytest.mark.parametrize("where", PATHS)
def test_without_an_assertion_nobody_is_a_client(gateway, where: str) -> None:
    """Module 10: none, an empty one, a bare client id, a secret."""
    partner = client(gateway, where)
    for form in ({}, {"client_id": partner.client_id}, {"client_id": partner.client_id, "client_secret": "x"}):
        denied(asked(partner, where, None, **form), "invalid_client", "invalid_request")
    denied(asked(partner, where, ""), "invalid_client", "invalid_request")


def test_without_a_proof_there_is_no_token(gateway) -> None:
    """Module 8: 400 and one of three errors."""
    reply = gateway.partner("bpjs").request_token(proofs=[])
    assert reply.status_code == 400
    denied(reply, "invalid_request", "invalid_grant", "invalid_dpop_proof")
