"""What is left of what a partner may ask, and what falls due? Verdicts on usage, duties, failures and certificates.

A verdict is (check, state, what was found, what to do).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from nik_gateway_client.clock import DAY, HOUR, SECOND, jakarta_date, parse_rfc3339
from nik_gateway_client.verdicts import EXPIRY_WARNS, Verdict, mappings

SCARCE = 10  # per cent left of a day or a month, from which on it is told
FEW_ANSWERS = 1_000  # that the balance still pays for
DUTY_WARNS = timedelta(days=30)
EXHAUSTED = "attempts-exhausted"


def of_usage(usage: Mapping[str, Any]) -> Iterator[Verdict]:
    """Is there anything left to ask with? From `GET /v1/usage`: `allowance` and `balance`."""
    agreements = mappings(usage.get("agreements"))
    told, spent, scarce = [], [], []
    for agreement in agreements:
        for name, limit in _limits(agreement):
            words = f"{name} {limit['left']} of {limit['limit']} left"
            told.append(words)
            if limit["left"] <= 0 and name != "burst":
                spent.append(f"{agreement.get('agreement')}: {name} is spent until {limit.get('resets_at')}")
            elif limit["left"] * 100 <= limit["limit"] * SCARCE and name != "burst":
                scarce.append(f"{agreement.get('agreement')}: {words}")
    if spent:
        yield "allowance", "fail", "; ".join(spent), "wait until it resets, or have a larger allowance agreed"
    elif scarce:
        yield "allowance", "warn", "; ".join(scarce), "spread your calls, or have a larger allowance agreed"
    else:
        yield "allowance", "ok", "; ".join(told) or "no limit is told", ""
    yield _balance(agreements)


def _limits(agreement: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, int]]]:
    limits = agreement.get("limits")
    for name, limit in limits.items() if isinstance(limits, Mapping) else ():
        if isinstance(limit, Mapping) and all(type(limit.get(word)) is int for word in ("left", "limit")):
            yield str(name), limit


def _balance(agreements: Sequence[Mapping[str, Any]]) -> Verdict:
    told = []
    for agreement in agreements:
        balance, price = agreement.get("balance"), agreement.get("tariff")
        if type(balance) is not int or type(price) is not int:
            continue
        name = agreement.get("agreement")
        if balance < price:
            return (
                "balance",
                "fail",
                f"{name}: {balance} rupiah, an answer costs {price}",
                "pay in, and have it credited",
            )
        if price and balance // price < FEW_ANSWERS:
            return "balance", "warn", f"{name}: {balance} rupiah are {balance // price} answers", "pay in soon"
        told.append(f"{name}: {balance} rupiah")
    return "balance", "ok", "; ".join(told) or "nothing is prepaid", ""


def of_failures(failures: Mapping[str, Any], agreement: Mapping[str, Any], now: int) -> Verdict:
    """How many guesses for one NIK there are, and whether they ran out within a day (`GET /v1/failures`)."""
    budgets = sorted({
        f"{name}: {terms['attempts']} wrong guesses for one NIK in 24 h"
        for each in mappings(agreement.get("agreements"))
        for name, terms in (each.get("purposes") or {}).items()
        if isinstance(terms, Mapping) and "attempts" in terms
    })  # fmt: skip
    ran_out = [
        failure
        for failure in mappings(failures.get("items"))
        if isinstance(cause := failure.get("cause"), Mapping)
        and cause.get("slug") == EXHAUSTED
        and _instant(failure.get("at"), now) > now - 24 * HOUR
    ]
    found = "; ".join(budgets) or "no budget is told"
    if ran_out:
        advice = "ask the resident anew before the next guess; right guesses too wait until resets_at"
        return (
            "attempts",
            "warn",
            f"{len(ran_out)} calls of the last 24 h found the guesses for a NIK spent; {found}",
            advice,
        )
    return "attempts", "ok", found, ""


def of_duties(agreement: Mapping[str, Any], now: int) -> Verdict:
    """What the agreements in force want delivered, and by when."""
    today, told, soon = jakarta_date(now), [], []
    for each in mappings(agreement.get("agreements")):
        duties = each.get("duties")
        for name, duty in duties.items() if isinstance(duties, Mapping) else ():
            due = str(duty.get("due")) if isinstance(duty, Mapping) else ""
            words = f"{name} by {due}"
            told.append(words)
            try:
                if date.fromisoformat(due) - today <= DUTY_WARNS:
                    soon.append(words)
            except ValueError:
                continue
    if soon:
        return (
            "duties",
            "warn",
            "; ".join(soon),
            "deliver it in time: an agreement is suspended for what stays undelivered",
        )
    return "duties", "ok", "; ".join(told) or "none is told", ""


def of_certificate(file: Path | None, now: int) -> Verdict:
    """Until when the profile's own certificate holds."""
    if file is None:
        return "certificate", "ok", "the profile has none", ""
    found = x509.load_pem_x509_certificate(file.read_bytes())
    left = int(found.not_valid_after_utc.timestamp()) * SECOND - now
    shown = f"{file.name} holds until {found.not_valid_after_utc:%Y-%m-%d}"
    if left <= 0:
        return "certificate", "fail", shown, "get a new one and have it registered"
    if left <= EXPIRY_WARNS:
        return (
            "certificate",
            "warn",
            f"{shown}, {left // DAY} days more",
            "get a new one and have it registered in time",
        )
    return "certificate", "ok", shown, ""


def _instant(text: object, otherwise: int) -> int:
    try:
        return parse_rfc3339(str(text))
    except ValueError:
        return otherwise
