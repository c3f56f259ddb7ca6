"""Partners, clients and agreements: changes that are one transaction with their entry and the new epoch."""

from __future__ import annotations

import copy
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from gateway.clock import SECOND, SystemClock, SystemEntropy, parse_rfc3339
from gateway.errors import Cause, Refused
from gateway.ledger.check.check import check
from gateway.ledger.log.members import undeclared
from gateway.partners.agreement import AgreementState
from gateway.partners.in_force import in_force
from gateway.partners.purposes import PurposeCatalogue
from gateway.partners.terms import TermRow, parse_agreement
from gateway.sealing.standing import Standing
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.base.tables import epochs
from gateway.store.ledger.entries import LedgerOf
from gateway.store.ledger.tables import ledger_entries
from gateway.store.partners.standings import STAFF, PartnersOf, UnfitRowsError
from gateway.store.partners.tables import agreement_versions, partners
from gateway.store.sealing.tables import accounts

HOUSE = Path(__file__).parents[2]
ID, CLIENT, SCOPE = "pks-bank-contoh-2026", "bank-contoh-core", "partner:bank-contoh"
NOW = parse_rfc3339("2026-11-24T12:00:00+07:00")
OTHER_KEY = {
    "kty": "OKP", "crv": "Ed25519", "kid": "2026-02", "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}  # fmt: skip


@pytest.fixture(scope="session")
def catalogue() -> PurposeCatalogue:
    """The closed list of purposes that the house ships."""
    return PurposeCatalogue.read(HOUSE / "policies" / "purposes.toml")


@pytest.fixture
def table() -> dict[str, Any]:
    """The agreement of docs/agreements.md as a table that a test may change."""
    found = re.search(r"```toml\n(.*?)```", (HOUSE / "docs/agreements.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    held: dict[str, Any] = copy.deepcopy(tomllib.loads(found[1])["agreement"][0])
    return held


class Books:
    """Partners in one database, and how to look at them."""

    def __init__(self, database: Database, catalogue: PurposeCatalogue) -> None:
        self.database = database
        self.catalogue = catalogue
        self.partners = PartnersOf(database, SystemEntropy())

    def row(self, table: dict[str, Any]) -> TermRow:
        row = parse_agreement(table, 1, self.catalogue)
        assert row.faults == ()
        return row

    def take(self, *tables: dict[str, Any], proposer: str = "Satu", approver: str = "Dua", **options: Any) -> list[str]:
        done = self.partners.take(
            [self.row(table) for table in tables], proposer=proposer, approver=approver, **options
        )
        return [one.outcome for one in done]

    def plan(self, *tables: dict[str, Any]) -> list[tuple[str, int, int]]:
        """(outcome, version, the version that governs) of each."""
        done = self.partners.plan([self.row(table) for table in tables], NOW)
        return [(one.outcome, one.version, one.governs) for one in done]

    def standing(self, client: str = CLIENT) -> Standing | None:
        with self.database.reading() as connection:
            return self.partners.standing(connection, client)

    def epoch(self, scope: str = SCOPE) -> int:
        with self.database.reading() as connection:
            return connection.execute(select(epochs.c.count).where(epochs.c.scope == scope)).scalar() or 0

    def entries(self) -> list[dict[str, Any]]:
        """Leaves with their private parts, after the whole ledger was checked."""
        with LedgerOf(self.database).snapshot() as (head, entries):
            check(head, entries)
        with self.database.reading() as connection:
            found = connection.execute(
                select(ledger_entries.c.leaf, ledger_entries.c.private).order_by(ledger_entries.c.leaf_index)
            )
            return [
                {**msgspec.json.decode(bytes(leaf)), "private": msgspec.json.decode(bytes(private)[32:])}
                for leaf, private in found
            ]

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.entries()]

    def state(self, purpose: str = "account_opening") -> str:
        """In force, or why not, as the corridor sees it."""
        standing = self.standing()
        assert standing is not None
        try:
            return f"in force: {in_force(standing.partner, purpose, NOW).agreement.version}"
        except Refused as refused:
            return str(refused.refusal.facts.get("state", refused.refusal.cause))


@pytest.fixture
def unit(database: Database, catalogue: PurposeCatalogue) -> Books:
    """Empty unit of each kind."""
    return Books(database, catalogue)


def test_an_agreement_is_taken_with_everything_it_names(unit: Books, table: dict[str, Any]) -> None:
    """Partner, client, version in force, account with its opening balance, an entry for each and a new epoch."""
    assert unit.take(table, balances={ID: 5_000_000}) == ["created"]
    standing = unit.standing()
    assert standing is not None
    assert (standing.client.client_id, standing.client.partner, standing.client.auth_method) == (
        CLIENT,
        "bank-contoh",
        "private_key_jwt",
    )
    assert (set(standing.client.keys), standing.client.scopes) == ({"2026-01"}, {"nik.verify"})
    assert (standing.partner.id, standing.partner.kind, standing.partner.epoch) == ("bank-contoh", "bank", 1)
    assert standing.epochs == {"house": 0, SCOPE: 1}
    (agreement,) = standing.partner.agreements
    row = unit.row(table).agreement
    assert row is not None
    assert agreement == replace(row, state=AgreementState.IN_FORCE)
    assert unit.state() == "in force: 1"
    assert unit.kinds() == ["partner", "client", "agreement", "money"]
    assert {entry["actor"] for entry in unit.entries()} == {"Satu+Dua"}
    opened = {"change": "open_balance", "partner": "bank-contoh", "before": 0, "after": 5_000_000}
    assert unit.entries()[-1]["private"] == opened
    assert undeclared("money", opened) == set()
    with unit.database.reading() as connection:
        assert connection.execute(select(accounts.c.balance)).scalars().all() == [5_000_000]


def test_the_same_again_changes_nothing(unit: Books, table: dict[str, Any]) -> None:
    """No version, no entry, no epoch; nor does an opening balance come a second time."""
    unit.take(table, balances={ID: 7})
    assert unit.take(table, balances={ID: 9}) == ["unchanged"]
    assert (len(unit.entries()), unit.epoch()) == (4, 1)
    with unit.database.reading() as connection:
        assert connection.execute(select(accounts.c.balance)).scalars().all() == [7]


def test_a_changed_agreement_is_a_new_version(unit: Books, table: dict[str, Any]) -> None:
    """The older one stays beside it; the entry has the digests before and after."""
    unit.take(table)
    before = unit.row(table).agreement
    table["allowance"]["day"], table["dpia"]["date"] = 30_000, "2026-10-01"
    after = unit.row(table).agreement
    assert unit.take(table) == ["changed"]
    assert before is not None
    assert after is not None
    entry = unit.entries()[-1]
    assert entry["private"] == {"before": before.digest, "after": after.digest, "version": 2}
    assert entry["agreement"] == ID
    assert unit.epoch() == 2
    assert unit.state() == "in force: 2"
    assert [one.version for one in unit.partners.agreements()] == [1, 2]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"allowance": {"day": 90_000}}, "dpia.date: a change"),
        ({"allowance": {"day": 90_000}, "dpia": {"date": "2035-01-01"}}, "dpia.date: lies in the future"),
        ({"breach_contact": {"name": "Lain"}, "version": 7}, "version: the next one is 2"),
        ({"breach_contact": {"name": "Lain"}, "version": 1}, "version: the next one is 2"),
        ({"access": {"addresses": ["0.0.0.0/1", "128.0.0.0/1"]}}, "access.addresses"),
        ({"on_behalf_of": ["nobody"]}, "on_behalf_of: `nobody`"),
    ],
)
def test_an_import_keeps_the_rules_of_a_proposal(
    unit: Books, table: dict[str, Any], change: dict[str, Any], word: str
) -> None:
    """Planned or taken: an old assessment, a number that is not the next, the whole internet, nobody to ask for."""
    unit.take({**table, "version": 1})
    changed = {name: {**table[name], **value} if isinstance(value, dict) else value for name, value in change.items()}
    for act in (lambda: unit.take({**table, **changed}), lambda: unit.plan({**table, **changed})):
        with pytest.raises(UnfitRowsError) as unfit:
            act()
        assert [fault.startswith(f"row 1 `{ID}`: {word}") for fault in unfit.value.faults] == [True]
    assert len(unit.partners.agreements()) == 1


def test_a_plan_tells_what_would_be_made_and_what_governs(unit: Books, table: dict[str, Any]) -> None:
    """Created, unchanged or changed, under the next number; a version whose term has not begun does not govern yet."""
    assert unit.plan(table) == [("created", 1, 1)]
    unit.take(table)
    assert unit.plan({**table, "version": 1}) == [("unchanged", 1, 1)]
    later = {**table, "term": {"starts": "2027-01-01", "ends": "2028-01-01"}}
    sooner = {**table, "supervising_ministry": "Lain", "version": 3}
    assert unit.plan(later, sooner) == [("changed", 2, 1), ("changed", 3, 3)]
    assert len(unit.partners.agreements()) == 1


def test_a_partner_and_its_client_are_changed_by_themselves(unit: Books, table: dict[str, Any]) -> None:
    """Another key is an entry of its client, another name one of its partner; both move the epoch."""
    unit.take(table)
    table["client"][0]["keys"].append(OTHER_KEY)
    assert unit.take(table) == ["unchanged"]
    standing = unit.standing()
    assert standing is not None
    assert set(standing.client.keys) == {"2026-01", "2026-02"}
    assert unit.kinds()[3:] == ["client"]
    table["partner"]["name"] = "Bank Contoh Tbk"
    unit.take(table)
    assert "partner" in unit.kinds()[4:]
    assert unit.epoch() == 3
    standing = unit.standing()
    assert standing is not None
    assert standing.partner.name == "Bank Contoh Tbk"


@pytest.mark.parametrize(
    ("proposer", "approver"),
    [("Satu", "Satu"), ("Satu", "SATU"), ("", "Dua"), ("Satu", ""), ("Satu", " Satu "), (" ", "Dua")],
)
def test_widening_takes_two_persons(unit: Books, table: dict[str, Any], proposer: str, approver: str) -> None:
    """To take an agreement and to resume one; one person alone changes nothing."""
    with pytest.raises(Refused) as raised:
        unit.take(table, proposer=proposer, approver=approver)
    assert raised.value.refusal.cause is Cause.SAME_PERSON
    assert unit.entries() == []
    unit.take(table)
    unit.partners.suspend(ID, actor="Satu", reason="breach_of_terms")
    with pytest.raises(Refused):
        unit.partners.resume(ID, proposer=proposer, approver=approver)
    assert unit.state() == "suspended"


def test_nobody_takes_over_anothers_client_or_agreement(unit: Books, table: dict[str, Any]) -> None:
    """Both are refused whole, with everything else in the same file."""
    unit.take(table)
    thief = copy.deepcopy(table)
    thief["partner"] = {**table["partner"], "id": "bank-lain", "name": "Bank Lain"}
    with pytest.raises(ValueError, match="client bank-contoh-core belongs to another partner"):
        unit.take({**thief, "id": "pks-lain"})
    thief["client"] = [{**table["client"][0], "client_id": "lain"}]
    with pytest.raises(ValueError, match=f"`{ID}`: id: the agreement belongs to another partner"):
        unit.take(thief)
    assert (len(unit.entries()), unit.epoch("partner:bank-lain")) == (3, 0)
    with unit.database.reading() as connection:
        assert connection.execute(select(partners.c.id)).scalars().all() == ["bank-contoh"]


def test_a_row_with_faults_is_not_taken(unit: Books, table: dict[str, Any]) -> None:
    """Nor is any other row of its file."""
    with pytest.raises(ValueError, match="only rows without faults"):
        unit.partners.take([unit.row(table), TermRow(2, faults=("x",))], proposer="Satu", approver="Dua")
    assert unit.entries() == []
    assert unit.standing() is None


def test_a_suspension_holds_at_once_and_is_lifted_by_two(unit: Books, table: dict[str, Any]) -> None:
    """Each with the new epoch in the same transaction, and an entry with digests before and after."""
    unit.take(table)
    suspended = unit.partners.suspend(ID, actor="Satu", reason="semester_report_overdue")
    assert (suspended.state, suspended.suspension) == (AgreementState.SUSPENDED, "semester_report_overdue")
    assert (unit.state(), unit.epoch()) == ("suspended", 2)
    resumed = unit.partners.resume(ID, proposer="Satu", approver="Dua")
    assert resumed.state is AgreementState.IN_FORCE
    assert (unit.state(), unit.epoch()) == ("in force: 1", 3)
    off, on = (entry["private"] for entry in unit.entries()[-2:])
    assert (off["change"], off["reason"], on["change"]) == ("suspend", "semester_report_overdue", "resume")
    assert off["before"] == on["after"] != off["after"] == on["before"]
    assert [entry["actor"] for entry in unit.entries()[-2:]] == ["Satu", "Satu+Dua"]


def test_one_purpose_is_suspended_alone(unit: Books, table: dict[str, Any]) -> None:
    """The others go on being answered."""
    unit.take(table)
    unit.partners.suspend(ID, actor="Satu", reason="purpose_drift", purpose="credit_application")
    assert (unit.state("credit_application"), unit.state()) == ("suspended", "in force: 1")
    unit.partners.resume(ID, proposer="Satu", approver="Dua")
    assert unit.state("credit_application") == "in force: 1"


def test_a_suspension_is_of_every_version(unit: Books, table: dict[str, Any]) -> None:
    """Neither an older nor a newer version answers in the place of the suspended one, until it is lifted; then the newest."""
    unit.take(table)
    table["allowance"]["day"], table["dpia"]["date"] = 30_000, "2026-10-01"
    unit.take(table)
    assert unit.state() == "in force: 2"
    unit.partners.suspend(ID, actor="Satu", reason="breach_of_terms")
    assert unit.state() == "suspended"
    table["allowance"]["day"], table["dpia"]["date"] = 40_000, "2026-10-02"
    assert unit.take(table) == ["changed"]
    assert unit.state() == "suspended"
    unit.partners.resume(ID, proposer="Satu", approver="Dua")
    assert unit.state() == "in force: 3"
    assert {one.state for one in unit.partners.agreements()} == {AgreementState.IN_FORCE}


def test_a_suspended_purpose_stays_so_in_a_newer_version(unit: Books, table: dict[str, Any]) -> None:
    """A new version lifts nothing that one person imposed."""
    unit.take(table)
    unit.partners.suspend(ID, actor="Satu", reason="purpose_drift", purpose="account_opening")
    table["allowance"]["day"], table["dpia"]["date"] = 30_000, "2026-10-01"
    unit.take(table)
    assert unit.state() == "suspended"
    unit.partners.resume(ID, proposer="Satu", approver="Dua")
    assert unit.state() == "in force: 2"


def test_what_is_so_already_is_no_change(unit: Books, table: dict[str, Any]) -> None:
    """Suspended twice or resumed in force: no entry, no epoch."""
    unit.take(table)
    unit.partners.resume(ID, proposer="Satu", approver="Dua")
    unit.partners.suspend(ID, actor="Satu", reason="a")
    unit.partners.suspend(ID, actor="Satu", reason="a")
    assert (len(unit.entries()), unit.epoch()) == (4, 2)


def test_what_is_not_there_cannot_be_suspended(unit: Books, table: dict[str, Any]) -> None:
    """Neither an unknown agreement nor a purpose that it does not have."""
    unit.take(table)
    for words in ({"agreement": "pks-none"}, {"agreement": ID, "purpose": "claim_eligibility"}):
        with pytest.raises(LookupError):
            unit.partners.suspend(**words, actor="Satu", reason="x")
    with pytest.raises(LookupError):
        unit.partners.resume("pks-none", proposer="Satu", approver="Dua")
    assert unit.epoch() == 1


def test_staff_are_enrolled_one_person_a_client(unit: Books) -> None:
    """With their scopes and key; a second time nothing happens, above all not another key."""
    for _ in range(2):
        unit.partners.enrol("auditor", "Auditor Contoh", ("audit.note", "audit.read"), OTHER_KEY, actor="Satu+Dua")
    standing = unit.standing("auditor")
    assert standing is not None
    assert (standing.partner.id, standing.client.scopes) == (STAFF, {"audit.read", "audit.note"})
    assert (unit.kinds(), unit.epoch(f"partner:{STAFF}")) == (["client"], 1)
    assert unit.entries()[0]["private"]["person"] == "Auditor Contoh"


def test_an_unknown_client_has_no_standing(unit: Books, table: dict[str, Any]) -> None:
    """None, and no fault."""
    unit.take(table)
    assert unit.standing("nobody") is None


def test_a_standing_is_of_one_moment(unit: Books, table: dict[str, Any]) -> None:
    """The epochs are those at which client and agreements were read, the house's own with them."""
    unit.take(table)
    with unit.database.sealing() as (connection, _):
        put_many(connection, epochs, [("house", 4)])
    standing = unit.standing()
    assert standing is not None
    assert standing.epochs == {"house": 4, SCOPE: 1}
    with unit.database.reading() as connection:
        assert len(connection.execute(select(agreement_versions)).all()) == 1
    assert abs(SystemClock().now() - parse_rfc3339(unit.entries()[0]["at"])) < 60 * SECOND
