"""Who is at the console? Invitation, passkey, session, step-up; every one of them an entry of the ledger.

Nothing is kept in this process: challenges and sessions lie in the database, cookies and links only as digests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

from gateway.administration.login_challenges import LoginChallenges
from gateway.clock import SECOND, Clock, Entropy, uuid7
from gateway.errors import Cause, CommitUnknown, Refused, StoreUnavailable
from gateway.keyring.keys import b64u
from gateway.oauth.client import Caller
from gateway.oauth.login import Login, LoginFault, LoginRequest
from gateway.staff.passkeys import NewPasskey, PasskeyFault, Relying, named
from gateway.staff.roles import CONSOLE, Role, scopes_of
from gateway.staff.session import CHALLENGE, STEPPED_UP, WHOLE

LABEL = 60
"""Characters of a passkey's name."""
_LOGGED_OUT = "nobody is logged in by this cookie"
_NOT_PROVEN = "the passkey did not prove who is there"


@dataclass(frozen=True, slots=True)
class Session:
    """What a valid cookie stands for. Instants are microseconds; `partner` is "" for the house.

    `id` may be shown. `lapsed`: the certification has run out, so that nothing but the own affairs may be seen.
    """

    id: str
    member: str
    person: str
    roles: frozenset[Role]
    partner: str
    client_id: str
    began: int
    expires: int
    stepped_up_until: int
    certified_until: int
    csrf: str
    owner: str = ""  # whom the client belongs to: the partner, or the house's own staff
    lapsed: bool = False

    def fresh(self, now: int, *, alone: bool) -> bool:
        """Whether the person has just shown who is there: by a step-up, or, who has no passkey (`alone`), by logging in."""
        return self.stepped_up_until > now or (alone and self.began + STEPPED_UP > now)

    def caller(self, scope: str, address: str) -> Caller:
        """Whoever calls, for `Administration.read` and `act`; `scope` bounds the call, and never widens what the roles give."""
        held = frozenset({CONSOLE}) if self.lapsed else scopes_of(self.roles)
        return Caller(
            self.client_id, self.owner, held & {scope}, "session", self.id, self.expires, (), address, issued=self.began
        )


@dataclass(frozen=True, slots=True)
class Ceremony:
    """One call of `navigator.credentials`: its id, and its options as WebAuthn JSON."""

    id: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Admission:
    """Somebody is let in: the cookie's value, how long it may be kept (seconds), and the session."""

    cookie: str
    max_age: int
    session: Session
    next: str = ""  # where whoever logged in by an OpenID provider wanted to go


@dataclass(frozen=True, slots=True)
class Departure:
    """Somebody is sent to the OpenID provider: where to, and the cookie (`SameSite=Lax`) that the answer has to come with."""

    url: str
    cookie: str
    max_age: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom a one-time link is for, and until when (microseconds)."""

    member: str
    person: str
    roles: frozenset[Role]
    partner: str
    expires: int


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey that was registered: its credential id, whose it is, its COSE public key, and its signature count."""

    credential: bytes
    member: str
    public_key: bytes
    count: int


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A ceremony that was begun: what for, with which challenge, and for which invitation or session."""

    purpose: str  # enrol | login | step_up | passkey
    challenge: bytes
    subject: str


class SessionStore(Protocol):
    """The port through which sign-in reaches the store. Sessions come without `csrf`. All raise StoreUnavailable."""

    async def open(self, id: str, opened: OpenedSession) -> None:
        """Keep a challenge. Raises Refused(OVERLOADED) when too many wait."""

    async def take(self, id: str) -> OpenedSession | None:
        """A challenge that still holds, for the last time."""

    async def use(self, id: str, until: int) -> bool:
        """Write down that a challenge which was not kept has served; whether it had not yet."""

    async def invited(self, token: bytes) -> Invitation | None:
        """Whom an invitation of this digest is for, while it holds."""

    async def passkeys(self, member: str) -> tuple[Passkey, ...]:
        """The passkeys of a member."""

    async def passkey(self, credential: bytes) -> Passkey | None:
        """The passkey of this credential id."""

    async def enrol(self, token: bytes, passkey: NewPasskey, label: str, cookie: bytes, address: str) -> Session | None:
        """Use up an invitation: the member has a passkey and a session. None when it holds no more."""

    async def admit(self, passkey: Passkey, count: int, cookie: bytes, address: str) -> Session | None:
        """A session for the passkey's member. None: the member is not enrolled, or the count has moved meanwhile."""

    async def admit_external(self, subject: str, cookie: bytes, address: str, session: str) -> Session | None:
        """A session for whoever is `subject` to the provider; in place of `session`, stepped up, if that is given."""

    async def session(self, cookie: bytes) -> Session | None:
        """The session of a cookie, while it lasts."""

    async def step_up(self, session: Session, passkey: Passkey, count: int) -> bool:
        """Write down that the session's person was there; whether session and count still hold."""

    async def add(self, session: Session, passkey: NewPasskey, label: str) -> bool:
        """One more passkey; whether the session still holds, its person was just there, and nobody has this passkey."""

    async def end(self, session: Session) -> None:
        """End a session."""


class SignIn:
    """Lets people in. Every failure to prove who one is looks the same, and is only counted."""

    def __init__(  # noqa: PLR0913  what sign-in reaches
        self,
        sessions: SessionStore,
        relying: Relying,
        clock: Clock,
        entropy: Entropy,
        note: Callable[[str], None],
        challenges: LoginChallenges,
        login: Login | None = None,
    ) -> None:
        """`note` counts a refusal before identity, by its slug; `login` is the OpenID provider, if there is one."""
        self.login = login
        self._sessions = sessions
        self._relying = relying
        self._clock = clock
        self._entropy = entropy
        self._note = note
        self._challenges = challenges

    async def invited(self, token: str) -> Invitation:
        """Whom a one-time link is for. Raises Refused(NOT_FOUND): used, expired, or never given."""
        with _Reachable():
            found = await self._sessions.invited(digest(token))
        if found is None:
            self._note(Cause.NOT_FOUND)
            raise Refused(Cause.NOT_FOUND)
        return found

    async def begin_enrolment(self, token: str) -> Ceremony:
        """The first passkey of whoever was invited. Raises Refused(NOT_FOUND)."""
        invitation = await self.invited(token)
        handle = UUID(invitation.member).bytes
        return await self._begin("enrol", b64u(digest(token)), handle, invitation.person)

    async def finish_enrolment(
        self, token: str, ceremony: str, response: Mapping[str, Any], label: str, address: str
    ) -> Admission:
        """Enrol and let in. Raises Refused(NOT_FOUND, INVALID_TOKEN)."""
        held = digest(token)
        passkey = await self._made("enrol", b64u(held), ceremony, response)
        cookie = self._cookie()
        with _Reachable():
            session = await self._sessions.enrol(held, passkey, _named(label), digest(cookie), address)
        if session is None:
            self._note(Cause.NOT_FOUND)
            raise Refused(Cause.NOT_FOUND)
        return self._admission(cookie, session)

    async def begin_login(self) -> Ceremony:
        """A challenge for whoever holds a passkey; no name is asked for, so there is none to try."""
        id, challenge = self._challenges.new()
        return Ceremony(id, self._relying.request(challenge, []))

    async def finish_login(self, ceremony: str, response: Mapping[str, Any], address: str) -> Admission:
        """Let in. Raises Refused(INVALID_TOKEN), always in the same words."""
        found = self._challenges.find(ceremony)
        if found is None:
            raise self._refused(_NOT_PROVEN)
        passkey, count = await self._proven(found[0], response, once=(ceremony, found[1]))
        cookie = self._cookie()
        with _Reachable():
            session = await self._sessions.admit(passkey, count, digest(cookie), address)
        if session is None:
            raise self._refused(_NOT_PROVEN)
        return self._admission(cookie, session)

    async def session(self, cookie: str) -> Session:
        """The session of a cookie. Raises Refused(INVALID_TOKEN)."""
        with _Reachable():
            found = await self._sessions.session(digest(cookie))
        if found is None:
            raise Refused(Cause.INVALID_TOKEN, fault=_LOGGED_OUT)
        return replace(found, csrf=csrf_of(cookie))

    async def begin_step_up(self, session: Session) -> Ceremony:
        """A challenge for one of the person's own passkeys."""
        return await self._begin("step_up", session.id, member=session.member)

    async def finish_step_up(self, session: Session, ceremony: str, response: Mapping[str, Any]) -> None:
        """The person is there, now. Raises Refused(INVALID_TOKEN)."""
        challenge = await self._challenge("step_up", session.id, ceremony)
        passkey, count = await self._proven(challenge, response, session.member)
        with _Reachable():
            held = await self._sessions.step_up(session, passkey, count)
        if not held:
            raise self._refused(_NOT_PROVEN)

    async def begin_passkey(self, session: Session) -> Ceremony:
        """One more passkey of whoever is logged in, and has just shown it. Raises Refused(INSUFFICIENT_SCOPE)."""
        with _Reachable():
            known = await self._sessions.passkeys(session.member)
        if not session.fresh(self._clock.now(), alone=not known):
            raise Refused(Cause.INSUFFICIENT_SCOPE, fault="a passkey has to be shown first")
        return await self._begin("passkey", session.id, UUID(session.member).bytes, session.person, session.member)

    async def finish_passkey(self, session: Session, ceremony: str, response: Mapping[str, Any], label: str) -> None:
        """Keep it. Raises Refused(INVALID_TOKEN)."""
        passkey = await self._made("passkey", session.id, ceremony, response)
        with _Reachable():
            held = await self._sessions.add(session, passkey, _named(label))
        if not held:
            raise self._refused(_NOT_PROVEN)

    async def end(self, session: Session) -> None:
        """Log out; the cookie stands for nobody from now on, on every node."""
        with _Reachable():
            await self._sessions.end(session)

    async def begin_external(self, target: str, session: Session | None = None) -> Departure:
        """To the OpenID provider, and from there to `target`; with a `session`, to prove anew who one is.

        Raises Refused(NOT_FOUND) without a provider, OVERLOADED when it does not answer.
        """
        if self.login is None:
            raise Refused(Cause.NOT_FOUND)
        cookie, nonce = self._cookie(), self._entropy.bytes(32)
        state, verifier = self._cookie(), self._cookie()
        asked = LoginRequest(state, b64u(nonce), verifier, self._clock.now() // SECOND, fresh=session is not None)
        told = {
            "state": state,
            "verifier": verifier,
            "at": asked.at,
            "next": target,
            "session": session.id if session else "",
        }
        try:
            url = await self.login.url(asked)
        except LoginFault as fault:
            raise Refused(Cause.OVERLOADED, retry_after=10) from fault
        with _Reachable():
            await self._sessions.open(b64u(digest(cookie)), OpenedSession("external", nonce, json.dumps(told)))
        return Departure(url, cookie, CHALLENGE // SECOND)

    async def finish_external(self, params: Mapping[str, str], cookie: str, address: str) -> Admission:
        """Let in whom the provider names. Raises Refused(NOT_FOUND, INVALID_TOKEN), the latter in the words of every login."""
        if self.login is None:
            raise Refused(Cause.NOT_FOUND)
        with _Reachable():
            opened = await self._sessions.take(b64u(digest(cookie)))
        if opened is None or opened.purpose != "external":
            raise self._refused(_NOT_PROVEN)
        told = json.loads(opened.subject)
        asked = LoginRequest(
            told["state"], b64u(opened.challenge), told["verifier"], told["at"], fresh=bool(told["session"])
        )
        try:
            subject = await self.login.subject(asked, params)
        except LoginFault as fault:
            raise self._refused(_NOT_PROVEN) from fault
        own = self._cookie()
        with _Reachable():
            session = await self._sessions.admit_external(subject, digest(own), address, told["session"])
        if session is None:
            raise self._refused(_NOT_PROVEN)
        return replace(self._admission(own, session), next=told["next"])

    async def _begin(
        self, purpose: str, subject: str, handle: bytes = b"", person: str = "", member: str = ""
    ) -> Ceremony:
        """A ceremony; with a `handle` it makes a passkey, without it asks for one, of `member` if that is given."""
        id, challenge = uuid7(self._clock.now(), self._entropy), self._entropy.bytes(32)
        with _Reachable():
            known = [each.credential for each in await self._sessions.passkeys(member)] if member else []
            await self._sessions.open(id, OpenedSession(purpose, challenge, subject))
        if handle:
            return Ceremony(id, self._relying.creation(challenge, handle, person, known))
        return Ceremony(id, self._relying.request(challenge, known))

    async def _made(self, purpose: str, subject: str, ceremony: str, response: Mapping[str, Any]) -> NewPasskey:
        challenge = await self._challenge(purpose, subject, ceremony)
        try:
            return self._relying.registered(response, challenge)
        except PasskeyFault as fault:
            raise self._refused(_NOT_PROVEN) from fault

    async def _proven(
        self, challenge: bytes, response: Mapping[str, Any], member: str = "", once: tuple[str, int] | None = None
    ) -> tuple[Passkey, int]:
        """(the passkey that signed, its new count); it is of `member` when that is given.

        `once`: a challenge that was not kept, and until when it holds; it has served as soon as a known passkey is named.
        """
        try:
            said = named(response)
            with _Reachable():
                passkey = await self._sessions.passkey(said.credential)
                if passkey is not None and once is not None and not await self._sessions.use(*once):
                    raise self._refused(_NOT_PROVEN)
            passkey = _of(passkey, member, said.handle)
            return passkey, self._relying.asserted(response, challenge, passkey.public_key, passkey.count)
        except PasskeyFault as fault:
            raise self._refused(_NOT_PROVEN) from fault

    async def _challenge(self, purpose: str, subject: str, ceremony: str) -> bytes:
        """The challenge of a ceremony, used up whatever comes of it."""
        with _Reachable():
            opened = await self._sessions.take(ceremony)
        if opened is None or (opened.purpose, opened.subject) != (purpose, subject):
            raise self._refused(_NOT_PROVEN)
        return opened.challenge

    def _refused(self, fault: str) -> Refused:
        self._note(Cause.INVALID_TOKEN)
        return Refused(Cause.INVALID_TOKEN, fault=fault)

    def _cookie(self) -> str:
        return b64u(self._entropy.bytes(32))

    @staticmethod
    def _admission(cookie: str, session: Session) -> Admission:
        return Admission(cookie, WHOLE // SECOND, replace(session, csrf=csrf_of(cookie)))


class _Reachable:
    """A database that does not answer is a refusal like any other."""

    def __enter__(self) -> None:
        """Nothing is needed to begin."""

    def __exit__(self, _: object, fault: BaseException | None, __: object) -> None:
        """Raises Refused(LEDGER_UNAVAILABLE) in place of StoreUnavailable."""
        if isinstance(fault, StoreUnavailable | CommitUnknown):
            raise Refused(Cause.LEDGER_UNAVAILABLE, retry_after=1) from fault


def _of(passkey: Passkey | None, member: str, handle: bytes) -> Passkey:
    """A passkey that is known, of `member` and of the user `handle` as far as those are given. Raises PasskeyFault."""
    if passkey is None or (member and passkey.member != member):
        raise PasskeyFault("nobody, or somebody else, has this passkey")
    if handle and handle != UUID(passkey.member).bytes:
        raise PasskeyFault("the passkey was made for somebody else")
    return passkey


def digest(secret: str) -> bytes:
    """What the database keeps of a cookie or a link (they have 256 bits, so that nothing slower is needed)."""
    return sha256(secret.encode()).digest()


def csrf_of(cookie: str) -> str:
    """A token that only whoever was given the cookie's page can know; the database holds neither."""
    return b64u(sha256(b"csrf\x00" + cookie.encode()).digest())


def _named(label: str) -> str:
    """A passkey's name, as far as it may be shown."""
    return "".join(each for each in label if each.isprintable()).strip()[:LABEL]
