"""How are partners and the versions of their agreements kept and changed? Each act is one deed in the caller's transaction."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update

from gateway.administration.commands import Act
from gateway.administration.requests.partners import Exemption, NewPartner
from gateway.clock import DAY, jakarta_date, jakarta_midnight
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.partners import lifecycle
from gateway.partners.agreement import Agreement, AgreementState
from gateway.partners.approvals import Approval, Decision
from gateway.partners.approvals import person as same
from gateway.partners.lifecycle import Examined, digest
from gateway.partners.particulars import CLASSES, EXEMPTIONS
from gateway.partners.present import Present, Reach
from gateway.partners.terms import PartnerEntry, from_document, to_document
from gateway.store.base.statements import put_many
from gateway.store.commands.query import day_of, number
from gateway.store.commands.tables import approvals
from gateway.store.commands.unit_of_work import STAFF, CommandResult, UnitOfWork
from gateway.store.partners.tables import agreement_versions, agreements, drafts, exemptions, partners
from gateway.store.sealing.tables import accounts

ID = re.compile(r"(?!import\Z)[a-z0-9][a-z0-9-]{0,63}\Z").match  # /v1/agreements/import is a call
_LONGEST = 40  # characters of an id that is made from a name


def versions_of(connection: Connection, agreement: str) -> list[Agreement]:
    """Every version of an agreement that could be read, in order; incomplete drafts stand in `drafts` alone."""
    documents = connection.execute(
        select(agreement_versions.c.document)
        .where(agreement_versions.c.agreement == agreement)
        .order_by(agreement_versions.c.version)
    ).scalars()
    return [from_document(json.loads(document)) for document in documents]


def put_version(connection: Connection, agreement: Agreement) -> None:
    """Write a version as it is now."""
    row = (agreement.id, agreement.version, agreement.partner, str(agreement.state), written(agreement))
    put_many(connection, agreement_versions, [row], ("state", "document"))


def written(agreement: Agreement) -> str:
    """A version as it is stored."""
    return json.dumps(to_document(agreement), sort_keys=True)


def partner_entry(connection: Connection, id: str) -> PartnerEntry:
    """A partner as an agreement names it. Raises Refused(NOT_FOUND)."""
    row = connection.execute(select(partners).where(partners.c.id == id)).one_or_none()
    if row is None or id == STAFF:
        raise Refused(Cause.NOT_FOUND)
    held = connection.execute(select(exemptions).where(exemptions.c.partner == id)).one_or_none()
    exemption = {"ground": held.ground, "proof": held.proof} if held else None
    return PartnerEntry(row.id, row.name, row.kind, exemption)


def owner_of(connection: Connection, agreement: str) -> str:
    """The partner that an agreement belongs to. Raises Refused(NOT_FOUND)."""
    found = connection.execute(select(agreements.c.partner).where(agreements.c.id == agreement)).scalar()
    if found is None:
        found = connection.execute(
            select(agreement_versions.c.partner).where(agreement_versions.c.agreement == agreement).limit(1)
        ).scalar()
    if found is None:
        raise Refused(Cause.NOT_FOUND)
    return str(found)


def open_account(connection: Connection, agreement: str, partner: str, now: int, opening: int = 0) -> bool:
    """What an agreement has from the beginning: its owner, the instant from which duties count, and an account.

    Whether the account was opened by this call, with `opening` as its balance.
    """
    if connection.execute(select(agreements.c.id).where(agreements.c.id == agreement)).first() is None:
        put_many(connection, agreements, [(agreement, partner, now)])
    if connection.execute(select(accounts.c.id).where(accounts.c.id == agreement)).first() is not None:
        return False
    put_many(connection, accounts, [(agreement, 0, 0, 0, 0, 0, opening)])
    return True


def register_partner(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/partners`: an institution; without an agreement it may ask nothing."""
    body: NewPartner = act.body
    exemption = body.exemption if isinstance(body.exemption, Exemption) else None
    wrong = [
        *(["class"] if body.kind not in CLASSES else []),
        *(["exemption.ground"] if exemption and exemption.ground not in EXEMPTIONS else []),
        *(["exemption.until"] if exemption and not _lasts(exemption, unit.now) else []),
    ]
    if wrong:
        raise Refused(Cause.MALFORMED_REQUEST, members=wrong)
    connection = unit.connection
    if connection.execute(select(partners.c.id).where(partners.c.name == body.name)).first():
        raise Refused(Cause.CONFLICT, fault="a partner of this name is registered already")
    id = _free_id(connection, body.name)
    put_many(connection, partners, [(id, body.name, body.kind, False)])
    if exemption:
        put_many(connection, exemptions, [(id, exemption.ground, exemption.proof, _ends(exemption.until))])
    private = {"change": "register", "partner": id, "before": "", "after": digest([body.name, body.kind])}
    shown = ("partner", {"id": id})
    return CommandResult(Kind.PARTNER, {"id": id}, private, moved=(id,), shown=shown)


def _free_id(connection: Connection, name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST].strip("-") or "partner"
    taken = set(connection.execute(select(partners.c.id).where(partners.c.id.startswith(slug))).scalars())
    return next(id for id in (slug, *(f"{slug}-{number}" for number in range(2, len(taken) + 3))) if id not in taken)


def new_exemption(act: Act, now: int) -> dict[str, str]:
    """What is to be proposed for `POST /v1/partners/{id}/exemption`. Raises Refused(MALFORMED_REQUEST)."""
    body: Exemption = act.body
    if body.ground not in EXEMPTIONS:
        raise Refused(Cause.MALFORMED_REQUEST, members=["ground"])
    if not _lasts(body, now):
        raise Refused(Cause.MALFORMED_REQUEST, members=["until"])
    until = {"until": body.until} if isinstance(body.until, str) else {}
    return {"ground": body.ground, "proof": body.proof, **until}


def _ends(until: object) -> int:
    """The instant at which an exemption ends by itself: after its last day in Asia/Jakarta; 0 when it has none."""
    return jakarta_midnight(day_of(until)) + DAY if isinstance(until, str) else 0


def _lasts(body: Exemption, now: int) -> bool:
    """Whether its last day, if it has one, is a day that is not over."""
    try:
        return not isinstance(body.until, str) or _ends(body.until) > now
    except Refused:
        return False


def exemption_base(connection: Connection, partner: str) -> str:
    """A digest of the exemption that stands; empty when there is none."""
    held = standing_exemption(connection, partner)
    return digest(held) if held else ""


def standing_exemption(connection: Connection, partner: str) -> dict[str, str] | None:
    """The exemption that stands, with its last day when it has one."""
    row = connection.execute(select(exemptions).where(exemptions.c.partner == partner)).one_or_none()
    if row is None:
        return None
    until = {"until": jakarta_date(row.ends - DAY).isoformat()} if row.ends else {}
    return {"ground": row.ground, "proof": row.proof, **until}


def exempt(unit: UnitOfWork, approval: Approval) -> CommandResult:
    """The effect of an approved exemption: the next version may have a tariff of 0, and must."""
    before, subject = exemption_base(unit.connection, approval.partner), approval.subject
    row = (approval.partner, subject["ground"], subject["proof"], _ends(subject.get("until")))
    put_many(unit.connection, exemptions, [row], ("ground", "proof", "ends"))
    private = {"partner": approval.partner, "before": before, "after": digest(dict(subject))}
    return CommandResult(Kind.MONEY, {"partner": approval.partner, "exemption": dict(subject)}, private)


def end_exemption(unit: UnitOfWork, act: Act) -> CommandResult:
    """`DELETE /v1/partners/{id}/exemption`: at once; the next version must have a tariff."""
    partner = partner_entry(unit.connection, act.path["id"])
    if partner.exemption is None:
        raise Refused(Cause.NOT_FOUND)
    return drop_exemption(unit, partner.id)


def drop_exemption(unit: UnitOfWork, partner: str, reason: str = "") -> CommandResult:
    """End an exemption, by a person or (with a reason) by itself."""
    before = exemption_base(unit.connection, partner)
    unit.connection.execute(delete(exemptions).where(exemptions.c.partner == partner))
    private = {"change": "end_exemption", "partner": partner, "before": before, "after": ""}
    private |= {"reason": reason} if reason else {}
    return CommandResult(
        Kind.MONEY, {"partner": partner, "exemption": None}, private, shown=("partner", {"id": partner})
    )


def suspend_partner(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/partners/{id}/suspend`: none of its agreements answers any more."""
    id = partner_entry(unit.connection, act.path["id"]).id
    unit.connection.execute(update(partners).where(partners.c.id == id).values(suspended=True))
    private = {"change": "suspend", "partner": id, "reason": act.body.reason, "before": "", "after": "suspended"}
    answer = {"partner": id, "suspended": True}
    return CommandResult(Kind.PARTNER, answer, private, moved=(id,), shown=("partner", {"id": id}))


def draft_agreement(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/partners/{id}/agreements`: the first draft of a new agreement; `id` in the body names it."""
    partner = partner_entry(unit.connection, act.path["id"])
    fields = dict(act.body)
    given = fields.pop("id", "")
    if given and not (isinstance(given, str) and ID(given)):
        raise Refused(Cause.MALFORMED_REQUEST, members=["id"])
    agreement = given or _next_agreement(unit.connection, partner.id)
    if unit.connection.execute(select(agreements.c.id).where(agreements.c.id == agreement)).first() or versions_of(
        unit.connection, agreement
    ):
        raise Refused(Cause.CONFLICT, fault="an agreement of this id exists already")
    put_many(unit.connection, agreements, [(agreement, partner.id, unit.now)])
    return draft(unit, act, partner, agreement, 1, fields)


def _next_agreement(connection: Connection, partner: str) -> str:
    held = set(connection.execute(select(agreements.c.id)).scalars()) | set(
        connection.execute(select(agreement_versions.c.agreement)).scalars()
    )
    plain = f"pks-{partner}"[:60]
    return next(id for id in (plain, *(f"{plain}-{number}" for number in range(2, len(held) + 3))) if id not in held)


def draft_version(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/agreements/{a}/versions`: a draft of what shall hold next."""
    connection, agreement = unit.connection, act.path["a"]
    partner = partner_entry(connection, owner_of(connection, agreement))
    lifecycle.require_open(versions_of(connection, agreement))
    numbers = [
        *connection.execute(
            select(agreement_versions.c.version).where(agreement_versions.c.agreement == agreement)
        ).scalars(),
        *connection.execute(select(drafts.c.version).where(drafts.c.agreement == agreement)).scalars(),
    ]
    return draft(unit, act, partner, agreement, max(numbers, default=0) + 1, dict(act.body))


def amend_draft(unit: UnitOfWork, act: Act) -> CommandResult:
    """`PUT /v1/agreements/{a}/versions/{v}`: the draft anew, with everything that is known now."""
    agreement, version = act.path["a"], number(act.path["v"])
    row = draft_row(unit.connection, agreement, version)
    if row.state != AgreementState.DRAFT:
        raise Refused(Cause.CONFLICT, fault="it is proposed already: withdraw or reject the proposal first")
    partner = partner_entry(unit.connection, owner_of(unit.connection, agreement))
    hands = json.loads(row.persons)
    return draft(unit, act, partner, agreement, version, dict(act.body), persons=hands, before=row.digest)


def discard_draft(unit: UnitOfWork, act: Act) -> CommandResult:
    """`DELETE /v1/agreements/{a}/versions/{v}`: whoever had a hand in a draft takes it away.

    An agreement that never was more than this draft, and of which no proposal tells, goes with it.
    """
    connection, agreement, version = unit.connection, act.path["a"], number(act.path["v"])
    row = draft_row(connection, agreement, version)
    if row.state != AgreementState.DRAFT:
        raise Refused(Cause.CONFLICT, fault="it is proposed already: withdraw or reject the proposal first")
    if same(act.person) not in {same(each) for each in json.loads(row.persons)}:
        raise Refused(Cause.CONFLICT, fault="only who had a hand in a draft can discard it")
    partner = owner_of(connection, agreement)
    connection.execute(delete(drafts).where(drafts.c.agreement == agreement, drafts.c.version == version))
    _mirror(connection, agreement, version, None)
    if not any(
        connection.execute(select(table.c.agreement).where(table.c.agreement == agreement)).first()
        for table in (drafts, agreement_versions, approvals)
    ):
        connection.execute(delete(agreements).where(agreements.c.id == agreement))
    private = {"change": "discard", "version": version, "before": row.digest, "after": "discarded"}
    answer = {"agreement": agreement, "version": version, "state": "discarded"}
    return CommandResult(Kind.AGREEMENT, answer, private, agreement, moved=(partner,))


def draft(  # noqa: PLR0913  what a draft is made of
    unit: UnitOfWork,
    act: Act,
    partner: PartnerEntry,
    agreement: str,
    version: int,
    fields: dict[str, Any],
    *,
    persons: Sequence[str] = (),
    before: str = "",
) -> CommandResult:
    """Write a draft down as it reads now; `persons` have had a hand in it, `before` is the digest of what it was."""
    found = examined(unit, partner, agreement, version, fields)
    hands = [*(each for each in persons if each != act.person), act.person]
    row = (agreement, version, str(AgreementState.DRAFT), found.digest, json.dumps(fields), json.dumps(hands))
    put_many(unit.connection, drafts, [row], ("state", "digest", "fields", "persons"))
    _mirror(unit.connection, agreement, version, found.agreement)
    path = {"a": agreement, "v": str(version)}
    private = {"change": "draft", "version": version, "before": before, "after": found.digest}
    answer = {
        "agreement": agreement,
        "version": version,
        "state": AgreementState.DRAFT.value,
        "digest": found.digest,
        "missing": list(found.missing),
        "faults": list(found.faults),
    }
    return CommandResult(Kind.AGREEMENT, answer, private, agreement, moved=(partner.id,), shown=("version", path))


def examined(unit: UnitOfWork, partner: PartnerEntry, agreement: str, version: int, fields: dict[str, Any]) -> Examined:
    """A draft's fields as they read now."""
    previous = lifecycle.newest_approved(versions_of(unit.connection, agreement))
    present = present_of(unit.connection, unit.now, fields, previous, unit.reach)
    return lifecycle.examine(fields, partner, agreement, version, unit.purposes, present)


def present_of(
    connection: Connection, now: int, fields: Mapping[str, Any], previous: Agreement | None, reach: Reach
) -> Present:
    """What a draft with these fields is held against."""
    return Present(jakarta_date(now), previous, classes(connection, fields.get("on_behalf_of")), reach)


def classes(connection: Connection, named: object) -> dict[str, str]:
    """The class of each registered institution among those that `named` lists."""
    wanted = {each for each in named if isinstance(each, str)} - {STAFF} if isinstance(named, list) else set()
    if not wanted:
        return {}
    rows = connection.execute(select(partners.c.id, partners.c.kind).where(partners.c.id.in_(sorted(wanted)[:1000])))
    return {row.id: row.kind for row in rows}


def _mirror(connection: Connection, agreement: str, version: int, sound: Agreement | None) -> None:
    """A draft that reads without fault stands among the versions, so that the partner can be told how far it is."""
    if sound is not None:
        put_version(connection, sound)
        return
    table = agreement_versions
    connection.execute(delete(table).where(table.c.agreement == agreement, table.c.version == version))


def draft_row(connection: Connection, agreement: str, version: int) -> Any:  # noqa: ANN401  a row of `drafts`
    """The draft. Raises Refused: CONFLICT when the version was approved already, NOT_FOUND when there is none."""
    row = connection.execute(
        select(drafts).where(drafts.c.agreement == agreement, drafts.c.version == version)
    ).one_or_none()
    if row is None:
        if any(one.version == version for one in versions_of(connection, agreement)):
            raise Refused(Cause.CONFLICT, fault="this version is no draft any more: draft another")
        raise Refused(Cause.NOT_FOUND)
    return row


def exists(connection: Connection, agreement: str) -> bool:
    """Whether there is such an agreement: what a caller made up does not get into an entry."""
    try:
        owner_of(connection, agreement)
    except Refused:
        return False
    return True


def suspend_agreement(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/agreements/{a}/suspend`: an agreement, or one purpose of it, at once."""
    purpose = act.body.purpose if isinstance(act.body.purpose, str) else ""
    private = {"change": "suspend", "reason": act.body.reason, "of": purpose}
    return change(unit, act.path["a"], lambda held: lifecycle.suspend(held, act.body.reason, purpose), private)


def terminate_agreement(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/agreements/{a}/terminate`: it ends for good; what was drafted or proposed for it ends as well."""
    agreement = act.path["a"]
    result = change(unit, agreement, lifecycle.terminate, {"change": "terminate", "reason": act.body.reason})
    connection = unit.connection
    connection.execute(
        update(approvals)
        .where(approvals.c.agreement == agreement, approvals.c.state == str(Decision.OPEN))
        .values(state=str(Decision.WITHDRAWN), decider=act.person, decided_at=unit.now, reason="terminated")
    )
    connection.execute(delete(drafts).where(drafts.c.agreement == agreement))
    table = agreement_versions
    unsettled = [str(state) for state in lifecycle.UNSETTLED]
    connection.execute(delete(table).where(table.c.agreement == agreement, table.c.state.in_(unsettled)))
    return result


def change(
    unit: UnitOfWork,
    agreement: str,
    apply: Callable[[Agreement], Agreement],
    private: dict[str, Any],
    kind: Kind = Kind.AGREEMENT,
) -> CommandResult:
    """Apply `apply` to every version, so that none takes the other's place. Raises Refused(NOT_FOUND)."""
    connection, partner = unit.connection, owner_of(unit.connection, agreement)
    held = versions_of(connection, agreement)
    purpose = private.get("of")
    if not held or (purpose and not any(purpose in one.purposes for one in held)):
        raise Refused(Cause.NOT_FOUND)
    after = [apply(one) for one in held]
    for one, new in zip(held, after, strict=True):
        if new != one:
            put_version(connection, new)
    digests = {"before": digest([written(one) for one in held]), "after": digest([written(one) for one in after])}
    governs = next((one for one in reversed(after) if one.state not in lifecycle.UNSETTLED), after[-1])
    answer = {
        "agreement": agreement,
        "state": governs.state.value,
        "suspension": governs.suspension or None,
        "suspended_purposes": sorted({name for one in after for name in one.suspended}),
    }
    moved = (partner,) if after != held else ()
    return CommandResult(
        kind, answer, {**private, **digests}, agreement, moved=moved, shown=("agreement", {"a": agreement})
    )


def versions_state(connection: Connection, agreement: str) -> str:
    """The state of the newest version that was approved."""
    newest = lifecycle.newest_approved(versions_of(connection, agreement))
    return newest.state.value if newest else AgreementState.DRAFT.value


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    "register_partner": register_partner,
    "suspend_partner": suspend_partner,
    "draft_agreement": draft_agreement,
    "draft_version": draft_version,
    "amend_draft": amend_draft,
    "discard_draft": discard_draft,
    "suspend_agreement": suspend_agreement,
    "terminate_agreement": terminate_agreement,
    "end_exemption": end_exemption,
}
"""What is done here, by the name of the act."""
