"""How does a partner know that this answer is ours, and to which request? RFC 9421 over the digest of RFC 9530.

Covered: status and content of the answer; method, target and content digest of the request (FAPI 2.0 HTTP Signatures).
"""

from __future__ import annotations

import binascii
from functools import lru_cache
from hashlib import sha256

from gateway.clock import SECOND, Clock
from gateway.errors import Misconfigured
from gateway.keyring import SigningKey

TAG = "fapi-2-response"
LABEL = b"answer"
_COVERED = '"@status" "content-digest" "@method";req "@target-uri";req'
_COVERED_WITH_DIGEST = _COVERED + ' "content-digest";req'
Fields = tuple[tuple[bytes, bytes], ...]


class AnswerSigner:
    """Signs responses with one Ed25519 key; whatever does not change from one call to the next is written once."""

    def __init__(self, key: SigningKey, issuer: str, clock: Clock) -> None:
        """`issuer` is what a target begins with, whatever the Host header says. Raises Misconfigured."""
        if key.alg != "Ed25519":
            raise Misconfigured(
                [f"keys: '{key.job}' version {key.version} must be an Ed25519 key: answers are signed so"]
            )
        self._sign = key.sign
        self._kid = key.kid
        self._issuer = issuer
        self._clock = clock
        self._renewed: tuple[int, bytes, bytes, bytes, bytes] = (-1, b"", b"", b"", b"")

    def sign(self, status: int, body: bytes, method: str, path: str, query: bytes = b"", digest: str = "") -> Fields:  # noqa: PLR0913  what is covered
        """Content-Digest, Signature-Input and Signature of a response.

        `path` and `query` are the request's, as it was sent; `digest` its Content-Digest header, empty without one.
        """
        renewed = self._renewed
        second = self._clock.now() // SECOND
        if renewed[0] != second:
            renewed = self._renewed = self._renew(second)
        _, plain, plain_input, digested, digested_input = renewed
        own = b"sha-256=:" + binascii.b2a_base64(sha256(body).digest(), newline=False) + b":"
        asked = _request_lines(method, self._issuer, path, query, digested=bool(digest))
        end = digest.encode("latin-1") + digested if digest else plain
        base = _status_line(status) + own + asked + end
        signature = binascii.b2a_base64(self._sign(base), newline=False)
        return (
            (b"content-digest", own),
            (b"signature-input", digested_input if digest else plain_input),
            (b"signature", LABEL + b"=:" + signature + b":"),
        )

    def _renew(self, second: int) -> tuple[int, bytes, bytes, bytes, bytes]:
        """What all answers of this second end with: (second, end of the base, its input) without and with a digest."""
        rest = f';created={second};keyid="{self._kid}";tag="{TAG}"'
        plain, digested = f"({_COVERED}){rest}".encode(), f"({_COVERED_WITH_DIGEST}){rest}".encode()
        end = b'"@signature-params": '
        return second, end + plain, LABEL + b"=" + plain, b"\n" + end + digested, LABEL + b"=" + digested


@lru_cache(64)
def _status_line(status: int) -> bytes:
    return f'"@status": {status}\n"content-digest": '.encode()


@lru_cache(256)  # the routes without parameters, and some queries
def _request_lines(method: str, issuer: str, path: str, query: bytes, *, digested: bool) -> bytes:
    target = issuer + path + ("?" + query.decode("latin-1") if query else "")
    begun = '"content-digest";req: ' if digested else ""
    return f'\n"@method";req: {method}\n"@target-uri";req: {target}\n{begun}'.encode("latin-1")
