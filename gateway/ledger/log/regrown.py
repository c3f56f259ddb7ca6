"""Is what is stored of the tree the tree that the entries make? Full tiles, the hashes of the open one, and the head.

The tree is grown again from the leaf hashes; where it is not what is stored, what is stored tells which of the two was changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

from gateway.errors import LedgerFault
from gateway.ledger.log.merkle import EMPTY_ROOT, HASH, Frontier
from gateway.ledger.log.tiles import FULL, WIDTH, fold

TileRow: TypeAlias = tuple[int, int, Any, Any]
"""level, number, hashes, root: every column of a tile."""
OpenRow: TypeAlias = tuple[int, Any]
"""first, hashes: every column of what is kept of the tile that is not full."""
_begun = sha256(b"\1").copy  # of a node


@dataclass(frozen=True, slots=True)
class Head:
    """The head row: how many entries, and the frontier over them."""

    size: int
    frontier: bytes


class RegrownTree:
    """The tree over the leaf hashes so far, tile by tile, held against the stored tiles and the marks."""

    def __init__(self, stored: Iterator[TileRow] | None, marks: Mapping[int, bytes]) -> None:
        """`stored`: in order of level and number; None: not looked at. `marks` are roots by size that the log must have had."""
        self.tiles = 0
        self._stored = stored
        self._marks = dict(sorted(marks.items()))
        self._frontier = Frontier()
        self._open: list[bytes] = []
        self._roots: list[bytes] = []
        if 0 in self._marks and self._marks.pop(0) != EMPTY_ROOT:
            raise LedgerFault(-1, "the root at size 0 is not that of an empty log")

    def add(self, hashes: list[bytes], roots: Sequence[bytes] = ()) -> None:
        """Further leaf hashes, in order; `roots` are those of their full tiles, where they are known. Raises LedgerFault."""
        known = iter(roots)
        hashes = self._open + hashes
        whole = len(hashes) // WIDTH * WIDTH
        self._open = hashes[whole:]
        for at in range(0, whole, WIDTH):
            tile = hashes[at : at + WIDTH]
            root = next(known, None) or root_of(tile)
            self._compare(0, len(self._roots), b"".join(tile), root)  # names the entry, which a mark cannot
            self._meet_marks(tile)
            self._roots.append(root)
            self._frontier.append_tile(root)

    def finish(self, head: Head, kept: Sequence[OpenRow] | None) -> Frontier:
        """The whole tree's frontier, which is the head's; every tile was there and none beyond. Raises LedgerFault.

        `kept` are the hashes of the open tile; None: not looked at.
        """
        level, roots = 1, self._roots
        while self._stored is not None and len(roots) >= WIDTH:
            above = []
            for number in range(len(roots) // WIDTH):
                below = b"".join(roots[number * WIDTH : (number + 1) * WIDTH])
                above.append(fold(below))
                self._compare(level, number, below, above[-1])
            level, roots = level + 1, above
        if self._stored is not None and (row := next(self._stored, None)) is not None:
            raise LedgerFault(-1, f"tile {row[0]}/{row[1]} is stored, but there are no such entries")
        whole = self._frontier.copy()
        whole.append(self._open)
        fits = bytes(whole) == head.frontier
        if kept is not None:
            _meet_kept(self._frontier.size, self._open, kept, fits=fits)
        if not fits:
            raise LedgerFault(-1, "the head's frontier is not that of the entries")
        self._meet_marks(self._open)
        for size in self._marks:
            raise LedgerFault(-1, f"the log had {size} entries, it has {whole.size} now")
        return whole

    def _meet_marks(self, hashes: list[bytes]) -> None:
        """Compare with the marks that lie among these hashes, which come after the frontier's."""
        for size in [size for size in self._marks if size <= self._frontier.size + len(hashes)]:
            then = self._frontier.copy()
            then.append(hashes[: size - then.size])
            if then.root() != self._marks.pop(size):
                raise LedgerFault(-1, f"the first {size} entries are not those of the checkpoint of that size")

    def _compare(self, level: int, number: int, hashes: bytes, root: bytes) -> None:
        """Hold a tile against the stored one, and say which of the two was changed."""
        if self._stored is None:
            return
        row = next(self._stored, None)
        if row is None or row[:2] != (level, number):
            raise LedgerFault(-1, f"tile {level}/{number} is missing")
        self.tiles += 1
        if (row[2], row[3]) == (hashes, root):
            return
        if row[2] == hashes:
            raise LedgerFault(-1, f"tile {level}/{number}: root: not that of its hashes")
        intact = isinstance(row[2], bytes) and len(row[2]) == FULL and fold(row[2]) == row[3]
        if level == 0 and intact:
            at = number * WIDTH + unlike(row[2], hashes)
            raise LedgerFault(at, "leaf: another than the one that was sealed, by its tile")
        raise LedgerFault(-1, f"tile {level}/{number}: hashes: not those of the entries")


def _meet_kept(begun: int, hashes: list[bytes], kept: Sequence[OpenRow], *, fits: bool) -> None:
    """Hold the open tile's hashes against the kept ones. `fits`: the head agrees with the entries."""
    ours, stored = b"".join(hashes), b""
    for first, some in kept:
        if first != begun + len(stored) // HASH or not isinstance(some, bytes) or not some or len(some) % HASH:
            raise LedgerFault(-1, f"the open tile: the hashes kept from {first} on are out of place")
        stored += some
    if stored == ours:
        return
    at = unlike(stored, ours)
    if not fits and at < len(hashes):
        raise LedgerFault(begun + at, "leaf: another than the one that was sealed, by the hash kept beside the head")
    raise LedgerFault(-1, "the open tile: the hashes kept are not those of the entries")


def unlike(stored: bytes, hashes: bytes) -> int:
    """Which of two rows of hashes is the first that differs."""
    return next(at for at in range(WIDTH) if stored[at * HASH :][:HASH] != hashes[at * HASH :][:HASH])


def root_of(tile: list[bytes]) -> bytes:
    """The root over a power of two of hashes: `tiles.fold`, from a list and from copies of a hash that was begun."""
    while len(tile) > 1:
        above = []
        for left, right in zip(tile[::2], tile[1::2], strict=True):
            node = _begun()
            node.update(left + right)
            above.append(node.digest())
        tile = above
    return tile[0]
