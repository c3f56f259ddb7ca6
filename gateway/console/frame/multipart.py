"""Which fields does a form hold that came as multipart (RFC 7578)? One level, a few parts, in time that grows with its length."""

from __future__ import annotations

import re

MOST_PARTS = 32
_BOUNDARY = re.compile(
    r'multipart/form-data; ?boundary=(?:"([^"\\]{1,70})"|([A-Za-z0-9\'()+_,./:=?-]{1,70}))'
).fullmatch
_NAME = re.compile(
    r'content-disposition: form-data; name="([^"\\]{1,200})"(?:; filename="[^"]{0,500}")?', re.IGNORECASE
)
_HEAD = 1_024  # bytes of the head of a part


def parts(kind: str, raw: bytes) -> list[tuple[str, str]]:
    """(name, text) of every part of the body `raw` of content type `kind`; files are texts in UTF-8. Raises ValueError.

    A part is never parsed as another multipart, nor decoded: browsers send both as they are.
    """
    boundary = _BOUNDARY(kind)
    if boundary is None:
        raise ValueError("boundary")
    mark = b"\r\n--" + (boundary[1] or boundary[2]).encode("latin-1")
    preamble, *found = (b"\r\n" + raw).split(mark, MOST_PARTS + 2)
    if preamble or len(found) < 2 or len(found) > MOST_PARTS + 1 or found.pop().strip() != b"--":  # noqa: PLR2004  a part
        raise ValueError("parts")
    return [_part(one) for one in found]


def _part(one: bytes) -> tuple[str, str]:
    head, blank, text = one[2:].partition(b"\r\n\r\n")
    if one[:2] != b"\r\n" or not blank or len(head) > _HEAD:
        raise ValueError("head")
    names = [found for line in head.decode().split("\r\n") if (found := _NAME.fullmatch(line))]
    if len(names) != 1:
        raise ValueError("name")
    return names[0][1], text.decode("utf-8-sig")
