"""Which numbers does a synthetic family get, so that no two residents ever share one?

By construction, not by memory: a number is a one-to-one image of (district, family's ordinal there, member).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from hashlib import shake_128

DAYS = 366
SERIALS = 1000
FIRST_SERIAL = 9000
"""Serials of synthetic numbers begin here: numbers that a program makes up may exist in real life."""

SEATS = 8
"""Numbers that a family may use: seven for people (`DUPLICATE` is a second one), the last for its card."""
DUPLICATE = 6
CARD = 7
_HOUSEHOLDS = DAYS * SERIALS // SEATS  # that one district can number


class Wheel:
    """Deals families to districts in proportion to weights, and numbers without repetition.

    Families are dealt in rounds of `size`: in each round every district gets its fixed quota, so the ordinal k of a
    family within its district follows from the family's index alone. Then 8k + seat, below 366,000, is split
    into (day of the year, serial) and shuffled by four rounds of an unbalanced Feistel network, which is one-to-one
    whatever its tables hold. Day and serial alone tell two numbers of a district apart; year and sex stay free.
    That takes no memory of what was given, and the first families are the same for any count.
    """

    def __init__(self, seed: int, weights: Mapping[str, float], size: int, early: Mapping[int, str]) -> None:
        """Build the wheel for `seed`.

        `weights` gives each district's share in any unit; `size` is the wheel's approximate size (each district has a
        place at least); `early` maps places to the district that shall stand there, for what must occur soon.
        Raises ValueError when a district of `early` is unknown.
        """
        share = size / sum(weights.values())
        quotas = {district: max(1, round(weight * share)) for district, weight in sorted(weights.items())}
        if sum(quotas.values()) % 2:  # neighbours trade places, so their number must be even
            quotas[max(quotas, key=quotas.__getitem__)] += 1
        dealt = [district for district, quota in quotas.items() for _ in range(quota)]
        lots = _draw(seed, "wheel", f"<{len(dealt)}Q")
        order = sorted(range(len(dealt)), key=lots.__getitem__)
        places = [dealt[index] for index in order]
        for place, district in early.items():
            other = len(places) - 1 - places[::-1].index(district)
            places[place], places[other] = places[other], places[place]
        seen = dict.fromkeys(quotas, 0)
        ranks = []
        for district in places:
            ranks.append(seen[district])
            seen[district] += 1
        self.size = len(places)
        self.families = _HOUSEHOLDS // max(quotas.values()) * self.size  # how many the wheel can number
        self._places = places
        self._ranks = ranks
        self._quotas = [quotas[district] for district in places]
        starts = _draw(seed, "starts", f"<{2 * len(quotas)}H")
        begin = {code: (starts[2 * at] % DAYS, starts[2 * at + 1] % SERIALS) for at, code in enumerate(quotas)}
        self._starts = [begin[district] for district in places]
        tables = _draw(seed, "rounds", f"<{2 * (DAYS + SERIALS)}H")
        self._by_day = tables[:DAYS], tables[DAYS : 2 * DAYS]
        self._by_serial = tables[2 * DAYS : 2 * DAYS + SERIALS], tables[2 * DAYS + SERIALS :]

    def home(self, family: int) -> str:
        """The district, by its six-digit code, in which `family` lives."""
        return self._places[family % self.size]

    def number(self, family: int, seat: int) -> tuple[str, int, int]:
        """The (district, day of the year from 0 to 365, serial from 9000) of one seat of `family`.

        Injective over all families below `families` and all seats. Raises ValueError beyond.
        """
        turn, place = divmod(family, self.size)
        ordinal = turn * self._quotas[place] + self._ranks[place]
        if ordinal >= _HOUSEHOLDS:
            raise ValueError(f"a population of this size is not supported: at most {self.families} families")
        day, serial = divmod(ordinal * SEATS + seat, SERIALS)
        first_day, first_serial = self._starts[place]
        by_day, by_day_again = self._by_day
        by_serial, by_serial_again = self._by_serial
        day = (day + first_day) % DAYS
        serial = (serial + first_serial + by_day[day]) % SERIALS
        day = (day + by_serial[serial]) % DAYS
        serial = (serial + by_day_again[day]) % SERIALS
        day = (day + by_serial_again[serial]) % DAYS
        return self._places[place], day, serial + FIRST_SERIAL


def _draw(seed: int, what: str, form: str) -> tuple[int, ...]:
    return struct.unpack(form, shake_128(f"{what}:{seed}".encode()).digest(struct.calcsize(form)))
