"""Who may approve a change, and what exactly was approved? Two persons, and the digest of what the second one saw.

Whatever widens access needs this: key, certificate, address, resumption, term, purpose, claim, disclosure, allowance, money,
administrator, assignment of an auditor, member of the console, recovery of one, consolidation of a feed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.errors import Cause, Refused


class Widening(StrEnum):
    """What waits for a second person."""

    VERSION = "version"
    RESUME = "resume"
    KEY = "key"
    PAYMENT = "payment"
    EXEMPTION = "exemption"
    ADMINISTRATOR = "administrator"
    ASSIGNMENT = "assignment"
    MEMBER = "member"
    RECOVERY = "recovery"
    CONSOLIDATION = "consolidation"


class Decision(StrEnum):
    """What became of a proposal."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Approval:
    """One proposal.

    `digest` names what is to be approved, `base` what stood when it was proposed: when either has changed, nobody can
    approve it any more. `persons` have had a hand in it, the proposer last; none of them may approve.
    """

    id: str
    kind: Widening
    state: Decision
    partner: str
    agreement: str
    version: int
    digest: str
    base: str
    subject: Mapping[str, Any]
    persons: tuple[str, ...]
    proposed_at: int
    decider: str = ""
    decided_at: int = 0
    reason: str = ""

    @property
    def proposer(self) -> str:
        """The person who proposed it."""
        return self.persons[-1]


def person(name: str) -> str:
    """A name as persons are told apart: case, accents' encoding and spaces make nobody a second person."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def require_other_person(persons: Iterable[str], approver: str) -> None:
    """Raises Refused(SAME_PERSON) when the approver is one of `persons`, or nobody."""
    if not person(approver) or person(approver) in {person(each) for each in persons}:
        raise Refused(Cause.SAME_PERSON)


def require_open(approval: Approval) -> None:
    """Raises Refused(CONFLICT) when somebody has decided already."""
    if approval.state is not Decision.OPEN:
        raise Refused(Cause.CONFLICT, fault=f"it is {approval.state.value} already")


def require_seen(approval: Approval, digest: str, base: str) -> None:
    """Raises Refused(CONFLICT) unless `digest` is what was proposed, and what it would change still stands as it did."""
    if digest != approval.digest or base != approval.base:
        raise Refused(Cause.CONFLICT, fault="what was proposed, or what it would change, is not what the digest names")
