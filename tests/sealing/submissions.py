"""What do the tests of this room seal, and how do they look at what came of it?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import select

from gateway.allowance.account import Account, Room
from gateway.clock import HOUR, SystemClock, SystemEntropy, uuid7
from gateway.errors import Cause, Refusal
from gateway.keyring import Keyring
from gateway.ledger.check.check import Report, check
from gateway.ledger.log.entry import Kind
from gateway.sealing.sealer import Sealer
from gateway.sealing.submission import Attempt, Draft, Outcome, Repeat, Sealed, Submission
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.ledger.entries import LedgerOf
from gateway.store.ledger.tables import ledger_entries
from gateway.store.sealing.history import bump
from gateway.store.sealing.seals import SealsOf
from gateway.store.sealing.tables import accounts, attempts, proof_ids
from gateway.web.http.problems import Problems

ENTROPY = SystemEntropy()
CLOCK = SystemClock()
ISSUER = "https://nik.example.go.id"
AMPLE = Room(10_000, 1_000_000, 10_000_000)
ACCOUNT = "pks-bank"
EPOCHS = {"house": 0, "partner:bank": 0}
_numbers = itertools.count(1)


def proof() -> tuple[bytes, int, str]:
    """A proof that was never used."""
    return ENTROPY.bytes(16), CLOCK.now() + HOUR, "dpop"


def draft(answer: Mapping[str, Any] | None = None, **members: Any) -> Draft:
    """An answer that costs one of an ample allowance; `refusal`, `charges`, `attempt` … as told."""
    if "refusal" in members:
        members = {"kind": Kind.REFUSAL, "charges": (), **members}
    elif answer is None:
        answer = {"usable": True}
    base = Draft(
        uuid7(CLOCK.now(), ENTROPY), Kind.ANSWER, ACCOUNT, "account_opening", ENTROPY.bytes(32), bytes(32),
        {"subject": "tag", "outcome": "active"}, answer, charges=((ACCOUNT, AMPLE),),
    )  # fmt: skip
    return replace(base, **members)


def refusal(cause: Cause = Cause.CLAIM_NOT_AGREED) -> Draft:
    """A draft that steps 2 to 4 have refused."""
    return draft(refusal=Refusal(cause))


def submit(*drafts: Draft, **members: Any) -> Submission:
    """One call with a proof of its own; a batch when it has several drafts."""
    given = drafts or (draft(),)
    several = len(given) > 1
    base = Submission(
        "bank/bank-1", "en", EPOCHS, CLOCK.now() + HOUR, CLOCK.now() + HOUR, (proof(),), given, batch=several,
        envelope=draft(refusal=Refusal(Cause.ALLOWANCE_EXHAUSTED), charges=given[0].charges) if several else None,
    )  # fmt: skip
    return replace(base, **members)


def guess(budget: int, cost: int, text: str, nik: str = "nik") -> Attempt:
    """A guess about a resident; `cost` 0 is a right one."""
    return Attempt(sha256(nik.encode()).digest()[:16], budget, cost, sha256(text.encode()).digest()[:8])


def repeat(key: str, body: str = "body") -> Repeat:
    """An idempotency key and what was asked under it."""
    return Repeat(sha256(key.encode()).digest()[:16], (sha256(body.encode()).digest(),))


def body(outcome: Outcome) -> dict[str, Any]:
    """The JSON of what may leave."""
    assert isinstance(outcome, Sealed), outcome
    decoded: dict[str, Any] = msgspec.json.decode(outcome.body)
    return decoded


def cause(outcome: Outcome) -> str:
    """Why it was refused; empty for an answer."""
    assert isinstance(outcome, Sealed), outcome
    return outcome.cause


@dataclass
class Deployment:
    """A database and its sealer."""

    database: Database
    keyring: Keyring
    sealer: Sealer = field(init=False)

    def __post_init__(self) -> None:
        self.sealer = Sealer(SealsOf(self.database), self.keyring, ENTROPY, Problems(ISSUER))

    def seal(self, *submissions: Submission) -> list[Outcome]:
        return self.sealer.seal(submissions)

    def one(self, *drafts: Draft, **members: Any) -> Outcome:
        return self.sealer.seal([submit(*drafts, **members)])[0]

    def bump(self, scope: str) -> None:
        with self.database.sealing() as (connection, _):
            bump(connection, scope)

    def endow(self, balance: int, account: str = ACCOUNT) -> None:
        with self.database.sealing() as (connection, _):
            put_many(connection, accounts, [(account, 0, 0, 0, 0, 0, balance)])

    def account(self, id: str = ACCOUNT) -> Account:
        with self.database.reading() as connection:
            row = connection.execute(select(accounts).where(accounts.c.id == id)).one_or_none()
        return Account(*row[1:]) if row else Account()

    def leaves(self) -> list[dict[str, Any]]:
        with self.database.reading() as connection:
            rows = connection.execute(select(ledger_entries.c.leaf).order_by(ledger_entries.c.leaf_index)).scalars()
            return [msgspec.json.decode(bytes(row)) for row in rows]

    def privates(self) -> list[dict[str, Any]]:
        with self.database.reading() as connection:
            rows = connection.execute(select(ledger_entries.c.private).order_by(ledger_entries.c.leaf_index)).scalars()
            return [msgspec.json.decode(bytes(row)[32:]) for row in rows]

    def kinds(self) -> list[str]:
        return [leaf["kind"] for leaf in self.leaves()]

    def used(self, *proofs: tuple[bytes, int, str]) -> list[bool]:
        with self.database.reading() as connection:
            known = {bytes(id) for id in connection.execute(select(proof_ids.c.id)).scalars()}
        return [id in known for id, _, _ in proofs]

    def guesses(self) -> int:
        with self.database.reading() as connection:
            return len(connection.execute(select(attempts.c.tag)).all())

    def check(self) -> Report:
        """The whole ledger, re-verified from its bytes."""
        with LedgerOf(self.database).snapshot() as (head, entries):
            return check(head, entries)
