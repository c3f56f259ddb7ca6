"""Step 7: what may leave, exactly? Decides a batch of submissions inside one transaction, always in this order.

a epochs and terms · b proof ids · c idempotency keys · d allowance and attempts · e ledger · f commit, durable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.allowance import attempts as budget
from gateway.allowance.account import Account, Reading, Shortage, readings, spend
from gateway.clock import DAY, SECOND, Entropy, rfc3339, rfc3339_seconds
from gateway.errors import Cause, CommitUnknown, GatewayError, Refusal, StoreUnavailable
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import SealBroken, b64u
from gateway.ledger.log.canonical import digest
from gateway.ledger.log.entry import Entry, Kind, make_entry, private_bytes
from gateway.ledger.log.merkle import Frontier
from gateway.sealing.submission import (
    REFERRAL,
    Changes,
    Draft,
    Failed,
    Outcome,
    Revoke,
    Sealed,
    SealStore,
    SealTransaction,
    StaleEpoch,
    Submission,
)

REPEAT_LIFE = DAY
ALLOWANCE_CAUSES = {
    "burst": Cause.RATE_EXCEEDED,
    "day": Cause.ALLOWANCE_EXHAUSTED,
    "month": Cause.ALLOWANCE_EXHAUSTED,
    "balance": Cause.BALANCE_EXHAUSTED,
}
ProblemWriter = Callable[[Refusal, str, str], tuple[int, dict[str, Any]]]
"""(refusal, language, id) → (HTTP status, problem document); given by `build`, for its texts live in `web/`."""

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _SealState:
    """What a transaction has read, as it changes while the submissions are decided one after another."""

    now: int
    epochs: Mapping[str, int]
    used: set[bytes]
    stored: Mapping[bytes, tuple[bytes, int, bytes]]
    accounts: dict[str, Account]
    guesses: dict[bytes, bytes]
    frontier: Frontier
    proofs: dict[bytes, int] = field(default_factory=dict)
    repeats: dict[bytes, tuple[bytes, bytes, int, bytes, int]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    charged: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    revoked: list[Revoke] = field(default_factory=list)
    moved: dict[str, int] = field(default_factory=dict)


class Sealer:
    """Seals submissions. One thread at a time may call `seal`."""

    def __init__(self, store: SealStore, keyring: Keyring, entropy: Entropy, problem: ProblemWriter) -> None:
        self._store = store
        self._keyring = keyring
        self._entropy = entropy
        self._problem = problem

    def seal(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """One outcome for each submission, all durable. Raises StoreUnavailable or CommitUnknown: then none may leave.

        When the transaction fails for another reason, each is tried alone, and only the offender has Failed.
        """
        try:
            return self._seal(submissions)
        except GatewayError:
            raise
        except Exception as fault:  # noqa: BLE001  whatever poisons a transaction is found by trying each alone
            if len(submissions) == 1:
                return [Failed(type(fault).__name__)]
            return [outcome for submission in submissions for outcome in self.seal([submission])]

    def _seal(self, submissions: Sequence[Submission]) -> list[Outcome]:
        unit: _SealState | None = None
        outcomes: list[Outcome] = []
        try:
            with self._store.transaction() as transaction:
                unit = self._open(transaction, submissions)
                outcomes = [self._decide(submission, unit) for submission in submissions]
                unit.frontier.append([entry.hash for entry in unit.entries])  # e
                transaction.write(
                    Changes(
                        unit.proofs,
                        list(unit.repeats.values()),
                        {id: unit.accounts[id] for id in sorted(unit.touched)},
                        dict(sorted(unit.charged.items())),
                        unit.entries,
                        unit.frontier,
                        unit.revoked,
                        unit.moved,
                    )
                )
            # f: leaving the block has committed, durably
        except CommitUnknown as unknown:
            if unknown.local or unit is None or not unit.entries:
                raise
            if not self._found(unit.entries[-1].id, unknown):  # looked up under the lock: so it never will be there
                raise StoreUnavailable(f"nothing was committed: {unknown}") from unknown
        return outcomes

    def _found(self, entry: str, unknown: CommitUnknown) -> bool:
        """Whether the seal that ended in `unknown` is in the ledger after all; when that cannot be said, still unknown."""
        try:
            return self._store.holds(entry)
        except StoreUnavailable:
            raise unknown from None

    @staticmethod
    def _open(transaction: SealTransaction, submissions: Sequence[Submission]) -> _SealState:
        """Read everything that the submissions need, each kind in one query, in sorted order."""
        now, epochs = transaction.epochs(sorted({scope for each in submissions for scope in each.epochs}))
        proofs = sorted({proof[0] for each in submissions for proof in each.proofs})
        keys = sorted({each.repeat.key for each in submissions if each.repeat})
        drafts = [draft for each in submissions for draft in each.drafts]
        accounts = sorted({account for draft in drafts for account, _ in draft.charges})
        tags = sorted({draft.attempt.tag for draft in drafts if draft.attempt})
        return _SealState(
            now,
            epochs,
            transaction.known_proofs(proofs) if proofs else set(),
            transaction.repeats(keys) if keys else {},
            dict(transaction.accounts(accounts)) if accounts else {},
            dict(transaction.attempts(tags)) if tags else {},
            transaction.frontier(),
        )

    def _decide(self, submission: Submission, unit: _SealState) -> Outcome:
        if any(unit.epochs.get(scope, 0) != count for scope, count in submission.epochs.items()):  # a
            return StaleEpoch({scope: unit.epochs.get(scope, 0) for scope in submission.epochs})
        refusal = self._expired(submission, unit) or self._replayed(submission, unit)
        if refusal is not None:
            return self._refuse_call(submission, refusal, unit)
        if submission.repeat is not None and _permitted(submission):  # c
            earlier = unit.stored.get(submission.repeat.key)
            if earlier is not None:
                return self._repeat(submission, earlier, unit)
            if submission.repeat.key in unit.repeats:
                return self._refuse_call(submission, Refusal(Cause.IDEMPOTENCY_IN_PROGRESS), unit)
        refusal = self._asked_before(submission, unit) or self._too_large(submission, unit)  # d
        if refusal is not None:
            return self._refuse_call(submission, refusal, unit)
        if submission.revoke is not None:
            self._revoke(submission.revoke, unit)
        return self._settle(submission, unit)

    @staticmethod
    def _revoke(revoke: Revoke, unit: _SealState) -> None:
        """Make a token void; what others in this very batch decided without knowing is decided again."""
        unit.revoked.append(revoke)
        unit.moved[revoke.scope] = unit.epochs.get(revoke.scope, 0) + 1
        unit.epochs = {**unit.epochs, **unit.moved}

    @staticmethod
    def _expired(submission: Submission, unit: _SealState) -> Refusal | None:
        """The token's and the agreement's end, against database time."""
        if submission.expires and submission.expires <= unit.now:
            return Refusal(Cause.INVALID_TOKEN, {"fault": "the token has expired"})
        if submission.ends and submission.ends <= unit.now:
            return Refusal(Cause.AGREEMENT_NOT_IN_FORCE, {"state": "expired", "restore": ["renew_agreement"]})
        return None

    @staticmethod
    def _replayed(submission: Submission, unit: _SealState) -> Refusal | None:  # b
        for id, expires, kind in submission.proofs:
            if kind == REFERRAL:
                continue  # the repeat of such a question is given its answer again
            if id in unit.used:
                if kind == "assertion":
                    return Refusal(Cause.INVALID_TOKEN, {"fault": "the assertion's jti was used before"})
                return Refusal(Cause.INVALID_DPOP_PROOF, {"fault": "the proof's jti was used before"})
            unit.used.add(id)
            unit.proofs[id] = expires
        return None

    @staticmethod
    def _asked_before(submission: Submission, unit: _SealState) -> Refusal | None:
        """A question after a case that is mended is answered once."""
        for id, expires, kind in submission.proofs:
            if kind != REFERRAL:
                continue
            if id in unit.used:
                return Refusal(Cause.MALFORMED_REQUEST, {"members": ["referral"]})
            unit.used.add(id)
            unit.proofs[id] = expires
        return None

    def _repeat(self, submission: Submission, earlier: tuple[bytes, int, bytes], unit: _SealState) -> Outcome:
        body_hash, status, sealed = earlier
        assert submission.repeat is not None  # noqa: S101  for the type checker: the caller has looked
        if body_hash not in submission.repeat.bodies:
            return self._refuse_call(submission, Refusal(Cause.IDEMPOTENCY_CONFLICT), unit)
        try:
            body = self._keyring.opener(Job.IDEMPOTENCY, sealed).open(sealed, submission.repeat.key)
        except SealBroken:
            return self._refuse_call(submission, Refusal(Cause.IDEMPOTENCY_CONFLICT), unit)
        draft = submission.drafts[0]
        self._append(
            submission, replace(draft, kind=Kind.REPEAT, private={**draft.private, "outcome": "repeat"}), {}, unit
        )
        return Sealed(status, body, self._readings(draft, unit))

    @staticmethod
    def _too_large(submission: Submission, unit: _SealState) -> Refusal | None:
        """Whether a batch that may not be cut is larger than what is left of its allowance."""
        if not submission.whole:
            return None
        wanted = Counter(charge for draft in submission.drafts if draft.answer is not None for charge in draft.charges)
        for (account, room), count in wanted.items():
            if count > room.burst:  # no wait would ever make room for it
                return Refusal(Cause.BATCH_TOO_LARGE, {"most": room.burst, "limit": "burst"})
            spent = spend(unit.accounts.get(account, Account()), room, unit.now, count)
            if isinstance(spent, Shortage):
                return _shortage(spent, unit.now)
        return None

    def _settle(self, submission: Submission, unit: _SealState) -> Sealed:
        results = [self._settle_draft(submission, draft, unit) for draft in submission.drafts]
        last = submission.drafts[-1]
        shown = self._readings(last, unit)
        if not submission.batch:
            status, document, refusal = results[0]
            sealed = Sealed(status, _encode(document), shown, *_retry(refusal))
        else:
            items = [
                {"ref": draft.ref, **document} if draft.ref is not None else document
                for draft, (_, document, _) in zip(submission.drafts, results, strict=True)
            ]
            sealed = Sealed(200, _encode({"items": items}), shown)
        # Refusals are decided afresh, and never take the place of an answer.
        if submission.repeat is not None and sealed.status == 200 and _permitted(submission):  # noqa: PLR2004
            key = self._keyring.sealer(Job.IDEMPOTENCY)
            repeat = submission.repeat
            kept = key.seal(sealed.body, repeat.key, self._entropy)
            unit.repeats[repeat.key] = (repeat.key, repeat.bodies[0], sealed.status, kept, unit.now + REPEAT_LIFE)
        return sealed

    def _settle_draft(
        self, submission: Submission, draft: Draft, unit: _SealState
    ) -> tuple[int, Mapping[str, Any], Refusal | None]:
        refusal = draft.refusal or self._charge(draft, unit)
        if refusal is not None:
            status, document = self._refuse(submission, draft, refusal, unit)
            return status, document, refusal
        answer: dict[str, Any] = {
            "id": draft.id,
            **(draft.answer or {}),
            "answered_at": rfc3339(unit.now),
            "nonce": b64u(draft.nonce),
            "billed": bool(draft.charges),
        }
        answer["entry"] = self._append(submission, draft, answer, unit)
        return 200, answer, None

    @staticmethod
    def _charge(draft: Draft, unit: _SealState) -> Refusal | None:
        """Spend where there is room for all of it: attempt budget and allowance are looked at first, then both charged."""
        if not draft.charges:
            return None
        attempt = draft.attempt
        guesses: tuple[budget.Guess, ...] = ()
        if attempt is not None:
            guesses = budget.decode(unit.guesses.get(attempt.tag, b""), unit.now)
            if budget.spent(guesses) >= attempt.budget:
                moment = budget.resets_at(guesses, attempt.budget)
                wait = max(-(-(moment - unit.now) // SECOND), 1)
                return Refusal(Cause.ATTEMPTS_EXHAUSTED, {"resets_at": rfc3339_seconds(moment), "retry_after": wait})
        after: dict[str, Account] = {}
        for account, room in draft.charges:
            spent = spend(unit.accounts.get(account, Account()), room, unit.now)
            if isinstance(spent, Shortage):
                return _shortage(spent, unit.now)
            after[account] = spent
        unit.accounts.update(after)
        unit.touched.update(after)
        if attempt is not None and attempt.cost:
            row = budget.encode(budget.charge(guesses, attempt.cost, attempt.guess, unit.now))
            unit.guesses[attempt.tag] = row
            unit.charged[attempt.tag] = (row, unit.now + budget.WINDOW + SECOND)
        return None

    def _refuse_call(self, submission: Submission, refusal: Refusal, unit: _SealState) -> Sealed:
        draft = submission.envelope or submission.drafts[0]
        status, document = self._refuse(submission, draft, refusal, unit)
        return Sealed(status, _encode(document), self._readings(draft, unit), *_retry(refusal))

    def _refuse(
        self, submission: Submission, draft: Draft, refusal: Refusal, unit: _SealState
    ) -> tuple[int, dict[str, Any]]:
        status, document = self._problem(refusal, submission.language, draft.id)
        document |= {"id": draft.id, "nonce": b64u(draft.nonce), "billed": False}
        kept = replace(draft, kind=Kind.REFUSAL, private={**draft.private, "outcome": str(refusal.cause)})
        document["entry"] = self._append(submission, kept, document, unit)
        return status, document

    def _append(self, submission: Submission, draft: Draft, document: Mapping[str, Any], unit: _SealState) -> str:
        entry = make_entry(
            kind=draft.kind,
            id=draft.id,
            at=unit.now,
            actor=submission.actor,
            agreement=draft.agreement,
            purpose=draft.purpose,
            answer=digest(document),
            request=draft.request,
            private=private_bytes(self._entropy.bytes(32), draft.private),
        )
        unit.entries.append(entry)
        return b64u(entry.hash)

    @staticmethod
    def _readings(draft: Draft, unit: _SealState) -> tuple[Reading, ...]:
        if not draft.charges:
            return ()
        account, room = draft.charges[0]
        return readings(unit.accounts.get(account, Account()), room, unit.now)


def _permitted(submission: Submission) -> bool:
    """Whether steps 1 to 4 let anything of it through: only then may an earlier answer be given again."""
    return any(draft.refusal is None for draft in submission.drafts)


def _shortage(shortage: Shortage, now: int) -> Refusal:
    facts: dict[str, Any] = {"limit": shortage.limit}
    if shortage.resets_at:
        facts["resets_at"] = rfc3339_seconds(shortage.resets_at + SECOND - 1)
        facts["retry_after"] = max(-(-(shortage.resets_at - now) // SECOND), 1)
    return Refusal(ALLOWANCE_CAUSES[shortage.limit], facts)


def _retry(refusal: Refusal | None) -> tuple[int, str]:
    """(seconds for Retry-After, the slug)."""
    if refusal is None:
        return 0, ""
    after = refusal.facts.get("retry_after", 0)
    return after if isinstance(after, int) else 0, str(refusal.cause)
