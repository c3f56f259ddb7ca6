"""How near is near enough? The floors of the claims (gateway/claims.py), which no caller can move.

Bands and which of them decide: wire contract §3. Nothing outside this house ever sees a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gateway.claims import CLAIMS, Floor


class Band(StrEnum):
    """How one claim that was sent compares with the record."""

    MATCH = "match"
    CLOSE = "close"
    DIFFERENT = "different"
    NOT_RECORDED = "not_recorded"


FLOORS: Mapping[str, Floor] = {name: row.floor for name, row in CLAIMS.items() if row.floor is not None}
"""The claims that can be `close`, and so decide when they are; every other claim is equal or `different`."""

_COSTS = {name: row.cost for name, row in CLAIMS.items()}


def decides(claim: str, band: Band) -> bool:
    """Whether `band` settles a deciding claim: `match` always, `close` for the claims of `FLOORS` alone."""
    return band is Band.MATCH or (band is Band.CLOSE and claim in FLOORS)


def guess_cost(bands: Mapping[str, Band]) -> int:
    """What one wrong guess takes from the attempt budget: the dearest claim that differs, at least 1.

    Claims with few values cost 2: five guesses at a sex or at an RT would be an answer.
    """
    return max((_COSTS.get(claim, 1) for claim, band in bands.items() if band is Band.DIFFERENT), default=1)
