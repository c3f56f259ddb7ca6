"""How is a resident's record written before it is sealed, and read after it is opened?

Two bytes of length, a msgpack array [version, nik, biometric, conditions, claims], then zeros up to a multiple of 64.
"""

from __future__ import annotations

import msgspec

from gateway.claims import CLAIMS
from gateway.register.record import Condition, Record

VERSION = 1
_NAMES = tuple(CLAIMS)
BLOCK = 64
"""The plaintext is padded to a multiple of this many bytes, so that a ciphertext's length tells little of a person."""

_ZEROS = tuple(bytes(count) for count in range(BLOCK))
_PREFIX = 2
_LONGEST = 0xFFFF


class _Written(msgspec.Struct, array_like=True, frozen=True, gc=False, forbid_unknown_fields=True):
    version: int
    nik: str
    biometric: bool
    conditions: list[tuple[str, str, str]]
    claims: list[str | None]


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Written).decode


def encode(record: Record) -> bytes:
    """The bytes to seal for `record`: claims in the order of their rows, null where none is recorded.

    Raises ValueError when the claims are too long to be written (over 65,535 bytes).
    """
    conditions = [(c.reason, c.since, c.successor) for c in record.conditions]
    packed = _pack((VERSION, record.nik, record.biometric, conditions, list(map(record.claims.get, _NAMES))))
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
    return Record(written.nik, claims, conditions, written.biometric)  # type: ignore[arg-type]  # None is gone
