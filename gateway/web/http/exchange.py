"""One call and its response, as ASGI sees them: reads a bounded body, sends whole responses with the headers all share."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.types import Receive, Scope, Send

from gateway.errors import CallerGone, Cause, Refused

BODY = 1024 * 1024
JSON = b"application/json"
PROBLEM = b"application/problem+json"
_encode = msgspec.json.Encoder().encode


async def read_body(receive: Receive, declared: int, most: int = BODY) -> bytes:
    """The whole body. Raises Refused(BODY_TOO_LARGE) over `most` bytes, CallerGone when the caller leaves."""
    if declared > most:
        raise Refused(Cause.BODY_TOO_LARGE, most=most)
    message: Any = await receive()
    if message["type"] == "http.disconnect":
        raise CallerGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > most:
            raise Refused(Cause.BODY_TOO_LARGE, most=most)
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        if size > most:
            raise Refused(Cause.BODY_TOO_LARGE, most=most)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > most:
        raise Refused(Cause.BODY_TOO_LARGE, most=most)
    return b"".join(parts)


async def send_response(
    send: Send, status: int, body: bytes, kind: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """A whole response; `Cache-Control: no-store` unless `headers` bring their own."""
    cache = () if any(name == b"cache-control" for name, _ in headers) else ((b"cache-control", b"no-store"),)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", kind),
                (b"content-length", str(len(body)).encode()),
                (b"x-content-type-options", b"nosniff"),
                *cache,
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


def encode(document: object) -> bytes:
    """JSON bytes."""
    return _encode(document)


def has_gone(receive: Receive) -> bool:
    """Whether the caller has closed the connection already.

    ASGI tells it only to whoever awaits `receive`; uvicorn's request cycle knows it at once. Under another server nobody
    is taken for gone, and an answer is sealed that nobody reads.
    """
    return bool(getattr(getattr(receive, "__self__", None), "disconnected", False))


def peer(scope: Scope) -> str:
    """The address of whoever connected."""
    client = scope.get("client")
    return client[0] if client else "127.0.0.1"
