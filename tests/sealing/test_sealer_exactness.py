"""Never more than agreed: whatever is submitted in whichever pieces, the books agree with plain counting."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept import emptied
from submissions import Deployment, body, cause, draft, guess, refusal, repeat, submit

from gateway.allowance.account import Room
from gateway.clock import HOUR, SystemClock
from gateway.sealing.submission import Submission

ROOMS = {"pks-a": Room(100_000, 7, 9), "pks-b": Room(100_000, 12, 1000, 10, prepaid=True)}
BALANCE = 95
BUDGET = 3
proofs = st.integers(0, 5)
calls = st.fixed_dictionaries(
    {
        "account": st.sampled_from(sorted(ROOMS)),
        "size": st.sampled_from([1, 1, 1, 1, 2, 4]),
        "whole": st.booleans(),
        "proof": proofs,
        "key": st.sampled_from(["", "", "k1", "k2"]),
        "text": st.sampled_from(["x", "y"]),
        "nik": st.sampled_from(["n1", "n2"]),
        "guess": st.sampled_from(["", "", "w1", "w2", "w3", "w4"]),
        "refused": st.sampled_from([False] * 5 + [True]),
    },
)


class Model:
    """What should happen, counted by hand, one call after another."""

    def __init__(self) -> None:
        self.used: set[int] = set()
        self.keys: dict[str, str] = {}
        self.spent: Counter[str] = Counter()
        self.balance = BALANCE
        self.wrong: dict[str, set[str]] = {}

    def room_for(self, account: str, count: int) -> bool:
        room = ROOMS[account]
        limits = self.spent[account] + count <= min(room.day, room.month)
        return limits and (not room.prepaid or self.balance >= room.tariff * count)

    def decide(self, call: dict[str, Any], fresh: set[str]) -> list[str]:
        """The causes of a call's outcomes; one for a call that is refused as a whole. `fresh`: keys of this transaction."""
        if call["proof"] in self.used:
            return ["invalid-dpop-proof"]
        self.used.add(call["proof"])
        if call["key"] and not call["refused"] and call["key"] in self.keys:
            if call["key"] in fresh:
                return ["idempotency-in-progress"]
            return ["repeat"] if self.keys[call["key"]] == call["text"] else ["idempotency-conflict"]
        several = call["size"] > 1
        if several and call["whole"] and not call["refused"] and not self.room_for(call["account"], call["size"]):
            return ["shortage"]
        outcomes = [self.settle(call) for _ in range(call["size"])]
        if call["key"] and not call["refused"] and (several or outcomes == [""]):
            self.keys[call["key"]] = call["text"]
            fresh.add(call["key"])
        return outcomes

    def settle(self, call: dict[str, Any]) -> str:
        if call["refused"]:
            return "claim-not-agreed"
        wrong = self.wrong.setdefault(call["nik"], set())
        if len(wrong) >= BUDGET:
            return "attempts-exhausted"
        if not self.room_for(call["account"], 1):
            return "shortage"
        self.spent[call["account"]] += 1
        self.balance -= ROOMS[call["account"]].tariff
        if call["guess"]:
            wrong.add(call["guess"])
        return ""


def submission(call: dict[str, Any]) -> Submission:
    attempt = guess(BUDGET, 1 if call["guess"] else 0, call["guess"] or "right", call["nik"])
    charges = ((call["account"], ROOMS[call["account"]]),)
    drafts = [
        refusal() if call["refused"] else draft({"usable": not call["guess"]}, charges=charges, attempt=attempt)
        for _ in range(call["size"])
    ]
    return submit(
        *drafts,
        proofs=((bytes([call["proof"]]) * 16, SystemClock().now() + HOUR, "dpop"),),
        whole=call["whole"] and call["size"] > 1,
        repeat=repeat(call["key"], call["text"]) if call["key"] else None,
    )


def causes(outcome: Any, *, repeated: bool) -> list[str]:
    """The causes as the model writes them: shortages are one word, and a repetition is told by its entry."""
    if repeated:
        return ["repeat"]
    document = body(outcome)
    found = [item.get("type", "") for item in document["items"]] if "items" in document else [cause(outcome)]
    short = {"allowance-exhausted", "balance-exhausted"}
    return ["shortage" if slug in short else slug for slug in (text.rpartition("/")[2] for text in found)]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(calls, min_size=1, max_size=6), min_size=1, max_size=5))
def test_every_interleaving_is_counted_exactly(
    deployment: Deployment, transactions: list[list[dict[str, Any]]]
) -> None:
    """Calls of every kind in transactions of any size: outcomes, accounts, balance, budgets and ledger as counted by hand."""
    emptied(deployment.database)
    for account in ROOMS:
        deployment.endow(BALANCE, account)
    model, entries = Model(), 0
    for transaction in transactions:
        fresh: set[str] = set()
        expected = [model.decide(call, fresh) for call in transaction]
        outcomes = deployment.seal(*(submission(call) for call in transaction))
        for told, outcome in zip(expected, outcomes, strict=True):
            assert causes(outcome, repeated=told == ["repeat"]) == told
        entries += sum(map(len, expected))
    for account, room in ROOMS.items():
        held = deployment.account(account)
        assert held.day_spent == held.month_spent == model.spent[account] <= min(room.day, room.month)
    assert deployment.account("pks-b").balance == model.balance >= 0
    assert deployment.guesses() == sum(bool(wrong) for wrong in model.wrong.values())
    assert deployment.check().size == entries
    assert deployment.kinds().count("answer") == model.spent.total()
