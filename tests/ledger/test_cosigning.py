"""What a witness answers is believed as far as its signature goes: a server that lies, asked over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from logs import ORIGIN, VKEY, signers

from gateway.ledger.log.note import COSIGNATURE, NoteSigner, VerifierKey
from gateway.ledger.publication.checkpoint import Checkpoint, sign, verify
from gateway.ledger.publication.cosigning import SIZE, Cosigners

CHECKPOINT = Checkpoint(ORIGIN, 7, bytes(range(32)))
SIGNED = verify(sign(CHECKPOINT, signers(ORIGIN)), [VKEY])
TEXT = CHECKPOINT.text.encode()


def signer(name: str, seed: int) -> NoteSigner:
    private = Ed25519PrivateKey.from_private_bytes(bytes((seed,)) * 32)
    return NoteSigner(VerifierKey(name, COSIGNATURE, private.public_key().public_bytes_raw()), private.sign)


OWN, OTHER = signer("witness.example/w1", 1), signer("witness.example/w2", 2)
GOOD, STRANGE = OWN.line(TEXT, 99), OTHER.line(TEXT, 99)
FORGED = NoteSigner(OWN.key, OTHER.sign).line(TEXT, 99)
Reply = tuple[int, dict[str, str], str]


@contextmanager
def witness(*replies: Reply) -> Iterator[str]:
    """The address of a server that gives these replies, one after another, whatever it is asked."""
    left = list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, headers, body = left.pop(0)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked(*replies: Reply, prove: Callable[[int], list[bytes]] = lambda _: []) -> tuple[str, list[str]]:
    """(what would be published, what was told of the witness)."""
    told: list[str] = []
    with witness(*replies) as url:
        cosigners = Cosigners([(OWN.key, url)], lambda _, how: told.append(how))
        try:
            return cosigners(SIGNED, prove), told
        finally:
            cosigners.close()


def test_the_line_of_its_own_key_is_published_and_nothing_else() -> None:
    """Whatever stands beside it in the reply."""
    assert asked((200, {}, GOOD)) == (GOOD, ["cosigned"])
    assert asked((200, {}, STRANGE + GOOD)) == (GOOD, ["cosigned"])


@pytest.mark.parametrize(
    "reply",
    [
        (200, {}, STRANGE), (200, {}, FORGED), (200, {}, STRANGE + FORGED), (200, {}, ""), (200, {}, "cosigned\n"),
        (200, {}, OWN.line(b"another text\n1\nAAAA\n", 99)), (201, {}, GOOD), (404, {}, GOOD), (409, {}, "3\n"),
        (409, {"content-type": SIZE}, "8\n"), (409, {"content-type": SIZE}, "0\n"), (409, {"content-type": SIZE}, "-1\n"),
    ],
)  # fmt: skip
def test_a_reply_that_is_no_cosignature_is_not_published(reply: Reply) -> None:
    """Another's line, a forged one, none, another status, a log larger than ours: told as refused."""
    published, (told,) = asked(reply)
    assert published == ""
    assert told.startswith("refused: ")
    assert ("forked" in told) == (reply[2] in {"8\n", "0\n"})


def test_nobody_is_followed_elsewhere() -> None:
    """A witness that sends the gateway to another address is refused; what that one signs is not asked for."""
    with witness((200, {}, GOOD)) as elsewhere:
        assert asked((307, {"location": elsewhere}, "")) == ("", ["refused: HTTP 307"])


def test_a_witness_that_knows_less_is_asked_again_from_there() -> None:
    """Once: one that changes its mind is refused."""
    known: list[int] = []

    def prove(old: int) -> list[bytes]:
        known.append(old)
        return []

    assert asked((409, {"content-type": SIZE}, "3\n"), (200, {}, GOOD), prove=prove) == (GOOD, ["cosigned"])
    assert known == [0, 3]
    mind = [(409, {"content-type": SIZE}, "3\n"), (409, {"content-type": SIZE}, "4\n")]
    published, (told,) = asked(*mind)
    assert (published, "changes its mind" in told) == ("", True)
