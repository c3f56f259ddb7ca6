"""Inclusion and consistency: held against the definitions of RFC 9162, and against a reader that somebody else wrote."""

from __future__ import annotations

import random
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tlog_scales.reader import TilesReader
from tlog_scales.tlog import ConsistencyProof, InclusionProof

from gateway.ledger.log.merkle import EMPTY_ROOT, HASH, Frontier
from gateway.ledger.log.proof import HashTree, ProofFault, Subtree, join, verify_consistency, verify_inclusion
from gateway.ledger.log.tiles import Tile, fold, parse_path

MOST = 70_000
LEAVES = [sha256(b"\x00" + str(number).encode()).digest() for number in range(MOST)]


def _levels() -> list[list[bytes]]:
    levels = [LEAVES]
    while len(levels[-1]) >= 256:
        below = levels[-1]
        levels.append([fold(b"".join(below[at : at + 256])) for at in range(0, len(below) // 256 * 256, 256)])
    return levels


LEVELS = _levels()


def tile_of(tile: Tile) -> bytes:
    return b"".join(LEVELS[tile.level][tile.number * 256 : tile.number * 256 + tile.width])


def tree_of(size: int) -> HashTree:
    return HashTree(tile_of, size)


class Foreign:
    """What tlog-scales reads our tiles from, by their paths."""

    def get(self, *path: str) -> bytes | None:
        assert path[0] == "tile"
        return tile_of(parse_path("/".join(path[1:])))


def foreign(size: int) -> TilesReader:
    reader = TilesReader(Foreign())
    reader.set_size(size)
    return reader


@cache
def tree_hash(begin: int, end: int) -> bytes:
    """MTH of RFC 9162 §2.1.1, as it is written there."""
    if end - begin < 2:
        return LEAVES[begin] if end > begin else sha256(b"").digest()
    half = 1 << (end - begin - 1).bit_length() - 1
    return sha256(b"\x01" + tree_hash(begin, begin + half) + tree_hash(begin + half, end)).digest()


def _hold(size: int, index: int, old: int) -> None:
    """Everything that is to be held of a tree of `size`: our proofs verify here and there, theirs are ours."""
    tree, reader = tree_of(size), foreign(size)
    root = tree.root()
    assert root == reader.calculate_root_hash()
    if size:
        path = tree.inclusion(index)
        verify_inclusion(LEAVES[index], index, size, path, root)
        InclusionProof(index, size, path).check(LEAVES[index], root)
        assert reader.get_inclusion_proof(index, size).node_hashes == path
    path = tree.consistency(old)
    then = tree_of(old).root()
    verify_consistency(old, then, size, root, path)
    ConsistencyProof(old, size, path).check(then, root)
    if 0 < old < size:
        assert reader.get_consistency_proof(old, size).node_hashes == path


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 9, 255, 256, 257, 511, 512, 513, 767, 1023, 1024, 1025])
def test_a_foreign_reader_agrees_at_these_sizes(size: int) -> None:
    """tlog-scales computes the root from our tiles, the same proofs, and takes ours; for some entries and older sizes."""
    assert tree_of(size).root() == tree_hash(0, size)
    for index in {0, size // 3, size // 2, max(size - 1, 0)}:
        _hold(size, index, index + (index < size))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_foreign_reader_agrees_anywhere(data: st.DataObject) -> None:
    """The same for sizes up to 70,000, which have tiles of three levels."""
    size = data.draw(st.integers(1, MOST))
    _hold(size, data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size)))


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_a_foreign_reader_agrees_at_every_size() -> None:
    """Every size from 0 to 1,025, with nine entries and nine older sizes of each."""
    for size in range(1026):
        for index in range(0, max(size, 1), max(size // 8, 1)):
            _hold(size, index, index)


def test_a_tree_is_the_frontier_of_its_leaves() -> None:
    """The tiles and the head's frontier tell the same root."""
    for size in (0, 1, 255, 256, 300, 1000):
        frontier = Frontier()
        frontier.append(LEAVES[:size])
        assert tree_of(size).root() == frontier.root()


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 2_000), st.randoms(use_true_random=False))
def test_a_proof_that_was_touched_proves_nothing(size: int, chance: random.Random) -> None:
    """A bit, a hash more or less, another index, size, leaf or root: refused."""
    index, root = chance.randrange(size), tree_hash(0, size)
    path = tree_of(size).inclusion(index)
    leaf = LEAVES[index]
    bad: list[tuple[bytes, int, int, list[bytes], bytes]] = [
        (leaf, index, size, [*path, bytes(32)], root),
        (leaf, size, size, path, root),
        (leaf, -1, size, path, root),
        (leaf, index, size, path, bytes(32)),
        (bytes(32), index, size, path, root),
    ]
    if path:
        at = chance.randrange(len(path))
        touched = bytes((path[at][0] ^ 1,)) + path[at][1:]
        bad.append((leaf, index, size, [*path[:at], touched, *path[at + 1 :]], root))
        bad.append((leaf, index, size, path[:-1], root))
        bad.append((leaf, index ^ 1, size, path, root))
    for leaf_, index_, size_, path_, root_ in bad:
        with pytest.raises(ProofFault):
            verify_inclusion(leaf_, index_, size_, path_, root_)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 2_000), st.randoms(use_true_random=False))
def test_a_history_that_was_rewritten_is_not_consistent(size: int, chance: random.Random) -> None:
    """Another old root, another new one, a hash touched, left out or added: refused."""
    old = chance.randrange(1, size)
    then, now, path = tree_hash(0, old), tree_hash(0, size), tree_of(size).consistency(old)
    at = chance.randrange(len(path))
    touched = [*path[:at], bytes((path[at][0] ^ 1,)) + path[at][1:], *path[at + 1 :]]
    for bad in (
        (old, bytes(32), size, now, path),
        (old, then, size, bytes(32), path),
        (old, then, size, now, touched),
        (old, then, size, now, path[:-1]),
        (old, then, size, now, [*path, bytes(32)]),
        (old, then, size, now, []),
        (size, then, old, now, path),
        (size, bytes(32), size, now, []),
        (size, now, size, now, [bytes(32)]),
        (0, then, size, now, []),
        (0, EMPTY_ROOT, size, now, path),
    ):
        with pytest.raises(ProofFault):
            verify_consistency(*bad)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_stretch_is_proven_by_what_lies_beside_it(data: st.DataObject) -> None:
    """The perfect subtrees before, in and after any stretch make up the tree, and nothing else does."""
    size = data.draw(st.integers(0, 3_000))
    first = data.draw(st.integers(0, size))
    end = data.draw(st.integers(first, size))
    tree = tree_of(size)
    parts = [*tree.cover(0, first), *tree.cover(first, end), *tree.cover(end, size)]
    assert join(parts) == tree.root()
    if len(parts) > 1:
        with pytest.raises(ProofFault):
            join(parts[1:])
    if parts:
        moved = Subtree(parts[0].start, parts[0].count, bytes(HASH))
        assert join([moved, *parts[1:]]) != tree.root()


def test_what_is_not_in_the_tree_has_no_proof() -> None:
    """An index or an older size beyond the tree is refused before anything is read."""
    for size, index in ((0, 0), (5, 5), (5, -1)):
        with pytest.raises(ProofFault):
            tree_of(size).inclusion(index)
    with pytest.raises(ProofFault):
        tree_of(5).consistency(6)


def test_a_proof_that_ends_below_the_root_proves_nothing() -> None:
    """The root of a part, given out as that of the whole: the path leads to it, and is too short for the size told."""
    part = tree_of(4)
    with pytest.raises(ProofFault, match="does not lead to the root"):
        verify_inclusion(LEAVES[2], 2, 7, part.inclusion(2), part.root())
    with pytest.raises(ProofFault, match="do not begin with"):
        verify_consistency(2, tree_hash(0, 2), 8, part.root(), part.consistency(2))
