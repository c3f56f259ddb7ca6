"""What does the register know of one resident?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that stands against a NIK: a reason's slug and, where known, since when and by which successor."""

    reason: str
    since: str = ""  # YYYY-MM-DD, or empty when unknown
    successor: str = ""  # for nik_duplicate: the surviving NIK (never leaves the register)
    event: str = ""  # for change_pending: the event of a feed that was announced; empty when nobody knows which


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """What a regency's feed told of one resident: `event` and `phase` of `feeds.events`, the day, and what it brings."""

    regency: str
    event: str
    phase: str
    occurred_on: str
    claims: Mapping[str, str] = field(default_factory=dict)
    successor: str = ""

    def __repr__(self) -> str:
        return "ToldEvent(…)"


@dataclass(frozen=True, slots=True)
class Record:
    """A resident: NIK, claims and conditions. `repr` shows nothing of a person.

    `claims` maps names of `gateway.claims.CLAIMS` to text; a name that is absent is "not recorded". Dates are YYYY-MM-DD,
    sex is M or F, province/regency/district/village are the Ministry's codes without dots (2, 4, 6, 10 digits).
    `biometric` tells whether biometrics were ever recorded. A record without claims is none yet: all that
    is known of it is `waiting`.
    """

    nik: str
    claims: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    biometric: bool = True
    departed_to: str = (
        ""  # the regency that the keeping one says the resident has moved to; that one has not told it yet
    )
    departed_on: str = ""
    waiting: tuple[ToldEvent, ...] = ()  # told by regencies that do not keep the record yet, in the order of each

    def __repr__(self) -> str:
        return "Record(…)"

    @property
    def regency(self) -> str:
        """Code of the regency that keeps this resident's record (4 digits); empty when none is recorded."""
        return self.claims.get("regency", "")
