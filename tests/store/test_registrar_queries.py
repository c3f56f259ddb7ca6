"""Does a registrar see every draft, whose it is and what it waits with, and what was delivered? On both databases."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.administration.commands import Act, View
from gateway.administration.requests.partners import ApprovedDigest, Delivery, NewPartner, Nothing, Objection
from gateway.clock import SystemClock, SystemEntropy
from gateway.errors import Refused
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.store.administration.performing import do
from gateway.store.administration.registrar_queries import VIEWS
from gateway.store.administration.views import show
from gateway.store.base.engine import Database
from gateway.store.commands.query import ReadContext

ROOT = Path(__file__).parents[2]
ENTROPY, CLOCK = SystemEntropy(), SystemClock()
DECIDER = Decider(load(ROOT / "policies"))


def act(database: Database, name: str, path: dict[str, str], body: Any, person: str = "Budi") -> dict[str, Any]:
    (result,) = do(database, ENTROPY, DECIDER, [Act(name, path, body, person)])
    return dict(result.answer)


def seen(database: Database, name: str, person: str = "Budi", **query: str) -> list[dict[str, Any]]:
    """The items of a view, for a person."""
    with database.reading() as connection:
        context = ReadContext(connection, CLOCK.now(), DECIDER.policies.purposes, DECIDER)
        view = View(name, {}, query, person=person)
        shown = VIEWS[name](context, view) if name in VIEWS else show(context, view)
        return list(shown.document["items"])


def example() -> dict[str, Any]:
    """The fields of the example of docs/agreements.md."""
    found = re.search(r"```toml\n(.*?)```", (ROOT / "docs/agreements.md").read_text("utf-8"), re.DOTALL)
    assert found
    table = tomllib.loads(found[1])["agreement"][0]
    return _plain({name: value for name, value in table.items() if name not in {"id", "partner", "client"}})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


@pytest.fixture
def drafted(database: Database) -> dict[str, str]:
    """A partner with a whole draft: the path of the draft."""
    partner = act(database, "register_partner", {}, NewPartner("Bank Contoh", "bank"))["id"]
    made = act(database, "draft_agreement", {"id": partner}, example())
    return {"a": made["agreement"], "v": str(made["version"])}


def test_drafts_tell_whose_they_are_and_what_they_lack(database: Database, drafted: dict[str, str]) -> None:
    """Mine are those that I had a hand in; a whole one lacks nothing, an empty one much."""
    act(database, "draft_agreement", {"id": "bank-contoh"}, {"id": "kosong"}, "Sri")
    every = {one["agreement"]: one for one in seen(database, "drafts")}
    assert every[drafted["a"]]["lacks"] == 0
    assert every["kosong"]["lacks"] > 5
    assert [one["agreement"] for one in seen(database, "drafts", mine="yes")] == [drafted["a"]]
    assert [one["agreement"] for one in seen(database, "drafts", "Sri", mine="yes")] == ["kosong"]
    act(database, "amend_draft", drafted, example(), "Sri")
    assert [one["mine"] for one in seen(database, "drafts", agreement=drafted["a"])] == [True]
    assert len(seen(database, "drafts", "Sri", mine="yes")) == 2


def test_a_proposed_draft_names_its_proposal_until_it_is_withdrawn(database: Database, drafted: dict[str, str]) -> None:
    """Only its proposer is told that it is his to withdraw."""
    proposed = act(database, "propose_version", drafted, Nothing())
    (one,) = seen(database, "drafts")
    assert (one["state"], one["approval"], one["proposed_by_me"]) == ("proposed", proposed["approval"], True)
    assert [each["proposed_by_me"] for each in seen(database, "drafts", "Sri")] == [False]
    act(database, "withdraw", {"id": proposed["approval"]}, Objection("salah"))
    (one,) = seen(database, "drafts")
    assert (one["state"], one["approval"]) == ("draft", None)


def test_a_draft_is_discarded_by_who_had_a_hand_in_it(database: Database, drafted: dict[str, str]) -> None:
    """Not by others, not while it is proposed; a draft that was never proposed takes its empty agreement along."""
    proposed = act(database, "propose_version", drafted, Nothing())
    for person, fault in (("Budi", "proposed already"), ("Sri", "proposed already")):
        with pytest.raises(Refused) as refused:
            act(database, "discard_draft", drafted, None, person)
        assert fault in str(refused.value.refusal.facts)
    act(database, "withdraw", {"id": proposed["approval"]}, Objection("salah"))
    with pytest.raises(Refused) as refused:
        act(database, "discard_draft", drafted, None, "Sri")
    assert "only who had a hand" in str(refused.value.refusal.facts)
    assert act(database, "discard_draft", drafted, None)["state"] == "discarded"
    assert seen(database, "drafts") == []
    assert len(seen(database, "approvals")) == 1  # what was proposed of it still tells whose it was
    act(database, "draft_agreement", {"id": "bank-contoh"}, {"id": "kosong"})
    act(database, "discard_draft", {"a": "kosong", "v": "1"}, None)
    assert act(database, "draft_agreement", {"id": "bank-contoh"}, {"id": "kosong"})["version"] == 1
    with pytest.raises(Refused):
        act(database, "discard_draft", {"a": "kosong", "v": "2"}, None)


def test_a_discarded_version_leaves_the_one_in_force(database: Database, drafted: dict[str, str]) -> None:
    """What was approved cannot be discarded, and stays when the draft of what should hold next goes."""
    proposed = act(database, "propose_version", drafted, Nothing())
    act(database, "approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")
    with pytest.raises(Refused):
        act(database, "discard_draft", drafted, None)
    following = act(database, "draft_version", {"a": drafted["a"]}, example())
    act(database, "discard_draft", {"a": drafted["a"], "v": str(following["version"])}, None)
    with database.reading() as connection:
        context = ReadContext(connection, CLOCK.now(), DECIDER.policies.purposes, DECIDER)
        document = show(context, View("agreement", {"a": drafted["a"]})).document
    assert [one["version"] for one in document["versions"]] == [1]


def test_what_was_delivered_is_told_by_partner(database: Database, drafted: dict[str, str]) -> None:
    """A delivery stands with its agreement and its partner, and is narrowed to one partner."""
    proposed = act(database, "propose_version", drafted, Nothing())
    act(database, "approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")
    assert seen(database, "drafts") == []
    act(database, "deliver", {"a": drafted["a"]}, Delivery("return_data", "BA/1"))
    (one,) = seen(database, "delivered")
    assert (one["partner"], one["agreement"], one["reference"]) == ("bank-contoh", drafted["a"], "BA/1")
    assert seen(database, "delivered", partner="bank-contoh") == [one]
    assert seen(database, "delivered", partner="lain") == []


def test_the_closed_list_is_told_as_the_policies_have_it(database: Database) -> None:
    """Every purpose, with what an agreement for it starts from."""
    told = {one["purpose"]: one for one in seen(database, "purposes")}
    assert told.keys() == DECIDER.policies.purposes.purposes.keys()
    assert told["account_opening"]["decide"] == ["name", "birth_date"]
    assert "mother_name" in told["account_opening"]["justified"]


def test_the_list_of_partners_is_narrowed(database: Database) -> None:
    """By a part of the name or id, whatever its case, the class and the state; another state is refused."""
    for name, kind in (("Bank Contoh", "bank"), ("Dinas Contoh", "region")):
        act(database, "register_partner", {}, NewPartner(name, kind))
    assert len(seen(database, "partners")) == 2
    assert [one["id"] for one in seen(database, "partners", text="DINAS")] == ["dinas-contoh"]
    assert [one["id"] for one in seen(database, "partners", **{"class": "bank"})] == ["bank-contoh"]
    assert seen(database, "partners", state="suspended") == []
    with pytest.raises(Refused):
        seen(database, "partners", state="asleep")
