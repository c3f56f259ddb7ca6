"""How near is near enough? The floors of every claim stand here and nowhere else; no caller can move them.

Bands and which of them decide: wire contract §3. Nothing outside this house ever sees a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Band(StrEnum):
    """How one claim that was sent compares with the record."""

    MATCH = "match"
    CLOSE = "close"
    DIFFERENT = "different"
    NOT_RECORDED = "not_recorded"


@dataclass(frozen=True, slots=True)
class Floor:
    """What makes a claim `close` when it is not a `match`.

    `similarity`: least share of letters (rapidfuzz Indel, 0–1) that two spellings of one word must have in common.
    0.94 allows one letter too many or too few in a word of eight or nine and nothing in a shorter one: SUPARTO and
    SUPARNO, YULIANI and YULIANTI, twins by their names, are two persons.
    `initials`: one letter may stand for a word. `order`: the same words in another order.
    """

    similarity: float
    initials: bool
    order: bool


FLOORS: Mapping[str, Floor] = {
    "name": Floor(0.94, initials=True, order=True),
    # Asked as if it were a secret, so a letter does not stand for a name.
    "mother_name": Floor(0.94, initials=False, order=True),
    # 514 regencies, few of them alike: one letter in a word of six or seven. SOLO and SOLOK stay apart.
    "birth_place": Floor(0.92, initials=False, order=False),
    "address": Floor(0.92, initials=False, order=True),
}
"""The claims that can be `close`, and so decide when they are; every other claim is equal or `different`."""

_COSTS = dict.fromkeys(
    ("sex", "marital_status", "occupation", "rt", "rw", "province", "regency", "district", "village"), 2
)


def decides(claim: str, band: Band) -> bool:
    """Whether `band` settles a deciding claim: `match` always, `close` for the claims of `FLOORS` alone."""
    return band is Band.MATCH or (band is Band.CLOSE and claim in FLOORS)


def guess_cost(bands: Mapping[str, Band]) -> int:
    """What one wrong guess takes from the attempt budget: the dearest claim that differs, at least 1.

    Claims with few values cost 2: five guesses at a sex or at an RT would be an answer.
    """
    return max((_COSTS.get(claim, 1) for claim, band in bands.items() if band is Band.DIFFERENT), default=1)
