"""Who is a second person, and what was approved?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import Cause, Refused
from gateway.partners.approvals import Approval, Decision, Widening, require_open, require_other_person, require_seen

PROPOSED = Approval("1", Widening.KEY, Decision.OPEN, "bank", "", 0, "D" * 43, "B", {}, ("Rina", "Budi"), 0)


@pytest.mark.parametrize("name", ["Budi", " budi ", "BUDI", "\uff22\uff55\uff44\uff49", "rina", "", "  "])
def test_the_same_person_is_no_second_one(name: str) -> None:
    """However a name is written; whoever had a hand in it counts too, and nobody is nobody."""
    with pytest.raises(Refused) as refused:
        require_other_person(PROPOSED.persons, name)
    assert refused.value.refusal.cause is Cause.SAME_PERSON


def test_another_person_may() -> None:
    """Nothing is raised for somebody else; the proposer is the last of the persons."""
    require_other_person(PROPOSED.persons, "Sri")
    assert PROPOSED.proposer == "Budi"


@pytest.mark.parametrize(("digest", "base"), [("X" * 43, "B"), ("D" * 43, "C"), ("", "B")])
def test_an_approval_is_of_what_was_seen(digest: str, base: str) -> None:
    """Another digest, or another ground than then, is a conflict."""
    require_seen(PROPOSED, "D" * 43, "B")
    with pytest.raises(Refused) as refused:
        require_seen(PROPOSED, digest, base)
    assert refused.value.refusal.cause is Cause.CONFLICT


@pytest.mark.parametrize("decision", [each for each in Decision if each is not Decision.OPEN])
def test_what_was_decided_is_decided(decision: Decision) -> None:
    """Nothing is decided twice."""
    require_open(PROPOSED)
    with pytest.raises(Refused):
        require_open(replace(PROPOSED, state=decision))
