"""What may a connection send, and for how long, before anybody is known? Raw sockets, plain and through TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from deployment import deployed
from tls_served import TlsGateway

from gateway.cli.bounded import BODY_SECONDS, HEAD, HEAD_SECONDS, HEADERS, URL

MOST, MOST_BY_ADDRESS = 40, 12
GET = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"


class Place:
    """Where to connect to, in the plain or by TLS."""

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        self.port, self._context = port, context

    @contextlib.contextmanager
    def line(self, own: str = "127.0.0.1", *, shake: bool = True) -> Iterator[socket.socket]:
        """A connection from an own address; without `shake` TLS is not begun."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(own, 0)) as plain:
            if self._context is None or not shake:
                yield plain
            else:
                with self._context.wrap_socket(plain, server_hostname="localhost") as line:
                    yield line


@pytest.fixture(scope="module", params=["plain", "tls"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A gateway that keeps few connections, and how it is reached."""
    few = f"connections = {MOST}\nconnections_by_address = {MOST_BY_ADDRESS}\n"
    if request.param == "plain":
        with deployed(server=few) as deployment:
            yield Place(deployment.port, None)
        return
    gateway = TlsGateway(
        tmp_path_factory.mktemp("bounds") / "demo", lambda text, _: text.replace("[server]\n", f"[server]\n{few}")
    )
    gateway.serve()
    yield Place(gateway.port, ssl.create_default_context(cafile=str(gateway.directory / "tls" / "ca.pem")))
    gateway.stop()


def told(line: socket.socket) -> bytes:
    """Whatever comes until the other side closes."""
    data = b""
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        while more := line.recv(65_536):
            data += more
    return data


def status(reply: bytes) -> bytes:
    """The status of a response; empty without one."""
    return reply[9:12]


def sent(line: socket.socket, *pieces: bytes) -> bytes:
    """What comes of these bytes."""
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        for piece in pieces:
            line.sendall(piece)
    return told(line)


LAST = b"connection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([GET + b"a: b\r\n" * (HEADERS - 2), LAST], b"200"),
        ([GET + b"a: b\r\n" * (HEADERS - 1), LAST], b"431"),
        ([GET + b"a: " + b"b" * (HEAD - 100) + b"\r\n", LAST], b"200"),
        ([GET + b"a: " + b"b" * HEAD + b"\r\n", LAST], b"431"),
        ([GET + b"a: "] + [b"b" * 65_536] * 24, b"431"),  # a header that never ends
        ([GET] + [b"a" * 65_536] * 24, b"431"),  # nor does its name
        ([b"GET /healthz?" + b"a" * (URL - 9), b" HTTP/1.1\r\nhost: x\r\n", LAST], b"200"),
        ([b"GET /healthz?" + b"a" * URL, b" HTTP/1.1\r\nhost: x\r\n", LAST], b"414"),
        ([b"GET /"] + [b"a" * 65_536] * 24, b"414"),
        ([b"POST /oauth2/token HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nx\r\n"], b"400"),
        ([b"\x16\x03\x01\x02\x00\x01"], b"400"),
    ],
)
def test_a_head_has_a_size(place: Place, pieces: list[bytes], expected: bytes) -> None:
    """64 headers, 16 KiB and a URL of 8 KiB are taken, more is refused and the connection closed, whole or in pieces."""
    with place.line() as line:
        reply = sent(line, *pieces)
    assert status(reply) == expected, reply[:200]
    if expected != b"200":
        assert b"content-type: application/problem+json\r\n" in reply
        assert reply.endswith(b"}")


def test_what_is_not_whole_in_time_is_ended(place: Place) -> None:
    """Silence, half a head, line ends between calls and a body that trickles: each has its seconds, and 408 where asked."""
    with contextlib.ExitStack() as stack:
        silent, half, blank, slow = (stack.enter_context(place.line()) for _ in range(4))
        unshaken = stack.enter_context(place.line(shake=False))
        half.sendall(GET)
        blank.sendall(GET + b"\r\n")
        assert status(blank.recv(65_536)) == b"200"
        blank.sendall(b"\r\n")
        slow.sendall(b"POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-length: 40000\r\n\r\na")
        began = time.monotonic()
        assert told(silent) == told(unshaken) == b""
        assert status(told(half)) == status(told(blank)) == b"408"
        assert HEAD_SECONDS - 1 < time.monotonic() - began < HEAD_SECONDS + 10
        while time.monotonic() - began < BODY_SECONDS - 1:
            slow.sendall(b"a")
            time.sleep(1)
        assert status(told(slow)) == b"408"
        assert time.monotonic() - began < BODY_SECONDS + 10


def test_an_address_has_so_many_connections(place: Place) -> None:
    """More are closed as they come, and others are served all the same; in all there is an end as well; room is made again."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(place.line("127.0.0.9", shake=False)) for _ in range(MOST_BY_ADDRESS + 6)]
        for line in held[MOST_BY_ADDRESS:]:
            assert told(line) == b""
        with place.line("127.0.0.10") as other:
            assert status(sent(other, GET + LAST)) == b"200"
        more = [
            stack.enter_context(place.line(f"127.0.1.{at % 9 + 1}", shake=False))
            for at in range(MOST - MOST_BY_ADDRESS)
        ]
        with place.line("127.0.0.11", shake=False) as last:
            assert told(last) == b""
        for line in (*held, *more):
            line.close()
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), place.line("127.0.0.9") as again:
                if status(sent(again, GET + LAST)) == b"200":
                    break
            assert time.monotonic() < deadline


def test_calls_that_come_together_are_a_few(place: Place) -> None:
    """Each is answered in its order; behind a great many the connection ends after the response that is under way."""
    with place.line() as line:
        assert sent(line, (GET + b"\r\n") * 9 + GET + LAST).count(b"HTTP/1.1 200 ") == 10
    with place.line() as line:
        reply = sent(line, (GET + b"\r\n") * 5_000)
    assert reply.count(b"HTTP/1.1 200 ") == 1
    assert b"HTTP/1.1 4" not in reply
