"""What does an answer cost, how much of what was agreed is used, and what does a day's statement say? Whole rupiah (PP 10/2023)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LEVELS = (80, 90, 100)
"""Per cent of an allowance or a prepaid balance at which somebody is told."""


@dataclass(frozen=True, slots=True)
class Charged:
    """One answer as the ledger holds it: under which agreement, for which purpose, and its price in rupiah."""

    agreement: str
    purpose: str
    price: int


def level(used: int, whole: int) -> int:
    """The highest of `LEVELS` that was reached; 0 when none was, or when there is no whole."""
    return max((each for each in LEVELS if whole > 0 and used * 100 >= whole * each), default=0)


def statement_lines(charged: Iterable[Charged]) -> list[dict[str, object]]:
    """One line for every agreement, purpose and price: how many answers, and what they cost together."""
    counts = Counter(charged)
    return [
        {
            "agreement": one.agreement,
            "purpose": one.purpose,
            "answers": count,
            "price": one.price,
            "amount": count * one.price,
        }
        for one, count in sorted(counts.items(), key=lambda item: (item[0].agreement, item[0].purpose, item[0].price))
    ]


def statement(  # noqa: PLR0913  the members of a statement
    *,
    issuer: str,
    partner: str,
    day: str,
    charged: Iterable[Charged],
    refused: int,
    payments: Iterable[Mapping[str, object]],
    ledger: Mapping[str, object],
) -> dict[str, object]:
    """A day's statement, JSON-able. `ledger` is the range of entries that it was made from: from, to (not included), size."""
    lines = statement_lines(charged)
    credited = list(payments)
    return {
        "iss": issuer,
        "sub": partner,
        "date": day,
        "currency": "IDR",
        "lines": lines,
        "answers": sum(_whole(line, "answers") for line in lines),
        "refusals": refused,
        "amount": sum(_whole(line, "amount") for line in lines),
        "payments": credited,
        "credited": sum(_whole(payment, "amount") for payment in credited),
        "ledger": dict(ledger),
    }


def _whole(line: Mapping[str, object], name: str) -> int:
    value = line[name]
    return value if isinstance(value, int) else 0
