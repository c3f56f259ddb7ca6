"""What may a client rely on before its first call? RFC 8414 (authorization server) and RFC 9728 (protected resource)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.oauth import introspection, revocation
from gateway.oauth.access_token import DETAILS_TYPE
from gateway.oauth.client import SCOPES
from gateway.oauth.jose import ALGORITHMS
from gateway.oauth.mtls import METHODS
from gateway.oauth.token_endpoint import PATH


def authorization_server(issuer: str, signed_by: str = "ES256") -> dict[str, Any]:
    """The document of `/.well-known/oauth-authorization-server`; `signed_by` is what the server itself signs with."""
    return {
        "issuer": issuer,
        "token_endpoint": issuer + PATH,
        "jwks_uri": issuer + "/oauth2/jwks",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint": issuer + revocation.PATH,
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint": issuer + introspection.PATH,
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_signing_alg_values_supported": [signed_by],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": False,
        "scopes_supported": list(SCOPES),
        "authorization_details_types_supported": [DETAILS_TYPE],
        "protected_resources": [issuer + "/v1"],
        "ui_locales_supported": ["id", "en"],
    }


def protected_resource(
    issuer: str, servers: Sequence[str] = (), answer_algs: Sequence[str] = ("Ed25519",)
) -> dict[str, Any]:
    """The document of `/.well-known/oauth-protected-resource/v1`; `servers` are issuers beside this one."""
    return {
        "resource": issuer + "/v1",
        "authorization_servers": [issuer, *servers],
        "jwks_uri": issuer + "/keys",
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_signing_alg_values_supported": list(answer_algs),
        "resource_name": "NIK gateway",
        "resource_name#id": "Gerbang NIK",
        "resource_documentation": issuer + "/problems",
        "tls_client_certificate_bound_access_tokens": False,
        "authorization_details_types_supported": [DETAILS_TYPE],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_bound_access_tokens_required": True,
    }


def with_certificates(server: dict[str, Any], base_url: str) -> dict[str, Any]:
    """The authorization server's document where TLS client certificates are asked for at `base_url` (RFC 8705 §5)."""
    issuer: str = server["issuer"]
    methods = {name: [*known, *METHODS] for name, known in server.items() if name.endswith("_auth_methods_supported")}
    endpoints = {
        name: base_url + url.removeprefix(issuer) for name, url in server.items() if name.endswith("_endpoint")
    }
    return {
        **server,
        **methods,
        "tls_client_certificate_bound_access_tokens": True,
        "mtls_endpoint_aliases": endpoints,
    }


def taking_certificates(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource's document where tokens may be bound to certificates as well (RFC 9728 §2)."""
    return {**resource, "dpop_bound_access_tokens_required": False, "tls_client_certificate_bound_access_tokens": True}
