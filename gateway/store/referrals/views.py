"""Who sees what of a case? A partner its own, states alone; the office its own, with cause and NIK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from gateway.administration.commands import Shown, View
from gateway.clock import jakarta_date
from gateway.errors import Cause, Refused
from gateway.keyring import Job, Keyring
from gateway.nik import Nik
from gateway.referrals.case import OPEN, CaseState, clock
from gateway.register.reasons import REASONS
from gateway.register.status import causes
from gateway.store.commands.query import ReadContext, instant, page
from gateway.store.commands.unit_of_work import STAFF
from gateway.store.partners.offices import own_regencies
from gateway.store.referrals.cases import nik_binding, record_of, told
from gateway.store.referrals.tables import referrals
from gateway.store.register.tables import watermarks


class ReferralViews:
    """Views of cases. `behind_after` in microseconds."""

    def __init__(self, keyring: Keyring, *, behind_after: int) -> None:
        self._keyring = keyring
        self._behind_after = behind_after
        self.all: Mapping[str, Callable[[ReadContext, View], Shown]] = {
            "referrals": self.list_cases,
            "referral": self.one_case,
        }

    def list_cases(self, context: ReadContext, view: View) -> Shown:
        """`GET /v1/referrals`: newest change last; `state`, `since` (a change from then on), and for an office `regency`."""
        where = [self._own(context.connection, view, view.query.get("regency", ""))]
        state = view.query.get("state", "")
        if state:
            if state not in set(CaseState):
                raise Refused(Cause.MALFORMED_REQUEST, members=["state"])
            where.append(referrals.c.state == state)
        if view.query.get("since"):
            where.append(referrals.c.changed_at >= instant(view.query["since"], "since"))
        rows = context.connection.execute(select(referrals).where(*where).order_by(referrals.c.id)).all()
        document, _ = page([self._shown(context, view, row) for row in rows], "id", view.query)
        return Shown(document)

    def one_case(self, context: ReadContext, view: View) -> Shown:
        """`GET /v1/referrals/{id}`."""
        return Shown(self._shown(context, view, self._row(context, view)))

    def _row(self, context: ReadContext, view: View) -> Any:  # noqa: ANN401  a row
        own = self._own(context.connection, view, "")
        row = context.connection.execute(select(referrals).where(own, referrals.c.id == view.path["id"])).one_or_none()
        if row is None:
            raise Refused(Cause.NOT_FOUND)
        return row

    @staticmethod
    def _own(connection: Connection, view: View, regency: str) -> Any:  # noqa: ANN401  a condition
        """Which cases are the caller's. Raises Refused(NOT_OWN_REGION)."""
        if view.path["partner"] != STAFF:
            return referrals.c.partner == view.path["partner"]
        own = own_regencies(connection, view.client_id)
        if not own or (regency and regency not in own):
            raise Refused(Cause.NOT_OWN_REGION)
        return referrals.c.regency.in_(sorted({regency} if regency else own))

    def _shown(self, context: ReadContext, view: View, row: Any) -> dict[str, Any]:  # noqa: ANN401  a row
        document = told(row)
        if view.path["partner"] != STAFF:
            return document
        document |= {"regency": row.regency, "by": row.partner or "office", "clock": clock(row.opened_at, context.now)}
        if row.state not in OPEN:
            return document | {"nik": None, "cause": None, "next_step": None, "clock": None}
        sealed = bytes(row.nik)
        digits = self._keyring.opener(Job.CLAIMS, sealed).open(sealed, nik_binding(row.id)).decode()
        record = record_of(context.connection, self._keyring, Nik.parse(digits))
        if record is None or record.regency != row.regency:
            # The same for a NIK that nobody has and for one that another office keeps.
            return document | {"nik": digits, "cause": "not_found", "next_step": None}
        mark = select(watermarks.c.complete_until).where(watermarks.c.regency == record.regency)
        until = int(context.connection.execute(mark).scalar() or 0)
        behind = context.now - until > self._behind_after
        found = causes(record, jakarta_date(context.now), source_behind=behind, gap="")
        first = REASONS[found[0][0]] if found else None
        step = dict(first.remedy.document()) if first else None
        return document | {"nik": digits, "cause": first.slug if first else "mismatch", "next_step": step}
