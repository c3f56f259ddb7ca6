"""How much is left? The RateLimit headers of the last reply (draft-ietf-httpapi-ratelimit-headers)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from nik_gateway_client.clock import SECOND

_ITEM = re.compile(r'"([^"\\]*)"((?:;[a-z*][a-z0-9_.*-]*(?:=(?:"[^"\\]*"|:[A-Za-z0-9+/=]*:|[^,;"]+))?)*)')
_NUMBER = re.compile(r";([a-z]+)=(\d+)(?=;|$)")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: `left` of `quota` (None when not told) and seconds until it is fresh again (None when not told)."""

    name: str
    left: int
    quota: int | None
    resets_in: int | None


def limits_of(headers: Mapping[str, str]) -> tuple[Limit, ...]:
    """Every limit that a reply's RateLimit header tells, with its quota from RateLimit-Policy; none is no error."""
    quotas = {name: numbers.get("q") for name, numbers in _items(headers.get("ratelimit-policy", ""))}
    return tuple(
        Limit(name, numbers["r"], quotas.get(name), numbers.get("t"))
        for name, numbers in _items(headers.get("ratelimit", ""))
        if "r" in numbers
    )


def retry_after_of(headers: Mapping[str, str], now: int) -> float | None:
    """Seconds that Retry-After asks to wait (RFC 9110 §10.2.3: seconds or a date), or None. `now` in microseconds."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now / SECOND)
    except (ValueError, TypeError, OverflowError):
        return None


def _items(header: str) -> list[tuple[str, dict[str, int]]]:
    found = _ITEM.findall(header)
    return [(name, {unit: int(number) for unit, number in _NUMBER.findall(rest)}) for name, rest in found]
