"""How does somebody get past the second person? Over HTTP, in every way that was thought of."""

from __future__ import annotations

import pytest
from desk import Office, fields, new_name, slug
from partner import Partner, ProofKey

DATABASES = ("postgresql",)  # two workers there; what is asked here does not depend on the database


def _staff(office: Office, person: str, scopes: list[str]) -> Partner:
    """A new credential of a person, brought in by registrar and approver."""
    key = ProofKey()
    client_id = new_name().lower().replace(" ", "-")
    public = {**key.jwk, "kid": "1", "alg": "ES256"}
    body = {"client_id": client_id, "person": person, "scopes": scopes, "jwk": public}
    proposed = office.post("/v1/staff", body)
    assert proposed.status_code == 202, proposed.text
    approved = office.approve(proposed.json(), by=office.second)
    assert approved.status_code == 200, approved.text
    whole = {**key.private_jwk, "kid": "1", "alg": "ES256"}
    return Partner(office.gateway.issuer, client_id, whole, office.gateway.http)


def test_nobody_approves_what_they_proposed(office) -> None:
    """Not even with another credential of the same person, however their name is written there."""
    other = _staff(office, "demo  REGISTRAR", ["partners.read", "partners.approve"])
    proposed = office.propose(office.draft(office.register()))
    refused = office.approve(proposed, by=other)
    assert (refused.status_code, slug(refused)) == (403, "same-person")
    refused = office.post(f"/v1/approvals/{proposed['approval']}/reject", {"reason": "no"}, by=other)
    assert slug(refused) == "same-person"
    assert office.get(f"/v1/approvals/{proposed['approval']}").json()["state"] == "open"
    assert office.approve(proposed).status_code == 200


def test_whoever_had_a_hand_in_a_draft_does_not_approve_it(office) -> None:
    """Somebody who drafted what another proposed is no second person either."""
    both = _staff(office, "Demo Approver", ["partners.read", "partners.write"])
    draft = office.post(f"/v1/partners/{office.register()}/agreements", fields(), by=both).json()
    proposed = office.propose(draft)
    assert slug(office.approve(proposed, by=office.approver)) == "same-person"
    assert office.approve(proposed, by=office.second).status_code == 200


def test_write_and_approve_stand_in_no_token(office) -> None:
    """A registrar's token approves nothing, an approver's writes nothing."""
    proposed = office.propose(office.draft(office.register()))
    refused = office.approve(proposed, by=office.registrar)
    assert (refused.status_code, slug(refused), refused.json()["scope"]) == (
        403,
        "insufficient-scope",
        "partners.approve",
    )
    refused = office.post("/v1/partners", {"name": new_name(), "class": "bank"}, by=office.approver)
    assert slug(refused) == "insufficient-scope"


def test_an_approval_is_bound_to_what_was_seen(office) -> None:
    """Another digest, a draft that was amended since, a proposal that was decided already: 412."""
    partner = office.register()
    draft = office.draft(partner)
    proposed = office.propose(draft)
    refused = office.approve({**proposed, "digest": "A" * 43})
    assert (refused.status_code, slug(refused)) == (412, "conflict")
    path = f"/v1/agreements/{draft['agreement']}/versions/1"
    assert slug(office.registrar.call("PUT", path, fields())) == "conflict"
    withdrawn = office.post(f"/v1/approvals/{proposed['approval']}/withdraw", {"reason": "a mistake"})
    assert withdrawn.json()["state"] == "withdrawn"
    wider = fields(allowance={"burst": 9000, "day": 9_000_000, "month": 90_000_000, "tariff": 1000})
    amended = office.registrar.call("PUT", path, wider).json()
    again = office.propose(amended)
    assert slug(office.approve(proposed)) == "conflict"
    assert slug(office.approve({**again, "digest": proposed["digest"]})) == "conflict"
    assert office.approve(again).status_code == 200
    assert slug(office.approve(again)) == "conflict"


def test_an_approval_is_bound_to_what_stood_then(office) -> None:
    """A proposal whose ground has moved cannot be approved: another version came first, another suspension was imposed."""
    partner = office.register()
    agreement = office.agree(partner)
    newer = {"dpia": {"reference": "DPIA/2", "date": "2026-11-01"}}
    drafts = [
        office.post(
            f"/v1/agreements/{agreement}/versions",
            fields(allowance={"burst": 1, "day": day, "month": 900, "tariff": 1}, **newer),
        )
        for day in (10, 20)
    ]
    first, second = (office.propose(each.json()) for each in drafts)
    assert office.approve(first).status_code == 200
    assert slug(office.approve(second)) == "conflict"

    office.post(f"/v1/agreements/{agreement}/suspend", {"reason": "late_report"})
    resumed = office.post(f"/v1/agreements/{agreement}/resume").json()
    office.post(f"/v1/agreements/{agreement}/suspend", {"reason": "breach", "purpose": "account_opening"})
    assert slug(office.approve(resumed)) == "conflict"
    assert office.get(f"/v1/agreements/{agreement}").json()["state"] == "suspended"


def test_a_stale_etag_changes_nothing(office) -> None:
    """If-Match with another state than the present one is 412, whatever the act; with the present one it goes through."""
    partner = office.register()
    shown = office.get(f"/v1/partners/{partner}")
    etag = shown.headers["etag"]
    draft = office.draft(partner)
    stale = office.post(f"/v1/partners/{partner}/suspend", {"reason": "emergency"}, If_Match=etag)
    assert (stale.status_code, slug(stale)) == (412, "conflict")
    path = f"/v1/agreements/{draft['agreement']}/versions/1"
    etag = office.get(path).headers["etag"]
    assert (
        office.registrar.call("PUT", path, fields(supervising_ministry="BI"), headers={"If-Match": etag}).status_code
        == 200
    )
    stale = office.post(f"{path}/propose", If_Match=etag)
    assert (stale.status_code, slug(stale)) == (412, "conflict")
    fresh = office.get(path).headers["etag"]
    assert office.post(f"{path}/propose", If_Match=f'"other", {fresh}').status_code == 202


@pytest.mark.parametrize("client_id", ["auditor", "regency", "bpjs"])
def test_other_tokens_do_not_administer(office, client_id: str) -> None:
    """Auditors, regency offices and partners are refused by every call of the office, with a sealed refusal."""
    stranger = office.gateway.partner(client_id)
    partner = office.register()
    proposed = office.propose(office.draft(partner))
    for reply in (
        office.post("/v1/partners", {"name": new_name(), "class": "bank"}, by=stranger),
        office.post(f"/v1/partners/{partner}/suspend", {"reason": "emergency"}, by=stranger),
        office.post(f"/v1/partners/{partner}/keys", {"jwk": ProofKey().jwk}, by=stranger),
        office.approve(proposed, by=stranger),
        office.get(f"/v1/partners/{partner}/usage", by=stranger),
        office.get("/v1/partners", by=stranger),
        office.get("/v1/approvals", by=stranger),
        stranger.call("DELETE", f"/v1/partners/{partner}/keys/x"),
    ):
        assert (reply.status_code, slug(reply)) == (403, "insufficient-scope"), reply.text
        assert "entry" in reply.json()


def test_a_replayed_proof_does_nothing_twice(office) -> None:
    """The very same call again is refused, and what it would have done is not done."""
    registrar, name = office.registrar, new_name()
    proof = registrar.proof("POST", "/v1/partners", registrar.token())
    assert registrar.call("POST", "/v1/partners", {"name": name, "class": "bank"}, proofs=[proof]).status_code == 201
    again = registrar.call("POST", "/v1/partners", {"name": name + " 2", "class": "bank"}, proofs=[proof])
    assert (again.status_code, slug(again)) == (401, "invalid-dpop-proof")
    names = {each["name"] for each in office.get("/v1/partners?limit=200").json()["items"]}
    assert name in names
    assert name + " 2" not in names


def test_a_dismissed_administrator_does_nothing_more(office) -> None:
    """Whoever is dismissed is refused from the next call on, with the token that they still hold."""
    gone = _staff(office, "Somebody Else", ["partners.read", "partners.write"])
    assert office.get("/v1/partners", by=gone).status_code == 200
    assert office.registrar.call("DELETE", f"/v1/staff/{gone.client_id}").status_code == 200
    assert slug(office.post("/v1/partners", {"name": new_name(), "class": "bank"}, by=gone)) == "invalid-token"


def test_nobody_makes_themselves_an_administrator(office) -> None:
    """Whose credential it is, and who proposed it, cannot approve it; a partner's scope is none of the house's."""
    public = {**ProofKey().jwk, "kid": "1"}
    body = {
        "client_id": "second-approver-too",
        "person": "Demo Second Approver",
        "scopes": ["partners.write"],
        "jwk": public,
    }
    proposed = office.post("/v1/staff", body).json()
    assert slug(office.approve(proposed, by=office.second)) == "same-person"
    assert slug(office.post("/v1/staff", {**body, "scopes": ["nik.verify"]})) == "malformed-request"


def test_a_suspended_partner_is_answered_nothing(office) -> None:
    """One person suspends a whole partner at once; two let it back."""
    partner, _, client = office.bring_in()
    assert office.ask(client).status_code == 200
    assert office.post(f"/v1/partners/{partner}/suspend", {"reason": "emergency"}).status_code == 200
    assert slug(office.ask(client)) == "agreement-not-in-force"
    resumed = office.post(f"/v1/partners/{partner}/resume")
    assert resumed.status_code == 202
    assert slug(office.ask(client)) == "agreement-not-in-force"
    assert office.approve(resumed.json()).status_code == 200
    assert office.ask(client).status_code == 200


def test_a_removed_key_is_worth_nothing(office) -> None:
    """A key goes at once, with the tokens that were got with it."""
    partner, _, client = office.bring_in()
    assert office.ask(client).status_code == 200
    kid = client.jwk["kid"]
    assert {each["kid"] for each in office.get(f"/v1/partners/{partner}/keys").json()["items"]} == {kid}
    removed = office.registrar.call("DELETE", f"/v1/partners/{partner}/keys/{kid}")
    assert (removed.status_code, removed.json()["left"]) == (200, 0)
    assert slug(office.ask(client)) == "invalid-token"
    assert client.request_token().status_code == 400


def test_a_purpose_is_suspended_alone(office) -> None:
    """One purpose is refused while another is answered."""
    two = {name: {"sector_law": "banking", "disclosure": "status"} for name in ("account_opening", "claim_eligibility")}
    _, agreement, client = office.bring_in(purposes=two)
    done = office.post(f"/v1/agreements/{agreement}/suspend", {"reason": "drift", "purpose": "account_opening"})
    assert done.json()["suspended_purposes"] == ["account_opening"]
    assert slug(office.ask(client)) == "agreement-not-in-force"
    question = office.gateway.question(client.client_id, office.gateway.resident(), purpose="claim_eligibility")
    assert client.verify(question).status_code == 200


def test_no_private_key_is_taken(office) -> None:
    """A key that holds its private part, is too weak or says nothing is refused, and not shown."""
    partner, key = office.register(), ProofKey()
    reply = office.post(f"/v1/partners/{partner}/keys", {"jwk": {**key.private_jwk, "kid": "1"}})
    assert slug(reply) == "malformed-request"
    assert key.private_jwk["d"] not in reply.text
    for body in (
        {},
        {"jwk": {}},
        {"jwk": {"kty": "oct", "k": "c2VjcmV0"}},
        {"certificate": "none"},
        {"jwk": key.jwk, "certificate": "x"},
    ):
        assert slug(office.post(f"/v1/partners/{partner}/keys", body)) == "malformed-request"
