"""How are duties watched? What is delivered is written down; what is three months late suspends, by itself, and delivery restores.

`Watch.round` is what a node does from time to time; however many nodes there are, one does it, and each step is an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy import Connection, select

from gateway.administration.commands import Act
from gateway.clock import Clock, Entropy, jakarta_date
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.partners import lifecycle
from gateway.partners.agreement import Agreement, AgreementState
from gateway.partners.duties import OVERDUE, Duty, next_delivery, overdue
from gateway.partners.purposes import PurposeCatalogue
from gateway.sealing.standing import partner_scope
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.base.tables import house_facts
from gateway.store.commands.unit_of_work import STAFF, CommandResult, UnitOfWork
from gateway.store.partners.agreements import change, drop_exemption, owner_of, versions_state
from gateway.store.partners.credentials import drop_key
from gateway.store.partners.money import alerts, is_told, tell_alert
from gateway.store.partners.open_duties import exemption_duties, key_duties, live_agreements, open_duties
from gateway.store.partners.tables import deliveries, exemptions, key_terms, reminders
from gateway.store.sealing.history import RecordedChange, bump, write_history
from gateway.store.staff.members import certification_duties, lapse, lapsing

ACTOR = "house"
_TURN = "duties_watched_at"


def _over(connection: Connection, now: int) -> list[str]:
    """The partners whose exemption has come to its end."""
    wanted = select(exemptions.c.partner).where(exemptions.c.ends > 0, exemptions.c.ends <= now)
    return list(connection.execute(wanted.order_by(exemptions.c.partner)).scalars())


def deliver(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/agreements/{a}/deliveries`: settles the oldest open duty of its kind, and restores what was cut off for it."""
    connection, agreement = unit.connection, act.path["a"]
    owner_of(connection, agreement)
    held = next((one for one in live_agreements(connection, unit.now) if one.id == agreement), None)
    if held is None:
        raise Refused(Cause.CONFLICT, fault="no version of this agreement is in force or suspended")
    settled = next_delivery(open_duties(connection, held, unit.now), act.body.duty)
    if settled is None:
        raise Refused(Cause.MALFORMED_REQUEST, members=["duty"])
    row = (agreement, settled.name, settled.due.isoformat(), act.body.reference, act.person, unit.now)
    put_many(connection, deliveries, [row])
    private = {
        "change": "deliver",
        "duty": settled.name,
        "due": settled.due.isoformat(),
        "reference": act.body.reference,
    }
    restored = _restore(unit, held)
    answer = {
        "agreement": agreement, "duty": settled.name, "due": settled.due.isoformat(),
        "state": versions_state(connection, agreement), "restored": restored is not None,
    }  # fmt: skip
    if restored is not None:
        private |= {"restored": True, "before": restored.private["before"], "after": restored.private["after"]}
    moved = (held.partner,) if restored is not None else ()
    return CommandResult(Kind.DUTY, answer, private, agreement, moved=moved, shown=("agreement", {"a": agreement}))


def _restore(unit: UnitOfWork, agreement: Agreement) -> CommandResult | None:
    """Lift the gateway's own suspension when nothing is overdue any more; what a person imposed stays."""
    if agreement.state is not AgreementState.SUSPENDED or agreement.suspension not in lifecycle.AUTOMATIC:
        return None
    if overdue(open_duties(unit.connection, agreement, unit.now), unit.now) is not None:
        return None
    private = {"change": "restore", "duty": agreement.suspension.removesuffix(OVERDUE)}
    return change(unit, agreement.id, lifecycle.restore, private, Kind.DUTY)


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
            unit = UnitOfWork(connection, now, self._entropy, PurposeCatalogue({}))  # no draft is read here
            results = self._steps(unit, noted)
            put_many(connection, house_facts, [(_TURN, str(now))], ("value",))
            for partner in sorted({partner for result in results for partner in result.moved}):
                bump(connection, partner_scope(partner))
            history = [RecordedChange(result.kind, ACTOR, result.private, result.agreement) for result in results]
            if history:
                write_history(connection, history, now, self._entropy)
        for agreement, limit, reached in noted:
            self._note(agreement, limit, reached)
        return len(results)

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
        automatic = agreement.state is AgreementState.SUSPENDED and agreement.suspension in lifecycle.AUTOMATIC
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

    def _steps(self, unit: UnitOfWork, noted: list[tuple[str, str, int]]) -> list[CommandResult]:
        connection, now = unit.connection, unit.now
        ended = connection.execute(select(key_terms).where(key_terms.c.expires <= now)).all()
        results = [drop_key(unit, row.client_id, row.kid, "key_expired") for row in ended]
        results += [drop_exemption(unit, partner, "exemption_ended") for partner in _over(connection, now)]
        results += [lapse(unit, member) for member in lapsing(connection, now)]
        for agreement in live_agreements(connection, now):
            late = overdue(open_duties(connection, agreement, now), now)
            if late is not None and agreement.state in lifecycle.LIVE:
                private = {
                    "change": "suspend", "reason": late.reason, "duty": late.name, "due": late.due.isoformat()
                }  # fmt: skip
                apply = partial(lifecycle.suspend, reason=late.reason)
                results.append(change(unit, agreement.id, apply, private, Kind.DUTY))
            elif (restored := _restore(unit, agreement)) is not None:
                results.append(restored)
        live = live_agreements(connection, now)
        results.extend(_remind(unit, duty, stage) for duty, stage in self._untold(connection, live, now))
        for agreement, limit, period, reached in alerts(connection, live, now):
            results.append(tell_alert(unit, agreement, limit, period, reached))
            noted.append((agreement.id, limit, reached))
        return results


def _subject(duty: Duty) -> str:
    return f"{duty.name} {duty.about}".strip()


def _remind(unit: UnitOfWork, duty: Duty, stage: str) -> CommandResult:
    put_many(
        unit.connection, reminders, [(duty.agreement or duty.partner, _subject(duty), duty.due.isoformat(), stage)]
    )
    private = {
        "change": "remind", "partner": duty.partner, "duty": _subject(duty), "due": duty.due.isoformat(), "stage": stage
    }  # fmt: skip
    return CommandResult(Kind.DUTY, {}, private, duty.agreement)


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    "deliver": deliver,
}
"""What is done here, by the name of the act."""
