"""Which agreement is in force for this purpose at this instant, and what does a partner have to know of it?

Of every agreement one version governs: the newest that was approved and has begun. An older one never answers in its
place, and a newer one lifts no suspension.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from gateway.clock import jakarta_date, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.partners.agreement import Agreement, AgreementInForce, AgreementState, Partner, PurposeTerms

_RESTORE = {
    AgreementState.DRAFT: "complete_agreement",
    AgreementState.PROPOSED: "await_approval",
    AgreementState.APPROVED: "await_term",
    AgreementState.EXPIRED: "renew_agreement",
    AgreementState.TERMINATED: "conclude_agreement",
}
_NO_AGREEMENT = "none"

RESTORE_SUSPENDED = {
    "semester_report_overdue": "deliver_semester_report",
    "return_data_overdue": "deliver_return_data",
    "dpia_outdated": "renew_dpia",
    "balance_exhausted": "top_up_balance",
}
"""What lifts a suspension, by its reason; for any other reason the directorate has to be asked."""

_CONTACT = "contact_directorate"
# What is told first when nothing is in force: the state that the partner can do most about.
_TELLING = (
    AgreementState.SUSPENDED,
    AgreementState.APPROVED,
    AgreementState.EXPIRED,
    AgreementState.TERMINATED,
    AgreementState.PROPOSED,
    AgreementState.DRAFT,
)
_BEGUN = frozenset(
    {
        AgreementState.APPROVED,
        AgreementState.IN_FORCE,
        AgreementState.SUSPENDED,
        AgreementState.EXPIRED,
        AgreementState.TERMINATED,
    }
)


def state_at(agreement: Agreement, at: int) -> AgreementState:
    """The state of a version at the instant `at`: an approved one is in force within its term and expired after it."""
    if agreement.state is not AgreementState.IN_FORCE and agreement.state is not AgreementState.APPROVED:
        return agreement.state
    if at < agreement.starts:
        return AgreementState.APPROVED
    return AgreementState.IN_FORCE if at < agreement.ends else AgreementState.EXPIRED


def in_force(partner: Partner, purpose: str, at: int) -> AgreementInForce:
    """The partner's agreement in force at the instant `at` that has `purpose`.

    Raises:
        Refused: AGREEMENT_NOT_IN_FORCE (`state`, `restore`) when the partner is suspended, when the agreement that has
            the purpose is not in force, or when none is; PURPOSE_NOT_AGREED (`purpose`) when one is in force, but no
            agreement has the purpose.

    """
    if partner.suspended:
        raise _refused(AgreementState.SUSPENDED.value, _restore_partner(partner))
    standing = governing(partner.agreements, at)
    for agreement in standing:
        if (
            purpose in agreement.purposes
            and purpose not in _suspended(partner, agreement)
            and state_at(agreement, at) is AgreementState.IN_FORCE
        ):
            return AgreementInForce(agreement)
    raise _why_not(standing, purpose, at)


def agreement_document(partner: Partner, at: int) -> dict[str, Any]:
    """What a partner may ask, needs and owes at the instant `at`, JSON-able, for `GET /v1/agreement`.

    Only what was approved is shown; drafts are the administration's.
    """
    return {
        "partner": {"id": partner.id, "name": partner.name, "class": partner.kind, "suspended": partner.suspended},
        "as_of": rfc3339_seconds(at),
        "agreements": [
            _shown(partner, agreement, at)
            for agreement in governing(partner.agreements, at)
            if agreement.state in _BEGUN
        ],
    }


def duties_due(agreement: Agreement, at: int) -> dict[str, date]:
    """The next due date of every duty, on or after the day of `at` in Asia/Jakarta."""
    today = jakarta_date(at)
    duties = agreement.fields.get("duties")
    due = {}
    for name, duty in duties.items() if isinstance(duties, dict) else ():
        first, months = date.fromisoformat(duty["due"]), int(duty["every_months"])
        # One step back from the floor, for the day of the month may lie before or after today's.
        count = max(0, ((today.year - first.year) * 12 + today.month - first.month) // months - 1)
        while months_after(first, count * months) < today:
            count += 1
        due[name] = months_after(first, count * months)
    return due


def governing(agreements: tuple[Agreement, ...], at: int) -> tuple[Agreement, ...]:
    """Of each agreement the version that governs at the instant `at`, in the order in which the agreements stand."""
    if len(agreements) == 1:
        return agreements
    chosen: dict[str, Agreement] = {}
    for agreement in agreements:
        other = chosen.get(agreement.id)
        if other is None or _rank(agreement, at) > _rank(other, at):
            chosen[agreement.id] = agreement
    return tuple(chosen.values())


def _suspended(partner: Partner, agreement: Agreement) -> frozenset[str]:
    """Purposes that are suspended in any version of the agreement: a newer one lifts none of them."""
    if len(partner.agreements) == 1:
        return agreement.suspended
    return frozenset().union(*(other.suspended for other in partner.agreements if other.id == agreement.id))


def _rank(agreement: Agreement, at: int) -> tuple[bool, bool, int]:
    """A suspended version goes before all others: a newer one must not lift what one person imposed."""
    begun = agreement.state in _BEGUN and agreement.starts <= at
    return agreement.state is AgreementState.SUSPENDED, begun, agreement.version


def _why_not(standing: tuple[Agreement, ...], purpose: str, at: int) -> Refused:
    states = [(state_at(agreement, at), agreement) for agreement in standing]
    having = [(state, agreement) for state, agreement in states if purpose in agreement.purposes and state in _BEGUN]
    if any(state is AgreementState.IN_FORCE for state, _ in having):
        # In force, but this purpose of it was suspended by itself.
        return _refused(AgreementState.SUSPENDED.value, [_CONTACT], purpose=purpose)
    if not having and any(state is AgreementState.IN_FORCE for state, _ in states):
        agreed = {name for state, each in states if state is AgreementState.IN_FORCE for name in each.purposes}
        return Refused(Cause.PURPOSE_NOT_AGREED, purpose=purpose, agreed=sorted(agreed))
    for state in _TELLING:
        for found, agreement in having or states:
            if found is state:
                return _refused(state.value, _restore(state, agreement))
    return _refused(_NO_AGREEMENT, [_RESTORE[AgreementState.TERMINATED]])


def _restore(state: AgreementState, agreement: Agreement) -> list[str]:
    if state is AgreementState.SUSPENDED:
        return [RESTORE_SUSPENDED.get(agreement.suspension, _CONTACT)]
    return [_RESTORE[state]]


def _restore_partner(partner: Partner) -> list[str]:
    suspended = [agreement for agreement in partner.agreements if agreement.state is AgreementState.SUSPENDED]
    return sorted(
        {slug for agreement in suspended for slug in _restore(AgreementState.SUSPENDED, agreement)} | {_CONTACT}
    )


def _refused(state: str, restore: list[str], **facts: object) -> Refused:
    return Refused(Cause.AGREEMENT_NOT_IN_FORCE, state=state, restore=restore, **facts)


def _shown(partner: Partner, agreement: Agreement, at: int) -> dict[str, Any]:
    state = AgreementState.SUSPENDED if partner.suspended else state_at(agreement, at)
    suspended, limits = _suspended(partner, agreement), agreement.limits
    shown: dict[str, Any] = {
        "agreement": agreement.id,
        "version": agreement.version,
        "digest": agreement.digest,
        "state": state.value,
        "term": {"starts": rfc3339_seconds(agreement.starts), "ends": rfc3339_seconds(agreement.ends)},
        "purposes": {name: _shown_purpose(terms, suspended) for name, terms in agreement.purposes.items()},
        "limits": {"burst": limits.burst, "day": limits.day, "month": limits.month, "per_nik": limits.per_nik},
        "tariff": {"rupiah": limits.tariff, "prepaid": limits.prepaid},
        "addresses": [str(network) for network in agreement.networks],
        "duties": {name: {"due": due.isoformat()} for name, due in duties_due(agreement, at).items()},
    }
    for name in ("pks", "mou"):
        instrument = agreement.fields.get(name)
        if isinstance(instrument, dict):
            shown[name] = {"number": instrument["number"], "date": instrument["date"]}
    for name in ("access", "dpia", "on_behalf_of"):
        if name in agreement.fields:
            shown[name] = agreement.fields[name]
    if state is not AgreementState.IN_FORCE:
        shown["restore"] = _restore_partner(partner) if partner.suspended else _restore(state, agreement)
    return shown


def _shown_purpose(terms: PurposeTerms, suspended: frozenset[str]) -> dict[str, Any]:
    return {
        "legal_basis": terms.legal_basis,
        "decide": list(terms.decide),
        "inform": list(terms.inform),
        "disclosure": terms.disclosure.value,
        "attempts": terms.attempts,
        "demands": sorted(terms.demands),
        "suspended": terms.purpose in suspended,
    }


def months_after(day: date, months: int) -> date:
    """The day some months later; where the month does not have it, the month's last."""
    years, month = divmod(day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(day.year + years, month + 1, last)
        except ValueError:
            continue
    raise ValueError(day)
