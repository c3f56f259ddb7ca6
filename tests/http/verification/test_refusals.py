"""Is every way of saying no told as the contract says (wire contract §4)? By the recipes of magic.json and beyond."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from contract import STATUS, echoes, refused
from served import Gateway

from gateway.errors import Cause

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

UNIDENTIFIED = {"invalid-token", "use-dpop-nonce", "not-found", "method-not-allowed"}
BY_RECIPE = sorted(
    STATUS.keys() - {"allowance-exhausted", "rate-exceeded", "attempts-exhausted", "context-missing",
                     "idempotency-in-progress", "idempotency-conflict", "batch-too-large", "body-too-large",
                     "refused-by-policy"}
)  # fmt: skip
"""The others need many calls, or a partner that the demonstration does not show; each has a test of its own."""
ACTIVE = {"nik": "3201010101909001", "claims": {"name": "SITI AMINAH", "birth_date": "1990-05-05"}}


def by_recipe(gateway: Gateway, slug: str, language: str) -> tuple[httpx.Response, dict[str, Any]]:
    """The last reply to what magic.json says, and the question that was asked."""
    recipe = gateway.magic["refusal"][slug]
    change = recipe["change"]
    client_id = change.get("client_id", "bpjs")
    claims = {name: recipe["claims"][name] for name in ("name", "birth_date") if name not in change.get("without", [])}
    body = gateway.question(client_id, recipe, claims=claims | change.get("claims", {})) | change.get("body", {})
    partner = gateway.partner(client_id)
    method, path = change.get("method", "POST"), change.get("path", "/v1/verifications")
    headers = {"Accept-Language": language} | change.get("headers", {})
    token = partner.token()
    proof = partner.proof(method, path, token, change.get("proof"))
    for _ in range(2 if change.get("repeat_proof") else 1):
        content = body if method == "POST" else None
        reply = partner.call(method, path, content, headers=headers, token=token, proofs=[proof])
    return reply, body


@pytest.mark.parametrize("slug", BY_RECIPE)
def test_a_recipe_gives_its_refusal_in_both_languages(gateway, slug: str) -> None:
    """What magic.json says gives its refusal: status, type, both languages, a receipt, unbilled, nothing echoed."""
    page = gateway.http.get(f"/problems/{slug}").json()
    before = gateway.partner("bpjs").spent()
    told = {}
    for language, header in (("id", "id-ID"), ("en", "en;q=0.9, id;q=0.1"), ("id", "fr")):
        reply, question = by_recipe(gateway, slug, header)
        told[language] = refused(reply, slug, gateway.issuer, identified=slug not in UNIDENTIFIED)
        assert told[language]["title"] == page["title"][language]
        assert told[language]["retryable"] is page["retryable"]
        assert echoes(reply.text, question) == []
    assert told["id"]["detail"] != told["en"]["detail"]
    assert told["id"]["instance"] != told["en"]["instance"]
    answers = 3 if slug == "invalid-dpop-proof" else 0  # the first use of a proof is an answer
    assert gateway.partner("bpjs").spent() == before + answers


def test_every_refusal_has_a_recipe(gateway) -> None:
    """magic.json names every cause, and says how to meet it or where it is met."""
    recipes = gateway.magic["refusal"]
    assert recipes.keys() == {str(cause) for cause in Cause}
    for slug, recipe in recipes.items():
        assert recipe["how"]
        assert gateway.http.get(recipe["explained"]).json()["slug"] == slug


@pytest.mark.parametrize(
    ("slug", "members"),
    [
        ("malformed-request", {"members"}),
        ("agreement-not-in-force", {"state", "restore"}),
        ("address-not-allowed", {"seen_address"}),
        ("claims-missing", {"claims"}),
        ("claim-not-agreed", {"claims"}),
        ("method-not-allowed", {"allowed"}),
    ],
)
def test_a_refusal_says_what_mends_it(gateway, slug: str, members: set[str]) -> None:
    """A problem carries the members with which its reader can mend the call."""
    document = by_recipe(gateway, slug, "en")[0].json()
    assert members <= document.keys()
    if slug == "agreement-not-in-force":
        assert (document["state"], document["restore"]) == ("expired", ["renew_agreement"])
    if slug == "address-not-allowed":
        assert document["seen_address"] == "127.0.0.1"
    if slug == "claims-missing":
        assert document["claims"] == ["birth_date"]


def changed(**members: Any) -> dict[str, Any]:
    return {"purpose": "claim_eligibility", **ACTIVE, **members}


def claimed(**claims: Any) -> dict[str, Any]:
    return changed(claims={**ACTIVE["claims"], **claims})


def bytes_of(text: str) -> bytes:
    return json.dumps(changed(claims={**ACTIVE["claims"], "name": "MARK"})).replace("MARK", text).encode()


DIGITS = "3201010101909001"
MALFORMED = {
    "unknown member": (changed(citizen="x"), "citizen"),
    "unknown claim": (claimed(shoe_size="43"), "claims.shoe_size"),
    "nik as number": (changed(nik=3201010101909001), "nik"),
    "nik as list": (changed(nik=["3201010101909001"]), "nik"),
    "nik null": (changed(nik=None), "nik"),
    "claims as list": (changed(claims=[]), "claims"),
    "claim as number": (claimed(birth_date=19900505), None),
    "claim as null": (claimed(name=None), None),
    "claims missing": ({"nik": ACTIVE["nik"], "purpose": "claim_eligibility"}, "claims"),
    "purpose missing": (ACTIVE, "purpose"),
    "nik missing": ({"purpose": "claim_eligibility", "claims": ACTIVE["claims"]}, "nik"),
    "purpose with digits": (changed(purpose=5), "purpose"),
    "no such day": (claimed(birth_date="1990-02-30"), "claims.birth_date"),
    "day first": (claimed(birth_date="05-05-1990"), "claims.birth_date"),
    "date and time": (claimed(birth_date="1990-05-05T00:00:00Z"), "claims.birth_date"),
    "sex in words": (claimed(sex="PEREMPUAN"), "claims.sex"),
    "short regency": (claimed(regency="32"), "claims.regency"),
    "empty name": (claimed(name=""), "claims.name"),
    "NUL": (claimed(name="SITI\0AMINAH"), "claims.name"),
    "line feed": (claimed(name="SITI\nAMINAH"), "claims.name"),
    "201 characters": (claimed(name="A" * 201), "claims.name"),
    "escaped lone surrogate": (bytes_of("\\ud800"), None),
    "raw lone surrogate": (bytes_of("SITI").replace(b"SITI", b"\xed\xa0\x80"), None),
    "not UTF-8": (bytes_of("SITI").replace(b"SITI", b"\xff"), None),
    "16 digits in operator": (changed(operator=DIGITS), "operator"),
    "16 digits in channel": (changed(channel=f"c-{DIGITS}"), "channel"),
    "16 digits in previous": (changed(previous=DIGITS), "previous"),
    "16 digits in on_behalf_of": (changed(on_behalf_of=DIGITS), "on_behalf_of"),
    "16 digits in reference": (changed(consent={"basis": "consent", "reference": DIGITS}), "consent.reference"),
    "65 characters in operator": (changed(operator="a" * 65), "operator"),
    "space in operator": (changed(operator="a b"), "operator"),
    "unknown member of consent": (changed(consent={"basis": "consent", "by": "x"}), None),
    "no body": (b"", "body"),
    "array": ([changed()], "body"),
    "text": ("nik", "body"),
    "null": (None, "body"),
    "half an object": (b'{"nik": ', "body"),
    "two objects": (b"{}{}", None),
    "deep nesting": (b'{"nik":' + b"[" * 100_000, None),
    "deep claims": (b'{"claims":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, None),
    "NaN": (b'{"nik": NaN}', "body"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_question_is_malformed(gateway, what: str) -> None:
    """A body that is no well-formed question is refused by naming its members, never by showing what they held."""
    body, member = MALFORMED[what]
    reply = gateway.partner("bpjs").verify(b"null" if body is None else body)
    document = refused(reply, "malformed-request", gateway.issuer)
    assert member is None or member in document["members"]
    assert DIGITS not in reply.text
    assert not isinstance(body, dict) or echoes(reply.text, body) == []


def test_a_name_of_200_characters_is_a_question(gateway) -> None:
    """Text of up to 200 characters of any script is compared, not refused."""
    for name in ("A" * 200, "É" * 200, "アミナ", "N'URI-DIN D."):
        body = gateway.question("bpjs", gateway.unknown()) | {"claims": {"name": name, "birth_date": "1990-05-05"}}
        assert gateway.partner("bpjs").verify(body).json()["usable"] is False


def test_a_member_named_by_digits_is_not_echoed(gateway) -> None:
    """A NIK that comes as the name of a member or of a claim is not shown in the problem."""
    for body in (
        changed(**{DIGITS: "x"}),
        claimed(**{DIGITS: "x"}),
        changed(consent={"basis": "consent", DIGITS: "x"}),
    ):
        reply = gateway.partner("bpjs").verify(body)
        refused(reply, "malformed-request", gateway.issuer)
        assert DIGITS not in reply.text


@pytest.mark.parametrize(
    "nik",
    ["320101010190900", "32010101019090011", "32010101019090O1", "3201013101900000", "3201019999909001",
     " 201010101909001",
     "".join(chr(ord(digit) + 0xFEE0) for digit in "3201010101909001"), "", "320101-010190-01"],
)  # fmt: skip
def test_what_is_no_nik_is_told_so(gateway, nik: str) -> None:
    """Anything but sixteen digits with a day and a serial is `nik-format`, and is not repeated."""
    reply = gateway.partner("bpjs").verify(changed(nik=nik))
    document = refused(reply, "nik-format", gateway.issuer)
    assert len(nik) < 9 or nik not in reply.text
    assert document["fault"] in {"length", "digits", "date", "serial"}


def test_context_that_is_demanded_is_asked_for(gateway) -> None:
    """A purpose that demands the operator is refused without it, naming it, and answered with it."""
    partner, resident = gateway.partner("counter"), gateway.resident()
    body = gateway.question("counter", resident, purpose="passport_application")
    document = refused(partner.verify(body), "context-missing", gateway.issuer)
    assert document["members"] == ["operator"]
    assert partner.verify(body | {"operator": "counter-7"}).json()["usable"] is True


def test_consent_needs_a_reference(gateway) -> None:
    """A purpose on consent is answered with basis and reference, and refused without either."""
    partner = gateway.partner("bank")
    body = gateway.question("bank", gateway.resident(), purpose="credit_application")
    for consent in ({"basis": "consent"}, {"basis": "contract", "reference": "CIF-1"}):
        refused(partner.verify(body | {"consent": consent}), "consent-missing", gateway.issuer)
    given = {"basis": "consent", "reference": "CIF-2026-000123"}
    assert partner.verify(body | {"consent": given}).json()["usable"] is True


def test_tier_three_is_never_compared(gateway) -> None:
    """Religion, blood type, disability and what else no agreement may hold are refused as not agreed."""
    for claim in ("religion", "blood_type", "disability", "fingerprint", "iris", "signature"):
        document = refused(gateway.partner("bpjs").verify(claimed(**{claim: "X"})), "claim-not-agreed", gateway.issuer)
        assert document["claims"] == [claim]


def test_an_agreed_claim_of_another_partner_is_not_agreed(gateway) -> None:
    """What one agreement allows, another may not ask: the mother's name is the bank's alone."""
    body = gateway.question("tax", gateway.resident())
    body["claims"]["mother_name"] = "SITI"
    refused(gateway.partner("tax").verify(body), "claim-not-agreed", gateway.issuer)


def test_a_burst_is_refused_until_it_has_room(gateway) -> None:
    """The third answer at once of an agreement for two a second is `rate-exceeded`, and Retry-After keeps its word."""
    partner = gateway.partner("hasty")
    body = gateway.question("hasty", gateway.resident())
    items = [{"ref": f"r{n}", "nik": body["nik"], "claims": body["claims"]} for n in range(3)]
    reply = partner.verify_batch({"purpose": body["purpose"], "items": items, "partial": True})
    assert [item.get("usable") for item in reply.json()["items"]] == [True, True, None]
    document = refused(partner.verify(body), "rate-exceeded", gateway.issuer)
    assert document["limit"] == "burst"
    assert document["retryable"] is True


@pytest.mark.parametrize("path", ["/v1/verifications", "/v1/verifications/batch"])
def test_a_body_over_one_mebibyte_is_too_large(gateway, path: str) -> None:
    """One byte over 1 MiB is refused, told in advance or sent in chunks; 1 MiB itself is read."""
    partner = gateway.partner("bpjs")
    token = partner.token()
    for content in (b" " * (1024 * 1024 + 1), iter([b" " * 65536] * 17)):
        headers = {"Authorization": f"DPoP {token}", "DPoP": partner.proof("POST", path, token)}
        reply = gateway.http.post(path, content=content, headers=headers | {"Content-Type": "application/json"})
        refused(reply, "body-too-large", gateway.issuer)
    refused(partner.call("POST", path, b" " * (1024 * 1024)), "malformed-request", gateway.issuer)


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/json"]
)
def test_only_json_is_read(gateway, kind: str | None) -> None:
    """Another media type than application/json is 415 and says what is accepted."""
    reply = gateway.partner("bpjs").verify(changed(), headers={"Content-Type": kind})
    assert refused(reply, "unsupported-media-type", gateway.issuer)["accepted"] == ["application/json"]


def test_json_with_a_parameter_is_json(gateway) -> None:
    """`application/json; charset=utf-8`, in any case of letters, is read."""
    body = gateway.question("bpjs", gateway.resident())
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        assert gateway.partner("bpjs").verify(body, headers={"Content-Type": kind}).json()["usable"] is True


@pytest.mark.parametrize("path", ["/v1/verifications", "/v1/verifications/batch", "/v1/agreement", "/v1/usage"])
def test_a_wrong_method_names_the_right_one(gateway, path: str) -> None:
    """A method that a route does not have is 405 with Allow, with a token and a proof too."""
    right = "POST" if "verifications" in path else "GET"
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {right}:
        reply = gateway.partner("bpjs").call(method, path, None)
        refused(reply, "method-not-allowed", gateway.issuer, identified=False)
        assert reply.headers["allow"] == right


def test_a_token_without_the_scope_is_told_the_scope(gateway) -> None:
    """An auditor's token may not verify, nor read a partner's agreement; the refusal says what is needed."""
    auditor = gateway.partner("auditor")
    for method, path, body in (
        ("POST", "/v1/verifications", changed()),
        ("POST", "/v1/verifications/batch", {"purpose": "account_opening", "items": [ACTIVE]}),
        ("GET", "/v1/agreement", None),
        ("GET", "/v1/usage", None),
    ):
        reply = auditor.call(method, path, body)
        assert refused(reply, "insufficient-scope", gateway.issuer)["scope"] == "nik.verify"
