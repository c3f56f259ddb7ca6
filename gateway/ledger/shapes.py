"""Do many stored entries fit, all at once? Leaves of one shape are cut into their members together and compared in bulk.

A canonical leaf is a row of pieces: three texts of which a log has few (who asked under what, the kind, the purpose), each proven
canonical once, and five values of fixed length between them. What is of another shape goes the long way, entry by entry.
"""

from __future__ import annotations

import binascii
import string
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from struct import Struct

import msgspec

from gateway.ledger.canonical import canonical
from gateway.ledger.entry import KINDS, VERSION, Kind, Leaf

_ANSWER, _AT, _ID, _PRIVATE, _END = b'"answer":"', b'","at":"', b'","id":"', b'","private":"', b'","v":%d}' % VERSION
_DIGEST, _INSTANT, _UUID = 43, 24, 36  # characters
_KIND = _DIGEST + len(_AT) + _INSTANT + len(_ID) + _UUID  # from the answer's first character to the kind's piece
_KIND_VALUE = _KIND + len(b'","kind":"')
_SAFE = (string.ascii_letters + string.digits + "-_:.").encode()  # none of them is escaped in JSON
_MOST = 10_000  # texts remembered
_url = bytes.maketrans(b"+/", b"-_")
_decode = msgspec.json.Decoder(Leaf, strict=True).decode
_kinds = frozenset(str(kind) for kind in KINDS)
_DESTRUCTION = f'"kind":"{Kind.DESTRUCTION}"'.encode()
Shape = tuple[int, int, bytes]
"""(length of the leaf, where the answer begins, the kind's first letters)."""
Row = tuple[int, bytes, bytes, bytes | None]


class Shapes:
    """Knows the texts that were proven canonical so far; `destruction`: the last page may hold a record of one."""

    def __init__(self) -> None:
        self.destruction = False
        self._cuts: dict[Shape, Struct | None] = {}
        self._by_length: dict[int, Shape | None] = {}  # None: several shapes have that length
        self._heads: set[bytes] = set()
        self._mids: set[bytes] = set()
        self._tails: set[bytes] = set()

    def rest(self, page: Sequence[Row]) -> Iterator[list[Row]]:
        """The entries of a page that do not fit, as far as can be told in bulk. Raises TypeError for what is not bytes."""
        self.destruction = False
        alike: dict[int, list[Row]] = {}
        for row in page:
            length = len(row[2])
            if length in alike:
                alike[length].append(row)
            else:
                alike[length] = [row]
        for length, rows in alike.items():
            shape = self._by_length.get(length) or _shape(rows[0][2])
            if self._by_length.setdefault(length, shape) and self._fit(shape, rows):
                continue
            self._by_length[length] = None
            apart: dict[Shape, list[Row]] = {}
            for row in rows:
                apart.setdefault(_shape(row[2]), []).append(row)
            for unfit in [some for shape, some in apart.items() if not self._fit(shape, some)]:
                self.destruction = True  # for all that is known
                yield unfit

    def _fit(self, shape: Shape, rows: Sequence[Row]) -> bool:
        """Whether entries of one shape are canonical, of a known version and kind, and fit their columns."""
        _, ids, leaves, privates = zip(*rows, strict=True)
        if shape not in self._cuts:
            self._cuts[shape] = _cut(shape, leaves[0])
        cut = self._cuts[shape]
        if cut is None:
            return False
        heads, answers, ats, instants, before_ids, uuids, mids, told, tails, requests, ends = zip(
            *cut.iter_unpack(b"".join(leaves)), strict=True
        )
        if not (
            _known(heads, self._heads, _head) and _known(mids, self._mids, _mid) and _known(tails, self._tails, _tail)
        ):
            return False
        self.destruction = self.destruction or any(_DESTRUCTION in mid for mid in set(mids))
        return (
            {*ats, *before_ids, *ends} == {_AT, _ID, _END}
            and not b"".join([*answers, *instants, *requests]).translate(None, _SAFE)
            and _same_ids(b"".join(uuids), ids)
            and _same_digests(told, privates)
        )


def _shape(leaf: bytes) -> Shape:
    at = leaf.find(_ANSWER) + len(_ANSWER)
    kind = at + _KIND_VALUE
    return len(leaf), at, leaf[kind : kind + 3]


def _cut(shape: Shape, leaf: bytes) -> Struct | None:
    length, at, _ = shape
    kind = at + _KIND
    private = leaf.find(_PRIVATE, kind) + len(_PRIVATE)
    tail = length - private - 2 * _DIGEST - len(_END)
    if private < kind or tail < 0:
        return None
    fixed = f"{at}s{_DIGEST}s{len(_AT)}s{_INSTANT}s{len(_ID)}s{_UUID}s{private - kind}s{_DIGEST}s{tail}s{_DIGEST}s{len(_END)}s"
    return Struct(fixed)


def _same_ids(texts: bytes, ids: Sequence[bytes]) -> bool:
    """Whether the UUIDs, 36 characters each, are those of 16 bytes each, and written as they are written."""
    count = len(ids)
    if set(map(len, ids)) != {16} or any(texts[at::_UUID] != b"-" * count for at in (8, 13, 18, 23)):
        return False
    return texts.replace(b"-", b"") == b"".join(ids).hex().encode()


def _same_digests(told: Sequence[bytes], privates: Sequence[bytes | None]) -> bool:
    """Whether the private parts that are there are what the leaves commit to."""
    there = [private for private in privates if private is not None]
    if len(there) != len(told):
        told = [each for each, private in zip(told, privates, strict=True) if private is not None]
        if b"".join(told).translate(None, _SAFE):
            return False
    if not there:
        return True
    # 32 bytes and a zero are 44 characters of base64: the 43 of the digest alone, and an A
    digests = b"\0".join([sha256(private).digest() for private in there]) + b"\0"
    return binascii.b2a_base64(digests, newline=False).translate(_url) == b"A".join(told) + b"A"


def _known(pieces: Sequence[bytes], known: set[bytes], proven: Callable[[bytes], bool]) -> bool:
    new = set(pieces) - known
    if not all(map(proven, new)):
        return False
    if len(known) > _MOST:
        known.clear()
    known |= new
    return True


def _proven(head: bytes, mid: bytes, tail: bytes) -> bool:
    """Whether a leaf of these pieces is canonical and the values lie between them where they should."""
    values = [letter.encode() * _DIGEST for letter in "apr"]
    instant, id = b"t" * _INSTANT, b"i" * _UUID
    leaf = b"".join([head, values[0], _AT, instant, _ID, id, mid, values[1], tail, values[2], _END])
    try:
        told = _decode(leaf)
    except (msgspec.MsgspecError, UnicodeError):
        return False
    found = [told.answer, told.private, told.request, told.at, told.id]
    wanted = [each.decode() for each in (*values, instant, id)]
    return canonical(told) == leaf and found == wanted and told.kind in _kinds


_SOME = (b'{"actor":"","agreement":"","answer":"', b'","kind":"answer","private":"', b'","purpose":"","request":"')


def _head(piece: bytes) -> bool:
    return _proven(piece, _SOME[1], _SOME[2])


def _mid(piece: bytes) -> bool:
    return _proven(_SOME[0], piece, _SOME[2])


def _tail(piece: bytes) -> bool:
    return _proven(_SOME[0], _SOME[1], piece)
