"""Are acts of administrators whole, recorded and guarded? On both databases."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from gateway.administration.commands import Act
from gateway.administration.requests.audit import NewAssignment
from gateway.administration.requests.partners import (
    ApprovedDigest,
    Delivery,
    NewPartner,
    Payment,
    Suspension,
    SuspensionReason,
)
from gateway.clock import DAY, HOUR, SECOND, SystemClock, SystemEntropy, jakarta_date, jakarta_midnight, uuid7
from gateway.errors import Cause, Refused
from gateway.keyring import Job, Keyring
from gateway.ledger.check.check import check
from gateway.ledger.log.entry import Kind
from gateway.ledger.log.members import undeclared
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.sealing.sealer import Sealer
from gateway.sealing.submission import Draft, Sealed, StaleEpoch, Submission
from gateway.store.administration.duties import Watch
from gateway.store.administration.performing import ACTS, AdministrationOf, do
from gateway.store.base.engine import Database
from gateway.store.base.tables import epochs
from gateway.store.commands.tables import approvals
from gateway.store.ledger.entries import LedgerOf
from gateway.store.partners.money import make_statement
from gateway.store.partners.standings import PartnersOf
from gateway.store.partners.tables import agreements, partners
from gateway.store.sealing.history import RecordedChange, write_history
from gateway.web.api.administration import ROWS, WATCHED
from gateway.web.http.problems import Problems

HOUSE = Path(__file__).parents[2]
CLOCK, ENTROPY = SystemClock(), SystemEntropy()
ISSUER = "https://nik.example.go.id"


@pytest.fixture(scope="session")
def decider() -> Decider:
    """The policies that the house ships."""
    return Decider(load(HOUSE / "policies"))


@pytest.fixture(scope="session")
def fields() -> dict[str, Any]:
    """The agreement of docs/agreements.md, as an administrator would send it."""
    found = re.search(r"```toml\n(.*?)```", (HOUSE / "docs/agreements.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    table = tomllib.loads(found[1])["agreement"][0]
    told: dict[str, Any] = msgspec.to_builtins(table)
    return {name: value for name, value in told.items() if name not in {"id", "partner", "client"}}


class Office:
    """One database with an agreement that two persons have brought in."""

    def __init__(self, database: Database, decider: Decider, fields: dict[str, Any]) -> None:
        self.database, self.decider = database, decider
        self.do("register_partner", {}, NewPartner("Bank Contoh", "bank"))
        drafted = self.do("draft_agreement", {"id": "bank-contoh"}, fields)
        self.agreement = drafted["agreement"]
        proposed = self.do("propose_version", {"a": self.agreement, "v": "1"})
        self.do("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")

    def do(self, name: str, path: dict[str, str], body: Any = None, person: str = "Budi") -> dict[str, Any]:
        (result,) = do(self.database, ENTROPY, self.decider, [Act(name, path, body, person)])
        return dict(result.answer)

    def entries(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        with LedgerOf(self.database).snapshot() as (head, stored):
            held = list(stored)
            check(head, held)
        told = [(json.loads(each.leaf), json.loads((each.private or b"")[32:])) for each in held]
        for leaf, private in told:
            assert undeclared(leaf["kind"], private) == set(), (leaf["kind"], private)
        return told

    def epoch(self, partner: str = "bank-contoh") -> int:
        with self.database.reading() as connection:
            wanted = select(epochs.c.count).where(epochs.c.scope == f"partner:{partner}")
            return connection.execute(wanted).scalar() or 0

    def watch(self) -> Watch:
        return Watch(self.database, CLOCK, ENTROPY)

    def make_late(self, days: int) -> None:
        """The agreement as if it had come so many days ago, with reports due since."""
        with self.database.sealing() as (connection, now):
            connection.execute(update(agreements).values(since=now - days * DAY))


@pytest.fixture
def office(database: Database, decider: Decider, fields: dict[str, Any]) -> Office:
    """An office in an empty database of each kind."""
    due = (jakarta_date(CLOCK.now() - 120 * DAY)).isoformat()
    late = {name: {"due": due, "every_months": 12} for name in ("return_data", "semester_report")}
    return Office(database, decider, {**fields, "duties": late})


def test_every_call_is_an_act_that_there_is() -> None:
    """The routes that change something and the acts of the store are the same; what names something can be matched."""
    routed = {row.does: row for row in ROWS if not row.reads}
    own = {"remove_passkey", "end_session", "end_other_sessions"}  # of whoever is logged in: no token can ask for them
    assert routed.keys() | own == ACTS.keys()
    named = {name for name, row in routed.items() if "{" in row.path and row.scope != "nik.verify"}
    assert named - WATCHED.keys() == {
        "dismiss_administrator", "note_finding", "withhold", "close_access_request",
        "take_batch", "consolidate", "check_referral", "mend_referral", "refer_referral", "reject_referral",
    }  # fmt: skip


def test_every_change_is_an_entry_with_digests_and_a_new_epoch(office: Office) -> None:
    """Kind, person, before and after; what is not a change of standing moves no epoch."""
    before = office.epoch()
    office.do("suspend_agreement", {"a": office.agreement}, Suspension("breach"))
    assert office.epoch() == before + 1
    leaf, private = office.entries()[-1]
    assert (leaf["kind"], leaf["actor"], leaf["agreement"]) == (Kind.AGREEMENT, "Budi", office.agreement)
    assert private["before"] != private["after"]
    kinds = [leaf["kind"] for leaf, _ in office.entries()]
    assert kinds == ["partner", "agreement", "approval", "agreement", "agreement"]
    changes = [private["change"] for _, private in office.entries()]
    assert changes == ["register", "draft", "propose_version", "approve_version", "suspend"]


def test_what_is_refused_changes_nothing(office: Office) -> None:
    """Several acts are one transaction: when one is refused, none was done, and no epoch has moved."""
    before, held = office.epoch(), len(office.entries())
    acts = [
        Act("suspend_agreement", {"a": office.agreement}, Suspension("breach"), "Budi"),
        Act("terminate_agreement", {"a": "no-such"}, SuspensionReason("x"), "Budi"),
    ]
    with pytest.raises(Refused) as refused:
        do(office.database, ENTROPY, office.decider, acts)
    assert refused.value.refusal.cause is Cause.NOT_FOUND
    assert (office.epoch(), len(office.entries())) == (before, held)


def _submission(epochs_read: dict[str, int]) -> Submission:
    draft = Draft(uuid7(CLOCK.now(), ENTROPY), Kind.REFUSAL, "", "", ENTROPY.bytes(32), bytes(32), {"address": "::1"})
    proof = (ENTROPY.bytes(16), CLOCK.now() + HOUR, "dpop")
    return Submission("dukcapil/registrar", "en", epochs_read, CLOCK.now() + HOUR, 0, (proof,), (draft,))


@pytest.fixture
def desk(office: Office, keys: dict[tuple[Job, int], Any]) -> AdministrationOf:
    """The store's side of an administrator's calls."""
    keyring = Keyring([keys[job, 1] for job in Job])
    return AdministrationOf(
        office.database, CLOCK, ENTROPY, lambda: office.decider,
        lambda store: Sealer(store, keyring, ENTROPY, Problems(ISSUER)), ISSUER, keyring.signer(Job.ANSWER),
    )  # fmt: skip


def test_an_act_on_an_older_epoch_is_not_done(office: Office, desk: AdministrationOf) -> None:
    """Whoever was dismissed meanwhile does nothing more: the call is decided again, and nothing of it was done."""
    held = len(office.entries())
    act = Act("suspend_partner", {"id": "bank-contoh"}, SuspensionReason("x"), "Budi")
    outcome = asyncio.run(desk.perform(act, _submission({"partner:dukcapil": 7})))
    assert outcome == StaleEpoch({"partner:dukcapil": 0})
    assert len(office.entries()) == held
    with office.database.reading() as connection:
        assert not connection.execute(select(partners.c.suspended).where(partners.c.id == "bank-contoh")).scalar()


def test_an_act_is_sealed_with_its_answer_or_its_refusal(office: Office, desk: AdministrationOf) -> None:
    """One entry either way; a proof that was used before undoes the act that came with it."""
    submission = _submission({"partner:dukcapil": 0})
    act = Act("suspend_agreement", {"a": office.agreement}, Suspension("breach"), "Budi")
    done = asyncio.run(desk.perform(act, submission))
    assert isinstance(done, Sealed)
    assert (done.status, done.cause, len(done.revision)) == (200, "", 27)
    leaf, private = office.entries()[-1]
    assert (leaf["kind"], leaf["actor"], private["person"]) == (Kind.AGREEMENT, "dukcapil/registrar", "Budi")
    before = office.epoch()
    again = Act("terminate_agreement", {"a": office.agreement}, SuspensionReason("x"), "Budi")
    renamed = msgspec.structs.replace(submission.drafts[0], id=uuid7(CLOCK.now(), ENTROPY))
    refused = asyncio.run(desk.perform(again, msgspec.structs.replace(submission, drafts=(renamed,))))
    assert isinstance(refused, Sealed)
    assert (refused.status, refused.cause) == (401, Cause.INVALID_DPOP_PROOF)
    assert office.epoch() == before
    assert office.entries()[-1][0]["kind"] == Kind.REFUSAL
    missing = asyncio.run(
        desk.perform(Act("approve", {"id": "none"}, ApprovedDigest("A" * 43), "Sri"), _submission({}))
    )
    assert isinstance(missing, Sealed)
    assert (missing.status, missing.cause) == (404, Cause.NOT_FOUND)


def test_two_approvals_of_one_proposal_are_one(office: Office) -> None:
    """When two persons approve at the same moment the change is made once, and the other is told of the conflict."""
    office.do("suspend_agreement", {"a": office.agreement}, Suspension("breach"))
    proposed = office.do("propose_resume", {"a": office.agreement})

    def approve(person: str) -> str:
        try:
            office.do("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), person)
        except Refused as refused:
            return refused.refusal.cause.value
        return "approved"

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(approve, ("Sri", "Rina"))) == ["approved", "conflict"]
    with office.database.reading() as connection:
        assert list(connection.execute(select(approvals.c.state)).scalars()).count("approved") == 2


def test_several_nodes_watch_and_one_acts(office: Office) -> None:
    """However many look after duties at once, each step is taken once."""
    office.make_late(200)
    with ThreadPoolExecutor(4) as nodes:
        done = list(nodes.map(lambda _: office.watch().round(HOUR), range(4)))
    assert sorted(done)[:3] == [0, 0, 0]
    assert max(done) > 0
    steps = [private for leaf, private in office.entries() if leaf["kind"] == Kind.DUTY]
    (suspended,) = [each for each in steps if each["change"] == "suspend"]
    assert (suspended["reason"], suspended["duty"]) == ("return_data_overdue", "return_data")
    assert office.watch().round(0) == 0


def test_delivery_restores_once_nothing_is_overdue(office: Office) -> None:
    """Two duties were overdue: the first delivery restores nothing, the second does, and both are entries."""
    office.make_late(200)
    office.watch().round(0)
    path = {"a": office.agreement}
    first = office.do("deliver", path, Delivery("return_data", "DB/1"))
    assert (first["state"], first["restored"]) == ("suspended", False)
    second = office.do("deliver", path, Delivery("semester_report", "LS/1"))
    assert (second["state"], second["restored"]) == ("in_force", True)
    with pytest.raises(Refused):
        office.do("deliver", path, Delivery("dpia_review", "X/1"))
    assert office.watch().round(0) == 0


def test_what_is_overdue_no_longer_restores_by_itself(office: Office) -> None:
    """Where a duty is gone without a delivery the round restores the agreement, and the entry says which duty it was."""
    office.make_late(200)
    office.watch().round(0)
    office.make_late(0)
    assert office.watch().round(0) == 1
    leaf, private = office.entries()[-1]
    assert (leaf["kind"], private["change"], private["duty"]) == (Kind.DUTY, "restore", "return_data")


def test_termination_withdraws_what_waits(office: Office, fields: dict[str, Any]) -> None:
    """Nothing that was proposed for an agreement survives its end."""
    path = {"a": office.agreement}
    newer = {**fields, "dpia": {"reference": "D2", "date": "2026-11-01"}}
    draft = office.do("draft_version", path, newer)
    proposed = office.do("propose_version", {**path, "v": str(draft["version"])})
    office.do("terminate_agreement", path, SuspensionReason("end"))
    with pytest.raises(Refused) as refused:
        office.do("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")
    assert refused.value.refusal.cause is Cause.CONFLICT


def _pay(office: Office, agreement: str, amount: int, reference: str, partner: str = "bank-contoh") -> int:
    """The balance after a payment that two persons credited."""
    proposed = office.do("propose_payment", {"id": partner}, Payment(agreement, amount, reference))
    return int(office.do("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")["balance"])


def test_a_payment_adds_to_the_balance_of_its_own_partners_agreement(office: Office) -> None:
    """The second does not take the place of the first, and nobody pays into another partner's agreement."""
    assert _pay(office, office.agreement, 5_000_000, "TRX-1") == 5_000_000
    assert _pay(office, office.agreement, 2_000_000, "TRX-2") == 7_000_000
    office.do("register_partner", {}, NewPartner("Bank Lain", "bank"))
    with pytest.raises(Refused) as refused:
        _pay(office, office.agreement, 1_000, "TRX-3", "bank-lain")
    assert refused.value.refusal.cause is Cause.NOT_FOUND


def test_nobody_approves_the_own_assignment(office: Office) -> None:
    """Neither the auditor nor the proposer; a third person does."""
    key = {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "a-1",
        "alg": "EdDSA",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
    PartnersOf(office.database, ENTROPY).enrol("auditor-1", "Ani", ("audit.read",), key, actor="Budi+Sri")
    today = jakarta_date(CLOCK.now()).isoformat()
    body = NewAssignment("Ani", "SURAT/1", ["bank-contoh"], today, today, today)
    proposed = office.do("propose_assignment", {}, body)
    for person in ("Ani", "ANI ", "Budi"):
        with pytest.raises(Refused) as refused:
            office.do("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), person)
        assert refused.value.refusal.cause is Cause.SAME_PERSON
    office.do("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")


def test_a_statement_is_of_a_settled_day_and_of_the_partners_own_agreements(office: Office) -> None:
    """A minute after midnight at the earliest; what the same answer cost another partner is not among it."""
    with office.database.sealing() as (connection, now):
        price = {office.agreement: 1000, "pks-other": 900}
        answer = RecordedChange(Kind.ANSWER, "bank-contoh/core", {"price": price}, office.agreement)
        write_history(connection, [answer], now, ENTROPY)
    day = jakarta_date(now)
    settled = jakarta_midnight(day + timedelta(days=1)) + 60 * SECOND
    with office.database.reading() as connection:
        with pytest.raises(Refused):
            make_statement(connection, ISSUER, "bank-contoh", day, settled - 1)
        made = make_statement(connection, ISSUER, "bank-contoh", day, settled)
    assert "pks-other" not in json.dumps(made)
    assert office.agreement in json.dumps(made)
