"""How do responses leave a connection (RFC 9112)? Raw sockets to a served gateway."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

_FORM = b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 29\r\n"
_BODY = b"grant_type=client_credentials"


@contextmanager
def _line(gateway) -> Iterator[socket.socket]:
    where = urlsplit(gateway.facts["base_url"])
    with socket.create_connection((where.hostname, where.port), timeout=20) as line:
        yield line


def _head(line: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = line.recv(65536)
        assert more, f"closed after {data!r}"
        data += more
    return data


def test_a_response_to_head_needs_no_body(gateway) -> None:
    """Its head comes at once, and the connection serves the next call."""
    with _line(gateway) as line:
        for path in (b"/healthz", b"/v1/verifications"):
            line.sendall(b"HEAD " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n")
            reply = _head(line)
            assert reply.startswith(b"HTTP/1.1 "), reply
            assert reply.endswith(b"\r\n\r\n"), reply
        line.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert _head(line).startswith(b"HTTP/1.1 200 ")


def test_who_asks_whether_to_go_on_is_told_before_the_body(gateway) -> None:
    """RFC 9110 §10.1.1: 100 Continue goes at once, the final response after the body."""
    with _line(gateway) as line:
        line.sendall(b"POST /oauth2/token HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n" + _FORM + b"\r\n")
        assert _head(line) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(_BODY)
        assert _head(line).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("calls", [1, 3])
def test_a_response_is_one_piece(gateway, calls: int) -> None:
    """Head and body arrive together: an answer costs one segment; so do those of calls sent one after another at once."""
    pieces = []
    with _line(gateway) as line:
        for _ in range(20):
            line.sendall(b"GET /.well-known/oauth-authorization-server HTTP/1.1\r\nhost: x\r\n\r\n" * calls)
            whole = b""
            while whole.count(b"HTTP/1.1 200 ") < calls or not _complete(whole):
                piece = line.recv(1 << 20)
                assert piece
                whole += piece
                pieces.append(_complete(piece))
    assert any(pieces)
    assert pieces.count(True) >= len(pieces) / 2  # the network may cut where it likes


def _complete(data: bytes) -> bool:
    """Whether these bytes are whole responses, the last one to its end."""
    while data:
        head, blank, rest = data.partition(b"\r\n\r\n")
        told = re.search(rb"(?i)content-length: (\d+)", head)
        if not blank or told is None or len(rest) < int(told[1]):
            return False
        data = rest[int(told[1]) :]
    return True
