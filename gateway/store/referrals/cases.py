"""How is a case opened, and what does its office do with it? Acts; each is an entry that names the resident by tag alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, select, update

from gateway.administration.commands import Act
from gateway.clock import Entropy, parse_rfc3339, rfc3339_seconds, uuid7
from gateway.errors import Cause, Refused
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind, Leaf
from gateway.nik import Nik
from gateway.referrals.case import ANSWERED_WITHIN, CLOCK, OPEN, REJECTIONS, CaseState, route, step
from gateway.register.codec import decode
from gateway.register.record import Record
from gateway.store.base.statements import put_many
from gateway.store.commands.unit_of_work import STAFF, CommandResult, UnitOfWork
from gateway.store.ledger.tables import ledger_entries
from gateway.store.partners.offices import own_regencies
from gateway.store.referrals.tables import referrals
from gateway.store.register.tables import records, register_index
from gateway.verification.judge import binding, indexes

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that is read for something else
_TICKET = 10
TAG = 16
_leaf = msgspec.json.Decoder(Leaf).decode


def nik_binding(id: str) -> bytes:
    """What the sealed NIK of a case is bound to."""
    return b"referral\0" + id.encode()


def tag_of(keyring: Keyring, nik: Nik) -> bytes:
    """The resident's tag, under the newest key."""
    return keyring.mac(Job.LEDGER_TAG).mac(nik.digits.encode())[:TAG]


def _keys(unit: UnitOfWork) -> Keyring:
    if unit.audit_tools is None:
        raise Refused(Cause.REGISTER_UNAVAILABLE, retry_after=1)
    return unit.audit_tools.keyring


def read_mended(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, bytes]]:
    """Id → (partner, tag of the resident) of those cases that are mended."""
    columns = referrals.c
    where = (columns.id.in_(sorted(set(ids))), columns.state == CaseState.MENDED.value)
    rows = connection.execute(select(columns.id, columns.partner, columns.tag).where(*where))
    return {row.id: (row.partner, bytes(row.tag)) for row in rows}


def record_of(connection: Connection, keyring: Keyring, nik: Nik) -> Record | None:
    """The record of a resident; None when there is none."""
    found = register_index.join(records, records.c.id == register_index.c.record)
    wanted = select(records.c.id, records.c.sealed).select_from(found)
    row = connection.execute(wanted.where(register_index.c.ix.in_(indexes(keyring, nik.digits)))).first()
    if row is None:
        return None
    sealed = bytes(row.sealed)
    opener = keyring.opener(Job.CLAIMS, sealed)
    return decode(opener.open(sealed, binding(row.id, opener.version)))


def open_case(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/referrals`: by a partner about an answer of its own that did not say usable, or by an officer at the desk."""
    keyring, connection, body = _keys(unit), unit.connection, act.body
    nik = Nik.parse(body.nik)
    named = body.regency if isinstance(body.regency, str) else ""
    partner = str(act.path["partner"])
    if partner == STAFF:
        own = own_regencies(connection, act.client_id)
        if not own or (named and named not in own):
            raise Refused(Cause.NOT_OWN_REGION)
        partner, matched = "", True
        record = record_of(connection, keyring, nik)
        if record is None or record.regency not in own:
            raise Refused(Cause.NOT_FOUND)
        kept = record.regency
    else:
        matched = _answered(unit, act, partner, nik)
        record = record_of(connection, keyring, nik) if matched else None
        kept = record.regency if record else ""
    tag = tag_of(keyring, nik)
    row = _open_already(connection, partner, tag)
    if row is None:
        id = uuid7(unit.now, unit.entropy)
        sealed = keyring.sealer(Job.CLAIMS).seal(nik.digits.encode(), nik_binding(id), unit.entropy)
        regency = route(kept, nik.digits, named)
        put_many(
            connection,
            referrals,
            [
                (
                    id,
                    _new_ticket(unit.entropy),
                    partner,
                    regency,
                    "received",
                    matched,
                    sealed,
                    tag,
                    unit.now,
                    unit.now,
                    "",
                )
            ],
        )
        row = connection.execute(select(referrals).where(referrals.c.id == id)).one()
    private = {"change": "open", "referral": row.id, "subject": b64u(tag), "regency": row.regency}
    if isinstance(body.ticket, str):
        private["ticket"] = body.ticket
    return CommandResult(Kind.REFERRAL, told(row), private)


def _answered(unit: UnitOfWork, act: Act, partner: str, nik: Nik) -> bool:
    """Whether the answer had matched. Raises Refused(PREVIOUS_UNKNOWN) unless it is the partner's own, and said not usable."""
    wanted = act.body.answer_id
    row = None
    if isinstance(wanted, str):
        columns = ledger_entries.c
        where = columns.id == _uuid(wanted)
        row = unit.connection.execute(select(columns.leaf, columns.private).where(where)).one_or_none()
    if row is None or row.private is None:
        raise Refused(Cause.PREVIOUS_UNKNOWN)
    leaf, private = _leaf(bytes(row.leaf)), msgspec.json.decode(bytes(row.private)[32:])
    tags = {b64u(key.mac(nik.digits.encode())[:TAG]) for key in _keys(unit).macs(Job.LEDGER_TAG)}
    own = leaf.kind == Kind.ANSWER and leaf.actor.partition("/")[0] == partner
    recent = unit.now - parse_rfc3339(leaf.at) <= ANSWERED_WITHIN
    if not (own and recent and private.get("subject") in tags) or private.get("outcome") == "active":
        raise Refused(Cause.PREVIOUS_UNKNOWN)
    return bool(private.get("state"))


def _uuid(text: str) -> bytes:
    try:
        return UUID(text).bytes
    except ValueError:
        raise Refused(Cause.PREVIOUS_UNKNOWN) from None


def _open_already(connection: Connection, partner: str, tag: bytes) -> Any:  # noqa: ANN401  a row or None
    where = (referrals.c.partner == partner, referrals.c.tag == tag, referrals.c.state.in_([str(one) for one in OPEN]))
    return connection.execute(select(referrals).where(*where)).first()


def _new_ticket(entropy: Entropy) -> str:
    number = int.from_bytes(entropy.bytes(8), "big")
    letters = []
    for _ in range(_TICKET):
        number, at = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[at])
    return f"{''.join(letters[:5])}-{''.join(letters[5:])}"


def told(row: Any) -> dict[str, Any]:  # noqa: ANN401  a row
    """What everybody who may see a case sees of it; nothing of the resident."""
    document: dict[str, Any] = {
        "id": row.id, "ticket": row.ticket, "state": row.state, "due_at": rfc3339_seconds(row.opened_at + CLOCK),
        "changed_at": rfc3339_seconds(row.changed_at),
    }  # fmt: skip
    if row.state == CaseState.REJECTED:
        document["outcome"] = {"reason": row.outcome, "text": dict(REJECTIONS[row.outcome])}
    return document


def own_case(connection: Connection, client_id: str, id: str) -> Any:  # noqa: ANN401  a row
    """A case of the caller's own office. Raises Refused(NOT_FOUND)."""
    row = connection.execute(select(referrals).where(referrals.c.id == id)).one_or_none()
    if row is None or row.regency not in own_regencies(connection, client_id):
        raise Refused(Cause.NOT_FOUND)
    return row


def close_values(connection: Connection, state: CaseState, outcome: str, now: int) -> dict[str, Any]:
    """The columns of a case that ends; its sealed NIK is destroyed."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    return {"state": state.value, "changed_at": now, "outcome": outcome, "nik": b""}


def _step(unit: UnitOfWork, act: Act, what: str, **changes: Any) -> CommandResult:  # noqa: ANN401  columns
    row = own_case(unit.connection, act.client_id, act.path["id"])
    after = step(CaseState(row.state), what)
    values = {"state": after.value, "changed_at": unit.now} | changes
    if after not in OPEN:
        values = close_values(unit.connection, after, str(changes.get("outcome", "")), unit.now)
    unit.connection.execute(update(referrals).where(referrals.c.id == row.id).values(**values))
    private: dict[str, Any] = {
        "change": what, "referral": row.id, "subject": b64u(bytes(row.tag)), "regency": values.get("regency", row.regency),
        "late": unit.now > row.opened_at + CLOCK,
    }  # fmt: skip
    if values.get("outcome"):
        private["reason"] = values["outcome"]
    changed = unit.connection.execute(select(referrals).where(referrals.c.id == row.id)).one()
    return CommandResult(Kind.REFERRAL, told(changed), private)


def check(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST …/check`: the office has looked at it."""
    return _step(unit, act, "check")


def mend(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST …/mend`: what kept the NIK from working is mended."""
    return _step(unit, act, "mend")


def refer(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST …/refer`: another office's; its clock goes on."""
    return _step(unit, act, "refer", regency=act.body.regency)


def reject(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST …/reject`: there is nothing to mend, for a coded reason."""
    if act.body.reason not in REJECTIONS:
        raise Refused(Cause.MALFORMED_REQUEST, members=["reason"])
    return _step(unit, act, "reject", outcome=act.body.reason)


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    "open_referral": open_case,
    "check_referral": check,
    "mend_referral": mend,
    "refer_referral": refer,
    "reject_referral": reject,
}
