"""What may an intermediary ask for another? Both agreements bound the question (wire contract §3, POJK 8/2023 art 22(2)b)."""

from __future__ import annotations

from typing import Any

from contract import STATUS_MEMBERS, VERDICT, answered, refused

WRONG = "1931-03-03"


def ask(gateway: Any, resident: dict[str, Any], principal: str | None = None, **members: Any) -> Any:
    """A question of the intermediary, for `principal` when one is told."""
    named = {"on_behalf_of": principal} if principal else {}
    return gateway.partner("broker").verify(gateway.question("broker", resident, **named, **members))


def spent(gateway: Any, client_id: str) -> int:
    """Answers of today."""
    return int(gateway.partner(client_id).spent())


def test_an_intermediary_is_told_no_more_than_its_principal(gateway) -> None:
    """For the bank a verdict alone, for another the status; a claim that the principal lacks is not compared."""
    resident = gateway.resident()
    assert answered(ask(gateway, resident, "bank"), VERDICT)["usable"] is True
    assert answered(ask(gateway, resident, "unsigned"), STATUS_MEMBERS)["status"] == "active"
    claims = gateway.question("broker", resident)["claims"] | {"mother_name": "RUKMINI"}
    assert refused(ask(gateway, resident, "unsigned", claims=claims), "claim-not-agreed", gateway.issuer)["claims"] == [
        "mother_name"
    ]
    refused(ask(gateway, resident, "tax"), "agreement-not-in-force", gateway.issuer)
    refused(ask(gateway, resident), "context-missing", gateway.issuer)


def test_both_are_charged_and_guesses_are_counted_together(gateway) -> None:
    """Three guesses about one resident, whoever makes them; then right ones too are refused to both, and to no third."""
    resident, other = gateway.resident(), gateway.resident()
    before = spent(gateway, "broker"), spent(gateway, "bank")
    bank = gateway.partner("bank")
    for number in range(3):
        claims = {"name": f"BUKAN {number}", "birth_date": WRONG}
        if number % 2:
            answered(bank.verify(gateway.question("bank", resident, purpose="account_opening", claims=claims)), VERDICT)
        else:
            answered(ask(gateway, resident, "bank", claims=claims), VERDICT)
    assert (spent(gateway, "broker"), spent(gateway, "bank")) == (before[0] + 2, before[1] + 3)
    refused(ask(gateway, resident, "bank"), "attempts-exhausted", gateway.issuer)
    refused(
        bank.verify(gateway.question("bank", resident, purpose="account_opening")), "attempts-exhausted", gateway.issuer
    )
    assert answered(ask(gateway, resident, "unsigned"), STATUS_MEMBERS)["match"] is True
    answered(ask(gateway, other, "bank"), VERDICT)


def test_each_item_of_a_batch_has_its_own_principal(gateway) -> None:
    """One call for two principals: each item is answered as its principal's agreement says."""
    resident = gateway.resident()
    question = gateway.question("broker", resident)
    items = [
        {"ref": name, "nik": question["nik"], "claims": question["claims"], "on_behalf_of": name}
        for name in ("bank", "unsigned", "tax")
    ]
    reply = gateway.partner("broker").verify_batch({"purpose": question["purpose"], "items": items})
    bank, other, tax = reply.json()["items"]
    assert bank.keys() == VERDICT | {"ref"}
    assert other["status"] == "active"
    assert tax["type"].endswith("agreement-not-in-force")
