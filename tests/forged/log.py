"""How is a log forged? Its own tree, leaves and signatures, written from RFC 6962, RFC 8785 and C2SP apart from the gateway.

Whatever is forged is whole but for one fault: the tree is computed over it and the test's key signs the root.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "log.example/forged"
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"a key of the tests that forges l")
STRANGER = Ed25519PrivateKey.from_private_bytes(b"a key that nobody has been given")
NONCE = bytes(range(100, 132))
REQUEST = {"claims": {"name": "SITI"}, "nik": "3171014101909001", "purpose": "account_opening"}
ASKED = 2  # the entry that the evidence is of
SIZE = 7


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def b64u(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jcs(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 2.1 over leaves' bytes."""
    if not leaves:
        return digest()
    if len(leaves) == 1:
        return digest(b"\0", leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return digest(b"\1", root_of(leaves[:split]), root_of(leaves[split:]))


def path_of(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path_of(index, leaves[:split]), root_of(leaves[split:])]
    return [*path_of(index - split, leaves[split:]), root_of(leaves[:split])]


def frontier_of(leaves: Sequence[bytes]) -> list[bytes]:
    """Roots of the perfect subtrees, largest first."""
    found, at = [], 0
    for bit in reversed(range(len(leaves).bit_length())):
        if len(leaves) >> bit & 1:
            found.append(root_of(leaves[at : at + (1 << bit)]))
            at += 1 << bit
    return found


@dataclass(frozen=True)
class Entry:
    """A leaf's document and bytes, its id and private part."""

    document: dict[str, Any]
    leaf: bytes
    private: bytes | None

    @property
    def hash(self) -> bytes:
        return digest(b"\0", self.leaf)


def entry(number: int, kind: str = "token", told: object = None, raw: bytes | None = None, **members: Any) -> Entry:
    """Entry `number`; `told` is the document of its private part, `raw` the leaf's bytes where they are not its JCS."""
    private = bytes((number % 256,)) * 32 + jcs({"number": number} if told is None else told)
    document = {
        "v": 1, "kind": kind, "id": f"019abb00-0000-7000-8000-{number:012x}", "at": f"2026-01-01T0{number % 10}:00:00.000Z",
        "actor": "bank/bank-1", "agreement": "", "purpose": "", "answer": b64u(digest(b"answer")),
        "request": b64u(digest(b"request")), "private": b64u(digest(private)), **members,
    }  # fmt: skip
    return Entry(document, jcs(document) if raw is None else raw, private)


def answer_of(
    id: str = f"019abb00-0000-7000-8000-{ASKED:012x}", nonce: str = b64u(NONCE), **members: Any
) -> dict[str, Any]:
    return {"billed": True, "id": id, "nonce": nonce, "usable": True, **members}


def asked(
    answer: dict[str, Any] | None = None, nonce: bytes = NONCE, request: object = REQUEST, **options: Any
) -> Entry:
    """The entry of a question and its answer."""
    return entry(
        ASKED,
        "answer",
        answer=b64u(digest(jcs(answer or answer_of()))),
        request=b64u(digest(nonce, jcs(request))),
        **options,
    )


def log_of(changed: dict[int, Entry] | None = None, size: int = SIZE) -> list[Entry]:
    """A sound log, but for what was changed."""
    entries = [asked() if number == ASKED else entry(number) for number in range(size)]
    for at, one in (changed or {}).items():
        entries[at] = one
    return entries


def vkey(private: Ed25519PrivateKey = PRIVATE, name: str = ORIGIN, form: int = 1) -> str:
    material = bytes((form,)) + private.public_key().public_bytes_raw()
    return f"{name}+{key_id(material, name).hex()}+{b64(material)}"


def key_id(material: bytes, name: str = ORIGIN) -> bytes:
    return digest(name.encode(), b"\n", material)[:4]


def line(signature: bytes, name: str = ORIGIN, private: Ed25519PrivateKey = PRIVATE, form: int = 1) -> str:
    material = bytes((form,)) + private.public_key().public_bytes_raw()
    return f"— {name} {b64(key_id(material, name) + signature)}\n"


def text_of(entries: Sequence[Entry], origin: str = ORIGIN, size: str = "", root: bytes | None = None) -> str:
    found = root_of([one.leaf for one in entries]) if root is None else root
    return f"{origin}\n{size or len(entries)}\n{b64(found)}\n"


def note_of(text: str, private: Ed25519PrivateKey = PRIVATE) -> str:
    return f"{text}\n{line(private.sign(text.encode()), private=private)}"


def checkpoint_of(entries: Sequence[Entry], **options: Any) -> str:
    return note_of(text_of(entries, **options))
