"""Which entries does an auditor look at, so that nobody could have chosen them? Drawn by a seed; whoever has it draws the same.

Draw number n over entries `first` to `end - 1` is SHA-256(label ‖ seed ‖ first ‖ end ‖ n), as a number, modulo their count;
numbers beyond the last whole multiple are passed over, so that every entry is as likely as every other. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

LABEL = "nik-sample/1"
_SPACE = 1 << 256


def draws(seed: str, first: int, end: int) -> Iterator[int]:
    """Leaf indexes in the order in which they are drawn, each once, until every one was."""
    count = end - first
    if count <= 0:
        return
    limit = _SPACE - _SPACE % count
    head = f"{LABEL}\n{seed}\n{first}\n{end}\n".encode()
    seen: set[int] = set()
    number = 0
    while len(seen) < count:
        drawn = int.from_bytes(sha256(head + str(number).encode()).digest(), "big")
        number += 1
        if drawn < limit and (index := first + drawn % count) not in seen:
            seen.add(index)
            yield index
