"""What may an administrator do, and in which words? One act is a name, what its path names, a body, and the person who acts.

Bodies are those of docs/administration.md; free texts are short, in one line, and never hold a run of 16 digits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.verification.seal import Outcome, Submission

_NO_NIK = r"^(?!.*[0-9]{16})"
Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=_NO_NIK + r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")]
Slug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Name = Annotated[str, Meta(pattern=_NO_NIK + r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]
Digest = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$")]
Rupiah = Annotated[int, Meta(ge=1, le=1_000_000_000_000)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


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


class Reason(Struct, frozen=True, forbid_unknown_fields=True):
    """Why: a slug."""

    reason: Slug


class Suspension(Struct, frozen=True, forbid_unknown_fields=True):
    """Why an agreement, or one purpose of it, is suspended."""

    reason: Slug
    purpose: Slug | UnsetType = UNSET


class Objection(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a proposal is turned down, in words."""

    reason: Line


class Seen(Struct, frozen=True, forbid_unknown_fields=True):
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
    """A credential of one person: the name of its client, the person, what it may do, and its public JWK."""

    client_id: Name
    person: Line
    scopes: Annotated[list[str], Meta(min_length=1, max_length=10)]
    jwk: dict[str, Any]


Fields = dict[str, Any]
"""The fields of an agreement, as far as they are known (docs/agreements.md)."""


class AgreementImport(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/agreements/import`: agreements with their `id` and `partner`; `dry_run` tells what they would become."""

    agreements: Annotated[list[Fields], Meta(min_length=1, max_length=200)]
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a person does. `match` is what `If-Match` named, empty without it."""

    name: str
    path: Mapping[str, str]
    body: Any
    person: str
    match: str = ""
    client_id: str = ""
    prepared: Any = None  # what was looked up for it before the sealing lock was taken


@dataclass(frozen=True, slots=True)
class View:
    """Something that a person reads: a name, what its path, query and (for a search) body name.

    Who reads is set by `Administration.read`: the person, the client, and the token (or session) of the call.
    `watched`: for how many seconds the same may be looked at again under the entry of this reading (`watching`).
    """

    name: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    person: str = ""
    client_id: str = ""
    token_id: str = ""
    watched: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """What a view shows, and the agreement that it speaks of.

    `private` is what the entry of the reading keeps beside its name; `raw` is sent in the document's place, which the
    entry then commits to.
    """

    document: Mapping[str, Any]
    etag: str = ""
    agreement: str = ""
    private: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes = b""


class Desk(Protocol):
    """The port through which administration reaches the store."""

    def perform(self, act: Act, submission: Submission) -> Awaitable[Outcome]:
        """Do it and seal it, in one transaction; the submission's draft becomes its entry. A refusal is sealed as well."""

    def show(self, view: View) -> Awaitable[Shown]:
        """Read. Raises Refused(NOT_FOUND)."""
