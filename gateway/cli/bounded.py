"""How much may a connection send, and how long may it take? Bounds of a head and a body before anybody has asked who calls.

A head: 64 headers, 16 KiB, a URL of 8 KiB (414, 431), whole within 5 s (408). A body: 10 s and one more for every 16 KiB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS = 64
HEAD = 16_384  # bytes of all headers of a request
URL = 8_192  # bytes
HEAD_SECONDS = 5.0
BODY_SECONDS = 10.0
BODY_RATE = 16_384  # bytes that give a body one second more
PIPELINED = 16  # calls that wait behind the one that is answered
LEFT_OVER = 2 * 1_048_576  # bytes of a body that are read after its response
UNREAD_SECONDS = 60.0  # for a caller who does not read what was sent to it
LINGER_SECONDS = 1.0  # what was refused is read for so long, or the caller would never see why
_TITLES = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
}


class _Bound(Exception):
    """A bound was passed: ends the parser's work at once."""


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 within bounds of size and time."""

    def __init__(self, *told: Any, **more: Any) -> None:  # noqa: ANN401  uvicorn's own
        super().__init__(*told, **more)
        self.url = b""
        self.released: Callable[[], None] = lambda: None  # told when the connection is gone
        self._since = self.loop.time()  # when what is waited for began
        self._waits = "head"  # for a head | a body | nothing | the end of what was refused
        self._taken = 0  # bytes of it
        self._room = HEAD
        self._refusal = 400
        self._unread_since = 0.0

    # ------------------------------------------------------------------------------------------- how long

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  uvicorn's own narrower type is not asyncio's
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._since = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for another."""
        super().connection_lost(exc)
        self.released()

    def look(self, now: float) -> None:
        """End the connection when it has had its time. Called once a second, instead of a timer for each call."""
        if self.flow is None:  # uvicorn's: the handshake of TLS has a time of its own
            return  # type: ignore[unreachable]
        if self._unread_since and now - self._unread_since > UNREAD_SECONDS:
            self.transport.abort()
        elif self._waits == "end":
            if now - self._since > LINGER_SECONDS:
                self.transport.close()
        elif self._waits == "head":
            if self._idle() and now - self._since > HEAD_SECONDS:
                self._refuse(408) if self._taken else self.transport.close()
        elif self._waits == "body":
            if self.flow.read_paused:
                self._since += 1  # it is the gateway that does not read
            elif now - self._since > BODY_SECONDS + self._taken / BODY_RATE:
                self._refuse(408)

    def _idle(self) -> bool:
        """Whether no call is under way."""
        cycle: Any = self.cycle  # uvicorn's type leaves out that there may be none yet
        return cycle is None or bool(cycle.response_complete)

    def on_response_complete(self) -> None:
        """What was begun while the response was made has its time from now on."""
        self._since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The caller does not read."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The caller reads."""
        self._unread_since = 0.0
        super().resume_writing()

    # ------------------------------------------------------------------------------------------- how much

    def data_received(self, data: bytes) -> None:
        """Parse what has come, unless it is more of what was refused."""
        if self._waits == "end":
            self._taken += len(data)
            if self._taken > LEFT_OVER:
                self.transport.abort()
            return
        if self._waits == "nothing":
            self._waits, self._since, self._taken = "head", self.loop.time(), 0
        if self._waits == "head":
            self._taken += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # nothing but HTTP/1.1 is spoken here
        except HttpParserError:  # uvicorn would write a line of the log for each
            self._refuse(self._refusal)
        # What the parser keeps back of a header that has not ended is told by nobody.
        if self._waits == "head" and self._taken > URL + HEAD:
            self._refuse(431)

    def on_message_begin(self) -> None:
        """Begin a head: of the next call, if those before it came together with it."""
        if self._waits == "nothing":
            self._waits, self._since, self._taken = "head", self.loop.time(), 0
        if len(self.pipeline) >= PIPELINED:
            raise _Bound
        self._room = HEAD
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the URL."""
        self.url += url
        if len(self.url) > URL:
            self._refusal = 414
            raise _Bound

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header."""
        self._room -= len(name) + len(value) + 4
        if self._room < 0 or len(self.headers) >= HEADERS:
            self._refusal = 431
            raise _Bound
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Wait for the body."""
        self._waits, self._since, self._taken = "body", self.loop.time(), 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body; of what nobody reads any more only so much is taken."""
        self._taken += len(body)
        if self.cycle.response_complete and self._taken > LEFT_OVER:
            self.transport.abort()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The call is whole."""
        self._waits = "nothing"
        super().on_message_complete()

    def _refuse(self, status: int) -> None:
        """Say why, if no response is under way, and read on for a moment so that it is seen; then close."""
        if self._waits == "end" or self.transport.is_closing():
            return
        if not self._idle() and (self._waits == "head" or self.cycle.response_started):
            # The response to the call before is what the caller waits for; nothing comes after it.
            self.cycle.keep_alive = False
            self.pipeline.clear()
            if self._waits == "body":
                self.transport.close()
            self._waits, self._since, self._taken = "end", float("inf"), 0
            return
        document = msgspec.json.encode({"type": "about:blank", "title": _TITLES[status], "status": status})
        self.transport.write(
            f"HTTP/1.1 {status} {_TITLES[status]}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(document)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n".encode()
            + document
        )
        if not self._idle():  # whoever reads this body reads no more of it
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._waits, self._since, self._taken = "end", self.loop.time(), 0
