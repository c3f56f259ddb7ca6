"""Conformance module 1: is what the gateway says of itself whole, well formed, and true? RFC 8414, RFC 9728, FAPI 2.0."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import jsonschema_rs
import pytest
from partner import ASSERTION_TYPE

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource/v1"
ALGORITHMS = ["PS256", "ES256", "EdDSA", "Ed25519"]
METHODS = ["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"]

URL = {"type": "string", "format": "uri", "pattern": "^https?://[^?#]+$"}
WORDS = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
SOME = {**WORDS, "minItems": 1}
SIGNED_BY = {**SOME, "items": {"enum": ALGORITHMS}}
PROVEN_BY = {**SOME, "items": {"enum": METHODS}}
ENDPOINTS = ("token", "revocation", "introspection")
SERVER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,  # the suite warns of members that no standard knows
    "required": ["issuer", "token_endpoint", "jwks_uri", "response_types_supported", "grant_types_supported"],
    "properties": {
        "issuer": URL,
        "jwks_uri": URL,
        "grant_types_supported": {"const": ["client_credentials"]},
        "response_types_supported": {"const": []},
        **{f"{name}_endpoint": URL for name in ENDPOINTS},
        **{f"{name}_endpoint_auth_methods_supported": PROVEN_BY for name in ENDPOINTS},
        **{f"{name}_endpoint_auth_signing_alg_values_supported": SIGNED_BY for name in ENDPOINTS},
        "introspection_signing_alg_values_supported": SIGNED_BY,
        "dpop_signing_alg_values_supported": SIGNED_BY,
        "tls_client_certificate_bound_access_tokens": {"type": "boolean"},
        "mtls_endpoint_aliases": {"type": "object", "additionalProperties": URL},
        "scopes_supported": {**SOME, "items": {"pattern": r"^[!#-\[\]-~]+$"}},
        "authorization_details_types_supported": SOME,
        "protected_resources": SOME,
        "ui_locales_supported": {**WORDS, "items": {"pattern": "^[a-z]{2,3}(-[A-Za-z0-9]+)*$"}},
        "service_documentation": URL,
    },
}
RESOURCE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["resource", "authorization_servers", "bearer_methods_supported", "scopes_supported"],
    "properties": {
        "resource": URL,
        "authorization_servers": SOME,
        "jwks_uri": URL,
        "scopes_supported": SOME,
        "bearer_methods_supported": {"const": ["header"]},
        "resource_signing_alg_values_supported": SIGNED_BY,
        "resource_name": {"type": "string"},
        "resource_documentation": URL,
        "tls_client_certificate_bound_access_tokens": {"type": "boolean"},
        "authorization_details_types_supported": SOME,
        "dpop_signing_alg_values_supported": SIGNED_BY,
        "dpop_bound_access_tokens_required": {"type": "boolean"},
    },
    "patternProperties": {"^resource_name#[a-z]{2}$": {"type": "string"}},
}


def told(gateway: Any, path: str) -> dict[str, Any]:
    document: dict[str, Any] = gateway.http.get(path).json()
    return document


def test_the_servers_metadata_are_well_formed(gateway) -> None:
    """Every member is one of the standards', of its type; the lists of algorithms are FAPI's and never empty."""
    jsonschema_rs.Draft202012Validator(SERVER_SCHEMA).validate(told(gateway, SERVER))


def test_the_resources_metadata_are_well_formed(gateway) -> None:
    """RFC 9728 §2: the same of the resource, whose own URL it names."""
    document = told(gateway, RESOURCE)
    jsonschema_rs.Draft202012Validator(RESOURCE_SCHEMA).validate(document)
    assert document["resource"] == f"{gateway.issuer}/v1"
    algorithms = {key["alg"] for key in told(gateway, "/keys")["keys"]}
    assert set(document["resource_signing_alg_values_supported"]) == algorithms


def test_the_issuer_is_where_its_metadata_are(gateway) -> None:
    """RFC 8414 §3.3: the URL that the document was fetched from is made of the issuer, and every endpoint is under it."""
    document = told(gateway, SERVER)
    assert document["issuer"] == gateway.issuer
    parts = urlsplit(document["issuer"])
    assert (parts.query, parts.fragment, parts.path) == ("", "", "")
    for name in ("jwks_uri", *(f"{each}_endpoint" for each in ENDPOINTS)):
        assert document[name].startswith(f"{gateway.issuer}/")
    assert told(gateway, RESOURCE)["authorization_servers"][0] == document["issuer"]
    assert document["protected_resources"] == [f"{gateway.issuer}/v1"]


def test_tokens_are_bound_one_way_or_the_other(gateway) -> None:
    """FAPI 2.0 §5.3.2.1 (4), (5): DPoP algorithms or certificate binding is told, by server and resource alike."""
    server, resource = told(gateway, SERVER), told(gateway, RESOURCE)
    assert server["dpop_signing_alg_values_supported"] == resource["dpop_signing_alg_values_supported"]
    name = "tls_client_certificate_bound_access_tokens"
    assert server[name] == resource[name]
    assert resource["dpop_bound_access_tokens_required"] is not server[name]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_endpoint_that_is_named_is_there(gateway, endpoint: str) -> None:
    """Each answers a POST without authentication with an OAuth error, and nothing but POST."""
    url = told(gateway, SERVER)[f"{endpoint}_endpoint"]
    with httpx.Client(trust_env=False) as http:
        reply = http.post(url, data={"client_assertion_type": ASSERTION_TYPE})
        assert reply.status_code in (400, 401)
        assert reply.json()["error"] in ("invalid_client", "invalid_request", "unsupported_grant_type")
        assert reply.headers["content-type"].startswith("application/json")
        assert http.get(url).status_code == 405


def test_every_401_leads_to_the_metadata(gateway) -> None:
    """RFC 9728 §5.1: whoever is turned away is told where the resource's metadata are, and they are there."""
    for method, path in (("GET", "/v1/usage"), ("POST", "/v1/verifications"), ("GET", "/v1/agreement")):
        for headers in ({}, {"Authorization": "DPoP x"}, {"Authorization": "Bearer x"}):
            reply = gateway.http.request(method, path, headers=headers)
            assert reply.status_code == 401
            (url,) = re.findall(r'resource_metadata="([^"]+)"', reply.headers["www-authenticate"])
            assert gateway.http.get(url).json()["resource"] == f"{gateway.issuer}/v1"
