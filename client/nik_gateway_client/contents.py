"""What does the content of a reply hold, and is it what its digest says (RFC 9530)?"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64decode
from typing import Any

from nik_gateway_client.refusals import Distrusted
from nik_gateway_client.steps import Reply

_DIGEST = re.compile(r"(?:^|,)[ \t]*(sha-256|sha-512)=:([A-Za-z0-9+/=]*):[ \t]*(?=,|$|;)")


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
        if not hmac.compare_digest(computed, decoded(value)):
            raise Distrusted(f"the content does not have the {name} digest that its header says")


def parsed(content: bytes) -> dict[str, Any] | None:
    """The JSON object in `content`, or None when it holds none."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def decoded(value: str) -> bytes:
    """The bytes of padded base64; none for what is no base64."""
    try:
        return b64decode(value, validate=True)
    except ValueError:
        return b""
