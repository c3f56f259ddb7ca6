"""What does a test of the console's entrance do again and again? Members proposed, approved, invited, enrolled, logged in."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from authenticator import Authenticator

from gateway.administration.commands import Act, View
from gateway.administration.login_challenges import LoginChallenges
from gateway.administration.requests.partners import ApprovedDigest
from gateway.administration.requests.staff import NewMember
from gateway.administration.sign_in import Admission, Session, SignIn
from gateway.clock import Clock, SystemClock, SystemEntropy
from gateway.errors import Cause, Refused
from gateway.keyring import Job, MacKey
from gateway.ledger.check.check import check
from gateway.policy.decide import Decider
from gateway.staff.passkeys import Relying
from gateway.store.administration.performing import do
from gateway.store.administration.views import show
from gateway.store.base.engine import Database
from gateway.store.commands.query import ReadContext
from gateway.store.ledger.entries import LedgerOf
from gateway.store.staff.sign_in import StoredSessions

CLOCK, ENTROPY = SystemClock(), SystemEntropy()
ORIGIN = "https://console.nik.example.go.id"
_T = TypeVar("_T")


def run(step: Coroutine[Any, Any, _T]) -> _T:
    """What a step of the entrance gives."""
    return asyncio.run(step)


def refused(step: Coroutine[Any, Any, Any]) -> Refused:
    """The refusal that a step of the entrance ends in."""
    try:
        asyncio.run(step)
    except Refused as told:
        return told
    msg = "it was not refused"
    raise AssertionError(msg)


class Console:
    """The entrance of one database; a second one is another worker."""

    def __init__(self, database: Database, decider: Decider) -> None:
        self.database, self.decider = database, decider
        self.counted: Counter[str] = Counter()
        self._houses: list[StoredSessions] = []
        self.sign_in = self.worker()

    def worker(self, clock: Clock = CLOCK) -> SignIn:
        """One more worker's entrance, whose challenges go by `clock`."""
        sessions = StoredSessions(self.database, CLOCK, ENTROPY)
        self._houses.append(sessions)
        challenges = LoginChallenges([MacKey(Job.NONCE, 1, bytes(32))], clock, ENTROPY)
        relying = Relying(ORIGIN, "NIK")
        return SignIn(sessions, relying, CLOCK, ENTROPY, lambda cause: self.counted.update([cause]), challenges)

    def close(self) -> None:
        """Stop every worker."""
        for each in self._houses:
            each.close()

    def do(self, name: str, path: dict[str, str], body: Any = None, person: str = "Budi", client: str = "") -> Any:
        """What an act answers."""
        (result,) = do(self.database, ENTROPY, self.decider, [Act(name, path, body, person, client_id=client)])
        return dict(result.answer)

    def agreed(self, name: str, path: dict[str, str], body: Any = None) -> Any:
        """What an act of two persons answers: Budi proposes, Sri approves."""
        proposed = self.do(name, path, body)
        return self.do("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")

    def member(self, person: str = "Ayu", *roles: str, partner: str = "") -> str:
        """A member who was approved; the id."""
        body = NewMember(person, list(roles) or ["registrar"], **({"partner": partner} if partner else {}))
        return str(self.agreed("propose_member", {}, body)["member"])

    def token(self, member: str) -> str:
        """A one-time link's token."""
        return str(self.do("invite_member", {"id": member})["token"])

    def enrol(self, member: str) -> tuple[Authenticator, Admission]:
        """The passkey and the session of a member who follows a link."""
        token, key = self.token(member), Authenticator(ORIGIN)
        ceremony = run(self.sign_in.begin_enrolment(token))
        response = key.create(ceremony.options)
        return key, run(self.sign_in.finish_enrolment(token, ceremony.id, response, "Laptop", "192.0.2.1"))

    def stepped_up(self, key: Authenticator, admission: Admission) -> Session:
        """The session of a member who has just shown a passkey once more."""
        ceremony = run(self.sign_in.begin_step_up(admission.session))
        run(self.sign_in.finish_step_up(admission.session, ceremony.id, key.get(ceremony.options)))
        return run(self.sign_in.session(admission.cookie))

    def log_in(self, key: Authenticator, sign_in: SignIn | None = None) -> Admission:
        """A new session."""
        ceremony = run((sign_in or self.sign_in).begin_login())
        return run(self.sign_in.finish_login(ceremony.id, key.get(ceremony.options), "192.0.2.1"))

    def fails(self, response: Any, ceremony: str) -> Refused:
        """The refusal of a login."""
        told = refused(self.sign_in.finish_login(ceremony, response, "192.0.2.1"))
        assert told.refusal.cause is Cause.INVALID_TOKEN
        return told

    def view(
        self,
        name: str,
        path: dict[str, str] | None = None,
        client: str = "",
        token: str = "",
        **query: str,
    ) -> Any:
        """The document of a view."""
        with self.database.reading() as connection:
            context = ReadContext(connection, CLOCK.now(), self.decider.policies.purposes, self.decider)
            return show(context, View(name, path or {}, query, client_id=client, token_id=token)).document

    def entries(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Every leaf with its private part; the ledger must be sound."""
        with LedgerOf(self.database).snapshot() as (head, stored):
            held = list(stored)
            check(head, held)
        return [(json.loads(each.leaf), json.loads((each.private or b"")[32:])) for each in held]

    def changes(self) -> list[str]:
        """What the entries of the console tell of, in order."""
        return [private["change"] for leaf, private in self.entries() if leaf["kind"] == "staff"]
