"""What does an answer hold, for whom, and what never? Members by disclosure, attempts (wire contract §3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contract import REMEDY, STATUS_MEMBERS, UNMATCHED, VERDICT, answered, refused

DATABASES = ("postgresql",)  # two workers there; what is asked here does not depend on the database

REASONS = ("deceased", "by_order", "nik_duplicate", "biometric_duplicate", "biometric_not_recorded", "moved_abroad",
           "anomaly", "not_consolidated", "in_transit", "change_pending", "source_behind")  # fmt: skip
MATCHED = {"bpjs": STATUS_MEMBERS | {"claims"}, "tax": STATUS_MEMBERS, "bank": VERDICT}
DIFFERENT = {"bpjs": UNMATCHED, "tax": UNMATCHED, "bank": VERDICT}
EXPLAINED = {"bpjs": STATUS_MEMBERS | {"claims"} | REMEDY, "tax": STATUS_MEMBERS | REMEDY, "bank": VERDICT}


@pytest.mark.parametrize("client_id", MATCHED)
def test_an_active_resident_is_usable(gateway, client_id: str) -> None:
    """Every deciding claim matches and the status is active: usable, with exactly the members of the disclosure."""
    reply = gateway.partner(client_id).verify(gateway.question(client_id, gateway.resident()))
    document = answered(reply, MATCHED[client_id])
    assert document["usable"] is True
    assert document["billed"] is True
    assert document.get("status", "active") == "active"
    assert document.get("claims", {"name": "match", "birth_date": "match"}) == {"name": "match", "birth_date": "match"}


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("client_id", MATCHED)
def test_every_reason_is_told_as_far_as_it_is_disclosed(gateway, client_id: str, reason: str) -> None:
    """A NIK that is not usable says why and who mends it; an order is told as an anomaly to whoever may not know it."""
    resident = gateway.of_reason(reason)
    reply = gateway.partner(client_id).verify(gateway.question(client_id, resident))
    document = answered(reply, EXPLAINED[client_id])
    assert document["usable"] is False
    if client_id == "bank":
        return
    told = "anomaly" if reason == "by_order" else reason
    assert (document["match"], document["status"], document["reason"]) == (True, resident["status"], told)
    assert document["remedy"] == gateway.http.get(f"/reasons/{told}").json()["remedy"]
    assert reason != "by_order" or "order" not in reply.text


def test_an_order_is_told_where_the_purpose_names_it(gateway) -> None:
    """`by_order` is told as such only under a purpose and an agreement that let it be told."""
    body = gateway.question("counter", gateway.of_reason("by_order"), purpose="passport_application", operator="c-1")
    assert gateway.partner("counter").verify(body).json()["reason"] == "by_order"


def test_a_regency_is_named_to_whoever_named_it(gateway) -> None:
    """The remedy names the regency only when the caller sent it and it matched."""
    resident = gateway.of_reason("biometric_not_recorded")
    body = gateway.question("bpjs", resident)
    partner, regency = gateway.partner("bpjs"), resident["claims"]["regency"]
    assert "regency" not in partner.verify(body).json()["remedy"]
    named = partner.verify(body | {"claims": body["claims"] | {"regency": regency}}).json()
    assert named["remedy"]["regency"] == regency
    other = "1101" if regency != "1101" else "1102"
    wrong = partner.verify(body | {"claims": body["claims"] | {"regency": other}}).json()
    assert wrong["claims"]["regency"] == "different"
    assert "regency" not in wrong["remedy"]


@pytest.mark.parametrize("client_id", DIFFERENT)
def test_unknown_and_mismatched_look_alike(gateway, client_id: str) -> None:
    """A NIK that nobody has and claims that do not match give the same members, length, headers and charge."""
    partner = gateway.partner(client_id)
    resident, blocked = gateway.resident(), gateway.of_reason("deceased")
    wrong = [gateway.question(client_id, one) for one in (gateway.unknown(), resident)]
    wrong[1]["claims"]["birth_date"] = "1931-03-03"
    if client_id == "tax":
        wrong.append(gateway.question(client_id, blocked))
        wrong[2]["claims"]["name"] = "TIDAK SAMA SEKALI"
    replies = []
    for body in wrong:
        before = partner.spent()
        replies.append(partner.verify(body))
        document = answered(replies[-1], DIFFERENT[client_id])
        assert (document["usable"], document.get("match", False), document["billed"]) == (False, False, True)
        assert partner.spent() == before + 1
    assert len({len(reply.content) for reply in replies}) == 1
    assert len({tuple(name for name, _ in reply.headers.multi_items()) for reply in replies}) == 1


def _has_two_plain_names(claims: dict[str, str]) -> bool:
    """Whether a name may be turned round and stay the same: no patronymic, no title; and a birth place is recorded."""
    return bool(re.fullmatch("[A-Z]{4,} [A-Z]{4,}", claims["name"]) and claims.get("birth_place", "").isupper())


def test_claims_are_banded(gateway) -> None:
    """Each claim sent is match, close, different or not_recorded, and never a number or a value."""
    resident = gateway.resident(_has_two_plain_names)
    body = gateway.question("bpjs", resident)
    body["claims"] |= {
        "name": " ".join(reversed(resident["claims"]["name"].split(" "))).lower(),
        "sex": resident["claims"]["sex"],
        "birth_place": "TEMPAT YANG LAIN",
    }
    document = answered(gateway.partner("bpjs").verify(body), MATCHED["bpjs"])
    assert document["claims"].keys() == body["claims"].keys()
    assert document["claims"]["sex"] == document["claims"]["birth_date"] == "match"
    assert document["claims"]["name"] in ("match", "close")
    assert document["claims"]["birth_place"] == "different"
    assert document["usable"] is True  # what informs does not decide


def test_a_date_is_right_or_wrong(gateway) -> None:
    """A birth date one day off is no match, however near."""
    body = gateway.question("bpjs", gateway.resident())
    day = datetime.fromisoformat(body["claims"]["birth_date"]) + timedelta(days=1)
    body["claims"]["birth_date"] = day.date().isoformat()
    assert answered(gateway.partner("bpjs").verify(body), UNMATCHED)["match"] is False


def test_completeness_is_told_by_the_hour(gateway) -> None:
    """`as_of` is a full hour that is over, current where the feed is, a month old in the region that lags."""
    now = datetime.now(UTC)
    ages = {}
    for name, resident in {"fresh": gateway.resident(), "behind": gateway.of_reason("source_behind")}.items():
        document = gateway.partner("tax").verify(gateway.question("tax", resident)).json()
        ages[name] = now - datetime.fromisoformat(document["as_of"])
        assert datetime.fromisoformat(document["recheck_after"]) > now
    assert ages["fresh"] < timedelta(hours=2)
    assert ages["behind"] > timedelta(days=29)


def test_a_subject_is_pairwise(gateway) -> None:
    """One partner's pseudonym of a resident is always the same, is another one for another partner, and is no input."""
    resident, other = gateway.resident(), gateway.resident()

    def subject(client_id: str, person: dict[str, Any]) -> str:
        found: str = gateway.partner(client_id).verify(gateway.question(client_id, person)).json()["subject"]
        return found

    mine = subject("bpjs", resident)
    assert subject("bpjs", resident) == mine
    assert len({mine, subject("tax", resident), subject("bpjs", other)}) == 3
    refused(
        gateway.partner("bpjs").verify(gateway.question("bpjs", {**resident, "nik": mine})),
        "nik-format",
        gateway.issuer,
    )


def test_changed_is_told_to_whoever_names_an_earlier_match(gateway) -> None:
    """`changed` comes only with `previous`, the id of this partner's own earlier match for this NIK and purpose."""
    bpjs, resident, other = gateway.partner("bpjs"), gateway.resident(), gateway.resident()
    body = gateway.question("bpjs", resident)
    first = bpjs.verify(body).json()["id"]
    assert answered(bpjs.verify(body | {"previous": first}), MATCHED["bpjs"] | {"changed"})["changed"] is False
    wrong = bpjs.verify(body | {"claims": body["claims"] | {"birth_date": "1931-03-03"}}).json()["id"]
    theirs = gateway.partner("tax").verify(gateway.question("tax", resident)).json()["id"]
    before = bpjs.spent()
    for previous in (wrong, theirs, "no-such-answer"):
        refused(bpjs.verify(body | {"previous": previous}), "previous-unknown", gateway.issuer)
    refused(bpjs.verify(gateway.question("bpjs", other, previous=first)), "previous-unknown", gateway.issuer)
    assert bpjs.spent() == before


def test_changed_needs_a_match(gateway) -> None:
    """Whoever does not match now learns nothing by naming an earlier answer."""
    bpjs, body = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident())
    first = bpjs.verify(body).json()["id"]
    body["claims"]["birth_date"] = "1931-03-03"
    answered(bpjs.verify(body | {"previous": first}), UNMATCHED)


def test_a_newborn_is_no_mismatch(gateway) -> None:
    """`nik: null` with `newborn: true` is `nik-not-yet-issued`, unbilled."""
    bpjs = gateway.partner("bpjs")
    before = bpjs.spent()
    body = gateway.question("bpjs", gateway.resident()) | {"nik": None, "newborn": True}
    refused(bpjs.verify(body), "nik-not-yet-issued", gateway.issuer)
    assert bpjs.spent() == before


@pytest.mark.parametrize("client_id", ["bpjs", "bank"])
def test_wrong_guesses_run_out(gateway, client_id: str) -> None:
    """After as many different wrong guesses as agreed every guess is refused, right ones and those of nobody alike."""
    partner = gateway.partner(client_id)
    purpose = gateway.question(client_id, gateway.unknown())["purpose"]
    most = partner.call("GET", "/v1/agreement").json()["agreements"][0]["purposes"][purpose]["attempts"]
    assert (client_id, most) in {("bpjs", 5), ("bank", 3)}  # three where the mother's name may be asked
    seen = []
    for resident in (gateway.resident(), gateway.unknown()):
        right = gateway.question(client_id, resident)
        guesses = [right | {"claims": right["claims"] | {"birth_date": f"193{n}-03-03"}} for n in range(most)]
        asked = [guesses[0], guesses[0], *guesses, right, guesses[0]]  # the very same again is no new guess
        replies = [partner.verify(guess) for guess in asked]
        assert [reply.status_code for reply in replies] == [200] * (most + 2) + [429] * 2
        for reply in replies:
            assert "attempt" not in " ".join([*reply.headers.values(), *reply.headers.keys()]).lower()
        before = partner.spent()
        document = refused(partner.verify(right), "attempts-exhausted", gateway.issuer)
        until = datetime.fromisoformat(document["resets_at"]) - datetime.now(UTC)
        assert timedelta(hours=23, minutes=58) < until < timedelta(hours=24, minutes=1)
        assert partner.spent() == before
        seen.append([(reply.status_code, sorted(reply.json()), sorted(reply.headers)) for reply in replies])
    assert seen[0] == seen[1]


def test_right_answers_cost_no_attempt(gateway) -> None:
    """Right guesses spend nothing and give nothing back: the fifth wrong one is the last."""
    partner, body = gateway.partner("tax"), gateway.question("tax", gateway.resident())

    def ask(birth_date: str) -> int:
        return partner.verify(body | {"claims": body["claims"] | {"birth_date": birth_date}}).status_code

    right = body["claims"]["birth_date"]
    asked = [*(f"193{n}-01-01" for n in range(4)), right, right, right, "1939-01-01", right]
    assert [ask(birth_date) for birth_date in asked] == [200] * 8 + [429]


def test_attempts_are_one_partners_own(gateway) -> None:
    """One partner's guesses leave another's attempts as they are."""
    resident = gateway.resident()
    wrong = gateway.question("bpjs", resident)
    for n in range(6):
        gateway.partner("bpjs").verify(wrong | {"claims": wrong["claims"] | {"birth_date": f"193{n}-03-03"}})
    assert gateway.partner("tax").verify(gateway.question("tax", resident)).json()["usable"] is True


def test_a_claim_with_few_values_costs_more(gateway) -> None:
    """A wrong district takes two of the five attempts: guessing at it is refused after three."""
    partner, body = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident())
    guesses = [body["claims"] | {"district": f"11010{n}"} for n in range(1, 5)]
    assert [partner.verify(body | {"claims": guess}).status_code for guess in guesses] == [200, 200, 200, 429]
