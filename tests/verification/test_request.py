"""Step 2: a question or a refusal, for anything that anyone may send."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.claims import CLAIMS
from gateway.errors import Cause, Refusal, Refused
from gateway.ledger.log.canonical import canonical
from gateway.verification.request import Question, identifier, parse_batch, parse_item, parse_question

MOST, TEXT = 1000, 200  # items of a batch, characters of a claim
NIK = "7402154505909001"
GOOD = {"nik": NIK, "purpose": "account_opening", "claims": {"name": "SITI AMINAH", "birth_date": "1990-05-05"}}
WHOLE = {
    **GOOD,
    "consent": {"basis": "consent", "reference": "CIF-2026-000123"},
    "channel": "branch",
    "operator": "teller-17",
    "on_behalf_of": "bank-b",
    "previous": "019ab000-0000-7000-8000-000000000001",
}


def refusal(body: Any) -> Refusal:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Refused) as raised:
        parse_question(raw)
    return raised.value.refusal


def members(body: Any) -> Any:
    found = refusal(body)
    assert found.cause is Cause.MALFORMED_REQUEST
    assert set(found.facts) == {"members"}
    return found.facts["members"]


def outcome(body: Any) -> Question | Refusal:
    try:
        return parse_question(json.dumps(body).encode())
    except Refused as refused:
        assert not any(secret in str(refused) for secret in SECRETS)  # noqa: PT017  whatever it was, it says no value
        return refused.refusal


def changed(**parts: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD, **parts}.items() if value is not ...}


@pytest.mark.parametrize(
    "body", [GOOD, WHOLE, changed(claims={}), changed(newborn=False), changed(consent={"basis": "contract"})]
)
def test_a_question_is_what_was_sent(body: dict[str, Any]) -> None:
    """Its canonical bytes are those of the body, so that a receipt commits to what was asked."""
    question = parse_question(json.dumps(body, indent=3).encode())
    assert canonical(question) == canonical(body)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", ["body"]), (b"{", ["body"]), (b"null", ["body"]), (b"[]", ["body"]), (b'"x"', ["body"]),
        (b"\xff", ["body"]),
        (json.dumps(GOOD).encode() + b" {}", ["body"]), (b"[" * 100_000, ["body"]),
        (b'{"consent":{"x":' + b"[" * 100_000, ["consent.x"]), (b"\xef\xbb\xbf{}", ["body"]),
        ({}, ["nik"]), (changed(nik=...), ["nik"]), (changed(purpose=...), ["purpose"]),
        (changed(claims=...), ["claims"]),
        (changed(nik=7), ["nik"]), (changed(nik=None), ["nik"]), (changed(nik=None, newborn=False), ["nik"]),
        (changed(purpose=None), ["purpose"]), (changed(claims=[]), ["claims"]),
        (changed(claims={"name": 7}), ["claims[...]"]),
        (changed(color="red"), ["color"]), (changed(consent={}), ["consent.basis"]),
        (changed(consent={"basis": "x", "y": 1}), ["consent.y"]),
        (changed(consent=None), ["consent"]), (changed(channel=None), ["channel"]),
        (changed(newborn="yes"), ["newborn"]),
        (changed(**{NIK: 1}), ["body"]), (changed(**{"SITI AMINAH": 1}), ["body"]),
        (changed(consent={"basis": "x", NIK: 1}), ["body"]),
    ],
)  # fmt: skip
def test_what_is_not_a_question_is_refused_by_member(body: Any, named: list[str]) -> None:
    """The member that is wrong is named, never a value, nor a name that could be somebody's data."""
    assert members(body) == named


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("name", ""), ("name", "A" * (TEXT + 1)), ("name", "SITI\0"), ("name", "SITI\nAMINAH"),
        ("name", "\u202eITIS"), ("name", "\u200b"),
        ("name", "\x7f"), ("name", "\ue000"), ("birth_date", "05-05-1990"), ("birth_date", "1990-02-30"),
        ("birth_date", "19900505"), ("birth_date", "1990-5-5"),
        ("birth_date", "\uff11\uff19\uff19\uff10-05-05"), ("sex", "L"), ("sex", "m"), ("sex", "MF"), ("province", "7"),
        ("regency", "74.02"), ("district", "740215x"),
        ("village", "740215"), ("family_card_number", "7402154505"), ("rt", "0001"), ("rt", ""), ("rw", "II"),
        ("rw", "٣"), ("sex", "M\n"),
    ],
)  # fmt: skip
def test_a_claim_has_its_form(claim: str, value: str) -> None:
    """Text that can be shown, up to 200 characters; dates, codes and sex as the wire says."""
    assert members(changed(claims={**GOOD["claims"], claim: value})) == [f"claims.{claim}"]  # type: ignore[dict-item]


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_known_claim_is_taken(claim: str) -> None:
    """In its own form."""
    value = {
        "birth_date": "2000-02-29", "sex": "F", "province": "74", "regency": "7402", "district": "740215",
        "village": "7402152001",
        "family_card_number": NIK, "rt": "1", "rw": "003",
    }.get(claim, "Ñ" * TEXT)  # fmt: skip
    assert parse_question(json.dumps(changed(claims={claim: value})).encode()).claims == {claim: value}


def test_an_unknown_claim_is_named_unless_it_could_be_data() -> None:
    """A slip of the pen is told; a NIK or a sentence in its place is not repeated. Claims that are never agreed come later."""
    assert members(changed(claims={"nmae": "x"})) == ["claims.nmae"]
    for name in (NIK, "SITI AMINAH", "", "x" * 65, f"a{NIK}"):
        assert members(changed(claims={name: "x"})) == ["claims"]
    parse_question(json.dumps(changed(claims={"religion": "x"})).encode())  # refused by name at step 4


@pytest.mark.parametrize("member", ["channel", "operator", "on_behalf_of", "previous", "purpose"])
@pytest.mark.parametrize("value", ["", "a b", "x" * 65, NIK, f"CIF{NIK}", "é", "a\n", "a/b"])
def test_free_identifiers_hold_no_nik(member: str, value: str) -> None:
    """Letters, digits and `._-`, 1 to 64, and never a run of 16 digits: they are kept, a NIK must not be."""
    assert members(changed(**{member: value})) == [member]


@pytest.mark.parametrize("part", ["basis", "reference"])
@pytest.mark.parametrize("value", ["", "a b", NIK, "x" * 65])
def test_a_consent_holds_no_nik(part: str, value: str) -> None:
    """Neither in its basis nor in its reference."""
    assert members(changed(consent={"basis": "consent", "reference": "x", part: value})) == [f"consent.{part}"]


def test_all_that_is_wrong_is_named_at_once() -> None:
    """Sorted, each once."""
    body = changed(purpose="a b", claims={"name": "", "sex": "x", "zzz": "1"}, channel="", nik=None)
    assert members(body) == ["channel", "claims.name", "claims.sex", "claims.zzz", "nik", "purpose"]


def test_a_newborn_has_no_nik_yet() -> None:
    """Never a mismatch on its account (Perpres 82/2018 art 8(2)): its own refusal, without facts."""
    assert refusal(changed(nik=None, newborn=True)) == Refusal(Cause.NIK_NOT_YET_ISSUED)


@pytest.mark.parametrize("body", [rb'"\ud800"', rb'"\udc00x"', rb'"\ud800\u0041"'])
def test_a_lone_surrogate_is_refused(body: bytes) -> None:
    """Wherever it stands, escaped."""
    for template in (
        b'{"nik":%b,"purpose":"p","claims":{}}',
        b'{"nik":"1","purpose":"p","claims":{"name":%b}}',
        b'{"nik":"1","purpose":"p","claims":{%b:"x"}}',
    ):
        assert members(template % body)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SECRETS = ("9876543210987654", "KUNTILANAK-MERAH", "Jl. Rahasia 7")
names = st.sampled_from([*GOOD, "consent", "channel", "operator", "previous", "newborn", "on_behalf_of", "x", *SECRETS])


@settings(max_examples=120)
@given(st.dictionaries(names, anything, max_size=6), st.booleans())
def test_any_json_is_a_question_or_a_refusal(parts: dict[str, Any], over: bool) -> None:  # noqa: FBT001  drawn
    """Never another exception, and the refusal holds nothing that was sent as a value."""
    body = {**GOOD, **parts} if over else parts
    found = outcome(body)
    assert isinstance(found, Question) or found.cause in {Cause.MALFORMED_REQUEST, Cause.NIK_NOT_YET_ISSUED}


@settings(max_examples=100)
@given(
    st.sampled_from([*WHOLE, "claims.name", "claims.sex", "consent.basis", "consent.reference", "x"]),
    st.sampled_from(SECRETS),
    anything,
)
def test_no_refusal_repeats_a_value(path: str, secret: str, rubbish: Any) -> None:
    """Whichever member holds it, and whatever else is wrong beside it."""
    outer, _, inner = path.partition(".")
    inside = {**WHOLE.get(outer, {}), inner: secret} if inner else secret  # type: ignore[dict-item]
    for body in (
        {**WHOLE, outer: inside},
        {**WHOLE, outer: inside, "claims": {"name": secret, "sex": secret, SECRETS[0]: secret}},
        {**WHOLE, outer: [inside, rubbish]},
    ):
        found = outcome(body)
        assert isinstance(found, Question) or secret not in repr(found)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_question_or_a_refusal(body: bytes) -> None:
    """Never another exception, for the frame of a batch as well."""
    for parse in (parse_question, parse_batch):
        with pytest.raises(Refused):
            parse(body)


def batch(**parts: Any) -> Any:
    return parse_batch(json.dumps({"purpose": "account_opening", "items": [{}], **parts}).encode())


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"items": []}, ["items"]), ({"items": {}}, ["items"]), ({"items": None}, ["items"]),
        ({"purpose": 7}, ["purpose"]), ({"x": 1}, ["x"]),
        ({"partial": "yes"}, ["partial"]), ({"purpose": NIK}, ["purpose"]), ({"purpose": "a b"}, ["purpose"]),
        ({"purpose": "\0"}, ["purpose"]),
    ],
)  # fmt: skip
def test_the_frame_of_a_batch_has_its_form(parts: dict[str, Any], named: list[str]) -> None:
    """What every item shares is looked at first, above all the purpose: it stands in the batch's own entry."""
    with pytest.raises(Refused) as raised:
        batch(**parts)
    assert raised.value.refusal == Refusal(Cause.MALFORMED_REQUEST, {"members": named})


def test_a_batch_has_a_thousand_items_at_most() -> None:
    """One more is `batch-too-large`."""
    assert len(batch(items=[{}] * MOST).items) == MOST
    with pytest.raises(Refused) as raised:
        batch(items=[{}] * (MOST + 1))
    assert raised.value.refusal == Refusal(Cause.BATCH_TOO_LARGE, {"most": 1000})


def item(body: Any, **parts: Any) -> Any:
    return parse_item(msgspec.Raw(json.dumps(body).encode()), batch(**parts))


def test_an_item_asks_with_the_purpose_and_consent_of_its_batch() -> None:
    """Its own consent goes before; its ref comes back."""
    body = {"ref": "r1", "nik": NIK, "claims": {}}
    shared = {"basis": "consent", "reference": "all"}
    ref, question = item(body, consent=shared)
    assert (ref, question.purpose, question.consent.reference) == ("r1", "account_opening", "all")
    _, question = item({**body, "consent": {"basis": "contract"}}, consent=shared)
    assert question.consent.basis == "contract"


@pytest.mark.parametrize(
    "body", [{}, [], 7, {"nik": NIK}, {"nik": NIK, "claims": {}, "purpose": "x"}, {"nik": NIK, "claims": {"sex": "x"}}]
)
def test_a_faulty_item_spoils_only_itself(body: Any) -> None:
    """It is a refusal in its place; the ref is told where it can be read."""
    ref, refused = item(body)
    assert ref is None
    assert isinstance(refused, Refusal)
    if isinstance(body, dict):
        assert item({**body, "ref": "r-1"})[0] == "r-1"
    for wrong in (NIK, "a b", "", 7):
        ref, refused = item({"nik": NIK, "claims": {}, "ref": wrong})
        assert (ref, refused) == (None, Refusal(Cause.MALFORMED_REQUEST, {"members": ["ref"]}))


@settings(max_examples=100)
@given(anything | st.dictionaries(names | st.just("ref"), anything, max_size=5))
def test_any_item_is_a_question_or_a_refusal(body: Any) -> None:
    """Never an exception: the other items want their answers."""
    ref, found = item(body)
    assert isinstance(found, Question | Refusal)
    assert ref is None or identifier("ref", ref) == ref


TWICE = {
    "a member": (b'"purpose":', b'"purpose": "credit_application", "purpose":'),
    "a claim": (b'"name":', b'"name": "BUDI", "name":'),
    "a name in another spelling": (b'"nik":', b'"n\\u0069k": "7402154505909002", "nik":'),
    "in the consent": (b'"basis":', b'"basis": "contract", "basis":'),
    "beside an escaped quote": (b'"name": "SITI', b'"name": "\\u0022\\u0022", "name": "SITI'),
    "the same again": (b'"channel":', b'"channel": "branch", "channel":'),
}


@pytest.mark.parametrize("found", TWICE.values(), ids=TWICE)
def test_a_member_that_stands_twice_is_refused(found: tuple[bytes, bytes]) -> None:
    """In a question, and in an item of a batch, where it spoils that item alone."""
    body = json.dumps(WHOLE).encode()
    assert found[0] in body
    assert members(body.replace(*found)) == ["body"]
    item = json.dumps({name: value for name, value in WHOLE.items() if name != "purpose"}).encode()
    if found[0] in item:
        batch = parse_batch(b'{"purpose": "account_opening", "items": [' + item + b", " + item.replace(*found) + b"]}")
        first, second = (parse_item(raw, batch)[1] for raw in batch.items)
        assert isinstance(first, Question)
        assert isinstance(second, Refusal)


@pytest.mark.parametrize(
    "more",
    [
        b'"purpose": "credit_application",', b'"items": [],',
        b'"consent": {"basis": "contract", "basis": "consent"},',
    ],
)  # fmt: skip
@pytest.mark.parametrize("escaped", [b"", b"\\u0020"])
def test_the_frame_of_a_batch_names_nothing_twice(more: bytes, escaped: bytes) -> None:
    """Nor does it where an item has escapes, which make the body be read slowly."""
    item = json.dumps({name: WHOLE[name] for name in ("nik", "claims")}).encode()
    frame = b'"purpose": "account_opening", "items": [' + item.replace(b" AMINAH", escaped + b" AMINAH") + b"]}"
    assert len(parse_batch(b"{" + frame).items) == 1
    with pytest.raises(Refused):
        parse_batch(b"{" + more + frame)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (changed(newborn=True), ["newborn"]),
        (changed(nik=None), ["nik"]),
        (changed(consent={"basis": "love"}), ["consent.basis"]),
        (changed(consent={"basis": "Consent", "reference": "x"}), ["consent.basis"]),
    ],
)
def test_what_contradicts_itself_or_the_law_is_refused(body: dict[str, Any], named: list[str]) -> None:
    """A newborn with a NIK, nobody's NIK, and a legal basis that UU 27/2022 art 20(2) does not know."""
    assert members(body) == named
