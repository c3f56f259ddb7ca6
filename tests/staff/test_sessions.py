"""How long somebody stays logged in, and what a role may do: the numbers of the house, told here and not taken from the code."""

from __future__ import annotations

import pytest

from gateway.errors import Refused
from gateway.staff import session
from gateway.staff.member import CERTIFIED_FOR, INVITED_FOR, Member, MemberState, certification, require_state
from gateway.staff.roles import Role, read_roles, scopes_of

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND


def test_a_session_ends_after_half_an_hour_without_a_call_and_after_a_working_day() -> None:
    """Whichever comes first; a step-up and a ceremony last five minutes."""
    assert session.ends(0, 0) == 30 * MINUTE
    assert session.ends(0, 7 * HOUR) == 7 * HOUR + 30 * MINUTE
    assert session.ends(0, 7 * HOUR + 45 * MINUTE) == 8 * HOUR
    assert (session.STEPPED_UP, session.CHALLENGE) == (5 * MINUTE, 5 * MINUTE)


def test_a_certification_lasts_a_quarter() -> None:
    """Due in its last thirty days, lapsed at its very end; a link lasts three days."""
    assert (CERTIFIED_FOR, INVITED_FOR) == (92 * DAY, 3 * DAY)
    member = Member("m", "Sri", frozenset({Role.AUDITOR}), "", MemberState.ENROLLED, 92 * DAY)
    at = (62 * DAY - 1, 62 * DAY, 92 * DAY - 1, 92 * DAY)
    assert [certification(member, now) for now in at] == ["valid", "due", "due", "lapsed"]
    assert [member.lapsed(now) for now in at] == [False, False, False, True]


def test_what_a_member_may_become_hangs_on_what_it_is() -> None:
    """Another state is a conflict."""
    member = Member("m", "Sri", frozenset({Role.AUDITOR}), "", MemberState.SUSPENDED, 0)
    require_state(member, MemberState.ENROLLED, MemberState.SUSPENDED)
    with pytest.raises(Refused):
        require_state(member, MemberState.ENROLLED, MemberState.INVITED)


def test_nobody_may_both_propose_and_approve_by_one_role() -> None:
    """Each role has its scopes and no others; everybody has their own pages."""
    told = {
        Role.REGISTRAR: {"partners.read", "partners.write"},
        Role.APPROVER: {"partners.read", "partners.approve"},
        Role.AUDITOR: {"audit.read", "audit.note"},
        Role.KEY_OFFICER: {"partners.read", "partners.write"},
        Role.REGENCY_OPERATOR: {"register.diagnose"},
        Role.ENGINEER: {"nik.verify"},
    }
    assert {role: scopes_of([role]) for role in Role} == {role: {"console", *scopes} for role, scopes in told.items()}


@pytest.mark.parametrize(
    ("names", "partner"),
    [
        ((), ""),
        ((), "bank"),
        (("engineer",), ""),
        (("registrar",), "bank"),
        (("engineer", "auditor"), "bank"),
        (("root",), ""),
    ],
)
def test_people_of_a_partner_are_engineers_and_nothing_else(names: tuple[str, ...], partner: str) -> None:
    """And the house's own people are none; some role there must be."""
    with pytest.raises(Refused):
        read_roles(names, partner)
    assert read_roles(["engineer"], "bank") == {Role.ENGINEER}
    assert read_roles(["registrar", "auditor"], "") == {Role.REGISTRAR, Role.AUDITOR}
