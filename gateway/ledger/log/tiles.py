"""How is the tree cut into tiles, and how is a tile named? C2SP tlog-tiles; pure.

A tile holds up to 256 consecutive hashes of one level: level 0 those of leaves, level n + 1 the roots of the full tiles of
level n. A full one never changes and is stored; the last one of a level is partial and is computed when it is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from gateway.ledger.log.merkle import HASH

WIDTH = 256
FULL = WIDTH * HASH
LEVELS = 8  # 256 ** 8 leaves are more than an index can name
_path = re.compile(r"(0|[1-9][0-9]?)/((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?\Z").match


@dataclass(frozen=True, slots=True)
class Tile:
    """The name of a tile: `width` hashes of `level`, from hash number 256 × `number` on."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Below `/tile/`: `0/x001/x234/067`, with `.p/<width>` when partial."""
        rest = self.number // 1000
        groups = f"{self.number % 1000:03d}"
        while rest:
            groups = f"x{rest % 1000:03d}/{groups}"
            rest //= 1000
        return f"{self.level}/{groups}" + (f".p/{self.width}" if self.width < WIDTH else "")


def parse_path(path: str) -> Tile:
    """The tile that a path names, in its one spelling. Raises ValueError."""
    found = _path(path)
    if found is None:
        msg = "not the path of a tile"
        raise ValueError(msg)
    level, higher, last, width = found.groups()
    tile = Tile(int(level), int(higher.replace("x", "").replace("/", "") + last), int(width) if width else WIDTH)
    if tile.path != path or tile.level >= LEVELS or tile.number >= 1 << 55:
        msg = "not the path of a tile"
        raise ValueError(msg)
    return tile


def width_of(level: int, number: int, size: int) -> int:
    """How many hashes that tile has in a tree of `size` leaves: 0 to 256."""
    return max(0, min(WIDTH, (size >> 8 * level) - number * WIDTH))


def fold(hashes: bytes) -> bytes:
    """The root over a power of two of consecutive hashes."""
    while len(hashes) > HASH:
        hashes = b"".join(
            [sha256(b"\x01" + hashes[at : at + 2 * HASH]).digest() for at in range(0, len(hashes), 2 * HASH)]
        )
    return hashes
