"""In which order does a verification happen? The only file that knows.

1 identify (oauth/bearer) · 2 parse (request) · 3 agreement (partners) · 4 decide (policy) · 5 look up (register) ·
6 compare (matching) · 7 seal (sealer) · 8 answer (web). Many calls at once; one is a batch of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from gateway.clock import Clock, Entropy, uuid7
from gateway.errors import Cause, Refusal, Refused
from gateway.ledger.log.entry import Kind, request_digest
from gateway.nik import Nik
from gateway.oauth.client import Caller
from gateway.partners.agreement import Agreement, PurposeTerms
from gateway.partners.in_force import in_force
from gateway.partners.networks import within
from gateway.policy.decide import Decider, Permit
from gateway.policy.inputs import Inputs
from gateway.sealing.attempt import attempt, standing_of
from gateway.sealing.queue import Sealing
from gateway.sealing.standing import CorridorReads, Directory, Standing
from gateway.sealing.submission import Draft, Outcome, Repeat, Sealed, Submission
from gateway.verification.batching import RequestBatcher
from gateway.verification.judge import Decided, Judge
from gateway.verification.request import Question

DecisionKey = tuple[Any, ...]
"""What two questions of one batch have in common when they are decided alike: who asks, what for, and what is sent."""
Permitted = tuple[Agreement, PurposeTerms, Permit, tuple[Agreement, ...], Mapping[str, Any]]
"""(agreement, its terms for the purpose, permit, agreements asked on behalf of, what the private part begins with)."""
CHUNK = 50  # questions compared before others get a turn


@dataclass(frozen=True, slots=True)
class ParsedQuestion:
    """One question as it came out of step 2: what was asked or why it was not a question, and the bytes to commit to."""

    question: Question | Refusal
    ref: str | None
    raw: bytes


@dataclass(slots=True)
class Call:
    """One call of an identified caller: everything after steps 1 and 2. `refusal` refuses it as a whole."""

    id: str
    caller: Caller
    language: str
    asked: tuple[ParsedQuestion, ...]
    raw: bytes
    batch: bool = False
    whole: bool = False
    repeat: Repeat | None = None
    refusal: Refusal | None = None
    purpose: str = ""
    kind: str = Kind.REFUSAL
    signed: bool = True  # as the agreement says that it was decided under; True before one is known


class Corridor:
    """The way of a verification, from an identified call to a sealed answer."""

    def __init__(  # noqa: PLR0913  the rooms along the corridor
        self,
        clock: Clock,
        entropy: Entropy,
        directory: Directory,
        decider: Callable[[], Decider],
        reading: CorridorReads,
        judge: Judge,
        sealing: Sealing,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._directory = directory
        self._decider = decider
        self._reading = reading
        self._judge = judge
        self._sealing = sealing
        self._batcher = RequestBatcher(self._settle, clock)

    async def verify(self, call: Call, gone: Callable[[], bool]) -> Sealed:
        """The sealed answer to a call.

        Raises Refused where no seal could be had, StoreUnavailable (register), CommitUnknown, CallerGone.
        """

        async def step() -> Outcome:
            standing = await standing_of(self._directory, call.caller)
            outcome: Outcome = await self._batcher.enter(call.caller.client_id, len(call.asked), (call, standing), gone)
            return outcome

        sealed: Sealed = await attempt(self._directory, step)
        return sealed if call.signed else replace(sealed, signed=False)

    async def _settle(self, calls: Sequence[tuple[Call, Standing]]) -> list[Outcome]:
        """Steps 3 to 7 for a batch of calls."""
        now = self._clock.now()
        settled: dict[DecisionKey, Permitted] = {}
        decided = [self._decide(call, standing, now, settled) for call, standing in calls]  # 3, 4
        drafts = await self._compare([each for outcomes in decided for each in outcomes], now)  # 5, 6
        submissions, at = [], 0
        for (call, standing), outcomes in zip(calls, decided, strict=True):
            own = tuple(drafts[at : at + len(outcomes)])
            at += len(outcomes)
            submissions.append(self._submission(call, standing, own, outcomes))
        return await self._sealing.seal(submissions)  # 7

    def _decide(
        self, call: Call, standing: Standing, now: int, settled: dict[DecisionKey, Permitted]
    ) -> list[Decided | Draft]:
        call.signed = True
        try:
            standing.validity.admit(call.caller.token_id, call.caller.key, call.caller.issued)
        except Refused as refused:
            call.refusal = refused.refusal  # whatever else is wrong with the call
        if call.refusal is not None:
            return [self._draft(call, call.raw, None, call.refusal)]
        outcomes: list[Decided | Draft] = []
        for asked in call.asked:
            if isinstance(asked.question, Refusal):
                outcomes.append(self._draft(call, asked.raw, asked.ref, asked.question))
                continue
            try:
                outcomes.append(self._permit(call, standing, asked, asked.question, now, settled))
            except Refused as refused:
                outcomes.append(self._draft(call, asked.raw, asked.ref, refused.refusal, asked.question.purpose))
        return outcomes

    def _permit(  # noqa: PLR0913
        self,
        call: Call,
        standing: Standing,
        asked: ParsedQuestion,
        question: Question,
        now: int,
        settled: dict[DecisionKey, Permitted],
    ) -> Decided:
        """Steps 3 and 4 for one question; questions that differ only in the resident are decided once a batch."""
        nik = Nik.parse(question.nik or "")
        key = (
            id(standing),
            call.caller.token_id,
            call.caller.address,
            call.caller.certificate,
            question.purpose,
            tuple(question.claims),
            question.consent,
            _members(question),
            question.on_behalf_of,
        )
        found = settled.get(key)
        if found is None:
            found = settled[key] = self._decide_kin(call, standing, question, now)
        agreement, terms, permit, behalf, private = found
        call.signed = agreement.signed_answers
        nonce = self._entropy.bytes(32)
        context = _context(question)
        return Decided(
            uuid7(now, self._entropy) if call.batch else call.id,
            nonce,
            request_digest(nonce, asked.raw),
            question,
            nik,
            agreement,
            terms,
            permit,
            {**private, **context} if context else private,
            asked.ref,
            self._judge.indexes(nik),
            behalf,
        )

    def _decide_kin(self, call: Call, standing: Standing, question: Question, now: int) -> Permitted:
        caller = call.caller
        agreed = in_force(standing.partner, question.purpose, now)  # 3
        agreement = agreed.agreement
        call.signed = agreement.signed_answers
        terms = agreement.purposes[question.purpose]
        behalf = self._behalf(standing, agreement, question, now)
        channel, operator = _members(question)
        inputs = Inputs(
            partner=standing.partner.id,
            kind=standing.partner.kind,
            agreement=agreed,
            purpose=question.purpose,
            claims=frozenset(question.claims),
            consent=_basis(question),
            channel=channel,
            operator=operator,
            on_behalf_of=question.on_behalf_of is not UNSET,
            address_allowed=within(caller.address, agreement.networks),
            certificate_allowed=agreement.admits(caller.certificate),
            token_purposes=caller.purposes,
            token_claims=caller.claims.get(question.purpose) if caller.claims else None,
            client_id=caller.client_id,
            sender_constraint=caller.constraint,
        )
        try:
            permit = self._decider().decide(terms, inputs)  # 4
        except Refused as refused:
            if refused.refusal.cause is Cause.ADDRESS_NOT_ALLOWED:
                raise Refused(Cause.ADDRESS_NOT_ALLOWED, seen_address=caller.address) from refused
            raise
        told = {
            "policy": permit.policy,
            "claims": sorted(question.claims),  # their names: what a new version would refuse is found by them
            "price": {one.id: one.limits.tariff for one in (agreement, *behalf)},
        }
        return agreement, terms, permit, behalf, {**_origin(caller), **told}

    @staticmethod
    def _behalf(standing: Standing, agreement: Agreement, question: Question, now: int) -> tuple[Agreement, ...]:
        """The agreement of the institution that an intermediary asks for (POJK 8/2023 art 22(2)b); both must hold."""
        if question.on_behalf_of is UNSET:
            return ()
        named = agreement.fields.get("on_behalf_of")
        principal = standing.principals.get(question.on_behalf_of)
        if principal is None or not isinstance(named, list) or question.on_behalf_of not in named:
            raise Refused(Cause.AGREEMENT_NOT_IN_FORCE, state="none", restore=["conclude_agreement"])
        return (in_force(principal, question.purpose, now).agreement,)

    async def _compare(self, outcomes: list[Decided | Draft], now: int) -> list[Draft]:
        asked = [each for each in outcomes if isinstance(each, Decided)]
        if not asked:
            return [each for each in outcomes if isinstance(each, Draft)]
        earlier = [each.question.previous for each in asked if each.question.previous is not UNSET]
        found = await self._reading.find([ix for each in asked for ix in each.indexes], earlier)  # 5
        drafts: list[Draft] = []
        for count, each in enumerate(outcomes, 1):
            drafts.append(each if isinstance(each, Draft) else self._judge.compare(each, found, now))  # 6
            if count % CHUNK == 0:
                await asyncio.sleep(0)  # single requests of others go in between
        return drafts

    def _submission(
        self, call: Call, standing: Standing, drafts: tuple[Draft, ...], outcomes: Sequence[Decided | Draft]
    ) -> Submission:
        caller = call.caller
        ends = min((each.agreement.ends for each in outcomes if isinstance(each, Decided)), default=0)
        refused = call.refusal is not None
        return Submission(
            f"{caller.partner}/{caller.client_id}",
            call.language,
            standing.epochs,
            caller.expires,
            ends,
            tuple((proof.id, proof.expires, proof.kind) for proof in caller.proofs),
            drafts,
            batch=call.batch and not refused,
            whole=call.whole and not refused,
            repeat=None if refused else call.repeat,
            envelope=self._envelope(call, drafts) if call.batch and not refused else None,
        )

    def _envelope(self, call: Call, drafts: tuple[Draft, ...]) -> Draft:
        """What the batch is refused with as a whole: it shows the allowance that its answers would have used."""
        charged = next((draft for draft in drafts if draft.charges), None)
        envelope = self._draft(call, call.raw, None, Refusal(Cause.ALLOWANCE_EXHAUSTED), call.purpose)
        return envelope if charged is None else replace(envelope, agreement=charged.agreement, charges=charged.charges)

    def _draft(self, call: Call, raw: bytes, ref: str | None, refusal: Refusal, purpose: str = "") -> Draft:
        nonce = self._entropy.bytes(32)
        own = not call.batch or (ref is None and raw is call.raw)
        return Draft(
            call.id if own else uuid7(self._clock.now(), self._entropy),
            Kind.REFUSAL,
            "",
            purpose,
            nonce,
            request_digest(nonce, raw),
            _origin(call.caller),
            refusal=refusal,
            ref=ref,
        )


def _origin(caller: Caller) -> dict[str, Any]:
    """Where a call came from; kept in the private part only."""
    origin = {"address": caller.address, "token": caller.token_id}
    return {**origin, "certificate": caller.certificate} if caller.certificate else origin


def _members(question: Question) -> tuple[bool, bool]:
    """Whether the question names a channel and an operator."""
    return question.channel is not UNSET, question.operator is not UNSET


def _basis(question: Question) -> str:
    """The legal basis that the question names; consent without a reference to it is no consent (UU 27/2022 art 20(2))."""
    consent = question.consent
    if consent is UNSET or (consent.basis == "consent" and consent.reference is UNSET):
        return ""
    return consent.basis


def _context(question: Question) -> Mapping[str, str]:
    """What the partner said of itself about this question; kept in the private part only."""
    members = {"channel": question.channel, "operator": question.operator, "on_behalf_of": question.on_behalf_of}
    context = {name: value for name, value in members.items() if value is not UNSET}
    if question.consent is not UNSET:
        context["consent"] = question.consent.basis
        if question.consent.reference is not UNSET:
            context["reference"] = question.consent.reference
    return context
