"""Who asked about a resident, when and for what? The track record that a resident may have within 72 hours (UU 27/2022 art 32).

An officer opens the request at the desk; its NIK lies sealed until it is closed, which destroys it. No claim is ever shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from gateway.administration.commands import Act, Shown, View
from gateway.clock import HOUR, Entropy, rfc3339_seconds, uuid7
from gateway.errors import Cause, Refused
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind
from gateway.nik import Nik
from gateway.partners.approvals import person as same
from gateway.store.audit.searches import audit_tools, items_of, rows_of
from gateway.store.audit.tables import access_requests, withheld
from gateway.store.base.statements import put_many
from gateway.store.commands.query import MOST, PAGE, ReadContext, page
from gateway.store.commands.unit_of_work import CommandResult, UnitOfWork
from gateway.store.partners.tables import partners
from gateway.store.search.copy import FoundEntry, find_subject, followed

CLOCK = 72 * HOUR
_ASKED = frozenset({Kind.ANSWER, Kind.REFUSAL, Kind.REPEAT, Kind.READ, Kind.ACCESS_REQUEST})


def _binding(id: str) -> bytes:
    return b"access-request\0" + id.encode()


def reseal_requests(connection: Connection, keyring: Keyring, entropy: Entropy) -> int:
    """Seal what open requests hold under the newest key; how many it was."""
    key = keyring.sealer(Job.CLAIMS)
    count = 0
    for id, held in connection.execute(select(access_requests.c.id, access_requests.c.nik)).all():
        sealed = bytes(held)
        if sealed and sealed[0] != key.version:
            plain = keyring.opener(Job.CLAIMS, sealed).open(sealed, _binding(id))
            anew = key.seal(plain, _binding(id), entropy)
            connection.execute(update(access_requests).where(access_requests.c.id == id).values(nik=anew))
            count += 1
    return count


def open_request(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/access-requests`. The entry bears the resident's tag: that somebody looked is part of the track record."""
    tools = unit.audit_tools
    if tools is None:
        raise Refused(Cause.REGISTER_UNAVAILABLE, retry_after=1)
    nik = Nik.parse(act.body.nik)
    id = uuid7(unit.now, unit.entropy)
    sealed = tools.keyring.sealer(Job.CLAIMS).seal(nik.digits.encode(), _binding(id), unit.entropy)
    row = (id, same(act.person), act.body.reference, "open", unit.now, 0, sealed)
    put_many(unit.connection, access_requests, [row])
    due = rfc3339_seconds(unit.now + CLOCK)
    tag = b64u(tools.keyring.mac(Job.LEDGER_TAG).mac(nik.digits.encode())[:16])
    private = {"change": "open", "request": id, "reference": act.body.reference, "subject": tag}
    answer = {"id": id, "state": "open", "due_at": due}
    return CommandResult(Kind.ACCESS_REQUEST, answer, private)


def withhold(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/access-requests/{id}/withhold`: one entry, or a purpose, on a basis that the resident is told."""
    row = _own(unit.connection, act.path["id"], act.person)
    _require_open(row)
    body = act.body
    named = [(what, value) for what in ("entry", "purpose") if isinstance(value := getattr(body, what), str)]
    if len(named) != 1:
        raise Refused(Cause.MALFORMED_REQUEST, members=["entry", "purpose"])
    ((what, name),) = named
    kept = (row.id, what, name, body.basis, act.person)
    put_many(unit.connection, withheld, [kept], ("basis", "person"))
    private = {"change": "withhold", "request": row.id, what: name, "basis": body.basis}
    return CommandResult(Kind.ACCESS_REQUEST, {"id": row.id, "state": row.state, "withheld": {what: name}}, private)


def close(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/access-requests/{id}/close`: the sealed NIK is destroyed; what is left names nobody."""
    row = _own(unit.connection, act.path["id"], act.person)
    _require_open(row)
    outcome = act.body.outcome if act.body is not None else "delivered"
    if unit.connection.dialect.name == "sqlite":
        unit.connection.exec_driver_sql("PRAGMA secure_delete=ON")
    gone = {"state": outcome, "closed_at": unit.now, "nik": b""}
    unit.connection.execute(update(access_requests).where(access_requests.c.id == row.id).values(**gone))
    late = unit.now > row.opened_at + CLOCK
    private = {"change": "close", "request": row.id, "state": outcome, "late": late}
    return CommandResult(Kind.ACCESS_REQUEST, {"id": row.id, "state": outcome, "late": late}, private)


def _require_open(row: Any) -> None:  # noqa: ANN401  a row
    """Raises Refused(CONFLICT)."""
    if row.state != "open":
        raise Refused(Cause.CONFLICT, fault=f"the request is {row.state} already")


def _own(connection: Connection, id: str, person: str) -> Any:  # noqa: ANN401  a row
    """A request, for the officer who opened it; for others there is none. Raises Refused(NOT_FOUND)."""
    row = connection.execute(select(access_requests).where(access_requests.c.id == id)).one_or_none()
    if row is None or row.officer != same(person):
        raise Refused(Cause.NOT_FOUND)
    return row


def _facts(row: Any, now: int) -> dict[str, Any]:  # noqa: ANN401  a row
    due = row.opened_at + CLOCK
    return {
        "id": row.id, "reference": row.reference, "state": row.state, "opened_at": rfc3339_seconds(row.opened_at),
        "due_at": rfc3339_seconds(due), "closed_at": rfc3339_seconds(row.closed_at) if row.closed_at else None,
        "late": (row.closed_at or now) > due,
    }  # fmt: skip


def show_request(context: ReadContext, view: View) -> Shown:
    """`GET /v1/access-requests/{id}`: the track record, by pages."""
    connection, tools = context.connection, audit_tools(context)
    row = _own(connection, view.path["id"], view.person)
    document = _facts(row, context.now)
    told = {"request": row.id}
    if row.state != "open":
        return Shown(document, private=told)
    text, after = view.query.get("limit", str(PAGE)), view.query.get("cursor", "-1")
    limit = int(text) if text.isdecimal() and len(text) < 4 else 0  # noqa: PLR2004
    if not 1 <= limit <= MOST or not (after == "-1" or (after.isdecimal() and len(after) < 19)):  # noqa: PLR2004
        raise Refused(Cause.MALFORMED_REQUEST, members=["limit", "cursor"])
    sealed = bytes(row.nik)
    nik = Nik.parse(tools.keyring.opener(Job.CLAIMS, sealed).open(sealed, _binding(row.id)).decode())
    found = find_subject(connection, tools.tags(nik), int(after) + 1, followed(connection), limit + 1)
    page_of = found[:limit]
    bases = {
        (each.what, each.name): each.basis
        for each in connection.execute(select(withheld).where(withheld.c.request == row.id))
    }
    names = {each.id: each.name for each in connection.execute(select(partners.c.id, partners.c.name))}
    shown: list[dict[str, Any]] = []
    kept: Counter[str] = Counter()
    asked = [each for each in page_of if each.kind in _ASKED]
    own = _own_entries(connection, row.id, asked)
    for item in items_of(connection, [each for each in asked if each.index not in own]):
        basis = bases.get(("entry", item["id"])) or bases.get(("purpose", item["purpose"]))
        if basis:
            kept[basis] += 1
            continue
        shown.append(
            {
                "id": item["id"], "at": item["at"], "by": names.get(item["partner"], item["partner"]),
                "purpose": item["purpose"], "answered": item["kind"] in {Kind.ANSWER, Kind.REPEAT},
            }
        )  # fmt: skip
    left = [{"basis": basis, "entries": count} for basis, count in sorted(kept.items())]
    following = str(page_of[-1].index) if len(found) > limit else None
    return Shown({**document, "entries": shown, "withheld": left, "next": following}, private=told)


def _own_entries(connection: Connection, id: str, found: list[FoundEntry]) -> set[int]:
    """The entries of this very request: no track record begins with itself. Earlier requests stay: who opened them asked, too."""
    rows = rows_of(connection, [each.index for each in found if each.kind == Kind.ACCESS_REQUEST])
    needle = f'"request":"{id}"'.encode()
    return {index for index, (_, private) in rows.items() if private is not None and needle in private}


def list_requests(context: ReadContext, view: View) -> Shown:
    """`GET /v1/access-requests`: the officer's own, with their clocks."""
    rows = context.connection.execute(
        select(access_requests).where(access_requests.c.officer == same(view.person)).order_by(access_requests.c.id)
    )
    return Shown(page([_facts(row, context.now) for row in rows], "id", view.query)[0])


VIEWS: Mapping[str, Callable[[ReadContext, View], Shown]] = {
    "access_request": show_request,
    "access_requests": list_requests,
}


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    "open_access_request": open_request,
    "withhold": withhold,
    "close_access_request": close,
}
"""What is done here, by the name of the act."""
