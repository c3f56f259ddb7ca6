"""What do requests look like on the wire? JSON Schema 2020-12, from the structs that parse them.

The limits are those that `verification/request.py` checks; what the gateway sends stands in `outcomes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.claims import CLAIMS
from gateway.ledger.log.entry import VERSION
from gateway.oauth.client import SCOPES
from gateway.register.reasons import REASONS
from gateway.verification.request import MOST, TEXT, Batch, Consent, Item, Question

Schema = dict[str, Any]

IDENTIFIER: Schema = {"type": "string", "pattern": "^(?!.*[0-9]{16})[A-Za-z0-9._-]{1,64}$"}
INSTANT: Schema = {"type": "string", "format": "date-time", "pattern": "^[0-9-]{10}T[0-9:]{8}Z$"}
MILLISECONDS: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z$",
}
UUID: Schema = {"type": "string", "format": "uuid", "description": "UUID of version 7."}
DIGEST: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
BOTH: Schema = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "en": {"type": "string"}},
    "required": ["id", "en"],
    "additionalProperties": False,
}
_MEANING: Mapping[str, str] = {
    "nik": "Nomor Induk Kependudukan, 16 digits. Null only together with `newborn: true`.",
    "purpose": "Tujuan pemanfaatan: why it is asked; one that the agreement names.",
    "claims": "Elemen data to compare. Those that decide must all be sent.",
    "channel": "Where the resident is served.",
    "operator": "Who serves, by a name that is no person's data.",
    "on_behalf_of": "The institution that an intermediary asks for (POJK 8/2023 art 22(2)b).",
    "referral": "Id of a case of yours that is mended: the question is answered once unbilled, outside the attempt budget.",
    "previous": "Id of an earlier answer of yours about this NIK: the answer then tells whether anything has changed.",
    "newborn": "A newborn without a NIK: answered with `nik-not-yet-issued`, unbilled.",
    "ref": "Your own name for this item.",
    "basis": "Legal basis (UU 27/2022 art 20(2)): consent, contract, legal_obligation …",
    "reference": "Where the consent is on file with you; needed when the basis is `consent`.",
    "partial": "Answer as many items as the allowance has room for, instead of refusing the batch as a whole.",
    "items": f"1 to {MOST} questions.",
}


def requests() -> Schema:
    """Schemas of what is sent to the gateway, and of what anybody may read there."""
    return {**_requests(), **_oauth(), **_public()}


def ref(name: str) -> Schema:
    """A reference to one of `schemas()`."""
    return {"$ref": f"#/components/schemas/{name}"}


def closed(properties: Schema, *optional: str, description: str = "") -> Schema:
    """An object of exactly these properties; all but `optional` are required."""
    schema: Schema = {"type": "object", "description": description} if description else {"type": "object"}
    required = [name for name in properties if name not in optional]
    return {**schema, "properties": properties, "required": required, "additionalProperties": False}


def _requests() -> Schema:
    _, parsed = msgspec.json.schema_components(
        [Question, Batch, Item, Consent], ref_template="#/components/schemas/{name}"
    )
    found: Schema = dict(parsed)
    forms: Mapping[str, Schema] = {
        "nik": {"anyOf": [{"type": "string", "pattern": "^[0-9]{16}$"}, {"type": "null"}]},
        "purpose": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "basis": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "claims": ref("ClaimsSent"),
        "items": {"type": "array", "minItems": 1, "maxItems": MOST, "items": ref("Item")},
    }
    for schema in found.values():
        for name, member in schema["properties"].items():
            if name in forms:
                schema["properties"][name] = dict(forms[name])
            elif member.get("type") == "string":
                schema["properties"][name] = dict(IDENTIFIER)
            if name in _MEANING:
                schema["properties"][name]["description"] = _MEANING[name]
    sent = {
        name: {"type": "string", "minLength": 1, "maxLength": TEXT, **row.form.schema} for name, row in CLAIMS.items()
    }
    claims = closed(
        sent, *CLAIMS, description="UTF-8 without control characters; codes are the Ministry's, without dots."
    )
    return {name: found[name] for name in ("Question", "Batch", "Item", "Consent")} | {"ClaimsSent": claims}


def _oauth() -> Schema:
    details = closed(
        {
            "type": {"const": "nik_verification"},
            "purposes": {"type": "array", "minItems": 1, "items": {"type": "string"}},
            "claims": {"type": "array", "minItems": 1, "items": {"enum": list(CLAIMS)}},
        },
        "claims",
        description="RFC 9396: bounds every call with this token.",
    )
    return {
        "TokenRequest": {
            "type": "object",
            "properties": {
                "grant_type": {"const": "client_credentials"},
                "client_assertion_type": {"const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
                "client_assertion": {
                    "type": "string",
                    "description": "RFC 7523: `aud` is the issuer, as a string; each `jti` once.",
                },
                "client_id": {"type": "string"},
                "scope": {
                    "type": "string",
                    "description": f"Some of: {' '.join(SCOPES)}. All of the client's when absent.",
                },
                "resource": {"type": "string", "format": "uri"},
                "authorization_details": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"type": "array", "items": ref("Details")},
                },
            },
            "required": ["grant_type"],
            "anyOf": [
                {"required": ["client_assertion_type", "client_assertion"]},
                {"required": ["client_id"], "description": "Beside a TLS certificate of the client (RFC 8705 §2)."},
            ],
        },
        "Details": details,
        "Token": closed(
            {
                "access_token": {
                    "type": "string",
                    "description": "RFC 9068 JWT, bound to the key of the DPoP proof, or to the TLS certificate.",
                },
                "token_type": {
                    "enum": ["DPoP", "Bearer"],
                    "description": "Bearer: bound to the certificate, and good with it alone (RFC 8705 §3).",
                },
                "expires_in": {"const": 300},
                "scope": {"type": "string"},
                "authorization_details": {"type": "array", "items": ref("Details")},
            },
            "authorization_details",
        ),
        "TokenPresented": {
            "type": "object",
            "properties": {
                "token": {"type": "string"},
                "token_type_hint": {"type": "string"},
                "client_id": {"type": "string"},
                "client_assertion_type": {"const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
                "client_assertion": {"type": "string"},
            },
            "required": ["token"],
        },
        "Introspection": closed(
            {
                "active": {"type": "boolean", "description": "`false`, then nothing else is told."},
                "iss": {"type": "string", "format": "uri"},
                "aud": {"type": "string", "format": "uri"},
                "sub": {"type": "string"},
                "client_id": {"type": "string"},
                "jti": {"type": "string"},
                "iat": WHOLE,
                "exp": WHOLE,
                "scope": {"type": "string"},
                "token_type": {"enum": ["DPoP", "Bearer"]},
                "cnf": {"type": "object", "description": "`jkt` (RFC 9449 §6.2) or `x5t#S256` (RFC 8705 §3.2)."},
                "authorization_details": {"type": "array", "items": ref("Details")},
            },
            "iss",
            "aud",
            "sub",
            "client_id",
            "jti",
            "iat",
            "exp",
            "scope",
            "token_type",
            "cnf",
            "authorization_details",
        ),
        "TokenError": closed(
            {
                "error": {
                    "enum": [
                        "invalid_request",
                        "invalid_client",
                        "unauthorized_client",
                        "unsupported_grant_type",
                        "invalid_scope",
                        "invalid_target",
                        "unsupported_token_type",
                        "invalid_authorization_details",
                        "invalid_dpop_proof",
                        "use_dpop_nonce",
                        "temporarily_unavailable",
                    ]
                },
                "error_description": {"type": "string", "description": "Every fault of an assertion at once."},
                "error_uri": {"type": "string", "format": "uri", "description": "Where the error is explained."},
            },
            "error_description",
            "error_uri",
        ),
    }


def _public() -> Schema:
    return {
        "JwkSet": closed(
            {"keys": {"type": "array", "items": {"type": "object", "required": ["kty", "kid", "alg", "use"]}}}
        ),
        "Metadata": {"type": "object", "additionalProperties": True},
        "ReasonSlug": {"enum": list(REASONS)},
        "ReasonPage": closed(
            {
                "slug": ref("ReasonSlug"),
                "status": {"enum": ["blocked", "stale"]},
                "precedence": {
                    "type": "integer",
                    "minimum": 1,
                    "description": "Of several reasons the lowest is told.",
                },
                "title": BOTH,
                "meaning": BOTH,
                "remedy": ref("Remedy"),
            }
        ),
        "Leaf": closed(
            {
                "v": {"const": VERSION},
                "kind": {"type": "string"},
                "id": UUID,
                "at": MILLISECONDS,
                "actor": {"type": "string"},
                "agreement": {"type": "string"},
                "purpose": {"type": "string"},
                "answer": DIGEST,
                "request": DIGEST,
                "private": DIGEST,
            },
            description="What `entry` is the hash of; see docs/ledger.md.",
        ),
        "Readiness": {"type": "object", "properties": {"ready": {"type": "boolean"}}, "required": ["ready"]},
    }
