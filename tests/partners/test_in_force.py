"""Does the right version govern, and is a partner told why none does?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import DAY, jakarta_midnight
from gateway.errors import Cause, Refusal, Refused
from gateway.partners.agreement import Agreement, AgreementInForce, AgreementState, Partner
from gateway.partners.in_force import agreement_document, duties_due, in_force, state_at

PURPOSE = "account_opening"
OTHER = "vaccination"


def partner(*agreements: Agreement, suspended: bool = False) -> Partner:
    """A partner with these agreements."""
    return Partner("bank-contoh", "Bank Contoh", "bank", suspended, agreements, epoch=1)


def refusal(asker: Partner, at: int, purpose: str = PURPOSE) -> Refusal:
    """The refusal that a question gets; an agreement in force fails the test."""
    with pytest.raises(Refused) as caught:
        in_force(asker, purpose, at)
    return caught.value.refusal


def not_in_force(state: str, *restore: str, **facts: object) -> Refusal:
    """The refusal of an agreement that is not in force."""
    return Refusal(Cause.AGREEMENT_NOT_IN_FORCE, {"state": state, "restore": list(restore), **facts})


def test_agreement_is_in_force_from_first_to_last_instant(agreement: Agreement) -> None:
    """The term begins with its first instant and ends before its end."""
    for at in (agreement.starts, agreement.ends - 1):
        assert in_force(partner(agreement), PURPOSE, at) == AgreementInForce(agreement)
    assert refusal(partner(agreement), agreement.starts - 1) == not_in_force("approved", "await_term")
    assert refusal(partner(agreement), agreement.ends) == not_in_force("expired", "renew_agreement")


def test_approved_agreement_comes_into_force_by_itself(agreement: Agreement) -> None:
    """An approved version is in force within its term, without anyone's doing."""
    approved = replace(agreement, state=AgreementState.APPROVED)
    assert in_force(partner(approved), PURPOSE, agreement.starts).agreement is approved
    assert state_at(approved, agreement.starts - 1) is AgreementState.APPROVED
    assert state_at(approved, agreement.ends) is AgreementState.EXPIRED


@pytest.mark.parametrize(
    ("state", "restore"),
    [
        (AgreementState.DRAFT, "complete_agreement"),
        (AgreementState.PROPOSED, "await_approval"),
        (AgreementState.SUSPENDED, "contact_directorate"),
        (AgreementState.EXPIRED, "renew_agreement"),
        (AgreementState.TERMINATED, "conclude_agreement"),
    ],
)
def test_no_other_state_is_in_force(state: AgreementState, restore: str, agreement: Agreement) -> None:
    """Within its term an agreement in any other state is refused with that state and what to do."""
    assert refusal(partner(replace(agreement, state=state)), agreement.starts) == not_in_force(state.value, restore)


@pytest.mark.parametrize(
    ("reason", "restore"),
    [
        ("semester_report_overdue", "deliver_semester_report"),
        ("return_data_overdue", "deliver_return_data"),
        ("dpia_outdated", "renew_dpia"),
        ("balance_exhausted", "top_up_balance"),
        ("breach", "contact_directorate"),
    ],
)
def test_suspension_tells_what_lifts_it(reason: str, restore: str, agreement: Agreement) -> None:
    """A suspended agreement is restored by what its reason asks for."""
    suspended = replace(agreement, state=AgreementState.SUSPENDED, suspension=reason)
    assert refusal(partner(suspended), agreement.starts) == not_in_force("suspended", restore)


def test_partner_without_an_agreement_is_refused(agreement: Agreement) -> None:
    """Who has no agreement at all is told to conclude one."""
    assert refusal(partner(), agreement.starts) == not_in_force("none", "conclude_agreement")


def test_suspended_partner_is_refused(agreement: Agreement) -> None:
    """A suspended partner is refused whatever agreements it has."""
    found = refusal(partner(agreement, suspended=True), agreement.starts)
    assert found == not_in_force("suspended", "contact_directorate")
    late = replace(agreement, state=AgreementState.SUSPENDED, suspension="semester_report_overdue")
    found = refusal(partner(late, suspended=True), agreement.starts)
    assert found == not_in_force("suspended", "contact_directorate", "deliver_semester_report")


def test_purpose_that_no_agreement_has_is_not_agreed(agreement: Agreement) -> None:
    """With an agreement in force a purpose outside it is refused as such; without one, as not in force."""
    found = refusal(partner(agreement), agreement.starts, OTHER)
    assert found == Refusal(Cause.PURPOSE_NOT_AGREED, {"purpose": OTHER, "agreed": sorted(agreement.purposes)})
    assert refusal(partner(agreement), agreement.ends, OTHER) == not_in_force("expired", "renew_agreement")


def test_purpose_of_a_draft_is_not_agreed(agreement: Agreement) -> None:
    """A purpose that stands in a draft only is not agreed yet."""
    draft = replace(agreement, id="second", state=AgreementState.DRAFT, purposes={OTHER: agreement.purposes[PURPOSE]})
    found = refusal(partner(agreement, draft), agreement.starts, OTHER)
    assert found.cause is Cause.PURPOSE_NOT_AGREED


def test_agreement_that_has_the_purpose_is_chosen(agreement: Agreement) -> None:
    """Of several agreements in force the one with the purpose answers, wherever it stands."""
    second = replace(agreement, id="second", purposes={OTHER: agreement.purposes[PURPOSE]})
    for agreements in ((agreement, second), (second, agreement)):
        assert in_force(partner(*agreements), OTHER, agreement.starts).agreement is second
        assert in_force(partner(*agreements), PURPOSE, agreement.starts).agreement is agreement


def test_other_agreement_does_not_hide_a_suspension(agreement: Agreement) -> None:
    """When the agreement with the purpose is suspended, that is the cause, although another is in force."""
    agreed = {OTHER: agreement.purposes[PURPOSE]}
    second = replace(agreement, id="second", state=AgreementState.SUSPENDED, purposes=agreed, suspension="breach")
    assert refusal(partner(agreement, second), agreement.starts, OTHER) == not_in_force(
        "suspended", "contact_directorate"
    )


def test_state_told_is_that_of_the_agreement_with_the_purpose(agreement: Agreement) -> None:
    """When nothing is in force, the agreement that has the purpose is spoken of, not another."""
    expired = replace(agreement, state=AgreementState.EXPIRED)
    other = replace(agreement, id="second", state=AgreementState.SUSPENDED, purposes={})
    assert refusal(partner(other, expired), agreement.starts) == not_in_force("expired", "renew_agreement")
    assert refusal(partner(other, expired), agreement.starts, OTHER) == not_in_force("suspended", "contact_directorate")


def test_purpose_can_be_suspended_alone(agreement: Agreement) -> None:
    """A suspended purpose is refused while the others of its agreement are answered."""
    partly = replace(agreement, suspended=frozenset({PURPOSE}))
    found = refusal(partner(partly), agreement.starts)
    assert found == not_in_force("suspended", "contact_directorate", purpose=PURPOSE)
    assert in_force(partner(partly), "credit_application", agreement.starts)


def test_newer_version_governs_once_it_has_begun(agreement: Agreement) -> None:
    """A narrower version ends what the older one allowed, from its first day on and not before."""
    narrow = replace(
        agreement,
        version=2,
        state=AgreementState.APPROVED,
        starts=agreement.starts + DAY,
        purposes={"credit_application": agreement.purposes["credit_application"]},
    )
    for agreements in ((agreement, narrow), (narrow, agreement)):
        assert in_force(partner(*agreements), PURPOSE, narrow.starts - 1).agreement is agreement
        assert refusal(partner(*agreements), narrow.starts).cause is Cause.PURPOSE_NOT_AGREED
        assert refusal(partner(*agreements), narrow.ends) == not_in_force("expired", "renew_agreement")


@pytest.mark.parametrize("state", [AgreementState.DRAFT, AgreementState.PROPOSED])
def test_draft_does_not_disturb_what_is_in_force(state: AgreementState, agreement: Agreement) -> None:
    """A newer version that nobody approved changes nothing."""
    draft = replace(agreement, version=2, state=state, purposes={})
    for agreements in ((agreement, draft), (draft, agreement)):
        assert in_force(partner(*agreements), PURPOSE, agreement.starts).agreement is agreement


def test_newer_version_does_not_lift_a_suspension(agreement: Agreement) -> None:
    """A suspended version governs although a newer one was approved: a suspension has to be lifted."""
    suspended = replace(agreement, state=AgreementState.SUSPENDED)
    newer = replace(agreement, version=2, state=AgreementState.APPROVED)
    for agreements in ((suspended, newer), (newer, suspended)):
        assert refusal(partner(*agreements), agreement.starts).facts["state"] == "suspended"


def test_newer_version_does_not_lift_the_suspension_of_a_purpose(agreement: Agreement) -> None:
    """A purpose that is suspended in any version of its agreement stays so; another agreement is not concerned."""
    suspended = replace(agreement, suspended=frozenset({PURPOSE}))
    newer = replace(agreement, version=2)
    for agreements in ((suspended, newer), (newer, suspended)):
        found = refusal(partner(*agreements), agreement.starts)
        assert found == not_in_force("suspended", "contact_directorate", purpose=PURPOSE)
        shown = agreement_document(partner(*agreements), agreement.starts)["agreements"]
        assert [each["version"] for each in shown] == [2]
        assert shown[0]["purposes"][PURPOSE]["suspended"]
    second = replace(agreement, id="second")
    assert in_force(partner(suspended, second), PURPOSE, agreement.starts).agreement is second


@pytest.mark.parametrize("state", [AgreementState.TERMINATED, AgreementState.EXPIRED])
def test_ended_version_does_not_fall_back(state: AgreementState, agreement: Agreement) -> None:
    """When the newest version has ended, no older one comes back to life."""
    newest = replace(agreement, version=2, state=state)
    assert refusal(partner(agreement, newest), agreement.starts).facts["state"] == state.value


def test_agreement_document_tells_all(agreement: Agreement) -> None:
    """A partner sees what it may ask, needs and owes, as JSON."""
    found = agreement_document(partner(agreement), jakarta_midnight(date(2026, 8, 1)))
    assert json.loads(json.dumps(found)) == found
    assert found["partner"] == {"id": "bank-contoh", "name": "Bank Contoh", "class": "bank", "suspended": False}
    shown = found["agreements"][0]
    assert shown["agreement"] == "pks-bank-contoh-2026"
    assert shown["state"] == "in_force"
    assert shown["term"] == {"starts": "2025-12-31T17:00:00Z", "ends": "2035-12-31T17:00:00Z"}
    assert shown["purposes"][PURPOSE] == {
        "legal_basis": "legal_obligation",
        "decide": ["name", "birth_date"],
        "inform": ["birth_place", "mother_name"],
        "disclosure": "reason",
        "attempts": 3,
        "demands": [],
        "suspended": False,
    }
    assert shown["limits"] == {"burst": 50, "day": 20_000, "month": 400_000, "per_nik": 5}
    assert shown["tariff"] == {"rupiah": 1000, "prepaid": True}
    assert shown["duties"] == {"return_data": {"due": "2026-08-10"}, "semester_report": {"due": "2027-01-31"}}
    assert shown["pks"] == {"number": "200/PKS/2025", "date": "2025-11-17"}
    assert shown["digest"] == agreement.digest
    assert "restore" not in shown


def test_agreement_document_tells_how_to_restore(agreement: Agreement) -> None:
    """An agreement that is not in force is shown with its state and the way back; drafts are not shown."""
    late = replace(agreement, state=AgreementState.SUSPENDED, suspension="semester_report_overdue")
    draft = replace(agreement, id="draft", state=AgreementState.DRAFT)
    shown = agreement_document(partner(late, draft), agreement.starts)["agreements"]
    assert [(each["state"], each["restore"]) for each in shown] == [("suspended", ["deliver_semester_report"])]
    shown = agreement_document(partner(agreement, suspended=True), agreement.starts)["agreements"]
    assert [(each["state"], each["restore"]) for each in shown] == [("suspended", ["contact_directorate"])]
    partly = replace(agreement, suspended=frozenset({PURPOSE}))
    shown = agreement_document(partner(partly), agreement.starts)["agreements"]
    assert [name for name, each in shown[0]["purposes"].items() if each["suspended"]] == [PURPOSE]


@given(
    first=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    months=st.integers(1, 12),
    days=st.integers(-800, 4000),
)
def test_due_date_is_the_next_one(agreement: Agreement, first: date, months: int, days: int) -> None:
    """A duty's due date is the first of its series on or after today, never more than one period ahead."""
    today = first + timedelta(days=days)
    duties = {"semester_report": {"due": first.isoformat(), "every_months": months}}
    due = duties_due(replace(agreement, fields={"duties": duties}), jakarta_midnight(today))["semester_report"]
    assert due >= today
    assert due.day == first.day or (due + timedelta(days=1)).day == 1
    assert ((due.year - first.year) * 12 + due.month - first.month) % months == 0
    assert due == first or (due - today).days <= 31 * months


def test_due_day_that_a_month_lacks_becomes_its_last(agreement: Agreement) -> None:
    """A duty due on the 31st falls on the last day of a shorter month."""
    duties = {"return_data": {"due": "2026-01-31", "every_months": 1}}
    monthly = replace(agreement, fields={"duties": duties})
    assert duties_due(monthly, jakarta_midnight(date(2026, 2, 1))) == {"return_data": date(2026, 2, 28)}
    assert duties_due(monthly, jakarta_midnight(date(2028, 2, 1))) == {"return_data": date(2028, 2, 29)}
    assert duties_due(monthly, jakarta_midnight(date(2026, 3, 1))) == {"return_data": date(2026, 3, 31)}
