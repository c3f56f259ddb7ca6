"""In which order does a verification happen? The only file that knows.

1 identify (oauth/bearer) · 2 parse (request) · 3 agreement (partners) · 4 decide (policy) · 5 look up (register) ·
6 compare (matching) · 7 seal (sealer) · 8 answer (web). Many calls at once; one is a batch of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from gateway.clock import DAY, Clock, Entropy, uuid7
from gateway.errors import Cause, Refusal, Refused
from gateway.ledger.log.entry import Kind, request_digest
from gateway.nik import Nik
from gateway.oauth.client import Caller
from gateway.partners.in_force import in_force
from gateway.policy.decide import Decider
from gateway.sealing.attempt import attempt, standing_of
from gateway.sealing.queue import Sealing
from gateway.sealing.standing import CorridorReads, Directory, RegisterRows, Standing
from gateway.sealing.submission import REFERRAL, Draft, Outcome, Repeat, Sealed, Submission
from gateway.verification.batching import RequestBatcher
from gateway.verification.judge import Decided, Judge
from gateway.verification.permission import Permission, members, origin, permission
from gateway.verification.request import Question

DecisionKey = tuple[Any, ...]
"""What two questions of one batch have in common when they are decided alike: who asks, what for, and what is sent."""
_FOR_EVER = 3660 * DAY
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
        settled: dict[DecisionKey, Permission] = {}
        decided = [self._decide(call, standing, now, settled) for call, standing in calls]  # 3, 4
        drafts = await self._compare([each for outcomes in decided for each in outcomes], now)  # 5, 6
        submissions, at = [], 0
        for (call, standing), outcomes in zip(calls, decided, strict=True):
            own = tuple(drafts[at : at + len(outcomes)])
            at += len(outcomes)
            submissions.append(self._submission(call, standing, own, outcomes))
        return await self._sealing.seal(submissions)  # 7

    def _decide(
        self, call: Call, standing: Standing, now: int, settled: dict[DecisionKey, Permission]
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
        settled: dict[DecisionKey, Permission],
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
            members(question),
            question.on_behalf_of,
        )
        found = settled.get(key)
        if found is None:
            found = settled[key] = self._decide_kin(call, standing, question, now)
        call.signed = found.agreement.signed_answers
        nonce = self._entropy.bytes(32)
        context = _context(question)
        return Decided(
            uuid7(now, self._entropy) if call.batch else call.id,
            nonce,
            request_digest(nonce, asked.raw),
            question,
            nik,
            found,
            {**found.private, **context} if context else found.private,
            asked.ref,
            self._judge.indexes(nik),
        )

    def _decide_kin(self, call: Call, standing: Standing, question: Question, now: int) -> Permission:
        agreed = in_force(standing.partner, question.purpose, now)  # 3
        call.signed = agreed.agreement.signed_answers
        return permission(self._decider, standing, agreed, call.caller, question, now)  # 4

    async def _compare(self, outcomes: list[Decided | Draft], now: int) -> list[Draft]:
        asked = [each for each in outcomes if isinstance(each, Decided)]
        if not asked:
            return [each for each in outcomes if isinstance(each, Draft)]
        earlier = [each.question.previous for each in asked if each.question.previous is not UNSET]
        cases = [each.question.referral for each in asked if each.question.referral is not UNSET]
        found = await self._reading.find([ix for each in asked for ix in each.indexes], earlier, cases)  # 5
        drafts: list[Draft] = []
        known: dict[tuple[Any, ...], Draft] = {}
        for count, each in enumerate(outcomes, 1):
            drafts.append(each if isinstance(each, Draft) else self._judged(each, found, now, known))  # 6
            if count % CHUNK == 0:
                await asyncio.sleep(0)  # single requests of others go in between
        return drafts

    def _judged(self, asked: Decided, found: RegisterRows, now: int, known: dict[tuple[Any, ...], Draft]) -> Draft:
        """The draft of an answer; one question asked several times in a batch is compared once."""
        question = asked.question
        key = (id(asked.permission), asked.nik.digits, question.previous, question.referral, *question.claims.items())
        like = known.get(key)
        if like is not None:
            return self._judge.again(asked, like)
        draft = known[key] = self._judge.compare(asked, found, now)
        return draft

    def _submission(
        self, call: Call, standing: Standing, drafts: tuple[Draft, ...], outcomes: Sequence[Decided | Draft]
    ) -> Submission:
        caller = call.caller
        asked = [each.permission for each in outcomes if isinstance(each, Decided)]
        ends = min((one.ends for each in asked for one in each.agreements), default=0)
        refused = call.refusal is not None
        return Submission(
            f"{caller.partner}/{caller.client_id}",
            call.language,
            standing.epochs,
            caller.expires,
            ends,
            (
                *((proof.id, proof.expires, proof.kind) for proof in caller.proofs),
                *_once(outcomes, drafts, self._clock.now()),
            ),
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
            origin(call.caller),
            refusal=refusal,
            ref=ref,
        )


def _once(outcomes: Sequence[Decided | Draft], drafts: Sequence[Draft], now: int) -> Iterator[tuple[bytes, int, str]]:
    """What lets a question after a case that is mended be answered once, and never again."""
    for each, draft in zip(outcomes, drafts, strict=True):
        if isinstance(each, Decided) and each.question.referral is not UNSET and draft.refusal is None:
            yield sha256(f"referral\0{each.question.referral}".encode()).digest()[:16], now + _FOR_EVER, REFERRAL


def _context(question: Question) -> Mapping[str, str]:
    """What the partner said of itself about this question; kept in the private part only."""
    members = {"channel": question.channel, "operator": question.operator, "on_behalf_of": question.on_behalf_of}
    context = {name: value for name, value in members.items() if value is not UNSET}
    if question.consent is not UNSET:
        context["consent"] = question.consent.basis
        if question.consent.reference is not UNSET:
            context["reference"] = question.consent.reference
    return context
