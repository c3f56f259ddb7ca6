"""How does a partner prove later which question got which answer? The digests in the ledger's leaf, and its receipt.

`request` is SHA-256(nonce ‖ JCS(request)) and `answer` is SHA-256(JCS(answer without `entry`)); JCS is RFC 8785. The
check is written apart from the gateway's own code, from the specifications alone: RFC 9162 and C2SP.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from nik_gateway_client.keys import b64url

_MEMBERS = {
    "actor",
    "agreement",
    "answer",
    "at",
    "id",
    "kind",
    "private",
    "purpose",
    "request",
}  # of a leaf, beside `v`
_EXACT = 2**53  # beyond it JSON numbers are not exact everywhere (RFC 8785 §3.2.2.3)


def canonical(document: object) -> bytes:
    """RFC 8785 bytes of a document of text, whole numbers, booleans, null, lists and objects. Raises ValueError."""
    return json.dumps(_ordered(document), ensure_ascii=False, separators=(",", ":")).encode()


def request_digest(nonce: str, request: Mapping[str, object]) -> str:
    """The leaf's `request` member: base64url of SHA-256 over the decoded nonce and the JCS bytes of what was asked."""
    return b64url(sha256(_nonce(nonce) + canonical(request)).digest())


def _nonce(text: str) -> bytes:
    """Its 32 bytes, from the one spelling of them. Raises ValueError."""
    try:
        raw = urlsafe_b64decode(text + "=")
    except ValueError as fault:
        raise ReceiptFault("not a nonce") from fault
    if len(raw) != 32 or b64url(raw) != text:  # noqa: PLR2004  see the module's head
        raise ReceiptFault("not a nonce of 32 bytes in its one spelling")
    return raw


def answer_digest(answer: Mapping[str, object]) -> str:
    """The leaf's `answer` member: base64url of SHA-256 over the JCS bytes of an answer or problem without `entry`."""
    return b64url(sha256(canonical({name: value for name, value in answer.items() if name != "entry"})).digest())


def _ordered(value: object) -> object:
    if isinstance(value, Mapping):
        # names are sorted by UTF-16 code units, not by code points
        return {name: _ordered(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    if isinstance(value, (list, tuple)):
        return [_ordered(item) for item in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > _EXACT):
        raise ValueError("only whole numbers up to 2^53 have one spelling")
    return value


class ReceiptFault(ValueError):
    """The receipt does not prove what it is held against; the text says why."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What a receipt has proven: the entry `id`, when it was sealed, its place, and the log that vouches for it.

    `cosigned` are the names of those witnesses that were asked for and have cosigned, each with its time (seconds since
    1970). `request` and `answer` say whether question and answer were compared as well.
    """

    id: str
    kind: str
    at: str
    actor: str
    index: int
    size: int
    origin: str
    cosigned: Mapping[str, int]
    request: bool
    answer: bool


def check_receipt(  # noqa: C901  one step after another, each with its own reason to fail
    receipt: str,
    keys: Sequence[str],
    *,
    request: Mapping[str, Any] | bytes | None = None,
    answer: Mapping[str, Any] | None = None,
    witnesses: Sequence[str] = (),
) -> Proven:
    """Prove offline that this question got this answer at that time. Raises ReceiptFault.

    `keys` are verifier keys of the log (`GET /ledger/keys`, taken once from a place that you trust), `witnesses` those of
    whoever must have cosigned. `request` is what was asked (the bytes, for a body that was no question) and needs the
    answer, which holds the nonce; `answer` is the answer or the problem, as it came.
    """
    try:
        leaf, index, path, note = _parts(receipt)
        text, origin, size, root = _checkpoint(note)
        signed = {line[0]: time for line, time in _signatures(text, note, [*keys, *witnesses]).items()}
        wanted = {witness.partition("+")[0] for witness in witnesses}
        told = _leaf(leaf)
    except (ValueError, IndexError, KeyError) as fault:
        raise fault if isinstance(fault, ReceiptFault) else ReceiptFault("not a receipt") from fault
    if origin not in signed or origin not in {key.partition("+")[0] for key in keys}:
        raise ReceiptFault(f"the checkpoint of {origin} is not signed with a key that was given")
    if missing := sorted(wanted - signed.keys()):
        raise ReceiptFault(f"not cosigned by {', '.join(missing)}")
    reached = _climb(sha256(b"\0" + leaf).digest(), index, size, path)
    if reached != root:
        raise ReceiptFault("the entry is not in the log of that checkpoint")
    if answer is not None:
        if told["id"] != answer.get("id"):
            raise ReceiptFault("this is the receipt of another answer")
        if answer_digest(answer) != told["answer"]:
            raise ReceiptFault("the answer is not the one that was sealed")
        if answer.get("entry", b64url(sha256(b"\0" + leaf).digest())) != b64url(sha256(b"\0" + leaf).digest()):
            raise ReceiptFault("the answer names another entry")
    if request is not None:
        nonce = str((answer or {}).get("nonce", ""))
        if not nonce or told["request"] not in _request_digests(nonce, request):
            raise ReceiptFault("the question is not the one that was asked")
    return Proven(
        told["id"],
        told["kind"],
        told["at"],
        told["actor"],
        index,
        size,
        origin,
        {name: time for name, time in signed.items() if name in wanted},
        request is not None,
        answer is not None,
    )


def _request_digests(nonce: str, request: Mapping[str, Any] | bytes) -> set[str]:
    if isinstance(request, bytes):
        return {b64url(sha256(_nonce(nonce) + request).digest())}
    return {request_digest(nonce, request)}


def _parts(receipt: str) -> tuple[bytes, int, list[bytes], str]:
    head, _, note = receipt.partition("\n\n")
    first, extra, index, *hashes = head.split("\n")
    if first != "c2sp.org/tlog-proof@v1" or extra[:6] != "extra " or index[:6] != "index ":
        raise ReceiptFault("not a receipt (C2SP tlog-proof with the leaf as extra data)")
    return _b64(extra[6:]), _whole(index[6:]), [_b64(each) for each in hashes], note


def _leaf(raw: bytes) -> dict[str, str]:
    """The members of a leaf, whose bytes must be their RFC 8785 form. Raises ValueError."""
    told = json.loads(raw.decode())
    if not isinstance(told, dict) or told.keys() != _MEMBERS | {"v"} or canonical(told) != raw:
        raise ReceiptFault("the entry is not a leaf in its one form")
    if told["v"] is True or told["v"] != 1 or not all(isinstance(told[name], str) for name in _MEMBERS):
        raise ReceiptFault("the entry is not a leaf of version 1")
    return {name: told[name] for name in _MEMBERS}


def _b64(text: str) -> bytes:
    """The bytes of base64 in its one spelling. Raises ValueError."""
    raw = b64decode(text, validate=True)
    if b64encode(raw).decode() != text:
        raise ReceiptFault("base64 in another spelling than its one")
    return raw


def _whole(text: str) -> int:
    """A whole number in its one spelling. Raises ValueError."""
    number = int(text)
    if str(number) != text:
        raise ReceiptFault("a number in another spelling than its one")
    return number


def _checkpoint(note: str) -> tuple[str, str, int, bytes]:
    text = note[: note.rindex("\n\n") + 1]
    origin, size, root, *_ = text.split("\n")
    return text, origin, _whole(size), _b64(root)


def _signatures(text: str, note: str, keys: Sequence[str]) -> dict[tuple[str, str], int]:
    """(name, key id) → time of a cosignature, else 0, of those of `keys` that have signed. Raises ReceiptFault."""
    known = {}
    for key in keys:
        name, id, material = key.strip().split("+", 2)
        raw = _b64(material)
        if sha256(name.encode() + b"\n" + raw).hexdigest()[:8] != id:
            raise ReceiptFault(f"the key of {name} is damaged")
        known[name, id] = raw
    found = {}
    if not note.endswith("\n"):
        raise ReceiptFault("not a signed note")
    for line in note[note.rindex("\n\n") + 2 : -1].split("\n"):
        dash, name, signature = line.split(" ")
        signed = _b64(signature)
        id, signed = signed[:4].hex(), signed[4:]
        if dash != "—" or (name, id) not in known:
            continue
        kind, public, message, time = known[name, id][0], known[name, id][1:], text.encode(), 0
        if kind == 4:  # noqa: PLR2004  a cosignature
            time, signed = int.from_bytes(signed[:8], "big"), signed[8:]
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signed, message)
        except InvalidSignature:
            raise ReceiptFault(f"the signature of {name} does not verify") from None
        found[name, id] = time
    return found


def _climb(reached: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to, by RFC 9162 §2.1.3.2; None when it cannot be one."""
    if not 0 <= index < size:
        return None
    last = size - 1
    for sibling in path:
        if last == 0:
            return None
        if index % 2 or index == last:
            reached = sha256(b"\1" + sibling + reached).digest()
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            reached = sha256(b"\1" + reached + sibling).digest()
        index, last = index // 2, last // 2
    return reached if last == 0 else None
