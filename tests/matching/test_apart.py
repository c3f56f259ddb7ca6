"""Pairs that a careless rule would bring together, and some that a careless one would part."""

from __future__ import annotations

import pytest

from gateway.matching import fold
from gateway.matching.bands import Band
from gateway.matching.compare import compare

# claim, what is sent, what is recorded → the band
PAIRS = [
    ("mother_name", "SUPARTI", "SUPALTI", Band.DIFFERENT),
    ("mother_name", "H. AMINAH", "AMINAH H.", Band.DIFFERENT),
    ("birth_place", "TENGAH ACEH", "ACEH TENGAH", Band.DIFFERENT),
    ("name", "SATRIYANINGSIH", "ATRIYANINGSIH", Band.DIFFERENT),
    ("name", "BUDI Z", "BUDI S", Band.DIFFERENT),
    ("name", "YOKO", "YUKU", Band.DIFFERENT),
    ("name", "GADIS", "KADIS", Band.DIFFERENT),
    ("birth_date", "1990/05/05", "1990-05-05", Band.DIFFERENT),
    ("rt", "10", "1", Band.DIFFERENT),
    ("rt", "010", "10", Band.MATCH),
    ("village", "31.71.01.1001", "3171011001", Band.MATCH),
]


@pytest.mark.parametrize(("claim", "sent", "recorded", "band"), PAIRS)
def test_what_is_alike_in_part_is_not_the_same(claim: str, sent: str, recorded: str, band: Band) -> None:
    """A letter in a short word, a first letter, an order, a sound: none of them makes one person of two."""
    assert compare({claim: sent}, {claim: recorded}) == {claim: band}


def test_what_is_left_of_a_name_is_the_name() -> None:
    """A degree behind one word goes; what stands first or last is a name, whatever else it might be."""
    assert fold.name("BUDI SH") == ["BUDI"]
    assert fold.name("BIN ALI") == ["BIN", "ALI"]
    assert fold.name("ALI BIN") == ["ALI", "BIN"]
    assert fold.name("ALI BIN UMAR") == ["ALI", "UMAR"]
