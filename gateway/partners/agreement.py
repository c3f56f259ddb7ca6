"""What has been agreed with a partner: purposes, claims, disclosure, allowance, addresses, term and duties.

Fields follow the minimum contents of a PKS (Permendagri 102/2019, 17/2023) as listed in docs/agreements.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network


class Disclosure(StrEnum):
    """What an answer may contain; every level adds to the one before (wire contract §3)."""

    VERDICT = "verdict"
    STATUS = "status"
    REASON = "reason"
    CLAIMS = "claims"

    @property
    def depth(self) -> int:
        """0 for verdict up to 3 for claims, to compare levels."""
        return _DEPTHS[self]


_DEPTHS = {level: depth for depth, level in enumerate(Disclosure)}


INTERMEDIARY = "intermediary"
"""The class of a partner that asks for others (POJK 8/2023 art 22(2)b)."""


class AgreementState(StrEnum):
    """Where an agreement version stands in its life."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    APPROVED = "approved"
    IN_FORCE = "in_force"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class PurposeTerms:
    """What one purpose allows and demands under one agreement.

    `decide` claims must all be sent and all match; `inform` claims may be sent. `attempts` is the attempt budget: how
    many wrong guesses in 24 h for one NIK. `demands` holds any of consent, channel, operator, on_behalf_of.
    `tells_order` lets the reason `by_order` be told; otherwise it is answered as `anomaly`. `justification` says why
    elements of tier 2 are needed for this purpose.
    """

    purpose: str
    legal_basis: str
    decide: tuple[str, ...]
    inform: tuple[str, ...]
    disclosure: Disclosure
    attempts: int = 5
    demands: frozenset[str] = frozenset()
    tells_order: bool = False
    sector_law: str = ""
    justification: str = ""

    @property
    def claims(self) -> frozenset[str]:
        """Every claim that may be sent."""
        return frozenset(self.decide) | frozenset(self.inform)

    def bounded_by(self, other: PurposeTerms) -> PurposeTerms:
        """What holds when both agreed to it: whatever decides or is demanded in either, and only what both disclose."""
        decide = tuple(dict.fromkeys((*self.decide, *other.decide)))
        return replace(
            self,
            decide=decide,
            inform=tuple(sorted((self.claims & other.claims).difference(decide))),
            disclosure=min(self.disclosure, other.disclosure, key=lambda level: level.depth),
            attempts=min(self.attempts, other.attempts),
            demands=self.demands | other.demands,
            tells_order=self.tells_order and other.tells_order,
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """The allowance: `burst` answers per second (and at once), `day` and `month` answers in Asia/Jakarta periods.

    `tariff` is the price of one answer in rupiah (PP 10/2023); `prepaid` says that answers stop when the balance is
    used. `per_nik` is the most wrong guesses in 24 h for one NIK that any purpose may allow.
    """

    burst: int
    day: int
    month: int
    tariff: int = 0
    prepaid: bool = False
    per_nik: int = 5


@dataclass(frozen=True, slots=True)
class Agreement:
    """One version of an agreement (PKS). `starts` and `ends` are instants: the term is [starts, ends).

    `digest` covers what was agreed (`terms.digest_of`), not where the version stands: not `version`, `state`,
    `suspension` and `suspended`. `suspension` is the slug of the reason while `state` is SUSPENDED; `suspended` holds
    purposes that are suspended one by one.
    """

    id: str
    partner: str
    version: int
    state: AgreementState
    digest: str
    starts: int
    ends: int
    purposes: Mapping[str, PurposeTerms]
    limits: Limits
    networks: tuple[IPv4Network | IPv6Network, ...]
    fields: Mapping[str, object]  # everything else that was imported, as it was written: numbers, signatories, duties …
    suspension: str = ""
    suspended: frozenset[str] = frozenset()

    @property
    def signed_answers(self) -> bool:
        """Whether what is said under this agreement is signed; only its own word `false` switches that off."""
        access = self.fields.get("access")
        return not isinstance(access, dict) or access.get("signed_answers") is not False

    def admits(self, certificate: str) -> bool:
        """Whether a call with this TLS certificate (`x5t#S256`, empty: none) may come: one of those that it lists, if any.

        What is listed under another `method` than mtls is not asked for.
        """
        access = self.fields.get("access")
        if not isinstance(access, dict) or access.get("method") != "mtls":
            return True
        return certificate in access["certificates"]


@dataclass(frozen=True, slots=True, eq=False)
class AgreementInForce:
    """Proof that an agreement was in force at a given instant; only `in_force` makes one.

    Two of them are equal when id, version and digest are: that is all a decision may depend on, so that decisions can
    be cached by it although an agreement holds mappings.
    """

    agreement: Agreement

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, AgreementInForce):
            return NotImplemented
        mine, theirs = self.agreement, other.agreement
        return mine is theirs or (mine.digest, mine.id, mine.version) == (theirs.digest, theirs.id, theirs.version)

    def __hash__(self) -> int:
        return hash(self.agreement.digest)


@dataclass(frozen=True, slots=True)
class Partner:
    """An institution that uses the register (lembaga pengguna), with the versions of its agreements that still count.

    Several versions of one agreement may stand side by side: one in force, a newer one in draft. `in_force` finds the
    version that governs.
    `epoch` is the count of changes to this partner when it was read; the seal refuses what an older one decided.
    """

    id: str
    name: str
    kind: str  # partner class: ministry, region, bpjs, bank, …
    suspended: bool
    agreements: tuple[Agreement, ...]
    epoch: int
