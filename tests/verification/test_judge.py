"""What a record says about the claims sent: alike for an unknown NIK and for wrong claims, and only to whom it belongs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from corridor_bench import ENTROPY

from gateway.clock import DAY, HOUR, parse_rfc3339, uuid7
from gateway.errors import Cause, Refused
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind, make_entry, private_bytes
from gateway.nik import Nik
from gateway.partners.agreement import Agreement, AgreementState, Disclosure, Limits, PurposeTerms
from gateway.policy.decide import Permit
from gateway.register.codec import encode
from gateway.register.record import Condition, Record
from gateway.sealing.standing import RegisterRows, Watermark
from gateway.sealing.submission import Draft
from gateway.verification.judge import INDEX, Decided, Judge, binding, indexes
from gateway.verification.permission import Permission
from gateway.verification.request import Question

NOW = parse_rfc3339("2026-11-24T09:30:00+07:00")
NIK, OTHER = "7402154505909001", "7402154505909002"
SITI = Record(NIK, {"name": "SITI AMINAH", "birth_date": "1990-05-05", "regency": "7402", "sex": "F"})
RIGHT = {"name": "SITI AMINAH", "birth_date": "1990-05-05"}
WRONG = {"name": "SITI AMINAH", "birth_date": "1990-05-06"}
TERMS = PurposeTerms("account_opening", "contract", ("name", "birth_date"), ("sex", "regency"), Disclosure.CLAIMS, 3)
AGREEMENT = Agreement(
    "pks-bank", "bank", 1, AgreementState.IN_FORCE, "d", 0, NOW + DAY, {"account_opening": TERMS}, Limits(9, 99, 999, 1000),
    (), {}
)  # fmt: skip
FRESH = {"7402": Watermark(NOW - HOUR, gap=False)}


class Bench:
    """A judge, and a register of one."""

    def __init__(self, keyring: Keyring, record: Record = SITI, *, sealed_by: int = 0) -> None:
        self.keyring = keyring
        self.judge = Judge(keyring, ENTROPY, behind_after=2 * DAY)
        key = keyring.sealer(Job.CLAIMS)
        ix = indexes(keyring, record.nik)[sealed_by]
        self.records = {ix: (7, key.seal(encode(record), binding(7, key.version), ENTROPY))}

    def ask(
        self, claims: dict[str, str], nik: str = NIK, *, disclosure: Disclosure = Disclosure.CLAIMS, **parts: Any
    ) -> Draft:
        """The draft of an answer; `previous`, `earlier` and `marks` as told."""
        terms = replace(TERMS, disclosure=disclosure, tells_order=parts.get("tells_order", False))
        previous = {"previous": parts["previous"]} if "previous" in parts else {}
        permit = Permit(disclosure, terms.decide, terms.inform, 3, tells_order=False, policy="p", rules=())
        decided = Decided(
            uuid7(NOW, ENTROPY), ENTROPY.bytes(32), bytes(32), Question(nik, "account_opening", claims, **previous), Nik(nik),
            Permission.of((replace(AGREEMENT, partner=parts.get("partner", "bank")),), terms, permit, {}),
            {"address": "192.0.2.1"}, None, indexes(self.keyring, nik),
        )  # fmt: skip
        return self.judge.compare(
            decided,
            RegisterRows(self.records, parts.get("earlier", {}), parts.get("marks", FRESH)),
            parts.get("now", NOW),
        )

    def answer(self, claims: dict[str, str], nik: str = NIK, **parts: Any) -> dict[str, Any]:
        found = self.ask(claims, nik, **parts).answer
        assert found is not None
        return dict(found)


@pytest.fixture
def bench(keyring: Keyring) -> Bench:
    """A register in which Siti stands alone."""
    return Bench(keyring)


def test_right_claims_match(bench: Bench) -> None:
    """Everything that the disclosure allows; `as_of` is the hour until which the region is complete."""
    assert bench.answer({**RIGHT, "sex": "M"}) == {
        "usable": True, "match": True, "status": "active", "as_of": "2026-11-24T01:00:00Z",
        "recheck_after": "2026-11-25T01:00:00Z", "subject": bench.answer(RIGHT)["subject"],
        "claims": {"name": "match", "birth_date": "match", "sex": "different"},
    }  # fmt: skip


@pytest.mark.parametrize("disclosure", Disclosure)
def test_an_unknown_nik_and_wrong_claims_give_the_same_draft(bench: Bench, disclosure: Disclosure) -> None:
    """The same answer, the same charge, the same cost to a budget of its own, and private parts of the same members."""
    wrong, unknown = bench.ask(WRONG, disclosure=disclosure), bench.ask(WRONG, OTHER, disclosure=disclosure)
    assert wrong.answer == unknown.answer
    assert (wrong.kind, wrong.charges) == (unknown.kind, unknown.charges)
    assert wrong.attempt is not None
    assert unknown.attempt is not None
    assert (wrong.attempt.budget, wrong.attempt.cost, wrong.attempt.guess) == (
        unknown.attempt.budget,
        unknown.attempt.cost,
        unknown.attempt.guess,
    )
    assert wrong.attempt.tag != unknown.attempt.tag
    assert set(wrong.private) == set(unknown.private)
    assert (wrong.private["outcome"], unknown.private["outcome"]) == ("different", "unknown")


def test_the_decoy_is_nobody(bench: Bench) -> None:
    """Claims that would match what is compared in a miss do not match, and say nothing of a region."""
    decoy = {"name": "DECOY RESIDENT WITHOUT NIK", "birth_date": "1900-01-01"}
    assert bench.answer(decoy, OTHER) == {"usable": False, "match": False}
    with pytest.raises(Refused):
        Nik.parse("0000000000000000")  # the decoy's own: nobody can ask for it


def test_a_record_under_a_strange_index_is_a_miss(keyring: Keyring) -> None:
    """The NIK inside is compared as well: a row that was moved in the database answers for nobody."""
    bench = Bench(keyring)
    ((_, row),) = bench.records.items()
    bench.records = {indexes(keyring, OTHER)[0]: row}
    assert bench.answer(RIGHT, OTHER) == {"usable": False, "match": False}
    assert bench.ask(RIGHT, OTHER).private["outcome"] == "unknown"


@pytest.mark.parametrize("version", [0, 1])
def test_every_live_index_version_finds(keyring: Keyring, version: int) -> None:
    """While an index key is rotated."""
    assert Bench(keyring, sealed_by=version).answer(RIGHT)["match"] is True


@pytest.mark.parametrize(
    ("record", "marks", "status", "reason"),
    [
        (replace(SITI, conditions=(Condition("deceased"),)), FRESH, "blocked", "deceased"),
        (replace(SITI, biometric=False), FRESH, "blocked", "biometric_not_recorded"),
        (SITI, {"7402": Watermark(NOW - 3 * DAY, gap=False)}, "stale", "source_behind"),
        (SITI, {}, "stale", "source_behind"),
    ],
)
def test_a_match_is_usable_only_when_active(
    keyring: Keyring, record: Record, marks: Any, status: str, reason: str
) -> None:
    """Status and reason of record and region; an answer that may not be relied on for long says so."""
    answer = Bench(keyring, record).answer(RIGHT, marks=marks)
    assert (answer["usable"], answer["match"], answer["status"], answer["reason"]) == (False, True, status, reason)
    assert answer["recheck_after"] > "2026-11-24T02:30:00Z"
    assert answer["as_of"].endswith(":00:00Z")


def test_names_of_a_resident_are_apart(bench: Bench) -> None:
    """Subject, budget and ledger tag differ from each other, from partner to partner (but for the ledger), and hold no NIK."""
    bank, tax = bench.ask(WRONG), bench.ask(WRONG, partner="tax")
    assert bank.attempt is not None
    assert tax.attempt is not None
    subjects = {bench.answer(RIGHT, partner=partner)["subject"] for partner in ("bank", "tax")}
    assert len(subjects) == 2
    assert bank.attempt.tag != tax.attempt.tag
    assert (
        bank.private["subject"]
        == tax.private["subject"]
        == b64u(bench.keyring.mac(Job.LEDGER_TAG).mac(NIK.encode())[:INDEX])
    )
    assert b64u(bank.attempt.tag) not in {*subjects, bank.private["subject"]}
    for draft in (bank, tax, bench.ask(RIGHT)):
        assert NIK not in repr(draft)
        assert "SITI" not in repr(draft)


def test_the_same_guess_has_the_same_hash(bench: Bench) -> None:
    """In whatever order its claims stand; another one has another; a right one needs none."""
    first, again, other, right = (
        bench.ask(claims).attempt for claims in (WRONG, dict(reversed(WRONG.items())), {**WRONG, "name": "SITI"}, RIGHT)
    )
    assert first is not None
    assert again is not None
    assert other is not None
    assert right is not None
    assert first.guess == again.guess != other.guess
    assert (first.cost, right.cost) == (1, 0)


def sealed(draft: Draft, **changes: Any) -> tuple[str, tuple[bytes, bytes | None]]:
    """A draft as its entry stands in the ledger: id, leaf and private part."""
    members = {
        "kind": draft.kind,
        "actor": "bank/bank-1",
        "purpose": draft.purpose,
        "private": draft.private,
        **changes,
    }
    entry = make_entry(
        kind=members["kind"], id=draft.id, at=NOW, actor=members["actor"], agreement="pks-bank",
        purpose=members["purpose"],
        answer=bytes(32), request=bytes(32), private=private_bytes(bytes(32), members["private"]),
    )  # fmt: skip
    return entry.id, (entry.leaf, entry.private)


def test_changed_compares_with_an_earlier_match(keyring: Keyring) -> None:
    """Status, reason as it is told and every agreed claim; what is not agreed for the purpose may change unseen."""
    id, row = sealed(Bench(keyring).ask(RIGHT))
    asked = {"previous": id, "earlier": {id: row}}
    assert Bench(keyring).answer(RIGHT, **asked)["changed"] is False
    for changed, record in (
        (True, replace(SITI, conditions=(Condition("in_transit"),))),
        (True, replace(SITI, claims={**SITI.claims, "sex": "M"})),
        (False, replace(SITI, claims={**SITI.claims, "address": "JL. BARU"})),
    ):
        assert Bench(keyring, record).answer(RIGHT, **asked)["changed"] is changed
    assert Bench(keyring).answer(WRONG, **asked) == {"usable": False, "match": False}


@pytest.mark.parametrize(
    ("disclosure", "tells_order", "told"),
    [
        (Disclosure.STATUS, False, {"anomaly": False, "by_order": False}),
        (Disclosure.REASON, False, {"deceased": True, "by_order": False}),
        (Disclosure.CLAIMS, False, {"deceased": True, "by_order": False}),
        (Disclosure.REASON, True, {"deceased": True, "by_order": True}),
    ],
)
def test_changed_tells_no_more_than_the_answer(
    keyring: Keyring, disclosure: Disclosure, told: dict[str, bool], *, tells_order: bool
) -> None:
    """An anomaly that has become a hidden order has not changed, nor has a reason that is not disclosed."""
    allowed = {"disclosure": disclosure, "tells_order": tells_order}
    anomaly = Bench(keyring, replace(SITI, conditions=(Condition("anomaly"),)))
    id, row = sealed(anomaly.ask(RIGHT, **allowed))
    for reason, changed in told.items():
        now = Bench(keyring, replace(SITI, conditions=(Condition(reason),)))
        assert now.answer(RIGHT, previous=id, earlier={id: row}, **allowed)["changed"] is changed, reason


def test_the_age_of_seventeen_is_reached_in_jakarta(keyring: Keyring) -> None:
    """Biometrics are demanded from the midnight of Asia/Jakarta that begins the birthday, not seven hours off."""
    young = replace(SITI, biometric=False, claims={**SITI.claims, "birth_date": "2009-11-24"})
    right = {**RIGHT, "birth_date": "2009-11-24"}
    for clock, status in (("2026-11-23T23:59:59+07:00", "active"), ("2026-11-24T00:00:00+07:00", "blocked")):
        now = parse_rfc3339(clock)
        fresh = {"7402": Watermark(now - HOUR, gap=False)}
        assert Bench(keyring, young).answer(right, now=now, marks=fresh)["status"] == status


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": "tax/tax-1"}, {"actor": "bankier/bank-1"}, {"purpose": "credit_application"},
        {"kind": Kind.REFUSAL}, {"kind": Kind.READ},
        {"private": {"subject": "another", "state": "x"}}, {"private": {}},
    ],
)  # fmt: skip
def test_a_previous_that_is_not_ones_own_match_is_unknown(bench: Bench, changes: dict[str, Any]) -> None:
    """Another partner's, another purpose's, a refusal, another NIK's, one never given or destroyed: all refused alike."""
    id, row = sealed(bench.ask(RIGHT), **changes)
    own_id, own = sealed(bench.ask(RIGHT))
    unmatched_id, unmatched = sealed(bench.ask(WRONG))
    for previous, earlier in (
        (id, {id: row}), (own_id, {}), (own_id, {own_id: (own[0], None)}), (unmatched_id, {unmatched_id: unmatched}),
    ):  # fmt: skip
        draft = bench.ask(RIGHT, previous=previous, earlier=earlier)
        assert draft.refusal is not None
        assert (draft.refusal.cause, dict(draft.refusal.facts)) == (Cause.PREVIOUS_UNKNOWN, {})
        assert (draft.kind, draft.charges, draft.answer) == (Kind.REFUSAL, (), None)
    other = bench.ask(RIGHT, OTHER, previous=own_id, earlier={own_id: own})
    assert other.refusal is not None


def test_an_answer_is_charged_and_a_refusal_is_not(bench: Bench) -> None:
    """To the agreement that it was given under, right or wrong."""
    for draft in (bench.ask(RIGHT), bench.ask(WRONG), bench.ask(WRONG, OTHER)):
        ((account, room),) = draft.charges
        assert (account, room.burst, room.day, room.month, room.tariff) == ("pks-bank", 9, 99, 999, 1000)
        assert msgspec.json.encode(draft.answer)
