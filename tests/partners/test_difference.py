"""What does a version change, and does it widen access?"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.clock import DAY
from gateway.partners.agreement import Agreement, AgreementState, Disclosure, Limits, PurposeTerms
from gateway.partners.difference import Effect, difference, needs_assessment

TERMS = PurposeTerms(
    "opening", "consent", ("name", "birth_date"), ("sex",), Disclosure.STATUS, 3, frozenset({"consent"})
)
HELD = Agreement(
    "pks", "bank", 1, AgreementState.IN_FORCE, "", 0, 100 * DAY, {"opening": TERMS}, Limits(10, 100, 1000, 1000, prepaid=True),
    (ip_network("192.0.2.0/24"),), {"dpia": {"date": "2025-01-01"}, "access": {"certificates": ["a"]}},
)  # fmt: skip


def terms(**changes: Any) -> dict[str, Any]:
    return {"purposes": {"opening": replace(TERMS, **changes)}}


@pytest.mark.parametrize(
    ("changes", "path", "effect"),
    [
        (terms(inform=("sex", "address")), "purposes.opening.inform", Effect.WIDENS),
        (terms(inform=()), "purposes.opening.inform", Effect.NARROWS),
        (terms(decide=("name",)), "purposes.opening.decide", Effect.WIDENS),
        (terms(decide=("name", "birth_date", "sex"), inform=()), "purposes.opening.decide", Effect.NARROWS),
        (terms(disclosure=Disclosure.CLAIMS), "purposes.opening.disclosure", Effect.WIDENS),
        (terms(disclosure=Disclosure.VERDICT), "purposes.opening.disclosure", Effect.NARROWS),
        (terms(attempts=5), "purposes.opening.attempts", Effect.WIDENS),
        (terms(demands=frozenset()), "purposes.opening.demands", Effect.WIDENS),
        (terms(tells_order=True), "purposes.opening.tells_order", Effect.WIDENS),
        (terms(sector_law="other"), "purposes.opening.sector_law", Effect.NEUTRAL),
        ({"purposes": {}}, "purposes.opening", Effect.NARROWS),
        ({"purposes": {"opening": TERMS, "credit": TERMS}}, "purposes.credit", Effect.WIDENS),
        ({"limits": Limits(10, 101, 1000, 1000, prepaid=True)}, "allowance.day", Effect.WIDENS),
        ({"limits": Limits(9, 100, 1000, 1000, prepaid=True)}, "allowance.burst", Effect.NARROWS),
        ({"limits": Limits(10, 100, 1000, 0, prepaid=True)}, "allowance.tariff", Effect.WIDENS),
        ({"limits": Limits(10, 100, 1000, 1000, prepaid=False)}, "allowance.prepaid", Effect.WIDENS),
        ({"ends": 101 * DAY}, "term.ends", Effect.WIDENS),
        ({"starts": DAY}, "term.starts", Effect.NARROWS),
        ({"networks": (ip_network("192.0.2.0/24"), ip_network("198.51.100.0/24"))}, "access.addresses", Effect.WIDENS),
        ({"networks": ()}, "access.addresses", Effect.NARROWS),
        ({"fields": {**HELD.fields, "access": {"certificates": ["a", "b"]}}}, "access.certificates", Effect.WIDENS),
        ({"fields": {**HELD.fields, "on_behalf_of": ["koperasi"]}}, "on_behalf_of", Effect.WIDENS),
        ({"fields": {**HELD.fields, "dpia": {"date": "2026-01-01"}}}, "dpia.date", Effect.NEUTRAL),
    ],
)
def test_every_change_is_told_with_its_effect(changes: dict[str, Any], path: str, effect: Effect) -> None:
    """Whatever lets a partner ask more, learn more, from more places, longer or cheaper, widens."""
    found = {each.path: each for each in difference(HELD, replace(HELD, **changes))}
    assert found[path].effect is effect
    assert set(found) <= {path, f"{path}.disclosure", "purposes.opening.inform"}


def test_changes_are_told_in_both_languages() -> None:
    """In words that say what stood there, what will, and what it does."""
    (change,) = difference(HELD, replace(HELD, limits=Limits(10, 2000, 1000, 1000, prepaid=True)))
    text = change.document()["text"]
    assert text == {
        "id": "Kuota harian: 100 → 2,000 (memperluas akses)",
        "en": "Allowance per day: 100 → 2,000 (widens access)",
    }


def test_a_first_version_widens_everything() -> None:
    """Where nothing was agreed every purpose, limit and day of the term is new; what widens is told first."""
    effects = [each.effect for each in difference(None, HELD)]
    assert effects == sorted(effects, key=list(Effect).index)
    assert {"purposes.opening", "allowance.day", "term.ends"} <= {each.path for each in difference(None, HELD)}
    assert difference(HELD, HELD) == ()


def test_only_purposes_elements_and_allowances_need_an_assessment() -> None:
    """Another address or term is no new processing."""
    assert needs_assessment(HELD, replace(HELD, **terms(inform=())))
    assert needs_assessment(HELD, replace(HELD, limits=Limits(1, 1, 1)))
    assert not needs_assessment(HELD, replace(HELD, ends=200 * DAY, networks=()))
    assert not needs_assessment(None, HELD)
