"""Receipts that a checker must refuse, and evidence that does not go with one: each signed, each with one fault."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from forged.log import (
    ASKED,
    NONCE,
    ORIGIN,
    PRIVATE,
    REQUEST,
    SIZE,
    STRANGER,
    Entry,
    answer_of,
    asked,
    b64,
    b64u,
    checkpoint_of,
    digest,
    entry,
    jcs,
    key_id,
    line,
    log_of,
    note_of,
    path_of,
    root_of,
    text_of,
    vkey,
)

Case = dict[str, Any]
L = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19


def receipt_of(entries: list[Entry], index: int = ASKED, note: str = "", path: list[bytes] | None = None) -> str:
    leaves = [one.leaf for one in entries]
    hashes = "".join(f"{b64(each)}\n" for each in (path_of(index, leaves) if path is None else path))
    head = f"c2sp.org/tlog-proof@v1\nextra {b64(entries[index].leaf)}\nindex {index}\n{hashes}"
    return f"{head}\n{note or checkpoint_of(entries)}"


def evidence_of(entries: list[Entry] | None = None, answer: Any = None, **members: Any) -> dict[str, Any]:
    told = answer_of() if answer is None else answer
    own = entries or log_of()
    return {"answer": told, "entry": b64u(own[ASKED].hash), "nonce": b64u(NONCE), "request": REQUEST, **members}


def case(name: str, receipt: str, evidence: Any = None, keys: list[str] | None = None) -> Case:
    found = {"name": name, "form": "receipt", "keys": keys or [vkey()], "receipt": receipt}
    return found if evidence is None else found | {"evidence": evidence}


def sound() -> Iterator[Case]:
    yield case("a receipt", receipt_of(log_of()))
    yield case("a receipt and its evidence", receipt_of(log_of()), evidence_of())
    for index, size in ((0, 1), (6, 7), (4, 5)):
        yield case(f"a receipt of entry {index} of {size}", receipt_of(log_of(size=size), index))
    stranger = line(STRANGER.sign(text_of(log_of()).encode()), "other.example", STRANGER)
    yield case("a signature of an unknown key beside the log's", receipt_of(log_of()) + stranger)


def forms() -> Iterator[Case]:
    """What is written another way than the specification has it."""
    good, entries = receipt_of(log_of()), log_of()
    for name, old, new in (
        ("the first line is of another version", "proof@v1", "proof@v2"),
        ("`indey` for `index`", "\nindex ", "\nindey "),
        ("`extrb` for `extra`", "\nextra ", "\nextrb "),
        ("no space behind `index`", "\nindex 2", "\nindex2"),
        ("the index with a sign", "index 2", "index +2"),
        ("the index with a nought before it", "index 2", "index 02"),
        ("the index with a space more", "index 2", "index  2"),
        ("the index in Arabic digits", "index 2", "index ٢"),
        ("the index below the log", "index 2", "index -1"),
        ("the index beyond the log", "index 2", f"index {SIZE}"),
        ("the index of another entry", "index 2", "index 3"),
        ("no blank line before the checkpoint", "\n\n", "\n"),
        ("a carriage return at a line's end", "index 2\n", "index 2\r\n"),
        ("the leaf's base64 with bits behind its end", *_tail(entries[ASKED].leaf)),
        ("the leaf's base64 without padding", b64(entries[ASKED].leaf), b64(entries[ASKED].leaf).rstrip("=")),
        ("a hash's base64 with bits behind its end", *_tail(path_of(ASKED, [one.leaf for one in entries])[0])),
        ("the signature's base64 with bits behind its end", *_tail(PRIVATE.sign(text_of(entries).encode()), id=True)),
        ("a hyphen for the dash before the signature", "\n— ", "\n- "),
        ("a space more in the signature's line", f"— {ORIGIN} ", f"— {ORIGIN}  "),
    ):
        assert good.count(old) >= 1, name
        yield case(name, good.replace(old, new, 1))
    yield case("no line end behind the signature", good[:-1])
    yield case("no signature", good[: good.rindex("— ")])
    yield case("nothing", "")


def _tail(raw: bytes, *, id: bool = False) -> tuple[str, str]:
    """(base64, the same with a bit set that stands behind the last byte); of a signature with its key's id."""
    material = b"\1" + PRIVATE.public_key().public_bytes_raw()
    text = b64(key_id(material) + raw if id else raw)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    at = len(text.rstrip("=")) - 1
    assert text.endswith("="), "no bit stands behind the end"
    return text, text[:at] + alphabet[alphabet.index(text[at]) ^ 1] + text[at + 1 :]


def paths() -> Iterator[Case]:
    entries = log_of()
    path = path_of(ASKED, [one.leaf for one in entries])
    yield case("a hash of the path is missing", receipt_of(entries, path=path[:-1]))
    yield case("a hash too many in the path", receipt_of(entries, path=[*path, path[-1]]))
    yield case("the path's hashes in another order", receipt_of(entries, path=path[::-1]))
    yield case("a hash of the path is another", receipt_of(entries, path=[digest(b"x"), *path[1:]]))
    yield case(
        "a leaf that is not in the log",
        receipt_of(log_of({ASKED: asked(actor="bank/bank-2")}), note=checkpoint_of(entries)),
    )
    yield case("an index beyond a log of one entry", receipt_of(log_of(size=1), 0).replace("index 0", "index 1"))
    part = root_of([one.leaf for one in entries[:4]])
    short = path_of(ASKED, [one.leaf for one in entries[:4]])
    yield case(
        "the root of its first four entries given out as that of the log",
        receipt_of(entries, note=checkpoint_of(entries, root=part), path=short),
    )
    top = root_of([one.leaf for one in entries])
    yield case("a node of the tree given out as a log of one entry", receipt_of(
        log_of(size=3), note=checkpoint_of(entries, size="1", root=top), path=[top]))  # fmt: skip


def leaves() -> Iterator[Case]:
    """Leaves that were sealed and signed, and are none."""
    good = asked().leaf
    for name, raw in (
        ("a space in the leaf", good.replace(b'{"actor"', b'{ "actor"')),
        ("a line end behind the leaf", good + b"\n"),
        ("the leaf's members in another order", b'{"v":1,' + good[1:].replace(b',"v":1', b"")),
        ("an escape in the leaf", good.replace(b'"v":1', b'"\\u0076":1')),
        ("a member of the leaf twice", good.replace(b'{"actor"', b'{"actor":"x","actor"')),
        ("a member more in the leaf", good.replace(b',"v":1', b',"v":1,"w":1')),
        ("a member missing in the leaf", good.replace(b',"purpose":""', b"")),
        ("the leaf is of version 2", good.replace(b'"v":1', b'"v":2')),
        ("the leaf's version is true", good.replace(b'"v":1', b'"v":true')),
        ("the leaf's version is 1.0", good.replace(b'"v":1', b'"v":1.0')),
        ("the leaf is of a kind that there is not", good.replace(b'"answer","private"', b'"answers","private"')),
        ("a member of the leaf is a number", good.replace(b'"purpose":""', b'"purpose":0')),
        ("a member of the leaf is null", good.replace(b'"purpose":""', b'"purpose":null')),
        ("the leaf is a list", b"[1]"),
        ("the leaf is no JSON", good[:-1]),
        ("the leaf is no UTF-8", good.replace(b'"purpose":""', b'"purpose":"\xff"')),
        ("a lone surrogate in the leaf", good.replace(b'"purpose":""', b'"purpose":"\xed\xa0\x80"')),
    ):
        assert raw != good, name
        yield case(name, receipt_of(log_of({ASKED: asked(raw=raw)})))


def signatures() -> Iterator[Case]:
    entries = log_of()
    text = text_of(entries)
    message = text.encode()

    def signed(name: str, lines: str, keys: list[str] | None = None, words: str = text) -> Case:
        return case(name, receipt_of(entries, note=f"{words}\n{lines}"), keys=keys)

    yield signed("signed by a key that was not given", line(STRANGER.sign(message), private=STRANGER))
    yield signed("signed by another key under this one's id", line(STRANGER.sign(message)))
    yield signed("the signature of another size of the log", line(PRIVATE.sign(text_of(log_of(size=6)).encode())))
    other = "other.example/log"
    yield signed(
        "another log's key has signed this log's checkpoint", line(STRANGER.sign(message), other, STRANGER),
        [vkey(), vkey(STRANGER, other)],
    )  # fmt: skip
    cosigner = line(PRIVATE.sign(message), form=4)
    yield signed("the plain signature of a witness's key", cosigner, [vkey(form=4)])
    name, _, material = vkey().split("+", 2)
    damaged = b64(bytes(4) + PRIVATE.sign(message))
    yield signed("a key whose id is not its own", f"— {ORIGIN} {damaged}\n", [f"{name}+00000000+{material}"])
    whole = PRIVATE.sign(message)
    yield signed("a signature that was made malleable: S plus the order of the group", line(
        whole[:32] + (int.from_bytes(whole[32:], "little") + L).to_bytes(32, "little")))  # fmt: skip
    yield signed("a signature of 63 bytes", line(whole[:-1]))
    yield signed("a signature of 65 bytes", line(whole + b"\0"))
    for told, point in (
        ("a signature whose R is spelled beyond the field: y = 1 + p", P + 1),
        ("a signature whose R has a sign and no x", 1 | 1 << 255),
        ("a signature whose R is no point", 2),
    ):
        yield signed(told, line(_with_r(point.to_bytes(32, "little"), message)))
    for told, words in (
        ("the size with a sign", text.replace(f"\n{SIZE}\n", f"\n+{SIZE}\n")),
        ("the size with a nought before it", text.replace(f"\n{SIZE}\n", f"\n0{SIZE}\n")),
        ("the size with an underscore", text.replace(f"\n{SIZE}\n", "\n0_7\n")),
        ("the root's base64 with bits behind its end", text.replace(*_tail(root_of([one.leaf for one in entries])))),
        ("no root", "\n".join(text.split("\n")[:2]) + "\n"),
        ("the root of another size of the log", text_of(log_of(size=6), size=str(SIZE))),
    ):
        yield case(told, receipt_of(entries, note=note_of(words)))


def _with_r(point: bytes, message: bytes) -> bytes:
    """A signature with this R, the neutral element in some spelling: valid for whoever decodes it leniently (S = k·a)."""
    secret = PRIVATE.private_bytes_raw()
    half = bytearray(hashlib.sha512(secret).digest()[:32])
    half[0] &= 248
    half[31] = half[31] & 127 | 64
    k = int.from_bytes(hashlib.sha512(point + PRIVATE.public_key().public_bytes_raw() + message).digest(), "little") % L
    return point + (k * int.from_bytes(half, "little") % L).to_bytes(32, "little")


def evidence() -> Iterator[Case]:
    entries = log_of()
    good = receipt_of(entries)
    nonce = b64u(NONCE)
    tail = nonce[:-1] + chr(ord(nonce[-1]) + 1)
    for name, told in (
        ("another answer than the sealed one", evidence_of(answer=answer_of(usable=False))),
        ("the answer with a member more", evidence_of(answer=answer_of(match=True))),
        ("the answer of another entry", evidence_of(answer=answer_of(id=entries[3].document["id"]))),
        ("another question than the one that was asked", evidence_of(request=REQUEST | {"purpose": "tax"})),
        ("the question with a member more", evidence_of(request=REQUEST | {"channel": "branch"})),
        ("the answer names another entry", evidence_of(answer=answer_of(entry=b64u(entries[3].hash)))),
        ("the evidence names another entry", evidence_of(entry=b64u(entries[3].hash))),
        ("the evidence names another nonce", evidence_of(nonce=b64u(bytes(32)))),
        ("the evidence's nonce with bits behind its end", evidence_of(nonce=tail)),
        ("the evidence has no answer", {"request": REQUEST}),
        ("the evidence has no question", {"answer": answer_of()}),
        ("the evidence's answer is a text", evidence_of(answer="x")),
        ("a member of the evidence that nothing proves", evidence_of() | {"seen_by": "the bank"}),
        ("the evidence is a list", [evidence_of()]),
    ):
        yield case(name, good, told)
    for name, answer, nonce_bytes in (
        ("the answer's nonce with bits behind its end", answer_of(nonce=tail), NONCE),
        ("the answer's nonce has 16 bytes", answer_of(nonce=b64u(NONCE[:16])), NONCE[:16]),
        ("the answer's nonce has 29 bytes", answer_of(nonce=b64u(NONCE[:29])), NONCE[:29]),
        ("the answer's nonce is padded", answer_of(nonce=nonce + "="), NONCE),
        ("the answer has no nonce", {name: value for name, value in answer_of().items() if name != "nonce"}, NONCE),
        ("the sealed answer is of another id than its leaf", answer_of(id=entries[3].document["id"]), NONCE),
    ):
        own = log_of({ASKED: asked(answer, nonce_bytes)})
        members = {"nonce": answer["nonce"]} if "nonce" in answer else {}
        yield case(name, receipt_of(own), evidence_of(own, answer, **members))
    other = entry(ASKED, "answer", request=b64u(digest(jcs(REQUEST))), answer=b64u(digest(jcs(answer_of()))))
    yield case(
        "the question was sealed without its nonce",
        receipt_of(log_of({ASKED: other})),
        evidence_of(log_of({ASKED: other})),
    )


def refused() -> Iterator[Case]:
    for some in (forms, paths, leaves, signatures, evidence):
        yield from some()
