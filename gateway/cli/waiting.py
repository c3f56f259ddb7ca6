"""What is answered while the database is not there yet? That the node is alive, not ready, and why; nothing is asked of it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from gateway.clock import Clock, Entropy, uuid7
from gateway.errors import Cause, Refusal
from gateway.web.http.problems import Problems

PATIENCE = 2.0  # seconds for a caller to say what it wants
LONGEST = 16_384  # bytes of a head that is read
RETRY_AFTER = 2


class Waiting:
    """Answers on a listening socket, in a thread of its own, for as long as the block lasts."""

    def __init__(
        self, listener: socket.socket, issuer: str, parts: tuple[Clock, Entropy], tls: ssl.SSLContext | None
    ) -> None:
        self._listener = listener
        self._problems = Problems(issuer)
        self._clock, self._entropy = parts
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._over = asyncio.Event()

    async def _serve(self) -> None:
        # A descriptor of its own is closed at the end; the socket itself goes on with the workers.
        own = self._listener.dup()
        server = await asyncio.start_server(self._answer, sock=own, ssl=self._tls, limit=LONGEST)
        await self._over.wait()
        # Nobody more is let in; but a closed server drops whoever it let in a moment ago, so it is closed last.
        asyncio.get_running_loop().remove_reader(own)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while under_way := asyncio.all_tasks() - {asyncio.current_task()}:
                    await asyncio.wait(under_way)
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._reply(head.split(b" ", 2)[1].partition(b"?")[0]))
                await writer.drain()
        writer.close()

    def _reply(self, path: bytes) -> bytes:
        kind = "application/json"
        document: dict[str, Any]
        if path == b"/healthz":
            status, document = 200, {"status": "alive"}
        elif path == b"/readyz":
            status, document = 503, {"ready": False, "database": "unreachable"}
        else:
            refusal = Refusal(Cause.REGISTER_UNAVAILABLE, {"retry_after": RETRY_AFTER})
            status, document = self._problems(refusal, "id", uuid7(self._clock.now(), self._entropy))
            kind = "application/problem+json"
        body = json.dumps(document, ensure_ascii=False).encode()
        lines = (
            f"HTTP/1.1 {status} {'OK' if status < 300 else 'Service Unavailable'}",  # noqa: PLR2004
            f"content-type: {kind}",
            f"content-length: {len(body)}",
            "cache-control: no-store",
            f"retry-after: {RETRY_AFTER}",
            "connection: close",
        )
        return "\r\n".join((*lines, "", "")).encode() + body

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()
