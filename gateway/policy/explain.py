"""Why was this permitted or refused, and what can be done about it?"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Cause, Refusal, Refused
from gateway.partners.agreement import PurposeTerms
from gateway.partners.purposes import refuse_forbidden
from gateway.policy.decide import Permit, bounds, judge, settle
from gateway.policy.inputs import Inputs
from gateway.policy.policies import Policies
from gateway.policy.rules import DEFAULT_DENY, TIER_3, Rule

IN_CODE = {
    TIER_3: Rule(
        id=TIER_3,
        effect="forbid",
        refusal=Cause.CLAIM_NOT_AGREED.value,
        advice_id="Elemen ini tidak pernah dibandingkan untuk siapa pun (UU 24/2013 pasal 84). Jangan dikirim.",
        advice_en="This element is never compared for anyone (UU 24/2013 art 84). Do not send it.",
        file="",
        line=None,
    ),
    DEFAULT_DENY: Rule(
        id=DEFAULT_DENY,
        effect="forbid",
        refusal="",
        advice_id="Tidak ada kebijakan yang mengizinkan, atau kebijakan gagal dinilai. Periksa kebijakan.",
        advice_en="No policy permits it, or a policy failed to evaluate. Check the policies.",
        file="",
        line=None,
    ),
}
"""Rules that stand in the program and not in a file."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and its grounds: `permit` or `refusal`, every rule that fired, errors, digest of the policies."""

    permit: Permit | None
    refusal: Refusal | None
    rules: tuple[Rule, ...]
    errors: tuple[str, ...]
    policy: str

    @property
    def decision(self) -> str:
        """`permit` or `refuse`."""
        return "refuse" if self.permit is None else "permit"


def explain(policies: Policies, terms: PurposeTerms, inputs: Inputs) -> Explanation:
    """What `decide` would say of these inputs, and why. Never raises Refused."""
    try:
        refuse_forbidden(inputs.claims, bounds(terms, inputs))
    except Refused as refused:
        return Explanation(None, refused.refusal, (IN_CODE[TIER_3],), (), policies.digest)
    judgement = judge(policies, terms, inputs)
    rules = tuple(policies.rules[rule] for rule in judgement.rules)
    try:
        permit = settle(policies, terms, inputs, judgement)
    except Refused as refused:
        if not any(rule.effect == "forbid" for rule in rules):
            rules = (IN_CODE[DEFAULT_DENY],)
        return Explanation(None, refused.refusal, rules, judgement.errors, policies.digest)
    return Explanation(permit, None, rules, (), policies.digest)
