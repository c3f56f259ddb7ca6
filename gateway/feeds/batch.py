"""What does a batch say of itself, and are these the changes that its digest was made of? Rows are read one by one later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.clock import parse_rfc3339
from gateway.errors import Cause, Refused
from gateway.feeds import watermark
from gateway.keyring.keys import b64u_decode
from gateway.ledger.log.canonical import canonical
from gateway.nik import Nik

MOST_CHANGES = 10_000
REMEMBERED = 3
"""Of so many batches before, each batch names whom they touched."""
_STRIDE = 50  # rows between two chances for others to go on


class _Touched(Struct, frozen=True, forbid_unknown_fields=True):
    sequence: Annotated[int, Meta(ge=1, le=1 << 53)]
    niks: Annotated[list[str], Meta(max_length=MOST_CHANGES)]


class _Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    sequence: Annotated[int, Meta(ge=1, le=1 << 53)]
    complete_until: Annotated[str, Meta(max_length=40)]
    digest: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$")]
    changes: Annotated[list[Raw], Meta(max_length=MOST_CHANGES)]
    touched: Annotated[list[_Touched], Meta(max_length=REMEMBERED)] = []


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """A batch whose digest fits. `complete_until` in microseconds; `changes` are rows of JSON that nobody has looked at."""

    sequence: int
    complete_until: int
    digest: bytes
    changes: tuple[Any, ...]
    touched: Mapping[int, tuple[str, ...]]

    def __repr__(self) -> str:
        return f"ChangeBatch({self.sequence})"


_decode = msgspec.json.Decoder(_Envelope).decode
_decode_row = msgspec.json.Decoder().decode


def parse_batch(raw: bytes, now: int, rest: Callable[[], object] = lambda: None) -> ChangeBatch:
    """The batch of a body; `rest` is called between rows, so that others may go on meanwhile.

    Raises Refused(MALFORMED_REQUEST) that names members, or DIGEST_MISMATCH.
    """
    try:
        envelope = _decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=[_member(str(fault))]) from None
    try:
        until = parse_rfc3339(envelope.complete_until)
    except ValueError:
        raise Refused(Cause.MALFORMED_REQUEST, members=["complete_until"]) from None
    if until > now + watermark.AHEAD:
        raise Refused(Cause.MALFORMED_REQUEST, members=["complete_until"], fault="it lies in the future")
    try:
        told = b64u_decode(envelope.digest)
    except ValueError:
        raise Refused(Cause.MALFORMED_REQUEST, members=["digest"]) from None
    rows, found = read_rows(envelope.changes, rest)
    if found != told:
        raise Refused(Cause.DIGEST_MISMATCH)
    touched: dict[int, tuple[str, ...]] = {}
    for each in envelope.touched:
        try:
            touched[each.sequence] = tuple([Nik.parse(nik).digits for nik in each.niks])
        except Refused:
            raise Refused(Cause.MALFORMED_REQUEST, members=["touched.niks"]) from None
        rest()
    return ChangeBatch(envelope.sequence, until, found, rows, touched)


def read_rows(changes: list[Raw], rest: Callable[[], object] = lambda: None) -> tuple[tuple[Any, ...], bytes]:
    """(the rows, the SHA-256 of the JCS of their list). Raises Refused(MALFORMED_REQUEST)."""
    hashed, rows = sha256(b"["), []
    for at, row in enumerate(changes):
        try:
            rows.append(_decode_row(row))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise Refused(Cause.MALFORMED_REQUEST, members=["changes"]) from None
        hashed.update((b"," if at else b"") + canonical(rows[-1]))
        if not at % _STRIDE:
            rest()
    hashed.update(b"]")
    return tuple(rows), hashed.digest()


def digest_of(changes: list[Any] | tuple[Any, ...]) -> bytes:
    """SHA-256 over the JCS of `changes`: what a batch calls its digest."""
    return sha256(canonical(changes)).digest()


def _member(fault: str) -> str:
    """The member that a fault of the decoder speaks of; nothing of what was sent stands in it."""
    path = fault.partition("`$.")[2].partition("`")[0].partition("[")[0].partition(".")[0]
    return path if path in _Envelope.__struct_fields__ else "body"
