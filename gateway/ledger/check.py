"""Does the whole ledger still fit together? Re-verifies every entry from stored bytes; pure but for its input iterator."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from gateway.errors import LedgerFault
from gateway.keyring.keys import b64u
from gateway.ledger.canonical import canonical
from gateway.ledger.entry import KINDS, VERSION, Leaf
from gateway.ledger.merkle import HASH, Frontier, leaf_hash


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One row of the entries table, every column of it."""

    index: int
    id: str
    leaf: bytes
    private: bytes | None  # None: destroyed by retention


@dataclass(frozen=True, slots=True)
class Head:
    """The head row: how many entries, and the frontier over them."""

    size: int
    frontier: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found to be sound."""

    size: int
    root: bytes
    destroyed: int


_decode = msgspec.json.Decoder(Leaf, strict=True).decode
_kinds = frozenset(str(kind) for kind in KINDS)


def check_entry(entry: StoredEntry, index: int) -> bytes:
    """The leaf hash of a stored entry that fits at `index`. Raises LedgerFault that names the column which does not."""
    if entry.index != index:
        raise LedgerFault(
            index, f"missing; the next one stored is {entry.index}" if entry.index > index else "stored twice"
        )
    try:
        leaf = _decode(entry.leaf)
    except (msgspec.MsgspecError, UnicodeError) as fault:
        raise LedgerFault(index, "leaf: not a leaf document") from fault
    if canonical(leaf) != entry.leaf:
        raise LedgerFault(index, "leaf: not in canonical form")
    if leaf.v != VERSION or leaf.kind not in _kinds:
        raise LedgerFault(index, "leaf: unknown version or kind")
    if leaf.id != entry.id:
        raise LedgerFault(index, "id: another than in the leaf")
    if entry.private is not None and b64u(sha256(entry.private).digest()) != leaf.private:
        raise LedgerFault(index, "private: not what the leaf commits to")
    return leaf_hash(entry.leaf)


def check(head: Head, entries: Iterable[StoredEntry], progress: Callable[[int], None] = lambda _: None) -> Report:
    """Verify `entries` (in order of index) against `head`. Raises LedgerFault naming the first entry that does not fit.

    `progress` is called with the number of entries read so far, every 1,000.
    """
    frontier, destroyed, index = Frontier(), 0, 0
    for entry in entries:
        frontier.append((check_entry(entry, index),))
        destroyed += entry.private is None
        index += 1
        if index % 1000 == 0:
            progress(index)
    if index != head.size:
        raise LedgerFault(min(index, head.size), f"the head counts {head.size} entries, {index} are stored")
    if bytes(frontier) != head.frontier:
        raise LedgerFault(-1, f"the head's frontier is not that of the entries: {_unlike(bytes(frontier), head)}")
    return Report(index, frontier.root(), destroyed)


def _unlike(frontier: bytes, head: Head) -> str:
    """What the first root of the head's frontier that differs says about where: leaf hashes are stored nowhere else."""
    if len(frontier) != len(head.frontier):
        return "the head was changed"
    first = 0
    for at, bit in enumerate(bit for bit in reversed(range(head.size.bit_length())) if head.size >> bit & 1):
        if frontier[at * HASH : (at + 1) * HASH] != head.frontier[at * HASH : (at + 1) * HASH]:
            break
        first += 1 << bit
    return f"a leaf of the entries {first} to {first + (1 << bit) - 1} was changed, or the head"
