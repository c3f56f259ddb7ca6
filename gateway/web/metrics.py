"""How is the gateway doing? Prometheus counters and times by route, outcome and partner; never by resident."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Counters of this process; with several workers `text` sums over all of them (PROMETHEUS_MULTIPROC_DIR)."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter(
            "nik_gateway_calls", "Calls by route, outcome (a problem's slug, or answer) and partner.",
            ("route", "outcome", "partner"), registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "nik_gateway_seconds", "Seconds from headers to answer, by route.", ("route",),
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._counters: dict[tuple[str, str, str], Any] = {}
        self._times: dict[str, Any] = {}

    def note(self, route: str, outcome: str, partner: str, seconds: float) -> None:
        """One call has ended."""
        key = (route, outcome, partner)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._calls.labels(*key)
        counter.inc()
        time = self._times.get(route)
        if time is None:
            time = self._times[route] = self._seconds.labels(route)
        time.observe(seconds)

    def text(self) -> bytes:
        """The exposition format (version 0.0.4)."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
