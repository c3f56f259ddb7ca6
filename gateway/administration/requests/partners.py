"""What do administrators send about partners, agreements, keys and approvals? Bodies of docs/administration.md."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.administration.requests.fields import Day, Digest, Line, Name, RegencyCode, Rupiah, Slug


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """A body that says nothing; it may be left out."""


class Exemption(Struct, frozen=True, forbid_unknown_fields=True):
    """On which ground no tariff is due, the letter that proves it (PP 10/2023), and its last day when it has one."""

    ground: Slug
    proof: Line
    until: Day | UnsetType = UNSET


class NewPartner(Struct, frozen=True, forbid_unknown_fields=True, rename={"kind": "class"}):
    """`POST /v1/partners`."""

    name: Line
    kind: Slug
    exemption: Exemption | UnsetType = UNSET


class SuspensionReason(Struct, frozen=True, forbid_unknown_fields=True):
    """Why: a slug."""

    reason: Slug


class Suspension(Struct, frozen=True, forbid_unknown_fields=True):
    """Why an agreement, or one purpose of it, is suspended."""

    reason: Slug
    purpose: Slug | UnsetType = UNSET


class Objection(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a proposal is turned down, in words."""

    reason: Line


class ApprovedDigest(Struct, frozen=True, forbid_unknown_fields=True):
    """The digest of what the approver saw."""

    digest: Digest


class NewKey(Struct, frozen=True, forbid_unknown_fields=True):
    """A public JWK, or a certificate in PEM; `client_id` when the partner has, or shall have, more than one client."""

    jwk: dict[str, Any] | UnsetType = UNSET
    certificate: Annotated[str, Meta(max_length=16_384)] | UnsetType = UNSET
    client_id: Name | UnsetType = UNSET
    expires: Day | UnsetType = UNSET


class OwnKey(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/keys`: the new public JWK, and a JWS by its private key."""

    jwk: dict[str, Any]
    proof: Annotated[str, Meta(max_length=4_096)]


class Delivery(Struct, frozen=True, forbid_unknown_fields=True):
    """A duty that was delivered, and under which number it is on file."""

    duty: Slug
    reference: Line


class Payment(Struct, frozen=True, forbid_unknown_fields=True):
    """A prepayment: to which agreement, how many rupiah, and the number of the transfer."""

    agreement: Name
    amount: Rupiah
    reference: Line


class NewAdministrator(Struct, frozen=True, forbid_unknown_fields=True):
    """A credential of one person: the name of its client, the person, what it may do, and its public JWK.

    `regencies`: of a regency office, the codes of the regencies that are its own.
    """

    client_id: Name
    person: Line
    scopes: Annotated[list[str], Meta(min_length=1, max_length=10)]
    jwk: dict[str, Any]
    regencies: Annotated[list[RegencyCode], Meta(min_length=1, max_length=600)] | UnsetType = UNSET


Fields = dict[str, Any]
"""The fields of an agreement, as far as they are known (docs/agreements.md)."""


class AgreementImport(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/agreements/import`: agreements with their `id` and `partner`; `dry_run` tells what they would become."""

    agreements: Annotated[list[Fields], Meta(min_length=1, max_length=200)]
    dry_run: bool = False
