"""How does a partner live, from its registration to its end? Over HTTP, with three persons."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from click.testing import CliRunner
from contract import RECEIPT
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from deployment import wait_for
from desk import fields, new_name, slug
from partner import ProofKey, b64u

from gateway.cli.staff import staff


def test_a_draft_is_discarded_over_http(office) -> None:
    """With what was read as a condition; then it is gone, with the agreement that was no more than it; it cannot be had twice."""
    draft = office.draft(office.register())
    path = f"/v1/agreements/{draft['agreement']}/versions/1"
    held = office.get(path).headers["etag"]
    assert slug(office.registrar.call("DELETE", path, headers={"If-Match": '"another"'})) == "conflict"
    assert slug(office.approver.call("DELETE", path)) == "insufficient-scope"
    gone = office.registrar.call("DELETE", path, headers={"If-Match": held})
    assert (gone.status_code, gone.json()["state"]) == (200, "discarded"), gone.text
    for reply in (
        office.get(path),
        office.get(f"/v1/agreements/{draft['agreement']}"),
        office.registrar.call("DELETE", path),
    ):
        assert slug(reply) == "not-found"


def test_a_partner_lives_from_registration_to_its_end(office) -> None:
    """Registered, drafted, proposed, approved, keyed, asked, suspended, resumed, amended, terminated: each by who may."""
    name = new_name()
    registered = office.post("/v1/partners", {"name": name, "class": "bank"})
    assert registered.status_code == 201
    partner = registered.json()["id"]
    assert registered.headers["location"] == f"/v1/partners/{partner}"
    shown = office.get(f"/v1/partners/{partner}")
    assert (shown.status_code, shown.json().get("name")) == (200, name), shown.text

    drafted = office.post(f"/v1/partners/{partner}/agreements", fields(dpia=None, purposes=None))
    assert drafted.status_code == 201
    draft = drafted.json()
    assert (draft["version"], draft["state"]) == (1, "draft")
    assert {"dpia", "purposes"} <= set(draft["missing"])
    path = f"/v1/agreements/{draft['agreement']}/versions/1"
    assert slug(office.post(f"{path}/propose")) == "malformed-request"

    amended = office.registrar.call("PUT", path, fields(), headers={"If-Match": drafted.headers["etag"]})
    assert (amended.status_code, amended.json()["missing"]) == (200, [])
    proposed = office.propose(amended.json())
    assert proposed["digest"] == amended.json()["digest"]
    assert office.get(path).json()["state"] == "proposed"
    approved = office.approve(proposed)
    assert approved.status_code == 200, approved.text
    agreement = approved.json()["agreement"]
    assert office.get(f"/v1/agreements/{agreement}").json()["state"] == "in_force"

    client = office.add_key(partner)
    assert office.ask(client).json()["usable"] is True
    usage = office.get(f"/v1/partners/{partner}/usage").json()
    assert usage["agreements"][0]["limits"]["day"]["spent"] == 1

    suspended = office.post(f"/v1/agreements/{agreement}/suspend", {"reason": "breach_of_purpose"})
    assert (suspended.status_code, suspended.json()["state"]) == (200, "suspended")
    assert slug(office.ask(client)) == "agreement-not-in-force"
    resumed = office.post(f"/v1/agreements/{agreement}/resume")
    assert resumed.status_code == 202
    assert slug(office.ask(client)) == "agreement-not-in-force"
    assert office.approve(resumed.json(), by=office.second).status_code == 200
    assert office.ask(client).json()["usable"] is True

    wider = {"account_opening": {"sector_law": "banking", "disclosure": "claims"}}
    second = office.post(f"/v1/agreements/{agreement}/versions", fields(purposes=wider))
    assert second.json()["missing"] == ["dpia.date"]
    newer = {"reference": "DPIA/2", "date": "2026-11-01"}
    second = office.registrar.call("PUT", f"/v1/agreements/{agreement}/versions/2", fields(purposes=wider, dpia=newer))
    assert second.json()["missing"] == []
    assert "claims" not in office.ask(client).json()
    assert office.approve(office.propose(second.json())).status_code == 200
    assert office.ask(client).json()["claims"] == {"name": "match", "birth_date": "match"}

    ended = office.post(f"/v1/agreements/{agreement}/terminate", {"reason": "end_of_business"})
    assert (ended.status_code, ended.json()["state"]) == (200, "terminated")
    refused = office.ask(client)
    assert (slug(refused), refused.json()["state"]) == ("agreement-not-in-force", "terminated")
    assert slug(office.post(f"/v1/agreements/{agreement}/versions", fields())) == "conflict"


def test_every_answer_of_the_office_is_sealed(office) -> None:
    """Acts, reads and refusals alike bring nonce and entry, and are told by no cache."""
    partner = office.register()
    for reply in (
        office.get(f"/v1/partners/{partner}"),
        office.get("/v1/approvals?state=open&limit=1"),
        office.post(f"/v1/partners/{partner}/suspend", {"reason": "emergency"}),
        office.post("/v1/partners", {"name": "", "class": "bank"}),
        office.get("/v1/partners/nobody-of-this-name"),
    ):
        assert reply.json().keys() >= RECEIPT - {"id"}, reply.text
        assert reply.headers["cache-control"] == "no-store"
        assert "signature" in reply.headers


def test_lists_come_by_pages(office) -> None:
    """Each page ends in the cursor of the next; together they are the list, and the last has none."""
    for _ in range(3):
        office.register()
    whole = [each["id"] for each in office.get("/v1/partners?limit=200").json()["items"]]
    paged: list[str] = []
    cursor = ""
    while True:
        page = office.get(f"/v1/partners?limit=2{cursor}").json()
        assert len(page["items"]) <= 2
        paged += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert paged == whole
    for query in ("limit=0", "limit=201", "limit=x", "colour=red", "cursor=a&cursor=b"):
        assert slug(office.get(f"/v1/partners?{query}")) == "malformed-request"


def test_a_certificate_is_proposed_like_a_key(office) -> None:
    """Its thumbprint is what is shown, its own end is when it ends, and two persons are needed."""
    partner = office.register()
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, partner)])
    now = datetime.now(UTC).replace(microsecond=0)
    built = x509.CertificateBuilder(name, name, private.public_key(), 1, now, now + timedelta(days=90))
    certificate = built.sign(private, hashes.SHA256())
    pem = certificate.public_bytes(Encoding.PEM).decode()
    proposed = office.post(f"/v1/partners/{partner}/keys", {"certificate": pem})
    assert proposed.status_code == 202, proposed.text
    assert office.get(f"/v1/partners/{partner}/keys").json()["items"] == []
    assert office.approve(proposed.json()).status_code == 200
    (shown,) = office.get(f"/v1/partners/{partner}/keys").json()["items"]
    assert shown["certificate"] == b64u(sha256(certificate.public_bytes(Encoding.DER)).digest())
    assert shown["auth_method"] == "self_signed_tls_client_auth"
    assert shown["expires"] == (now + timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    late = {"certificate": pem, "expires": (now + timedelta(days=200)).strftime("%Y-%m-%d"), "client_id": "other"}
    assert slug(office.post(f"/v1/partners/{partner}/keys", late)) == "malformed-request"


def test_bodies_are_strict_and_never_echoed(office) -> None:
    """Unknown members, other media, a wrong digest, and texts that could hold a NIK are refused without being repeated."""
    nik = "7402154505909001"
    for body in (
        {"name": "Bank", "class": "bank", "colour": "red"},
        {"name": f"Bank {nik}", "class": "bank"},
        {"name": "Bank\nLain", "class": "bank"},
        {"name": "Bank", "class": "circus"},
        {"name": "Bank"},
        [],
    ):
        reply = office.post("/v1/partners", body)
        assert (reply.status_code, slug(reply)) == (400, "malformed-request"), reply.text
        assert nik not in reply.text
    reply = office.registrar.call("POST", "/v1/partners", b"name=x", headers={"Content-Type": "text/plain"})
    assert slug(reply) == "unsupported-media-type"
    digest = {"Content-Digest": "sha-256=:" + "A" * 43 + "=:"}
    assert (
        slug(office.registrar.call("POST", "/v1/partners", {"name": "B", "class": "bank"}, headers=digest))
        == "digest-mismatch"
    )
    missing = office.get(f"/v1/partners/{nik}")
    assert (slug(missing), nik in missing.text) == ("not-found", False)
    reply = office.registrar.call("DELETE", "/v1/partners")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, POST")


def test_a_new_key_lets_in_whoever_was_refused_before_it(office) -> None:
    """A client whose only key was removed is in again within a second of the approval of another, without a restart."""
    partner, _, client = office.bring_in()
    assert office.ask(client).status_code == 200
    removed = office.registrar.call("DELETE", f"/v1/partners/{partner}/keys/{client.jwk['kid']}")
    assert removed.status_code == 200
    assert client.request_token().status_code == 400
    fresh = office.add_key(partner)
    wait_for("the new key", lambda: fresh.request_token().status_code == 200, 5)


def test_a_name_is_registered_once(office) -> None:
    """The same institution twice is a conflict; one of another name gets another id."""
    name = new_name()
    first = office.post("/v1/partners", {"name": name, "class": "bank"}).json()["id"]
    assert slug(office.post("/v1/partners", {"name": name, "class": "bank"})) == "conflict"
    other = office.post("/v1/partners", {"name": name.upper() + "!", "class": "bank"}).json()["id"]
    assert other == f"{first}-2"


def test_the_command_line_adds_with_two_persons_too(office) -> None:
    """`staff add` takes a proposer and another person; `staff list` shows whose each credential is; `dismiss` takes it."""
    config = ["--config", str(office.gateway.directory / "gateway.toml")]
    key = office.gateway.directory / "public.jwk"
    key.write_text(json.dumps({**ProofKey().jwk, "kid": "1"}))
    client_id = new_name().lower().replace(" ", "-")
    words = ["add", client_id, "--person", "Tiga", "--scope", "audit.read", "--key", str(key), *config]
    run = CliRunner().invoke
    for proposer, approver, code in (("Satu", "SATU", 1), ("Satu", "Tiga", 1), ("Satu", "Dua", 0)):
        assert run(staff, [*words, "--proposer", proposer, "--approver", approver]).exit_code == code
    listed = json.loads(run(staff, ["list", "--json", *config]).output)["staff"]
    assert {"client_id": client_id, "person": "Tiga", "scopes": ["audit.read"]} in listed
    assert run(staff, ["dismiss", client_id, "--by", "Satu", *config]).exit_code == 0
    assert run(staff, ["dismiss", client_id, "--by", "Satu", *config]).exit_code == 1
