"""Who lives in a synthetic country: as many residents as wanted, plausible, always the same for a seed?

Real region codes, no real person: serials of NIKs and family cards run from 9000 up (see `numbering`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from hashlib import blake2b
from itertools import chain, islice
from itertools import count as from_zero

from gateway.register import regions
from gateway.register.lines import as_line
from gateway.register.record import Condition, Record
from gateway.synthetic.households import Households
from gateway.synthetic.numbering import Wheel

__all__ = ["BEHIND_REGENCY", "MAXIMUM", "REFERENCE_DATE", "as_line", "residents"]

REFERENCE_DATE = date(2026, 11, 1)
"""The day on which the residents have the ages that they are given, unless another is asked for."""

BEHIND_REGENCY = "1172"
"""Kota Sabang, three districts: the demo leaves its feed behind, so that `source_behind` occurs."""

MAXIMUM = 100_000_000
"""As many residents can be made without a number occurring twice."""

# fmt: off
_MILLIONS = {
    "11": 5.6, "12": 15.6, "13": 5.8, "14": 6.9, "15": 3.8, "16": 8.9, "17": 2.1, "18": 9.2, "19": 1.5, "21": 2.2,
    "31": 11.3, "32": 50.5, "33": 38.3, "34": 3.8, "35": 41.7, "36": 12.8, "51": 4.4, "52": 5.7, "53": 5.7, "61": 5.6,
    "62": 2.8, "63": 4.3, "64": 4.2, "65": 0.8, "71": 2.7, "72": 3.2, "73": 9.5, "74": 2.8, "75": 1.2, "76": 1.5,
    "81": 1.9, "82": 1.4, "91": 1.1, "92": 0.6, "93": 0.6, "94": 1.4, "95": 1.5, "96": 0.6,
}
# fmt: on
"""Residents of each province, rounded (civil registration, 2024)."""

_TOWN = 1.8  # a district of a town (kota) has so many times the residents of a rural one
_WHEEL = 65_536
_PERIOD = 64  # among so many households in a row every reason below occurs as often as it stands here
_REASONS = (
    *["biometric_not_recorded"] * 5,
    *["change_pending"] * 4,
    *["deceased"] * 3,
    *["in_transit", "not_consolidated"] * 2,
    *("anomaly", "anomaly in_transit", "biometric_duplicate", "nik_duplicate", "moved_abroad", "by_order"),
)
_SCHEDULE: tuple[str, ...] = _REASONS + ("",) * (_PERIOD - len(_REASONS))
_OF_ANYBODY = frozenset({"change_pending", "in_transit", "not_consolidated", "anomaly", "anomaly in_transit"})
_DAYS_BACK = {"in_transit": 7, "change_pending": 60, "not_consolidated": 45}
_LONG_AGO = 1000  # days; under three years, for who heads a household at 20 turned 17 before


def residents(count: int, seed: int, today: date = REFERENCE_DATE) -> Iterator[Record]:
    """The first `count` residents of the country of `seed`, household by household, in constant memory.

    The same seed and day always give the same residents, and a larger count begins with those of a smaller one (names
    follow the installed version of Faker). About 90 % have nothing against them; every reason occurs in the first 1,000
    except `source_behind`, which is a region's: some of the first 1,000, with nothing against them, live in
    `BEHIND_REGENCY`. A survivor stands before the duplicate that names it.
    Raises ValueError when `count` is negative or over `MAXIMUM`.
    """
    if not 0 <= count <= MAXIMUM:
        raise ValueError(f"a population has 0 to {MAXIMUM} residents")
    return islice(chain.from_iterable(_households(seed, today)), count)


def _households(seed: int, today: date) -> Iterator[list[Record]]:
    known = regions.load()
    fates = _Fates(seed, today)
    spared = [index for index in range(_PERIOD) if not fates.reason(index)]
    behind = [code for code in known.districts if code.startswith(BEHIND_REGENCY)]
    early = dict(zip(spared[8::8], behind, strict=False))
    wheel = Wheel(seed, _weights(known.districts), _WHEEL, early)
    households = Households(seed, wheel, known, today)
    for pair in from_zero():
        for index, people in enumerate(households.neighbours(pair), 2 * pair):
            reason = fates.reason(index)
            if reason == "nik_duplicate":
                twice = replace(people[0], nik=households.second_number(index, people[0]))
                people.append(fates.strike(twice, index, reason, successor=people[0].nik))
            elif reason:
                struck = fates.victim(people, index, reason)
                people[struck] = fates.strike(people[struck], index, reason)
            yield people


class _Fates:
    """Says which household has a reason against one of its residents; a household's fate depends on its index alone."""

    def __init__(self, seed: int, today: date) -> None:
        self._mix = int.from_bytes(blake2b(f"fates:{seed}".encode(), digest_size=8).digest(), "big")
        self._today = today

    def lot(self, index: int) -> int:
        """46 random bits."""
        mixed = (index + 1) * 0x9E3779B97F4A7C15 + self._mix & 0xFFFFFFFFFFFFFFFF
        mixed = (mixed ^ mixed >> 31) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        return mixed >> 18

    def reason(self, index: int) -> str:
        """The reason of household `index`, mostly none: the schedule in another order for every period."""
        period, at = divmod(index, _PERIOD)
        lot = self.lot(-2 - period)
        return _SCHEDULE[(at * (lot | 1) + (lot >> 8)) % _PERIOD]  # an odd factor: one to one

    def victim(self, people: list[Record], index: int, reason: str) -> int:
        """Which of `people` the reason concerns: anybody, the eldest, or (what only adults meet) the head."""
        if reason in _OF_ANYBODY:
            return self.lot(index) % len(people)
        if reason == "deceased":
            return min(range(len(people)), key=lambda seat: people[seat].claims["birth_date"])
        return 0

    def strike(self, resident: Record, index: int, reason: str, successor: str = "") -> Record:
        """`resident` with the conditions that `reason` names, since a day that is not before the birth."""
        born = resident.claims["birth_date"]
        lot = self.lot(index) >> 8
        conditions = []
        for one in reason.split():
            day = self._today - timedelta(days=1 + lot % _DAYS_BACK.get(one, _LONG_AGO))
            conditions.append(Condition(one, max(day.isoformat(), born), successor))
        biometric = resident.biometric and reason != "biometric_not_recorded"
        return Record(resident.nik, resident.claims, tuple(conditions), biometric)


def _weights(districts: Iterable[str]) -> dict[str, float]:
    # A province's residents, shared among its districts. The third digit of a code is 7 for a town.
    size = {district: _TOWN if district[2] == "7" else 1.0 for district in districts}
    whole: defaultdict[str, float] = defaultdict(float)
    for district, share in size.items():
        whole[district[:2]] += share
    return {
        district: _MILLIONS.get(district[:2], 1.0) * share / whole[district[:2]] for district, share in size.items()
    }
