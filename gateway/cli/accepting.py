"""Who may connect? Connections are counted where they are accepted, in all and by address, before TLS costs anything."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl as tls
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import structlog
import uvloop

from gateway.cli.bounded import HEAD_SECONDS, BoundedProtocol
from gateway.web.http.headers import is_listed, network_of

RESERVED = 128  # descriptors for databases, files and the sealer
_TOLD_EVERY = 60  # seconds between two lines of the log about connections that were refused
_log = structlog.get_logger("gateway.connections")


@dataclass(slots=True)
class ConnectionLimits:
    """How many connections one worker keeps. Listed proxies bring those of many addresses: they count in all alone."""

    most: int
    by_address: int
    ipv6_prefix: int
    proxies: Sequence[IPv4Network | IPv6Network] = ()
    refused: int = 0
    _held: dict[str, int] = field(default_factory=dict)  # address → connections; bounded by `most`
    _all: int = 0

    def __post_init__(self) -> None:
        """What the process may open bounds what it accepts; half of that is never one address's."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files != resource.RLIM_INFINITY:
            self.most = min(self.most, max(files - RESERVED, files // 4))
        self.by_address = min(self.by_address, max(self.most // 2, 1))

    def admit(self, address: str) -> Callable[[], None] | None:
        """Count a connection: what to call when it is gone. None when there are too many."""
        name = "" if is_listed(address, self.proxies) else network_of(address, self.ipv6_prefix)
        if self._all >= self.most or (name and self._held.get(name, 0) >= self.by_address):
            self.refused += 1
            return None
        self._all += 1
        self._held[name] = self._held.get(name, 0) + 1
        gone = False

        def release() -> None:
            nonlocal gone
            if gone:
                return
            gone = True
            self._all -= 1
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]

        return release


class CountingLoop(uvloop.Loop):
    """An event loop whose servers keep to `ConnectionLimits`."""

    def __init__(self, limits: ConnectionLimits) -> None:
        super().__init__()
        self._limits = limits

    async def create_server(  # type: ignore[override]  # as uvicorn asks for one
        self, factory: Callable[[], Any], *, sock: socket.socket, ssl: tls.SSLContext | None, backlog: int
    ) -> Accepting:
        """Listen on a socket that is bound. Raises OSError when another program does."""
        sock.listen(backlog)
        return Accepting(self, sock, factory, ssl, self._limits)


class Accepting:
    """Accepts, counts, and ends whatever has had its time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        factory: Callable[[], BoundedProtocol],
        context: tls.SSLContext | None,
        limits: ConnectionLimits,
    ) -> None:
        self._loop, self._sock, self._factory, self._context, self._limits = loop, sock, factory, context, limits
        self._protocols: set[BoundedProtocol] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._told, self._reason = float("-inf"), "too many"
        sock.settimeout(0)
        loop.add_reader(sock, self._accept)
        self._sweeping = loop.call_later(1, self._sweep)

    def close(self) -> None:
        """Accept no more; what is connected goes on."""
        self._loop.remove_reader(self._sock)

    async def wait_closed(self) -> None:
        """There is nothing to wait for."""

    def _accept(self) -> None:
        try:
            connection, peer = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was faster, or the caller has gone
        except OSError as fault:  # no descriptor is left: those that end make room
            self._limits.refused += 1
            self._reason = str(fault.strerror)
            self._loop.remove_reader(self._sock)
            self._loop.call_later(0.1, self._loop.add_reader, self._sock, self._accept)
            return
        release = self._limits.admit(peer[0] if peer else "")
        if release is None:
            connection.close()
            return
        connection.settimeout(0)
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._serve(connection, release))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket, release: Callable[[], None]) -> None:
        protocol = self._factory()

        def gone() -> None:
            self._protocols.discard(protocol)
            release()

        protocol.released = gone
        self._protocols.add(protocol)
        timeout = HEAD_SECONDS if self._context else None
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._context, ssl_handshake_timeout=timeout
            )
        except OSError:  # no TLS came of it, or not in time
            connection.close()
            gone()

    def _sweep(self) -> None:
        now = self._loop.time()
        for protocol in list(self._protocols):
            protocol.look(now)
        if self._limits.refused and now - self._told > _TOLD_EVERY:
            _log.warning("connections were refused", count=self._limits.refused, reason=self._reason)
            self._told, self._limits.refused, self._reason = now, 0, "too many"
        self._sweeping = self._loop.call_later(1, self._sweep)
