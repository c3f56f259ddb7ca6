"""What is a resource server told of a token? `POST /oauth2/introspect`, RFC 7662 and RFC 9701."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet
from partner import ASSERTION_TYPE, Partner, jwt, merged

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

INTROSPECT, REVOKE = "/oauth2/introspect", "/oauth2/revoke"
SIGNED = "application/token-introspection+jwt"


def asked(partner: Partner, token: str | None, path: str = INTROSPECT, **headers: str) -> httpx.Response:
    base = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": partner.assertion(), "token": token}
    return partner.http.post(path, data=merged(base, None), headers=headers)


@pytest.fixture
def server(gateway: Any) -> Partner:
    """The demonstration's resource server."""
    partner: Partner = gateway.partner("resource-server")
    return partner


def told(server: Partner, token: str) -> dict[str, Any]:
    reply = asked(server, token)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json"), reply.text
    assert reply.headers["cache-control"] == "no-store"
    document: dict[str, Any] = reply.json()
    return document


def test_a_token_that_holds_is_told_with_its_claims(gateway, server) -> None:
    """Active, with issuer, audience, client, scope, times, binding, type and authorization details."""
    partner = gateway.new_partner("bpjs")
    details = [{"type": "nik_verification", "purposes": ["claim_eligibility"], "claims": ["name"]}]
    token = partner.token(authorization_details=json.dumps(details))
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    document = told(server, token)
    assert document.pop("active") is True
    assert document.pop("token_type") == "DPoP"
    assert document["cnf"]["jkt"]
    assert document["authorization_details"] == details
    assert document == {name: claims[name] for name in document}
    assert document.keys() == {
        "iss",
        "aud",
        "sub",
        "client_id",
        "jti",
        "iat",
        "exp",
        "scope",
        "cnf",
        "authorization_details",
    }


def test_the_signed_form_is_for_its_asker(gateway, server) -> None:
    """RFC 9701 §5: typ, iss, aud, iat and `token_introspection`, without `sub` and `exp` of its own; by a published key."""
    token = gateway.new_partner("bpjs").token()
    for accept in (SIGNED, f"application/json;q=0.5, {SIGNED}", f"{SIGNED};q=0.9, */*;q=0.1"):
        reply = asked(server, token, Accept=accept)
        assert (reply.status_code, reply.headers["content-type"]) == (200, SIGNED)
        keys = KeySet.import_key_set(gateway.http.get("/oauth2/jwks").json())
        metadata = gateway.http.get("/.well-known/oauth-authorization-server").json()
        read = joserfc_jwt.decode(reply.text, keys, algorithms=metadata["introspection_signing_alg_values_supported"])
        assert read.header["typ"] == "token-introspection+jwt"
        assert read.claims.keys() == {"iss", "aud", "iat", "token_introspection"}
        assert (read.claims["iss"], read.claims["aud"]) == (gateway.issuer, "resource-server")
        assert abs(read.claims["iat"] - time.time()) < 30
        assert read.claims["token_introspection"]["active"] is True
        assert read.claims["token_introspection"]["client_id"] == "bpjs"
    dead = asked(server, "x", Accept=SIGNED)
    payload = json.loads(base64.urlsafe_b64decode(dead.text.split(".")[1] + "=="))
    assert payload["token_introspection"] == {"active": False}


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", f"{SIGNED};q=0, application/json", f"{SIGNED};q=0.3, application/json"]
)
def test_json_is_what_others_get(gateway, server, accept: str) -> None:
    """Whoever does not ask for the signed form, or prefers the other, gets JSON (§4)."""
    reply = asked(server, gateway.new_partner("bpjs").token(), Accept=accept)
    assert (reply.headers["content-type"], reply.json()["active"]) == ("application/json", True)


def test_a_signed_answer_is_no_token(gateway, server) -> None:
    """What introspection signs is accepted neither as an access token nor as an assertion."""
    partner = gateway.new_partner("bpjs")
    signed = asked(server, partner.token(), Accept=SIGNED).text
    assert partner.call("GET", "/v1/usage", token=signed).status_code == 401
    assert told(server, signed) == {"active": False}
    assert partner.request_token({"client_assertion": signed}).status_code == 400


def test_a_dead_token_is_inactive_and_nothing_else(gateway, server) -> None:
    """Unknown, forged, tampered with, an assertion, and one that was revoked: `active: false` alone (RFC 7662 §2.2)."""
    partner = gateway.new_partner("bpjs")
    token = partner.token()
    header, claims, signature = token.split(".")
    now = int(time.time())
    forged = jwt({"typ": "at+jwt", "alg": "ES256"}, {"iss": gateway.issuer, "exp": now + 300}, partner.key)
    for text in ("x", "a.b.c", forged, f"{header}.{claims}.{signature[:-4]}AAAA", partner.assertion()):
        assert told(server, text) == {"active": False}
    assert told(server, token)["active"] is True
    assert asked(partner, token, REVOKE).status_code == 200
    for _ in range(6):  # with two workers both are met
        assert told(server, token) == {"active": False}


def test_a_mere_client_cannot_ask(gateway) -> None:
    """Not even about its own token (FAPI 2.0 Message Signing §6.2): `unauthorized_client`, and nothing of the token."""
    partner = gateway.new_partner("bpjs")
    token = partner.token()
    for one in (partner, gateway.partner("tax"), gateway.partner("auditor")):
        reply = asked(one, token)
        assert (reply.status_code, reply.json()["error"]) == (403, "unauthorized_client")
        assert "active" not in reply.text


def test_only_a_proven_resource_server_is_told(gateway, server) -> None:
    """The assertion's rules are the token endpoint's; one assertion serves once."""
    token = gateway.new_partner("bpjs").token()
    base = {"client_assertion_type": ASSERTION_TYPE, "token": token}
    bad = [
        server.assertion({"aud": [gateway.issuer]}),
        server.assertion({"aud": gateway.issuer + INTROSPECT}),
        server.assertion({"aud": gateway.issuer + "/oauth2/token"}),
        server.assertion({"iat": int(time.time()) + 70}),
        server.assertion({"nbf": int(time.time()) + 70}),
        server.assertion({"exp": int(time.time()) - 300}),
        server.assertion(key=gateway.partner("bpjs").key),
        "",
    ]
    for assertion in bad:
        reply = server.http.post(INTROSPECT, data={**base, "client_assertion": assertion})
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
        assert reply.headers["www-authenticate"]
    good = server.assertion({"iat": int(time.time()) + 8, "nbf": int(time.time()) + 8})
    replies = [server.http.post(INTROSPECT, data={**base, "client_assertion": good}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 401]


def test_a_bad_form_is_refused(gateway, server) -> None:
    """No token is `invalid_request`; anything but POST is 405."""
    reply = asked(server, None)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
    assert gateway.http.get(INTROSPECT).headers["allow"] == "POST"


def test_a_resource_server_gets_no_tokens(server) -> None:
    """It is registered to ask about tokens, not to have any."""
    for form in ({}, {"scope": "introspect"}, {"scope": "nik.verify"}):
        reply = server.request_token(form)
        assert (reply.status_code, reply.json()["error"]) == (400, "unauthorized_client")
