"""The seal, in the order a to f: each step on both databases, and nothing left half done."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from submissions import (
    ACCOUNT,
    CLOCK,
    ENTROPY,
    EPOCHS,
    Deployment,
    body,
    cause,
    draft,
    guess,
    proof,
    refusal,
    repeat,
    submit,
)

from gateway.allowance.account import Room
from gateway.allowance.periods import day_ends
from gateway.clock import DAY, HOUR, SECOND, parse_rfc3339
from gateway.errors import Cause, Refusal
from gateway.keyring.keys import b64u
from gateway.ledger.log.canonical import canonical, digest
from gateway.ledger.log.entry import Kind
from gateway.ledger.log.merkle import leaf_hash
from gateway.sealing.submission import Sealed, StaleEpoch
from gateway.store.base.tables import epochs
from gateway.store.ledger.tables import ledger_entries, ledger_head
from gateway.store.sealing.tables import accounts, attempts, proof_ids, repeats

TABLES = (accounts, attempts, epochs, ledger_entries, ledger_head, proof_ids, repeats)


def everything(deployment: Deployment) -> list[Any]:
    with deployment.database.reading() as connection:
        return [sorted(map(tuple, connection.execute(select(table)).all())) for table in TABLES]


def test_an_answer_is_sealed_with_what_it_says(deployment: Deployment) -> None:
    """id, answered_at in database time, nonce, entry and billed are added; the leaf commits to all of it but `entry`."""
    asked = draft({"usable": True, "match": True})
    before = CLOCK.now() - 5 * SECOND
    outcome = deployment.one(asked)
    answer = body(outcome)
    assert isinstance(outcome, Sealed)
    assert outcome.status == 200
    assert set(answer) == {"id", "usable", "match", "answered_at", "nonce", "entry", "billed"}
    assert (answer["id"], answer["nonce"], answer["billed"]) == (asked.id, b64u(asked.nonce), True)
    assert before < parse_rfc3339(answer["answered_at"]) < CLOCK.now() + 5 * SECOND
    (leaf,) = deployment.leaves()
    entry = answer.pop("entry")
    assert leaf["answer"] == b64u(digest(answer))
    assert entry == b64u(leaf_hash(canonical(leaf)))
    assert {name: leaf[name] for name in ("v", "kind", "id", "at", "actor", "agreement", "purpose")} == {
        "v": 1, "kind": "answer", "id": asked.id, "at": answer["answered_at"], "actor": "bank/bank-1",
        "agreement": ACCOUNT, "purpose": "account_opening",
    }  # fmt: skip
    assert deployment.account().day_spent == 1
    assert deployment.check().size == 1


def test_a_refusal_is_sealed_and_unbilled(deployment: Deployment) -> None:
    """It has its id, nonce and entry, the leaf commits to the problem document, and it costs nothing."""
    asked = refusal(Cause.CLAIM_NOT_AGREED)
    outcome = deployment.one(asked)
    problem = body(outcome)
    assert (problem["id"], problem["nonce"]) == (asked.id, b64u(asked.nonce))
    assert isinstance(outcome, Sealed)
    assert (outcome.status, outcome.cause, problem["billed"]) == (403, "claim-not-agreed", False)
    entry = problem.pop("entry")
    (leaf,) = deployment.leaves()
    assert leaf["answer"] == b64u(digest(problem))
    assert entry == b64u(leaf_hash(canonical(leaf)))
    assert (leaf["kind"], deployment.privates()[0]["outcome"]) == ("refusal", "claim-not-agreed")
    assert deployment.account().day_spent == 0


@pytest.mark.parametrize("scope", ["house", "partner:bank"])
def test_a_moved_epoch_seals_nothing(deployment: Deployment, scope: str) -> None:
    """a: what was decided on an older count is not sealed, is told the counts of now, and leaves no trace."""
    assert cause(deployment.one()) == ""
    deployment.bump(scope)
    before = everything(deployment)
    asked = submit(draft(attempt=guess(5, 1, "a")), repeat=repeat("k"))
    (outcome,) = deployment.seal(asked)
    assert outcome == StaleEpoch({**EPOCHS, scope: 1})
    assert everything(deployment) == before
    (again,) = deployment.seal(replace(asked, epochs={**EPOCHS, scope: 1}))
    assert cause(again) == ""


def test_another_partners_change_moves_nobody_else(deployment: Deployment) -> None:
    """Epochs are one for each partner, one for the house."""
    deployment.bump("partner:tax")
    outcomes = deployment.seal(submit(), submit(epochs={"house": 0, "partner:tax": 0}), submit())
    assert [isinstance(outcome, StaleEpoch) for outcome in outcomes] == [False, True, False]
    assert deployment.kinds() == ["answer", "answer"]


@pytest.mark.parametrize("member", ["expires", "ends"])
def test_token_and_term_end_by_database_time(deployment: Deployment, member: str) -> None:
    """a: past it is refused, to come is answered; the refusal is sealed, and no proof is wasted on it."""
    now = CLOCK.now()
    late, soon = submit(**{member: now - SECOND}), submit(**{member: now + HOUR})
    refused, answered = deployment.seal(late, soon)
    assert cause(refused) == {"expires": "invalid-token", "ends": "agreement-not-in-force"}[member]
    assert cause(answered) == ""
    assert deployment.kinds() == ["refusal", "answer"]
    assert deployment.account().day_spent == 1
    assert cause(deployment.one(**{member: 0})) == ""  # 0: there is none


def test_a_proof_passes_once(deployment: Deployment) -> None:
    """b: in the same transaction and in a later one; the replay is refused, sealed and unbilled."""
    used = proof()
    first, second = deployment.seal(submit(proofs=(used,)), submit(proofs=(used,)))
    third = deployment.one(proofs=(used,))
    assert [cause(one) for one in (first, second, third)] == ["", "invalid-dpop-proof", "invalid-dpop-proof"]
    assert deployment.account().day_spent == 1
    assert deployment.kinds() == ["answer", "refusal", "refusal"]


def test_each_of_a_calls_proofs_passes_once(deployment: Deployment) -> None:
    """A token request has two; a replayed assertion is told as such, whichever proof is fresh."""
    assertion = (ENTROPY.bytes(16), CLOCK.now() + HOUR, "assertion")
    fresh = proof()
    assert cause(deployment.one(proofs=(assertion, proof()))) == ""
    assert cause(deployment.one(proofs=(assertion, fresh))) == "invalid-token"
    assert deployment.used(assertion, fresh) == [True, False]


def test_the_same_key_and_body_get_the_same_answer(deployment: Deployment) -> None:
    """c: byte for byte, spent and charged once, and the repetition has its own entry."""
    asked = draft(attempt=guess(5, 1, "a"))
    first = deployment.one(asked, repeat=repeat("k"))
    again = deployment.one(draft({"usable": False}, attempt=guess(5, 1, "b")), repeat=repeat("k"))
    assert isinstance(first, Sealed)
    assert isinstance(again, Sealed)
    assert (again.status, again.body, again.cause) == (200, first.body, "")
    assert deployment.account().day_spent == 1
    assert deployment.kinds() == ["answer", "repeat"]
    assert deployment.privates()[1]["outcome"] == "repeat"
    deployment.check()


def test_the_same_key_with_another_body_conflicts(deployment: Deployment) -> None:
    """c: 422, nothing spent; the first answer stays what the key stands for."""
    first = deployment.one(repeat=repeat("k"))
    conflict = deployment.one(repeat=repeat("k", "another"))
    assert isinstance(conflict, Sealed)
    assert (conflict.status, conflict.cause) == (422, "idempotency-conflict")
    again = deployment.one(repeat=repeat("k"))
    assert isinstance(first, Sealed)
    assert isinstance(again, Sealed)
    assert again.body == first.body
    assert deployment.account().day_spent == 1


def test_the_same_key_in_flight_is_told_so(deployment: Deployment) -> None:
    """c: two of one transaction: the second gets 409, whatever its body."""
    first, second, third = deployment.seal(
        submit(repeat=repeat("k")),
        submit(repeat=repeat("k")),
        submit(repeat=repeat("k", "another")),
    )
    assert cause(first) == ""
    assert {cause(second), cause(third)} == {"idempotency-in-progress"}
    assert isinstance(second, Sealed)
    assert second.status == 409
    assert deployment.account().day_spent == 1


def test_keys_are_a_partners_own_and_last_a_day(deployment: Deployment) -> None:
    """c: after 24 hours the key is free again; another key is another call."""
    deployment.one(repeat=repeat("k"))
    deployment.one(repeat=repeat("other"))
    with deployment.database.sealing() as (connection, now):
        lives = connection.execute(select(repeats.c.expires)).scalars().all()
        assert all(now + DAY - 60 * SECOND < life <= now + DAY for life in lives)
        connection.execute(repeats.update().values(expires=now))
    fresh = deployment.one(repeat=repeat("k"))
    assert isinstance(fresh, Sealed)
    assert deployment.account().day_spent == 3
    assert deployment.kinds() == ["answer"] * 3


def test_refusals_are_decided_afresh(deployment: Deployment) -> None:
    """c: what was refused under a key is no answer to give again."""
    assert cause(deployment.one(refusal(), repeat=repeat("k"))) == "claim-not-agreed"
    assert cause(deployment.one(repeat=repeat("k"))) == ""


def test_a_repetition_passes_steps_1_to_4_again(deployment: Deployment) -> None:
    """c: whoever has been suspended meanwhile gets the refusal and no earlier answer, and once resumed the earlier one."""
    first = deployment.one(repeat=repeat("k"))
    batch = deployment.one(draft(ref="a"), draft(ref="b"), repeat=repeat("b"))
    no = Cause.AGREEMENT_NOT_IN_FORCE
    assert cause(deployment.one(refusal(no), repeat=repeat("k"))) == "agreement-not-in-force"
    refused = body(deployment.one(refusal(no), refusal(no), repeat=repeat("b")))
    assert [item["status"] for item in refused["items"]] == [403, 403]
    again = deployment.one(repeat=repeat("k"))
    again_batch = deployment.one(draft(), draft(), repeat=repeat("b"))
    for earlier, later in ((first, again), (batch, again_batch)):
        assert isinstance(earlier, Sealed)
        assert isinstance(later, Sealed)
        assert later.body == earlier.body


def test_a_stored_answer_is_sealed_and_bound_to_its_key(deployment: Deployment) -> None:
    """What is kept shows nothing of the answer or the body, and does not open under another key's row."""
    deployment.one(draft({"usable": True, "secret": "SITI AMINAH"}), repeat=repeat("a"))
    deployment.one(repeat=repeat("b"))
    with deployment.database.sealing() as (connection, _):
        rows = {bytes(row.key): bytes(row.answer) for row in connection.execute(select(repeats)).all()}
        assert not [answer for answer in rows.values() if b"usable" in answer or b"SITI" in answer]
        mine, other = repeat("a").key, repeat("b").key
        connection.execute(repeats.update().where(repeats.c.key == other).values(answer=rows[mine]))
    assert cause(deployment.one(repeat=repeat("b"))) == "idempotency-conflict"


def test_a_stored_answer_whose_key_is_gone_harms_nobody_else(deployment: Deployment) -> None:
    """A seal key that was taken off the ring is one caller's conflict, and no stranger's failure."""
    deployment.one(repeat=repeat("k"))
    with deployment.database.sealing() as (connection, _):
        row = connection.execute(select(repeats.c.answer)).scalar_one()
        connection.execute(repeats.update().values(answer=b"\xc8" + bytes(row)[1:]))
    before, hit, after = deployment.seal(submit(), submit(repeat=repeat("k")), submit())
    assert [cause(one) for one in (before, hit, after)] == ["", "idempotency-conflict", ""]


def test_an_allowance_is_spent_to_the_last_and_no_further(deployment: Deployment) -> None:
    """d: whoever comes first within the transaction; the refusal names the limit and when it resets."""
    room = Room(1000, 3, 1000)
    outcomes = deployment.seal(*(submit(draft(charges=((ACCOUNT, room),))) for _ in range(5)))
    assert [cause(one) for one in outcomes] == ["", "", "", "allowance-exhausted", "allowance-exhausted"]
    problem, refused = body(outcomes[3]), outcomes[3]
    assert isinstance(refused, Sealed)
    assert (refused.status, problem["limit"], problem["billed"]) == (429, "day", False)
    midnight = day_ends(CLOCK.now())
    assert parse_rfc3339(problem["resets_at"]) == midnight
    assert midnight <= CLOCK.now() + (refused.retry_after + 1) * SECOND  # never before the reset
    assert [reading.left for reading in refused.readings if reading.name == "day"] == [0]
    assert deployment.account().day_spent == 3
    assert deployment.kinds() == ["answer"] * 3 + ["refusal"] * 2


def test_a_burst_and_a_balance_have_their_own_refusals(deployment: Deployment) -> None:
    """d: `rate-exceeded` may be repeated within a second, `balance-exhausted` has no time at all."""
    slow = Room(1, 100, 100)
    outcomes = deployment.seal(*(submit(draft(charges=((ACCOUNT, slow),))) for _ in range(2)))
    assert [cause(one) for one in outcomes] == ["", "rate-exceeded"]
    assert isinstance(outcomes[1], Sealed)
    assert outcomes[1].retry_after == 1
    deployment.endow(1500, "pks-prepaid")
    prepaid = Room(100, 100, 100, 1000, prepaid=True)
    outcomes = deployment.seal(*(submit(draft(charges=(("pks-prepaid", prepaid),))) for _ in range(2)))
    assert [cause(one) for one in outcomes] == ["", "balance-exhausted"]
    assert isinstance(outcomes[1], Sealed)
    assert outcomes[1].retry_after == 0
    assert "resets_at" not in body(outcomes[1])
    assert deployment.account("pks-prepaid").balance == 500


def test_an_intermediary_is_charged_with_whom_it_asks_for(deployment: Deployment) -> None:
    """d: both accounts or neither; the asking partner's readings are shown."""
    mine, theirs = ("pks-mine", Room(1000, 5, 1000)), ("pks-theirs", Room(1000, 2, 1000))
    outcomes = deployment.seal(*(submit(draft(charges=(mine, theirs))) for _ in range(3)))
    assert [cause(one) for one in outcomes] == ["", "", "allowance-exhausted"]
    assert (deployment.account("pks-mine").day_spent, deployment.account("pks-theirs").day_spent) == (2, 2)
    assert isinstance(outcomes[0], Sealed)
    assert [reading.quota for reading in outcomes[0].readings if reading.name == "day"] == [5]


def test_wrong_guesses_use_up_a_budget(deployment: Deployment) -> None:
    """d: the very same guess is free, another resident has its own budget, and in the end right guesses are refused too."""
    outcomes = [
        deployment.one(draft({"usable": False}, attempt=guess(3, cost, text, nik)))
        for cost, text, nik in ((1, "a", "x"), (1, "a", "x"), (1, "b", "x"), (0, "right", "x"), (1, "c", "x"),
        (1, "d", "x"), (0, "right", "x"), (0, "right", "y"))
    ]  # fmt: skip
    assert [cause(one) for one in outcomes] == ["", "", "", "", "", "attempts-exhausted", "attempts-exhausted", ""]
    problem, refused = body(outcomes[5]), outcomes[5]
    assert isinstance(refused, Sealed)
    assert refused.status == 429
    opens = parse_rfc3339(problem["resets_at"])
    assert CLOCK.now() + DAY - 60 * SECOND < opens <= CLOCK.now() + DAY + SECOND
    assert deployment.account().day_spent == 6
    assert {reading.name for reading in refused.readings} == {"burst", "day", "month"}  # no word of the budget
    assert deployment.guesses() == 1


def test_budgets_count_within_one_transaction(deployment: Deployment) -> None:
    """d: many guesses at once are not one look at the same row."""
    outcomes = deployment.seal(*(submit(draft({"usable": False}, attempt=guess(2, 1, str(at)))) for at in range(6)))
    assert [cause(one) for one in outcomes] == ["", ""] + ["attempts-exhausted"] * 4


def test_what_is_refused_charges_neither_budget_nor_allowance(deployment: Deployment) -> None:
    """d: no allowance, then no guess is noted; no attempts left, then no answer is spent."""
    empty = Room(1000, 0, 1000)
    assert (
        cause(deployment.one(draft({"usable": False}, charges=((ACCOUNT, empty),), attempt=guess(1, 1, "a"))))
        == "allowance-exhausted"
    )
    assert deployment.guesses() == 0
    assert cause(deployment.one(draft({"usable": False}, attempt=guess(1, 1, "a")))) == ""
    assert cause(deployment.one(draft(attempt=guess(1, 0, "b")))) == "attempts-exhausted"
    assert deployment.account().day_spent == 1


def test_a_batch_is_answered_item_by_item(deployment: Deployment) -> None:
    """In its order, each with its ref, its entry and its own refusal; charged for what was answered."""
    outcome = deployment.one(draft(ref="a"), draft(ref="b", refusal=Refusal(Cause.NIK_FORMAT)), draft())
    items = body(outcome)["items"]
    assert [item.get("ref") for item in items] == ["a", "b", None]
    assert [item.get("status", 200) for item in items] == [200, 422, 200]
    assert [item["billed"] for item in items] == [True, False, True]
    assert [item["entry"] for item in items] == [b64u(leaf_hash(canonical(leaf))) for leaf in deployment.leaves()]
    assert deployment.account().day_spent == 2


def test_a_whole_batch_is_all_or_nothing(deployment: Deployment) -> None:
    """d: larger than what is left it is refused as one, with one entry, nothing charged; one that fits goes through."""
    charges = ((ACCOUNT, Room(1000, 3, 1000)),)
    four = [draft(charges=charges) for _ in range(4)]
    refused = deployment.one(*four, whole=True)
    assert isinstance(refused, Sealed)
    assert (refused.status, refused.cause, body(refused)["limit"]) == (429, "allowance-exhausted", "day")
    assert (deployment.kinds(), deployment.account().day_spent) == (["refusal"], 0)
    assert cause(deployment.one(*four[:2], draft(refusal=Refusal(Cause.NIK_FORMAT)), four[2], whole=True)) == ""
    assert deployment.account().day_spent == 3


def test_a_batch_that_no_wait_makes_fit_is_told_so(deployment: Deployment) -> None:
    """d: larger than the burst ever is: not `rate-exceeded` with a time to come back, but how large it may be."""
    charges = ((ACCOUNT, Room(3, 1000, 1000)),)
    four = [draft(charges=charges) for _ in range(4)]
    refused = deployment.one(*four, whole=True)
    assert isinstance(refused, Sealed)
    assert (refused.status, refused.cause, refused.retry_after) == (413, "batch-too-large", 0)
    assert (body(refused)["most"], body(refused)["limit"], body(refused)["retryable"]) == (3, "burst", False)
    assert (deployment.kinds(), deployment.account().day_spent) == (["refusal"], 0)
    broken = draft(refusal=Refusal(Cause.NIK_FORMAT))  # what is refused takes no room
    assert cause(deployment.one(*four[:2], broken, four[2], whole=True)) == ""
    assert cause(deployment.one(*four[:3], whole=True)) == "rate-exceeded"  # fits, and does not yet


def test_a_partial_batch_takes_what_there_is(deployment: Deployment) -> None:
    """d: the first so many are answered, the rest refused one by one."""
    charges = ((ACCOUNT, Room(1000, 3, 1000)),)
    items = body(deployment.one(*(draft(charges=charges) for _ in range(5))))["items"]
    assert [item["billed"] for item in items] == [True, True, True, False, False]
    assert [item["status"] for item in items[3:]] == [429, 429]


def test_a_replayed_batch_is_refused_as_one(deployment: Deployment) -> None:
    """b: by its envelope, once, whatever it holds."""
    used = proof()
    deployment.one(proofs=(used,))
    refused = deployment.one(draft(), draft(), proofs=(used,))
    assert cause(refused) == "invalid-dpop-proof"
    assert deployment.kinds() == ["answer", "refusal"]


def test_a_batch_repeats_as_a_whole(deployment: Deployment) -> None:
    """c: all its items, from one stored answer."""
    first = deployment.one(draft(ref="a"), draft(ref="b"), repeat=repeat("k"))
    again = deployment.one(draft(ref="a"), draft(ref="b"), repeat=repeat("k"))
    assert isinstance(first, Sealed)
    assert isinstance(again, Sealed)
    assert again.body == first.body
    assert (deployment.account().day_spent, deployment.kinds()) == (2, ["answer", "answer", "repeat"])


def test_the_ledger_has_everything_in_the_order_it_was_decided(deployment: Deployment) -> None:
    """e: one entry for each outcome, of every kind, and the whole of it verifies from its bytes."""
    for round_ in range(3):
        deployment.seal(
            submit(),
            submit(refusal()),
            submit(draft(), draft(), draft()),
            submit(draft(kind=Kind.READ, charges=())),
        )
        assert deployment.check().size == (round_ + 1) * 6
    assert deployment.kinds() == ["answer", "refusal", "answer", "answer", "answer", "read"] * 3


def test_what_costs_nothing_is_not_billed(deployment: Deployment) -> None:
    """A read of the own agreement: answered, sealed, without readings."""
    outcome = deployment.one(draft({"agreements": []}, kind=Kind.READ, charges=()))
    assert isinstance(outcome, Sealed)
    assert (body(outcome)["billed"], outcome.readings) == (False, ())


def test_refusals_speak_the_callers_language(deployment: Deployment) -> None:
    """Indonesian or English, as the submission says."""
    titles = [body(deployment.one(refusal(), language=language))["title"] for language in ("id", "en")]
    assert titles[0] != titles[1]


def test_expired_rows_are_swept_and_live_ones_kept(deployment: Deployment) -> None:
    """What can never be asked for again does not stay for ever."""
    gone = (ENTROPY.bytes(16), CLOCK.now() - HOUR, "dpop")
    kept = proof()
    deployment.one(proofs=(gone,))
    other = Deployment(deployment.database, deployment.keyring)  # its first seal sweeps
    other.one(proofs=(kept,))
    assert deployment.used(gone, kept) == [False, True]


def test_an_empty_submission_list_is_nothing(deployment: Deployment) -> None:
    """No entry, no fault."""
    assert deployment.seal() == []
    assert deployment.check().size == 0


def test_no_two_private_parts_begin_alike(deployment: Deployment) -> None:
    """32 random bytes stand before each, or what was hashed could be guessed; the same outcome twice has two hashes."""
    deployment.seal(submit(), submit(draft(), draft()))
    with deployment.database.reading() as connection:
        salts = [bytes(row)[:32] for row in connection.execute(select(ledger_entries.c.private)).scalars()]
    assert len(set(salts)) == len(salts) == 3
    assert all(len(set(salt)) > 8 for salt in salts)
    assert len({leaf["private"] for leaf in deployment.leaves()}) == 3
