"""How is a large body read without harm? Few at a time, one a client, within a minute, and never unpacked beyond its bound."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from litestar.types import Receive

from gateway.errors import CallerGone, Cause, Refused
from gateway.web.http.headers import Headers, check_digest

MOST = 16 * 1024 * 1024
"""Bytes of a body, as it is sent and as it is unpacked."""
AT_ONCE = 4
WITHIN = 60  # seconds
_STEP = 128 * 1024  # unpacked bytes between two chances for other calls


class LargeBodies:
    """Keeps how many large bodies a process holds bounded; whoever comes beyond that waits."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, client_id: str) -> AsyncIterator[None]:
        """While this lasts, the client is the one whose body is read and worked on."""
        lock = self._turns.setdefault(client_id, asyncio.Lock())
        async with lock, self._slots:
            yield


async def read_large(receive: Receive, headers: Headers) -> bytes:
    """The whole body, unpacked where it came packed.

    Raises Refused(BODY_TOO_LARGE, DIGEST_MISMATCH, MALFORMED_REQUEST, UNSUPPORTED_MEDIA_TYPE, OVERLOADED), CallerGone.
    """
    encoding = headers.content_encoding.strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise Refused(Cause.UNSUPPORTED_MEDIA_TYPE, accepted=["gzip"])
    try:
        async with asyncio.timeout(WITHIN):
            sent = await _read(receive, headers.content_length)
    except TimeoutError:
        raise Refused(Cause.OVERLOADED, retry_after=1) from None
    if headers.content_digest:
        check_digest(headers.content_digest, sent)  # RFC 9530 §2: over the content as it is sent
    return await _unpack(sent) if encoding == "gzip" else sent


async def _read(receive: Receive, declared: int) -> bytes:
    if declared > MOST:
        raise Refused(Cause.BODY_TOO_LARGE, most=MOST)
    parts, size = [], 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > MOST:
            raise Refused(Cause.BODY_TOO_LARGE, most=MOST)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _unpack(sent: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    parts, size, left = [], 0, sent
    try:
        while not unpacker.eof:
            part = unpacker.decompress(left, _STEP)
            left = unpacker.unconsumed_tail
            size += len(part)
            if size > MOST:
                raise Refused(Cause.BODY_TOO_LARGE, most=MOST)
            if not part and not left and not unpacker.eof:
                raise Refused(Cause.MALFORMED_REQUEST, members=["body"])
            parts.append(part)
            await asyncio.sleep(0)
    except zlib.error:
        raise Refused(Cause.MALFORMED_REQUEST, members=["body"]) from None
    if unpacker.unused_data:
        raise Refused(Cause.MALFORMED_REQUEST, members=["body"])
    return b"".join(parts)
