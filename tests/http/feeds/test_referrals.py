"""How does a NIK that does not work come to work again? From a partner's answer to the office and back (wire contract §7)."""

from __future__ import annotations

from typing import Any

import pytest
from desk import slug
from regency import RegencyOffice, change

PARTNER = {"id", "ticket", "state", "due_at", "changed_at"}
SEALED = {"receipt", "answered_at", "nonce", "entry", "billed"}


@pytest.fixture
def office(gateway) -> RegencyOffice:
    """The first office."""
    return RegencyOffice(gateway)


def ask(office: RegencyOffice, person: dict[str, Any], client_id: str = "tax", **claims: str) -> dict[str, Any]:
    """The answer that a partner gets about somebody."""
    basic = {name: person["claims"][name] for name in ("name", "birth_date")} | claims
    purpose = {"tax": "taxpayer_registration", "bank": "account_opening"}[client_id]
    body = {"nik": person["nik"], "purpose": purpose, "claims": basic}
    document: dict[str, Any] = office.gateway.partner(client_id).verify(body).json()
    return document


def refer(
    office: RegencyOffice, person: dict[str, Any], answer: dict[str, Any], client_id: str = "tax", **more: str
) -> Any:
    """The reply to a referral by a partner."""
    body = {"nik": person["nik"], "answer_id": answer["id"], **more}
    return office.gateway.partner(client_id).call("POST", "/v1/referrals", body)


def queue(office: RegencyOffice, case: str) -> dict[str, Any]:
    """A case as its office sees it."""
    reply = office.client.call("GET", f"/v1/referrals/{case}")
    assert reply.status_code == 200, reply.text
    document: dict[str, Any] = reply.json()
    return document


def act(office: RegencyOffice, case: str, what: str, body: object = None) -> Any:
    """The reply to what an office does with a case."""
    return office.client.call("POST", f"/v1/referrals/{case}/{what}", body)


def test_a_case_goes_to_the_office_and_closes_by_itself(office: RegencyOffice) -> None:
    """A blocked NIK is referred, its office alone sees it and why, mends it by its feed, and the partner sees it mended."""
    someone = office.newborn()
    office.born(someone, recorded=False)
    answer = ask(office, someone)
    assert answer["reason"] == "biometric_not_recorded"
    opened = refer(office, someone, answer)
    assert opened.status_code == 201, opened.text
    case = opened.json()
    assert case.keys() == PARTNER | SEALED
    assert case["state"] == "received"
    assert refer(office, someone, answer).json()["id"] == case["id"]  # one open case for one resident
    seen = queue(office, case["id"])
    assert (seen["nik"], seen["cause"], seen["by"]) == (someone["nik"], "biometric_not_recorded", "tax")
    assert (seen["clock"], seen["next_step"]["action"]) == ("running", "record_biometrics")
    assert RegencyOffice(office.gateway, 1).client.call("GET", f"/v1/referrals/{case['id']}").status_code == 404
    assert office.gateway.partner("bank").call("GET", f"/v1/referrals/{case['id']}").status_code == 404
    assert act(office, case["id"], "check").json()["state"] == "checked"
    office.send([change(someone["nik"], "biometric_recorded")])
    told = office.gateway.partner("tax").call("GET", f"/v1/referrals/{case['id']}").json()
    assert (told.keys(), told["state"]) == (PARTNER | SEALED, "mended")
    closed = queue(office, case["id"])
    assert (closed["state"], closed["nik"], closed["cause"]) == ("mended", None, None)
    assert slug(act(office, case["id"], "mend")) == "conflict"


def test_unknown_and_mismatch_are_referred_alike(office: RegencyOffice) -> None:
    """Opening tells nothing: same members, same length, to the office that the partner names; nothing closes by itself."""
    known = office.newborn()
    office.born(known)
    cases = []
    for person, wrong in ((known, {"birth_date": "1931-03-03"}), (office.newborn(), {})):
        opened = refer(office, person, ask(office, person, "bank", **wrong), "bank", regency=office.code)
        assert opened.status_code == 201, opened.text
        cases.append(opened)
    assert len({(len(each.content), tuple(each.json()), each.json()["state"]) for each in cases}) == 1
    seen = [queue(office, each.json()["id"]) for each in cases]
    assert [one["cause"] for one in seen] == ["mismatch", "not_found"]
    office.send([change(known["nik"], "element_corrected", claims={"address": "JL. UJI"})])
    states = {office.gateway.partner("bank").call("GET", f"/v1/referrals/{one['id']}").json()["state"] for one in seen}
    assert states == {"received"}
    act(office, seen[1]["id"], "check")
    assert slug(act(office, seen[1]["id"], "reject", {"reason": "because"})) == "malformed-request"
    assert act(office, seen[1]["id"], "reject", {"reason": "not_found"}).status_code == 200
    told = office.gateway.partner("bank").call("GET", f"/v1/referrals/{seen[1]['id']}").json()
    assert (told["state"], told["outcome"]["reason"]) == ("rejected", "not_found")


def test_only_an_own_answer_that_was_not_usable_can_be_referred(office: RegencyOffice) -> None:
    """Another's answer, an answer about somebody else, a usable one, one that never was: alike refused, nothing opened."""
    blocked, active = office.newborn(), office.newborn()
    office.born(blocked, recorded=False)
    office.born(active)
    answer, usable = ask(office, blocked), ask(office, active)
    tries = [
        refer(office, blocked, answer, "bank"),
        refer(office, active, answer),
        refer(office, active, usable),
        refer(office, blocked, {"id": "00000000-0000-7000-8000-000000000000"}),
        office.gateway.partner("tax").call("POST", "/v1/referrals", {"nik": blocked["nik"]}),
    ]
    assert {(each.status_code, slug(each)) for each in tries} == {(422, "previous-unknown")}
    mine = office.client.call("GET", "/v1/referrals").json()["items"]
    assert blocked["nik"] not in {one["nik"] for one in mine}


def test_an_officer_opens_refers_on_and_lists(gateway) -> None:
    """A resident without a partner: the officer opens the case; referred on, it is the other office's, and its clock goes on."""
    first, second = RegencyOffice(gateway, 0), RegencyOffice(gateway, 1)
    someone = first.newborn()
    first.born(someone, recorded=False)
    body = {"nik": someone["nik"], "ticket": "LOKET-7"}
    assert second.client.call("POST", "/v1/referrals", body).status_code == 404
    opened = first.client.call("POST", "/v1/referrals", body)
    assert opened.status_code == 201, opened.text
    case = opened.json()
    proof = first.client.proof("GET", "/v1/referrals", first.client.token())
    listed = first.client.call("GET", f"/v1/referrals?state=received&regency={first.code}", proofs=[proof]).json()[
        "items"
    ]
    assert [one["by"] for one in listed if one["id"] == case["id"]] == ["office"]
    assert act(first, case["id"], "refer", {"regency": second.code}).status_code == 200
    assert first.client.call("GET", f"/v1/referrals/{case['id']}").status_code == 404
    moved = queue(second, case["id"])
    assert (moved["state"], moved["due_at"], moved["cause"]) == ("received", case["due_at"], "not_found")
    act(second, case["id"], "check")
    assert act(second, case["id"], "mend").json()["state"] == "mended"


def test_a_mended_case_is_asked_about_once_for_free(office: RegencyOffice) -> None:
    """With the mended case a question is unbilled and costs no attempt, once; another NIK, partner or a second time: refused."""
    someone, other = office.newborn(), office.newborn()
    office.born(someone, recorded=False)
    office.born(other)
    bank, tax = office.gateway.partner("bank"), office.gateway.partner("tax")
    case = refer(office, someone, ask(office, someone, "bank"), "bank").json()["id"]
    basic = {name: someone["claims"][name] for name in ("name", "birth_date")}
    body = {"nik": someone["nik"], "purpose": "account_opening", "claims": basic, "referral": case}

    def refused(reply: Any) -> bool:
        return slug(reply) == "malformed-request" and reply.json()["members"] == ["referral"]

    assert refused(bank.verify(body))  # not mended yet
    office.send([change(someone["nik"], "biometric_recorded")])
    spent = bank.spent()
    assert refused(bank.verify(body | {"nik": other["nik"]}))
    assert refused(tax.verify(body | {"purpose": "taxpayer_registration"}))
    key = {"Idempotency-Key": f'"{case}"'}
    replies = [bank.verify(body, headers=key) for _ in range(2)]
    assert [(each.json()["usable"], each.json()["billed"]) for each in replies] == [(True, False)] * 2
    assert replies[0].content == replies[1].content
    assert bank.spent() == spent
    assert refused(bank.verify(body))
    assert bank.verify({name: value for name, value in body.items() if name != "referral"}).json()["billed"] is True
