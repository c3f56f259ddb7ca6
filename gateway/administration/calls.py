"""How does a call of an administrator become an act of a person, sealed before it is answered?

Everything that an identified caller does, reads or is refused here is an entry of the ledger, as in the corridor.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from gateway.administration.commands import Act, AdministrationPort, Shown, View
from gateway.clock import Entropy
from gateway.errors import Cause, Refusal, Refused
from gateway.ledger.log.canonical import canonical
from gateway.ledger.log.entry import Kind, request_digest
from gateway.oauth.client import Caller
from gateway.sealing.attempt import attempt, standing_of, submission_of
from gateway.sealing.queue import Sealing
from gateway.sealing.standing import Directory, Standing
from gateway.sealing.submission import Draft, Outcome, Repeat, Sealed, Submission


class Administration:
    """Acts and views of whoever administers, and of partners about their own keys and statements."""

    def __init__(self, entropy: Entropy, directory: Directory, sealing: Sealing, port: AdministrationPort) -> None:
        self._entropy = entropy
        self._directory = directory
        self._sealing = sealing
        self._port = port

    async def act(  # noqa: PLR0913  who does what, and how it came
        self,
        id: str,
        caller: Caller,
        language: str,
        scope: str,
        raw: bytes,
        make: Callable[[str], Act],
        repeat: Repeat | None = None,
    ) -> Sealed:
        """Do what `make` gives for the person who calls, once for each `repeat`. Raises Refused where no seal could be had."""

        async def step() -> Outcome:
            standing = await standing_of(self._directory, caller)
            submission = replace(self._submission(id, caller, standing, language, raw), repeat=repeat)
            try:
                act = make(_admit(caller, standing, scope))
            except Refused as refused:
                return await self._refuse(submission, refused.refusal)
            return await self._port.perform(act, submission)

        return await attempt(self._directory, step)

    async def read(  # noqa: PLR0913  who reads what, and how it came
        self, id: str, caller: Caller, language: str, scope: str, raw: bytes, make: Callable[[], View]
    ) -> Sealed:
        """Show what `make` names. Raises Refused where no seal could be had."""

        async def step() -> Outcome:
            standing = await standing_of(self._directory, caller)
            submission = self._submission(id, caller, standing, language, raw)
            try:
                view = _view(caller, standing, scope, make)
                shown = await self._port.show(view)
            except Refused as refused:
                return await self._refuse(submission, refused.refusal)
            draft = submission.drafts[0]
            document = {**shown.document, "receipt": id} if "id" in shown.document else dict(shown.document)
            told = {"person": view.person, "outcome": view.name, **_named(view), **shown.private}
            whole = replace(
                draft,
                kind=Kind.READ,
                agreement=shown.agreement,
                answer=document,
                private={**draft.private, **told},
            )
            outcome = (await self._sealing.seal([replace(submission, drafts=(whole,))]))[0]
            if not isinstance(outcome, Sealed) or outcome.cause:
                return outcome
            return replace(outcome, revision=shown.revision, body=shown.raw or outcome.body)

        return await attempt(self._directory, step)

    async def glance(self, caller: Caller, scope: str, make: Callable[[], View]) -> Shown:
        """What a view shows now, without an entry: only for what `Watching` knows to be under one. Raises Refused."""
        return await self._port.show(_view(caller, await standing_of(self._directory, caller), scope, make))

    async def refuse(  # noqa: PLR0913  who is refused what
        self, id: str, caller: Caller, language: str, scope: str, raw: bytes, refusal: Refusal
    ) -> Sealed:
        """Seal the refusal of a call that did not come so far as to be an act."""

        def make(_: str) -> Act:
            raise Refused(refusal.cause, **refusal.facts)

        return await self.act(id, caller, language, scope, raw, make)

    async def _refuse(self, submission: Submission, refusal: Refusal) -> Outcome:
        draft = replace(submission.drafts[0], refusal=refusal)
        return (await self._sealing.seal([replace(submission, drafts=(draft,))]))[0]

    def _submission(self, id: str, caller: Caller, standing: Standing, language: str, raw: bytes) -> Submission:
        nonce = self._entropy.bytes(32)
        private: dict[str, Any] = {"address": caller.address, "token": caller.token_id}
        draft = Draft(id, Kind.REFUSAL, "", "", nonce, request_digest(nonce, raw), private)
        return submission_of(caller, standing, language, draft)


def request_of(method: str, path: str, query: str, body: object) -> bytes:
    """What the `request` of an entry commits to: the JCS of method, path, query and body."""
    return canonical({"method": method, "path": path, "query": query, "body": body})


def _admit(caller: Caller, standing: Standing, scope: str) -> str:
    """The person who calls ("" for a partner). Raises Refused: a token or a scope that holds no more, a credential of nobody."""
    standing.validity.admit(caller.token_id, caller.key, caller.issued)
    if scope and (scope not in caller.scopes or scope not in standing.client.scopes):
        raise Refused(Cause.INSUFFICIENT_SCOPE, scope=scope)
    if scope.startswith(("partners.", "audit.", "register.diagnose")) and not standing.client.person:
        raise Refused(Cause.INSUFFICIENT_SCOPE, scope=scope)
    return standing.client.person


def _view(caller: Caller, standing: Standing, scope: str, make: Callable[[], View]) -> View:
    """What is read, with who reads it. Raises Refused as `_admit`, and whatever `make` raises."""
    person = _admit(caller, standing, scope)
    return dataclasses.replace(make(), person=person, client_id=caller.client_id, token_id=caller.token_id, scope=scope)


def _named(view: View) -> dict[str, Any]:
    """Which thing was read (ids that exist only: what a caller made up was refused before), and for how long it is watched."""
    named = "/".join(view.path.values())
    return ({"of": named} if named else {}) | ({"watched": view.watched} if view.watched else {})
