"""Which cases has the register mended by itself? Looked at after every batch, and every minute: an active NIK closes its case."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from gateway.clock import Clock, Entropy, jakarta_date
from gateway.errors import Refused
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind
from gateway.nik import Nik
from gateway.referrals.case import CLOCK, OPEN, CaseState, step
from gateway.register.status import causes
from gateway.store.base.engine import Database
from gateway.store.referrals.cases import close_values, nik_binding, record_of
from gateway.store.referrals.tables import referrals
from gateway.store.register.residents import RegisterOf
from gateway.store.register.tables import watermarks
from gateway.store.sealing.history import RecordedChange, write_history
from gateway.verification.judge import indexes

_AT_ONCE = 500


class CaseClosing:
    """Closes cases whose NIK works again. `behind_after` in microseconds."""

    def __init__(
        self, database: Database, keyring: Keyring, entropy: Entropy, clock: Clock, *, behind_after: int
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._entropy = entropy
        self._clock = clock
        self._behind_after = behind_after
        self._register = RegisterOf(database, keyring, entropy)

    def round(self) -> int:
        """Look at every open case whose answer had matched; how many were closed. Raises StoreUnavailable."""
        after, closed = "", 0
        while True:
            with self._database.reading() as connection:
                where = (referrals.c.matched, referrals.c.state.in_([str(one) for one in OPEN]), referrals.c.id > after)
                wanted = select(referrals).where(*where).order_by(referrals.c.id).limit(_AT_ONCE)
                rows = connection.execute(wanted).all()
                works = [row for row in rows if self._works(connection, row)]
            closed += sum(self._close(row) for row in works)
            if len(rows) < _AT_ONCE:
                return closed
            after = rows[-1].id

    def _works(self, connection: Connection, row: Any) -> bool:  # noqa: ANN401  a row
        """Whether nothing stands against the NIK of a case any more."""
        sealed, now = bytes(row.nik), self._clock.now()
        nik = Nik.parse(self._keyring.opener(Job.CLAIMS, sealed).open(sealed, nik_binding(row.id)).decode())
        record = record_of(connection, self._keyring, nik)
        if record is None or self._register.touched(connection, indexes(self._keyring, nik.digits)):
            return False
        mark = select(watermarks.c.complete_until).where(watermarks.c.regency == record.regency)
        behind = now - int(connection.execute(mark).scalar() or 0) > self._behind_after
        return not causes(record, jakarta_date(now), source_behind=behind, gap="")

    def _close(self, row: Any) -> bool:  # noqa: ANN401  a row
        with self._database.sealing() as (connection, now):
            held = connection.execute(select(referrals.c.state).where(referrals.c.id == row.id)).scalar_one()
            try:
                after = step(CaseState(held), "mended_by_itself")
            except Refused:
                return False  # somebody was faster
            values = close_values(connection, after, "", now)
            connection.execute(update(referrals).where(referrals.c.id == row.id).values(**values))
            private = {
                "change": "mended_by_itself", "referral": row.id, "subject": b64u(bytes(row.tag)), "regency": row.regency,
                "late": now > row.opened_at + CLOCK,
            }  # fmt: skip
            write_history(connection, [RecordedChange(Kind.REFERRAL, "house", private)], now, self._entropy)
        return True
