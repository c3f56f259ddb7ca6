"""How does an agreement live, and what may be proposed?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from gateway.errors import Cause, Refused
from gateway.partners import lifecycle
from gateway.partners.agreement import Agreement, AgreementState
from gateway.partners.lifecycle import examine
from gateway.partners.present import Present, Reach
from gateway.partners.purposes import PurposeCatalogue
from gateway.partners.terms import PartnerEntry

CATALOGUE = PurposeCatalogue.parse(
    """
[account_opening]
title = { id = "Pembukaan rekening", en = "Account opening" }
legal_basis = "legal_obligation"
inform = ["sex", "mother_name"]
""",
    "purposes.toml",
)
PRESENT = Present(date(2026, 11, 24))
BANK = PartnerEntry("bank", "Bank Contoh", "bank")
_SIGNED = {
    "date": "2025-11-01", "file_sha256": "0" * 64,
    "signatories": [
        {"name": "A", "office": "B", "side": "directorate"}, {"name": "C", "office": "D", "side": "partner"},
    ],
}  # fmt: skip
FIELDS = {
    "supervising_ministry": "OJK",
    "term": {"starts": "2026-01-01", "ends": "2028-01-01"},
    "mou": {"number": "1", **_SIGNED},
    "pks": {"number": "2", **_SIGNED},
    "dpia": {"reference": "D1", "date": "2025-10-01"},
    "purposes": {"account_opening": {"sector_law": "banking", "disclosure": "status"}},
    "access": {"method": "dpop", "addresses": ["192.0.2.0/24"]},
    "allowance": {"burst": 10, "day": 100, "month": 1000, "tariff": 1000},
    "duties": {name: {"due": "2026-07-31", "every_months": 6} for name in ("return_data", "semester_report")},
    "data_protection_officers": [{"name": "E", "email": "e@bank.example"}],
    "breach_contact": {"name": "F", "email": "f@bank.example"},
    "suspension": {"grounds": ["late"]},
    "termination": {"grounds": ["end"]},
}


def agreement(version: int = 1, previous: Agreement | None = None, **changes: object) -> Agreement:
    return examine(
        {**FIELDS, **changes}, BANK, "pks-bank", version, CATALOGUE, replace(PRESENT, previous=previous)
    ).require_sound()


def test_what_is_missing_is_listed_and_keeps_a_draft_a_draft() -> None:
    """Each absent mandatory field is a path in `missing`; what is wrong otherwise is told in words."""
    found = examine({"term": {"starts": "2026-01-01"}, "colour": "red"}, BANK, "pks-bank", 1, CATALOGUE, PRESENT)
    assert {"term.ends", "dpia", "purposes", "pks", "mou", "access", "duties"} <= set(found.missing)
    assert any(fault.startswith("colour:") for fault in found.faults)
    assert found.agreement is None
    with pytest.raises(Refused) as refused:
        found.require_sound()
    assert refused.value.refusal.cause is Cause.MALFORMED_REQUEST
    assert "dpia" in refused.value.refusal.facts["members"]


def test_a_draft_can_be_gone_on_with() -> None:
    """The same fields have the same digest, others another; what is whole has the digest of its version."""
    part = {"term": FIELDS["term"]}
    one, same, other = (
        examine(fields, BANK, "pks-bank", 1, CATALOGUE, PRESENT) for fields in (part, dict(part), {**part, "mou": {}})
    )
    assert one.digest == same.digest != other.digest
    assert agreement().digest == examine(FIELDS, BANK, "pks-bank", 1, CATALOGUE, PRESENT).digest


def test_without_an_assessment_nothing_is_proposed() -> None:
    """No DPIA reference, no activation (UU 27/2022 art 34(2)e)."""
    without = {name: value for name, value in FIELDS.items() if name != "dpia"}
    assert "dpia" in examine(without, BANK, "pks-bank", 1, CATALOGUE, PRESENT).missing


@pytest.mark.parametrize(
    "changes",
    [
        {"purposes": {"account_opening": {"sector_law": "banking", "disclosure": "reason"}}},
        {"purposes": {"account_opening": {"sector_law": "banking", "disclosure": "status", "inform": ["sex"]}}},
        {"allowance": {"burst": 10, "day": 101, "month": 1000, "tariff": 1000}},
    ],
)
def test_a_change_of_purpose_element_or_allowance_needs_a_newer_assessment(changes: dict[str, object]) -> None:
    """With the assessment of the version before it is missing; with a newer one it is not."""
    before = replace(PRESENT, previous=agreement())
    assert examine({**FIELDS, **changes}, BANK, "pks-bank", 2, CATALOGUE, before).missing == ("dpia.date",)
    newer = {**FIELDS, **changes, "dpia": {"reference": "D2", "date": "2026-10-01"}}
    assert examine(newer, BANK, "pks-bank", 2, CATALOGUE, before).missing == ()


def test_another_contact_needs_no_newer_assessment() -> None:
    """What changes neither purpose, element nor allowance keeps its assessment."""
    agreement(2, agreement(), breach_contact={"name": "G", "email": "g@bank.example"})


def test_keys_do_not_come_with_a_draft() -> None:
    """Nor does the partner, the id or the version: they are given by the path."""
    for name in ("client", "partner", "id", "version"):
        found = examine({**FIELDS, name: []}, BANK, "pks-bank", 1, CATALOGUE, PRESENT)
        assert [fault.partition(":")[0] for fault in found.faults] == [name]


def test_a_suspension_is_lifted_by_whoever_may() -> None:
    """The gateway lifts its own; what a person imposed waits for two persons, and takes the place of the gateway's."""
    live = replace(agreement(), state=AgreementState.IN_FORCE)
    automatic = lifecycle.suspend(live, "semester_report_overdue")
    assert (automatic.state, lifecycle.restore(automatic)) == (AgreementState.SUSPENDED, live)
    imposed = lifecycle.suspend(automatic, "breach")
    assert imposed.suspension == "breach"
    assert lifecycle.restore(imposed) == imposed
    assert lifecycle.suspend(imposed, "return_data_overdue") == imposed
    assert lifecycle.resume(imposed) == live


def test_a_purpose_is_suspended_and_resumed() -> None:
    """One purpose, as long as the version has it."""
    live = replace(agreement(), state=AgreementState.IN_FORCE)
    narrowed = lifecycle.suspend(live, "drift", "account_opening")
    assert narrowed.suspended == {"account_opening"}
    assert lifecycle.suspend(live, "drift", "other") == live
    assert lifecycle.resume(narrowed) == live


def test_what_has_ended_stays_ended() -> None:
    """Termination ends whatever holds or is suspended; nothing is drafted after it."""
    live = replace(agreement(), state=AgreementState.IN_FORCE)
    ended = lifecycle.terminate(lifecycle.suspend(live, "breach"))
    assert ended.state is AgreementState.TERMINATED
    assert lifecycle.suspend(ended, "x") == lifecycle.resume(ended) == lifecycle.terminate(ended) == ended
    with pytest.raises(Refused):
        lifecycle.require_open([live, ended])
    draft = replace(live, state=AgreementState.DRAFT)
    assert lifecycle.terminate(draft) == draft
    assert lifecycle.newest_approved([live, draft]) == live


@pytest.mark.parametrize(
    ("addresses", "admitted"),
    [
        (["0.0.0.0/1", "128.0.0.0/1"], False),
        (["::/1", "8000::/1"], False),
        (["198.51.0.0/17", "198.51.128.0/17"], True),
        (["198.51.0.0/16", "192.0.2.7"], False),
        (["198.51.0.0/16", "198.51.100.0/24", "127.0.0.0/8", "::1"], True),
        (["2001:db8::/32"], True),
        (["2001:db8::/32", "2001:db9::/64"], False),
    ],
)
def test_all_networks_together_are_bounded(addresses: list[str], *, admitted: bool) -> None:
    """What is let in counts as a whole, each address once, and loopback lets nobody in; the operator sets the bound."""
    access = {"method": "dpop", "addresses": addresses}
    found = examine({**FIELDS, "access": access}, BANK, "pks-bank", 1, CATALOGUE, PRESENT)
    assert (found.agreement is not None) is admitted
    assert all(fault.startswith("access.addresses:") for fault in found.faults)
    wide = replace(PRESENT, reach=Reach(15, 31))
    assert (
        examine({**FIELDS, "access": access}, BANK, "pks-bank", 1, CATALOGUE, wide).agreement
        or addresses[0][-2:] == "/1"
    )


def test_an_assessment_of_the_future_is_none() -> None:
    """A DPIA may be of today, in Asia/Jakarta, and not of tomorrow."""
    for day, sound in (("2026-11-24", True), ("2026-11-25", False), ("2035-01-01", False)):
        found = examine({**FIELDS, "dpia": {"reference": "D1", "date": day}}, BANK, "pks-bank", 1, CATALOGUE, PRESENT)
        assert (found.agreement is not None) is sound
        assert sound or "dpia.date" in found.faults[0]


def test_whom_an_intermediary_asks_for_is_somebody() -> None:
    """A registered partner that asks for itself; not nobody, not the intermediary, not another one."""
    agent = PartnerEntry("agent", "Perantara", "intermediary")
    there = replace(PRESENT, classes={"bank": "bank", "other": "intermediary", "agent": "intermediary"})
    for named, sound in ((["bank"], True), (["bank", "nobody"], False), (["agent"], False), (["other"], False)):
        found = examine({**FIELDS, "on_behalf_of": named}, agent, "pks-agent", 1, CATALOGUE, there)
        assert (found.agreement is not None) is sound, named
        assert sound or found.faults[0].startswith(f"on_behalf_of: `{named[-1]}`")
