"""Does the whole ledger still fit together? Re-verifies every stored byte of it; pure but for its input iterators.

Pages of entries are checked at once, which is as exact as one by one and several times as fast; where a page does not
fit, it is gone through again entry by entry to name the first that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from gateway.errors import LedgerFault
from gateway.keyring.keys import b64u
from gateway.ledger.check.shapes import Shapes
from gateway.ledger.log.canonical import canonical
from gateway.ledger.log.destruction import Destructions
from gateway.ledger.log.entry import KINDS, VERSION, Kind, Leaf
from gateway.ledger.log.merkle import leaf_hash
from gateway.ledger.log.regrown import Head, OpenRow, RegrownTree, TileRow, root_of
from gateway.ledger.log.tiles import WIDTH

PAGE = 1_000
Row: TypeAlias = tuple[int, Any, Any, Any]
"""leaf_index, id (16 bytes), leaf, private part: every column of an entry. SQLite keeps whatever type it was given."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One row of the entries table, every column of it; `id` as text, or the hex of whatever is no UUID."""

    index: int
    id: str
    leaf: bytes
    private: bytes | None  # None: destroyed by retention


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found to be sound; `under` counts the destroyed private parts by the record that tells of them."""

    size: int
    root: bytes
    destroyed: int
    tiles: int = 0
    bytes: int = 0
    under: Mapping[int, int] = field(default_factory=dict)


_decode = msgspec.json.Decoder(Leaf, strict=True).decode
_kinds = frozenset(str(kind) for kind in KINDS)


def check_entry(entry: StoredEntry, index: int) -> bytes:
    """The leaf hash of a stored entry that fits at `index`. Raises LedgerFault that names the column which does not."""
    if entry.index != index:
        raise LedgerFault(
            index, f"missing; the next one stored is {entry.index}" if entry.index > index else "stored twice"
        )
    columns: tuple[tuple[str, Any], ...] = (("leaf", entry.leaf), ("private", entry.private or b""))
    for name, value in columns:
        if not isinstance(value, bytes):  # SQLite keeps whatever it is given
            raise LedgerFault(index, f"{name}: not bytes")
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
    """Verify `entries` (in order of index) against `head`, without tiles. Raises LedgerFault as `sweep` does."""

    def rows() -> Iterator[Row]:
        for entry in entries:
            yield entry.index, _raw_id(entry.id), entry.leaf, entry.private

    return sweep(head, _pages(rows()), progress=progress)


def sweep(  # noqa: PLR0913  every table of the ledger, and what it is held against
    head: Head,
    pages: Iterable[Sequence[Row]],
    tiles: Iterable[TileRow] | None = None,
    kept: Sequence[OpenRow] | None = None,
    progress: Callable[[int], None] = lambda _: None,
    marks: Mapping[int, bytes] | None = None,
) -> Report:
    """Verify pages of entries (in order of index), the head, the tiles (by level and number) and the open tile's hashes.

    Where tiles or kept hashes are None they are not looked at.
    `marks` are roots that the log must have had at some sizes: it only grew since. `progress` is called with the number
    of entries read so far. Raises LedgerFault naming the first entry that does not fit.
    """
    return hold(head, parts_of(pages), tiles, kept, progress, marks)


@dataclass(frozen=True, slots=True)
class CheckedPart:
    """Entries that fit by themselves: their leaf hashes, how many bytes they are, and what they tell of destruction.

    `roots` are those of the full tiles among them, where that was computed; then the part begins with a tile.
    """

    hashes: list[bytes]
    size: int
    events: list[tuple[int, str, str, bytes | None]]  # index, kind, instant, private part (None: destroyed)
    roots: list[bytes] = field(default_factory=list)


def parts_of(pages: Iterable[Sequence[Row]], first: int = 0) -> Iterator[CheckedPart]:
    """One part for each page, whose entries follow on each other from `first` on. Raises LedgerFault as `sweep` does."""
    shapes = Shapes()
    for page in pages:
        try:
            part = _part(page, first, shapes)
        except (TypeError, AttributeError, LedgerFault):  # what is not bytes, or does not fit
            raise _blame(page, first) from None
        yield part
        first += len(page)


def stretch_of(pages: Iterable[Sequence[Row]], first: int) -> CheckedPart:
    """One part of many pages from `first` on, the beginning of a tile, with the roots of its tiles. Raises LedgerFault."""
    hashes: list[bytes] = []
    events: list[tuple[int, str, str, bytes | None]] = []
    size = 0
    for part in parts_of(pages, first):
        hashes += part.hashes
        events += part.events
        size += part.size
    tiles = range(0, len(hashes) - WIDTH + 1, WIDTH)
    return CheckedPart(hashes, size, events, [root_of(hashes[at : at + WIDTH]) for at in tiles])


def hold(  # noqa: PLR0913  as `sweep`
    head: Head,
    parts: Iterable[CheckedPart],
    tiles: Iterable[TileRow] | None,
    kept: Sequence[OpenRow] | None,
    progress: Callable[[int], None],
    marks: Mapping[int, bytes] | None,
) -> Report:
    """Hold parts, in order, against everything else. See `sweep`."""
    tree = RegrownTree(None if tiles is None else iter(tiles), marks or {})
    destructions, index, size = Destructions(), 0, 0
    for part in parts:
        tree.add(part.hashes, part.roots)
        for at, kind, instant, private in part.events:
            if private is None:
                destructions.missing(at, kind, instant)
            else:
                destructions.record(at, private)
        size += part.size
        index += len(part.hashes)
        if len(part.hashes) >= PAGE:
            progress(index)
    if index != head.size:
        raise LedgerFault(min(index, head.size), f"the head counts {head.size} entries, {index} are stored")
    frontier = tree.finish(head, kept)
    destructions.require_all()
    return Report(index, frontier.root(), destructions.count, tree.tiles, size, destructions.under)


def _part(page: Sequence[Row], first: int, shapes: Shapes) -> CheckedPart:
    """A page that fits from `first` on. Raises where anything in it does not fit."""
    indexes, ids, leaves, privates = zip(*page, strict=True)
    if indexes != tuple(range(first, first + len(page))):
        raise LedgerFault(first, "out of order")
    for at in shapes.rest(ids, leaves, privates):
        check_entry(StoredEntry(first + at, text_id(ids[at]), leaves[at], privates[at]), first + at)
    events: list[tuple[int, str, str, bytes | None]] = []
    if None in privates or shapes.destruction:
        for index, _, raw, private in page:
            leaf = _decode(raw)
            if private is None or leaf.kind == Kind.DESTRUCTION:
                events.append((index, leaf.kind, leaf.at, private))
        privates = tuple(filter(None, privates))
    hashes = _leaf_hashes(leaves)
    return CheckedPart(hashes, sum(map(len, leaves)) + sum(map(len, privates)), events)


def _leaf_hashes(leaves: Sequence[bytes]) -> list[bytes]:
    """`leaf_hash` of each, from copies of a hash that was begun: cheaper than to begin each anew."""
    hashes, begun = [], sha256(b"\0").copy
    for leaf in leaves:
        one = begun()
        one.update(leaf)
        hashes.append(one.digest())
    return hashes


def _blame(page: Sequence[Row], first: int) -> LedgerFault:
    """What is wrong with the first entry of a page that does not fit. Raises it, or gives one that is less exact."""
    for at, row in enumerate(page, first):
        check_entry(StoredEntry(row[0], text_id(row[1]), row[2], row[3]), at)
    return LedgerFault(first, f"one of the {len(page)} entries from here on does not fit")


def text_id(raw: Any) -> str:  # noqa: ANN401  see Row
    """The text of an id; of a damaged one, its bytes, so that the check can name it."""
    if not isinstance(raw, bytes):
        return repr(raw)
    return str(UUID(bytes=raw)) if len(raw) == 16 else raw.hex()  # noqa: PLR2004  the size of a UUID


def _raw_id(text: str) -> bytes:
    try:
        raw = UUID(text).bytes
    except ValueError:
        return text.encode()
    return raw if str(UUID(bytes=raw)) == text else text.encode()


def _pages(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while page := list(islice(rows, PAGE)):
        yield page
