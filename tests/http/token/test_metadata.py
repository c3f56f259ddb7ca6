"""What may any OAuth client rely on before its first call? RFC 8414, RFC 9728, RFC 7517, FAPI 2.0 §5.3.2.1 (1)."""

from __future__ import annotations

from typing import Any

import pytest

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

ALGORITHMS = {"ES256", "PS256", "EdDSA", "Ed25519"}
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def told(gateway: Any, path: str) -> dict[str, Any]:
    reply = gateway.http.get(path)
    assert (reply.status_code, reply.headers["content-type"].split(";")[0]) == (200, "application/json")
    document: dict[str, Any] = reply.json()
    return document


def test_the_authorization_server_says_what_it_does(gateway) -> None:
    """RFC 8414: the issuer as configured, every required member, client credentials alone, FAPI's algorithms alone."""
    document = told(gateway, "/.well-known/oauth-authorization-server")
    assert document["issuer"] == gateway.issuer
    assert document["token_endpoint"] == f"{gateway.issuer}/oauth2/token"
    assert document["jwks_uri"] == f"{gateway.issuer}/oauth2/jwks"
    assert document["grant_types_supported"] == ["client_credentials"]
    assert document["response_types_supported"] == []
    assert "private_key_jwt" in document["token_endpoint_auth_methods_supported"]
    assert not {"none", "client_secret_basic", "client_secret_post", "client_secret_jwt"} & set(
        document["token_endpoint_auth_methods_supported"]
    )
    assert (
        {"ES256", "PS256", "EdDSA"} <= set(document["token_endpoint_auth_signing_alg_values_supported"]) <= ALGORITHMS
    )
    assert {"ES256", "PS256", "EdDSA"} <= set(document["dpop_signing_alg_values_supported"]) <= ALGORITHMS
    assert document["authorization_details_types_supported"] == ["nik_verification"]
    assert document["protected_resources"] == [f"{gateway.issuer}/v1"]
    scopes = {"nik.verify", "register.feed", "register.diagnose", "audit.read", "audit.note"}
    assert scopes | {"partners.read", "partners.write", "partners.approve"} <= set(document["scopes_supported"])


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/v1"])
def test_the_resource_says_whose_tokens_it_takes(gateway, path: str) -> None:
    """RFC 9728: the resource, its authorization server, tokens in the header only and bound by DPoP."""
    document = told(gateway, path)
    assert document["resource"] == f"{gateway.issuer}/v1"
    assert document["authorization_servers"] == [gateway.issuer]
    assert document["bearer_methods_supported"] == ["header"]
    assert document["jwks_uri"] == f"{gateway.issuer}/keys"
    assert document["dpop_bound_access_tokens_required"] is True
    assert set(document["dpop_signing_alg_values_supported"]) <= ALGORITHMS
    assert "nik.verify" in document["scopes_supported"]


@pytest.mark.parametrize("path", ["/oauth2/jwks", "/keys"])
def test_published_keys_are_public(gateway, path: str) -> None:
    """Each published key has a kid of its own, an algorithm of FAPI 2.0, and no private member."""
    keys = told(gateway, path)["keys"]
    assert keys
    assert len({key["kid"] for key in keys}) == len(keys)
    for key in keys:
        assert not key.keys() & PRIVATE
        assert key["alg"] in ALGORITHMS
        assert key["use"] == "sig"


def test_tokens_and_answers_are_signed_by_different_keys(gateway) -> None:
    """One key per job: what signs tokens signs no answers."""
    tokens, answers = ({key["kid"] for key in told(gateway, path)["keys"]} for path in ("/oauth2/jwks", "/keys"))
    assert not tokens & answers
