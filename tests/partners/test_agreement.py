"""What an agreement says of itself: whose certificate it admits, whether answers are signed, and when two are one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import Refused
from gateway.partners import lifecycle
from gateway.partners.agreement import Agreement, AgreementInForce, AgreementState
from gateway.partners.in_force import duties_due
from gateway.partners.purposes import STRICT_ATTEMPTS, refuse_forbidden

AT = 1_785_456_000_000_000  # 2026-07-31, 07:00 in Jakarta


def test_only_a_certificate_that_is_listed_may_come(agreement: Agreement) -> None:
    """Where the agreement asks for one; another, or none, may not. What is listed under another method is not asked for."""
    access = {"method": "mtls", "certificates": ["one", "two"]}
    asked = replace(agreement, fields={**agreement.fields, "access": access})
    assert [asked.admits(each) for each in ("one", "two", "three", "")] == [True, True, False, False]
    free = replace(agreement, fields={**agreement.fields, "access": {**access, "method": "dpop"}})
    assert [free.admits(each) for each in ("three", "")] == [True, True]


def test_answers_are_signed_unless_it_is_said_that_they_are_not(agreement: Agreement) -> None:
    """Nothing but the word `false` switches that off."""
    for word, signed in ((False, False), (True, True), (None, True), (0, True), ("false", True)):
        held = replace(agreement, fields={**agreement.fields, "access": {"signed_answers": word}})
        assert held.signed_answers is signed, word
    assert replace(agreement, fields={}).signed_answers


def test_two_in_force_are_one_by_id_version_and_digest(agreement: Agreement) -> None:
    """What was agreed otherwise is another, for decisions are remembered by it."""
    same = AgreementInForce(replace(agreement, fields={}))
    assert same == AgreementInForce(agreement)
    for other in (replace(agreement, digest="other"), replace(agreement, id="x"), replace(agreement, version=99)):
        assert AgreementInForce(other) != AgreementInForce(agreement)


def test_what_is_approved_is_suspended_with_what_is_in_force(agreement: Agreement) -> None:
    """So that a newer version does not take the suspended one's place when its term begins."""
    for state in (AgreementState.APPROVED, AgreementState.IN_FORCE):
        suspended = lifecycle.suspend(replace(agreement, state=state), "breach")
        assert (suspended.state, suspended.suspension) == (AgreementState.SUSPENDED, "breach")
    draft = replace(agreement, state=AgreementState.DRAFT)
    assert lifecycle.suspend(draft, "breach") == draft


def test_what_is_due_today_is_shown_today(agreement: Agreement) -> None:
    """Until the day is over; the next one from tomorrow on."""
    held = replace(agreement, fields={"duties": {"semester_report": {"due": "2026-07-31", "every_months": 6}}})
    assert duties_due(held, AT)["semester_report"].isoformat() == "2026-07-31"
    assert duties_due(held, AT + 86_400_000_000)["semester_report"].isoformat() == "2027-01-31"


@pytest.mark.parametrize("claim", ["disability", "fingerprint", "iris", "signature", "aib", "religion", "blood_type"])
def test_what_the_law_forbids_is_compared_for_nobody(claim: str) -> None:
    """UU 24/2013 art 84, and tier 3: named here one by one. The mother's name has three guesses."""
    with pytest.raises(Refused):
        refuse_forbidden({"name", claim}, frozenset())
    assert STRICT_ATTEMPTS == 3
