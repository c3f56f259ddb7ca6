"""What may this answer contain? Keeps of what is known only what the permit discloses (docs/integrate.md, "Answers").

Everything past `match` comes only with `match: true`; an unknown NIK and wrong claims give the same members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.claims import CLAIMS
from gateway.matching.bands import Band, decides, guess_cost
from gateway.partners.agreement import Disclosure, PurposeTerms
from gateway.register.reasons import REASONS, Status

LOW_ENTROPY = frozenset(name for name, row in CLAIMS.items() if row.guessable)


@dataclass(frozen=True, slots=True)
class JudgedClaims:
    """What the house knows after step 6; nothing of it leaves but through `disclose`."""

    matched: bool
    bands: Mapping[str, Band]
    status: Status
    reason: str | None
    regency: str
    as_of: str
    recheck_after: str
    changed: bool | None
    subject: str


def matches(terms: PurposeTerms, bands: Mapping[str, Band]) -> bool:
    """Whether every deciding claim matches; a deciding claim that was not sent does not."""
    return all(claim in bands and decides(claim, bands[claim]) for claim in terms.decide)


def disclose(judgement: JudgedClaims, disclosure: Disclosure, *, tells_order: bool) -> dict[str, Any]:
    """The members of the answer that this disclosure allows, without those that the seal adds."""
    usable = judgement.matched and judgement.status is Status.ACTIVE
    depth = disclosure.depth
    if not judgement.matched:
        return unmatched(disclosure)
    if depth == 0:
        return {"usable": usable}
    answer: dict[str, Any] = {
        "usable": usable,
        "match": True,
        "status": judgement.status,
        "as_of": judgement.as_of,
        "recheck_after": judgement.recheck_after,
        "subject": judgement.subject,
    }
    if judgement.changed is not None:
        answer["changed"] = judgement.changed
    reason = told_reason(judgement.reason, disclosure, tells_order=tells_order)
    if reason is not None:
        answer["reason"] = reason
        remedy = REASONS[reason].remedy.document()
        if judgement.bands.get("regency") is Band.MATCH:
            remedy = {**remedy, "regency": judgement.regency}
        answer["remedy"] = remedy
    if depth >= Disclosure.CLAIMS.depth:
        answer["claims"] = judgement.bands
    return answer


def unmatched(disclosure: Disclosure) -> dict[str, Any]:
    """The members when a deciding claim does not match or nobody has the NIK."""
    return {"usable": False} if disclosure.depth == 0 else {"usable": False, "match": False}


def told_reason(reason: str | None, disclosure: Disclosure, *, tells_order: bool) -> str | None:
    """The reason as this disclosure tells it, None where it tells none; an order may have to be told as an anomaly."""
    if reason is None or disclosure.depth < Disclosure.REASON.depth:
        return None
    return "anomaly" if reason == "by_order" and not tells_order else reason


def visible_cost(answer: Mapping[str, Any], terms: PurposeTerms, sent: Mapping[str, str]) -> int:
    """What this answer costs the attempt budget: only what the partner can see may count, or the budget itself would tell.

    0 when nothing wrong is visible. A wrong answer costs more when a claim that is easily guessed was among those asked.
    """
    if "match" not in answer:
        return 0 if answer["usable"] else _blind_cost(terms, sent)
    if not answer["match"]:
        return _blind_cost(terms, sent)
    bands: Mapping[str, Band] = answer.get("claims", {})
    return guess_cost(bands) if any(band is Band.DIFFERENT for band in bands.values()) else 0


def _blind_cost(terms: PurposeTerms, sent: Mapping[str, str]) -> int:
    return 2 if any(claim in LOW_ENTROPY for claim in terms.decide if claim in sent) else 1
