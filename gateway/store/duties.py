"""How are duties watched? What is delivered is written down; what is three months late suspends, by itself, and delivery restores.

`Watch.round` is what a node does from time to time; however many nodes there are, one does it, and each step is an entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from functools import partial

from sqlalchemy import Connection, select

from gateway.clock import DAY, Clock, Entropy, jakarta_date
from gateway.errors import Cause, Refused
from gateway.ledger.entry import Kind
from gateway.partners import lifecycle
from gateway.partners.agreement import Agreement, State
from gateway.partners.duties import OVERDUE, Duty, duties_of, next_delivery, overdue
from gateway.partners.in_force import governing
from gateway.partners.purposes import PurposeCatalogue
from gateway.partners.terms import from_document
from gateway.store.agreements import change, drop_exemption, owner_of, versions_of
from gateway.store.credentials import drop_key
from gateway.store.deeds import STAFF, Books, Deed
from gateway.store.engine import Database, put_many
from gateway.store.history import Change, bump, write_history
from gateway.store.money import alerts, is_told, tell_alert
from gateway.store.staff import certification_duties, lapse, lapsing
from gateway.store.tables import (
    agreement_versions,
    agreements,
    clients,
    deliveries,
    exemptions,
    house_facts,
    key_terms,
    reminders,
)
from gateway.verification.acts import Act
from gateway.verification.standing import partner_scope

ACTOR = "house"
_LIVE = frozenset({State.APPROVED, State.IN_FORCE, State.SUSPENDED})
_TURN = "duties_watched_at"


def live_agreements(connection: Connection, now: int) -> list[Agreement]:
    """Of each agreement that is not over the version that governs."""
    documents = connection.execute(
        select(agreement_versions.c.document).order_by(agreement_versions.c.agreement, agreement_versions.c.version)
    ).scalars()
    held = tuple(from_document(json.loads(document)) for document in documents)
    approved = tuple(one for one in held if one.state not in lifecycle.UNSETTLED)
    return [one for one in governing(approved, now) if one.state in _LIVE and now < one.ends] if approved else []


def open_duties(connection: Connection, agreement: Agreement, now: int) -> tuple[Duty, ...]:
    """What is open under one agreement."""
    delivered: dict[str, set[date]] = {}
    for row in connection.execute(select(deliveries).where(deliveries.c.agreement == agreement.id)):
        delivered.setdefault(row.duty, set()).add(date.fromisoformat(row.due))
    since = connection.execute(select(agreements.c.since).where(agreements.c.id == agreement.id)).scalar()
    return duties_of(agreement, delivered, agreement.starts if since is None else since, now)


def key_duties(connection: Connection, partner: str) -> list[Duty]:
    """When the keys of a partner end."""
    rows = connection.execute(
        select(key_terms, clients.c.partner)
        .join(clients, clients.c.client_id == key_terms.c.client_id)
        .where(clients.c.partner == partner)
    )
    return [
        Duty("", row.partner, "key_expiry", jakarta_date(row.expires), f"{row.client_id}/{row.kid}") for row in rows
    ]


def exemption_duties(connection: Connection) -> list[Duty]:
    """When exemptions end by themselves: their last days."""
    rows = connection.execute(select(exemptions).where(exemptions.c.ends > 0).order_by(exemptions.c.partner))
    return [Duty("", row.partner, "exemption_end", jakarta_date(row.ends - DAY), row.ground) for row in rows]


def _over(connection: Connection, now: int) -> list[str]:
    """The partners whose exemption has come to its end."""
    wanted = select(exemptions.c.partner).where(exemptions.c.ends > 0, exemptions.c.ends <= now)
    return list(connection.execute(wanted.order_by(exemptions.c.partner)).scalars())


def deliver(books: Books, act: Act) -> Deed:
    """`POST /v1/agreements/{a}/deliveries`: settles the oldest open duty of its kind, and restores what was cut off for it."""
    connection, agreement = books.connection, act.path["a"]
    owner_of(connection, agreement)
    held = next((one for one in live_agreements(connection, books.now) if one.id == agreement), None)
    if held is None:
        raise Refused(Cause.CONFLICT, fault="no version of this agreement is in force or suspended")
    settled = next_delivery(open_duties(connection, held, books.now), act.body.duty)
    if settled is None:
        raise Refused(Cause.MALFORMED_REQUEST, members=["duty"])
    row = (agreement, settled.name, settled.due.isoformat(), act.body.reference, act.person, books.now)
    put_many(connection, deliveries, [row])
    private = {
        "change": "deliver",
        "duty": settled.name,
        "due": settled.due.isoformat(),
        "reference": act.body.reference,
    }
    restored = _restore(books, held)
    answer = {
        "agreement": agreement, "duty": settled.name, "due": settled.due.isoformat(),
        "state": versions_state(connection, agreement), "restored": restored is not None,
    }  # fmt: skip
    if restored is not None:
        private |= {"restored": True, "before": restored.private["before"], "after": restored.private["after"]}
    moved = (held.partner,) if restored is not None else ()
    return Deed(Kind.DUTY, answer, private, agreement, status=201, moved=moved, shown=("agreement", {"a": agreement}))


def versions_state(connection: Connection, agreement: str) -> str:
    """The state of the newest version that was approved."""
    newest = lifecycle.newest_approved(versions_of(connection, agreement))
    return newest.state.value if newest else State.DRAFT.value


def _restore(books: Books, agreement: Agreement) -> Deed | None:
    """Lift the gateway's own suspension when nothing is overdue any more; what a person imposed stays."""
    if agreement.state is not State.SUSPENDED or agreement.suspension not in lifecycle.AUTOMATIC:
        return None
    if overdue(open_duties(books.connection, agreement, books.now), books.now) is not None:
        return None
    private = {"change": "restore", "duty": agreement.suspension.removesuffix(OVERDUE)}
    return change(books, agreement.id, lifecycle.restore, private, Kind.DUTY)


class Watch:
    """Looks after duties, keys, allowances and certifications of one database."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        entropy: Entropy,
        note: Callable[[str, str, int], None] = lambda agreement, limit, level: None,  # noqa: ARG005
    ) -> None:
        """`note` hears of every alert: agreement, allowance, level in per cent."""
        self._database = database
        self._clock = clock
        self._entropy = entropy
        self._note = note

    def round(self, every: int) -> int:
        """Do what is due; how many steps were taken. Nothing when a round was made less than `every` microseconds ago.

        Looks first without the sealing lock, so that a round with nothing to do disturbs nobody.
        """
        with self._database.reading() as connection:
            now = self._clock.now()
            if self._last(connection) + every > now or not self._due(connection, now):
                return 0
        noted: list[tuple[str, str, int]] = []
        with self._database.sealing() as (connection, now):
            if self._last(connection) + every > now:  # another node was faster
                return 0
            books = Books(connection, now, self._entropy, PurposeCatalogue({}))  # no draft is read here
            deeds = self._steps(books, noted)
            put_many(connection, house_facts, [(_TURN, str(now))], ("value",))
            for partner in sorted({partner for deed in deeds for partner in deed.moved}):
                bump(connection, partner_scope(partner))
            history = [Change(deed.kind, ACTOR, deed.private, deed.agreement) for deed in deeds]
            if history:
                write_history(connection, history, now, self._entropy)
        for agreement, limit, reached in noted:
            self._note(agreement, limit, reached)
        return len(deeds)

    @staticmethod
    def _last(connection: Connection) -> int:
        return int(connection.execute(select(house_facts.c.value).where(house_facts.c.name == _TURN)).scalar() or 0)

    def _due(self, connection: Connection, now: int) -> bool:
        live = live_agreements(connection, now)
        return bool(
            alerts(connection, live, now)
            or connection.execute(select(key_terms.c.kid).where(key_terms.c.expires <= now).limit(1)).first()
            or _over(connection, now)
            or lapsing(connection, now)
            or any(self._moves(connection, one, now) for one in live)
            or self._untold(connection, live, now)
        )

    @staticmethod
    def _moves(connection: Connection, agreement: Agreement, now: int) -> bool:
        late = overdue(open_duties(connection, agreement, now), now) is not None
        automatic = agreement.state is State.SUSPENDED and agreement.suspension in lifecycle.AUTOMATIC
        return late if agreement.state in lifecycle.LIVE else automatic and not late

    @staticmethod
    def _untold(connection: Connection, live: list[Agreement], now: int) -> list[tuple[Duty, str]]:
        partners = sorted({one.partner for one in live})
        duties = [duty for one in live for duty in open_duties(connection, one, now)]
        duties += [duty for partner in partners if partner != STAFF for duty in key_duties(connection, partner)]
        duties += exemption_duties(connection) + certification_duties(connection, now)
        today = jakarta_date(now)
        return [
            (duty, stage)
            for duty in duties
            if (stage := duty.stage(today))
            and not is_told(connection, duty.agreement or duty.partner, _subject(duty), duty.due.isoformat(), stage)
        ]

    def _steps(self, books: Books, noted: list[tuple[str, str, int]]) -> list[Deed]:
        connection, now = books.connection, books.now
        ended = connection.execute(select(key_terms).where(key_terms.c.expires <= now)).all()
        deeds = [drop_key(books, row.client_id, row.kid, "key_expired") for row in ended]
        deeds += [drop_exemption(books, partner, "exemption_ended") for partner in _over(connection, now)]
        deeds += [lapse(books, member) for member in lapsing(connection, now)]
        for agreement in live_agreements(connection, now):
            late = overdue(open_duties(connection, agreement, now), now)
            if late is not None and agreement.state in lifecycle.LIVE:
                private = {
                    "change": "suspend", "reason": late.reason, "duty": late.name, "due": late.due.isoformat()
                }  # fmt: skip
                apply = partial(lifecycle.suspend, reason=late.reason)
                deeds.append(change(books, agreement.id, apply, private, Kind.DUTY))
            elif (restored := _restore(books, agreement)) is not None:
                deeds.append(restored)
        live = live_agreements(connection, now)
        deeds.extend(_remind(books, duty, stage) for duty, stage in self._untold(connection, live, now))
        for agreement, limit, period, reached in alerts(connection, live, now):
            deeds.append(tell_alert(books, agreement, limit, period, reached))
            noted.append((agreement.id, limit, reached))
        return deeds


def _subject(duty: Duty) -> str:
    return f"{duty.name} {duty.about}".strip()


def _remind(books: Books, duty: Duty, stage: str) -> Deed:
    put_many(
        books.connection, reminders, [(duty.agreement or duty.partner, _subject(duty), duty.due.isoformat(), stage)]
    )
    private = {
        "change": "remind", "partner": duty.partner, "duty": _subject(duty), "due": duty.due.isoformat(), "stage": stage
    }  # fmt: skip
    return Deed(Kind.DUTY, {}, private, duty.agreement)
