"""Are many questions in one call answered like single ones (wire contract §3)? Order, refusals of items, allowance."""

from __future__ import annotations

from typing import Any

from contract import (
    EXPLAINED_BY_CLAIMS,
    MATCHED_BY_CLAIMS,
    STATUS_MEMBERS,
    UNMATCHED,
    answer,
    problem,
    receipt,
    refused,
)
from served import OBSERVED, Gateway, Resident

PURPOSE = "claim_eligibility"
SITI = {"name": "SITI", "birth_date": "1990-05-05"}


def item(gateway: Gateway, ref: str, resident: Resident, **members: Any) -> dict[str, Any]:
    body = gateway.question("bpjs", resident)
    return {"ref": ref, "nik": body["nik"], "claims": body["claims"]} | members


def test_the_register_is_told_as_it_is(gateway) -> None:
    """Status and reason of some hundred residents, asked in one batch, are those of the sample, orders apart."""
    people = gateway.people[:OBSERVED]
    items = [item(gateway, f"row-{n}", person) for n, person in enumerate(people)]
    reply = gateway.partner("bpjs").verify_batch({"purpose": PURPOSE, "items": items})
    assert reply.status_code == 200, reply.text
    told = reply.json()["items"]
    assert [one["ref"] for one in told] == [f"row-{n}" for n in range(len(people))]
    for person, document in zip(people, told, strict=True):
        reason = "anomaly" if person["reason"] == "by_order" else person["reason"]
        assert (document["status"], document.get("reason")) == (person["status"], reason), person
        answer(document, {"ref"} | (EXPLAINED_BY_CLAIMS if reason else MATCHED_BY_CLAIMS))
    assert len({document["entry"] for document in told}) == len({document["nonce"] for document in told}) == len(told)
    assert {person["status"] for person in people} == {"active", "blocked", "stale"}


def test_items_are_refused_one_by_one(gateway) -> None:
    """What is wrong with one item is told in its place, with a receipt; its neighbours are answered and charged."""
    partner = gateway.partner("bpjs")
    good, other, nobody = gateway.resident(), gateway.resident(), gateway.unknown()
    items: list[tuple[Any, str]] = [
        (item(gateway, "a", good), ""),
        (item(gateway, "b", good, nik="123"), "nik-format"),
        (item(gateway, "c", other, claims={"name": "SITI"}), "claims-missing"),
        (item(gateway, "d", other, claims={**SITI, "religion": "X"}), "claim-not-agreed"),
        (item(gateway, "e", other, claims={"name": "SITI", "birth_date": "yesterday"}), "malformed-request"),
        (item(gateway, "f", nobody), ""),
        (item(gateway, "g", good, previous="no-such-answer"), "previous-unknown"),
        (item(gateway, "h", good, nik=None, newborn=True), "nik-not-yet-issued"),
        (item(gateway, "i", good, unknown=1), "malformed-request"),
        ("no object", "malformed-request"),
        (item(gateway, "3201010101909001", good), "malformed-request"),
        (item(gateway, "l", other), ""),
    ]  # fmt: skip
    before = partner.spent()
    reply = partner.verify_batch(
        {"purpose": PURPOSE, "items": [one for one, _ in items]}, headers={"Accept-Language": "en"}
    )
    told = reply.json()["items"]
    assert len(told) == len(items)
    assert partner.spent() == before + 3
    for (asked, slug), document in zip(items, told, strict=True):
        receipt(document)
        if slug:
            problem(document, slug, gateway.issuer)
        if isinstance(asked, dict) and slug != "malformed-request":
            assert document["ref"] == asked["ref"]
    answer(told[0], {"ref"} | MATCHED_BY_CLAIMS)
    answer(told[5], {"ref"} | UNMATCHED)
    assert told[-1]["usable"] is True
    assert "3201010101909001" not in reply.text
    assert told[1]["title"] == gateway.http.get("/problems/nik-format").json()["title"]["en"]


def test_an_item_without_a_ref_is_answered_without(gateway) -> None:
    """`ref` is the caller's own word: who gives none gets none."""
    asked = item(gateway, "a", gateway.resident())
    del asked["ref"]
    reply = gateway.partner("bpjs").verify_batch({"purpose": PURPOSE, "items": [asked]})
    answer(reply.json()["items"][0], MATCHED_BY_CLAIMS)


def test_consent_of_the_batch_is_that_of_its_items(gateway) -> None:
    """`consent` beside the items holds for those that bring none of their own."""
    body = gateway.question("bank", gateway.resident())
    one = {"nik": body["nik"], "claims": body["claims"]}
    items = [one, one | {"consent": {"basis": "contract", "reference": "x"}}]
    consent = {"basis": "consent", "reference": "CIF-7"}
    asked = {"purpose": "credit_application", "items": items, "consent": consent}
    told = gateway.partner("bank").verify_batch(asked).json()["items"]
    assert told[0]["usable"] is True
    problem(told[1], "consent-missing", gateway.issuer)


def test_attempts_run_out_within_a_batch(gateway) -> None:
    """Of six wrong guesses at one NIK in one batch five are answered; the sixth and a right one are refused."""
    resident = gateway.resident()
    right = item(gateway, "right", resident)
    items = [
        item(gateway, f"g{n}", resident, claims=right["claims"] | {"birth_date": f"193{n}-03-03"}) for n in range(6)
    ]
    told = gateway.partner("bpjs").verify_batch({"purpose": PURPOSE, "items": [*items, right]}).json()["items"]
    for document in told[:5]:
        answer(document, {"ref"} | UNMATCHED)
    for document in told[5:]:
        problem(document, "attempts-exhausted", gateway.issuer)


def test_a_batch_is_bounded(gateway) -> None:
    """1,000 items are answered, 1,001 are `batch-too-large`, none is malformed; no item, nothing charged."""
    partner = gateway.partner("bpjs")
    one = {"nik": "123", "claims": {}}
    before = partner.spent()
    assert len(partner.verify_batch({"purpose": PURPOSE, "items": [one] * 1000}).json()["items"]) == 1000
    reply = partner.verify_batch({"purpose": PURPOSE, "items": [one] * 1001})
    assert refused(reply, "batch-too-large", gateway.issuer)["most"] == 1000
    for body in ({"purpose": PURPOSE, "items": []}, {"purpose": PURPOSE}, {"purpose": PURPOSE, "items": one},
                 {"items": [one]}, {"purpose": PURPOSE, "items": [one], "x": 1},
                 {"purpose": PURPOSE, "items": [one], "partial": "yes"}):  # fmt: skip
        refused(partner.verify_batch(body), "malformed-request", gateway.issuer)
    assert partner.spent() == before


def test_the_day_is_never_overspent(gateway) -> None:
    """A hundred a day are a hundred: a larger batch is refused whole and free, `partial` answers exactly what fits."""
    partner = gateway.partner("frugal")

    def limits() -> tuple[int, int]:
        day = partner.call("GET", "/v1/usage").json()["agreements"][0]["limits"]["day"]
        return day["spent"], day["left"]

    spent, left = limits()
    assert spent + left == 100
    body = gateway.question("frugal", gateway.resident())
    first = partner.verify(body)
    answer(first.json(), STATUS_MEMBERS)
    reasoned = partner.verify(gateway.question("frugal", gateway.of_reason("deceased")))
    answer(reasoned.json(), STATUS_MEMBERS)  # blocked, and why is not this partner's to know
    assert (reasoned.json()["status"], limits()) == ("blocked", (spent + 2, left - 2))

    broken = {"ref": "broken", "nik": "123", "claims": body["claims"]}
    items = [{"ref": f"r{n}", "nik": body["nik"], "claims": body["claims"]} for n in range(left - 1)]
    whole = {"purpose": body["purpose"], "items": items}
    document = refused(partner.verify_batch(whole), "allowance-exhausted", gateway.issuer)
    assert (document["limit"], limits()) == ("day", (spent + 2, left - 2))
    refused(partner.verify_batch(whole | {"partial": False}), "allowance-exhausted", gateway.issuer)

    reply = partner.verify_batch({**whole, "items": [broken, *items], "partial": True})
    assert reply.status_code == 200
    told = reply.json()["items"]
    problem(told[0], "nik-format", gateway.issuer)  # what is refused takes no room
    for document in told[1 : left - 1]:
        answer(document, {"ref"} | STATUS_MEMBERS)
    problem(told[left - 1], "allowance-exhausted", gateway.issuer)
    assert limits() == (100, 0)

    last = partner.verify(body)
    document = refused(last, "allowance-exhausted", gateway.issuer)
    assert document["resets_at"].endswith("T17:00:00Z")  # midnight in Jakarta
    assert 1 <= int(last.headers["retry-after"]) <= 86_400
    assert '"day";r=0' in last.headers["ratelimit"].replace("; ", ";")
    refused(partner.verify_batch(whole | {"items": items[:1]}), "allowance-exhausted", gateway.issuer)
    assert partner.call("GET", "/v1/agreement").status_code == 200  # what is no verification costs none
    assert limits() == (100, 0)
