"""How is a resident's record written before it is sealed, and read after it is opened?

Two bytes of length, a msgpack array [version, nik, biometric, conditions, claims], then zeros up to a multiple of 64.
What a move between regencies leaves open is a sixth member, which records without one do not have.
"""

from __future__ import annotations

import msgspec

from gateway.claims import CLAIMS
from gateway.register.record import Condition, Record, ToldEvent

VERSION = 1
_NAMES = tuple(CLAIMS)
BLOCK = 64
"""The plaintext is padded to a multiple of this many bytes, so that a ciphertext's length tells little of a person."""

_ZEROS = tuple(bytes(count) for count in range(BLOCK))
_PREFIX = 2
_LONGEST = 0xFFFF


class _Move(msgspec.Struct, array_like=True, frozen=True, gc=False, forbid_unknown_fields=True):
    departed_to: str
    departed_on: str
    waiting: list[tuple[str, str, str, str, dict[str, str], str]]


class _Written(msgspec.Struct, array_like=True, frozen=True, gc=False, forbid_unknown_fields=True):
    version: int
    nik: str
    biometric: bool
    conditions: list[tuple[str, ...]]  # three of `Condition`, and its event where it has one
    claims: list[str | None]
    move: _Move | None = None


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Written).decode


def encode(record: Record) -> bytes:
    """The bytes to seal for `record`: claims in the order of their rows, null where none is recorded.

    Raises ValueError when the claims are too long to be written (over 65,535 bytes).
    """
    conditions = [
        (c.reason, c.since, c.successor, c.event) if c.event else (c.reason, c.since, c.successor)
        for c in record.conditions
    ]
    whole: tuple[object, ...] = (
        VERSION,
        record.nik,
        record.biometric,
        conditions,
        list(map(record.claims.get, _NAMES)),
    )
    if record.departed_to or record.waiting:
        waiting = [(t.regency, t.event, t.phase, t.occurred_on, t.claims, t.successor) for t in record.waiting]
        whole = (*whole, (record.departed_to, record.departed_on, waiting))
    packed = _pack(whole)
    length = len(packed)
    if length > _LONGEST:
        msg = "a record is too long to be written"
        raise ValueError(msg)
    return length.to_bytes(_PREFIX, "big") + packed + _ZEROS[-(length + _PREFIX) % BLOCK]


def decode(data: bytes) -> Record:
    """The record that `encode` wrote as `data`; its `claims` are a plain dict without what is not recorded.

    A record written before a claim was added is read without it.
    Raises ValueError on bytes that `encode` did not write or wrote in a later version. The message shows none of them.
    """
    try:
        end = _PREFIX + (data[0] << 8 | data[1])
        written = _unpack(data[_PREFIX:end])
    except (msgspec.MsgspecError, IndexError):
        msg = "the bytes of a record do not have its form"
        raise ValueError(msg) from None
    values = written.claims
    if written.version != VERSION or len(values) > len(_NAMES) or data[end:] != _ZEROS[-end % BLOCK]:
        msg = "the bytes of a record are of another version"
        raise ValueError(msg)
    claims = dict(zip(_NAMES, values))  # noqa: B905  a record from before the last claims is shorter
    if None in values:
        gap = -1
        for _ in range(values.count(None)):  # mostly one: cheaper than to build the dict once more
            gap = values.index(None, gap + 1)
            del claims[_NAMES[gap]]
    conditions = tuple([Condition(*one) for one in written.conditions]) if written.conditions else ()
    if written.move is None:
        return Record(written.nik, claims, conditions, written.biometric)  # type: ignore[arg-type]  # None is gone
    move = written.move
    waiting = tuple([ToldEvent(*one) for one in move.waiting])
    return Record(written.nik, claims, conditions, written.biometric, move.departed_to, move.departed_on, waiting)  # type: ignore[arg-type]
