"""The check of a whole ledger: nothing that can be changed in it goes unseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clock import HOUR, SystemEntropy, uuid7
from gateway.errors import LedgerFault
from gateway.ledger.check.check import StoredEntry, check, check_entry
from gateway.ledger.log.canonical import canonical
from gateway.ledger.log.destruction import record_document
from gateway.ledger.log.entry import Kind, make_entry, private_bytes
from gateway.ledger.log.merkle import Frontier, leaf_hash
from gateway.ledger.log.regrown import Head

ENTROPY = SystemEntropy()


def ledger_of(size: int) -> tuple[Head, list[StoredEntry]]:
    frontier, entries = Frontier(), []
    for index in range(size):
        entry = make_entry(
            kind=(Kind.ANSWER, Kind.REFUSAL, Kind.TOKEN)[index % 3],
            id=uuid7(index * 1_000_000, ENTROPY),
            at=index * 1_000_000,
            actor="bank/bank-1",
            agreement="pks-bank",
            purpose="account_opening",
            answer=ENTROPY.bytes(32),
            request=ENTROPY.bytes(32),
            private=private_bytes(ENTROPY.bytes(32), {"outcome": "active", "number": index}),
        )
        frontier.append([entry.hash])
        entries.append(StoredEntry(index, entry.id, entry.leaf, entry.private))
    return Head(size, bytes(frontier)), entries


SMALL = ledger_of(7)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def fault_of(head: Head, entries: list[StoredEntry]) -> LedgerFault:
    with pytest.raises(LedgerFault) as raised:
        check(head, entries)
    return raised.value


@pytest.mark.parametrize("size", [0, 1, 2, 7, 64])
def test_a_whole_ledger_is_sound(size: int) -> None:
    """The report counts its entries and gives the root."""
    head, entries = ledger_of(size)
    tree = Frontier()
    tree.append(leaf_hash(entry.leaf) for entry in entries)
    report = check(head, iter(entries))
    assert (report.size, report.root, report.destroyed) == (size, tree.root(), 0)


def test_every_flipped_bit_of_leaves_and_private_parts_is_found() -> None:
    """Every single bit of every stored byte; the entry that is named is the one, or the head for a leaf's hash."""
    head, entries = SMALL
    for at, entry in enumerate(entries[:2]):
        for bit in range(len(entry.leaf) * 8):
            fault = fault_of(head, [*entries[:at], replace(entry, leaf=flipped(entry.leaf, bit)), *entries[at + 1 :]])
            assert fault.index in {at, -1}
        assert entry.private is not None
        for bit in range(len(entry.private) * 8):
            changed = replace(entry, private=flipped(entry.private, bit))
            assert fault_of(head, [*entries[:at], changed, *entries[at + 1 :]]).index == at


def test_every_flipped_bit_of_ids_indexes_and_the_head_is_found() -> None:
    """The other columns and the head row are covered too."""
    head, entries = SMALL
    first = entries[0]
    for bit in range(len(first.id) * 8):
        other = flipped(first.id.encode(), bit).decode("latin-1")
        assert fault_of(head, [replace(first, id=other), *entries[1:]]).index == 0
    for bit in range(63):
        assert fault_of(head, [replace(first, index=first.index ^ 1 << bit), *entries[1:]]).index == 0
        fault_of(replace(head, size=head.size ^ 1 << bit), entries)
    for bit in range(len(head.frontier) * 8):
        assert fault_of(replace(head, frontier=flipped(head.frontier, bit)), entries).index == -1


edits = st.sampled_from(["delete", "repeat", "swap", "truncate", "insert", "renumbered delete", "renumbered swap"])


@settings(max_examples=150)
@given(edits, st.integers(0, 6), st.integers(0, 6))
def test_no_entry_can_be_moved_left_out_or_put_in(edit: str, one: int, other: int) -> None:
    """Deletion, insertion, repetition, reordering and truncation are found, with the indexes made to fit as well."""
    head, entries = SMALL[0], list(SMALL[1])
    strange = ledger_of(1)[1][0]
    renumber = edit.startswith("renumbered")
    match edit.removeprefix("renumbered "):
        case "delete":
            del entries[one]
        case "repeat":
            entries.insert(other, entries[one])
        case "swap":
            entries[one], entries[other] = entries[other], entries[one]
            if one == other:
                del entries[one]
        case "truncate":
            del entries[one:]
        case "insert":
            entries.insert(one, replace(strange, index=one))
    if renumber:
        entries = [replace(entry, index=index) for index, entry in enumerate(entries)]
    fault = fault_of(head, entries)
    assert -1 <= fault.index <= 7


def test_the_first_entry_that_does_not_fit_is_named() -> None:
    """Of two damaged entries the earlier one; and what is wrong with it in words."""
    head, entries = SMALL
    broken = [replace(entry, private=b"x") if entry.index in {2, 5} else entry for entry in entries]
    fault = fault_of(head, broken)
    assert (fault.index, fault.what) == (2, "private: not what the leaf commits to")
    gap = fault_of(head, [*entries[:3], *entries[4:]])
    assert (gap.index, gap.what) == (3, "missing; the next one stored is 4")
    assert fault_of(head, [*entries[:3], *entries[2:]]).what == "stored twice"
    assert "the head counts 7 entries, 6 are stored" in fault_of(head, entries[:6]).what


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda leaf: leaf.replace(b'"v":1', b'"v":2'), "leaf: unknown version or kind"),
        (lambda leaf: leaf.replace(b'"kind":"answer"', b'"kind":"rumour"'), "leaf: unknown version or kind"),
        (lambda leaf: leaf.replace(b'{"actor"', b'{ "actor"'), "leaf: not in canonical form"),
        (lambda leaf: leaf.replace(b'{"actor"', b'{"aa":1,"actor"'), "leaf: not in canonical form"),
        (lambda leaf: leaf.replace(b"bank-1", b"b\\u0061nk-1"), "leaf: not in canonical form"),
        (lambda leaf: leaf[:-1], "leaf: not a leaf document"),
        (lambda leaf: b"\xff" + leaf, "leaf: not a leaf document"),
        (lambda _: canonical({"v": 1}), "leaf: not a leaf document"),
        (lambda leaf: leaf.replace(b'"v":1', b'"v":"1"'), "leaf: not a leaf document"),
    ],
)
def test_a_leaf_that_is_none_is_named(change: Callable[[bytes], bytes], what: str) -> None:
    """Another version or kind, other bytes for the same document, or no document at all."""
    entry = SMALL[1][0]
    with pytest.raises(LedgerFault) as raised:
        check_entry(replace(entry, leaf=change(entry.leaf)), 0)
    assert (raised.value.index, raised.value.what) == (0, what)


def test_a_private_part_that_is_missing_without_a_record_is_found() -> None:
    """The first of them is named: a private part goes under a record of its destruction, or not at all."""
    head, entries = SMALL
    fault = fault_of(head, [replace(entry, private=None) if entry.index % 2 else entry for entry in entries])
    assert (fault.index, fault.what) == (1, "private: destroyed without a record of it")


def test_private_parts_destroyed_under_a_record_are_counted_and_no_fault() -> None:
    """Pruning leaves every proof valid: those of the kinds and the time that a later entry tells of."""
    _, entries = ledger_of(6)
    document = record_document([Kind.ANSWER, Kind.TOKEN], "1970-01-01T01:00:00.000Z", 4, "Dua", "Satu")
    private = private_bytes(ENTROPY.bytes(32), document)
    members = {"actor": "house", "agreement": "", "purpose": "", "answer": bytes(32), "request": bytes(32)}
    record = make_entry(kind=Kind.DESTRUCTION, id=uuid7(HOUR, ENTROPY), at=HOUR, private=private, **members)
    entries.append(StoredEntry(6, record.id, record.leaf, record.private))
    tree = Frontier()
    tree.append(leaf_hash(entry.leaf) for entry in entries)
    head = Head(7, bytes(tree))
    pruned = [replace(entry, private=None) if entry.index in {0, 2, 3, 5} else entry for entry in entries]
    report = check(head, pruned)
    assert (report.size, report.root, report.destroyed, dict(report.under)) == (7, tree.root(), 4, {6: 4})
    assert fault_of(head, [replace(entry, private=None) if entry.index == 1 else entry for entry in pruned]).index == 1


def test_progress_is_told_every_thousand() -> None:
    """A long check says how far it is."""
    head, entries = ledger_of(2001)
    told: list[int] = []
    check(head, entries, told.append)
    assert told == [1000, 2000]
