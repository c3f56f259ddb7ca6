"""How are invitations used, passkeys found and sessions kept? What proves or ends something is sealed with its entry.

Challenges, and when a session was last seen, change without one. See `administration.sign_in.SessionStore`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, func, select, update

from gateway.administration.sign_in import Invitation, OpenedSession, Passkey, Session
from gateway.clock import Clock, Entropy, uuid7
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.staff.member import Member, MemberState
from gateway.staff.passkeys import NewPasskey
from gateway.staff.session import CHALLENGE, IDLE, NOTE_EVERY, STEPPED_UP, WHOLE, ends
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.sealing.history import RecordedChange, write_history
from gateway.store.staff.members import member_base, member_of, owner, read_member
from gateway.store.staff.tables import ceremonies, invitations, members, passkeys, sessions

MOST = 20_000  # ceremonies of one purpose that may wait; they end after five minutes
MOST_ALIKE = 10  # of them for one link or session
_T = TypeVar("_T")


class StoredSessions:
    """What sign-in keeps, in one database."""

    def __init__(self, database: Database, clock: Clock, entropy: Entropy) -> None:
        self._database = database
        self._clock = clock
        self._entropy = entropy
        # Apart from administration's: a flood of log-ins must keep no emergency suspension waiting.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="sessions")

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown()

    async def _run(self, do: Callable[..., _T], *told: Any) -> _T:  # noqa: ANN401  whatever `do` takes
        return await asyncio.get_running_loop().run_in_executor(self._threads, do, *told)

    async def open(self, id: str, opened: OpenedSession) -> None:
        """See `SessionStore.open`."""
        await self._run(self._open, id, opened)

    async def take(self, id: str) -> OpenedSession | None:
        """See `SessionStore.take`."""
        return await self._run(self._take, id)

    async def use(self, id: str, until: int) -> bool:
        """See `SessionStore.use`."""
        return await self._run(self._use, id, until)

    async def invited(self, token: bytes) -> Invitation | None:
        """See `SessionStore.invited`."""
        return await self._run(self._invited, token)

    async def passkeys(self, member: str) -> tuple[Passkey, ...]:
        """See `SessionStore.passkeys`."""
        return await self._run(self._passkeys, passkeys.c.member, member)

    async def passkey(self, credential: bytes) -> Passkey | None:
        """See `SessionStore.passkey`."""
        found = await self._run(self._passkeys, passkeys.c.credential, credential)
        return found[0] if found else None

    async def enrol(self, token: bytes, passkey: NewPasskey, label: str, cookie: bytes, address: str) -> Session | None:
        """See `SessionStore.enrol`."""
        return await self._run(self._enrol, token, passkey, label, cookie, address)

    async def admit(self, passkey: Passkey, count: int, cookie: bytes, address: str) -> Session | None:
        """See `SessionStore.admit`."""
        return await self._run(self._admit, passkey, count, cookie, address)

    async def admit_external(self, subject: str, cookie: bytes, address: str, session: str) -> Session | None:
        """See `SessionStore.admit_external`."""
        return await self._run(self._admit_external, subject, cookie, address, session)

    async def session(self, cookie: bytes) -> Session | None:
        """See `SessionStore.session`."""
        return await self._run(self._session, cookie)

    async def step_up(self, session: Session, passkey: Passkey, count: int) -> bool:
        """See `SessionStore.step_up`."""
        return await self._run(self._step_up, session, passkey, count)

    async def add(self, session: Session, passkey: NewPasskey, label: str) -> bool:
        """See `SessionStore.add`."""
        return await self._run(self._add, session, passkey, label)

    async def end(self, session: Session) -> None:
        """See `SessionStore.end`."""
        await self._run(self._end, session)

    # ------------------------------------------------------------------------------------------- ceremonies

    def _open(self, id: str, opened: OpenedSession) -> None:
        with self._database.writing() as connection:
            now = self._clock.now()
            connection.execute(delete(ceremonies).where(ceremonies.c.expires <= now))
            same = ceremonies.c.purpose == opened.purpose  # what strangers may begin keeps no member waiting
            for where, most in ((same, MOST), (same & (ceremonies.c.subject == opened.subject), MOST_ALIKE)):
                waiting = connection.execute(select(func.count()).select_from(ceremonies).where(where)).scalar() or 0
                if waiting >= most:
                    raise Refused(Cause.OVERLOADED, retry_after=60)
            put_many(connection, ceremonies, [(id, opened.purpose, opened.challenge, opened.subject, now + CHALLENGE)])

    def _take(self, id: str) -> OpenedSession | None:
        with self._database.writing() as connection:
            where = (ceremonies.c.id == id, ceremonies.c.expires > self._clock.now())
            row = connection.execute(delete(ceremonies).where(*where).returning(ceremonies)).one_or_none()
        return OpenedSession(row.purpose, bytes(row.challenge), row.subject) if row else None

    def _use(self, id: str, until: int) -> bool:
        with self._database.writing() as connection:
            connection.execute(delete(ceremonies).where(ceremonies.c.expires <= self._clock.now()))
            if connection.execute(select(ceremonies.c.id).where(ceremonies.c.id == id)).first() is not None:
                return False
            put_many(connection, ceremonies, [(id, "used", b"", "", until)])
            return True

    # ------------------------------------------------------------------------------------- what is looked up

    def _invited(self, token: bytes) -> Invitation | None:
        with self._database.reading() as connection:
            return _invitation(connection, token, self._clock.now())

    def _passkeys(self, column: Any, value: str | bytes) -> tuple[Passkey, ...]:  # noqa: ANN401  a column
        with self._database.reading() as connection:
            rows = connection.execute(select(passkeys).where(column == value).order_by(passkeys.c.id)).all()
        return tuple(Passkey(bytes(row.credential), row.member, bytes(row.public_key), row.signed) for row in rows)

    def _session(self, cookie: bytes) -> Session | None:
        with self._database.reading() as connection:
            now = self._clock.now()
            found = _read(connection, sessions.c.cookie, cookie, now)
            seen = connection.execute(select(sessions.c.seen).where(sessions.c.cookie == cookie)).scalar() or 0
        if found is not None and seen + NOTE_EVERY <= now:
            with self._database.writing() as connection:
                where = (sessions.c.cookie == cookie, sessions.c.seen < now)
                connection.execute(update(sessions).where(*where).values(seen=now))
                found = _read(connection, sessions.c.cookie, cookie, now)
        return found

    # --------------------------------------------------------------------------------- what makes an entry

    def _enrol(self, token: bytes, passkey: NewPasskey, label: str, cookie: bytes, address: str) -> Session | None:
        with self._database.sealing() as (connection, now):
            invitation = _invitation(connection, token, now)
            if invitation is None or _known(connection, passkey):
                return None
            member, before = read_member(connection, invitation.member), member_base(connection, invitation.member)
            connection.execute(delete(invitations).where(invitations.c.member == member.id))
            connection.execute(
                update(members).where(members.c.id == member.id).values(state=MemberState.ENROLLED.value)
            )
            key = self._keep(connection, member.id, passkey, label, now)
            session = self._begin(connection, member, key, cookie, address, now)
            told = {"change": "enrol", "passkey": key, "session": session, "address": address, "before": before}
            self._write(connection, member, told, now)
            return _read(connection, sessions.c.id, session, now)

    def _admit(self, passkey: Passkey, count: int, cookie: bytes, address: str) -> Session | None:
        with self._database.sealing() as (connection, now):
            key = _count(connection, passkey, count, now)
            row = connection.execute(select(members).where(members.c.id == passkey.member)).one_or_none()
            if not key or row is None or row.state != MemberState.ENROLLED.value:
                return None
            member = member_of(row)
            session = self._begin(connection, member, key, cookie, address, now)
            self._write(
                connection, member, {"change": "login", "passkey": key, "session": session, "address": address}, now
            )
            return _read(connection, sessions.c.id, session, now)

    def _admit_external(self, subject: str, cookie: bytes, address: str, session: str) -> Session | None:
        able = (MemberState.INVITED.value, MemberState.ENROLLED.value)
        with self._database.sealing() as (connection, now):
            where = (members.c.external == subject, members.c.external != "", members.c.state.in_(able))
            row = connection.execute(select(members).where(*where)).one_or_none()
            if row is None:
                return None
            member, before = member_of(row), member_base(connection, row.id)
            held = _read(connection, sessions.c.id, session, now) if session else None
            if session and (held is None or held.member != member.id):
                return None
            connection.execute(delete(sessions).where(sessions.c.id == session))
            connection.execute(delete(invitations).where(invitations.c.member == member.id))
            connection.execute(
                update(members).where(members.c.id == member.id).values(state=MemberState.ENROLLED.value)
            )
            id = self._begin(connection, member, "", cookie, address, now)
            if session:
                until = now + STEPPED_UP
                connection.execute(update(sessions).where(sessions.c.id == id).values(stepped_up_until=until))
            told = {"change": "step_up" if session else "login", "external": subject, "session": id, "address": address}
            self._write(
                connection, member, told if member.state is MemberState.ENROLLED else {**told, "before": before}, now
            )
            return _read(connection, sessions.c.id, id, now)

    def _step_up(self, session: Session, passkey: Passkey, count: int) -> bool:
        with self._database.sealing() as (connection, now):
            held = _read(connection, sessions.c.id, session.id, now)
            key = _count(connection, passkey, count, now) if held else ""
            if held is None or not key or held.member != passkey.member:
                return False
            connection.execute(
                update(sessions).where(sessions.c.id == session.id).values(stepped_up_until=now + STEPPED_UP)
            )
            member = read_member(connection, held.member)
            self._write(connection, member, {"change": "step_up", "passkey": key, "session": session.id}, now)
            return True

    def _add(self, session: Session, passkey: NewPasskey, label: str) -> bool:
        with self._database.sealing() as (connection, now):
            held = _read(connection, sessions.c.id, session.id, now)
            if held is None or _known(connection, passkey):
                return False
            own = connection.execute(select(passkeys.c.id).where(passkeys.c.member == held.member)).first()
            if not held.fresh(now, alone=own is None):
                return False
            before = member_base(connection, held.member)
            key = self._keep(connection, held.member, passkey, label, now)
            told = {"change": "add_passkey", "passkey": key, "session": session.id, "before": before}
            self._write(connection, read_member(connection, held.member), told, now)
            return True

    def _end(self, session: Session) -> None:
        with self._database.sealing() as (connection, now):
            if _read(connection, sessions.c.id, session.id, now) is None:
                return
            connection.execute(delete(sessions).where(sessions.c.id == session.id))
            member = read_member(connection, session.member)
            self._write(connection, member, {"change": "logout", "session": session.id}, now)

    def _keep(self, connection: Connection, member: str, passkey: NewPasskey, label: str, now: int) -> str:
        """A new passkey; what it is called."""
        id = uuid7(now, self._entropy)
        row = (passkey.credential, id, member, passkey.public_key, passkey.count, label, now, now)
        put_many(connection, passkeys, [row])
        return id

    def _begin(  # noqa: PLR0913  the columns of a session
        self, connection: Connection, member: Member, passkey: str, cookie: bytes, address: str, now: int
    ) -> str:
        """A new session, in place of what has ended; its public id."""
        connection.execute(delete(sessions).where((sessions.c.began <= now - WHOLE) | (sessions.c.seen <= now - IDLE)))
        id = uuid7(now, self._entropy)
        put_many(connection, sessions, [(cookie, id, member.id, passkey, address, now, now, 0)])
        return id

    def _write(self, connection: Connection, member: Member, told: dict[str, Any], now: int) -> None:
        """The entry: whoever is at the console does it, as the client that all else is done as."""
        after = {"after": member_base(connection, member.id)} if "before" in told else {}
        private = {"person": member.person, "member": member.id, **told, **after}
        actor = f"{owner(member.partner)}/{member.client_id}"
        write_history(connection, [RecordedChange(Kind.STAFF, actor, private)], now, self._entropy)


def _invitation(connection: Connection, token: bytes, now: int) -> Invitation | None:
    """Whom a link is for: a member who is invited and has no passkey."""
    row = connection.execute(
        select(members, invitations.c.expires)
        .join(invitations, invitations.c.member == members.c.id)
        .where(invitations.c.token == token, invitations.c.expires > now, members.c.state == MemberState.INVITED.value)
    ).one_or_none()
    if row is None:
        return None
    member = member_of(row)
    return Invitation(member.id, member.person, member.roles, member.partner, row.expires)


def _known(connection: Connection, passkey: NewPasskey) -> bool:
    """Whether somebody has this passkey already: it would let two persons in (WebAuthn §7.1 step 26)."""
    found = connection.execute(select(passkeys.c.id).where(passkeys.c.credential == passkey.credential))
    return found.first() is not None


def _count(connection: Connection, passkey: Passkey, count: int, now: int) -> str:
    """Set a passkey's count if it still is as it was when the signature was checked; the passkey's id, else ""."""
    where = (passkeys.c.credential == passkey.credential, passkeys.c.signed == passkey.count)
    row = connection.execute(select(passkeys.c.id).where(*where)).one_or_none()
    if row is None:
        return ""
    connection.execute(update(passkeys).where(*where).values(signed=count, used_at=now))
    return str(row.id)


def _read(connection: Connection, column: Any, value: str | bytes, now: int) -> Session | None:  # noqa: ANN401  a column
    """A session that lasts, of a member who is enrolled."""
    row = connection.execute(
        select(members, sessions)
        .join(sessions, sessions.c.member == members.c.id)
        .where(column == value, members.c.state == MemberState.ENROLLED.value)
    ).one_or_none()
    if row is None or ends(row.began, row.seen) <= now:
        return None
    held = row._mapping  # noqa: SLF001  SQLAlchemy's public name for it
    member = member_of(row)
    return Session(
        id=held[sessions.c.id],
        member=member.id,
        person=member.person,
        roles=member.roles,
        partner=member.partner,
        client_id=member.client_id,
        began=row.began,
        expires=ends(row.began, row.seen),
        stepped_up_until=row.stepped_up_until,
        certified_until=member.certified_until,
        csrf="",
        owner=owner(member.partner),
        lapsed=member.lapsed(now),
    )
