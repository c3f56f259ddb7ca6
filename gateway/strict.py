"""Does an object in this JSON name a member twice? Whatever comes in is asked so: of two, nobody knows which was meant.

RFC 8259 §4 leaves it open, RFC 7515 §4 and RFC 7519 §4 let it be refused, RFC 8785 §3.1 forbids it.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_TWICE: Any = object()


class MemberTwice(msgspec.DecodeError, ValueError):
    """An object names a member twice. The name is not told, for it may be anybody's data."""


def require_once(raw: bytes | memoryview, kept: object, apart: str = "") -> None:
    """Raises MemberTwice when an object in `raw` names a member twice; `kept` is everything that was read from it.

    A decoder keeps the last of two. A text without escapes has two quotes and nothing else has any, so that what was
    kept, written again, has as many as `raw` unless something was dropped: `kept` must write nothing that was not there.
    Only where that is not so is it read slowly; then what stands under `apart` in the outermost object is let be, for
    its parts are asked one by one.
    """
    octets = bytes(raw)
    if b"\\" not in octets and octets.count(b'"') == _encode(kept).count(b'"'):
        return
    try:
        document = json.loads(octets, object_pairs_hook=_marked)
    except (ValueError, RecursionError) as fault:
        raise MemberTwice from fault  # what the one reader takes and the other does not is not JSON to be relied on
    if document is _TWICE or _has_one(document, apart):
        raise MemberTwice


def require_all_once(raw: bytes) -> None:
    """As `require_once`, for what is read into a form that leaves members out. Raises msgspec.MsgspecError."""
    require_once(raw, _decode(raw))


def read_strictly(raw: bytes | str) -> Any:  # noqa: ANN401  whatever JSON holds
    """The document of a JSON text. Raises ValueError (MemberTwice is one), RecursionError."""
    document = json.loads(raw, object_pairs_hook=_marked)
    if document is _TWICE or _has_one(document, ""):
        raise MemberTwice
    return document


def _marked(pairs: list[tuple[str, Any]]) -> Any:  # noqa: ANN401
    members = dict(pairs)
    return members if len(members) == len(pairs) else _TWICE


def _has_one(document: Any, apart: str) -> bool:  # noqa: ANN401
    """Whether an object in a document that was read slowly has a member twice."""
    waiting = [document]
    if apart and isinstance(document, dict):
        waiting = [value for name, value in document.items() if name != apart]
    while waiting:
        value = waiting.pop()
        if value is _TWICE:
            return True
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False
