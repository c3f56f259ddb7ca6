"""Who is a member, and what may become of one? Proposed and approved by two, invited, enrolled, recertified every quarter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.clock import DAY, HOUR
from gateway.errors import Cause, Refused
from gateway.staff.roles import Role

INVITED_FOR = 72 * HOUR
CERTIFIED_FOR = 92 * DAY
DUE_FOR = 30 * DAY
SUSPENDED_FOR = ("left_office", "long_leave", "device_lost", "incident", "investigation")
"""Why a member is kept out at once."""
PREFIX = "console."
"""What the client id of a member begins with; the member's own id follows."""


def link_of(origin: str, token: str) -> str:
    """A one-time link. The token stands in the fragment, which no server and no log ever sees."""
    return f"{origin}/console/enrol#{token}"


class MemberState(StrEnum):
    """How far a member has come."""

    INVITED = "invited"
    ENROLLED = "enrolled"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Member:
    """One person. `partner` is "" for the house; `certified_until` is an instant in microseconds."""

    id: str
    person: str
    roles: frozenset[Role]
    partner: str
    state: MemberState
    certified_until: int

    @property
    def client_id(self) -> str:
        """The client that everything which this person does is done as."""
        return PREFIX + self.id

    def lapsed(self, now: int) -> bool:
        """Whether the certification has run out."""
        return now >= self.certified_until


def require_state(member: Member, *states: MemberState) -> None:
    """Raises Refused(CONFLICT) unless the member is in one of `states`."""
    if member.state not in states:
        raise Refused(Cause.CONFLICT, fault=f"the member is {member.state.value}")


def certification(member: Member, now: int) -> str:
    """`valid`, `due` within the last 30 days, `lapsed` after its end."""
    if member.lapsed(now):
        return "lapsed"
    return "due" if member.certified_until - now <= DUE_FOR else "valid"
