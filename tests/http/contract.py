"""What is true of every refusal and every answer? The contract's tables, and what a test checks of all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

STATUS = {
    "malformed-request": 400,
    "digest-mismatch": 400,
    "nik-format": 422,
    "nik-not-yet-issued": 422,
    "previous-unknown": 422,
    "invalid-token": 401,
    "invalid-dpop-proof": 401,
    "use-dpop-nonce": 401,
    "insufficient-scope": 403,
    "purpose-not-agreed": 403,
    "claim-not-agreed": 403,
    "claims-missing": 403,
    "consent-missing": 403,
    "context-missing": 403,
    "agreement-not-in-force": 403,
    "address-not-allowed": 403,
    "refused-by-policy": 403,
    "allowance-exhausted": 429,
    "rate-exceeded": 429,
    "attempts-exhausted": 429,
    "balance-exhausted": 429,
    "idempotency-conflict": 422,
    "idempotency-in-progress": 409,
    "batch-too-large": 413,
    "body-too-large": 413,
    "not-found": 404,
    "method-not-allowed": 405,
    "unsupported-media-type": 415,
}
PROBLEM = {"type", "title", "status", "detail", "instance", "retryable", "billed"}
RECEIPT = {"id", "nonce", "entry"}
VERDICT = {"id", "usable", "answered_at", "nonce", "entry", "billed"}
UNMATCHED = VERDICT | {"match"}
STATUS_MEMBERS = VERDICT | {"match", "status", "as_of", "recheck_after", "subject"}
REMEDY = {"reason", "remedy"}
MATCHED_BY_CLAIMS = STATUS_MEMBERS | {"claims"}
EXPLAINED_BY_CLAIMS = MATCHED_BY_CLAIMS | REMEDY

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_HASH = re.compile(r"[A-Za-z0-9_-]{43}")
_MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d:00:00Z")


def problem(document: Mapping[str, Any], slug: str, issuer: str, *, identified: bool = True) -> None:
    """A problem document has every member of the contract, and a receipt when the caller is known."""
    assert document["type"] == f"{issuer}/problems/{slug}"
    assert document["status"] == STATUS[slug]
    assert document.keys() >= PROBLEM
    assert isinstance(document["retryable"], bool)
    assert document["billed"] is False
    assert document["title"]
    assert document["detail"]
    if identified:
        assert document.keys() >= RECEIPT
        receipt(document)
    else:
        assert not document.keys() & {"nonce", "entry"}


def receipt(document: Mapping[str, Any]) -> None:
    """Ids, nonces and hashes have one length each."""
    assert _UUID.fullmatch(document["id"])
    assert _HASH.fullmatch(document["nonce"])
    assert _HASH.fullmatch(document["entry"])


def refused(reply: httpx.Response, slug: str, issuer: str, *, identified: bool = True) -> dict[str, Any]:
    """The problem document of a refusal, after everything that holds for all of them."""
    assert (reply.status_code, reply.text if reply.status_code != STATUS[slug] else "") == (STATUS[slug], "")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers.get_list("x-request-id")
    document: dict[str, Any] = reply.json()
    problem(document, slug, issuer, identified=identified)
    if reply.status_code == 401:
        challenge = reply.headers["www-authenticate"]
        assert challenge.startswith("DPoP ")
        assert f'resource_metadata="{issuer}/.well-known/oauth-protected-resource/v1"' in challenge
    if reply.status_code in (429, 503) and slug != "balance-exhausted":  # nothing but a payment fills a balance
        assert int(reply.headers["retry-after"]) >= 1
    return document


def answered(reply: httpx.Response, members: set[str]) -> dict[str, Any]:
    """The answer, which has exactly these members, each in its form."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    document: dict[str, Any] = reply.json()
    answer(document, members)
    return document


def answer(document: Mapping[str, Any], members: set[str]) -> None:
    """An answer has exactly these members, each in its form."""
    assert set(document) == members
    receipt(document)
    assert _MILLISECONDS.fullmatch(document["answered_at"])
    assert isinstance(document["usable"], bool)
    if "status" in document:
        assert _HOUR.fullmatch(document["as_of"])
        assert document["as_of"] <= document["answered_at"]
        assert document["recheck_after"] > document["as_of"]
        assert re.fullmatch(r"pair_[A-Za-z0-9_-]{22}", document["subject"])
        assert document["usable"] is (document["match"] and document["status"] == "active")


def echoes(text: str, question: Mapping[str, Any]) -> list[str]:
    """Which words of a question stand in a reply: its NIK or the value of a claim."""
    claims = question.get("claims", {})
    values = [question.get("nik"), *(claims.values() if isinstance(claims, dict) else ())]
    return [value for value in values if isinstance(value, str) and len(value) > 3 and value in text]
