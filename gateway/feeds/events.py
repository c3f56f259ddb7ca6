"""Which events does a regency office tell, and what does each do to a resident's record?

One row for each event: code, documents and tests are made from this table (wire contract §7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gateway.claims import CLAIMS


class Phase(StrEnum):
    """An event is announced first, where it takes time to settle, and then settled; or settled at once."""

    ANNOUNCED = "announced"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Announced, every event begins `change_pending`; the rest is what it does when it is settled.

    `writes`: the claims that it may bring. `needs`: those that it must bring. `begins`, `ends`: the reason of the
    condition that it begins or ends. `life`: an event of somebody's life, which brings the record up to date.
    `after_death`: it may still happen to a record whose holder has died.
    """

    name: str
    does: str
    writes: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    begins: str = ""
    ends: str = ""
    life: bool = False
    after_death: bool = False


REGIONS = frozenset({"province", "regency", "district", "village"})
_ALL = frozenset(CLAIMS)
_HOUSEHOLD = _ALL - {"birth_date", "birth_place", "sex", "mother_name"}
_NAMED = frozenset({"name", "birth_date"})


def _life(name: str, does: str, writes: frozenset[str], needs: frozenset[str] = frozenset()) -> Event:
    return Event(name, does, writes, needs, life=True)


def _begins(name: str, reason: str, *, after_death: bool = False) -> Event:
    return Event(name, f"begins `{reason}`", begins=reason, after_death=after_death)


def _ends(name: str, reason: str, *, after_death: bool = False) -> Event:
    return Event(name, f"ends `{reason}`", ends=reason, after_death=after_death)


_ROWS = (
    _life("birth", "makes a new record, without biometrics, of the regency that tells it", _ALL, _NAMED),
    _begins("death", "deceased"),
    _life(
        "moved_in",
        "with `moved_out` of the other regency: passes the record on and writes the claims; alone: `in_transit`",
        _HOUSEHOLD,
    ),
    _life(
        "moved_out",
        "with `moved_in` of the regency in `claims`: passes the record on; alone: `in_transit`",
        REGIONS,
        frozenset({"regency"}),
    ),
    _begins("moved_abroad", "moved_abroad"),
    _life("marriage", "writes the claims", _HOUSEHOLD, frozenset({"marital_status"})),
    _life("divorce", "writes the claims", _HOUSEHOLD, frozenset({"marital_status"})),
    _life("family_card", "writes the claims", _HOUSEHOLD, frozenset({"family_card_number"})),
    _life("head_gone", "writes the claims; told for every member on the card, one row each", _HOUSEHOLD),
    Event("element_corrected", "writes the claims", _ALL, life=True, after_death=True),
    Event("biometric_recorded", "ends `biometric_not_recorded`", ends="biometric_not_recorded"),
    _begins("biometric_duplicate", "biometric_duplicate"),
    _ends("biometric_resolved", "biometric_duplicate"),
    Event(
        "nik_duplicate",
        "begins `nik_duplicate`; `successor` is the NIK that survives",
        begins="nik_duplicate",
        after_death=True,
    ),
    _ends("nik_resolved", "nik_duplicate", after_death=True),
    _begins("order", "by_order"),
    _ends("order_lifted", "by_order", after_death=True),
    _begins("anomaly", "anomaly", after_death=True),
    _ends("anomaly_resolved", "anomaly", after_death=True),
)

EVENTS: Mapping[str, Event] = MappingProxyType({row.name: row for row in _ROWS})
"""Every event by name."""
