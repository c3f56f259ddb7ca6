"""What does a test ask along the corridor? Steps 3 to 6 as they are built, over given readings and a given seal, no server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from gateway.clock import DAY, HOUR, SystemEntropy, parse_rfc3339, uuid7
from gateway.keyring import Job, Keyring
from gateway.ledger.log.canonical import canonical
from gateway.oauth.client import Caller, Client
from gateway.partners.agreement import Agreement, AgreementState, Disclosure, Limits, Partner, PurposeTerms
from gateway.policy.decide import Decider
from gateway.policy.policies import Policies, load
from gateway.register.codec import encode
from gateway.register.record import Record
from gateway.sealing.standing import Directory, RegisterRows, Standing, Watermark
from gateway.sealing.submission import Draft, Outcome, Sealed, Submission
from gateway.verification.corridor import Call, Corridor, ParsedQuestion
from gateway.verification.judge import Judge, binding, indexes
from gateway.verification.request import Question

ENTROPY = SystemEntropy()
NOW = parse_rfc3339("2026-11-24T09:30:00+07:00")
PURPOSE = "account_opening"
NIK = "7402154505909001"
SITI = Record(
    NIK,
    {"name": "SITI AMINAH", "birth_date": "1990-05-05", "regency": "7402", "sex": "F", "mother_name": "RUKMINI"},
)
RIGHT = {"name": "SITI AMINAH", "birth_date": "1990-05-05"}
WRONG = RIGHT | {"birth_date": "1990-05-06"}
HOME = "192.0.2.7"  # where every partner may call from, unless its agreement is told otherwise
ADMITTED = (ip_network("192.0.2.0/24"),)


@cache
def house_policies() -> Policies:
    """The policies that the house ships."""
    return load(Path(__file__).parents[2] / "policies")


def terms(disclosure: Disclosure = Disclosure.STATUS, **changes: Any) -> PurposeTerms:
    """What is agreed for `PURPOSE`: name and birth date decide, sex informs."""
    base = PurposeTerms(PURPOSE, "contract", ("name", "birth_date"), ("sex",), disclosure)
    return replace(base, **changes)


def partner(name: str, agreed: PurposeTerms, kind: str = "bank", **changes: Any) -> Partner:
    """A partner with one agreement in force, `pks-<name>`; `changes` are fields of the agreement."""
    base = Agreement(
        f"pks-{name}", name, 1, AgreementState.IN_FORCE, f"digest of {name}", 0, NOW + DAY, {PURPOSE: agreed},
        Limits(9, 99, 999, 1000), ADMITTED, {},
    )  # fmt: skip
    return Partner(name, name, kind, suspended=False, agreements=(replace(base, **changes),), epoch=0)


@dataclass
class Bench:
    """A corridor among partners of a test's choice, and what it submitted to the seal."""

    keyring: Keyring
    partners: dict[str, Partner]
    policies: Policies = field(default_factory=house_policies)
    register: tuple[Record, ...] = (SITI,)
    earlier: dict[str, tuple[bytes, bytes | None]] = field(default_factory=dict)
    submitted: list[Submission] = field(default_factory=list)
    compared: int = 0

    def __post_init__(self) -> None:
        decider = Decider(self.policies)
        key = self.keyring.sealer(Job.CLAIMS)
        self._records = {
            indexes(self.keyring, record.nik)[0]: (at, key.seal(encode(record), binding(at, key.version), ENTROPY))
            for at, record in enumerate(self.register, 1)
        }
        self.corridor = Corridor(
            self, ENTROPY, Directory(self, self, lambda: None), lambda: decider, self, self._counting(), self
        )  # fmt: skip

    def _counting(self) -> Judge:
        """The judge, whose comparisons are counted."""
        bench = self

        class CountingJudge(Judge):
            """Counts what it compares."""

            def compare(self, *words: Any) -> Draft:
                bench.compared += 1
                return super().compare(*words)

        return CountingJudge(self.keyring, ENTROPY, behind_after=2 * DAY)

    def now(self) -> int:
        """The clock's port."""
        return NOW

    async def standing(self, client_id: str) -> Standing | None:
        """The reading's port: a client is called like its partner."""
        own = self.partners[client_id]
        return Standing(Client(client_id, client_id, "private_key_jwt", {}, frozenset()), own, {}, self.partners)

    async def find(self, ixs: Sequence[bytes], ids: Sequence[str], cases: Sequence[str] = ()) -> RegisterRows:  # noqa: ARG002  the port's
        """The reading's port."""
        records = {ix: self._records[ix] for ix in ixs if ix in self._records}
        earlier = {id: self.earlier[id] for id in ids if id in self.earlier}
        return RegisterRows(records, earlier, {"7402": Watermark(NOW - HOUR, gap=False)})

    async def seal(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """The sealing's port: everything is sealed as it was drafted."""
        self.submitted += submissions
        return [Sealed(200, b"{}") for _ in submissions]

    async def close(self) -> None:
        """The sealing's port."""

    def caller(self, name: str, **changes: Any) -> Caller:
        """A client of the partner `name`, calling from `HOME`."""
        base = Caller(name, name, frozenset({"nik.verify"}), "dpop", f"token of {name}", NOW + HOUR, (), HOME)
        return replace(base, **changes)

    def ask(self, *callers: Caller, questions: Sequence[dict[str, Any]]) -> list[Draft]:
        """The drafts of what is asked, all in one batch of the corridor.

        One caller asks all questions in one call; several ask one each.
        """
        asked = [ParsedQuestion(question, None, canonical(question)) for question in map(_question, questions)]
        calls = [tuple(asked)] if len(callers) == 1 else [(one,) for one in asked]

        async def all_of_them() -> None:
            calling = [
                Call(uuid7(NOW, ENTROPY), caller, "en", own, b"", batch=len(own) > 1, purpose=PURPOSE)
                for caller, own in zip(callers, calls, strict=True)
            ]
            await asyncio.gather(*(self.corridor.verify(call, lambda: False) for call in calling))

        before = len(self.submitted)
        asyncio.run(all_of_them())
        return [draft for submission in self.submitted[before:] for draft in submission.drafts]

    def one(self, name: str, claims: dict[str, str] | None = None, *, caller: Any = None, **members: Any) -> Draft:
        """The draft of one question; right claims unless told otherwise."""
        question = {"claims": RIGHT if claims is None else claims, **members}
        return self.ask(self.caller(name, **(caller or {})), questions=[question])[0]


def _question(members: dict[str, Any]) -> Question:
    return msgspec.convert({"nik": NIK, "purpose": PURPOSE, "claims": RIGHT, **members}, Question)


def outcome(draft: Draft) -> str | dict[str, Any]:
    """Why it was refused, or the answer."""
    return str(draft.refusal.cause) if draft.refusal else dict(draft.answer or {})
