"""May this reply be believed? The one place where a response is verified before anything reads its members.

Today: the digest of the content when one is sent (RFC 9530) and a JSON object that was not altered on its way. Signed
answers (RFC 9421) are verified here as well once the gateway's keys are known to the client.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.client.refusals import Distrusted
from gateway.client.steps import Reply, Send

_DIGEST = re.compile(r"(?:^|,)[ \t]*(sha-256|sha-512)=:([A-Za-z0-9+/=]*):[ \t]*(?=,|$|;)")
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Verified:
    """A reply that `verify_response` let through, with its JSON object."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)

    @property
    def answered(self) -> bool:
        """Whether this is an answer; else it is a problem document."""
        return self.status in _SUCCESS


def verify_response(sent: Send, reply: Reply) -> Verified:
    """Let a reply through, or raise Distrusted. `sent` is the request it answers."""
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise Distrusted(f"{sent.method} {sent.url}: the reply is encoded although identity was asked for")
    check_digest(reply)
    media = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    expected = "application/json" if reply.status in _SUCCESS else "application/problem+json"
    document = parsed(reply.content)
    if media != expected or document is None:
        shown = media if re.fullmatch(r"[\w.+/-]{1,60}", media) else "no media type"
        raise Distrusted(f"{sent.method} {sent.url}: {reply.status} with {shown}, not the {expected} of a gateway")
    return Verified(reply.status, reply.headers, document)


def check_digest(reply: Reply) -> None:
    """The content is what Content-Digest says, when the header is there. Raises Distrusted."""
    header = reply.headers.get("content-digest")
    if header is None:
        return
    digests = _DIGEST.findall(header)
    if not digests:
        raise Distrusted("Content-Digest names neither sha-256 nor sha-512")
    for name, value in digests:
        computed = hashlib.new(name.replace("-", ""), reply.content).digest()
        if not hmac.compare_digest(computed, _decoded(value)):
            raise Distrusted(f"the content does not have the {name} digest that its header says")


def parsed(content: bytes) -> dict[str, Any] | None:
    """The JSON object in `content`, or None when it holds none."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _decoded(value: str) -> bytes:
    try:
        return b64decode(value, validate=True)
    except ValueError:
        return b""
