"""What is read of a `Cookie` header, and what does it cost when it was made to hurt?"""

from __future__ import annotations

import time

import pytest

from gateway.web.http.cookies import MOST, cookie

OWN = b"A" * 43


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), ""),
        ((b"__Host-session=" + OWN,), OWN.decode()),
        ((b"a=b; __Host-session=" + OWN + b"; c=d",), OWN.decode()),
        ((b"a=b", b"__Host-session=" + OWN), OWN.decode()),
        ((b'a"=\\073; \xff; =; __Host-session=' + OWN,), OWN.decode()),  # another's cookie may be anything
        ((b"__host-session=" + OWN,), ""),
        ((b"x__Host-session=" + OWN,), ""),
        ((b"__Host-session=a; __Host-session=b",), ""),
        ((b"__Host-session=a", b"__Host-session=a"), ""),
        ((b'__Host-session="' + OWN + b'"',), ""),
        ((b"__Host-session=",), ""),
        ((b"__Host-session=" + b"A" * 129,), ""),
        ((b"__Host-session=a\r\nb",), ""),
        ((b"a" * (MOST - 58) + b";__Host-session=" + OWN,), ""),
    ],
)
def test_a_cookie_is_found_by_its_name(lines: tuple[bytes, ...], expected: str) -> None:
    """One of this name with a value of ours, whatever others stand beside it; more than 8 KiB are no cookies at all."""
    assert cookie([(b"host", b"x"), *[(b"cookie", line) for line in lines]], "__Host-session") == expected


@pytest.mark.parametrize(
    "unit", [b'a="' + b"\\", b"\\073", b";", b"a=;", b'"', b"=", b" ", b"a=b; __Host-session=" + OWN + b"; "]
)
def test_no_cookie_keeps_the_loop(unit: bytes) -> None:
    """64 kB of what a parser of quoted strings takes seconds for are passed over in a moment."""
    line = b'__Host-session="' + unit * (65_536 // len(unit))
    began = time.thread_time()
    cookie([(b"cookie", line[:MOST])], "__Host-session")
    cookie([(b"cookie", line)], "__Host-session")
    assert time.thread_time() - began < 0.02
