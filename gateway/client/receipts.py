"""How does a partner prove later which question got which answer? The digests that the ledger's leaf holds.

`request` is SHA-256(nonce ‖ JCS(request)) and `answer` is SHA-256(JCS(answer without `entry`)); JCS is RFC 8785.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from hashlib import sha256

from gateway.client.keys import b64url

_EXACT = 2**53  # beyond it JSON numbers are not exact everywhere (RFC 8785 §3.2.2.3)


def canonical(document: object) -> bytes:
    """RFC 8785 bytes of a document of text, whole numbers, booleans, null, lists and objects. Raises ValueError."""
    return json.dumps(_ordered(document), ensure_ascii=False, separators=(",", ":")).encode()


def request_digest(nonce: str, request: Mapping[str, object]) -> str:
    """The leaf's `request` member: base64url of SHA-256 over the decoded nonce and the JCS bytes of what was asked."""
    return b64url(sha256(urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4)) + canonical(request)).digest())


def answer_digest(answer: Mapping[str, object]) -> str:
    """The leaf's `answer` member: base64url of SHA-256 over the JCS bytes of an answer or problem without `entry`."""
    return b64url(sha256(canonical({name: value for name, value in answer.items() if name != "entry"})).digest())


def _ordered(value: object) -> object:
    if isinstance(value, Mapping):
        # names are sorted by UTF-16 code units, not by code points
        return {name: _ordered(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    if isinstance(value, (list, tuple)):
        return [_ordered(item) for item in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > _EXACT):
        raise ValueError("only whole numbers up to 2^53 have one spelling")
    return value
