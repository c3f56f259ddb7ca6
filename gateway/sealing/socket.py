"""How do several workers share one sealer? It is a process of its own, which they reach over a Unix socket.

Frames: four bytes of length, eight of a running number, then msgpack. A lost connection means an unknown commit.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gateway.errors import Cause, CommitUnknown, Refused
from gateway.sealing.queue import Sealing, patience
from gateway.sealing.submission import Failed, Outcome, Sealed, StaleEpoch, Submission

_encode = msgspec.msgpack.Encoder().encode
_decode_submissions = msgspec.msgpack.Decoder(list[Submission]).decode
SLACK = 0.5  # seconds more than the sealer's own patience until a worker gives up on a sealer that says nothing
HEALTHY = 1.0  # seconds that a sealer has to say how it is
RETRY = 0.05  # seconds between two attempts to reach the sealer
PATIENCE = 2.0  # seconds until a worker gives up on a sealer that is being started again
LIMIT = 64 * 1024 * 1024


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(12)
    size = int.from_bytes(head[:4], "big")
    if size > LIMIT:
        msg = "a frame is too large"
        raise ConnectionError(msg)
    return int.from_bytes(head[4:], "big"), await reader.readexactly(size)


def _frame(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + number.to_bytes(8, "big") + body


def _write_outcome(outcome: Outcome) -> tuple[Any, ...]:
    if isinstance(outcome, Sealed):
        return ("sealed", outcome)
    return ("moved", outcome.epochs) if isinstance(outcome, StaleEpoch) else ("failed", outcome.fault)


def _read_outcome(kind: str, value: Any) -> Outcome:  # noqa: ANN401  msgpack
    if kind == "sealed":
        return msgspec.convert(value, Sealed)
    return StaleEpoch(value) if kind == "moved" else Failed(value)


async def serve_sealing(
    path: Path, sealing: Sealing, stop: asyncio.Event, health: Callable[[], Awaitable[str]] | None = None
) -> None:
    """Seal for whoever connects to `path`, until `stop`; what is in hand then is still sealed and answered.

    A frame without a body asks for `health`, by default the sealing's.
    """
    healthy = health or sealing.health
    lines: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
    answering: set[asyncio.Task[None]] = set()

    async def answer(number: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        reply: tuple[Any, ...]
        try:
            if not body:
                writer.write(_frame(number, _encode(("health", await healthy()))))
                return
            outcomes = await sealing.seal(_decode_submissions(body))
            reply = ("outcomes", [_write_outcome(outcome) for outcome in outcomes])
        except Refused as refused:
            reply = ("refused", refused.refusal.cause, dict(refused.refusal.facts))
        except Exception as fault:  # noqa: BLE001  the worker must not wait for ever; what was sealed is unknown to it
            reply = ("unknown", type(fault).__name__)
        with suppress(ConnectionError):  # a worker that is gone takes its commit for unknown
            writer.write(_frame(number, _encode(reply)))
            await writer.drain()

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines[writer] = asyncio.current_task()
        try:
            while True:
                number, body = await _read(reader)
                task = asyncio.create_task(answer(number, body, writer))
                answering.add(task)
                task.add_done_callback(answering.discard)
        except (asyncio.IncompleteReadError, ConnectionError):
            del lines[writer]
            writer.close()

    path.unlink(missing_ok=True)  # noqa: ASYNC240  once, before anybody is served
    server = await asyncio.start_unix_server(attend, str(path), limit=LIMIT)
    os.chmod(path, 0o600)  # noqa: PTH101  only this deployment's own processes may seal
    await stop.wait()
    server.close()
    await sealing.close()
    await asyncio.gather(*answering)
    for writer in lines:
        writer.close()
    await asyncio.gather(*(task for task in lines.values() if task is not None))


def alive(path: Path, seconds: float) -> bool:
    """Whether a sealer says anything at all on its socket within some seconds; for whoever has no event loop."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(seconds)
        try:
            line.connect(str(path))
            line.sendall(_frame(0, b""))
            return bool(line.recv(1))
        except OSError:
            return False


class RemoteSealing:
    """A worker's end of the socket."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._listener: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._heard = 0.0
        self._silent = False

    async def seal(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """See `Sealing.seal`."""
        if self._silent and self._writer is not None and not self._writer.is_closing():
            raise Refused(Cause.LEDGER_UNAVAILABLE, retry_after=1)
        bound = patience(sum(len(each.drafts) for each in submissions)) + SLACK
        kind, *rest = msgspec.msgpack.decode(await self._asked(_encode(list(submissions)), bound))
        if kind == "outcomes":
            return [_read_outcome(*outcome) for outcome in rest[0]]
        if kind == "refused":
            raise Refused(Cause(rest[0]), **rest[1])
        raise CommitUnknown(rest[0])

    async def _asked(self, body: bytes, bound: float) -> bytes:
        """The reply to a frame. Raises CommitUnknown when the sealer has said nothing at all for `bound` seconds."""
        writer = await self._connect()
        loop = asyncio.get_running_loop()
        number = next(self._numbers)
        future: asyncio.Future[bytes] = loop.create_future()
        self._waiting[number] = future
        writer.write(_frame(number, body))
        began = loop.time()
        while not future.done():
            left = max(began, self._heard) + bound - loop.time()
            if left <= 0:
                self._waiting.pop(number, None)
                self._silent = True
                raise CommitUnknown("the sealer does not answer")
            await asyncio.wait((future,), timeout=left)
        return future.result()

    async def health(self) -> str:
        """See `Sealing.health`."""
        try:
            async with asyncio.timeout(HEALTHY):
                _, told = msgspec.msgpack.decode(await self._asked(b"", HEALTHY))
                return str(told)
        except (TimeoutError, CommitUnknown, Refused):
            return "the sealer does not answer"

    async def _connect(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is not None and not self._writer.is_closing():
                return self._writer
            loop = asyncio.get_running_loop()
            deadline = loop.time() + PATIENCE
            while True:
                try:
                    reader, self._writer = await asyncio.open_unix_connection(str(self._path), limit=LIMIT)
                except OSError as fault:
                    if loop.time() > deadline:
                        raise Refused(Cause.LEDGER_UNAVAILABLE, retry_after=1) from fault
                    await asyncio.sleep(RETRY)
                else:
                    self._listener = asyncio.create_task(self._listen(reader, self._writer))
                    return self._writer

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                number, body = await _read(reader)
                self._heard, self._silent = asyncio.get_running_loop().time(), False
                future = self._waiting.pop(number, None)
                if future is not None and not future.done():
                    future.set_result(body)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()
            lost, self._waiting = self._waiting, {}
            for future in lost.values():
                if not future.done():
                    future.set_exception(CommitUnknown("the connection to the sealer was lost"))

    async def close(self) -> None:
        """See `Sealing.close`."""
        if self._listener is not None:
            self._listener.cancel()
