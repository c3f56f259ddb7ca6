"""Can whoever reads an entry check by hand, with a hash and base64 alone, that it is in the published log?"""

from __future__ import annotations

import base64
import time
from hashlib import sha256
from typing import Any

from gateway.ledger.log.note import Note, VerifierKey

DATABASES = ("postgresql",)  # two workers there; what is asked here does not depend on the database


def raw(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def root_of(told: dict[str, Any]) -> bytes:
    """RFC 9162 §2.1.3.2, as a page does it: from the leaf up to the root."""
    index, last = told["index"], told["size"] - 1
    node = sha256(b"\0" + raw(told["leaf"])).digest()
    for beside in map(raw, told["hashes"]):
        if index % 2 or index == last:
            node = sha256(b"\1" + beside + node).digest()
            while not index % 2 and index:
                index, last = index // 2, last // 2
        else:
            node = sha256(b"\1" + node + beside).digest()
        index, last = index // 2, last // 2
    assert last == 0
    return node


def test_an_entry_is_checked_by_hand(office) -> None:
    """Leaf, index, size, hashes and root fit together; the note over that root is signed by a key that is told."""
    office.assigned()
    answer = office.gateway.partner("bpjs").verify(office.gateway.question("bpjs", office.gateway.resident())).json()
    for _ in range(40):
        shown = office.get(f"/v1/ledger/entries/{answer['id']}", by=office.gateway.partner("auditor")).json()
        if shown["inclusion"] is not None:
            break
        time.sleep(0.2)
    told = shown["inclusion"]
    assert raw(told["leaf"]).decode() == shown["leaf"]
    assert base64.urlsafe_b64encode(sha256(b"\0" + raw(told["leaf"])).digest()).rstrip(b"=").decode() == answer["entry"]
    assert root_of(told) == raw(told["root"])
    note = Note.parse(told["checkpoint"])
    assert note.text.split("\n")[1:3] == [str(told["size"]), base64.b64encode(raw(told["root"])).decode()]
    assert note.signed_by([VerifierKey.parse(key) for key in shown["keys"]])


def test_the_checkpoint_is_shown_with_what_is_kept(office) -> None:
    """Note, size, root, when it was published, the keys, the configured witnesses, and the copy outside the database."""
    office.gateway.partner("bpjs").verify(office.gateway.question("bpjs", office.gateway.resident()))
    shown = office.get("/v1/ledger/checkpoint", by=office.gateway.partner("auditor")).json()
    assert shown["note"].split("\n")[:2] == [shown["origin"], str(shown["size"])]
    assert shown["kept"]["size"] >= shown["size"] > 0
    assert shown["entries"] >= shown["kept"]["size"]
    assert shown["published_at"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert shown["witnesses"] == []
    refused = office.get("/v1/ledger/checkpoint", by=office.gateway.partner("bpjs"))
    assert refused.status_code == 403
