"""What a resource server is told, and in which form (RFC 7662, RFC 9701)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from holders import BASE, NOW, HandClock, Holder

from gateway.clock import SECOND, SystemEntropy
from gateway.keyring import Job, MacKey, SigningKey
from gateway.keyring import file as key_files
from gateway.oauth import assertion
from gateway.oauth.access_token import AccessTokens, Confirmation, Details, TokenClaims
from gateway.oauth.client import INTROSPECT, SCOPES, Client
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.introspection import MEDIA_TYPE, Introspections, describe, wants_jwt
from gateway.oauth.jose import parse_key, take_apart
from gateway.oauth.token_endpoint import Grant, TokenEndpoint

EC = Holder("EC")
SERVER = Client("rs-1", "dukcapil", "private_key_jwt", {EC.kid: parse_key(EC.public)}, frozenset({INTROSPECT}))
KEY = key_files.parse(key_files.new(Job.TOKEN, 1, SystemEntropy()))
assert isinstance(KEY, SigningKey)
TOKENS = AccessTokens(BASE, BASE + "/v1", KEY, [KEY.public_jwk])
T = NOW // SECOND


def claims(**members: Any) -> TokenClaims:
    base = {
        "iss": BASE,
        "aud": BASE + "/v1",
        "sub": "bank-1",
        "client_id": "bank-1",
        "jti": "t",
        "iat": T,
        "exp": T + 300,
    }
    bound = Confirmation(jkt=EC.thumbprint)
    return TokenClaims(**{**base, "scope": "nik.verify", "cnf": bound, "partner": "bank", "key": "k", **members})


def endpoint() -> Introspections:
    checker = ProofChecker(BASE, HandClock(), MacKey(Job.NONCE, 1, bytes(32)))
    server = TokenEndpoint(BASE, BASE + "/v1", TOKENS, checker, HandClock(), SystemEntropy())
    assert isinstance(KEY, SigningKey)
    return Introspections(BASE, server, TOKENS, KEY, HandClock())


def ask(token: str, client: Client | None = SERVER) -> Grant:
    form = {"client_assertion_type": assertion.TYPE, "client_assertion": EC.assertion("rs-1")}
    return endpoint().decide({**form, "token": token} if token else form, client)


def test_a_resource_server_finds_a_token() -> None:
    """The claims of a token of this issuer; none for anything else."""
    assert ask(TOKENS.issue(claims())).token == claims()
    for token in (TOKENS.issue(claims(exp=T)), TOKENS.issue(claims(iss="https://else.example")), "x", "a.b.c"):
        grant = ask(token)
        assert (grant.status, grant.token) == (200, None)
    assert ask("").body["error"] == "invalid_request"


@pytest.mark.parametrize("scope", SCOPES)
def test_no_other_client_does(scope: str) -> None:
    """Whatever else it may do."""
    mere = Client("rs-1", "bank", "private_key_jwt", SERVER.keys, frozenset({scope}))
    grant = ask(TOKENS.issue(claims()), mere)
    assert (grant.status, grant.body["error"], grant.token) == (403, "unauthorized_client", None)


def test_introspection_is_no_scope_of_a_token() -> None:
    """Nobody can ask for it: it is a matter of registration."""
    assert INTROSPECT not in SCOPES


def test_what_is_told_are_the_standards_members() -> None:
    """No member of ours; `cnf` and token type by the binding (RFC 9449 §6.2, RFC 8705 §3.2)."""
    details = [Details("nik_verification", ["account_opening"], ["name"])]
    document = describe(claims(authorization_details=details))
    assert (document["token_type"], document["cnf"]) == ("DPoP", {"jkt": EC.thumbprint})
    assert document["authorization_details"] == [
        {"type": "nik_verification", "purposes": ["account_opening"], "claims": ["name"]}
    ]
    assert not document.keys() & {"partner", "key", "username"}
    certificate = describe(claims(cnf=Confirmation(x5t="y")))
    assert (certificate["token_type"], certificate["cnf"]) == ("Bearer", {"x5t#S256": "y"})
    assert "authorization_details" not in certificate


def test_the_signed_form() -> None:
    """Header and claims of RFC 9701 §5, by the key that signs tokens."""
    jws, _ = take_apart(endpoint().sign({"active": False}, "rs-1").decode())
    assert isinstance(KEY, SigningKey)
    jws.verify(parse_key(KEY.public_jwk))
    assert jws.header == {"typ": "token-introspection+jwt", "alg": KEY.alg, "kid": KEY.kid}
    assert msgspec.json.decode(jws.payload) == {
        "iss": BASE, "aud": "rs-1", "iat": T, "token_introspection": {"active": False},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "signed"),
    [
        ("", False), ("*/*", False), ("application/*", False), ("application/json", False), (MEDIA_TYPE, True),
        (MEDIA_TYPE.upper(), True), (f"{MEDIA_TYPE}, application/json", True), (f"{MEDIA_TYPE};q=0", False),
        (f"{MEDIA_TYPE};q=0.5, application/json", False), (f"{MEDIA_TYPE};q=0.5, application/json;q=0.4", True),
        (f"{MEDIA_TYPE};q=x", False), (f"{MEDIA_TYPE};q=2", False), (f"{MEDIA_TYPE}; charset=utf-8", True), ("," * 9_000, False),
    ],
)  # fmt: skip
def test_the_form_is_the_askers_choice(accept: str, signed: bool) -> None:  # noqa: FBT001
    """RFC 9110 §12.5.1: the signed form where it is named, and JSON is not preferred."""
    assert wants_jwt(accept) is signed
