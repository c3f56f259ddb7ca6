"""How is a question put into words? From arguments to the bytes of the body (wire contract §3); no member is null."""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, TypedDict

from nik_gateway_client.receipts import canonical
from nik_gateway_client.refusals import NotAsked

_IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NIK_RUN = re.compile(r"\d{16}")
LANGUAGES = ("id", "en")
_MEMBERS = ("consent", "channel", "operator", "on_behalf_of", "previous", "referral")


class Context(TypedDict, total=False):
    """What a purpose or an agreement may demand besides the claims, and how to ask.

    `consent` is `{"basis": …, "reference": …}`; `previous` the id of an earlier answer for the same NIK,
    `referral` that of an own case that is mended: then the answer is free, once. `language`
    (`id` or `en`) is that of titles and details. The same `idempotency_key` with the same question gives the same
    answer for 24 hours, charged once; without one a fresh key is made, and used again in every retry.
    """

    consent: Mapping[str, str] | None
    channel: str | None
    operator: str | None
    on_behalf_of: str | None
    previous: str | None
    referral: str | None
    idempotency_key: str | None
    language: Literal["id", "en"]


class BatchContext(TypedDict, total=False):
    """What holds for a whole batch: see `Context`. `partial` answers as many items as the allowance has room for."""

    consent: Mapping[str, str] | None
    partial: bool
    idempotency_key: str | None
    language: Literal["id", "en"]


@dataclass(frozen=True, slots=True)
class Question:
    """One call, ready to be sent. `repr` hides what is asked about whom.

    `requests` holds, for each expected answer, its `ref` and what was asked, as a receipt's digest covers it.
    """

    method: str
    path: str
    content: bytes = field(default=b"", repr=False)
    digest: str = ""
    idempotency_key: str = ""
    language: str = "id"
    requests: tuple[tuple[str, Mapping[str, Any]], ...] = field(default=(), repr=False)
    accept: str = "application/json"
    encoding: str = ""


def posting(path: str, body: bytes, key: str) -> Question:
    """A JSON body, sent packed: POST `path`."""
    packed = gzip.compress(body, 6, mtime=0)
    return Question("POST", path, packed, content_digest(packed), key, encoding="gzip")


def reading(path: str, accept: str = "application/json") -> Question:
    """A question without a body: GET `path`."""
    return Question("GET", path, accept=accept)


def verification(
    nik: str | None, purpose: str, claims: Mapping[str, str], context: Context, fresh_key: str
) -> Question:
    """One verification. `nik` None asks about a newborn who has none. Raises NotAsked."""
    request: dict[str, Any] = {"nik": nik, "purpose": purpose, "claims": dict(claims)}
    if nik is None:
        request["newborn"] = True
    given: Mapping[str, Any] = context
    request |= {name: given[name] for name in _MEMBERS if given.get(name) is not None}
    return _posted("/verifications", request, context, fresh_key, (("", request),))


def batch(purpose: str, items: Sequence[Mapping[str, Any]], context: BatchContext, fresh_key: str) -> Question:
    """Many verifications: each item `{"ref", "nik", "claims", …}` with refs that differ. Raises NotAsked."""
    body: dict[str, Any] = {"purpose": purpose, "items": [dict(item) for item in items]}
    shared: dict[str, Any] = {"purpose": purpose}
    if context.get("consent") is not None:
        body["consent"] = shared["consent"] = context["consent"]
    if "partial" in context:
        body["partial"] = context["partial"]
    refs = [item.get("ref") for item in items]
    if not all(isinstance(ref, str) for ref in refs) or len(set(refs)) != len(refs):
        raise NotAsked("every item needs a `ref` of its own")
    requests = tuple(
        (item["ref"], {**shared, **{name: value for name, value in item.items() if name != "ref"}}) for item in items
    )
    return _posted("/verifications/batch", body, context, fresh_key, requests)


def content_digest(content: bytes) -> str:
    """The Content-Digest header for `content` (RFC 9530)."""
    return f"sha-256=:{b64encode(sha256(content).digest()).decode()}:"


def _posted(
    path: str,
    body: Mapping[str, Any],
    context: Context | BatchContext,
    fresh_key: str,
    requests: tuple[tuple[str, Mapping[str, Any]], ...],
) -> Question:
    key = context.get("idempotency_key") or fresh_key
    if not _IDENTIFIER.fullmatch(key) or _NIK_RUN.search(key):
        raise NotAsked("idempotency_key must be 1 to 64 of A-Z a-z 0-9 . _ - without a run of 16 digits")
    language = context.get("language", "id")
    if language not in LANGUAGES:
        raise NotAsked("language must be id or en")
    content = _encoded(body)
    if content is None:
        raise NotAsked("only JSON values can be asked: text without lone surrogates, objects and lists")
    return Question("POST", path, content, content_digest(content), key, language, requests)


def _encoded(body: Mapping[str, Any]) -> bytes | None:
    # canonical, so that the same question is the same bytes under its idempotency key, in whichever order it was put;
    # the error is dropped here: a UnicodeEncodeError carries the whole body, NIK and all
    try:
        return canonical(body)
    except (TypeError, ValueError, AttributeError, RecursionError):
        return None
