"""What does a day cost, and when is somebody told?"""

from __future__ import annotations

import pytest

from gateway.partners.money import Charged, level, statement


@pytest.mark.parametrize(
    ("used", "whole", "reached"),
    [
        (79, 100, 0),
        (80, 100, 80),
        (89, 100, 80),
        (90, 100, 90),
        (100, 100, 100),
        (120, 100, 100),
        (5, 0, 0),
        (4, 5, 80),
    ],
)
def test_levels_are_reached_exactly(used: int, whole: int, reached: int) -> None:
    """80, 90 and 100 per cent, in whole numbers."""
    assert level(used, whole) == reached


def test_a_statement_adds_up() -> None:
    """One line for each agreement, purpose and price; the sums are those of the lines and of the payments."""
    charged = [Charged("a", "opening", 1000)] * 3 + [Charged("a", "opening", 1500), Charged("b", "credit", 0)]
    told = statement(
        issuer="https://nik.example.go.id", partner="bank", day="2026-11-24", charged=charged, refused=2,
        payments=[{"agreement": "a", "amount": 500}], ledger={"from": 0, "to": 9, "size": 9},
    )  # fmt: skip
    assert told["lines"] == [
        {"agreement": "a", "purpose": "opening", "answers": 3, "price": 1000, "amount": 3000},
        {"agreement": "a", "purpose": "opening", "answers": 1, "price": 1500, "amount": 1500},
        {"agreement": "b", "purpose": "credit", "answers": 1, "price": 0, "amount": 0},
    ]
    assert (told["answers"], told["refusals"], told["amount"], told["credited"]) == (5, 2, 4500, 500)
