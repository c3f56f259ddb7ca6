"""What may a client rely on before its first call? RFC 8414 (authorization server) and RFC 9728 (protected resource)."""

from __future__ import annotations

from typing import Any

from gateway.oauth.access_token import DETAILS_TYPE
from gateway.oauth.client import SCOPES
from gateway.oauth.jose import ALGORITHMS
from gateway.oauth.token_endpoint import PATH


def authorization_server(issuer: str) -> dict[str, Any]:
    """The document of `/.well-known/oauth-authorization-server`."""
    return {
        "issuer": issuer,
        "token_endpoint": issuer + PATH,
        "jwks_uri": issuer + "/oauth2/jwks",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": list(SCOPES),
        "authorization_details_types_supported": [DETAILS_TYPE],
        "protected_resources": [issuer + "/v1"],
        "ui_locales_supported": ["id", "en"],
    }


def protected_resource(issuer: str) -> dict[str, Any]:
    """The document of `/.well-known/oauth-protected-resource/v1`."""
    return {
        "resource": issuer + "/v1",
        "authorization_servers": [issuer],
        "jwks_uri": issuer + "/keys",
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": "NIK gateway",
        "authorization_details_types_supported": [DETAILS_TYPE],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_bound_access_tokens_required": True,
    }
