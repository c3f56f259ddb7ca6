"""How does a response leave a connection? Head and body in one piece: a system call and a segment less for each answer."""

from __future__ import annotations

from typing import Any

from gateway.cli.bounded import BoundedProtocol


class _Joining:
    """A transport that keeps the head of a response back until what follows it."""

    def __init__(self, transport: Any) -> None:  # noqa: ANN401  a transport of asyncio or uvloop
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write, or keep what ends as a head does; an interim response (RFC 9110 §15.2) goes at once."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.endswith(b"\r\n\r\n") and data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1"):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Write what was kept: nothing follows it."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """See `Transport.close`."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever else a transport can
        return getattr(self._transport, name)


class WholeProtocol(BoundedProtocol):
    """HTTP/1.1 that writes a response in one piece."""

    _joining: _Joining

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  uvicorn's own narrower type is not asyncio's
        """Begin a connection."""
        joining: Any = _Joining(transport)  # has all that uvicorn asks of a transport
        self._joining = joining
        super().connection_made(joining)

    def on_response_complete(self) -> None:
        """A response to HEAD has no body to wait for."""
        self._joining.flush()
        super().on_response_complete()
