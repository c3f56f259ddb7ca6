"""How does a part of the log leave the house? NDJSON: a stretch that its first line proves whole, or entries each with its path.

The proof of a stretch is what lies left and right of it, as roots of perfect subtrees: with the entries between they give
the root of the signed checkpoint. Schema and a checker that needs nothing else: checker/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from gateway.keyring.keys import b64u
from gateway.ledger.check.check import Row
from gateway.ledger.log.entry import Leaf
from gateway.ledger.log.note import VerifierKey, b64
from gateway.ledger.log.proof import HashTree

FORMAT = "nik-gateway-ledger-export/1"
SELECTION = "nik-gateway-ledger-selection/1"
_encode = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted").encode
_leaf = msgspec.json.Decoder(Leaf).decode


def head_line(note: str, keys: Iterable[VerifierKey], tree: HashTree, first: int, end: int) -> bytes:
    """The first line: entries `first` to `end - 1` of the tree of the checkpoint in `note`."""
    return _line(
        {
            "format": FORMAT,
            "checkpoint": note,
            "keys": [str(key) for key in keys],
            "first": first,
            "count": end - first,
            "left": [b64(part.root) for part in tree.cover(0, first)],
            "right": [b64(part.root) for part in tree.cover(end, tree.size)],
        }
    )


def entry_lines(rows: Sequence[Row], *, private: bool) -> bytes:
    """One line an entry: its index, the leaf's text, and on demand the private part (base64url; null once destroyed)."""
    lines = []
    for index, _, leaf, hidden in rows:
        line: dict[str, Any] = {"index": index, "leaf": bytes(leaf).decode()}
        if private:
            line["private"] = None if hidden is None else b64u(hidden)
        lines.append(_line(line))
    return b"".join(lines)


def selection(note: str, keys: Iterable[str], tree: HashTree, rows: Sequence[Row], told: Mapping[str, Any]) -> bytes:
    """Entries that were searched for or drawn, in that order: a line with the checkpoint in `note` and `told`, then one an entry.

    `tree` is that of the checkpoint; a path is RFC 9162's. Private parts (base64url) are null once destroyed.
    """
    lines = [_sorted({"format": SELECTION, "checkpoint": note, "keys": list(keys), "count": len(rows), **told})]
    for index, _, leaf, hidden in rows:
        proof = [b64(beside) for beside in tree.inclusion(index)]
        private = None if hidden is None else b64u(hidden)
        lines.append(_sorted({"index": index, "leaf": bytes(leaf).decode(), "private": private, "proof": proof}))
    return b"".join(line + b"\n" for line in lines)


def first_since(size: int, leaf_at: Callable[[int], bytes], instant: str) -> int:
    """The first of `size` entries that was sealed at `instant` (RFC 3339, milliseconds) or later; `size` when none was."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if _leaf(leaf_at(middle)).at < instant:
            low = middle + 1
        else:
            high = middle
    return low


def stretch(pages: Iterable[Sequence[Row]], first: int, end: int) -> Iterator[Sequence[Row]]:
    """The rows of `pages` from `first` to `end - 1`."""
    for page in pages:
        rows = [row for row in page if first <= row[0] < end]
        if rows:
            yield rows
        if page[-1][0] >= end - 1:
            return


def _line(document: dict[str, Any]) -> bytes:
    return _encode(document) + b"\n"
