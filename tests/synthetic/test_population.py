"""The synthetic population: always the same, never twice the same number, and plausible."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import islice

import pytest

from gateway.claims import CLAIMS
from gateway.nik import Nik
from gateway.register.lines import as_line
from gateway.register.reasons import REASONS
from gateway.register.record import Record
from gateway.register.regions import load
from gateway.register.status import judge
from gateway.synthetic.households import Households
from gateway.synthetic.numbering import DAYS, SEATS, SERIALS, Wheel
from gateway.synthetic.population import BEHIND_REGENCY, MAXIMUM, REFERENCE_DATE, residents

SEEDS = (0, 1, 2026, -5, 2**70)


@pytest.fixture(scope="module")
def people() -> list[Record]:
    return list(residents(20_000, 7))


def _age(resident: Record) -> int:
    born = date.fromisoformat(resident.claims["birth_date"])
    return REFERENCE_DATE.year - born.year - ((REFERENCE_DATE.month, REFERENCE_DATE.day) < (born.month, born.day))


def _verdict(resident: Record) -> tuple[str, str | None]:
    behind = resident.regency == BEHIND_REGENCY
    status, reason, _ = judge(resident, REFERENCE_DATE, source_behind=behind, gap="")
    return status, reason


def test_a_seed_gives_the_same_residents_and_more_begin_like_fewer(people: list[Record]):
    """Who is among the first 500 does not depend on how many follow, only on the seed."""
    assert list(residents(500, 7)) == people[:500]
    assert list(residents(500, 8)) != people[:500]


def test_as_many_come_as_were_asked_for():
    """The count is exact, also where it cuts through a household."""
    assert [len(list(residents(count, 3))) for count in (0, 1, 2, 3, 4, 5, 100)] == [0, 1, 2, 3, 4, 5, 100]


@pytest.mark.parametrize("count", [-1, MAXIMUM + 1])
def test_more_than_can_be_numbered_is_refused_at_once(count: int):
    """A count that could make a number occur twice is refused before the first resident."""
    with pytest.raises(ValueError, match="population"):
        residents(count, 1)


def test_no_number_occurs_twice(people: list[Record]):
    """NIKs are unique, and a family card number belongs to one household at one address."""
    assert len({resident.nik for resident in people}) == len(people)
    homes = {(r.claims["family_card_number"], r.claims["address"]) for r in people if "family_card_number" in r.claims}
    assert len(homes) == len({card for card, _ in homes})


def test_numbers_of_a_district_never_repeat_until_all_are_given():
    """Every (day, serial) of a district is given exactly once: uniqueness is by construction, for any seed."""
    wheel = Wheel(11, {"110101": 1.0, "110102": 1.0}, 2, {})
    assert wheel.size == 2
    given = [wheel.number(family, seat) for family in range(wheel.families) for seat in range(SEATS)]
    assert len(set(given)) == len(given) == 2 * (DAYS * SERIALS // SEATS) * SEATS
    with pytest.raises(ValueError, match="not supported"):
        wheel.number(wheel.families, 0)


def test_the_wheel_of_the_country_holds_the_maximum():
    """Households of three and a bit on average: the wheel numbers enough of them for the largest population."""
    drawn = next(iter(residents(1, 5)))  # reads everything that a population reads
    assert Nik.parse(drawn.nik)
    from gateway.synthetic import population  # noqa: PLC0415  the weights are the room's own

    wheel = Wheel(5, population._weights(load().districts), population._WHEEL, {})
    assert wheel.families * 3 >= MAXIMUM


def test_neighbours_exchange_numbers_and_keep_them_apart():
    """Residents who moved carry numbers of the neighbours' district, and still no number occurs twice."""
    wheel = Wheel(4, {"110101": 1.0, "320101": 1.0}, 2, {})
    households = Households(4, wheel, load(), REFERENCE_DATE)
    both = [resident for pair in range(300) for home in households.neighbours(pair) for resident in home]
    assert len({resident.nik for resident in both}) == len(both)
    moved = [resident for resident in both if resident.nik[:4] != resident.regency]
    assert 0.03 < len(moved) / len(both) < 0.2


@pytest.mark.parametrize("seed", SEEDS)
def test_every_status_and_reason_is_among_the_first_thousand(seed: int):
    """For any seed the first 1,000 hold every reason, a region left behind and minors who need no biometrics."""
    first = list(residents(1000, seed))
    verdicts = [_verdict(resident) for resident in first]
    assert {reason for _, reason in verdicts} == {None, *REASONS}
    assert any(not r.biometric and status == "active" for r, (status, _) in zip(first, verdicts, strict=True))


def test_about_nine_in_ten_have_nothing_against_them(people: list[Record]):
    """The conditions are what a region meets, not the rule."""
    free = sum(not resident.conditions for resident in people) / len(people)
    assert 0.87 < free < 0.93


def test_every_resident_can_be_imported(people: list[Record]):
    """NIK and claims are well-formed: known names, real regions one inside the other, serials from 9000."""
    known = load()
    for resident in people:
        claims = resident.claims
        assert Nik.parse(resident.nik).digits[12:] >= "9000"
        assert set(claims) <= set(CLAIMS)
        assert claims["district"] in known.districts
        assert claims["district"][:4] == claims["regency"]
        assert claims.get("village", claims["district"])[:6] == claims["district"]
        assert claims["birth_date"] <= REFERENCE_DATE.isoformat()
        assert all(claims["birth_date"] <= one.since <= REFERENCE_DATE.isoformat() for one in resident.conditions)


def test_children_name_the_mother_who_lives_with_them(people: list[Record]):
    """Where a couple has children at home, their mother's name is the wife's."""
    homes: dict[str, list[Record]] = {}
    for resident in people:
        homes.setdefault(resident.claims.get("family_card_number", ""), []).append(resident)
    named = 0
    for card, home in homes.items():
        wives = [r for r in home if r.claims["sex"] == "F" and r.claims.get("marital_status") == "KAWIN"]
        if card and len(wives) == 1:
            children = [
                r for r in home if r.claims.get("marital_status") == "BELUM KAWIN" and "mother_name" in r.claims
            ]
            assert {child.claims["mother_name"] for child in children} <= {wives[0].claims["name"]}
            assert all(child.claims["birth_date"] > wives[0].claims["birth_date"] for child in children)
            named += len(children)
    assert named > len(people) / 8


def test_women_and_the_corrected_show_in_the_number(people: list[Record]):
    """Women's numbers carry day + 40; one or two in a hundred records have another birth date than the number."""
    other = 0
    for resident in people:
        day = int(resident.nik[6:8])
        assert (day > 40) == (resident.claims["sex"] == "F")
        written = f"{day % 40:02d}{resident.nik[8:12]}"
        year, month, real = resident.claims["birth_date"].split("-")
        other += written != f"{real}{month}{year[2:]}"
    assert 0.005 < other / len(people) < 0.05


def test_ages_are_those_of_the_country(people: list[Record]):
    """A quarter are children, few are old, and nobody is older than people grow."""
    ages = [_age(resident) for resident in people]
    assert 0.18 < sum(age < 15 for age in ages) / len(ages) < 0.30
    assert 0.03 < sum(age >= 65 for age in ages) / len(ages) < 0.12
    assert max(ages) < 110
    assert 0.48 < sum(r.claims["sex"] == "F" for r in people) / len(people) < 0.54


def test_adults_have_biometrics_unless_that_is_the_reason(people: list[Record]):
    """Without biometrics are only minors who are not married, and those who are blocked for it."""
    for resident in people:
        blocked = any(one.reason == "biometric_not_recorded" for one in resident.conditions)
        asked = _age(resident) >= 17 or resident.claims.get("marital_status", "BELUM KAWIN") != "BELUM KAWIN"
        assert resident.biometric or blocked or not asked
        assert not (blocked and resident.biometric)


def test_a_duplicate_names_a_survivor_who_came_before(people: list[Record]):
    """The surviving NIK is of a resident with the same claims and nothing against them, already in the register."""
    before: dict[str, Record] = {}
    duplicates = 0
    for resident in people:
        for one in resident.conditions:
            if one.reason == "nik_duplicate":
                assert before[one.successor].claims == resident.claims
                assert not before[one.successor].conditions
                duplicates += 1
        before[resident.nik] = resident
    assert duplicates > 50


def test_claims_vary_and_some_were_never_recorded(people: list[Record]):
    """A few in a hundred lack a claim; single names, titles, variants of Muhammad and old spelling occur."""
    names = [resident.claims["name"] for resident in people]
    assert 0.01 < sum("mother_name" not in r.claims for r in people) / len(people) < 0.05
    assert 0.05 < sum(" " not in name for name in names) / len(names) < 0.25
    for sign in ("MUH. ", "MOCHAMAD ", "H. ", "HJ. ", ", S.H.", "DJ", "OE", " BIN ", " BINTI ", "SITI "):
        assert any(sign in name for name in names), sign
    assert len(Counter(resident.claims.get("occupation") for resident in people)) > 10


def test_provinces_weigh_what_they_weigh(people: list[Record]):
    """West Java has about a sixth of the residents, and every province has some."""
    provinces = Counter(resident.claims["province"] for resident in people)
    assert len(provinces) == 38
    assert 0.14 < provinces["32"] / len(people) < 0.22


def test_another_day_makes_everybody_as_old_then():
    """Ages follow the day that is handed in."""
    then = list(residents(300, 7, date(2030, 2, 28)))
    assert max(resident.claims["birth_date"] for resident in then) > REFERENCE_DATE.isoformat()
    assert all(resident.claims["birth_date"] <= "2030-02-28" for resident in then)


def test_residents_stream():
    """The first residents of the largest population come at once."""
    assert len(list(islice(residents(MAXIMUM, 1), 10))) == 10


def test_a_resident_shows_nothing(people: list[Record]):
    """Neither repr nor str of a record shows a NIK, while its line of import holds it."""
    assert people[0].nik not in repr(people[0])
    assert as_line(people[0])["nik"] == people[0].nik
