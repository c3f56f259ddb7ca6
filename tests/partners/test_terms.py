"""Is an agreement read as it stands, and every fault of a file told?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.clock import jakarta_midnight
from gateway.partners.agreement import Agreement, AgreementState, Disclosure, Limits, PurposeTerms
from gateway.partners.clients import ClientRegistration
from gateway.partners.purposes import FORBIDDEN, PurposeCatalogue
from gateway.partners.terms import PartnerEntry, digest_of, parse_agreement, parse_file

Place = Callable[[str], tuple[Any, str]]


def faults(table: dict[str, Any], catalogue: PurposeCatalogue) -> list[str]:
    """The faults of a table, without the words that name the row."""
    row = parse_agreement(table, 2, catalogue)
    assert (row.agreement is None) == bool(row.faults)
    if row.faults:
        assert row.partner is None
        assert row.clients == ()
    return [fault.partition("`: ")[2] for fault in row.faults]


def test_example_of_the_docs_is_read(example: str, catalogue: PurposeCatalogue) -> None:
    """The example of docs/agreements.md is one draft without a fault, with every value in its place."""
    rows = parse_file(example, "agreements.md", catalogue)
    assert [(row.index, row.faults, row.missing) for row in rows] == [(1, (), ())]
    assert rows[0].partner == PartnerEntry("bank-contoh", "Bank Contoh", "bank")
    agreement = rows[0].agreement
    assert agreement is not None
    assert (agreement.id, agreement.partner, agreement.version) == ("pks-bank-contoh-2026", "bank-contoh", 1)
    assert agreement.state is AgreementState.DRAFT
    assert agreement.starts == jakarta_midnight(date(2026, 1, 1))
    assert agreement.ends == jakarta_midnight(date(2036, 1, 1))
    assert agreement.limits == Limits(50, 20_000, 400_000, tariff=1000, prepaid=True, per_nik=5)
    assert agreement.networks == (ip_network("203.0.113.0/24"), ip_network("2001:db8:7::/48"))
    assert agreement.purposes["account_opening"] == PurposeTerms(
        purpose="account_opening",
        legal_basis="legal_obligation",
        decide=("name", "birth_date"),
        inform=("birth_place", "mother_name"),
        disclosure=Disclosure.REASON,
        attempts=3,
        sector_law="customer due diligence of the financial sector",
        justification="the mother's name is the second factor of account recovery",
    )
    assert agreement.purposes["credit_application"].demands == {"consent", "operator"}
    assert agreement.fields["dpia"] == {"reference": "DPIA/2025/017", "date": "2025-10-01"}
    assert agreement.fields["duties"] == {
        "return_data": {"due": "2026-02-10", "every_months": 1},
        "semester_report": {"due": "2026-07-31", "every_months": 6},
    }
    assert rows[0].clients[0].client_id == "bank-contoh-core"


def test_client_becomes_a_registration(example: str, catalogue: PurposeCatalogue) -> None:
    """A client table gives the partner's registration with its public keys and the binding of its tokens."""
    client = parse_file(example, "x", catalogue)[0].clients[0]
    assert isinstance(client, ClientRegistration)
    assert (client.partner, client.auth_method, client.sender_constraint) == ("bank-contoh", "private_key_jwt", "dpop")
    assert [key["kid"] for key in client.keys] == ["2026-01"]
    assert client.tls is None


def test_state_is_the_callers_word(table: dict[str, Any], catalogue: PurposeCatalogue) -> None:
    """No file can put its own agreement in force: `state` is an unknown key."""
    assert parse_agreement(table, 1, catalogue, AgreementState.APPROVED).agreement.state is AgreementState.APPROVED
    table["state"] = "in_force"
    assert faults(table, catalogue) == ["state: unknown key"]


MANDATORY = [
    "id", "partner", "partner.id", "partner.name", "partner.class", "supervising_ministry", "term", "term.starts",
    "term.ends", "mou", "mou.number", "mou.date", "mou.file_sha256", "mou.signatories", "pks", "pks.number", "pks.date",
    "pks.file_sha256", "pks.signatories", "pks.signatories.0.name", "purposes", "purposes.account_opening.sector_law",
    "purposes.account_opening.disclosure", "purposes.account_opening.justification", "access", "access.method",
    "access.addresses", "allowance", "allowance.burst", "allowance.day", "allowance.month", "allowance.tariff",
    "duties", "duties.return_data", "duties.semester_report", "duties.return_data.due",
    "duties.semester_report.every_months", "dpia", "dpia.reference", "dpia.date", "data_protection_officers",
    "data_protection_officers.0.email", "breach_contact", "breach_contact.name", "breach_contact.email", "suspension",
    "suspension.grounds", "termination", "termination.grounds", "client.0.client_id", "client.0.auth_method",
    "client.0.keys", "sub_processors.0.country",
]  # fmt: skip


@pytest.mark.parametrize("path", MANDATORY)
def test_missing_field_is_named(path: str, table: dict[str, Any], place: Place, catalogue: PurposeCatalogue) -> None:
    """A mandatory field that is absent is a fault that names it, and it alone."""
    holder, key = place(path)
    del holder[key]
    words = path.split(".")
    # Lists count from 1 in what people read.
    named = ".".join(words).replace(".0", "[1]")
    row = parse_agreement(table, 1, catalogue)
    assert row.agreement is None
    assert row.missing == (named,)
    assert len(row.faults) == 1
    assert f": {named}: missing" in row.faults[0]


def test_no_dpia_no_agreement(table: dict[str, Any], catalogue: PurposeCatalogue) -> None:
    """Without an impact assessment the fault quotes the clause."""
    del table["dpia"]
    assert faults(table, catalogue) == ["dpia: missing — no activation without a DPIA, art 34(2)e"]


WRONG: list[tuple[str, object, str]] = [
    ("id", "Pks 1", "id: `Pks 1` is not"),
    ("id", 7, "id: must be a text"),
    ("version", 0, "version: must be a whole number"),
    ("version", True, "version: must be a whole number"),
    ("partner.class", "sect", "partner.class: `sect` is not one of"),
    ("partner.name", "  ", "partner.name: must be a text"),
    ("partner.name", "a\nb", "partner.name: must be a text"),
    ("partner.name", "x" * 501, "partner.name: must be a text"),
    ("partner", "bank", "partner: must be a table"),
    ("term.starts", "2026-02-30", "term.starts: must be a date"),
    ("term.starts", "20260201", "term.starts: must be a date"),
    ("term.ends", date(2026, 1, 1), "term.ends: must be after starts"),
    ("mou.file_sha256", "AB" * 32, "mou.file_sha256: `ABAB"),
    ("pks.signatories", "me", "pks.signatories: must be a list of tables"),
    ("pks.signatories.1.side", "directorate", "pks.signatories: both sides must have signed"),
    ("pks.signatories.1.side", "nobody", "pks.signatories[2].side: `nobody` is not one of"),
    ("purposes", {}, "purposes: missing — at least one purpose"),
    ("purposes.account_opening.decide", [], "purposes.account_opening.decide: at least one claim must decide"),
    ("purposes.account_opening.decide", ["name", "name"], "purposes.account_opening.decide: names something twice"),
    ("purposes.account_opening.decide", "name", "purposes.account_opening.decide: must be a list of texts"),
    ("purposes.account_opening.decide", ["shoe_size"], "purposes.account_opening.decide: unknown claim `shoe_size`"),
    ("purposes.account_opening.inform", ["name"], "purposes.account_opening.inform: `name` already decides"),
    ("purposes.credit_application.inform", ["rt"], "purposes.credit_application.inform: `rt` is not allowed for"),
    ("purposes.account_opening.disclosure", "all", "purposes.account_opening.disclosure: `all` is not one of"),
    ("purposes.account_opening.legal_basis", "habit", "purposes.account_opening.legal_basis: `habit` is not one of"),
    ("purposes.account_opening.attempts", 4, "purposes.account_opening.attempts: must be a whole number from 1 to 3"),
    ("purposes.account_opening.attempts", 0, "purposes.account_opening.attempts: must be a whole number from 1 to 3"),
    ("purposes.credit_application.attempts", 6, "purposes.credit_application.attempts: must be a whole number from"),
    ("purposes.account_opening.demands", ["money"], "purposes.account_opening.demands: `money` is not one of"),
    ("purposes.account_opening.tells_order", True, "purposes.account_opening.tells_order: the purpose does not let"),
    ("purposes.account_opening.tells_order", "yes", "purposes.account_opening.tells_order: must be true or false"),
    ("access.method", "password", "access.method: `password` is not one of"),
    ("access.method", "mtls", "access.certificates: missing"),
    ("access.addresses", [], "access.addresses: missing"),
    ("access.addresses", ["203.0.113.1/24"], "access.addresses: `203.0.113.1/24` is no address or network"),
    ("access.addresses", ["0.0.0.0/0"], "access.addresses: `0.0.0.0/0` lets the whole internet in"),
    ("access.addresses", ["::/0"], "access.addresses: `::/0` lets the whole internet in"),
    ("access.addresses", [16909060], "access.addresses: must be a list of texts"),
    ("access.certificates", ["abc"], "access.certificates: `abc` is no x5t#S256 thumbprint"),
    ("access.hours", "7-9", "access.hours: `7-9` is not a window"),
    ("allowance.burst", 0, "allowance.burst: must be a whole number from 1"),
    ("allowance.day", 1.5, "allowance.day: must be a whole number from 1"),
    ("allowance.month", 19_999, "allowance.month: must not be less than day"),
    ("allowance.tariff", 0, "partner.exemption: missing — a tariff of 0 needs an exemption with proof"),
    ("partner.exemption", {"ground": "region", "proof": "S-1"}, "allowance.tariff: must be 0, for the partner is"),
    ("partner.exemption", {"ground": "wealth", "proof": "S-1"}, "partner.exemption.ground: `wealth` is not one of"),
    ("duties.return_data.every_months", 13, "duties.return_data.every_months: must be a whole number from 1 to 12"),
    ("breach_contact.email", "nobody", "breach_contact.email: `nobody` is not an e-mail address"),
    ("sub_processors.0.country", "Indonesia", "sub_processors[1].country: `Indonesia` is not a country code"),
    ("partner.class", "intermediary", "on_behalf_of: missing — an intermediary names the institutions"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "fault"), WRONG, ids=[f"{path}={value!s:.20}" for path, value, _ in WRONG])
def test_wrong_value_is_named(  # noqa: PLR0913  three words of the case, three fixtures
    path: str, value: object, fault: str, table: dict[str, Any], place: Place, catalogue: PurposeCatalogue
) -> None:
    """A value that cannot stand is a fault that begins with its path."""
    holder, key = place(path)
    holder[int(key) if key.isdigit() else key] = value
    found = faults(table, catalogue)
    assert any(each.startswith(fault) for each in found), found


@pytest.mark.parametrize("claim", sorted(FORBIDDEN))
@pytest.mark.parametrize("key", ["decide", "inform"])
def test_tier_3_is_refused_by_law(claim: str, key: str, table: dict[str, Any], catalogue: PurposeCatalogue) -> None:
    """An element of tier 3 is refused with the clause, in the row's full name."""
    table["purposes"]["account_opening"][key] = ["name", claim] if key == "decide" else [claim]
    found = parse_agreement(table, 2, catalogue).faults
    wanted = f"row 2 `bank-contoh`: purposes.account_opening.{key}: unknown claim `{claim}`"
    assert f"{wanted} — refused by law (art 84/tier 3)" in found


@pytest.mark.parametrize(
    "path",
    ["", "partner", "term", "mou", "pks", "pks.signatories.0", "purposes.account_opening", "access", "allowance",
     "duties", "duties.return_data", "dpia", "data_protection_officers.0", "breach_contact", "sub_processors.0",
     "suspension", "termination", "client.0"],
)  # fmt: skip
def test_unknown_key_is_a_fault(path: str, table: dict[str, Any], place: Place, catalogue: PurposeCatalogue) -> None:
    """A key that nobody reads is a fault in every table, for it may be a misspelt duty."""
    holder, key = place(f"{path}.surprise" if path else "surprise")
    holder[key] = "x"
    named = f"{path}.surprise".lstrip(".").replace(".0", "[1]")
    assert faults(table, catalogue) == [f"{named}: unknown key"]


def test_purpose_outside_the_closed_list_is_a_fault(table: dict[str, Any], catalogue: PurposeCatalogue) -> None:
    """A purpose that is not in purposes.toml cannot be agreed."""
    table["purposes"]["curiosity"] = {}
    assert faults(table, catalogue) == ["purposes.curiosity: is not a purpose of the closed list (purposes.toml)"]


def test_exempt_partner_pays_nothing(table: dict[str, Any], catalogue: PurposeCatalogue) -> None:
    """With an exemption and its proof the tariff may be 0, and nothing is prepaid."""
    table["partner"] |= {"class": "bpjs", "exemption": {"ground": "bpjs_kesehatan", "proof": "S-17/2025"}}
    table["allowance"]["tariff"] = 0
    row = parse_agreement(table, 1, catalogue)
    assert row.partner.exemption == {"ground": "bpjs_kesehatan", "proof": "S-17/2025"}
    assert row.agreement.limits == Limits(50, 20_000, 400_000, tariff=0, prepaid=False)
    assert row.agreement.fields["partner"]["exemption"]["proof"] == "S-17/2025"


def test_intermediary_must_say_for_whom(table: dict[str, Any], catalogue: PurposeCatalogue) -> None:
    """Every purpose of an intermediary demands the institution it asks for."""
    table["partner"]["class"] = "intermediary"
    table["on_behalf_of"] = ["koperasi-contoh"]
    agreement = parse_agreement(table, 1, catalogue).agreement
    assert all("on_behalf_of" in terms.demands for terms in agreement.purposes.values())
    assert agreement.fields["on_behalf_of"] == ["koperasi-contoh"]


def test_consent_basis_demands_consent(table: dict[str, Any], catalogue: PurposeCatalogue) -> None:
    """Where an agreement names consent as its basis a consent reference is demanded."""
    table["purposes"]["account_opening"]["legal_basis"] = "consent"
    assert parse_agreement(table, 1, catalogue).agreement.purposes["account_opening"].demands == {"consent"}


def test_demand_of_the_catalogue_cannot_be_dropped(table: dict[str, Any], catalogue: PurposeCatalogue) -> None:
    """What the closed list demands of a purpose stays demanded under another basis."""
    table["purposes"]["credit_application"] |= {"legal_basis": "contract", "demands": []}
    assert parse_agreement(table, 1, catalogue).agreement.purposes["credit_application"].demands == {"consent"}


def test_attempts_default_to_the_most_allowed(table: dict[str, Any], catalogue: PurposeCatalogue) -> None:
    """Without a cap of its own a purpose has that of the agreement, and 3 at most with the mother's name."""
    del table["purposes"]["account_opening"]["attempts"]
    table["allowance"]["per_nik"] = 4
    purposes = parse_agreement(table, 1, catalogue).agreement.purposes
    assert (purposes["account_opening"].attempts, purposes["credit_application"].attempts) == (3, 4)
    table["allowance"]["per_nik"] = 2
    assert parse_agreement(table, 1, catalogue).agreement.purposes["account_opening"].attempts == 2


def test_all_faults_of_a_row_are_told_at_once(catalogue: PurposeCatalogue) -> None:
    """An almost empty row names everything that it lacks."""
    row = parse_agreement({"partner": {"id": "bank-x"}}, 4, catalogue)
    assert {"id", "term", "allowance", "purposes", "mou", "pks", "access", "duties", "dpia"} <= set(row.missing)
    assert all(fault.startswith("row 4 `bank-x`: ") for fault in row.faults)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("agreement = [", "file.toml: not TOML"),
        ("", "file.toml: agreement: missing"),
        ("agreement = 3", "file.toml: agreement: must be [[agreement]] tables"),
        ("agreement = [3]", "file.toml: agreement: must be [[agreement]] tables"),
        ("agreement = []\nagrement = []", "file.toml: agrement: unknown key"),
    ],
)
def test_file_at_fault_is_named(text: str, fault: str, catalogue: PurposeCatalogue) -> None:
    """What is wrong with the file itself is row 0, and names the file."""
    rows = parse_file(text, "file.toml", catalogue)
    assert rows[0].index == 0
    assert any(each.startswith(fault) for each in rows[0].faults)


def test_good_rows_are_read_beside_bad_ones(example: str, catalogue: PurposeCatalogue) -> None:
    """A fault in one row does not hide another row."""
    rows = parse_file(example + "\n[[agreement]]\nid = 'second'\n", "x", catalogue)
    assert [(row.index, row.agreement is not None) for row in rows] == [(1, True), (2, False)]
    assert rows[1].faults[0].startswith("row 2 `second`: ")


def test_rows_that_contradict_each_other_are_faults(example: str, catalogue: PurposeCatalogue) -> None:
    """The same version twice, the same client twice and two names of one partner are faults of the later row."""
    again = example.replace('name = "Bank Contoh"', 'name = "Bank Lain"')
    rows = parse_file(example + again, "x", catalogue)
    assert rows[0].faults == ()
    assert [fault.partition("`: ")[2].partition(":")[0] for fault in rows[1].faults] == [
        "id",
        "partner",
        "client.client_id",
    ]


def backwards(value: Any) -> Any:
    """The same tables with their keys in the opposite order."""
    if isinstance(value, dict):
        return {key: backwards(inner) for key, inner in reversed(value.items())}
    return [backwards(inner) for inner in value] if isinstance(value, list) else value


def test_digest_names_what_was_agreed(agreement: Agreement, table: dict[str, Any], catalogue: PurposeCatalogue) -> None:
    """The digest has 43 characters and does not depend on version, state, suspension or the order of keys."""
    assert len(agreement.digest) == 43
    later = replace(
        agreement, version=9, state=AgreementState.SUSPENDED, suspension="x", suspended=frozenset({"y"}), digest="other"
    )
    assert digest_of(later) == agreement.digest
    assert parse_agreement(backwards(table), 1, catalogue).agreement.digest == agreement.digest


CHANGES: list[tuple[str, object]] = [
    ("term.ends", date(2029, 1, 1)),
    ("purposes.account_opening.disclosure", "claims"),
    ("purposes.account_opening.inform", ["mother_name"]),
    ("allowance.day", 20_001),
    ("access.addresses", ["203.0.113.0/25"]),
    ("access.signed_answers", False),
    ("partner.name", "Bank Contoh Tbk"),
    ("dpia.date", date(2026, 10, 1)),
    ("suspension.grounds", ["another"]),
]


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=[path for path, _ in CHANGES])
def test_digest_changes_with_the_content(  # noqa: PLR0913  two words of the case, four fixtures
    path: str, value: object, table: dict[str, Any], place: Place, agreement: Agreement, catalogue: PurposeCatalogue
) -> None:
    """Whatever is agreed differently has another digest."""
    holder, key = place(path)
    holder[key] = value
    assert parse_agreement(table, 1, catalogue).agreement.digest != agreement.digest
