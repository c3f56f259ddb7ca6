"""How do leaves make a tree? RFC 6962 §2.1 / RFC 9162 §2.1, pure: hashes in, hashes out, no storage.

A *frontier* is the list of roots of the perfect subtrees of a tree of `size` leaves, largest first: one 32-byte hash
for each 1-bit of `size`. It is all that is needed to append and to compute the root.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from gateway.errors import LedgerFault

HASH = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """`SHA-256(0x00 ‖ leaf)`."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """`SHA-256(0x01 ‖ left ‖ right)`."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A growing tree, kept as its frontier. `bytes(frontier)` is what the head row stores."""

    __slots__ = ("_roots", "full", "size")

    def __init__(self, size: int = 0, roots: bytes = b"") -> None:
        """Raises LedgerFault when `roots` cannot be the frontier of `size` leaves."""
        if size < 0 or len(roots) != HASH * size.bit_count():
            raise LedgerFault(-1, f"the head's frontier of {len(roots)} bytes does not fit its size {size}")
        self.size = size
        self.full: list[bytes] = []  # roots of the level-0 tiles that became full since
        self._roots = [roots[at : at + HASH] for at in range(0, len(roots), HASH)]

    def append(self, hashes: Iterable[bytes]) -> None:
        """Add leaf hashes, in order."""
        roots, size = self._roots, self.size
        for leaf in hashes:
            carried, bit = leaf, size
            if bit & 255 == 255:  # noqa: PLR2004  the last of a tile
                for _ in range(8):
                    carried = sha256(b"\x01" + roots.pop() + carried).digest()
                bit >>= 8
                self.full.append(carried)
            while bit & 1:
                carried = sha256(b"\x01" + roots.pop() + carried).digest()
                bit >>= 1
            roots.append(carried)
            size += 1
        self.size = size

    def append_tile(self, root: bytes) -> None:
        """Add 256 leaves by the root of their tile; `size` must be a whole number of tiles."""
        carried, bit = root, self.size >> 8
        while bit & 1:
            carried = sha256(b"\x01" + self._roots.pop() + carried).digest()
            bit >>= 1
        self._roots.append(carried)
        self.size += 256

    def copy(self) -> Frontier:
        """One like it that grows apart from it."""
        other = Frontier()
        other.size, other._roots = self.size, self._roots.copy()
        return other

    def root(self) -> bytes:
        """The Merkle tree hash of all leaves so far."""
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root

    def __bytes__(self) -> bytes:
        return b"".join(self._roots)
