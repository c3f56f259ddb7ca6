"""What bytes is a document hashed as? RFC 8785 (JCS), for the documents of this house.

Those hold text, whole numbers, booleans, null, lists and objects, and their member names are ASCII; within that,
msgspec's sorted output *is* JCS (the tests hold it against the RFC's rules and a second implementation).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(document: Any) -> bytes:  # noqa: ANN401  any JSON document
    """JCS bytes of a document without floats and with ASCII member names."""
    return _encoder.encode(document)


def digest(document: Any) -> bytes:  # noqa: ANN401
    """SHA-256 over `canonical(document)`."""
    return sha256(_encoder.encode(document)).digest()
