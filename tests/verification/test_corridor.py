"""Whose agreements bound a question, which questions are decided alike, and what the seal is told of it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
from corridor_bench import ENTROPY, HOME, NIK, NOW, RIGHT, SITI, WRONG, Bench, outcome, partner, terms

from gateway.clock import DAY
from gateway.errors import Cause
from gateway.keyring import Keyring
from gateway.ledger.log.entry import make_entry, private_bytes
from gateway.partners.agreement import AgreementState, Disclosure
from gateway.partners.networks import within
from gateway.policy.policies import load
from gateway.register.record import Condition
from gateway.sealing.submission import Draft

WIDE = ("sex", "mother_name", "regency")
NAMED = {"on_behalf_of": ["bank", "shop"]}


def agency(**changes: Any) -> Any:
    """An intermediary that may see everything, agreed to ask for the bank and the shop."""
    own = changes.pop("agreed", terms(Disclosure.CLAIMS, inform=WIDE, attempts=4, demands=frozenset({"on_behalf_of"})))
    return partner("agent", own, "intermediary", **({"fields": NAMED} | changes))


def bench(keyring: Keyring, **changes: Any) -> Bench:
    """An intermediary, a bank that is told a verdict, a shop that is told the status, a stranger; or as told."""
    partners = {
        "agent": agency(),
        "bank": partner("bank", terms(Disclosure.VERDICT, attempts=3)),
        "shop": partner("shop", terms(Disclosure.STATUS, attempts=5)),
        "stranger": partner("stranger", terms(Disclosure.CLAIMS)),
    }
    parts = {name: changes.pop(name) for name in list(changes) if name in partners}
    return Bench(keyring, partners | parts, **changes)


@pytest.mark.parametrize(
    ("principal", "claims", "told"),
    [
        ("bank", RIGHT, {"usable": True}),
        ("bank", WRONG, {"usable": False}),
        ("bank", RIGHT | {"sex": "F"}, {"usable": True}),
        ("bank", RIGHT | {"mother_name": "RUKMINI"}, "claim-not-agreed"),
        ("shop", RIGHT | {"regency": "7402"}, "claim-not-agreed"),
        ("shop", RIGHT, {"usable", "match", "status", "as_of", "recheck_after", "subject"}),
        ("shop", WRONG, {"usable": False, "match": False}),
    ],
)
def test_both_agreements_bound_a_question(keyring: Keyring, principal: str, claims: dict[str, str], told: Any) -> None:
    """Through an intermediary only what both agreed may be asked, and only what both disclose is told."""
    found = outcome(bench(keyring).one("agent", claims, on_behalf_of=principal))
    assert (set(found) if isinstance(told, set) else found) == told


def test_whatever_either_agreement_demands_is_demanded(keyring: Keyring) -> None:
    """A claim that decides for the principal must be sent and match; what the principal demands must come along."""
    strict = terms(decide=("name", "birth_date", "sex"), inform=(), demands=frozenset({"operator"}))
    house = bench(keyring, bank=partner("bank", strict))
    assert outcome(house.one("agent", RIGHT, on_behalf_of="bank", operator="o-1")) == "claims-missing"
    assert outcome(house.one("agent", RIGHT | {"sex": "F"}, on_behalf_of="bank")) == "context-missing"
    for sex, match in (("F", True), ("M", False)):
        found = outcome(house.one("agent", RIGHT | {"sex": sex}, on_behalf_of="bank", operator="o-1"))
        assert isinstance(found, dict)
        assert found["match"] is match


def test_an_order_is_told_only_where_both_may_tell_it(keyring: Keyring) -> None:
    """The intermediary may be told of an order, its principal may not: it is an anomaly."""
    ordered = replace(SITI, conditions=(Condition("by_order"),))
    open_terms = terms(Disclosure.CLAIMS, tells_order=True)
    for principal, reason in ((terms(Disclosure.REASON), "anomaly"), (replace(open_terms), "by_order")):
        house = bench(keyring, agent=agency(agreed=open_terms), bank=partner("bank", principal), register=(ordered,))
        found = outcome(house.one("agent", on_behalf_of="bank"))
        assert isinstance(found, dict)
        assert found["reason"] == reason


def test_guesses_spend_the_budget_of_the_principal(keyring: Keyring) -> None:
    """One budget for a resident and a principal, whoever asks for it; the smaller of both; the subject stays the asker's."""
    house = bench(keyring)
    own, through = house.one("bank", WRONG), house.one("agent", WRONG, on_behalf_of="bank")
    other = house.one("agent", WRONG, on_behalf_of="shop")
    assert own.attempt is not None
    assert through.attempt is not None
    assert other.attempt is not None
    assert through.attempt == own.attempt
    assert through.attempt.tag != other.attempt.tag
    assert (through.attempt.budget, other.attempt.budget) == (3, 4)
    subjects = [
        house.one(name, **members).answer for name, members in (("shop", {}), ("agent", {"on_behalf_of": "shop"}))
    ]
    assert len({one["subject"] for one in subjects if one is not None}) == 2


def test_both_agreements_are_charged_and_both_ends_are_held(keyring: Keyring) -> None:
    """The asker's account first; whichever agreement ends first is what the seal compares with its clock."""
    for agent_ends, bank_ends in ((NOW + DAY, NOW + 2 * DAY), (NOW + 2 * DAY, NOW + DAY)):
        house = bench(keyring, agent=agency(ends=agent_ends), bank=partner("bank", terms(), ends=bank_ends))
        draft = house.one("agent", on_behalf_of="bank")
        assert [account for account, _ in draft.charges] == ["pks-agent", "pks-bank"]
        assert house.submitted[-1].ends == NOW + DAY
    house.one("bank")
    assert house.submitted[-1].ends == NOW + DAY


@pytest.mark.parametrize(
    ("name", "members", "changes"),
    [
        ("agent", {"on_behalf_of": "stranger"}, {}),  # a partner, but not named
        ("agent", {"on_behalf_of": "nobody"}, {"agent": agency(fields={"on_behalf_of": ["nobody"]})}),
        ("agent", {"on_behalf_of": "agent"}, {"agent": agency(fields={"on_behalf_of": ["agent"]})}),
        ("bank", {"on_behalf_of": "shop"}, {}),  # no intermediary
        ("agent", {"on_behalf_of": "bank"}, {"bank": partner("bank", terms(), "intermediary")}),
        ("agent", {"on_behalf_of": "bank"}, {"bank": partner("bank", terms(), ends=NOW)}),
        ("agent", {"on_behalf_of": "bank"}, {"bank": partner("bank", terms(), state=AgreementState.SUSPENDED)}),
        ("agent", {"on_behalf_of": "bank"}, {"agent": agency(ends=NOW)}),
    ],
)
def test_nobody_is_asked_for_without_both_agreements(keyring: Keyring, name: str, members: Any, changes: Any) -> None:
    """A principal that is not named, not there, the asker itself or an intermediary; either agreement not in force."""
    assert outcome(bench(keyring, **changes).one(name, **members)) == "agreement-not-in-force"


def test_an_intermediary_names_whom_it_asks_for(keyring: Keyring) -> None:
    """And a principal that has not agreed to the purpose cannot be asked for."""
    assert outcome(bench(keyring).one("agent")) == "context-missing"
    house = bench(keyring, bank=partner("bank", terms(), purposes={"credit_application": terms()}))
    assert outcome(house.one("agent", on_behalf_of="bank")) == "purpose-not-agreed"


def test_the_address_rule_is_the_intermediarys(keyring: Keyring) -> None:
    """The principal's networks neither let an intermediary in nor keep it out."""
    elsewhere = partner("bank", terms(), networks=(ip_network("198.51.100.0/24"),))
    house = bench(keyring, bank=elsewhere)
    assert isinstance(outcome(house.one("agent", on_behalf_of="bank")), dict)
    refused = house.one("agent", on_behalf_of="bank", caller={"address": "198.51.100.7"})
    assert refused.refusal is not None
    assert (refused.refusal.cause, refused.refusal.facts) == (
        Cause.ADDRESS_NOT_ALLOWED,
        {"seen_address": "198.51.100.7"},
    )


@pytest.mark.parametrize("kind", ["intermediary", "bank"])
def test_the_policies_are_asked_for_both(keyring: Keyring, tmp_path: Path, kind: str) -> None:
    """What a policy forbids to either of the two is forbidden."""
    shipped = Path(__file__).parents[2] / "policies"
    copytree(shipped, tmp_path / "policies", ignore=ignore_patterns("refused"))
    (tmp_path / "policies" / "own.cedar").write_text(
        f'@id("own")\n@advice_id("x")\n@advice_en("x")\nforbid (principal, action == Action::"verify", resource)\n'
        f'when {{ principal.kind == "{kind}" }};\n'
    )
    house = bench(keyring, policies=load(tmp_path / "policies"))
    assert outcome(house.one("agent", on_behalf_of="bank")) == "refused-by-policy"


@pytest.mark.parametrize("order", [1, -1])
def test_each_question_is_decided_for_its_own_principal(keyring: Keyring, order: int) -> None:
    """In one batch of an intermediary: an answer for one principal says nothing of another."""
    house = bench(keyring)
    items = [{"on_behalf_of": name} for name in ("bank", "shop", "stranger")][::order]
    found = [outcome(draft) for draft in house.ask(house.caller("agent"), questions=items)][::order]
    assert found[0] == {"usable": True}
    assert isinstance(found[1], dict)
    assert found[1]["status"] == "active"
    assert found[2] == "agreement-not-in-force"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"address": "198.51.100.7"}, "address-not-allowed"),
        ({"certificate": "another"}, "refused-by-policy"),
        ({"token_id": "bound", "purposes": frozenset({"credit_application"})}, "purpose-not-agreed"),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_each_call_is_decided_by_what_it_came_with(
    keyring: Keyring, changes: dict[str, Any], cause: str, order: int
) -> None:
    """Two calls of one client in one batch: the address, certificate and token of one say nothing of the other."""
    access = {"access": {"method": "mtls", "certificates": ["listed"]}}
    house = bench(keyring, bank=partner("bank", terms(), fields=access))
    sound = house.caller("bank", certificate="listed")
    callers = [sound, replace(sound, **changes)][::order]
    found = [outcome(draft) for draft in house.ask(*callers, questions=[{}, {}])][::order]
    assert isinstance(found[0], dict)
    assert found[1] == cause


def test_an_address_may_come_written_as_ipv6() -> None:
    """::ffff:192.0.2.7 is 192.0.2.7, and no other network of IPv6 has it."""
    networks = (ip_network("192.0.2.0/24"),)
    assert within(HOME, networks)
    assert within(f"::ffff:{HOME}", networks)
    assert not within("::ffff:198.51.100.7", networks)
    assert not within(f"::ffff:{HOME}", (ip_network("2001:db8::/32"),))


def test_one_question_twice_in_a_batch_is_compared_once(keyring: Keyring) -> None:
    """Each is an outcome of its own all the same, with its own id, nonce and context; another NIK is another question."""
    house = bench(keyring)
    items: list[dict[str, Any]] = [{"operator": "o-1"}, {"operator": "o-2"}, {"claims": WRONG}, {"nik": NIK[:-1] + "2"}]
    drafts = house.ask(house.caller("shop"), questions=items)
    # What is demanded differs with the operator, but both carry one: they are decided and compared alike.
    assert house.compared == 3
    assert [draft.private.get("operator") for draft in drafts] == ["o-1", "o-2", None, None]
    assert drafts[0].answer == drafts[1].answer
    assert len({(draft.id, draft.nonce, draft.request) for draft in drafts}) == 4
    assert [isinstance(found := outcome(draft), dict) and found["match"] for draft in drafts] == [
        True,
        True,
        False,
        False,
    ]


def _kept(draft: Draft, actor: str) -> tuple[bytes, bytes | None]:
    entry = make_entry(
        kind=draft.kind, id=draft.id, at=NOW, actor=actor, agreement=draft.agreement, purpose=draft.purpose,
        answer=bytes(32), request=draft.request, private=private_bytes(ENTROPY.bytes(32), draft.private),
    )  # fmt: skip
    return entry.leaf, entry.private


def test_what_has_changed_is_told_for_one_principal(keyring: Keyring) -> None:
    """An intermediary's earlier answer for another principal is no earlier answer: it would tell one of the other."""
    house = bench(keyring, bank=partner("bank", terms()))
    for name in ("shop", "bank"):
        draft = house.one("agent", on_behalf_of=name)
        house.earlier[f"for-{name}"] = _kept(draft, "agent/agent")
    again = outcome(house.one("agent", on_behalf_of="shop", previous="for-shop"))
    assert isinstance(again, dict)
    assert again["changed"] is False
    assert outcome(house.one("agent", on_behalf_of="shop", previous="for-bank")) == "previous-unknown"
