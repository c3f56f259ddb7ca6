"""What happens as days and months go by? The whole gateway in this process, on a clock that the test moves."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import partner as partner_module
import pytest
from admitting import any_log
from desk import Office, fields, new_name, slug
from joserfc import jws
from joserfc.jwk import OKPKey
from litestar.testing import TestClient
from partner import Partner, ProofKey, b64u, jwt

from gateway.app import build
from gateway.cli.demonstration import Demonstration
from gateway.clock import DAY, SECOND, SystemEntropy, jakarta_date, rfc3339_seconds
from gateway.config import read
from gateway.store.administration.duties import Watch
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf


class MovedClock:
    """The machine's clock, so many microseconds ahead."""

    ahead = 0

    def now(self) -> int:
        return time.time_ns() // 1000 + self.ahead


class Deployment:
    """A demonstration in this process."""

    def __init__(self, directory: Any, clock: MovedClock) -> None:
        self.clock, self.directory = clock, directory
        demonstration = Demonstration(directory, 1_000, 1, None, "127.0.0.1", 8080, 1)
        demonstration.build(lambda _: None)
        self.settings = read(demonstration.settings_file)
        self.issuer = self.settings.issuer
        self.application = build(self.settings, clock, SystemEntropy())
        lines = (directory / "residents.sample.ndjson").read_text().splitlines()
        self._people = iter([row for row in map(json.loads, lines) if row["status"] == "active"])
        self.http: Any = None
        self._partners: dict[str, Partner] = {}

    def partner(self, client_id: str) -> Partner:
        if client_id not in self._partners:
            jwk = json.loads((self.directory / "partners" / client_id / "key.jwk").read_text())
            self._partners[client_id] = Partner(self.issuer, client_id, jwk, self.http)
        return self._partners[client_id]

    def resident(self) -> dict[str, Any]:
        return next(self._people)

    def question(self, client_id: str, resident: dict[str, Any], **members: Any) -> dict[str, Any]:
        del client_id
        claims = {name: resident["claims"][name] for name in ("name", "birth_date")}
        return {"nik": resident["nik"], "purpose": "account_opening", "claims": claims} | members

    def watch(self) -> int:
        database = Database(self.settings.database_url, self.clock, any_log)
        try:
            return Watch(database, self.clock, SystemEntropy()).round(0)
        finally:
            database.close()

    def entries(self, kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        database = Database(self.settings.database_url, self.clock, any_log)
        with LedgerOf(database).snapshot() as (_, stored):
            told = [(json.loads(each.leaf), json.loads(each.private[32:])) for each in stored if each.private]
        database.close()
        return [(leaf, private) for leaf, private in told if leaf["kind"] == kind]


@pytest.fixture(scope="module")
def standing_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One house for all of these tests: time goes on from test to test, and never back."""
    deployment = Deployment(tmp_path_factory.mktemp("time"), MovedClock())

    async def local(scope: Any, receive: Any, send: Any) -> None:
        await deployment.application({**scope, "client": ("127.0.0.1", 1)}, receive, send)

    with TestClient(local, base_url=deployment.issuer) as client:
        deployment.http = client
        yield deployment


@pytest.fixture
def deployment(standing_house: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The house, with everybody's clock moved as far as its own."""
    shim = SimpleNamespace(
        time=lambda: standing_house.clock.now() / SECOND, monotonic=lambda: standing_house.clock.now() / SECOND
    )
    monkeypatch.setattr(partner_module, "time", shim)
    return standing_house


def pass_time(deployment: Deployment, **period: int) -> None:
    deployment.clock.ahead += int(timedelta(**period).total_seconds()) * SECOND


def due_in(deployment: Deployment, days: int) -> str:
    return (jakarta_date(deployment.clock.now()) + timedelta(days=days)).isoformat()


def duties(deployment: Deployment, semester: int) -> dict[str, Any]:
    return {
        "return_data": {"due": due_in(deployment, 3000), "every_months": 12},
        "semester_report": {"due": due_in(deployment, semester), "every_months": 12},
    }


def test_a_semester_report_three_months_late_cuts_off_and_its_delivery_restores(deployment) -> None:
    """Reminded before and after, suspended after three months, restored by the delivery: nobody at a keyboard but for that."""
    office = Office(deployment)
    partner, agreement, client = office.bring_in(duties=duties(deployment, 20))
    calendar = office.get(f"/v1/duties?partner={partner}").json()["items"]
    report = next(each for each in calendar if each["duty"] == "semester_report")
    assert (report["state"], report["due"]) == ("due", due_in(deployment, 20))
    deployment.watch()
    assert deployment.watch() == 0
    reminded = [private for leaf, private in deployment.entries("duty") if leaf["agreement"] == agreement]
    assert [each["stage"] for each in reminded if each["duty"] == "semester_report"] == ["in_30_days"]

    pass_time(deployment, days=60)
    deployment.watch()
    assert office.ask(client).status_code == 200
    pass_time(deployment, days=60)
    assert deployment.watch() >= 1
    refused = office.ask(client)
    assert (slug(refused), refused.json()["state"]) == ("agreement-not-in-force", "suspended")
    assert refused.json()["restore"] == ["deliver_semester_report"]

    delivered = office.post(
        f"/v1/agreements/{agreement}/deliveries", {"duty": "semester_report", "reference": "LS/2026/1"}
    )
    assert (delivered.status_code, delivered.json()["restored"]) == (201, True)
    assert office.ask(client).status_code == 200
    assert deployment.watch() == 0
    stages = [private["change"] for leaf, private in deployment.entries("duty") if leaf["agreement"] == agreement]
    assert stages.count("suspend") == 1
    assert stages[-1] == "deliver"
    listed = office.get(f"/v1/agreements/{agreement}/deliveries").json()["items"]
    assert [each["reference"] for each in listed] == ["LS/2026/1"]


def test_a_delivery_lifts_no_suspension_that_a_person_imposed(deployment) -> None:
    """The reason of a person takes the place of the automatic one, and two persons are needed to lift it."""
    office = Office(deployment)
    _, agreement, client = office.bring_in(duties=duties(deployment, 1))
    pass_time(deployment, days=100)
    deployment.watch()
    assert office.get(f"/v1/agreements/{agreement}").json()["suspension"] == "semester_report_overdue"
    office.post(f"/v1/agreements/{agreement}/suspend", {"reason": "breach_of_purpose"})
    delivered = office.post(f"/v1/agreements/{agreement}/deliveries", {"duty": "semester_report", "reference": "LS/2"})
    assert delivered.json()["restored"] is False
    deployment.watch()
    assert slug(office.ask(client)) == "agreement-not-in-force"


def test_what_fell_due_before_the_agreement_came_is_not_counted(deployment) -> None:
    """An agreement whose first reports were due long ago is not cut off for what it delivered elsewhere."""
    office = Office(deployment)
    old = {name: {"due": "2026-01-31", "every_months": 1} for name in ("return_data", "semester_report")}
    _, _, client = office.bring_in(duties=old)
    deployment.watch()
    assert office.ask(client).status_code == 200


def test_a_day_reconciles_with_the_ledger_to_the_rupiah(deployment) -> None:
    """The signed statement is what anybody computes from the entries of its range, across a change of the tariff."""
    office = Office(deployment)
    partner, agreement, client = office.bring_in()
    for _ in range(3):
        assert office.ask(client).status_code == 200
    dearer = fields(
        allowance={"burst": 1000, "day": 5000, "month": 50_000, "tariff": 1500, "prepaid": False},
        dpia={"reference": "DPIA/2", "date": "2026-11-01"},
    )
    version = office.post(f"/v1/agreements/{agreement}/versions", dearer).json()
    assert office.approve(office.propose(version)).status_code == 200
    for _ in range(2):
        assert office.ask(client).status_code == 200
    assert slug(office.ask(client, claims={})) == "claims-missing"
    today = jakarta_date(deployment.clock.now()).isoformat()
    path = f"/v1/statements/{today}"
    early = client.call("GET", path)
    assert (early.status_code, slug(early)) == (404, "not-found")

    pass_time(deployment, days=2)
    reply = client.call("GET", path)
    assert reply.status_code == 200, reply.text
    told = reply.json()["statement"]
    assert (told["sub"], told["date"], told["iss"]) == (partner, today, deployment.issuer)
    keys = {key["kid"]: OKPKey.import_key(key) for key in deployment.http.get("/keys").json()["keys"]}
    header = json.loads(base64.urlsafe_b64decode(reply.json()["jws"].split(".")[0] + "=="))
    verified = jws.deserialize_compact(reply.json()["jws"], keys[header["kid"]], algorithms=["EdDSA", "Ed25519"])
    assert json.loads(verified.payload) == told

    first, last = told["ledger"]["from"], told["ledger"]["to"]
    database = Database(deployment.settings.database_url, deployment.clock, any_log)
    counted: Counter[tuple[str, str, int]] = Counter()
    with LedgerOf(database).snapshot() as (_, stored):
        for each in stored:
            leaf, private = json.loads(each.leaf), json.loads(each.private[32:])
            if first <= each.index < last and leaf["kind"] == "answer" and leaf["agreement"] == agreement:
                counted[leaf["agreement"], leaf["purpose"], private["price"][agreement]] += 1
    database.close()
    lines = {(line["agreement"], line["purpose"], line["price"]): line["answers"] for line in told["lines"]}
    assert lines == dict(counted)
    assert told["amount"] == sum(price * count for (_, _, price), count in counted.items()) == 3 * 1000 + 2 * 1500
    assert (told["answers"], told["refusals"]) == (5, 2)
    assert client.call("GET", path).json()["jws"] == reply.json()["jws"]
    other = office.bring_in()[2]
    assert other.call("GET", path).json()["statement"]["answers"] == 0


def test_a_balance_is_topped_up_by_two_persons_and_told_when_it_runs_out(deployment) -> None:
    """A prepayment is credited once, by two persons; 80, 90 and 100 per cent are told once each, as entries."""
    office = Office(deployment)
    allowance = {"burst": 1000, "day": 5000, "month": 50_000, "tariff": 1000}
    partner, agreement, client = office.bring_in(allowance=allowance)
    assert slug(office.ask(client)) == "balance-exhausted"
    paid = {"agreement": agreement, "amount": 10_000, "reference": f"TRF-{partner[:30]}"}
    path = f"/v1/partners/{partner}/payments"
    proposed = [office.post(path, paid).json() for _ in range(2)]
    assert slug(office.ask(client)) == "balance-exhausted"
    credited = office.approve(proposed[0])
    assert (credited.status_code, credited.json()["balance"]) == (200, 10_000)
    assert slug(office.approve(proposed[1])) == "conflict"
    assert slug(office.post(path, paid)) == "conflict"

    def told() -> list[int]:
        deployment.watch()
        entries = [private for leaf, private in deployment.entries("money") if leaf["agreement"] == agreement]
        return [each["level"] for each in entries if each.get("limit") == "balance"]

    for answers, levels in ((8, [80]), (1, [80, 90]), (1, [80, 90, 100])):
        for _ in range(answers):
            assert office.ask(client).status_code == 200
        assert told() == levels
        assert told() == levels
    assert slug(office.ask(client)) == "balance-exhausted"
    assert office.get(f"/v1/partners/{partner}/usage").json()["agreements"][0]["balance"] == 0
    listed = office.get(path).json()["items"]
    assert [(each["amount"], each["balance"]) for each in listed] == [(10_000, 10_000)]


def test_an_exemption_has_its_proof_and_two_persons(deployment) -> None:
    """A tariff of 0 is no draft without one; with one nothing else is; it ends at once, and the price with the next version."""
    office = Office(deployment)
    partner = office.register()
    free = {"burst": 10, "day": 100, "month": 1000, "tariff": 0}
    path = f"/v1/partners/{partner}"
    refused = office.post(f"{path}/agreements", fields(allowance=free)).json()
    assert "partner.exemption" in refused["missing"]
    assert slug(office.post(f"{path}/exemption", {"ground": "because", "proof": "S/1"})) == "malformed-request"
    proposed = office.post(f"{path}/exemption", {"ground": "cooperative", "proof": "S-12/2026"})
    assert proposed.status_code == 202
    assert office.get(path).json()["exemption"] is None
    assert office.approve(proposed.json()).status_code == 200
    assert office.get(path).json()["exemption"] == {"ground": "cooperative", "proof": "S-12/2026"}
    agreement = office.agree(partner, allowance=free)
    assert office.registrar.call("DELETE", f"{path}/exemption").status_code == 200
    next_ = office.post(f"/v1/agreements/{agreement}/versions", fields(allowance=free)).json()
    assert "partner.exemption" in next_["missing"]


def test_a_partner_rotates_its_own_key(deployment) -> None:
    """Proven by the old key and the new one; both serve for a while, then the old one is no good any more."""
    office = Office(deployment)
    _, _, client = office.bring_in()
    new = ProofKey()
    public = {**new.jwk, "kid": "rotated-2", "alg": "ES256"}
    whole = {**new.private_jwk, "kid": "rotated-2", "alg": "ES256"}
    successor = Partner(deployment.issuer, client.client_id, whole, deployment.http)
    jkt = b64u(_thumbprint(new.jwk))

    def rotate(key: Any, **changes: Any) -> Any:
        payload = {"client_id": client.client_id, "jkt": jkt, "iat": deployment.clock.now() // SECOND, **changes}
        return client.call("POST", "/v1/keys", {"jwk": public, "proof": jwt({"alg": "ES256"}, payload, key)})

    assert slug(rotate(ProofKey().private)) == "malformed-request"
    assert slug(rotate(new.private, client_id="bank")) == "malformed-request"
    assert slug(rotate(new.private, iat=1)) == "malformed-request"
    assert successor.request_token().status_code == 400
    rotated = rotate(new.private)
    assert rotated.status_code == 201, rotated.text
    assert slug(rotate(new.private)) == "conflict"
    assert office.ask(client).status_code == 200
    assert office.ask(successor).status_code == 200
    shown = successor.call("GET", "/v1/agreement").json()
    assert {key["kid"] for key in shown["keys"]} == {client.jwk["kid"], "rotated-2"}
    old = next(key for key in shown["keys"] if key["kid"] == client.jwk["kid"])
    assert old["expires"] == next(key["expires"] for key in rotated.json()["keys"] if key["kid"] == client.jwk["kid"])
    assert old["expires"] < rfc3339_seconds(deployment.clock.now() + 15 * DAY)
    assert shown["seen_address"]

    pass_time(deployment, days=15)
    deployment.watch()
    assert client.request_token().status_code == 400
    assert office.ask(successor).status_code == 200
    duty = office.get(f"/v1/duties?partner={shown['partner']['id']}").json()["items"]
    assert [each["about"] for each in duty if each["duty"] == "key_expiry"] == [f"{client.client_id}/rotated-2"]


def _thumbprint(jwk: dict[str, str]) -> bytes:
    import hashlib  # noqa: PLC0415  RFC 7638, written apart from the gateway's own

    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest()


def test_an_approver_sees_what_a_change_would_have_refused(deployment) -> None:
    """The last 30 days' answers are decided again under the new terms: by cause and by purpose, before anything changes."""
    office = Office(deployment)
    two = {
        name: {"sector_law": "banking", "disclosure": "status", "inform": ["sex"]}
        for name in ("account_opening", "claim_eligibility")
    }
    _, agreement, client = office.bring_in(purposes=two)
    for purpose, claims in (("account_opening", {}), ("account_opening", {"sex": "M"}), ("claim_eligibility", {})):
        question = deployment.question("", deployment.resident(), purpose=purpose)
        question["claims"] |= claims
        assert client.verify(question).status_code == 200
    narrower = {"account_opening": {"sector_law": "banking", "disclosure": "status"}}
    draft = office.post(
        f"/v1/agreements/{agreement}/versions", fields(purposes=narrower, dpia={"reference": "D", "date": "2026-11-02"})
    ).json()
    proposed = office.propose(draft)
    shown = office.get(f"/v1/approvals/{proposed['approval']}", by=office.approver).json()
    replay = shown["replay"]
    assert (replay["answered"], replay["refused"], replay["unknown"], replay["complete"]) == (3, 2, 0, True)
    assert replay["causes"] == {"claim-not-agreed": 1, "purpose-not-agreed": 1}
    assert replay["purposes"] == {"account_opening": 1, "claim_eligibility": 1}
    changes = {each["path"]: each for each in shown["difference"]}
    assert changes["purposes.claim_eligibility"]["effect"] == "narrows"
    assert changes["purposes.claim_eligibility"]["text"].keys() == {"id", "en"}
    assert new_name()
