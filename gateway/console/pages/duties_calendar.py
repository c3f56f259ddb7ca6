"""What is due in which month? The duties of the calendar, what is late first, then month by month."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from gateway.clock import jakarta_date
from gateway.console.frame.session import Visit
from gateway.partners.in_force import months_after

SPANS = (1, 3, 6, 12)
"""How many months ahead may be looked."""
_DELIVERABLE = frozenset({"return_data", "semester_report"})


def made(documents: Mapping[str, Any], visit: Visit, now: int) -> Mapping[str, Any]:
    """`late`: what is late or overdue; `months`: (first day, items) of every month with something due; what may be chosen."""
    items = [{**item, "deliverable": item["duty"] in _DELIVERABLE} for item in documents["duties"]["items"]]
    today = jakarta_date(now)
    late = [item for item in items if item["state"] != "due"]
    months: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        if item["state"] == "due":
            months.setdefault(f"{item['due'][:7]}-01", []).append(item)
    query = visit.query()
    return {
        "late": late,
        "months": sorted(months.items()),
        "today": today.isoformat(),
        "cut": documents["duties"].get("next"),
        "partner": query.get("partner", ""),
        "until": query.get("until", ""),
        "spans": [(months_after(today, span).isoformat(), span) for span in SPANS],
        "days": {item["id"]: (date.fromisoformat(item["due"]) - today).days for item in items},
    }
