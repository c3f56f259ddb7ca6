"""What would a version have refused of what was answered lately? The ledger's own answers, decided again under other terms.

The ledger keeps names of claims and never their values, so what is replayed is everything that a decision depends on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.allowance.periods import day_of, month_of
from gateway.errors import Cause, Refused
from gateway.partners.agreement import Agreement, AgreementInForce
from gateway.partners.networks import within
from gateway.policy.decide import Decider
from gateway.policy.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Past:
    """One answer as the ledger holds it; `claims` is None when its private part was destroyed."""

    client_id: str
    purpose: str
    at: int
    claims: frozenset[str] | None = None
    consent: str = ""
    channel: bool = False
    operator: bool = False
    on_behalf_of: bool = False
    address: str = ""
    certificate: str = ""


def past_of(actor: str, purpose: str, at: int, private: Mapping[str, Any]) -> Past:
    """An answer from its leaf's members and its private part (empty: destroyed)."""
    claims = private.get("claims")
    consent = private.get("consent", "")
    return Past(
        actor.partition("/")[2],
        purpose,
        at,
        frozenset(claims) if isinstance(claims, list) else None,
        "" if consent == "consent" and "reference" not in private else consent,
        "channel" in private,
        "operator" in private,
        "on_behalf_of" in private,
        private.get("address", ""),
        private.get("certificate", ""),
    )


def replay(decider: Decider, kind: str, agreement: Agreement, past: Iterable[Past]) -> dict[str, Any]:
    """How many of `past` would be refused under `agreement`, by cause and by purpose. `kind` is the partner's class."""
    # Not in force yet: what is asked here is what it would do if it were.
    supposed = AgreementInForce(agreement)
    causes: Counter[str] = Counter()
    purposes: Counter[str] = Counter()
    days: Counter[int] = Counter()
    months: Counter[int] = Counter()
    settled: dict[Past, str] = {}  # most answers of a partner differ in nothing that a decision depends on
    asked = unknown = 0
    for one in past:
        asked += 1
        if one.claims is None:
            unknown += 1
            continue
        alike = replace(one, at=0)
        cause = settled.get(alike)
        if cause is None:
            cause = settled[alike] = _refusal(decider, kind, supposed, one)
        if not cause:
            days[day_of(one.at)] += 1
            months[month_of(one.at)] += 1
            limits = agreement.limits
            if days[day_of(one.at)] > limits.day or months[month_of(one.at)] > limits.month:
                cause = Cause.ALLOWANCE_EXHAUSTED.value
        if cause:
            causes[cause] += 1
            purposes[one.purpose] += 1
    return {
        "answered": asked,
        "unknown": unknown,
        "refused": sum(causes.values()),
        "causes": dict(sorted(causes.items())),
        "purposes": dict(sorted(purposes.items())),
    }


def _refusal(decider: Decider, kind: str, supposed: AgreementInForce, one: Past) -> str:
    agreement = supposed.agreement
    terms = agreement.purposes.get(one.purpose)
    if terms is None:
        return Cause.PURPOSE_NOT_AGREED.value
    inputs = Inputs(
        partner=agreement.partner,
        kind=kind,
        agreement=supposed,
        purpose=one.purpose,
        claims=one.claims or frozenset(),
        consent=one.consent,
        channel=one.channel,
        operator=one.operator,
        on_behalf_of=one.on_behalf_of,
        address_allowed=bool(one.address) and within(one.address, agreement.networks),
        certificate_allowed=agreement.admits(one.certificate),
        client_id=one.client_id,
        sender_constraint="dpop",
    )
    try:
        decider.decide(terms, inputs)
    except Refused as refused:
        return refused.refusal.cause.value
    return ""
