"""Do many stored entries fit, all at once? Their leaves are cut into members together, and each member compared in bulk.

A canonical leaf is ten members between which stands `","`. Four are texts of which a log has few, each proven canonical once; five
have a fixed length and alphabet, or are told by another column. What does not fit goes the long way, entry by entry.
"""

from __future__ import annotations

import binascii
import string
from collections.abc import Iterator, Sequence
from hashlib import sha256

import msgspec

from gateway.ledger.log.canonical import canonical
from gateway.ledger.log.entry import KINDS, VERSION, Kind, Leaf

_BETWEEN = b'","'
_EMPTY = Leaf(VERSION, Kind.ANSWER, "", "", "", "", "", "", "", "")
_NAMES = sorted(Leaf.__struct_fields__)  # the order of the members
_MEMBERS = canonical(_EMPTY).split(_BETWEEN)
_COUNT = len(_NAMES) - 1  # the version, which is no text, ends in the first member of the next leaf
_SEAM = _MEMBERS[-1] + b"\n"  # no canonical leaf has a line break in it: they stand between leaves alone
_TEXTS = [_NAMES.index(name) for name in ("actor", "agreement", "kind", "purpose")]
_ID, _KIND, _PRIVATE = (_NAMES.index(name) for name in ("id", "kind", "private"))
_SAMPLES = dict.fromkeys(("answer", "private", "request"), b"a" * 43) | {"at": b"2025-11-24T16:00:00.000Z"}
_FIXED = {_NAMES.index(name): (_MEMBERS[_NAMES.index(name)], sample) for name, sample in _SAMPLES.items()}
_DESTRUCTION = f'kind":"{Kind.DESTRUCTION}'.encode()
_MOST = 10_000  # texts remembered of a member
_LINE = len(b'private":"') + 43 + 1
_ID_LINE = len(b'id":"') + 36 + 1
_classes = bytes(
    ord("a") if each in (string.ascii_letters + string.digits + "-_").encode() else each for each in range(256)
)
_url = bytes.maketrans(b"+/", b"-_")
_decode = msgspec.json.Decoder(Leaf, strict=True).decode
_kinds = frozenset(str(kind) for kind in KINDS)


class Shapes:
    """Knows the texts that were proven canonical so far; `destruction`: the last page may hold a record of one."""

    def __init__(self) -> None:
        self.destruction = False
        self._known: dict[int, set[bytes]] = {number: set() for number in _TEXTS}

    def rest(self, ids: Sequence[bytes], leaves: Sequence[bytes], privates: Sequence[bytes | None]) -> Iterator[int]:
        """Which entries of a page do not fit, as far as can be told in bulk. Raises TypeError for what is not bytes."""
        self.destruction = False
        parts = [(0, len(leaves))]
        while parts:
            begin, end = parts.pop()
            if self._fit(ids[begin:end], leaves[begin:end], privates[begin:end]):
                continue
            if end - begin == 1:
                self.destruction = True  # for all that is known
                yield begin
            else:
                middle = (begin + end) // 2
                parts += [(middle, end), (begin, middle)]

    def _fit(self, ids: Sequence[bytes], leaves: Sequence[bytes], privates: Sequence[bytes | None]) -> bool:
        """Whether entries are canonical, of a known version and kind, and fit their columns."""
        members = b"\n".join(leaves).split(_BETWEEN)
        if len(members) != len(leaves) * _COUNT + 1:
            return False
        members[0] = members.pop() + b"\n" + members[0]
        if not all(self._proven(number, members[number::_COUNT]) for number in _TEXTS):
            return False
        self.destruction = self.destruction or _DESTRUCTION in members[_KIND::_COUNT]
        told = members[_PRIVATE::_COUNT]
        if None in privates:
            if not _alike(_PRIVATE, told):
                return False
            told = [each for each, private in zip(told, privates, strict=True) if private is not None]
        return (
            all(_alike(number, members[number::_COUNT]) for number in _FIXED if number != _PRIVATE)
            and _same_ids(members[_ID::_COUNT], ids)
            and _same_digests(told, [private for private in privates if private is not None])
        )

    def _proven(self, number: int, members: Sequence[bytes]) -> bool:
        """Whether texts of one member are canonical; of the first, with the seam before it."""
        known = self._known[number]
        new = set(members) - known
        if not all(_canonical(number, each) for each in new):
            return False
        if len(known) > _MOST:
            known.clear()
        known |= new
        return True


def _canonical(number: int, member: bytes) -> bool:
    """Whether a leaf in which this one member is another than in an empty one is canonical."""
    if number == 0:
        if not member.startswith(_SEAM):
            return False
        member = member.removeprefix(_SEAM)
    leaf = _BETWEEN.join([*_MEMBERS[:number], member, *_MEMBERS[number + 1 :]])
    try:
        told = _decode(leaf)
    except (msgspec.MsgspecError, UnicodeError):
        return False
    name = _NAMES[number]
    only = msgspec.structs.replace(_EMPTY, **{name: getattr(told, name)})
    return canonical(only) == leaf and told.kind in _kinds


def _alike(number: int, members: Sequence[bytes]) -> bool:
    """Whether each of these members is its name and a value of fixed length, of letters that need no escape."""
    name, sample = _FIXED[number]
    lines, line = b"\n".join(members) + b"\n", name + sample + b"\n"
    return lines.translate(_classes) == line.translate(_classes) * len(members) and all(
        lines[at :: len(line)] == name[at : at + 1] * len(members) for at in range(len(name))
    )


def _same_ids(members: Sequence[bytes], ids: Sequence[bytes]) -> bool:
    """Whether the UUIDs are those of 16 bytes each, and written as they are written."""
    count, lines = len(ids), b"\n".join(members) + b"\n"
    if set(map(len, ids)) != {16} or len(lines) != _ID_LINE * count:
        return False
    if any(lines[5 + at :: _ID_LINE] != b"-" * count for at in (8, 13, 18, 23)):
        return False
    wanted = b"".join(ids).hex("\n", 16).replace("\n", '\nid":"')
    return lines.translate(None, b"-") == f'id":"{wanted}\n'.encode()


def _same_digests(members: Sequence[bytes], privates: Sequence[bytes]) -> bool:
    """Whether these private parts are what the leaves commit to."""
    if not privates:
        return True
    lines = b"\n" + b"\n".join(members)
    if len(lines) != _LINE * len(privates) or lines[::_LINE] != b"\n" * len(privates):
        return False
    # a zero and 32 bytes are 44 characters of base64; so are 32 bytes and a zero: the 43 of the digest alone, and an A
    digests = b"\0".join([sha256(private).digest() for private in privates]) + b"\0"
    wanted = binascii.b2a_base64(digests, newline=False).translate(_url)
    return lines.replace(b'\nprivate":"', b"A") + b"A" == b"A" + wanted
