"""The tree: roots of RFC 6962, and a frontier that agrees with the definition at every size."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import LedgerFault
from gateway.ledger.log.merkle import EMPTY_ROOT, HASH, Frontier, leaf_hash, node_hash

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/rfc6962.json").read_text())
LEAVES = [bytes.fromhex(leaf) for leaf in VECTORS["leaves"]]
NUMBERED = [sha256(b"\x00" + str(number).encode()).digest() for number in range(1100)]


@cache
def tree_hash(begin: int, end: int) -> bytes:
    """MTH of RFC 6962 §2.1, as it is written there, over NUMBERED[begin:end]."""
    if begin == end:
        return sha256(b"").digest()
    if end - begin == 1:
        return NUMBERED[begin]
    half = 1
    while half * 2 < end - begin:
        half *= 2
    return sha256(b"\x01" + tree_hash(begin, begin + half) + tree_hash(begin + half, end)).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    """Over the first leaves of the well-known eight."""
    frontier = Frontier()
    frontier.append(leaf_hash(leaf) for leaf in LEAVES[:size])
    assert frontier.root().hex() == VECTORS["roots"][size]


def test_leaves_and_nodes_are_told_apart() -> None:
    """Leaf and node hashes begin with different bytes, so that no node can be passed off as a leaf."""
    assert leaf_hash(b"ab") == sha256(b"\x00ab").digest()
    assert node_hash(b"a", b"b") == sha256(b"\x01ab").digest()
    assert EMPTY_ROOT == sha256(b"").digest() == Frontier().root()


def test_the_frontier_agrees_with_the_definition_at_every_size() -> None:
    """From 0 to 257 leaves, one by one: the root is RFC 6962's, one hash is kept for each 1-bit of the size."""
    frontier = Frontier()
    for size in range(258):
        assert frontier.root() == tree_hash(0, size)
        assert len(bytes(frontier)) == HASH * size.bit_count()
        assert frontier.size == size
        frontier.append([NUMBERED[size]])


@settings(max_examples=60)
@given(st.lists(st.integers(0, 1100), max_size=8), st.integers(0, 1100))
def test_it_does_not_matter_how_appends_are_split(cuts: list[int], size: int) -> None:
    """Appended in any pieces, stored and read back between them, the frontier is the same."""
    frontier = Frontier()
    for begin, end in pairwise(sorted({0, size, *(cut for cut in cuts if cut < size)})):
        frontier.append(NUMBERED[begin:end])
        frontier = Frontier(frontier.size, bytes(frontier))
    assert frontier.size == size
    assert frontier.root() == tree_hash(0, size)


def test_a_frontier_of_large_trees_carries() -> None:
    """At 2^40 - 1 leaves one more leaf folds forty subtrees into one."""
    roots = [bytes((level,)) * HASH for level in range(40)]
    frontier = Frontier(2**40 - 1, b"".join(roots))
    expected = NUMBERED[0]
    for root in reversed(roots):
        expected = node_hash(root, expected)
    frontier.append([NUMBERED[0]])
    assert (frontier.size, bytes(frontier), frontier.root()) == (2**40, expected, expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4), st.integers(0, 76), st.integers(0, 255))
def test_whole_tiles_may_be_added_by_their_roots(tiles: int, rest: int, begun: int) -> None:
    """It is the same tree; and the roots of tiles that became full meanwhile are told, once each."""
    roots = [tree_hash(256 * tile, 256 * tile + 256) for tile in range(tiles)]
    by_tiles = Frontier()
    for root in roots:
        by_tiles.append_tile(root)
    by_tiles.append(NUMBERED[256 * tiles : 256 * tiles + rest])
    one_by_one = Frontier()
    one_by_one.append(NUMBERED[:begun])
    one_by_one.append(NUMBERED[begun : 256 * tiles + rest] if begun < 256 * tiles + rest else [])
    if begun <= 256 * tiles + rest:
        assert (by_tiles.size, bytes(by_tiles)) == (one_by_one.size, bytes(one_by_one))
        assert one_by_one.full == roots
    assert by_tiles.full == []
    assert by_tiles.root() == tree_hash(0, 256 * tiles + rest)


def test_a_copy_grows_apart() -> None:
    """What is added to it is not added to the first."""
    first = Frontier()
    first.append(NUMBERED[:5])
    other = first.copy()
    other.append(NUMBERED[5:7])
    assert (first.size, first.root()) == (5, tree_hash(0, 5))
    assert (other.size, other.root()) == (7, tree_hash(0, 7))


@pytest.mark.parametrize(("size", "length"), [(-1, 0), (0, 32), (1, 0), (3, 32), (4, 64), (4, 31), (4, 33)])
def test_a_frontier_that_cannot_be_is_a_fault(size: int, length: int) -> None:
    """A head whose frontier does not fit its size is refused, and names the head."""
    with pytest.raises(LedgerFault) as raised:
        Frontier(size, bytes(length))
    assert raised.value.index == -1
