"""May this be asked, and what may the answer contain?

Cedar decides over `Inputs`. Everything unclear is a refusal: no permit, no decision, an error in any rule. Elements of
tier 3 are refused before Cedar is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import cedarpy

from gateway.errors import Cause, Refusal, Refused
from gateway.partners.agreement import Disclosure, PurposeTerms
from gateway.partners.purposes import refuse_forbidden
from gateway.policy.inputs import Inputs, cedar_entities, cedar_request
from gateway.policy.policies import Policies
from gateway.policy.rules import DEFAULT_DENY, PRECEDENCE


@dataclass(frozen=True, slots=True)
class Permit:
    """The leave to answer one question: what decides, what informs, and how much may be disclosed.

    `policy` is the digest of the policies that gave it, `rules` the ids of the permits that held.
    """

    disclosure: Disclosure
    decide: tuple[str, ...]
    inform: tuple[str, ...]
    attempts: int
    tells_order: bool
    policy: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What Cedar said: whether it allowed, the ids of the rules that settled it (sorted), and errors on the way."""

    allowed: bool
    rules: tuple[str, ...]
    errors: tuple[str, ...]


def judge(policies: Policies, terms: PurposeTerms, inputs: Inputs) -> Judgement:
    """Put the question to Cedar. Whatever goes wrong is told as an error, and never as allowed."""
    try:
        answer = cedarpy.is_authorized(
            cedar_request(terms, inputs), policies.policy_set, cedar_entities(inputs), policies.schema
        )
    except (ValueError, TypeError) as error:
        return Judgement(allowed=False, rules=(), errors=(str(error),))
    errors = tuple(answer.diagnostics.errors)
    # Cedar skips a rule that fails to evaluate. A forbid that fails must not become a permission.
    allowed = answer.decision is cedarpy.Decision.Allow and not errors
    return Judgement(allowed, tuple(sorted(answer.diagnostics.reasons)), errors)


def decide(policies: Policies, terms: PurposeTerms, inputs: Inputs) -> Permit:
    """The permit for these inputs under the terms of the agreement. Raises Refused with the first cause of PRECEDENCE.

    `seen_address` of ADDRESS_NOT_ALLOWED is the caller's to add: an address is no input of a decision.
    """
    refuse_forbidden(inputs.claims, bounds(terms, inputs))
    return settle(policies, terms, inputs, judge(policies, terms, inputs))


def bounds(terms: PurposeTerms, inputs: Inputs) -> frozenset[str]:
    """The claims that may be asked for: those agreed, as far as the token goes."""
    return terms.claims if inputs.token_claims is None else terms.claims & inputs.token_claims


def settle(policies: Policies, terms: PurposeTerms, inputs: Inputs, judgement: Judgement) -> Permit:
    """The permit that a judgement gives. Raises Refused when it gives none."""
    if not judgement.allowed:
        raise _refused(policies, terms, inputs, judgement)
    return Permit(
        terms.disclosure,
        terms.decide,
        terms.inform,
        terms.attempts,
        terms.tells_order,
        policies.digest,
        judgement.rules,
    )


def _refused(policies: Policies, terms: PurposeTerms, inputs: Inputs, judgement: Judgement) -> Refused:
    fired = {rule: policies.rules[rule] for rule in judgement.rules if policies.rules[rule].effect == "forbid"}
    told = {rule.refusal or Cause.REFUSED_BY_POLICY.value for rule in fired.values()}
    for cause in PRECEDENCE:
        if cause.value in told:
            break
    else:
        return Refused(Cause.REFUSED_BY_POLICY, policy=DEFAULT_DENY)
    facts: dict[str, object] = {}
    if cause is Cause.PURPOSE_NOT_AGREED:
        purposes = inputs.agreement.agreement.purposes.keys()
        facts["purpose"] = inputs.purpose
        facts["agreed"] = sorted(purposes if inputs.token_purposes is None else purposes & inputs.token_purposes)
    elif cause is Cause.CLAIM_NOT_AGREED:
        within = bounds(terms, inputs)
        facts["claims"] = sorted(inputs.claims - within)
        facts["agreed"] = sorted(within)
    elif cause is Cause.CLAIMS_MISSING:
        facts["claims"] = sorted(set(terms.decide) - inputs.claims)
    elif cause is Cause.CONTEXT_MISSING:
        facts["members"] = [name for name in sorted(terms.demands - {"consent"}) if not inputs.carries(name)]
    elif cause is Cause.REFUSED_BY_POLICY:
        facts["policy"] = min(rule_id for rule_id, rule in fired.items() if not rule.refusal)
    return Refused(cause, **facts)


class Decider:
    """Decides with one set of policies and remembers what it decided, refusals too; the oldest is forgotten first.

    New policies need a new Decider. A new version of an agreement has another digest and so other inputs.
    """

    def __init__(self, policies: Policies, capacity: int = 10_000) -> None:
        self.policies = policies
        self._capacity = capacity
        self._settled: dict[Inputs, tuple[PurposeTerms, Permit | Refusal]] = {}

    def decide(self, terms: PurposeTerms, inputs: Inputs) -> Permit:
        """As the function `decide`. Raises Refused."""
        known = self._settled.get(inputs)
        holds = known is not None and (known[0] is terms or known[0] == terms)
        settled = known[1] if known is not None and holds else self._settle(terms, inputs)
        if isinstance(settled, Permit):
            return settled
        # A new exception each time: one that is raised again would gather tracebacks.
        raise Refused(settled.cause, **settled.facts)

    def _settle(self, terms: PurposeTerms, inputs: Inputs) -> Permit | Refusal:
        settled: Permit | Refusal
        try:
            settled = decide(self.policies, terms, inputs)
        except Refused as refused:
            settled = refused.refusal
        while len(self._settled) >= self._capacity:
            self._settled.pop(next(iter(self._settled)), None)
        self._settled[inputs] = (terms, settled)
        return settled
