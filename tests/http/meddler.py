"""Who stands between a partner and the gateway? A forward proxy on loopback that changes what passes through it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOPS = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True)
class Asked:
    """A request as it came from the partner. Header names are lower-case."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Told:
    """A reply as it came from the gateway. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def with_headers(self, **changes: str | None) -> Told:
        """With these headers changed, or left out where None; `_` is written for `-`."""
        merged = self.headers | {name.replace("_", "-"): value for name, value in changes.items()}
        return replace(self, headers={name: value for name, value in merged.items() if value is not None})


@dataclass
class Meddler:
    """Set `on_request`, `on_reply` and `instead`; all pass through unchanged at first. `told` keeps replies under /v1."""

    on_request: Callable[[Asked], Asked] = field(default=lambda asked: asked)
    on_reply: Callable[[Told], Told] = field(default=lambda told: told)
    instead: Told | None = None  # the reply to calls under /v1, which then never reach the gateway
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        meddler = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in _HOPS}
                told = meddler.passed(Asked(self.command, self.path, headers, body))
                self.send_response_only(told.status)
                for name, value in told.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body)

            do_GET = do_POST = _pass  # noqa: N815  the standard library's names

            def log_message(self, *args: Any) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def passed(self, asked: Asked) -> Told:
        """The reply to a request."""
        if "/v1/" not in asked.url:
            return _forwarded(asked)
        if self.instead is not None:
            return self.instead
        told = _forwarded(self.on_request(asked))
        self.told.append(told)
        return self.on_reply(told)

    def honest(self) -> None:
        """Let everything through again."""
        self.on_request, self.on_reply, self.instead = (lambda asked: asked), (lambda told: told), None

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _forwarded(asked: Asked) -> Told:
    parts = urlsplit(asked.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(asked.method, target, asked.body or None, asked.headers)
        reply = connection.getresponse()
        headers = {name.lower(): value for name, value in reply.getheaders() if name.lower() not in _HOPS}
        return Told(reply.status, headers, reply.read())
    finally:
        connection.close()
