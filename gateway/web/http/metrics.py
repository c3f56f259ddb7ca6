"""How is the gateway doing? Prometheus counters and times by route, outcome and partner; never by resident."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.verification.latency import BUCKETS, bucket

TIMED = "/v1/verifications"
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
        self._witnesses = Counter(
            "nik_gateway_cosignatures", "Checkpoints sent to a witness, by its name and outcome (cosigned, missing).",
            ("witness", "outcome"), registry=self._registry,
        )  # fmt: skip
        self._checkpoints = Counter(
            "nik_gateway_checkpoints", "Attempts to publish a checkpoint, by outcome (published, refused, unreachable).",
            ("outcome",), registry=self._registry,
        )  # fmt: skip
        self._alerts = Counter(
            "nik_gateway_alerts", "Allowances and balances that passed 80, 90 or 100 per cent, by agreement and limit.",
            ("agreement", "limit", "level"), registry=self._registry,
        )  # fmt: skip
        self._counters: dict[tuple[str, str, str], Any] = {}
        self._times: dict[str, Any] = {}
        self._counts = [0] * BUCKETS

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
        if route == TIMED:
            self._counts[bucket(seconds)] += 1

    def take_counts(self) -> list[int]:
        """How many verifications took how long since the last time (`verification.timing`); counting begins anew."""
        counts, self._counts = self._counts, [0] * BUCKETS
        return counts

    def put_back(self, counts: list[int]) -> None:
        """Counts that could not be written: they go with the next."""
        self._counts = [one + other for one, other in zip(self._counts, counts, strict=True)]

    def note_witness(self, name: str, *, cosigned: bool) -> None:
        """A witness was asked for its cosignature."""
        self._witnesses.labels(name, "cosigned" if cosigned else "missing").inc()

    def note_checkpoint(self, outcome: str) -> None:
        """A checkpoint was due."""
        self._checkpoints.labels(outcome).inc()

    def note_alert(self, agreement: str, limit: str, level: int) -> None:
        """An allowance (day, month) or a balance has passed a level, in per cent."""
        self._alerts.labels(agreement, limit, str(level)).inc()

    def text(self) -> bytes:
        """The exposition format (version 0.0.4)."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
