"""How much of what was agreed is spent, and what is left of it?"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gateway.allowance.account import Account, Room, readings
from gateway.clock import SECOND, rfc3339_seconds
from gateway.partners.agreement import Agreement, Limits


@lru_cache(10_000)
def room_of(limits: Limits) -> Room:
    """The allowance that was agreed, as the seal counts it."""
    return Room(limits.burst, limits.day, limits.month, limits.tariff, limits.prepaid)


def usage_document(agreement: Agreement, account: Account, now: int) -> dict[str, Any]:
    """Limits, spent, left, resets and cost of one agreement."""
    limits, room = agreement.limits, room_of(agreement.limits)
    shown = readings(account, room, now)
    document: dict[str, Any] = {
        "agreement": agreement.id,
        "limits": {
            reading.name: {
                "limit": reading.quota,
                "spent": reading.quota - reading.left,
                "left": reading.left,
                "resets_at": rfc3339_seconds(now + reading.reset * SECOND),
            }
            for reading in shown
        },
        "tariff": limits.tariff,
        "cost_month": limits.tariff * (room.month - shown[2].left),
    }
    if limits.prepaid:
        document["balance"] = account.balance
    return document
