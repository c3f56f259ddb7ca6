"""What is sent about a NIK that does not work? Bodies of docs/referrals.md."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.administration.requests.fields import Name, RegencyCode, Slug


class NewReferral(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/referrals`: by a partner about its own answer, and the regency where the resident says to be recorded.

    By an officer without an answer; `ticket` is then the number at the desk.
    """

    nik: Annotated[str, Meta(max_length=32)]
    answer_id: Annotated[str, Meta(pattern=r"^[0-9a-f-]{36}$")] | UnsetType = UNSET
    regency: RegencyCode | UnsetType = UNSET
    ticket: Name | UnsetType = UNSET


class ReferOn(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/referrals/{id}/refer`: the regency whose office goes on with it."""

    regency: RegencyCode


class CaseRejection(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/referrals/{id}/reject`: a code of `referrals.case.REJECTIONS`."""

    reason: Slug
