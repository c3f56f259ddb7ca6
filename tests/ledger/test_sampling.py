"""Is a sample drawn by its seed alone, and fairly?"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from itertools import islice

from gateway.ledger.log.sampling import LABEL, draws


def test_the_same_seed_draws_the_same() -> None:
    """Whoever knows seed and stretch draws the same entries; another seed draws others."""
    first = list(islice(draws("letter 7", 10, 5_000), 50))
    assert first == list(islice(draws("letter 7", 10, 5_000), 50))
    assert first != list(islice(draws("letter 8", 10, 5_000), 50))
    assert all(10 <= index < 5_000 for index in first)


def test_it_is_as_the_documents_say() -> None:
    """Draw number n is SHA-256 of label, seed, stretch and n: anyone can make it again without this program."""
    text = f"{LABEL}\nletter 7\n10\n5000\n0".encode()
    assert next(draws("letter 7", 10, 5_000)) == 10 + int.from_bytes(sha256(text).digest(), "big") % 4_990


def test_every_entry_is_drawn_once_and_none_is_likelier() -> None:
    """All of a stretch come out, each once; over many seeds the first draw favours nobody."""
    assert sorted(draws("s", 3, 40)) == list(range(3, 40))
    assert list(draws("s", 3, 3)) == []
    counts = Counter(next(draws(str(seed), 0, 8)) for seed in range(4_000))
    assert all(400 < counts[index] < 600 for index in range(8)), counts
