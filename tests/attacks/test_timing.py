"""Does the time of an answer tell whether a NIK exists? Interleaved pairs over HTTP; a long proof (make prove)."""

# Attacks held here:
#   test_time_does_not_tell_whether_a_nik_exists   enumerating NIKs by how long "no" takes

from __future__ import annotations

import asyncio
import gc
import math
import random
import statistics
import time
from typing import Any

import pytest
from deployment import Deployment, Line, Partner, Reply, deployed

PAIRS, WARM = 10_000, 300


async def _took(partner: Partner, line: Line, question: dict[str, Any]) -> tuple[float, Reply]:
    headers = partner.headers()
    began = time.perf_counter()
    reply = await partner.verify(line, question, **headers)
    return time.perf_counter() - began, reply


def _shape(reply: Reply) -> tuple[object, ...]:
    """What a partner could tell two answers by, beside the time."""
    members = {name: value for name, value in reply.document.items() if name in {"usable", "match", "billed"}}
    return reply.status, members, list(reply.document), list(reply.headers), reply.headers["content-length"]


def _interval(values: list[float]) -> tuple[float, float]:
    """95 % confidence interval of the median, by order statistics: no assumption about the distribution."""
    ranked, half = sorted(values), 1.96 * math.sqrt(len(values)) / 2
    middle = len(values) / 2
    return ranked[math.floor(middle - half)], ranked[math.ceil(middle + half)]


async def _measure(node: Deployment) -> tuple[float, float, float]:
    """(lower, upper, median of all): the interval of the median difference unknown − wrong, in seconds."""
    partner = await Partner(node).log_in()
    line = await Line.to(node.port)
    differences: list[float] = []
    all_times: list[float] = []
    logged_in = time.monotonic()
    for at in range(-WARM, PAIRS):
        if time.monotonic() - logged_in > 200:  # a token lives 300 s
            await partner.log_in()
            logged_in = time.monotonic()
        resident = random.choice(node.active)  # noqa: S311  a sample, not a secret
        wrong = partner.question(resident)
        wrong["claims"]["name"] = "NOBODY OF THAT NAME"  # the same guess again costs no attempt
        unknown = wrong | {"nik": resident["nik"][:12] + "8999"}
        pair = [wrong, unknown]
        if random.random() < 0.5:  # noqa: S311
            pair.reverse()
        times = {question["nik"]: await _took(partner, line, question) for question in pair}
        (one, told), (other, told_too) = times[unknown["nik"]], times[wrong["nik"]]
        assert _shape(told) == _shape(told_too)
        if at >= 0:
            differences.append(one - other)
            all_times += [one, other]
    line.leave()
    return *_interval(differences), statistics.median(all_times)


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_time_does_not_tell_whether_a_nik_exists() -> None:
    """The 95 % interval of the median difference of unknown NIK and wrong claims is within ± 1 % of an answer."""
    with deployed() as node:
        gc.disable()
        try:
            low, high, middle = asyncio.run(_measure(node))
        finally:
            gc.enable()
    words = f"{low / middle:+.3%} to {high / middle:+.3%} of {middle * 1000:.3f} ms, {PAIRS:,} pairs"
    print(f"\nunknown NIK − wrong claims, median: {words}")  # noqa: T201  the measurement is for people to read
    assert max(-low, high) < 0.01 * middle, words
