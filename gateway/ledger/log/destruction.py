"""Which private parts were destroyed, and under which record? A missing one without a record is a fault of the ledger.

A record is an entry of kind `destruction`; it tells kinds and a time before which every private part of those kinds was
destroyed, so that a check needs no list of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import LedgerFault
from gateway.ledger.log.entry import Kind

KEPT = frozenset({Kind.DESTRUCTION, Kind.NEW_LOG})
"""Kinds whose private parts are never destroyed: they explain the others."""
HOUR_TEXT = 13  # characters of an instant up to its hour: times of destruction are whole hours
SALT = 32


def record_document(kinds: list[str], before: str, count: int, approver: str, proposer: str) -> Mapping[str, Any]:
    """The private part of a destruction entry; `before` is RFC 3339 with milliseconds, at a whole hour."""
    return {"kinds": kinds, "before": before, "count": count, "proposer": proposer, "approver": approver}


class Destructions:
    """Missing private parts, met in order of index, and the records that explain them."""

    def __init__(self) -> None:
        self.count = 0
        self.under: dict[int, int] = {}
        self._open: dict[tuple[str, str], list[Any]] = {}  # (kind, hour) → [first index, count, latest `at`]

    def missing(self, index: int, kind: str, at: str) -> None:
        """The private part of entry `index` is not there."""
        self.count += 1
        found = self._open.setdefault((kind, at[:HOUR_TEXT]), [index, 0, at])
        found[1] += 1
        found[2] = max(found[2], at)

    def record(self, index: int, private: bytes) -> None:
        """The entry `index` is a record of destruction; its private part is what its leaf commits to."""
        try:
            told = msgspec.json.decode(private[SALT:])
            kinds, before = frozenset(told["kinds"]) - KEPT, str(told["before"])
        except (msgspec.MsgspecError, KeyError, TypeError):
            return  # explains nothing
        for (kind, hour), found in list(self._open.items()):
            if kind in kinds and found[2] < before:
                self.under[index] = self.under.get(index, 0) + found[1]
                del self._open[kind, hour]

    def require_all(self) -> None:
        """Raises LedgerFault that names the first missing private part which no record explains."""
        if self._open:
            first = min(found[0] for found in self._open.values())
            raise LedgerFault(first, "private: destroyed without a record of it")
