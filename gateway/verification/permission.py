"""Steps 3 and 4 for one question: which agreements bound it, and do the policies permit it under each of them?

An intermediary's question is bound by two: its own and that of the institution it asks for (POJK 8/2023 art 22(2)b).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from gateway.allowance.account import Room
from gateway.errors import Cause, Refused
from gateway.oauth.client import Caller
from gateway.partners.agreement import INTERMEDIARY, Agreement, AgreementInForce, Partner, PurposeTerms
from gateway.partners.in_force import in_force
from gateway.partners.networks import within
from gateway.policy.decide import Decider, Permit
from gateway.policy.inputs import Inputs
from gateway.sealing.standing import Standing
from gateway.sealing.usage import room_of
from gateway.verification.request import Question


@dataclass(frozen=True, slots=True)
class Permission:
    """What one question may do; made once for all questions of a batch that are decided alike.

    `agreements` are those that an answer is charged to: the caller's own, then that of the institution it asks for.
    `terms` and `permit` are what all of them allow, `charges` their accounts. `private` is what the private part of an
    entry begins with.
    """

    agreements: tuple[Agreement, ...]
    terms: PurposeTerms
    permit: Permit
    private: Mapping[str, Any]
    charges: tuple[tuple[str, Room], ...]
    agreed: tuple[str, ...]  # every claim of the terms, sorted

    @classmethod
    def of(
        cls, agreements: tuple[Agreement, ...], terms: PurposeTerms, permit: Permit, private: Mapping[str, Any]
    ) -> Permission:
        """The permission under these agreements."""
        charges = tuple([(one.id, room_of(one.limits)) for one in agreements])
        return cls(agreements, terms, permit, private, charges, tuple(sorted(terms.claims)))

    @property
    def agreement(self) -> Agreement:
        """The caller's own."""
        return self.agreements[0]

    @property
    def holder(self) -> str:
        """The partner whose attempt budget a guess spends: whoever the question is asked for."""
        return self.agreements[-1].partner


def permission(  # noqa: PLR0913  who asks what, under which agreement, and who decides
    decider: Callable[[], Decider],
    standing: Standing,
    agreed: AgreementInForce,
    caller: Caller,
    question: Question,
    now: int,
) -> Permission:
    """What this question may do at `now` under the caller's agreement in force and, when there is one, its principal's.

    Raises Refused: AGREEMENT_NOT_IN_FORCE and PURPOSE_NOT_AGREED of the principal, and what the policies refuse with.
    """
    agreement = agreed.agreement
    principal = None if question.on_behalf_of is UNSET else _principal(standing, agreement, question.on_behalf_of)
    behalf = None if principal is None else in_force(principal, question.purpose, now)
    # The caller's address and certificate are the intermediary's: its own agreement alone says which those may be.
    allowed = within(caller.address, agreement.networks), agreement.admits(caller.certificate)
    terms = agreement.purposes[question.purpose]
    try:
        permit = decider().decide(terms, _inputs(standing.partner, agreed, caller, question, allowed))  # 4
        if principal is not None and behalf is not None:
            bounds = behalf.agreement.purposes[question.purpose]
            other = decider().decide(bounds, _inputs(principal, behalf, caller, question, allowed))
            terms = terms.bounded_by(bounds)
            permit = _both(permit, other, terms)
    except Refused as refused:
        if refused.refusal.cause is Cause.ADDRESS_NOT_ALLOWED:
            raise Refused(Cause.ADDRESS_NOT_ALLOWED, seen_address=caller.address) from refused
        raise
    agreements = (agreement,) if behalf is None else (agreement, behalf.agreement)
    told = {
        "policy": permit.policy,
        "claims": sorted(question.claims),  # their names: what a new version would refuse is found by them
        "price": {one.id: one.limits.tariff for one in agreements},
    }
    return Permission.of(agreements, terms, permit, {**origin(caller), **told})


def _principal(standing: Standing, agreement: Agreement, name: str) -> Partner:
    """The institution that is asked for, when the caller's agreement names it; an intermediary has no questions of its own."""
    principal = standing.principals.get(name)
    agreed = agreement.fields.get("on_behalf_of")
    if (
        principal is None
        or not isinstance(agreed, list)
        or name not in agreed
        or principal.kind == INTERMEDIARY
        or principal.id == standing.partner.id
    ):
        raise Refused(Cause.AGREEMENT_NOT_IN_FORCE, state="none", restore=["conclude_agreement"])
    return principal


def _inputs(
    partner: Partner, agreed: AgreementInForce, caller: Caller, question: Question, allowed: tuple[bool, bool]
) -> Inputs:
    """What the policies are asked about the question under one agreement; `allowed`: the address, the certificate."""
    channel, operator = members(question)
    return Inputs(
        partner=partner.id,
        kind=partner.kind,
        agreement=agreed,
        purpose=question.purpose,
        claims=frozenset(question.claims),
        consent=_basis(question),
        channel=channel,
        operator=operator,
        on_behalf_of=question.on_behalf_of is not UNSET,
        address_allowed=allowed[0],
        certificate_allowed=allowed[1],
        token_purposes=caller.purposes,
        token_claims=caller.claims.get(question.purpose) if caller.claims else None,
        client_id=caller.client_id,
        sender_constraint=caller.constraint,
    )


def _both(own: Permit, other: Permit, terms: PurposeTerms) -> Permit:
    """The permit under two agreements whose common terms are `terms`."""
    rules = tuple(sorted({*own.rules, *other.rules}))
    return Permit(
        terms.disclosure, terms.decide, terms.inform, terms.attempts, terms.tells_order, own.policy, rules
    )  # fmt: skip


def origin(caller: Caller) -> dict[str, Any]:
    """Where a call came from; kept in the private part only."""
    told = {"address": caller.address, "token": caller.token_id}
    return {**told, "certificate": caller.certificate} if caller.certificate else told


def members(question: Question) -> tuple[bool, bool]:
    """Whether the question names a channel and an operator."""
    return question.channel is not UNSET, question.operator is not UNSET


def _basis(question: Question) -> str:
    """The legal basis that the question names; consent without a reference to it is no consent (UU 27/2022 art 20(2))."""
    consent = question.consent
    if consent is UNSET or (consent.basis == "consent" and consent.reference is UNSET):
        return ""
    return consent.basis
