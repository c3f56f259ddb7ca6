"""How many calls come, how do they end, how long do they take? Charts that renew themselves, and the same numbers as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.console.frame.page import APPROVER, AUDITOR, ENGINEER, REGISTRAR, Ask, Column, Page, TableSpec
from gateway.console.frame.session import Visit
from gateway.console.pages.engineer import UsageGauge, balance, gauges

STEPS = ("minute", "hour", "day")
_FIRST = "minute"
_SUMS = tuple(
    Column(name, "number", label=f"traffic.{name}") for name in ("calls", "usable", "not_usable", "repeats", "refused")
)
_TIMES = tuple(Column(f"latency.{name}", "number", label=f"traffic.{name}") for name in ("p50", "p95", "p99"))
_POINTS = TableSpec("traffic_points", "traffic", (Column("at", "time", label="traffic.at"), *_SUMS), items="points")


def _made(docs: Mapping[str, Any], _: Visit, __: int) -> Mapping[str, Any]:
    """Refusals by cause, the most first; and who has least left, with what nobody has used of a limit left out."""
    document = docs["traffic"]
    if document is None:
        return {}
    refusals = sorted(document["total"]["refusals"].items(), key=lambda one: (-one[1], one[0]))
    left = [
        {
            "partner": one["partner"],
            "agreement": one["agreement"],
            "gauges": _slow(gauges(one)),
            "balance": balance(one),
        }
        for one in document["allowances"]
    ]
    left.sort(key=lambda one: -max(gauge.percent for gauge in one["gauges"]))
    return {"refusals": refusals, "allowances": left, "steps": STEPS}


def _slow(found: list[UsageGauge]) -> list[UsageGauge]:
    """The limits of a day and a month: a burst is whole again before anybody has read it."""
    return [one for one in found if one.name != "burst"]


_HOUSE = Page(
    name="traffic",
    path="/console/traffic",
    roles=frozenset({REGISTRAR, APPROVER, AUDITOR}),
    menu=True,
    asks=(
        Ask(
            "traffic",
            "traffic",
            "partners.read",
            query=("partner", "step"),
            fixed={"step": _FIRST},
            also="audit.read",
            optional=True,
        ),
    ),
    tables=(
        replace(_POINTS, columns=(*_POINTS.columns, *_TIMES)),
        TableSpec(
            "traffic_partners",
            "traffic",
            (Column("partner", "code", link="/console/traffic?partner={partner}", label="traffic.partner"), *_SUMS),
            items="partners",
        ),
    ),
    template="traffic.html",
    script="charts.js",
    live=True,
    made=_made,
)

PAGES: tuple[Page, ...] = (
    _HOUSE,
    replace(
        _HOUSE,
        name="own_traffic",
        path="/console/own/traffic",
        roles=frozenset({ENGINEER}),
        asks=(Ask("traffic", "own_traffic", "nik.verify", query=("step",), fixed={"step": _FIRST}),),
        tables=(_POINTS,),
    ),
)
