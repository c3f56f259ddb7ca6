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

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, roots: bytes = b"") -> None:
        """Raises LedgerFault when `roots` cannot be the frontier of `size` leaves."""
        if size < 0 or len(roots) != HASH * size.bit_count():
            raise LedgerFault(-1, f"the head's frontier of {len(roots)} bytes does not fit its size {size}")
        self.size = size
        self._roots = [roots[at : at + HASH] for at in range(0, len(roots), HASH)]

    def append(self, hashes: Iterable[bytes]) -> None:
        """Add leaf hashes, in order."""
        roots, size = self._roots, self.size
        for leaf in hashes:
            carried, bit = leaf, size
            while bit & 1:
                carried = sha256(b"\x01" + roots.pop() + carried).digest()
                bit >>= 1
            roots.append(carried)
            size += 1
        self.size = size

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
