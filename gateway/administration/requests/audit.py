"""What do auditors, and officers at a resident's side, send? Bodies of docs/audit.md; none but two holds a NIK."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.administration.requests.fields import Day, Line, Name, Slug

_Moment = Annotated[str, Meta(max_length=40)]  # RFC 3339, or a day in Asia/Jakarta
_Partners = Annotated[list[Name], Meta(min_length=1, max_length=100)]
_Nik = Annotated[str, Meta(max_length=32)]


class NewAssignment(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/assignments`: whose, by which letter, over which partners and days, and its last day."""

    auditor: Line
    letter: Line
    partners: _Partners
    since: Day
    until: Day
    expires: Day


class NikSearch(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/ledger/search-nik`."""

    nik: _Nik
    cursor: Annotated[str, Meta(max_length=20)] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=200)] | UnsetType = UNSET


class FindingNote(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/ledger/findings/{id}`: what is left out stays as it was."""

    owner: Line | UnsetType = UNSET
    note: Line | UnsetType = UNSET
    state: Literal["open", "examining", "confirmed", "dismissed"] | UnsetType = UNSET


class NewAccessRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/access-requests`: for whom, and the number of the identity check at the desk."""

    nik: _Nik
    reference: Name


class Withholding(Struct, frozen=True, forbid_unknown_fields=True):
    """What is withheld from a track record, an entry or a whole purpose, and on which basis (UU 27/2022 art 15, 33)."""

    basis: Line
    entry: Annotated[str, Meta(pattern=r"^[0-9a-f-]{36}$")] | UnsetType = UNSET
    purpose: Slug | UnsetType = UNSET


class Closing(Struct, frozen=True, forbid_unknown_fields=True):
    """How a request for access ended."""

    outcome: Literal["delivered", "withdrawn"] = "delivered"


class NewIncident(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/incidents`: what happened, from when to when, through which partners."""

    description: Line
    since: _Moment
    until: _Moment
    partners: _Partners


class Notice(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/incidents/{id}/notified`: the number of the notice to the residents and the authority."""

    reference: Line
