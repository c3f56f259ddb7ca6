"""What is the value of one cookie of ours? Found by its name and by hand: nothing else of the header is ever parsed.

`http.cookies` takes time that grows with the square of what anybody sends (CVE-2024-7592); so no framework may read them either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST = 8_192
"""Bytes of all `Cookie` lines of a request together; beyond them there are no cookies."""
_VALUE = re.compile(rb"[A-Za-z0-9_-]{1,128}").fullmatch


def cookie(headers: Iterable[tuple[bytes, bytes]], name: str) -> str:
    """The value of the cookie of this name (RFC 6265 §4.2.1), from the headers of an ASGI scope.

    Empty without it, when it comes twice, or when its value is none that this gateway gives (base64url, or a word).
    """
    lines = [value for field, value in headers if field == b"cookie"]
    if sum(map(len, lines)) > MOST:
        return ""
    wanted = name.encode()
    pairs = (pair.strip(b" \t").partition(b"=") for line in lines for pair in line.split(b";"))
    found = [value for own, _, value in pairs if own == wanted]
    return found[0].decode() if len(found) == 1 and _VALUE(found[0]) else ""
