"""Is exactly what was agreed permitted, and every other question refused for the right cause?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Cause, Refusal, Refused
from gateway.partners.agreement import AgreementInForce, Disclosure, PurposeTerms
from gateway.partners.purposes import FORBIDDEN, TIER_1, TIER_2
from gateway.policy.decide import Decider, Permit, decide
from gateway.policy.inputs import Inputs
from gateway.policy.policies import Policies, load
from gateway.policy.rules import PRECEDENCE, REQUIRED

Make = Callable[..., Inputs]
NAMES = frozenset({"name", "birth_date"})


def refusal(policies: Policies, terms: PurposeTerms, inputs: Inputs) -> Refusal:
    """The refusal that these inputs get; a permit fails the test."""
    with pytest.raises(Refused) as caught:
        decide(policies, terms, inputs)
    return caught.value.refusal


def test_what_was_agreed_is_permitted(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A question within the agreement is permitted, with its disclosure, its claims and the digest of the policies."""
    permit = decide(policies, terms, inputs())
    assert permit == Permit(
        Disclosure.REASON,
        ("name", "birth_date"),
        ("birth_place", "mother_name"),
        3,
        tells_order=False,
        policy=policies.digest,
        rules=("agreement-in-force",),
    )


def test_address_outside_the_agreement_is_refused(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A call from an address that is not allowed is refused; the address itself is the caller's to tell."""
    assert refusal(policies, terms, inputs(address_allowed=False)) == Refusal(Cause.ADDRESS_NOT_ALLOWED)


def test_certificate_outside_the_agreement_is_refused(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A call without a certificate that the agreement asks for is refused by the rule that says so."""
    found = refusal(policies, terms, inputs(certificate_allowed=False))
    assert found == Refusal(Cause.REFUSED_BY_POLICY, {"policy": "certificate-not-agreed"})


def test_purpose_other_than_that_of_the_terms_is_refused(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A purpose that the terms are not about is refused."""
    found = refusal(policies, terms, inputs(purpose="vaccination"))
    agreed = sorted(inputs().agreement.agreement.purposes)
    assert found == Refusal(Cause.PURPOSE_NOT_AGREED, {"purpose": "vaccination", "agreed": agreed})


def test_purpose_outside_the_token_is_refused(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A token that was asked for other purposes bounds the call; one that names this purpose lets it through."""
    found = refusal(policies, terms, inputs(token_purposes=frozenset({"credit_application"})))
    assert found.cause is Cause.PURPOSE_NOT_AGREED
    assert found.facts["agreed"] == sorted({"credit_application"} & inputs().agreement.agreement.purposes.keys())
    assert refusal(policies, terms, inputs(token_purposes=frozenset())).facts["agreed"] == []
    assert decide(policies, terms, inputs(token_purposes=frozenset({"account_opening", "vaccination"})))


def test_claim_outside_the_agreement_is_refused(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A claim that was not agreed is refused and named; one that may inform is permitted."""
    found = refusal(policies, terms, inputs(claims=NAMES | {"rw", "address", "mother_name"}))
    agreed = sorted(terms.claims)
    assert found == Refusal(Cause.CLAIM_NOT_AGREED, {"claims": ["address", "rw"], "agreed": agreed})
    assert decide(policies, terms, inputs(claims=NAMES | {"mother_name"}))


def test_claim_outside_the_token_is_refused(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A token that was asked for some claims bounds the call to them, however much was agreed."""
    found = refusal(policies, terms, inputs(claims=NAMES | {"mother_name"}, token_claims=NAMES))
    assert found == Refusal(Cause.CLAIM_NOT_AGREED, {"claims": ["mother_name"], "agreed": sorted(NAMES)})
    assert decide(policies, terms, inputs(token_claims=NAMES))


def test_token_does_not_widen_the_agreement(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A claim that the token names is still refused when it was not agreed."""
    found = refusal(policies, terms, inputs(claims=NAMES | {"sex"}, token_claims=NAMES | {"sex"}))
    assert found == Refusal(Cause.CLAIM_NOT_AGREED, {"claims": ["sex"], "agreed": sorted(NAMES)})


def test_missing_deciding_claim_is_refused(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """Every claim that decides must be sent; those that are absent are named."""
    assert refusal(policies, terms, inputs(claims=frozenset({"name"}))) == Refusal(
        Cause.CLAIMS_MISSING, {"claims": ["birth_date"]}
    )
    assert refusal(policies, terms, inputs(claims=frozenset())).facts == {"claims": ["birth_date", "name"]}


@pytest.mark.parametrize("basis", ["", "contract", "public_task"])
def test_missing_consent_is_refused(basis: str, policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """Where consent is demanded no other basis will do; where it is not, none is needed."""
    demanding = replace(terms, demands=frozenset({"consent"}))
    assert refusal(policies, demanding, inputs(consent=basis)) == Refusal(Cause.CONSENT_MISSING)
    assert decide(policies, demanding, inputs(consent="consent"))
    assert decide(policies, terms, inputs(consent=basis))


@pytest.mark.parametrize("member", ["channel", "operator", "on_behalf_of"])
def test_missing_context_is_refused(member: str, policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """What an agreement demands of every request is named when it is absent."""
    demanding = replace(terms, demands=frozenset({member}))
    others = {name: name != member for name in ("channel", "operator", "on_behalf_of")}
    assert refusal(policies, demanding, inputs(**others)) == Refusal(Cause.CONTEXT_MISSING, {"members": [member]})
    assert decide(policies, demanding, inputs(**{member: True}))


def test_all_missing_context_is_named(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """Only what is demanded and absent is named, and consent has its own cause."""
    demanding = replace(terms, demands=frozenset({"consent", "channel", "on_behalf_of"}))
    found = refusal(policies, demanding, inputs(consent="consent"))
    assert found == Refusal(Cause.CONTEXT_MISSING, {"members": ["channel", "on_behalf_of"]})


def test_agreement_of_another_partner_is_refused(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """No partner asks under an agreement that is not its own."""
    found = refusal(policies, terms, inputs(partner="bank-lain"))
    assert found == Refusal(Cause.REFUSED_BY_POLICY, {"policy": "default-deny"})


def test_first_cause_of_the_order_is_told(
    policies: Policies, directory: Path, terms: PurposeTerms, inputs: Make
) -> None:
    """When everything is wrong the causes come in their fixed order, each once the one before is mended."""
    (directory / "own.cedar").write_text('@id("closed") forbid (principal, action == Action::"verify", resource);')
    closed = load(directory)
    demanding = replace(terms, demands=frozenset({"consent", "operator"}))
    mended = {
        "address_allowed": True,
        "purpose": "account_opening",
        "claims": frozenset({"name"}),
        "token_claims": None,
        "consent": "consent",
        "operator": True,
    }
    worst = {
        "address_allowed": False,
        "purpose": "vaccination",
        "claims": frozenset({"name", "sex"}),
        "token_claims": None,
        "consent": "",
        "operator": False,
    }
    causes = []
    for member in ("address_allowed", "purpose", "claims", "", "consent", "operator", "end"):
        causes.append(refusal(closed, demanding, inputs(**worst)).cause)
        if member == "":
            worst["claims"] = NAMES
        elif member in mended:
            worst[member] = mended[member]
    assert tuple(causes) == PRECEDENCE
    assert policies.digest != closed.digest


def test_operators_own_rule_is_told_by_its_id(directory: Path, terms: PurposeTerms, inputs: Make) -> None:
    """A forbid without @refusal refuses as refused-by-policy with its id, the first by name when there are several."""
    rule = '@id("{}") forbid (principal, action == Action::"verify", resource) when {{ principal.kind == "bank" }};'
    (directory / "own.cedar").write_text(rule.format("z-rule") + rule.format("a-rule"))
    found = refusal(load(directory), terms, inputs())
    assert found == Refusal(Cause.REFUSED_BY_POLICY, {"policy": "a-rule"})
    assert decide(load(directory), terms, inputs(kind="ministry")).rules == ("agreement-in-force",)


PERMITS_ALL = """
@id("all") permit (principal, action == Action::"verify", resource)
when { context.agreement.state == "in_force" && context.agreement.partner == principal };
"""
NEVER = '@id("{0}") @refusal("{0}") forbid (principal, action == Action::"verify", resource) when {{ false }};\n'


@pytest.fixture
def permissive(directory: Path) -> Policies:
    """Policies that forbid nothing at all under an agreement."""
    for path in directory.glob("*.cedar"):
        path.unlink()
    never = "".join(NEVER.format(cause.value) for cause in PRECEDENCE[:-1])
    never += "".join(NEVER.replace('@refusal("{0}") ', "").format(id) for id in sorted(REQUIRED))
    (directory / "all.cedar").write_text(PERMITS_ALL + never)
    return load(directory)


@pytest.mark.parametrize("claim", sorted(FORBIDDEN))
def test_tier_3_is_refused_whatever_a_policy_permits(
    claim: str, permissive: Policies, terms: PurposeTerms, inputs: Make
) -> None:
    """The elements of art 84, religion and blood type are refused although policy, agreement and token allow them."""
    lawless = replace(terms, inform=(claim,))
    asked = inputs(claims=NAMES | {claim}, token_claims=NAMES | {claim})
    assert decide(permissive, lawless, inputs(claims=NAMES | {"address"}))
    told = {"claims": [claim], "agreed": sorted(NAMES)}
    assert refusal(permissive, lawless, asked) == Refusal(Cause.CLAIM_NOT_AGREED, told)
    with pytest.raises(Refused):
        Decider(permissive).decide(lawless, asked)


def test_without_a_permit_nothing_is_allowed(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """Where no rule permits and none forbids the answer is no."""
    empty = replace(policies, policy_set=cedarpy.PolicySet.from_str(""))
    found = refusal(empty, terms, inputs())
    assert found == Refusal(Cause.REFUSED_BY_POLICY, {"policy": "default-deny"})


def test_no_decision_is_a_refusal(permissive: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A request that does not fit the schema gets no decision from Cedar, and so no answer from the house."""
    schema = cedarpy.Schema.from_str(
        'entity Partner, Purpose; action "verify" appliesTo { principal: [Partner], resource: [Purpose], context: {} };'
    )
    found = refusal(replace(permissive, schema=schema), terms, inputs(kind="bank"))
    assert found == Refusal(Cause.REFUSED_BY_POLICY, {"policy": "default-deny"})


def test_input_that_cannot_be_put_to_cedar_is_a_refusal(
    permissive: Policies, terms: PurposeTerms, inputs: Make
) -> None:
    """A value of the wrong type in the inputs is refused, not guessed at."""
    found = refusal(permissive, terms, inputs(consent=object()))
    assert found == Refusal(Cause.REFUSED_BY_POLICY, {"policy": "default-deny"})


def test_rule_that_fails_to_evaluate_is_a_refusal(directory: Path, terms: PurposeTerms, inputs: Make) -> None:
    """A forbid that overflows is skipped by Cedar and the permit stands; the house refuses all the same."""
    (directory / "own.cedar").write_text(
        '@id("overflow") forbid (principal, action == Action::"verify", resource)'
        " when { context.terms.attempts + 9223372036854775807 == 0 };"
    )
    found = refusal(load(directory), terms, inputs())
    assert found == Refusal(Cause.REFUSED_BY_POLICY, {"policy": "default-deny"})


def test_cached_decision_is_the_same(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A decider gives the very permit and an equal refusal again, each in a new exception with its own facts."""
    decider = Decider(policies)
    assert decider.decide(terms, inputs()) is decider.decide(terms, inputs())
    bad = inputs(claims=frozenset({"name"}))
    caught = []
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            decider.decide(terms, bad)
        caught.append(refused.value)
    assert caught[0] is not caught[1]
    assert caught[0].refusal == caught[1].refusal == refusal(policies, terms, bad)


def test_cache_is_bounded(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """A decider never remembers more than its capacity, forgets the oldest, and still decides right."""
    decider = Decider(policies, capacity=3)
    for number in range(8):
        assert decider.decide(terms, inputs(client_id=f"client-{number}"))
    assert [known.client_id for known in decider._settled] == ["client-5", "client-6", "client-7"]
    with pytest.raises(Refused):
        decider.decide(terms, inputs(client_id="client-7", address_allowed=False))


def test_other_terms_are_not_answered_from_the_cache(policies: Policies, terms: PurposeTerms, inputs: Make) -> None:
    """Equal inputs under other terms are decided anew; equal terms read again from the store are not."""
    decider = Decider(policies)
    first = decider.decide(terms, inputs())
    assert decider.decide(replace(terms), inputs()) is first
    assert decider.decide(replace(terms, disclosure=Disclosure.VERDICT), inputs()).disclosure is Disclosure.VERDICT


def test_new_version_of_an_agreement_is_decided_anew(
    policies: Policies, terms: PurposeTerms, inputs: Make, in_force_now: AgreementInForce
) -> None:
    """Inputs are equal when id, version and digest of the agreement are, and differ when one of them does."""
    same = AgreementInForce(replace(in_force_now.agreement))
    assert inputs(agreement=same) == inputs()
    assert hash(inputs(agreement=same)) == hash(inputs())
    for change in ({"version": 2}, {"digest": "other"}, {"id": "other"}):
        assert inputs(agreement=AgreementInForce(replace(in_force_now.agreement, **change))) != inputs()
    decider = Decider(policies)
    decider.decide(terms, inputs())
    decider.decide(terms, inputs(agreement=same))
    assert len(decider._settled) == 1


_SOME = st.frozensets(st.sampled_from(sorted(TIER_1 | TIER_2 | FORBIDDEN)), max_size=5)


@given(data=st.data())
def test_permit_means_that_everything_holds(
    data: st.DataObject, policies: Policies, terms: PurposeTerms, inputs: Make
) -> None:
    """Whatever is asked: the cached decision is the plain one, and a permit means that every condition holds."""
    demanding = replace(terms, demands=data.draw(st.frozensets(st.sampled_from(["consent", "channel", "operator"]))))
    asked = inputs(
        claims=data.draw(_SOME) | data.draw(st.sampled_from([NAMES, frozenset()])),
        consent=data.draw(st.sampled_from(["", "consent", "contract"])),
        channel=data.draw(st.booleans()),
        operator=data.draw(st.booleans()),
        address_allowed=data.draw(st.sampled_from([True, True, False])),
        certificate_allowed=data.draw(st.sampled_from([True, True, False])),
        token_purposes=data.draw(st.none() | st.just(frozenset({"account_opening"}))),
        token_claims=data.draw(st.none() | _SOME),
    )
    decider = Decider(policies)
    outcomes: list[object] = []
    for ask in (lambda: decide(policies, demanding, asked), *(lambda: decider.decide(demanding, asked),) * 2):
        try:
            outcomes.append(ask())
        except Refused as refused:
            outcomes.append(refused.refusal)
    assert outcomes[0] == outcomes[1] == outcomes[2]
    holds = (
        asked.address_allowed
        and asked.certificate_allowed
        and asked.claims <= demanding.claims
        and asked.claims >= set(demanding.decide)
        and (asked.token_claims is None or asked.claims <= asked.token_claims)
        and ("consent" not in demanding.demands or asked.consent == "consent")
        and ("channel" not in demanding.demands or asked.channel)
        and ("operator" not in demanding.demands or asked.operator)
    )
    assert isinstance(outcomes[0], Permit) == holds
