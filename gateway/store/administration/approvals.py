"""How does a change that widens access wait for its second person? Proposed, then approved, rejected or withdrawn.

What an approval does stands in `_EFFECTS`; each is bound to the digest of what was proposed, and of what stood then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, select, update

from gateway.administration.commands import Act
from gateway.clock import uuid7
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.partners import lifecycle
from gateway.partners.agreement import AgreementState
from gateway.partners.approvals import Approval, Decision, Widening, require_open, require_other_person, require_seen
from gateway.partners.approvals import person as same
from gateway.partners.lifecycle import digest
from gateway.store.audit.assignments import grant, new_assignment
from gateway.store.base.statements import put_many
from gateway.store.commands.query import number
from gateway.store.commands.tables import approvals
from gateway.store.commands.unit_of_work import STAFF, CommandResult, UnitOfWork
from gateway.store.feeds import consolidation
from gateway.store.partners.agreements import (
    change,
    draft_row,
    examined,
    exempt,
    exemption_base,
    new_exemption,
    open_account,
    owner_of,
    partner_entry,
    put_version,
    versions_of,
    written,
)
from gateway.store.partners.credentials import add_administrator, add_key, client_base, new_administrator, new_key
from gateway.store.partners.money import credit, payment_base
from gateway.store.partners.tables import drafts, partners
from gateway.store.staff.members import (
    add_member,
    member_base,
    new_member,
    owner,
    recover,
    recoverable_member,
    suspended_member,
)


def read_approval(connection: Connection, id: str) -> Approval:
    """A proposal. Raises Refused(NOT_FOUND)."""
    row = connection.execute(select(approvals).where(approvals.c.id == id)).one_or_none()
    if row is None:
        raise Refused(Cause.NOT_FOUND)
    return approval_of(row)


def approval_of(row: Any) -> Approval:  # noqa: ANN401  a row of `approvals`
    """A row as a value."""
    return Approval(
        row.id,
        Widening(row.kind),
        Decision(row.state),
        row.partner,
        row.agreement,
        row.version,
        row.digest,
        row.base,
        json.loads(row.subject),
        tuple(json.loads(row.persons)),
        row.proposed_at,
        row.decider,
        row.decided_at,
        row.reason,
    )


def propose(  # noqa: PLR0913  what a proposal is made of
    unit: UnitOfWork,
    act: Act,
    kind: Widening,
    partner: str,
    subject: Mapping[str, Any],
    base: str,
    *,
    agreement: str = "",
    version: int = 0,
    seen: str = "",
    persons: Sequence[str] = (),
    moved: Sequence[str] = (),
) -> CommandResult:
    """Write a proposal down. `seen` is the digest to approve (by default that of the subject)."""
    id, seen = uuid7(unit.now, unit.entropy), seen or digest({"kind": kind.value, "partner": partner, **subject})
    hands = json.dumps([*(each for each in persons if same(each) != same(act.person)), act.person])
    row = (
        id, kind.value, Decision.OPEN.value, partner, agreement, version, seen, base, json.dumps(subject, sort_keys=True),
        hands, unit.now, "", 0, "",
    )  # fmt: skip
    put_many(unit.connection, approvals, [row])
    private = {"change": f"propose_{kind.value}", "approval": id, "partner": partner, "before": base, "after": seen}
    answer = {"approval": id, "digest": seen}
    shown = ("approval", {"id": id})
    return CommandResult(Kind.APPROVAL, answer, private, agreement, moved=moved, shown=shown)


def propose_version(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST …/versions/{v}/propose`: nothing may be missing from it."""
    connection, agreement, version = unit.connection, act.path["a"], number(act.path["v"])
    partner = partner_entry(connection, owner_of(connection, agreement))
    row = draft_row(connection, agreement, version)
    if row.state != AgreementState.DRAFT:
        raise Refused(Cause.CONFLICT, fault="it is proposed already")
    held = versions_of(connection, agreement)
    lifecycle.require_open(held)
    sound = examined(unit, partner, agreement, version, json.loads(row.fields)).require_sound()
    where = (drafts.c.agreement == agreement, drafts.c.version == version)
    connection.execute(update(drafts).where(*where).values(state=str(AgreementState.PROPOSED), digest=sound.digest))
    put_version(connection, replace(sound, state=AgreementState.PROPOSED))
    return propose(
        unit, act, Widening.VERSION, partner.id, {"agreement": agreement, "version": version},
        _version_base(connection, agreement), agreement=agreement, version=version, seen=sound.digest,
        persons=json.loads(row.persons), moved=(partner.id,),
    )  # fmt: skip


def _version_base(connection: Connection, agreement: str) -> str:
    newest = lifecycle.newest_approved(versions_of(connection, agreement))
    return newest.digest if newest else ""


def _approve_version(unit: UnitOfWork, approval: Approval) -> CommandResult:
    connection, agreement, version = unit.connection, approval.agreement, approval.version
    partner = partner_entry(connection, approval.partner)
    row = draft_row(connection, agreement, version)
    # Read anew: the closed list of purposes or the partner's exemption may have changed since.
    sound = examined(unit, partner, agreement, version, json.loads(row.fields)).require_sound()
    if sound.digest != approval.digest:
        raise Refused(Cause.CONFLICT, fault="read again, the draft is not what was proposed")
    approved = replace(sound, state=AgreementState.APPROVED)
    put_version(connection, approved)
    where = (drafts.c.agreement == agreement, drafts.c.version == version)
    connection.execute(delete(drafts).where(*where))
    open_account(connection, agreement, approval.partner, unit.now)
    answer = {"agreement": agreement, "version": version, "state": AgreementState.APPROVED.value}
    private = {"version": version, "before": approval.base, "after": sound.digest}
    return CommandResult(Kind.AGREEMENT, answer, private, agreement, moved=(approval.partner,))


def propose_resume(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/agreements/{a}/resume`: lift every suspension of an agreement."""
    connection, agreement = unit.connection, act.path["a"]
    partner = owner_of(connection, agreement)
    held = versions_of(connection, agreement)
    lifecycle.require_open(held)
    if all(lifecycle.resume(one) == one for one in held):
        raise Refused(Cause.CONFLICT, fault="nothing of it is suspended")
    subject = {"agreement": agreement, "suspensions": _suspensions(connection, agreement)}
    base = _agreement_base(connection, agreement)
    return propose(unit, act, Widening.RESUME, partner, subject, base, agreement=agreement)


def _suspensions(connection: Connection, agreement: str) -> list[str]:
    held = versions_of(connection, agreement)
    reasons = {one.suspension for one in held if one.suspension}
    return sorted(reasons | {f"purpose {name}" for one in held for name in one.suspended})


def _agreement_base(connection: Connection, agreement: str) -> str:
    return digest([written(one) for one in versions_of(connection, agreement) if one.state not in lifecycle.UNSETTLED])


def propose_partner_resume(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/partners/{id}/resume`: let a suspended partner be answered again."""
    id = partner_entry(unit.connection, act.path["id"]).id
    if not _partner_suspended(unit.connection, id):
        raise Refused(Cause.CONFLICT, fault="it is not suspended")
    return propose(unit, act, Widening.RESUME, id, {"of": "partner"}, "suspended")


def _partner_suspended(connection: Connection, id: str) -> bool:
    return bool(connection.execute(select(partners.c.suspended).where(partners.c.id == id)).scalar())


def _resume(unit: UnitOfWork, approval: Approval) -> CommandResult:
    if approval.agreement:
        return change(unit, approval.agreement, lifecycle.resume, {"suspensions": approval.subject["suspensions"]})
    unit.connection.execute(update(partners).where(partners.c.id == approval.partner).values(suspended=False))
    private = {"partner": approval.partner, "before": "suspended", "after": ""}
    return CommandResult(
        Kind.PARTNER, {"partner": approval.partner, "suspended": False}, private, moved=(approval.partner,)
    )


def propose_key(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/partners/{id}/keys`: a key or certificate."""
    partner, subject = new_key(unit, act)
    return propose(unit, act, Widening.KEY, partner, subject, client_base(unit.connection, subject["client_id"]))


def propose_administrator(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/staff`: a credential of a person of the house."""
    subject = new_administrator(unit, act)
    persons = (subject["person"],)  # nobody approves what makes them an administrator
    return propose(unit, act, Widening.ADMINISTRATOR, STAFF, subject, "", persons=persons)


def propose_payment(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/partners/{id}/payments`: a prepayment that came in."""
    connection, body = unit.connection, act.body
    partner = partner_entry(connection, act.path["id"]).id
    if owner_of(connection, body.agreement) != partner:
        raise Refused(Cause.NOT_FOUND)
    if payment_base(connection, body.reference):
        raise Refused(Cause.CONFLICT, fault="a payment of this reference was credited already")
    subject = {"agreement": body.agreement, "amount": body.amount, "reference": body.reference}
    return propose(unit, act, Widening.PAYMENT, partner, subject, "", agreement=body.agreement)


def propose_exemption(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/partners/{id}/exemption`: that no tariff is due, with the proof (PP 10/2023)."""
    partner, subject = partner_entry(unit.connection, act.path["id"]).id, new_exemption(act, unit.now)
    return propose(unit, act, Widening.EXEMPTION, partner, subject, exemption_base(unit.connection, partner))


def propose_assignment(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/assignments`: whose searches of the log are to be allowed, where and until when."""
    subject = new_assignment(unit, act)
    persons = (subject["auditor"],)  # nobody approves what they may read themselves
    return propose(unit, act, Widening.ASSIGNMENT, STAFF, subject, "", persons=persons)


def propose_member(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/staff/members`: a person at the console, with roles."""
    subject = new_member(unit, act)
    persons = (subject["person"],)  # nobody approves what they may do themselves
    return propose(unit, act, Widening.MEMBER, owner(subject["partner"]), subject, "", persons=persons)


def propose_member_resume(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/staff/members/{id}/resume`: let a suspended member come back."""
    member = suspended_member(unit, act)
    subject, base = {"member": member.id, "of": "resume"}, member_base(unit.connection, member.id)
    return propose(unit, act, Widening.MEMBER, owner(member.partner), subject, base, persons=(member.person,))


def propose_recovery(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/staff/members/{id}/recover`: a member has lost every passkey, and is to be invited again."""
    member = recoverable_member(unit, act)
    subject, base = {"member": member.id}, member_base(unit.connection, member.id)
    return propose(unit, act, Widening.RECOVERY, owner(member.partner), subject, base, persons=(member.person,))


def consolidate(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/feeds/{regency}/consolidations`: what would close a gap, looked at or proposed."""
    if act.body.dry_run:
        return consolidation.examined_only(act)
    subject = consolidation.subject_of(act)
    base = consolidation.consolidation_base(unit.connection, subject["regency"], subject["from"], subject["to"])
    if not base:
        raise Refused(Cause.CONFLICT, fault="not all of these sequences are missing")
    result = propose(unit, act, Widening.CONSOLIDATION, STAFF, subject, base)
    consolidation.keep(unit, str(result.answer["approval"]), act)
    return result


_BASES: Mapping[Widening, Callable[[Connection, Approval], str]] = {
    Widening.VERSION: lambda connection, approval: _version_base(connection, approval.agreement),
    Widening.RESUME: lambda connection, approval: (
        _agreement_base(connection, approval.agreement)
        if approval.agreement
        else ("suspended" if _partner_suspended(connection, approval.partner) else "")
    ),
    Widening.KEY: lambda connection, approval: client_base(connection, approval.subject["client_id"]),
    Widening.PAYMENT: lambda connection, approval: payment_base(connection, approval.subject["reference"]),
    Widening.EXEMPTION: lambda connection, approval: exemption_base(connection, approval.partner),
    Widening.ADMINISTRATOR: lambda connection, approval: client_base(connection, approval.subject["client_id"]),
    Widening.ASSIGNMENT: lambda connection, approval: "",  # noqa: ARG005  nothing stands where it will
    Widening.MEMBER: lambda connection, approval: member_base(connection, approval.subject["member"]),
    Widening.RECOVERY: lambda connection, approval: member_base(connection, approval.subject["member"]),
    Widening.CONSOLIDATION: lambda connection, approval: consolidation.consolidation_base(
        connection, approval.subject["regency"], approval.subject["from"], approval.subject["to"]
    ),
}
"""What stands now where the proposal would make its change."""

_EFFECTS: Mapping[Widening, Callable[[UnitOfWork, Approval], CommandResult]] = {
    Widening.VERSION: _approve_version,
    Widening.RESUME: _resume,
    Widening.KEY: add_key,
    Widening.PAYMENT: credit,
    Widening.EXEMPTION: exempt,
    Widening.ADMINISTRATOR: add_administrator,
    Widening.ASSIGNMENT: grant,
    Widening.MEMBER: add_member,
    Widening.RECOVERY: recover,
    Widening.CONSOLIDATION: consolidation.effect,
}
"""What the second person's word does."""


def stands(connection: Connection, approval: Approval) -> bool:
    """Whether what the proposal would change still is as it was when it was proposed: otherwise nobody can approve it."""
    return _BASES[approval.kind](connection, approval) == approval.base


def approve(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/approvals/{id}/approve`: the second person, who names the digest of what was seen."""
    approval = read_approval(unit.connection, act.path["id"])
    require_open(approval)
    require_other_person(approval.persons, act.person)
    require_seen(approval, act.body.digest, _BASES[approval.kind](unit.connection, approval))
    result = _EFFECTS[approval.kind](unit, approval)
    _decide(unit, act, approval, Decision.APPROVED)
    private = {
        "change": f"approve_{approval.kind.value}", "approval": approval.id, "proposer": approval.proposer, **result.private
    }  # fmt: skip
    answer = {"approval": approval.id, "state": Decision.APPROVED.value, **result.answer}
    if "state" in result.answer:
        answer["state"], answer["agreement_state"] = Decision.APPROVED.value, result.answer["state"]
    return replace(result, answer=answer, private=private, shown=("approval", {"id": approval.id}))


def reject(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/approvals/{id}/reject`: another person turns it down; a version becomes a draft again."""
    approval = read_approval(unit.connection, act.path["id"])
    require_open(approval)
    require_other_person((approval.proposer,), act.person)
    return _turn_down(unit, act, approval, Decision.REJECTED)


def withdraw(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/approvals/{id}/withdraw`: the proposer takes it back."""
    approval = read_approval(unit.connection, act.path["id"])
    require_open(approval)
    if same(approval.proposer) != same(act.person):
        raise Refused(Cause.CONFLICT, fault="only its proposer can withdraw it; others reject it")
    return _turn_down(unit, act, approval, Decision.WITHDRAWN)


def _turn_down(unit: UnitOfWork, act: Act, approval: Approval, decision: Decision) -> CommandResult:
    connection = unit.connection
    _decide(unit, act, approval, decision, act.body.reason)
    moved: tuple[str, ...] = ()
    consolidation.discard(connection, approval.id)
    if approval.kind is Widening.VERSION:
        where = (drafts.c.agreement == approval.agreement, drafts.c.version == approval.version)
        connection.execute(update(drafts).where(*where).values(state=str(AgreementState.DRAFT)))
        for one in versions_of(connection, approval.agreement):
            if one.version == approval.version and one.state is AgreementState.PROPOSED:
                put_version(connection, replace(one, state=AgreementState.DRAFT))
        moved = (approval.partner,)
    private = {
        "change": f"{decision.value}_{approval.kind.value}", "approval": approval.id, "proposer": approval.proposer,
        "before": approval.digest, "after": approval.base, "reason": act.body.reason,
    }  # fmt: skip
    answer = {"approval": approval.id, "state": decision.value}
    shown = ("approval", {"id": approval.id})
    return CommandResult(Kind.APPROVAL, answer, private, approval.agreement, moved=moved, shown=shown)


def _decide(unit: UnitOfWork, act: Act, approval: Approval, decision: Decision, reason: str = "") -> None:
    unit.connection.execute(
        update(approvals)
        .where(approvals.c.id == approval.id)
        .values(state=decision.value, decider=act.person, decided_at=unit.now, reason=reason)
    )


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    "propose_partner_resume": propose_partner_resume,
    "propose_version": propose_version,
    "propose_resume": propose_resume,
    "propose_key": propose_key,
    "propose_payment": propose_payment,
    "propose_exemption": propose_exemption,
    "propose_administrator": propose_administrator,
    "approve": approve,
    "reject": reject,
    "withdraw": withdraw,
    "propose_assignment": propose_assignment,
    "propose_member": propose_member,
    "propose_member_resume": propose_member_resume,
    "propose_recovery": propose_recovery,
    "consolidate": consolidate,
}
"""What is done here, by the name of the act."""
