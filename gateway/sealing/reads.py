"""What is sealed without a question about a resident?

A partner's reads of its own agreement and usage, and counts of calls refused before anyone was identified.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.allowance.account import Account
from gateway.clock import Clock, Entropy, rfc3339_seconds, uuid7
from gateway.errors import Refusal, Refused
from gateway.ledger.log.canonical import canonical
from gateway.ledger.log.entry import Kind, request_digest
from gateway.oauth.client import Caller
from gateway.partners.agreement import AgreementState
from gateway.partners.in_force import agreement_document, governing, state_at
from gateway.sealing.attempt import attempt, standing_of, submission_of
from gateway.sealing.queue import Sealing
from gateway.sealing.standing import Directory, Standing
from gateway.sealing.submission import Draft, Outcome, Sealed, Submission
from gateway.sealing.usage import usage_document

HOUSE_ACTOR = "house"
_SHOWN = (AgreementState.IN_FORCE, AgreementState.SUSPENDED, AgreementState.EXPIRED)
"""Whose balance and spending a partner goes on seeing."""


class SealedReads:
    """Seals what needs no corridor."""

    def __init__(
        self,
        clock: Clock,
        entropy: Entropy,
        directory: Directory,
        sealing: Sealing,
        account: Callable[[str], Awaitable[Account]],
    ) -> None:
        """`account` reads the account of an agreement as it stands."""
        self._clock = clock
        self._entropy = entropy
        self._directory = directory
        self._sealing = sealing
        self._account = account

    async def agreement(self, id: str, caller: Caller, language: str) -> Sealed:
        """What the partner may ask, needs and owes."""

        async def read(standing: Standing) -> Mapping[str, Any]:
            ends = standing.client.expiries
            keys = [
                {"kid": kid, "expires": rfc3339_seconds(ends[kid]) if kid in ends else None}
                for kid in sorted(standing.client.keys)
            ]
            document = agreement_document(standing.partner, self._clock.now())
            return {**document, "keys": keys, "seen_address": caller.address}

        return await self._read(id, caller, language, "agreement", read)

    async def usage(self, id: str, caller: Caller, language: str) -> Sealed:
        """What is agreed, spent and left, and when it resets, for every agreement that has begun; `state` says how it stands."""

        async def read(standing: Standing) -> Mapping[str, Any]:
            now = self._clock.now()
            partner = standing.partner
            held = [
                one for one in governing(partner.agreements, now) if one.starts <= now and state_at(one, now) in _SHOWN
            ]
            return {
                "agreements": [
                    usage_document(one, await self._account(one.id), now)
                    | {"state": str(AgreementState.SUSPENDED if partner.suspended else state_at(one, now))}
                    for one in held
                ]
            }

        return await self._read(id, caller, language, "usage", read)

    async def receipt(self, id: str, caller: Caller, language: str, facts: Mapping[str, Any]) -> Sealed:
        """That a partner took the receipt of an entry of its own; `facts` name it."""

        async def read(_: Standing) -> Mapping[str, Any]:
            return facts

        return await self._read(id, caller, language, "receipt", read)

    async def refuse(self, id: str, caller: Caller, language: str, refusal: Refusal, raw: bytes) -> Sealed:
        """A refusal of an identified caller, with its receipt."""

        async def submit(standing: Standing) -> Submission:
            return self._refusal(id, caller, standing, language, refusal, raw)

        return await self._seal(id, caller, language, submit)

    async def count(self, refused: Mapping[str, int]) -> None:
        """One entry for all calls refused before identity since the last one, by cause."""
        draft = self._draft(
            uuid7(self._clock.now(), self._entropy),
            Kind.REFUSED_UNIDENTIFIED,
            b"",
            {"counts": dict(refused)},
            answer=dict(refused),
        )
        await self._sealing.seal([Submission(HOUSE_ACTOR, "en", {}, 0, 0, (), (draft,))])

    async def started(self, facts: Mapping[str, str]) -> None:
        """The entry of a node that begins to seal."""
        draft = self._draft(uuid7(self._clock.now(), self._entropy), Kind.START, b"", dict(facts), answer={})
        await self._sealing.seal([Submission(HOUSE_ACTOR, "en", {}, 0, 0, (), (draft,))])

    async def _read(
        self,
        id: str,
        caller: Caller,
        language: str,
        what: str,
        read: Callable[[Standing], Awaitable[Mapping[str, Any]]],
    ) -> Sealed:
        async def submit(standing: Standing) -> Submission:
            private = {"address": caller.address, "token": caller.token_id, "outcome": what}
            draft = self._draft(id, Kind.READ, canonical({"read": what}), private, answer=await read(standing))
            return submission_of(caller, standing, language, draft)

        return await self._seal(id, caller, language, submit)

    async def _seal(
        self, id: str, caller: Caller, language: str, submit: Callable[[Standing], Awaitable[Submission]]
    ) -> Sealed:
        """Seal what stands now; when it has moved meanwhile, once more. A token that holds no more is refused."""

        async def step() -> Outcome:
            standing = await standing_of(self._directory, caller)
            try:
                standing.validity.admit(caller.token_id, caller.key, caller.issued)
            except Refused as refused:
                submission = self._refusal(id, caller, standing, language, refused.refusal, b"")
            else:
                submission = await submit(standing)
            return (await self._sealing.seal([submission]))[0]

        return await attempt(self._directory, step)

    def _refusal(  # noqa: PLR0913  who is refused what
        self, id: str, caller: Caller, standing: Standing, language: str, refusal: Refusal, raw: bytes
    ) -> Submission:
        private = {"address": caller.address, "token": caller.token_id}
        return submission_of(caller, standing, language, self._draft(id, Kind.REFUSAL, raw, private, refusal=refusal))

    def _draft(  # noqa: PLR0913  the members of a draft
        self,
        id: str,
        kind: str,
        raw: bytes,
        private: Mapping[str, Any],
        *,
        answer: Mapping[str, Any] | None = None,
        refusal: Refusal | None = None,
    ) -> Draft:
        nonce = self._entropy.bytes(32)
        return Draft(id, kind, "", "", nonce, request_digest(nonce, raw), private, answer, refusal)
