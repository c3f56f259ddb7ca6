"""Is an entry in the log, and is one log the beginning of another? RFC 9162 §2.1.3–2.1.4, computed from tiles; pure.

Whoever verifies needs no tile: `verify_inclusion` and `verify_consistency` are the algorithms of the RFC, step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gateway.errors import LedgerFault
from gateway.ledger.log.merkle import EMPTY_ROOT, HASH, node_hash
from gateway.ledger.log.tiles import Tile, fold, width_of

ReadTile = Callable[[Tile], bytes]
"""The bytes of a tile, of just that width. Raises LedgerFault when it is not to be had."""


class ProofFault(LedgerFault):
    """A proof that proves nothing."""

    def __init__(self, what: str) -> None:
        super().__init__(-1, what)


@dataclass(frozen=True, slots=True)
class Subtree:
    """The root of the perfect subtree over leaves `start` to `start + count - 1`; `count` is a power of two."""

    start: int
    count: int
    root: bytes


class HashTree:
    """A tree of `size` leaves of which every hash can be read from tiles; each tile is read once."""

    def __init__(self, read: ReadTile, size: int) -> None:
        self.size = size
        self._read = read
        self._tiles: dict[tuple[int, int], bytes] = {}

    def tile(self, tile: Tile) -> bytes:
        """The bytes of a tile, whatever the size of the tree. Raises LedgerFault when it is not to be had."""
        return self._read(tile)

    def root(self, begin: int = 0, end: int | None = None) -> bytes:
        """The Merkle tree hash of leaves `begin` to `end - 1` (all of them by default)."""
        parts = [subtree.root for subtree in self.cover(begin, self.size if end is None else end)]
        if not parts:
            return EMPTY_ROOT
        root = parts.pop()
        while parts:
            root = node_hash(parts.pop(), root)
        return root

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """PATH(index, D[0:size]): the proof that the leaf `index` is in the tree of its first `size` leaves."""
        low, high = 0, self.size if size is None else size
        if not low <= index < high <= self.size:
            raise ProofFault(f"entry {index} is not in a tree of {high} entries")
        path: list[tuple[int, int]] = []
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append((middle, high))
                high = middle
            else:
                path.append((low, middle))
                low = middle
        return [self.root(*sibling) for sibling in reversed(path)]

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """PROOF(old, D[0:size]): the proof that the tree of `old` leaves is the beginning of the one of `size`."""
        low, high = 0, self.size if size is None else size
        if not 0 <= old <= high <= self.size:
            raise ProofFault(f"a tree of {high} entries has no beginning of {old}")
        if old in (0, high):
            return []
        path: list[tuple[int, int]] = []
        whole = True
        while old != high:
            middle = low + _split(high - low)
            if old <= middle:
                path.append((middle, high))
                high = middle
            else:
                path.append((low, middle))
                low, whole = middle, False
        return [*([] if whole else [self.root(low, high)]), *(self.root(*part) for part in reversed(path))]

    def cover(self, begin: int, end: int) -> Iterator[Subtree]:
        """The fewest perfect subtrees that lie side by side over leaves `begin` to `end - 1`, in order."""
        while begin < end:
            count = 1 << (end - begin).bit_length() - 1
            if begin:
                count = min(count, begin & -begin)
            yield Subtree(begin, count, self._perfect(begin, count.bit_length() - 1))
            begin += count

    def _perfect(self, begin: int, height: int) -> bytes:
        level, within = divmod(height, 8)
        number, at = divmod(begin >> 8 * level, 256)
        tile = self._tiles.get((level, number))
        if tile is None:
            wanted = Tile(level, number, width_of(level, number, self.size))
            tile = self._tiles[level, number] = self._read(wanted)
            if len(tile) != wanted.width * HASH:
                raise LedgerFault(-1, f"tile {wanted.path} has {len(tile)} bytes, not {wanted.width * HASH}")
        return fold(tile[at * HASH : (at + (1 << within)) * HASH])


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1


def join(parts: Sequence[Subtree]) -> bytes:
    """The root of the tree that subtrees, side by side from leaf 0 on, make up. Raises ProofFault where they do not."""
    held: list[Subtree] = []
    end = 0
    for part in parts:
        if part.start != end or part.count & (part.count - 1) or part.start % part.count:
            raise ProofFault("the parts do not lie side by side")
        end = part.start + part.count
        merged = part
        while held and held[-1].count == merged.count and held[-1].start % (2 * merged.count) == 0:
            left = held.pop()
            merged = Subtree(left.start, 2 * merged.count, node_hash(left.root, merged.root))
        held.append(merged)
    if not held:
        return EMPTY_ROOT
    root = held.pop().root
    while held:
        root = node_hash(held.pop().root, root)
    return root


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 §2.1.3.2. `leaf` is the leaf's hash. Raises ProofFault."""
    if not 0 <= index < size:
        raise ProofFault(f"entry {index} is not in a tree of {size} entries")
    first, last, reached = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofFault("the inclusion proof is too long")
        if first & 1 or first == last:
            reached = node_hash(sibling, reached)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        first, last = first >> 1, last >> 1
    if last or reached != root:
        raise ProofFault(f"the inclusion proof of entry {index} does not lead to the root")


def verify_consistency(  # noqa: C901  the RFC's own steps
    old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]
) -> None:
    """RFC 9162 §2.1.4.2, and what it leaves out: from an empty tree, or to the same size. Raises ProofFault."""
    if not 0 <= old <= size:
        raise ProofFault(f"a tree of {size} entries has no beginning of {old}")
    if old in (0, size):
        if path or (old == size and old_root != root) or (old == 0 and old_root != EMPTY_ROOT):
            raise ProofFault(
                f"the root of {size} entries is another than the one known" if old else "not an empty tree"
            )
        return
    if not path:
        raise ProofFault("the consistency proof is empty")
    steps = list(path) if old & (old - 1) else [old_root, *path]
    first, last = old - 1, size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    then = now = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofFault("the consistency proof is too long")
        if first & 1 or first == last:
            then, now = node_hash(step, then), node_hash(step, now)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            now = node_hash(now, step)
        first, last = first >> 1, last >> 1
    if last or then != old_root or now != root:
        raise ProofFault(f"the {size} entries do not begin with the {old} that are known")
