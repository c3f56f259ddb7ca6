"""What do regency offices send? Bodies of docs/feeds.md; a batch is read by `feeds.batch`, row by row."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from gateway.administration.requests.fields import Digest, Name

_Sequence = Annotated[int, Meta(ge=1, le=1 << 53)]
_Changes = Annotated[list[Any], Meta(max_length=10_000)]


class Touched(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom an earlier batch touched, by NIK alone."""

    sequence: _Sequence
    niks: Annotated[list[str], Meta(max_length=10_000)]


class FeedBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/feeds/{regency}/batches`: changes in order, and whom the three batches before touched."""

    sequence: _Sequence
    complete_until: Annotated[str, Meta(max_length=40)]
    digest: Digest
    changes: _Changes
    touched: Annotated[list[Touched], Meta(max_length=3)] = []


class NewConsolidation(Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    """`POST /v1/feeds/{regency}/consolidations`: what the missing batches `from` to `to` would have brought."""

    first: _Sequence
    last: _Sequence
    changes: _Changes
    dry_run: bool = False


class Diagnosis(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/register/diagnose`: whose NIK does not work, and the number of the ticket at the desk."""

    nik: Annotated[str, Meta(max_length=32)]
    ticket: Name
