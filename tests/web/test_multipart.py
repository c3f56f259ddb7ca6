"""Which multipart forms are read, and what do those cost that were made to hurt?"""

from __future__ import annotations

import time
from contextlib import suppress

import httpx
import pytest

from gateway.console.frame.multipart import MOST_PARTS, parts

KIND = "multipart/form-data; boundary=x"


def body(*found: bytes, end: bytes = b"--x--\r\n") -> bytes:
    return b"".join(b"--x\r\n" + one + b"\r\n" for one in found) + end


FIELD = b'Content-Disposition: form-data; name="a"\r\n\r\nb'


def test_what_browsers_and_clients_send_is_read() -> None:
    """Fields and a file in UTF-8, its byte order mark left out; a text may hold line ends and what looks like a boundary."""
    files = {"file": ("ä.ndjson", "\ufeffisi é\r\n--x".encode(), "application/x-ndjson")}
    sent = httpx.Request("POST", "http://x", data={"csrf": "t", "do": ""}, files=files)
    assert parts(sent.headers["content-type"], sent.read()) == [("csrf", "t"), ("do", ""), ("file", "isi é\r\n--x")]
    assert parts('multipart/form-data; boundary="x"', body(FIELD)) == [("a", "b")]


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("multipart/form-data", body(FIELD)),
        ("multipart/form-data; boundary=", body(FIELD)),
        ("multipart/form-data; boundary=" + "x" * 71, body(FIELD)),
        ("multipart/form-data; boundary=y", body(FIELD)),
        ("multipart/mixed; boundary=x", body(FIELD)),
        (KIND, body()),
        (KIND, body(FIELD, end=b"")),
        (KIND, b"preamble\r\n" + body(FIELD)),
        (KIND, body(FIELD) + b"more"),
        (KIND, body(b'Content-Disposition: form-data; name="a"')),
        (KIND, body(b"Content-Type: text/plain\r\n\r\nb")),
        (KIND, body(b'Content-Disposition: form-data; name="a"\r\n' * 2 + b"\r\nb")),
        (KIND, body(b"x: " + b"y" * 1_100 + b"\r\n" + FIELD)),
        (KIND, body(FIELD + b"\xff")),
        (KIND, body(*[FIELD] * (MOST_PARTS + 1))),
    ],
)
def test_no_other_form_is(kind: str, raw: bytes) -> None:
    """Without a fitting boundary, a name and an end, or with too much: ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011  the caller answers all of them alike
        parts(kind, raw)


def test_a_multipart_in_a_part_is_text() -> None:
    """There is one level: what a part says of its type is not followed."""
    inner = b"Content-Type: multipart/mixed; boundary=y\r\n" + FIELD.replace(b"\r\n\r\nb", b"\r\n\r\n--y\r\n\r\n--y--")
    assert parts(KIND, body(inner)) == [("a", "--y\r\n\r\n--y--")]


NESTED = b"\r\n--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"


@pytest.mark.parametrize("unit", [b"--x\r\n", b"\r\n", b"\r\n--", b"a: b\r\n", b'"', NESTED])
def test_no_multipart_keeps_the_loop(unit: bytes) -> None:
    """A mebibyte of boundaries, line ends, headers or nesting is refused, or read, in a moment."""
    raw = body(FIELD, unit * (1_048_576 // len(unit)))
    began = time.thread_time()
    with suppress(ValueError):
        parts(KIND, raw)
    assert time.thread_time() - began < 0.05
