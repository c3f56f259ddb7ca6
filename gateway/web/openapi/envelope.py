"""What goes around a body? Headers, parameters and security schemes of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from gateway.oauth.client import SCOPES
from gateway.oauth.token_endpoint import PATH
from gateway.web.openapi.samples import ISSUER
from gateway.web.openapi.shapes import IDENTIFIER, Schema

_SIGNED = (
    'RFC 9421. `"content-digest";req` is covered when the request carried a Content-Digest. Absent before the caller is '
    "identified, and where the agreement says `signed_answers = false`."
)


def headers() -> Schema:
    """`components.headers`."""

    def header(description: str, example: str, **schema: Any) -> Schema:  # noqa: ANN401  JSON Schema
        return {"description": description, "schema": {"type": "string", **schema}, "example": example}

    policy = '"burst";q=100;w=1, "day";q=10000;w=86400, "month";q=200000;w=2592000'
    left = '"burst";r=99;t=1, "day";r=9000;t=40000, "month";r=180000;t=400000'
    challenge = (
        'DPoP error="invalid_token", algs="ES256 PS256 EdDSA Ed25519", '
        f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource/v1"'
    )
    covered = (
        'answer=("@status" "content-digest" "@method";req "@target-uri";req "content-digest";req)'
        ';created=1795486270;keyid="answer-1-EfkvAQ";tag="fapi-2-response"'
    )
    nonce = "With `use_dpop_nonce`: goes into the next proof as `nonce` (RFC 9449 §8)."
    return {
        "RateLimit-Policy": header("One item a limit: `q` is the quota, `w` the window in seconds.", policy),
        "RateLimit": header("`r` is what is left, `t` the seconds until it is fresh. Never attempt budgets.", left),
        "Retry-After": {
            "description": "Seconds; never before the reset.",
            "schema": {"type": "integer", "minimum": 1},
            "example": 30,
        },
        "X-Request-Id": header("The caller's own, or the id of the call.", "019ab9a3-5c21-7d04-8f11-3c5b7e9a1d20"),
        "WWW-Authenticate": header("RFC 9449 §7.1, RFC 9728 §5.1.", challenge),
        "DPoP-Nonce": header(nonce, "AGkjkrUcLTuGQL1q7T3pGT9VyZMv"),
        "Content-Digest": header("RFC 9530, of this very body.", f"sha-256=:{'A' * 43}=:"),
        "Signature-Input": header(_SIGNED, covered),
        "Signature": header("RFC 9421, Ed25519 by a key of `jwks_uri` (`/keys`).", f"answer=:{'A' * 86}==:"),
        "ETag": header(
            "The state of what was named; for `If-Match` (RFC 9110 §13.1.1).", '"x0Wq5H1Jc0cXvA8zq3m2b9r4T1k"'
        ),
        "Allow": header("The methods that there are.", "POST"),
        "Cache-Control": header("Answers are nobody else's.", "no-store", const="no-store"),
    }


def parameters() -> Schema:
    """`components.parameters`."""
    quoted = {"type": "string", "pattern": '^(?!.*[0-9]{16})"?[A-Za-z0-9._-]{1,64}"?$'}
    digest = {"type": "string", "pattern": "^sha-256=:[A-Za-z0-9+/]{43}=:$"}
    choice = {"type": "string", "examples": ["id", "en"]}
    repeated = "The same key and the same bytes within 24 hours give the same answer, spent and billed once."
    language = "`id` or `en` for title and detail of a problem; Indonesian by default."

    def header(name: str, description: str, schema: Schema) -> Schema:
        return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}

    return {
        "IdempotencyKey": header("Idempotency-Key", repeated, quoted),
        "ContentDigest": header("Content-Digest", "RFC 9530, sha-256 of the body; sent, it must be right.", digest),
        "IfMatch": header(
            "If-Match", "The `ETag` that was read; another state than that is refused.", {"type": "string"}
        ),
        "AcceptLanguage": header("Accept-Language", language, choice),
        "RequestId": header("X-Request-Id", "Echoed. Never a NIK.", dict(IDENTIFIER)),
    }


def security() -> Schema:
    """`components.securitySchemes`."""
    return {
        "oauth2": {
            "type": "oauth2",
            "description": (
                "FAPI 2.0 client credentials. The client proves itself with a signed assertion (`private_key_jwt`, "
                "ES256, PS256 or Ed25519) or its TLS certificate (RFC 8705), the token is bound to the key of its DPoP "
                "proof or to that certificate and lasts 300 seconds. `Authorization: DPoP <token>`, or `Bearer <token>` "
                "over a connection with the certificate."
            ),
            "flows": {"clientCredentials": {"tokenUrl": ISSUER + PATH, "scopes": dict(SCOPES)}},
        },
        "dpop": {
            "type": "apiKey",
            "in": "header",
            "name": "DPoP",
            "description": (
                "RFC 9449: a JWT of type `dpop+jwt`, new for every call, with `jti`, `htm`, `htu`, `iat` and, beside a "
                "token, `ath`; once used it is never accepted again."
            ),
        },
        "certificate": {"type": "mutualTLS", "description": "RFC 8705: the certificate that the token is bound to."},
        "metrics": {"type": "http", "scheme": "bearer", "description": "What `metrics.token_file` holds."},
    }
