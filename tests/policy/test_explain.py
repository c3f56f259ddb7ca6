"""Does an explanation say the same as the decision, with every rule that fired?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cedarpy

from gateway.errors import Cause
from gateway.partners.agreement import PurposeTerms
from gateway.policy.decide import decide
from gateway.policy.explain import explain
from gateway.policy.inputs import Inputs
from gateway.policy.policies import Policies, load

Make = Callable[..., Inputs]


def test_permit_is_explained(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A permit comes with the rule that gave it and its advice in both languages."""
    found = explain(policies, terms, inputs())
    assert found.decision == "permit"
    assert found.permit == decide(policies, terms, inputs())
    assert found.refusal is None
    assert [rule.id for rule in found.rules] == ["agreement-in-force"]
    assert "berlaku" in found.rules[0].advice_id
    assert "in force" in found.rules[0].advice_en
    assert found.policy == policies.digest


def test_every_rule_that_fired_is_explained(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A refusal tells one cause, its explanation all of them, each with file and line."""
    found = explain(policies, terms, inputs(address_allowed=False, claims=frozenset({"name", "sex"})))
    assert found.decision == "refuse"
    assert found.refusal is not None
    assert found.refusal.cause is Cause.ADDRESS_NOT_ALLOWED
    assert [(rule.id, rule.file, rule.line) for rule in found.rules] == [
        ("address-not-allowed", "address.cedar", 3),
        ("claim-not-agreed", "claims.cedar", 3),
        ("claims-missing", "claims.cedar", 25),
    ]


def test_refusal_in_code_is_explained(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """An element of tier 3 is explained by the rule that stands in the program."""
    found = explain(policies, terms, inputs(claims=frozenset({"religion"})))
    assert found.refusal is not None
    assert found.refusal.facts == {"claims": ["religion"], "agreed": sorted(terms.claims)}
    assert [rule.id for rule in found.rules] == ["tier-3"]


def test_default_deny_is_explained(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """Where no rule permits the explanation says so."""
    found = explain(replace(policies, policy_set=cedarpy.PolicySet.from_str("")), terms, inputs())
    assert [rule.id for rule in found.rules] == ["default-deny"]
    assert found.errors == ()


def test_errors_are_explained(directory: Path, terms: PurposeTerms, inputs: Make) -> None:
    """A rule that failed to evaluate is named in the explanation."""
    (directory / "own.cedar").write_text(
        '@id("overflow") forbid (principal, action == Action::"verify", resource)'
        " when { context.terms.attempts + 9223372036854775807 == 0 };"
    )
    found = explain(load(directory), terms, inputs())
    assert found.decision == "refuse"
    assert [rule.id for rule in found.rules] == ["default-deny"]
    assert len(found.errors) == 1
    assert "overflow" in found.errors[0]
