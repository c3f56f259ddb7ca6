"""What the token endpoint decides: RFC 6749 with FAPI 2.0's rules, before anything is sealed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from holders import BASE, NOW, HandClock, Holder

from gateway.clock import SECOND, SystemEntropy
from gateway.keyring import Job, MacKey, SigningKey
from gateway.keyring import file as key_files
from gateway.oauth import assertion, metadata
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.client import SCOPES, Client
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.jose import ALGORITHMS, parse_key
from gateway.oauth.token_endpoint import PATH, Grant, TokenEndpoint

EC = Holder("EC")
DPOP = Holder("EC", "dpop")
CLIENT = Client("bank-1", "bank", "private_key_jwt", {EC.kid: parse_key(EC.public)}, frozenset({"nik.verify"}))
STAFF = Client(
    "staff-1", "dukcapil", "private_key_jwt", CLIENT.keys, frozenset({"partners.read", "partners.write", "partners.approve"}),
)  # fmt: skip
KEY = key_files.parse(key_files.new(Job.TOKEN, 1, SystemEntropy()))
assert isinstance(KEY, SigningKey)
TOKENS = AccessTokens(BASE, BASE + "/v1", KEY, [KEY.public_jwk])


def endpoint(*, nonce: bool = False) -> TokenEndpoint:
    checker = ProofChecker(BASE, HandClock(), MacKey(Job.NONCE, 1, bytes(32)), nonce_required=nonce)
    return TokenEndpoint(BASE, BASE + "/v1", TOKENS, checker, HandClock(), SystemEntropy())


def form(client: Client = CLIENT, **fields: Any) -> dict[str, str]:
    whole = {
        "grant_type": "client_credentials",
        "client_assertion_type": assertion.TYPE,
        "client_assertion": EC.assertion(client.client_id),
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def proof() -> list[str]:
    return [DPOP.proof(htu=BASE + PATH)]


def ask(client: Client | None = CLIENT, dpop: list[str] | None = None, **fields: Any) -> Grant:
    return endpoint().grant(form(client or CLIENT, **fields), proof() if dpop is None else dpop, client)


def refused(grant: Grant) -> str:
    assert (grant.status, grant.token) in {(400, None), (401, None)}
    assert set(grant.body) <= {"error", "error_description"}
    return str(grant.body["error"])


def test_a_client_gets_a_token_bound_to_its_proof() -> None:
    """At most 300 seconds, for the resource, with every scope of the client; both proofs are to be used up."""
    grant = ask()
    assert grant.status == 200
    assert grant.token is not None
    assert {name: grant.body[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "DPoP", "expires_in": 300, "scope": "nik.verify",
    }  # fmt: skip
    found = TOKENS.verify(grant.body["access_token"], NOW).claims
    assert found == grant.token
    assert (found.client_id, found.sub, found.partner) == ("bank-1", "bank-1", "bank")
    assert (found.iat, found.exp) == (NOW // SECOND, NOW // SECOND + 300)
    assert found.cnf.jkt == DPOP.thumbprint
    assert [one.kind for one in grant.proofs] == ["assertion", "dpop"]


def test_two_tokens_have_two_ids() -> None:
    """The jti of a token is chance."""
    first, second = (ask().token for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.jti != second.jti


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": ...}, "unsupported_grant_type"),
        ({"client_assertion": ...}, "invalid_client"),
        ({"client_assertion_type": ...}, "invalid_client"),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, "invalid_client"),
        ({"client_assertion": "a.b.c"}, "invalid_client"),
        ({"client_assertion": EC.assertion("tax-1")}, "invalid_client"),
        ({"client_assertion": Holder("EC", "thief").assertion("bank-1")}, "invalid_client"),
        ({"client_id": "tax-1"}, "invalid_client"),
        ({"scope": "nik.verify audit.read"}, "invalid_scope"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"resource": "https://other.example/v1"}, "invalid_target"),
        ({"resource": BASE}, "invalid_target"),
        ({"authorization_details": "{"}, "invalid_authorization_details"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"payment","purposes":["x"]}]'}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"nik_verification"}]'}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"nik_verification","purposes":["x"],"nik":1}]'}, "invalid_authorization_details"),
    ],
)  # fmt: skip
def test_every_rule_has_its_error(fields: dict[str, Any], error: str) -> None:
    """Those of RFC 6749 §5.2, RFC 8707 and RFC 9396; nothing is issued and nothing is to be sealed as a token."""
    assert refused(ask(**fields)) == error


THIEF = Holder("EC", "thief")
SUSPENDED = replace(CLIENT, suspended=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"client_assertion": THIEF.assertion("bank-1")},
        {"client_assertion": THIEF.assertion("bank-1", {"kid": EC.kid})},
        {"client_assertion": THIEF.assertion("bank-1", {"kid": ...})},
        {"client_assertion": Holder("RSA", "thief").assertion("bank-1", {"kid": EC.kid})},
        {"client_assertion": THIEF.assertion("bank-1", {"kid": EC.kid}, aud="https://other.example")},
        {"client_assertion": THIEF.assertion("bank-1", {"kid": EC.kid}, exp=1)},
        {"client_assertion": THIEF.assertion("bank-1", {"typ": "at+jwt"})},
        {"client_assertion": THIEF.assertion("bank-1", exp="soon")},
        {"client_assertion": THIEF.assertion("bank-1"), "client_id": "tax-1"},
        {"client_assertion": THIEF.assertion("bank-1"), "client_id": "bank-1", "scope": "everything"},
        {"client_assertion": "a.b.c"},
        {"client_assertion_type": ...},
    ],
)
def test_nobody_learns_who_is_registered_or_suspended(fields: dict[str, Any]) -> None:
    """Without a key of the client every word of the refusal is the same, whether there is such a client or not."""
    known, unknown, suspended = ask(**fields), ask(client=None, **fields), ask(client=SUSPENDED, **fields)
    assert (known.status, known.body) == (unknown.status, unknown.body) == (suspended.status, suspended.body)
    assert refused(known) == "invalid_client"


def test_a_suspended_client_is_told_so_once_its_key_has_signed() -> None:
    """It gets no token, and its assertion is not used up."""
    told = ask(client=SUSPENDED)
    assert refused(told) == "invalid_client"
    assert "suspended" in told.body["error_description"]
    assert told.proofs == ()
    assert told.body != ask(client=SUSPENDED, client_assertion=THIEF.assertion("bank-1")).body


@pytest.mark.parametrize("dpop", [[], ["x"], proof() * 2, [DPOP.proof()], [DPOP.proof(htu=BASE + PATH, htm="GET")]])
def test_no_token_without_a_proof(dpop: list[str]) -> None:
    """There are no tokens that are bound to nothing."""
    assert refused(ask(dpop=dpop)) == "invalid_dpop_proof"


def test_a_nonce_is_asked_for() -> None:
    """Where it is demanded: RFC 9449 §8."""
    assert refused(endpoint(nonce=True).grant(form(), proof(), CLIENT)) == "use_dpop_nonce"


def test_purposes_bound_the_token_and_are_echoed() -> None:
    """RFC 9396 §7."""
    details = [{"type": "nik_verification", "purposes": ["account_opening"], "claims": ["name"]}]
    grant = ask(authorization_details=json.dumps(details))
    assert grant.body["authorization_details"] == details
    assert TOKENS.verify(grant.body["access_token"], NOW).purposes == {"account_opening"}


def test_proposing_and_approving_never_go_in_one_token() -> None:
    """A person who may do both asks for one at a time."""
    assert refused(ask(STAFF)) == "invalid_scope"
    assert refused(ask(STAFF, scope="partners.write partners.approve")) == "invalid_scope"
    assert ask(STAFF, scope="partners.write partners.read").body["scope"] == "partners.read partners.write"


def test_the_claimed_client_is_found_before_trust() -> None:
    """By the assertion's subject, else by client_id; rubbish claims nobody."""
    assert TokenEndpoint.claimed_client(form()) == "bank-1"
    assert TokenEndpoint.claimed_client({"client_id": "bank-1"}) == "bank-1"
    assert TokenEndpoint.claimed_client({"client_assertion": "é"}) == ""


def test_metadata_says_what_is_so() -> None:
    """RFC 8414 and RFC 9728: issuer, endpoints, algorithms and scopes are those of the code."""
    server, resource = metadata.authorization_server(BASE), metadata.protected_resource(BASE)
    assert server["issuer"] == BASE
    assert server["token_endpoint"] == BASE + PATH
    assert server["token_endpoint_auth_signing_alg_values_supported"] == list(ALGORITHMS)
    assert server["dpop_signing_alg_values_supported"] == list(ALGORITHMS)
    assert resource["resource"] == BASE + "/v1"
    assert resource["authorization_servers"] == [BASE]
    assert server["scopes_supported"] == resource["scopes_supported"] == list(SCOPES)
