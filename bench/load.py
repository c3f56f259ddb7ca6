"""How many requests a second does a server answer, and how long does each take?

A closed loop of keep-alive HTTP/1.1 connections that send ready-made bytes. The client must stay cheaper than what it
measures: it looks at the status and the length of an answer and at nothing else, and reports how busy it was itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import uvloop

TIME_LIMIT = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """`rate` answers a second, `p50` and `p99` in seconds, statuses counted, `busy`: the client's share of a core."""

    rate: float
    p50: float
    p99: float
    statuses: dict[int, int]
    busy: float
    first_fault: bytes

    def demand(self, status: int) -> Outcome:
        """This outcome, if every answer had `status`. Raises RuntimeError with the first that had not."""
        if set(self.statuses) != {status}:
            msg = (
                f"answers other than {status}: {self.statuses}; the first: {self.first_fault.decode(errors='replace')}"
            )
            raise RuntimeError(msg)
        return self


class _Run:
    """What all connections of one run share."""

    def __init__(self, requests: Sequence[bytes], done: asyncio.Future[None]) -> None:
        self.requests = iter(requests)
        self.left = len(requests)
        self.done = done
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.first_fault = b""

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class _Connection(asyncio.Protocol):
    """Sends a request, waits for the whole answer, sends the next."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.buffer = b""
        self.wanted = 0
        self.sent_at = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.run.fail(exc or ConnectionError("the server closed a connection"))

    def send(self) -> None:
        """Send the next request, if one is left."""
        request = next(self.run.requests, None)
        if request is not None and self.transport is not None:
            self.sent_at = time.perf_counter()
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        if not self.wanted:
            head = data.find(b"\r\n\r\n")
            if head < 0:
                self.buffer = data
                return
            self.wanted = head + 4 + _content_length(data[:head])
        if len(data) < self.wanted:
            self.buffer = data
            return
        self.buffer, self.wanted = b"", 0
        self._count(data)
        self.send()

    def _count(self, answer: bytes) -> None:
        run = self.run
        run.times.append(time.perf_counter() - self.sent_at)
        status = int(answer[9:12])
        run.statuses[status] += 1
        if status >= 400 and not run.first_fault:  # noqa: PLR2004  HTTP's own line between answers and errors
            run.first_fault = answer
        run.left -= 1
        if not run.left and not run.done.done():
            run.done.set_result(None)


def _content_length(head: bytes) -> int:
    start = head.lower().find(b"\r\ncontent-length:")
    if start < 0:
        msg = f"no content-length in {head!r}"
        raise ValueError(msg)
    return int(head[start + 17 :].split(b"\r\n", 1)[0])


async def _send_all(port: int, requests: Sequence[bytes], connections: int) -> Outcome:
    loop = asyncio.get_running_loop()
    run = _Run(requests, loop.create_future())
    opened = [await loop.create_connection(lambda: _Connection(run), "127.0.0.1", port) for _ in range(connections)]
    started, worked = time.perf_counter(), time.process_time()
    for _, connection in opened:
        connection.send()
    await asyncio.wait_for(run.done, TIME_LIMIT)
    took, busy = time.perf_counter() - started, time.process_time() - worked
    for transport, _ in opened:
        transport.abort()
    return _outcome(run, took, busy)


def _outcome(run: _Run, took: float, busy: float) -> Outcome:
    times = sorted(run.times)
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    return Outcome(len(times) / took, p50, p99, dict(run.statuses), busy / took, run.first_fault)


def send_all(port: int, requests: Sequence[bytes], connections: int = 32) -> Outcome:
    """Send every request once, over `connections` at a time, to 127.0.0.1. Raises on a lost connection or time-out."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_send_all(port, requests, connections))


class _Paced:
    """Requests that come when they come: each at its moment, whether the ones before are answered or not."""

    def __init__(self, requests: Sequence[bytes], rate: float, done: asyncio.Future[None]) -> None:
        self.run = _Run([], done)
        self.run.left = len(requests)
        self.requests = requests
        self.rate = rate
        self.idle: list[_PacedConnection] = []
        self.late: deque[tuple[float, bytes]] = deque()

    async def keep_time(self) -> None:
        """Send every request at its moment, or give it to whichever connection is free next."""
        began = time.perf_counter()
        for at, request in enumerate(self.requests):
            due = began + at / self.rate
            if (ahead := due - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            if self.idle:
                self.idle.pop().post(due, request)
            else:
                self.late.append((due, request))


class _PacedConnection(_Connection):
    def __init__(self, paced: _Paced) -> None:
        super().__init__(paced.run)
        self.paced = paced

    def post(self, due: float, request: bytes) -> None:
        """What is timed begins when the request was due, not when there was room for it."""
        assert self.transport is not None  # noqa: S101  for the type checker: it is open
        self.sent_at = due
        self.transport.write(request)

    def send(self) -> None:
        """The next that is late, or wait for one."""
        if self.paced.late:
            self.post(*self.paced.late.popleft())
        else:
            self.paced.idle.append(self)


async def _send_paced(port: int, requests: Sequence[bytes], rate: float, connections: int) -> Outcome:
    loop = asyncio.get_running_loop()
    paced = _Paced(requests, rate, loop.create_future())
    opened = [
        await loop.create_connection(lambda: _PacedConnection(paced), "127.0.0.1", port) for _ in range(connections)
    ]
    paced.idle = [connection for _, connection in opened]
    started, worked = time.perf_counter(), time.process_time()
    await asyncio.wait_for(asyncio.gather(paced.keep_time(), paced.run.done), TIME_LIMIT)
    took, busy = time.perf_counter() - started, time.process_time() - worked
    for transport, _ in opened:
        transport.abort()
    return _outcome(paced.run, took, busy)


def send_paced(port: int, requests: Sequence[bytes], rate: float, connections: int = 256) -> Outcome:
    """Send `rate` requests a second to 127.0.0.1, whatever comes back; times are from the moment that each was due."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_send_paced(port, requests, rate, connections))


def request_bytes(
    path: str, body: bytes, headers: str = "", *, kind: str = "application/json", host: str = "127.0.0.1"
) -> bytes:
    """One HTTP/1.1 POST, ready to send; `headers` are whole lines, each with its CRLF; `kind` is the type of the body."""
    start = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {kind}\r\n"
    return f"{start}{headers}content-length: {len(body)}\r\n\r\n".encode() + body
