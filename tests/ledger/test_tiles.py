"""The names and widths of tiles: those of C2SP tlog-tiles, one spelling each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.tiles import tile_path

from gateway.ledger.log.tiles import Tile, parse_path, width_of


@given(st.integers(0, 7), st.integers(0, 10**12), st.integers(1, 256))
def test_paths_are_those_of_a_foreign_reader(level: int, number: int, width: int) -> None:
    """Ours is tlog-scales' path, and reads back as the same tile."""
    tile = Tile(level, number, width)
    assert "tile/" + tile.path == "/".join(tile_path(level, number, width % 256))
    assert parse_path(tile.path) == tile


def test_the_specifications_example() -> None:
    """Index 1234067 is x001/x234/067."""
    assert Tile(0, 1_234_067).path == "0/x001/x234/067"


@pytest.mark.parametrize(
    "path",
    ["", "0", "0/", "0/67", "0/0067", "0/x000/067", "00/067", "-1/067", "0/067.p/0", "0/067.p/256", "0/067.p/257", "0/067.p/01",
     "0/067.p", "0/067.p/1/", "/0/067", "0/067/", "0/001/067", "0/x1/067", "0/x001/x067", "8/000", "63/000", "0/067.P/1",
     "0/067 ", "0/067\n", "entries/067", "0/0٣7", "0/../1/000"],
)  # fmt: skip
def test_another_spelling_names_no_tile(path: str) -> None:
    """Leading zeroes, missing groups, widths of none: refused."""
    with pytest.raises(ValueError, match="tile"):
        parse_path(path)


def test_a_tree_has_the_tiles_of_the_specifications_example() -> None:
    """A tree of 70,000: 273 full tiles of level 0 and one of 112, one full and one of 17 of level 1, one of 1 of level 2."""
    assert [width_of(0, at, 70_000) for at in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [width_of(1, at, 70_000) for at in (0, 1, 2)] == [256, 17, 0]
    assert [width_of(2, at, 70_000) for at in (0, 1)] == [1, 0]
    assert (width_of(0, 0, 256), width_of(0, 1, 256), width_of(1, 0, 256)) == (256, 0, 1)
