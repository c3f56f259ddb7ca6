"""Does the whole ledger still fit together? Re-verifies every stored byte of it; pure but for its input iterators.

Pages of entries are checked at once, which is as exact as one by one and several times as fast; where a page does not
fit, it is gone through again entry by entry to name the first that does not.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from types import NoneType
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from gateway.errors import LedgerFault
from gateway.keyring.keys import b64u
from gateway.ledger.canonical import canonical
from gateway.ledger.destruction import Destructions
from gateway.ledger.entry import KINDS, VERSION, Kind, Leaf
from gateway.ledger.merkle import EMPTY_ROOT, HASH, Frontier, leaf_hash
from gateway.ledger.tiles import WIDTH, fold

PAGE = 1_000
Row: TypeAlias = tuple[int, Any, Any, Any]
"""leaf_index, id (16 bytes), leaf, private part: every column of an entry. SQLite keeps whatever type it was given."""
TileRow: TypeAlias = tuple[int, int, Any, Any]
"""level, number, hashes, root: every column of a tile."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One row of the entries table, every column of it; `id` as text, or the hex of whatever is no UUID."""

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
    """What a check found to be sound; `under` counts the destroyed private parts by the record that tells of them."""

    size: int
    root: bytes
    destroyed: int
    tiles: int = 0
    bytes: int = 0
    under: Mapping[int, int] = field(default_factory=dict)


_decode = msgspec.json.Decoder(Leaf, strict=True).decode
_decode_lines = msgspec.json.Decoder(Leaf, strict=True).decode_lines
_encode_lines = msgspec.json.Encoder(order="sorted").encode_lines
_kinds = frozenset(str(kind) for kind in KINDS)
_UNFIT: tuple[list[bytes], int] = ([], 0)
_url = bytes.maketrans(b"+/", b"-_")


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

    return sweep(head, _pages(rows()), None, progress)


def sweep(
    head: Head,
    pages: Iterable[Sequence[Row]],
    tiles: Iterable[TileRow] | None,
    progress: Callable[[int], None] = lambda _: None,
    marks: Mapping[int, bytes] | None = None,
) -> Report:
    """Verify pages of entries (in order of index), the head and the tiles (by level and number; None: not looked at).

    `marks` are roots that the log must have had at some sizes: it only grew since. `progress` is called with the number
    of entries read so far. Raises LedgerFault naming the first entry that does not fit.
    """
    tree = _Tree(None if tiles is None else iter(tiles), marks or {})
    destructions, index, size = Destructions(), 0, 0
    for page in pages:
        hashes, length = _page(page, index, destructions)
        if not length:
            raise _blame(page, index)
        size += length
        tree.add(hashes)
        index += len(page)
        if len(page) >= PAGE:
            progress(index)
    if index != head.size:
        raise LedgerFault(min(index, head.size), f"the head counts {head.size} entries, {index} are stored")
    frontier = tree.finish()
    if bytes(frontier) != head.frontier:
        raise LedgerFault(-1, f"the head's frontier is not that of the entries: {_unlike(bytes(frontier), head)}")
    destructions.require_all()
    return Report(index, frontier.root(), destructions.count, tree.tiles, size, destructions.under)


def _page(  # noqa: PLR0911  each return is another way not to fit
    page: Sequence[Row], first: int, destructions: Destructions
) -> tuple[list[bytes], int]:
    """The leaf hashes of a page that fits from `first` on, and its bytes; `_UNFIT` when anything in it does not fit.

    The leaves are decoded and encoded together, one a line. A canonical leaf has no newline, so that the lines come out
    as they went in only if every single one of them is canonical.
    """
    indexes, raw_ids, raws, privates = zip(*page, strict=True)
    if indexes != tuple(range(first, first + len(page))):
        return _UNFIT
    try:
        lines = b"\n".join(raws) + b"\n"
        leaves = _decode_lines(lines)
        if len(leaves) != len(page) or _encode_lines(leaves) != lines:
            return _UNFIT
        ids = bytes.fromhex("".join([leaf.id for leaf in leaves]).replace("-", ""))
    except (msgspec.MsgspecError, ValueError, TypeError):
        return _UNFIT
    kinds = {leaf.kind for leaf in leaves}
    if {*map(type, raw_ids), *map(type, privates)} - {bytes, NoneType}:
        return _UNFIT
    if ids != b"".join(raw_ids) or set(map(len, raw_ids)) != {16} or {leaf.v for leaf in leaves} != {VERSION}:
        return _UNFIT
    told = [leaf.private for leaf in leaves]
    if None in privates or Kind.DESTRUCTION in kinds:
        told = [digest for digest, private in zip(told, privates, strict=True) if private is not None]
        _note_destructions(page, leaves, destructions)
        privates = tuple([private for private in privates if private is not None])
    # 32 bytes and a zero are 44 characters of base64: the 43 of the digest alone, and an A
    digests = b"".join([sha256(private).digest() + b"\0" for private in privates])
    if binascii.b2a_base64(digests, newline=False).translate(_url) != "".join([one + "A" for one in told]).encode():
        return _UNFIT
    if kinds - _kinds or set(map(len, told)) - {43}:
        return _UNFIT
    return [sha256(b"\0" + raw).digest() for raw in raws], len(lines) - len(page) + sum(map(len, privates))


def _blame(page: Sequence[Row], first: int) -> LedgerFault:
    """What is wrong with the first entry of a page that does not fit. Raises it, or gives one that is less exact."""
    for at, row in enumerate(page, first):
        check_entry(StoredEntry(row[0], text_id(row[1]), row[2], row[3]), at)
    return LedgerFault(first, f"one of the {len(page)} entries from here on does not fit")


def _note_destructions(page: Sequence[Row], leaves: Sequence[Leaf], destructions: Destructions) -> None:
    for row, leaf in zip(page, leaves, strict=True):
        if row[3] is None:
            destructions.missing(row[0], leaf.kind, leaf.at)
        elif leaf.kind == Kind.DESTRUCTION:
            destructions.record(row[0], row[3])


class _Tree:
    """The tree over the leaf hashes so far, tile by tile, held against the stored tiles and the marks."""

    def __init__(self, stored: Iterator[TileRow] | None, marks: Mapping[int, bytes]) -> None:
        self.tiles = 0
        self._stored = stored
        self._marks = dict(sorted(marks.items()))
        self._frontier = Frontier()
        self._open: list[bytes] = []
        self._roots: list[bytes] = []
        if 0 in self._marks and self._marks.pop(0) != EMPTY_ROOT:
            raise LedgerFault(-1, "the root at size 0 is not that of an empty log")

    def add(self, hashes: list[bytes]) -> None:
        """Further leaf hashes, in order."""
        self._open += hashes
        while len(self._open) >= WIDTH:
            tile, self._open = self._open[:WIDTH], self._open[WIDTH:]
            self._meet_marks(tile)
            whole = b"".join(tile)
            root = fold(whole)
            self._compare(0, len(self._roots), whole, root)
            self._roots.append(root)
            self._frontier.append_tile(root)

    def finish(self) -> Frontier:
        """The whole tree's frontier; every tile was there and none beyond. Raises LedgerFault."""
        self._meet_marks(self._open)
        for size in self._marks:
            raise LedgerFault(-1, f"the log had {size} entries, it has {self._frontier.size + len(self._open)} now")
        level, roots = 1, self._roots
        while self._stored is not None and len(roots) >= WIDTH:
            above = []
            for number in range(len(roots) // WIDTH):
                whole = b"".join(roots[number * WIDTH : (number + 1) * WIDTH])
                above.append(fold(whole))
                self._compare(level, number, whole, above[-1])
            level, roots = level + 1, above
        if self._stored is not None and (row := next(self._stored, None)) is not None:
            raise LedgerFault(-1, f"tile {row[0]}/{row[1]} is stored, but there are no such entries")
        self._frontier.append(self._open)
        return self._frontier

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
        intact = isinstance(row[2], bytes) and len(row[2]) == WIDTH * HASH and fold(row[2]) == row[3]
        if level == 0 and intact:
            at = next(at for at in range(WIDTH) if row[2][at * HASH :][:HASH] != hashes[at * HASH :][:HASH])
            raise LedgerFault(number * WIDTH + at, "leaf: another than the one that was sealed, by its tile")
        raise LedgerFault(-1, f"tile {level}/{number}: hashes: not those of the entries")


def _unlike(frontier: bytes, head: Head) -> str:
    """What the first root of the head's frontier that differs says about where, within the last tile."""
    if len(frontier) != len(head.frontier):
        return "the head was changed"
    first = 0
    for at, bit in enumerate(bit for bit in reversed(range(head.size.bit_length())) if head.size >> bit & 1):
        if frontier[at * HASH : (at + 1) * HASH] != head.frontier[at * HASH : (at + 1) * HASH]:
            break
        first += 1 << bit
    return f"a leaf of the entries {first} to {first + (1 << bit) - 1} was changed, or the head"


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
