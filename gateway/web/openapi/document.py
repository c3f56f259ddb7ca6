"""How is the gateway described to a machine? The whole OpenAPI 3.1 document, written from the code's own tables.

`nik-gateway openapi` writes it; the tests hold it against the routes, and against openapi/openapi.json byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gateway.errors import Cause
from gateway.oauth import introspection, revocation
from gateway.oauth.token_endpoint import PATH
from gateway.register.reasons import REASONS
from gateway.web.openapi import administration as acts
from gateway.web.openapi.envelope import headers, parameters, security
from gateway.web.openapi.outcomes import outcomes
from gateway.web.openapi.responses import named, refusals, shared
from gateway.web.openapi.samples import (
    ISSUER,
    answer_examples,
    batch_examples,
    batch_question,
    problem_example,
    question_examples,
)
from gateway.web.openapi.shapes import Schema, ref, requests

_JSON = "application/json"

_ANYWHERE = (Cause.METHOD_NOT_ALLOWED, Cause.REGISTER_UNAVAILABLE)
_IDENTITY = (Cause.INVALID_TOKEN, Cause.INVALID_DPOP_PROOF, Cause.USE_DPOP_NONCE, Cause.RATE_EXCEEDED)
_SEALED = (*_ANYWHERE, *_IDENTITY, Cause.INSUFFICIENT_SCOPE, Cause.LEDGER_UNAVAILABLE, Cause.OVERLOADED)
_BODY = (Cause.MALFORMED_REQUEST, Cause.DIGEST_MISMATCH, Cause.BODY_TOO_LARGE, Cause.UNSUPPORTED_MEDIA_TYPE)
_REPEATED = (Cause.IDEMPOTENCY_CONFLICT, Cause.IDEMPOTENCY_IN_PROGRESS)
_SPENT = (Cause.ALLOWANCE_EXHAUSTED, Cause.BALANCE_EXHAUSTED)
_QUESTION = (
    Cause.PURPOSE_NOT_AGREED,
    Cause.CLAIM_NOT_AGREED,
    Cause.CLAIMS_MISSING,
    Cause.CONSENT_MISSING,
    Cause.CONTEXT_MISSING,
    Cause.AGREEMENT_NOT_IN_FORCE,
    Cause.ADDRESS_NOT_ALLOWED,
    Cause.REFUSED_BY_POLICY,
    Cause.NIK_FORMAT,
    Cause.NIK_NOT_YET_ISSUED,
    Cause.PREVIOUS_UNKNOWN,
    Cause.ATTEMPTS_EXHAUSTED,
)
_SIGNATURE = ("Content-Digest", "Signature-Input", "Signature")


def document(issuer: str = ISSUER) -> Schema:
    """The OpenAPI 3.1 document of the gateway that calls itself `issuer`, a URL without a slash at its end."""
    paths = _paths()
    responses = shared(paths)
    written: Schema = {
        "openapi": "3.1.1",
        "info": {
            "title": "NIK gateway",
            "version": "1",
            "summary": "Is this NIK, with these claims, a usable identity right now?",
            "description": (
                "Lembaga yang memiliki perjanjian kerja sama bertanya apakah sebuah NIK, dengan elemen data ini, "
                "adalah identitas yang dapat dipakai sekarang, dan mendapat jawaban sekecil mungkin, disegel dalam "
                "jejak audit sebelum dikirim.\n\n"
                "Nobody is answered without an agreement in force; no value of the register is ever returned; an "
                "unknown NIK and claims that do not match look alike. OAuth 2.0 client credentials after the FAPI 2.0 "
                "Security Profile: `private_key_jwt` or mutual TLS, access tokens bound by DPoP or certificate."
            ),
        },
        "servers": [{"url": ISSUER, "description": "The gateway's base URL."}],
        "tags": [
            {"name": "verification", "description": "Verifikasi NIK"},
            {"name": "agreement", "description": "Perjanjian kerja sama dan pemakaian kuota"},
            {"name": "administration", "description": "Administrasi lembaga pengguna, dua orang untuk yang memperluas"},
            {"name": "audit", "description": "Pemeriksaan jejak audit, hanya dengan surat tugas"},
            {"name": "residents", "description": "Hak akses penduduk dan insiden data pribadi"},
            {"name": "oauth", "description": "Token akses"},
            {"name": "public", "description": "Answered to anybody: says nothing of anybody"},
            {"name": "operation", "description": "Kesehatan dan metrik"},
        ],
        "paths": paths,
        "components": {
            "schemas": {**requests(), **outcomes(), **acts.schemas()},
            "examples": {cause.value: problem_example(cause) for cause in Cause},
            "responses": responses,
            "headers": headers(),
            "parameters": parameters(),
            "securitySchemes": security(),
        },
    }
    return written if issuer == ISSUER else _of(issuer, written)


def _of(issuer: str, node: Any) -> Any:  # noqa: ANN401  whatever JSON holds
    """The same document with every URL of the example's issuer under another."""
    if isinstance(node, dict):
        return {name.replace(ISSUER, issuer): _of(issuer, member) for name, member in node.items()}
    if isinstance(node, list):
        return [_of(issuer, item) for item in node]
    return node.replace(ISSUER, issuer) if isinstance(node, str) else node


def text(issuer: str = ISSUER) -> str:
    """The bytes of openapi/openapi.json, and of `GET /openapi.json`."""
    return json.dumps(document(issuer), ensure_ascii=False, indent=1) + "\n"


def _paths() -> Schema:
    verify = _call(
        "verification",
        "verify",
        "Verifikasi satu NIK · Ask about one NIK",
        "Answer",
        answer_examples(),
        (*_SEALED, *_BODY, *_REPEATED, *_SPENT, *_QUESTION),
    )
    verify |= _body("Question", question_examples())
    batch = _call(
        "verification",
        "verifyBatch",
        "Verifikasi sampai 1.000 NIK · Up to 1,000 at once",
        "BatchAnswer",
        batch_examples(),
        (*_SEALED, *_BODY, *_REPEATED, *_SPENT, Cause.BATCH_TOO_LARGE),
    )
    batch["description"] = (
        "Items are answered in their order, each sealed and charged like a single question; one that is refused stands "
        "there as a problem. A batch larger than the allowance left is refused whole, unless `partial` is true."
    )
    batch |= _body("Batch", {"two": {"value": batch_question()}})
    for operation in (verify, batch):
        operation["parameters"] += [
            {"$ref": f"#/components/parameters/{name}"} for name in ("IdempotencyKey", "ContentDigest")
        ]
    agreement = _call(
        "agreement", "readAgreement", "What may I ask, what do I need, what do I owe?", "AgreementAnswer", {}, _SEALED
    )
    usage = _call(
        "agreement", "readUsage", "What is agreed, spent and left, and when does it reset?", "UsageAnswer", {}, _SEALED
    )
    return {
        "/v1/verifications": {"post": verify},
        "/v1/verifications/batch": {"post": batch},
        "/v1/agreement": {"get": agreement},
        "/v1/usage": {"get": usage},
        PATH: {"post": _token()},
        revocation.PATH: {"post": _revocation()},
        introspection.PATH: {"post": _introspection()},
        "/oauth2/jwks": _public("readTokenKeys", "Keys that sign access tokens (RFC 7517)", "JwkSet", tag="oauth"),
        "/.well-known/oauth-authorization-server": _public("readServerMetadata", "RFC 8414", "Metadata", tag="oauth"),
        "/.well-known/oauth-protected-resource": _public("readResourceMetadata", "RFC 9728", "Metadata", tag="oauth"),
        "/.well-known/oauth-protected-resource/v1": _public(
            "readResourceMetadataV1", "RFC 9728, of `<issuer>/v1`", "Metadata", tag="oauth"
        ),
        "/": _public("readFront", "What this is, and where everything else stands", "Metadata", page=True),
        "/docs": _public("readDocs", "A first call, and every error of the token endpoint", "Metadata", page=True),
        "/openapi.json": _public("readOpenApi", "This document, of this very gateway", "Metadata"),
        "/keys": _public("readAnswerKeys", "Keys that sign answers (RFC 7517)", "JwkSet"),
        "/problems": _public("readProblems", "Every cause of a refusal", "ProblemPage", many="problems"),
        "/problems/{slug}": _public(
            "readProblem", "One cause: what it means and what to do", "ProblemPage", slug="ProblemSlug"
        ),
        "/reasons": _public(
            "readReasons", "Every reason for which a NIK is blocked or stale", "ReasonPage", many="reasons"
        ),
        "/reasons/{slug}": _public(
            "readReason", "One reason: by whom, where and how it is mended", "ReasonPage", slug="ReasonSlug"
        ),
        "/v1/receipts/{id}": {"get": _receipt()},
        "/ledger/checkpoint": _file(
            "readCheckpoint", "The log's signed checkpoint (C2SP tlog-checkpoint)", "text/plain"
        ),
        "/ledger/keys": _file("readLogKeys", "The log's verifier keys, one a line (C2SP signed-note)", "text/plain"),
        "/ledger/tile/{tile}": _file(
            "readTile",
            "Hashes of the log's tree (C2SP tlog-tiles); the path has as many parts as the specification gives it",
            "application/octet-stream",
            parameter="tile",
        ),
        **acts.paths(_call, _SEALED),
        "/healthz": _public("readHealth", "Alive", "Metadata", tag="operation"),
        "/readyz": {"get": _readiness()},
        "/metrics": {"get": _metrics()},
    }


def _call(tag: str, id: str, summary: str, answer: str, examples: Schema, causes: Iterable[Cause]) -> Schema:  # noqa: PLR0913
    """An operation that needs a token and is sealed."""
    shown = {"schema": ref(answer), **({"examples": examples} if examples else {})}
    headers = ["X-Request-Id", "Cache-Control", *_SIGNATURE]
    if tag == "verification":
        headers += ["RateLimit-Policy", "RateLimit"]
    return {
        "tags": [tag],
        "operationId": id,
        "summary": summary,
        "security": [{"oauth2": ["nik.verify"], "dpop": []}, {"oauth2": ["nik.verify"], "certificate": []}],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in ("AcceptLanguage", "RequestId")],
        "responses": {
            "200": {"description": "Sealed, then sent.", "headers": named(headers), "content": {_JSON: shown}},
            **refusals(causes, "X-Request-Id", *_SIGNATURE),
        },
    }


def _receipt() -> Schema:
    """A receipt is text, and a 404 may be early."""
    causes = (*_SEALED, Cause.NOT_FOUND)
    operation = _call(
        "verification", "readReceipt", "Tanda terima · The receipt of an answer or refusal", "Problem", {}, causes
    )
    operation["description"] = (
        "C2SP tlog-proof: the leaf as `extra`, its index, the inclusion proof, the signed checkpoint. Own entries alone; 404 "
        "with `Retry-After` until a checkpoint covers it. `nik-gateway receipt check` proves offline what it stands for."
    )
    operation["parameters"].append(
        {
            "name": "id",
            "in": "path",
            "required": True,
            "description": "Of an answer or a problem.",
            "schema": {"type": "string"},
        }
    )
    answer = operation["responses"]["200"]
    answer["content"] = {"text/plain": {"schema": {"type": "string"}}}
    operation["responses"]["404"]["headers"] |= named(["Retry-After"])
    return operation


def _file(id: str, summary: str, media: str, *, parameter: str = "") -> Schema:
    """A file of the published log."""
    schema: Schema = {"type": "string"} if media == "text/plain" else {}
    operation: Schema = {"tags": ["public"], "operationId": id, "summary": summary, "security": []}
    causes = [Cause.METHOD_NOT_ALLOWED]
    if parameter:
        operation["parameters"] = [
            {
                "name": parameter,
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "example": "0/x001/234.p/17",
            }
        ]
        causes += [Cause.RATE_EXCEEDED, Cause.OVERLOADED]
    if media != "text/plain" or parameter or id == "readCheckpoint":
        causes.append(Cause.NOT_FOUND)
    operation["responses"] = {
        "200": {"description": summary, "content": {media: {"schema": schema}}},
        **refusals(causes),
    }
    return {"get": operation}


def _body(name: str, examples: Schema) -> Schema:
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": ref(name), "examples": examples}}}}


def _token() -> Schema:
    error = {"content": {_JSON: {"schema": ref("TokenError")}}}
    nonce = named(["DPoP-Nonce"])
    return {
        "tags": ["oauth"],
        "operationId": "requestToken",
        "summary": "Access token: client credentials by assertion or certificate, bound to proof or certificate",
        "description": "RFC 6749 §4.4, RFC 7523, RFC 8705, RFC 9449 §5, RFC 9396. No refresh token: ask again before it ends.",
        "security": [{"dpop": []}, {"certificate": []}],
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": ref("TokenRequest")}},
        },
        "responses": {
            "200": {"description": "A token of 300 seconds.", "content": {_JSON: {"schema": ref("Token")}}},
            "400": {"description": "RFC 6749 §5.2. `use_dpop_nonce` brings the nonce.", "headers": nonce, **error},
            "405": {"description": "Not POST.", "headers": named(["Allow"]), **error},
            "413": {"description": "A body over 64 KiB.", **error},
            "429": {"description": "Too many calls.", "headers": named(["Retry-After"]), **error},
            "503": {"description": "The token could not be sealed.", "headers": named(["Retry-After"]), **error},
        },
    }


def _revocation() -> Schema:
    told = {"200": {"description": "Void from the next answer on, or it was none of yours: both are answered alike."}}
    return _presented("revokeToken", "Give up an access token (RFC 7009)", told)


def _introspection() -> Schema:
    signed = {"schema": {"type": "string", "description": "RFC 9701: a JWT for the resource server that asked."}}
    content = {_JSON: {"schema": ref("Introspection")}, introspection.MEDIA_TYPE: signed}
    told: Schema = {
        "200": {"description": "What the token says, while it holds.", "content": content},
        "403": {
            "description": "A client that is no resource server.",
            "content": {_JSON: {"schema": ref("TokenError")}},
        },
    }
    return _presented("introspectToken", "Does a token hold? For resource servers alone (RFC 7662, RFC 9701)", told)


def _presented(id: str, summary: str, told: Schema) -> Schema:
    """An operation that a client authenticates for, and presents a token to."""
    error = {"content": {_JSON: {"schema": ref("TokenError")}}}
    return {
        "tags": ["oauth"],
        "operationId": id,
        "summary": summary,
        "security": [],
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": ref("TokenPresented")}},
        },
        "responses": {
            **told,
            "400": {"description": "RFC 6749 §5.2.", **error},
            "401": {
                "description": "`invalid_client`: the assertion's rules are the token endpoint's.",
                "headers": named(["WWW-Authenticate"]),
                **error,
            },
            "405": {"description": "Not POST.", "headers": named(["Allow"]), **error},
            "413": {"description": "A body over 64 KiB.", **error},
            "429": {"description": "Too many calls.", "headers": named(["Retry-After"]), **error},
            "503": {"description": "It could not be sealed.", "headers": named(["Retry-After"]), **error},
        },
    }


def _public(  # noqa: PLR0913  what such a page is made of
    id: str,
    summary: str,
    answer: str,
    *,
    tag: str = "public",
    many: str = "",
    slug: str = "",
    page: bool = False,
) -> Schema:
    """A path that anybody may GET; `page`: a browser is shown it as one, as it is what has a slug or lists many."""
    schema = ref(answer)
    if many:
        items = {"type": "array", "items": schema}
        schema = {"type": "object", "properties": {many: items}, "required": [many]}
    content: Schema = {_JSON: {"schema": schema}}
    causes = [Cause.METHOD_NOT_ALLOWED]
    operation: Schema = {"tags": [tag], "operationId": id, "summary": summary, "security": []}
    if slug or many or page:
        content["text/html"] = {"schema": {"type": "string"}}
    if slug:
        causes.append(Cause.NOT_FOUND)
        example = next(iter(REASONS)) if slug == "ReasonSlug" else Cause.ATTEMPTS_EXHAUSTED.value
        operation["parameters"] = [
            {"name": "slug", "in": "path", "required": True, "schema": ref(slug), "example": example}
        ]
    operation["responses"] = {"200": {"description": summary, "content": content}, **refusals(causes)}
    return {"get": operation}


def _readiness() -> Schema:
    told = {"content": {_JSON: {"schema": ref("Readiness")}}}
    return {
        "tags": ["operation"],
        "operationId": "readReadiness",
        "summary": "Able to seal: database, ledger and keys",
        "security": [],
        "responses": {
            "200": {"description": "Ready.", **told},
            "503": {"description": "Not ready; the members say why.", **told},
            **refusals([Cause.METHOD_NOT_ALLOWED]),
        },
    }


def _metrics() -> Schema:
    return {
        "tags": ["operation"],
        "operationId": "readMetrics",
        "summary": "Prometheus metrics, by route, outcome and partner; never by resident",
        "security": [{"metrics": []}],
        "responses": {
            "200": {
                "description": "Exposition format 0.0.4.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **refusals([Cause.INVALID_TOKEN, Cause.METHOD_NOT_ALLOWED]),
        },
    }
