"""Entries checked in bulk: what passes there would pass one by one."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clock import SystemEntropy, uuid7
from gateway.errors import LedgerFault
from gateway.ledger.check.check import Row, StoredEntry, check_entry, text_id
from gateway.ledger.check.shapes import Shapes
from gateway.ledger.log.entry import KINDS, make_entry, private_bytes

ENTROPY = SystemEntropy()
texts = st.sampled_from(
    ["", "bank/bank-1", "bank/bank-2", "Petugas Satu+Petugas Dua", 'a"b', "\\", "é", '","answer":"', "\x7f "]
)


@dataclass(frozen=True, slots=True)
class Members:
    kind: str
    actor: str
    agreement: str
    purpose: str


members = st.builds(Members, st.sampled_from(sorted(map(str, KINDS))), texts, texts, texts)


def row(index: int, one: Members) -> Row:
    entry = make_entry(
        kind=one.kind, id=uuid7(index * 1_000_000, ENTROPY), at=index * 1_000_000, actor=one.actor,
        agreement=one.agreement, purpose=one.purpose, answer=ENTROPY.bytes(32), request=ENTROPY.bytes(32),
        private=private_bytes(ENTROPY.bytes(32), {"number": index}),
    )  # fmt: skip
    return index, bytes.fromhex(entry.id.replace("-", "")), entry.leaf, entry.private


def passed(page: list[Row]) -> list[Row]:
    _, ids, leaves, privates = zip(*page, strict=True)
    rest = set(Shapes().rest(ids, leaves, privates))
    return [row for at, row in enumerate(page) if at not in rest]


def sound(one: Row) -> bool:
    try:
        check_entry(StoredEntry(one[0], text_id(one[1]), one[2], one[3]), one[0])
    except LedgerFault:
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(st.lists(members, min_size=1, max_size=30))
def test_sound_entries_pass_in_bulk_whatever_they_say(some: list[Members]) -> None:
    """Texts with quotes, escapes and other alphabets, and shapes of one length: none has to go the long way."""
    page = [row(index, one) for index, one in enumerate(some)]
    assert passed(page) == page


@settings(max_examples=300, deadline=None)
@given(st.lists(members, min_size=1, max_size=4), st.data())
def test_nothing_passes_in_bulk_that_would_not_pass_alone(some: list[Members], data: st.DataObject) -> None:
    """Whatever byte of whatever column is another, put in or left out."""
    page = [row(index, one) for index, one in enumerate(some)]
    victim, column = data.draw(st.sampled_from(page)), data.draw(st.sampled_from([1, 2, 2, 2, 3]))
    value = victim[column]
    at = data.draw(st.integers(0, len(value) - 1))
    put = data.draw(st.sampled_from([b"", b'"', b"\\", b" ", b"\n", b"A", b"-", b"\xff", bytes([value[at] ^ 32])]))
    changed = value[:at] + put + value[at + data.draw(st.integers(0, 1)) :]
    page[victim[0]] = (*victim[:column], changed, *victim[column + 1 :])
    assert all(sound(one) for one in passed(page))


def test_an_id_in_capitals_goes_the_long_way_and_fails() -> None:
    """A leaf that writes its UUID otherwise names the same 16 bytes, but is not what this program writes."""
    index, id, leaf, private = row(7, Members("answer", "bank/bank-1", "pks", ""))
    text = text_id(id).encode()
    for other in (text.upper(), text.replace(b"-", b"") + b"----", b"-" + text[:8] + text[9:]):
        page = [(0, id, leaf.replace(text, other), private)]
        assert passed(page) == []
        assert not sound(page[0])
    assert sound((index, id, leaf, private))
