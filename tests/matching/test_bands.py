"""How near is near enough?"""

from __future__ import annotations

import pytest

from gateway.matching.bands import FLOORS, Band, decides, guess_cost

CLAIMS = [*FLOORS, "family_card_number", "birth_date", "sex", "marital_status", "occupation"]
CLAIMS += ["rt", "rw", "province", "regency", "district", "village"]


def test_the_bands_are_the_words_of_the_wire():
    """Bands are spelt as partners read them."""
    assert [band.value for band in Band] == ["match", "close", "different", "not_recorded"]


@pytest.mark.parametrize("claim", CLAIMS)
def test_match_always_decides_and_different_never(claim):
    """A match settles every claim; different and not recorded settle none."""
    assert decides(claim, Band.MATCH)
    assert not decides(claim, Band.DIFFERENT)
    assert not decides(claim, Band.NOT_RECORDED)


@pytest.mark.parametrize("claim", CLAIMS)
def test_close_decides_for_names_places_and_addresses_alone(claim):
    """Close settles name, mother's name, birth place and address, never a date, a code or anything else."""
    assert decides(claim, Band.CLOSE) == (claim in {"name", "mother_name", "birth_place", "address"})
    assert (claim in FLOORS) == decides(claim, Band.CLOSE)


@pytest.mark.parametrize(
    ("bands", "cost"),
    [
        ({}, 1),
        ({"name": Band.DIFFERENT}, 1),
        ({"name": Band.MATCH, "birth_date": Band.DIFFERENT}, 1),
        ({"sex": Band.DIFFERENT}, 2),
        ({"sex": Band.MATCH, "name": Band.DIFFERENT}, 1),
        ({"rt": Band.NOT_RECORDED, "name": Band.DIFFERENT}, 1),
        ({"name": Band.DIFFERENT, "marital_status": Band.DIFFERENT}, 2),
        ({"province": Band.DIFFERENT, "regency": Band.DIFFERENT}, 2),
        ({"sex": Band.CLOSE}, 1),
    ],
)
def test_wrong_guesses_at_claims_of_few_values_cost_more(bands, cost):
    """A guess costs what its dearest wrong claim costs: 1, or 2 where the claim has few values."""
    assert guess_cost(bands) == cost
