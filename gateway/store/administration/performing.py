"""How is an act of an administrator made, sealed and recorded? In one transaction under the sealing lock, or not at all.

The seal checks epochs and proofs as it does for everybody; the act's entry, its changes and the new epochs commit together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace as with_changes
from typing import Any

from msgspec.structs import replace

from gateway.administration.commands import Act, Shown, View
from gateway.clock import Clock, Entropy
from gateway.errors import Cause, Refusal, Refused, StoreUnavailable
from gateway.keyring import SigningKey
from gateway.keyring.keys import b64u
from gateway.ledger.log.canonical import canonical
from gateway.partners.present import Reach
from gateway.policy.decide import Decider
from gateway.sealing.sealer import Sealer
from gateway.sealing.standing import partner_scope
from gateway.sealing.submission import Draft, Failed, Outcome, Sealed, SealStore, StaleEpoch, Submission
from gateway.store.administration import approvals, duties, overview, own
from gateway.store.administration import registrar_queries as paperwork
from gateway.store.administration.views import show
from gateway.store.audit import access_requests, assignments, incidents, traffic
from gateway.store.audit import published_log as published
from gateway.store.audit import searches as audit
from gateway.store.base.engine import Database
from gateway.store.commands.query import ReadContext, day_of, slug_alone
from gateway.store.commands.unit_of_work import CommandResult, UnitOfWork
from gateway.store.feeds import delivery
from gateway.store.feeds.offices import Feeds
from gateway.store.partners import agreements, bulk, credentials
from gateway.store.partners.money import keep_statement, kept_statement, make_statement
from gateway.store.referrals import cases as referrals
from gateway.store.sealing.history import RecordedChange, bump, write_history
from gateway.store.sealing.repeats import was_done
from gateway.store.sealing.seals import SealsWithin
from gateway.store.search.copy import AuditTools
from gateway.store.staff import members as staff

ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    name: act
    for module in (
        access_requests,
        agreements,
        approvals,
        assignments,
        audit,
        bulk,
        credentials,
        delivery,
        duties,
        incidents,
        referrals,
        staff,
    )
    for name, act in module.ACTS.items()
}
"""Everything that can be done, by name; each module of the store has the acts that it does."""

PREPARED: Mapping[str, Callable[[Database, int, Act], Any]] = {**audit.PREPARED, **incidents.PREPARED}
"""What has to be looked up for an act, and takes too long to do it under the sealing lock."""

FEEDING = frozenset({"take_batch", "consolidate"})
"""What an office sends: prepared in its own thread, for it takes long."""

AUDIT_VIEWS: Mapping[str, Callable[[ReadContext, View], Shown]] = {
    **audit.VIEWS,
    **access_requests.VIEWS,
    **incidents.VIEWS,
    **traffic.VIEWS,
    **own.VIEWS,
    **published.VIEWS,
    **overview.VIEWS,
    **paperwork.VIEWS,
}
"""Views that need to know who reads, or tell the entry of the reading more than their name."""
CATCH_UP = 20_000  # entries that are copied before a search, at most


class _UndoneError(Exception):
    """The seal did not take the act: everything is rolled back."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class AdministrationOf:
    """Administration in one database; see `administration.commands.AdministrationPort`."""

    def __init__(  # noqa: PLR0913, PLR0917  what administration reaches
        self,
        database: Database,
        clock: Clock,
        entropy: Entropy,
        decider: Callable[[], Decider],
        sealer: Callable[[SealStore], Sealer],
        issuer: str,
        signer: SigningKey,
        audit_tools: AuditTools | None = None,
        words: Callable[[str], Mapping[str, Any]] = slug_alone,
        reach: Reach = Reach(),  # noqa: B008  a value
        feeds: Feeds | None = None,
    ) -> None:
        """`decider` gives the policies in force, whose purposes drafts are read with; `sealer` seals in a given store.

        `reach` bounds what the networks of an agreement may admit.

        `signer` signs statements; without `audit_tools` nobody audits here, without `feeds` no office sends.
        `words` tells what a cause means.
        """
        self._database = database
        self._clock = clock
        self._entropy = entropy
        self._decider = decider
        self._sealer = sealer
        self._issuer = issuer
        self._signer = signer
        self._audit_tools = audit_tools
        self._words = words
        self._reach = reach
        self._feeds = feeds
        # Apart, so that no long reading keeps an emergency suspension waiting.
        self._acting = ThreadPoolExecutor(1, thread_name_prefix="administration")
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="administration-reader")
        self._feeding = ThreadPoolExecutor(1, thread_name_prefix="feeds")

    async def perform(self, act: Act, submission: Submission) -> Outcome:
        """See `AdministrationPort.perform`. Raises StoreUnavailable, CommitUnknown."""
        threads = self._feeding if act.name in FEEDING else self._acting
        return await asyncio.get_running_loop().run_in_executor(threads, self._perform, act, submission)

    async def show(self, view: View) -> Shown:
        """See `AdministrationPort.show`."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._show, view)

    def close(self) -> None:
        """Stop the threads."""
        self._acting.shutdown()
        self._feeding.shutdown()
        self._reading.shutdown()

    def _show(self, view: View) -> Shown:
        if view.name == "statement":
            return self._statement(view)
        audited = AUDIT_VIEWS.get(view.name) or (self._feeds.views.get(view.name) if self._feeds else None)
        if view.name in AUDIT_VIEWS and self._audit_tools is not None:
            self._audit_tools.follower.follow(CATCH_UP)
        if view.name in traffic.VIEWS:
            traffic.TrafficTally(self._database).follow(CATCH_UP)
        with self._database.reading() as connection:
            decider = self._decider()
            purposes, tools = decider.policies.purposes, self._audit_tools
            context = ReadContext(
                connection, self._clock.now(), purposes, decider, tools, self._words, self._reach, replays=True
            )
            return show(context, view) if audited is None else audited(context, view)

    def _statement(self, view: View) -> Shown:
        day, partner = day_of(view.path["date"]), view.path["partner"]
        with self._database.reading() as connection:
            document = kept_statement(connection, partner, day)
            if document is not None:
                return Shown(document)
            made = make_statement(connection, self._issuer, partner, day, self._clock.now())
        document = {"statement": made, "jws": self._sign(canonical(made))}
        with self._database.sealing() as (connection, _):
            return Shown(keep_statement(connection, partner, day, document))

    def _sign(self, payload: bytes) -> str:
        """A compact JWS (RFC 7515) over the JCS of a statement."""
        header = {"alg": self._signer.alg, "kid": self._signer.kid, "typ": "statement+jws"}
        signed = f"{b64u(canonical(header))}.{b64u(payload)}"
        return f"{signed}.{b64u(self._signer.sign(signed.encode()))}"

    def _perform(self, act: Act, submission: Submission) -> Outcome:
        draft = submission.drafts[0]
        try:
            act = self._prepared(act)
            with self._database.sealing() as (connection, now):
                if submission.repeat is not None and was_done(connection, submission.repeat.key, now):
                    return self._again(SealsWithin(connection, now), submission, act)
                decider = self._decider()
                unit = UnitOfWork(
                    connection, now, self._entropy, decider.policies.purposes, self._audit_tools, self._reach
                )
                context = ReadContext(connection, now, decider.policies.purposes, decider, reach=self._reach)
                require_revision(context, act)
                result = ACTS[act.name](unit, act)
                left = show(context, View(*result.shown)).revision if result.shown is not None else ""
                answer = {**result.answer, "receipt": draft.id} if "id" in result.answer else dict(result.answer)
                private = {**draft.private, "person": act.person, **result.private}
                whole = replace(draft, kind=result.kind, agreement=result.agreement, private=private, answer=answer)
                outcome = self._seal(SealsWithin(connection, now), submission, whole)
                if not isinstance(outcome, Sealed) or outcome.cause:
                    raise _UndoneError(outcome)  # noqa: TRY301  leaving the block is what rolls back
                for partner in sorted(set(result.moved)):
                    bump(connection, partner_scope(partner))
            if self._feeds is not None:
                with suppress(StoreUnavailable):  # it is sealed; what waits for it is gone on with later
                    self._feeds.finish(act, result)
            return replace(outcome, revision=left)
        except Refused as refused:
            return self.refuse(submission, refused.refusal, act)
        except _UndoneError as undone:
            if isinstance(undone.outcome, StaleEpoch | Failed):
                return undone.outcome
            # Replayed or expired: the refusal is sealed by itself, for what it came with was rolled back.
            return self.refuse(submission, Refusal(Cause.MALFORMED_REQUEST), act)

    def _again(self, store: SealStore, submission: Submission, act: Act) -> Outcome:
        """The answer that was given for this idempotency key; another body under it is refused. Nothing is done."""
        draft = submission.drafts[0]
        private = {**draft.private, "person": act.person, "act": act.name}
        return self._seal(store, submission, replace(draft, private=private, answer={}))

    def _prepared(self, act: Act) -> Act:
        if act.name in FEEDING:
            if self._feeds is None:
                raise Refused(Cause.REGISTER_UNAVAILABLE, retry_after=1)
            return with_changes(act, prepared=self._feeds.prepare(act))
        look = PREPARED.get(act.name)
        if look is None:
            return act
        if self._audit_tools is not None:
            self._audit_tools.follower.follow(CATCH_UP)
        return with_changes(act, prepared=look(self._database, self._clock.now(), act))

    def refuse(self, submission: Submission, refusal: Refusal, act: Act) -> Outcome:
        """Seal the refusal of an act."""
        draft = submission.drafts[0]
        private = {**draft.private, "person": act.person, "act": act.name}
        agreement = act.path.get("a", "")
        with self._database.sealing() as (connection, now):
            known = agreement if agreement and agreements.exists(connection, agreement) else ""
            whole = replace(draft, agreement=known, private=private, refusal=refusal)
            return self._seal(SealsWithin(connection, now), submission, whole)

    def _seal(self, store: SealStore, submission: Submission, draft: Draft) -> Outcome:
        return self._sealer(store).seal([replace(submission, drafts=(draft,))])[0]


def require_revision(context: ReadContext, act: Act) -> None:
    """Raises Refused(CONFLICT) when what the act is done to has another state than was expected."""
    if not act.expected:
        return
    path = {"id": act.path["id"]} if "id" in act.path else dict(act.path)
    view = View(act.watched, path, person=act.person)
    if AUDIT_VIEWS.get(view.name, show)(context, view).revision not in act.expected:
        raise Refused(Cause.CONFLICT, fault="it has another state by now than was expected")


def do(database: Database, entropy: Entropy, decider: Decider, acts: list[Act]) -> list[CommandResult]:
    """Acts of persons at the command line, in one transaction with their entries. Raises Refused: then nothing was done."""
    results: list[CommandResult] = []
    with database.sealing() as (connection, now):
        unit = UnitOfWork(connection, now, entropy, decider.policies.purposes)
        results.extend(ACTS[act.name](unit, act) for act in acts)
        history = [
            RecordedChange(result.kind, act.person, result.private, result.agreement)
            for act, result in zip(acts, results, strict=True)
        ]
        write_history(connection, history, now, entropy)
        for partner in sorted({partner for result in results for partner in result.moved}):
            bump(connection, partner_scope(partner))
    return results
