"""Canonical bytes: RFC 8785 against a second implementation, and what a leaf's bytes are."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import parse_rfc3339, rfc3339
from gateway.errors import Cause, Refusal
from gateway.keyring.keys import b64u
from gateway.ledger.log.canonical import canonical, digest
from gateway.ledger.log.entry import KINDS, Kind, make_entry, private_bytes, request_digest
from gateway.ledger.log.merkle import leaf_hash
from gateway.register.reasons import REASONS, reason_document
from gateway.web.http.problems import Problems

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/rfc8785.json").read_text("utf-8"))
_ESCAPES = {0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r", 0x22: '\\"', 0x5C: "\\\\"}
NOW = parse_rfc3339("2026-11-24T02:11:09.123Z")


def jcs(document: Any) -> str:
    """RFC 8785 for documents without fractions, written from the RFC."""
    if document is None or isinstance(document, bool):
        return {None: "null", True: "true", False: "false"}[document]
    if isinstance(document, int):
        assert abs(document) < 2**53
        return str(document)
    if isinstance(document, str):
        return '"' + "".join(_ESCAPES.get(ord(c)) or (f"\\u{ord(c):04x}" if c < " " else c) for c in document) + '"'
    if isinstance(document, list | tuple):
        return "[" + ",".join(jcs(each) for each in document) + "]"
    members = sorted(document.items(), key=lambda member: member[0].encode("utf-16-be"))
    return "{" + ",".join(f"{jcs(name)}:{jcs(value)}" for name, value in members) + "}"


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=5),
    max_leaves=25,
)


@given(documents)
def test_canonical_bytes_are_those_of_a_second_implementation(document: Any) -> None:
    """For every document of this house's kind, and they read back as that document."""
    assert canonical(document) == jcs(document).encode()
    assert json.loads(canonical(document)) == document
    assert digest(document) == sha256(canonical(document)).digest()


def test_the_second_implementation_is_that_of_the_rfc() -> None:
    """It writes the RFC's own string, and puts the RFC's members in the order of their UTF-16 units."""
    assert jcs(VECTORS["string"]["value"]) == VECTORS["string"]["canonical"]
    assert list(json.loads(jcs(VECTORS["members"])).values()) == VECTORS["order"]


def test_strings_are_written_as_the_rfc_says() -> None:
    """The RFC's string, every control character, DEL, quotes, backslashes and characters beyond the first plane."""
    assert canonical(VECTORS["string"]["value"]).decode() == VECTORS["string"]["canonical"]
    for code in (*range(0x80), 0x2028, 0x2029, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF):
        assert canonical(chr(code)) == jcs(chr(code)).encode()
    assert canonical("\x1f\x7f/😀") == '"\\u001f\x7f/😀"'.encode()


def test_members_are_sorted_at_every_depth() -> None:
    """Whatever their order was, in objects within lists within objects, and capitals before small letters."""
    assert canonical({"b": [{"z": 1, "a": None}], "B": {"y": True, "x": ""}, "_": 0}) == (
        b'{"B":{"x":"","y":true},"_":0,"b":[{"a":null,"z":1}]}'
    )


def test_what_cannot_be_text_is_refused() -> None:
    """A lone surrogate has no UTF-8 bytes: it is an error, never a replacement."""
    with pytest.raises(UnicodeEncodeError):
        canonical({"name": "\ud800"})


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_problem_document_is_hashed_canonically(language: str) -> None:
    """The documents that refusals commit to have ASCII names, and no number with a fraction."""
    write = Problems("https://nik.example.go.id")
    for cause in Cause:
        _, document = write(
            Refusal(cause, {"resets_at": "2026-11-25T00:00:00Z", "members": ["claims.name"]}),
            language,
            "x",
        )
        assert canonical(document) == jcs(document).encode()


def test_remedies_are_hashed_canonically() -> None:
    """The texts that answers hold as well."""
    for reason in REASONS.values():
        document = reason_document(reason)
        assert canonical(document) == jcs(document).encode()


def entry_of(**members: Any) -> Any:
    return make_entry(
        **{
            "kind": Kind.ANSWER,
            "id": "019ab000-0000-7000-8000-000000000001",
            "at": NOW,
            "actor": "bank/bank-1",
            "agreement": "pks-bank",
            "purpose": "account_opening",
            "answer": bytes(32),
            "request": b"\xff" * 32,
            "private": b"private",
            **members,
        },
    )


def test_a_leaf_has_exactly_these_bytes() -> None:
    """The RFC 8785 bytes of its ten members, digests in base64url without padding; the hash is RFC 6962's."""
    entry = entry_of()
    assert entry.leaf == (
        b'{"actor":"bank/bank-1","agreement":"pks-bank","answer":"' + b"A" * 43 + b'","at":"2026-11-24T02:11:09.123Z",'
        b'"id":"019ab000-0000-7000-8000-000000000001","kind":"answer","private":"'
        + b64u(sha256(b"private").digest()).encode()
        + b'","purpose":"account_opening","request":"' + b"_" * 42 + b'8","v":1}'
    )  # fmt: skip
    assert entry.leaf == jcs(json.loads(entry.leaf)).encode()
    assert entry.hash == leaf_hash(entry.leaf)
    assert json.loads(entry.leaf)["at"] == rfc3339(NOW)


def test_a_private_part_is_salted() -> None:
    """32 random bytes stand before the document, so that its hash cannot be guessed."""
    private = private_bytes(b"\x01" * 32, {"subject": "x", "outcome": "active"})
    assert private == b"\x01" * 32 + b'{"outcome":"active","subject":"x"}'


def test_a_request_is_bound_to_its_nonce() -> None:
    """SHA-256 over the nonce and the bytes asked, in that order."""
    assert request_digest(b"\x02" * 32, b"{}") == sha256(b"\x02" * 32 + b"{}").digest()


def test_every_kind_of_entry_is_explained() -> None:
    """Nothing is written to the ledger that its documentation does not name."""
    assert set(KINDS) == set(Kind)
    assert all(KINDS.values())
    assert msgspec.json.decode(entry_of(kind=Kind.READ).leaf)["kind"] == "read"
