"""Who lives together in a synthetic household, and what does the register hold of each?

A household follows from its index alone. Random words are 16 bits of SHAKE-128 over the pair's index and the seed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import date
from hashlib import shake_128

from gateway.register.record import Record
from gateway.register.regions import Regions
from gateway.synthetic.livelihoods import ALONE, CHILDREN, DIVORCED, HEAD_AGES, MARRIED, OCCUPATIONS, SINGLE, WIDOWED
from gateway.synthetic.names import name_address, name_man, name_woman
from gateway.synthetic.numbering import CARD, DUPLICATE, Wheel

ADULT = 17
"""From this age on, or once married, everybody must have recorded biometrics."""

_SHARED, _FAMILY, _PERSON, _PEOPLE = (
    2,
    12,
    10,
    6,
)  # random words: per pair of households, per household, per seat; seats
_WORDS = struct.Struct(f"<{_SHARED + 2 * (_FAMILY + _PEOPLE * _PERSON)}H")
_HALF = _FAMILY + _PEOPLE * _PERSON
_PARENTS = 2  # seats 0 and 1: head and spouse; then children; the last seat is a grandparent's, where free
_NEVER_WRITTEN = {
    **dict.fromkeys(range(26), "mother_name"),
    **dict.fromkeys(range(26, 36), "occupation"),
    **dict.fromkeys(range(36, 42), "rt"),
    **dict.fromkeys(range(42, 48), "village"),
    **dict.fromkeys(range(48, 52), "birth_place"),
    **dict.fromkeys(range(52, 55), "marital_status"),
    **dict.fromkeys(range(55, 58), "family_card_number"),
}
"""By ten random bits: which claim was never recorded (one resident in eighteen lacks one)."""

_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_CALENDAR = [(month, day) for month, length in enumerate(_LENGTHS, 1) for day in range(1, length + 1)]
_WRITTEN = [f"-{month:02d}-{day:02d}" for month, day in _CALENDAR]
_CODED = ([f"{d:02d}{m:02d}" for m, d in _CALENDAR], [f"{d + 40:02d}{m:02d}" for m, d in _CALENDAR])  # men, women
_LEAP_DAY = _CALENDAR.index((2, 29))
_NEIGHBOURHOODS = tuple(f"{number:03d}" for number in range(1, 17))
_FIRST_CARDS = 2005
_OLD_CODE = 0x1F << 11  # one in 32 …
_SINCE_SPLIT = 15  # … of this age or more has a number from a district that was split or renamed since
_OFTEN_WIDOWED = 55
_OLDEST = 101

# Kinds of household, as limits in 256:
_ALONE = 26
_LONE_PARENT = 48
_THREE_GENERATIONS = 226


@dataclass(slots=True)
class _Household:
    index: int
    words: tuple[int, ...]
    moved: tuple[bool, ...]  # by seat: carries a number from where the neighbours live
    card: str
    place: dict[str, str]
    mother: str = ""  # of whoever is seated next; empty when she lives elsewhere
    people: list[Record] = field(default_factory=list)


class Households:
    """Draws households; `neighbours` is the door."""

    def __init__(self, seed: int, wheel: Wheel, regions: Regions, today: date) -> None:
        """Prepare to draw the households of `seed`, with ages as of `today`."""
        self._salt = f":{seed}".encode()
        self._wheel = wheel
        self._villages = regions.village_codes
        self._town_of = {code: _town(region.name) for code, region in regions.regencies.items()}
        self._towns = list(self._town_of.values())
        self._retired = {code: _retired(code, regions) for code in regions.districts}
        self._year = today.year
        self._day = _CALENDAR.index((today.month, today.day))

    def neighbours(self, pair: int) -> tuple[list[Record], list[Record]]:
        """The households of index 2·pair and 2·pair + 1, each a list of one to six residents, its head first.

        They are drawn together because whoever has moved here carries a number from the district where the other
        household lives, and the neighbours' same seat carries one from here: an exchange, so that none is given twice.
        """
        words = _WORDS.unpack(shake_128(pair.to_bytes(8, "little") + self._salt).digest(_WORDS.size))
        a, b = words[0], words[1]
        parents = (a & 7 == 0, a & 0x38 == 0)  # one in eight has moved, one child in sixteen
        moved = (*parents, b & 15 == 0, b & 0xF0 == 0, b & 0xF00 == 0, b & 0xF000 == 0)
        return (
            self._household(2 * pair, words[_SHARED : _SHARED + _HALF], moved),
            self._household(2 * pair + 1, words[_SHARED + _HALF :], moved),
        )

    def second_number(self, index: int, of: Record) -> str:
        """Another NIK for a resident `of` household `index`: as when someone was recorded twice."""
        district, day, serial = self._wheel.number(index, DUPLICATE)
        coded = _CODED[of.claims["sex"] == "F"][day]
        return f"{district}{coded}{of.claims['birth_date'][2:4]}{serial}"

    def _household(self, index: int, words: tuple[int, ...], moved: tuple[bool, ...]) -> list[Record]:
        kind, shape, street, house, where, village, births, spacing, issued, ages = words[:10]
        district, day, serial = self._wheel.number(index, CARD)
        villages = self._villages[district]
        year = _FIRST_CARDS + (issued * (self._year - _FIRST_CARDS) >> 16)
        card = f"{district}{_CODED[0][day]}{year % 100:02d}{serial}"
        place = {
            "address": name_address(street, house),
            "rt": _NEIGHBOURHOODS[where & 15],
            "rw": _NEIGHBOURHOODS[where >> 4 & 7],
            "province": district[:2],
            "regency": district[:4],
            "district": district,
            "village": villages[village * len(villages) >> 16],
        }
        home = _Household(index, words, moved, card, place)
        age = HEAD_AGES[kind >> 8]
        kind &= 0xFF
        if kind < _ALONE:
            self._add(home, 0, shape & 1, age, ALONE[age][shape >> 12])
        elif kind < _LONE_PARENT:
            woman = shape & 3 != 0
            self._add(home, 0, woman, age, WIDOWED if age >= _OFTEN_WIDOWED or shape & 4 else DIVORCED)
            home.mother = home.people[0].claims["name"] if woman else self._elsewhere(words[10], words[11], age)
            self._raise_children(home, age, births, spacing)
        else:
            extended = kind >= _THREE_GENERATIONS and CHILDREN[births & 15] < _PEOPLE - _PARENTS
            if extended:
                self._add(home, _PEOPLE - 1, shape & 3 != 0, min(age + 19 + (ages & 15), _OLDEST), WIDOWED)
                home.mother = home.people[0].claims["name"] if shape & 3 else ""
            self._add(home, 0, 0, age, MARRIED)
            home.mother = ""
            age = max(ADULT - 1, age + 2 - (ages >> 4 & 15) * 2 // 3)
            self._add(home, 1, 1, age, MARRIED)
            home.mother = home.people[-1].claims["name"]
            self._raise_children(home, age, births, spacing)
            if extended:  # drawn first, for the head's mother; but a head stands first
                home.people.append(home.people.pop(0))
        return home.people

    def _raise_children(self, home: _Household, age: int, births: int, spacing: int) -> None:
        # `age` is the mother's; a child leaves between 18 and 33.
        age -= 19 + (births >> 4 & 7)
        for seat in range(_PARENTS, _PARENTS + CHILDREN[births & 15]):
            if 0 <= age <= 18 + (births >> 8 & 15):
                self._add(home, seat, spacing >> seat & 1, age, SINGLE)
            age -= 2 + (spacing >> 2 * seat & 3)

    def _add(self, home: _Household, seat: int, woman: int, age: int, marital: str) -> None:
        """Seat one resident of about `age` years (a leap-day child may be up to three older) in `home`."""
        start = _FAMILY + seat * _PERSON
        first, last, more, odd, work, unwritten, away, her_first, her_last, _ = home.words[start : start + _PERSON]
        issuer, day, serial = self._wheel.number(home.index ^ home.moved[seat], seat)
        year = self._year - age - (day > self._day)
        if day == _LEAP_DAY:
            year -= year % 4
        if odd & _OLD_CODE == 0 and age >= _SINCE_SPLIT:
            issuer = self._retired[issuer]
        nik = f"{issuer}{_CODED[woman][day]}{year % 100:02d}{serial}"
        if odd & 63 == 0 and day != _LEAP_DAY:  # the date was corrected later; the number is for life
            year, day = (year - 1, day) if odd & 64 else (year, day - 1 if day not in (0, _LEAP_DAY + 1) else day)
        age = self._year - year - (day > self._day)
        claims = {
            "family_card_number": home.card,
            "name": (name_woman if woman else name_man)(first, last, more, year, age),
            "birth_place": self._town_of[issuer[:4]] if away & 7 else self._towns[away * len(self._towns) >> 16],
            "birth_date": f"{year}{_WRITTEN[day]}",
            "sex": "F" if woman else "M",
            "marital_status": marital,
            "occupation": OCCUPATIONS[woman][age][work >> 11],
            "mother_name": home.mother or self._elsewhere(her_first, her_last, age),
            **home.place,
        }
        gap = _NEVER_WRITTEN.get(unwritten & 1023)
        if gap:
            del claims[gap]
        # A minor who is not married may have recorded early; one in eight has.
        biometric = age >= ADULT or marital != SINGLE or odd >> 8 & 7 == 0
        home.people.append(Record(nik, claims, (), biometric))

    def _elsewhere(self, first: int, last: int, age: int) -> str:
        """Name of a mother who is no resident of the household, of a child of `age` years."""
        return name_woman(first, last, first ^ last, self._year - age - 25, age + 25)


def _town(regency: str) -> str:
    for kind in ("Kabupaten ", "Kota ", "Administrasi "):
        regency = regency.removeprefix(kind)
    return regency.upper()


def _retired(district: str, regions: Regions) -> str:
    # A code that no district has today, and that no other district is given here.
    other = f"{district[:4]}{(int(district[4:]) + 50) % 100:02d}"
    return district if other in regions.districts else other
