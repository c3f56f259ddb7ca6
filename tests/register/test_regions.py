"""The Ministry's region codes: whole, without dots, and forgiving towards codes that are gone."""

from __future__ import annotations

from gateway.register.regions import load


def test_the_country_is_whole():
    """Every level has as many regions as the Ministry's list."""
    known = load()
    counts = [len(level) for level in (known.provinces, known.regencies, known.districts, known.villages)]
    assert counts == [38, 514, 7285, 83762]


def test_codes_have_no_dots_and_lie_in_their_parent():
    """Each region's code is digits alone and begins with the code of a region one level up."""
    known = load()
    levels = ({"": None}, known.provinces, known.regencies, known.districts, known.villages)
    for parents, level, cut in zip(levels, levels[1:], (0, 2, 4, 6), strict=False):
        assert all(code.isdigit() and code[:cut] in parents and region.code == code for code, region in level.items())


def test_a_regency_has_a_name_and_a_province():
    """A regency is listed with its province and found by its code."""
    known = load()
    listed = {regency.code: (regency.name, province.name) for regency, province in known.regencies_with_province()}
    assert listed["1172"] == ("Kota Sabang", "Aceh")
    assert known.regency_name("1172") == "Kota Sabang"


def test_a_code_that_is_gone_is_unknown_and_no_error():
    """Codes of regions since split are answered with an empty name."""
    assert load().regency_name("9999") == ""


def test_villages_are_grouped_by_district():
    """The village codes of all districts together are the villages."""
    known = load()
    grouped = known.village_codes
    assert grouped.keys() == known.districts.keys()
    assert {code for codes in grouped.values() for code in codes} == known.villages.keys()


def test_it_is_read_once():
    """A second load gives the same object."""
    assert load() is load()
