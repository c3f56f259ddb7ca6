"""Lines of import files: what is taken, what is refused, and that a refusal shows no data."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.claims import CLAIMS
from gateway.register.lines import CsvLines, LineFault, as_line, parse_ndjson
from gateway.register.reasons import REASONS
from gateway.register.record import Condition, Record
from gateway.synthetic.population import REFERENCE_DATE, residents

TODAY = date(2026, 11, 1)
NIK = "7402154505909001"
OTHER = "7402154505909002"
CLAIMS_OF_SITI = {"name": "SITI AMINAH", "birth_date": "1990-05-05", "sex": "F", "regency": "7402"}


def line(claims: dict[str, object] | None = None, **members: object) -> bytes:
    written = {"nik": NIK, "claims": {**CLAIMS_OF_SITI, **(claims or {})}, **members}
    return json.dumps({name: value for name, value in written.items() if value is not ...}).encode()


def fault(data: bytes) -> str:
    with pytest.raises(LineFault) as raised:
        parse_ndjson(data, TODAY)
    return str(raised.value)


def outcome(data: bytes) -> str:
    try:
        return repr(parse_ndjson(data, TODAY))
    except LineFault as refused:
        return str(refused)


def test_every_resident_survives_the_way_to_a_line_and_back():
    """What the population writes as lines is read as the same records."""
    for resident in residents(3000, 1):
        assert parse_ndjson(json.dumps(as_line(resident)).encode(), REFERENCE_DATE) == resident


def test_a_line_says_what_it_says():
    """Claims, a condition with its date, and biometrics are taken as written."""
    read = parse_ndjson(line(status="stale", reason="in_transit", since="2026-10-30", biometric=False), TODAY)
    assert read == Record(NIK, CLAIMS_OF_SITI, (Condition("in_transit", "2026-10-30"),), biometric=False)


def test_text_is_taken_in_every_script():
    """A claim holds any text that can be shown, escaped or not."""
    assert parse_ndjson(line({"name": 'ŞİTİ "É" 王\\'}), TODAY).claims["name"] == 'ŞİTİ "É" 王\\'


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({"name": ...}, "claims.name: required"),
        ({"regency": ...}, "claims.regency: required"),
        ({"shoe_size": "42"}, "claims.shoe_size: unknown"),
        ({"name": "A" * 201}, "claims.name: longer than 200 characters"),
        ({"name": "SITI\x00"}, "claims.name: holds a control character or one that cannot be shown"),
        ({"address": "JL.\nMELATI"}, "claims.address: holds a control character or one that cannot be shown"),
        ({"address": "JL. \u202eMELATI"}, "claims.address: holds a control character or one that cannot be shown"),
        ({"mother_name": " "}, "claims.mother_name: empty; leave out what is not recorded"),
        ({"birth_date": "1990-02-30"}, "claims.birth_date: must be a real date, written YYYY-MM-DD"),
        ({"birth_date": "19900505"}, "claims.birth_date: must be a real date, written YYYY-MM-DD"),
        ({"birth_date": "1990-W18-6"}, "claims.birth_date: must be a real date, written YYYY-MM-DD"),
        ({"birth_date": "05-05-1990"}, "claims.birth_date: must be a real date, written YYYY-MM-DD"),
        ({"birth_date": "2026-11-02"}, "claims.birth_date: lies in the future"),
        ({"sex": "P"}, "claims.sex: must be M or F"),
        ({"family_card_number": "740215050590900"}, "claims.family_card_number: must be 16 digits"),
        ({"family_card_number": "\uff17" * 16}, "claims.family_card_number: must be 16 digits"),
        ({"rt": "0001"}, "claims.rt: must be one to three digits"),
        ({"rw": "II"}, "claims.rw: must be one to three digits"),
        ({"regency": "74.02"}, "claims.regency: must be 4 digits, the Ministry's code without dots"),
        ({"regency": "9999"}, "claims.regency: no regency of today has this code"),
        ({"province": "73"}, "claims.regency: does not lie in claims.province"),
        ({"district": "740315"}, "claims.district: does not lie in claims.regency"),
        ({"village": "7403152001"}, "claims.village: does not lie in claims.regency"),
        ({"name": None}, "claims.name: must be text"),
        ({"rt": 1}, "claims.rt: must be text"),
        ({"shoe_size": 42}, "claims.shoe_size: unknown"),
        ({"iris": True}, "claims.iris: never held here, UU 24/2013 art 84 closes this element to everybody"),
    ],
)
def test_a_claim_that_breaks_its_rule_is_refused(claims: dict[str, object], rule: str):
    """Each rule of a claim has its own message, which names the claim and the rule."""
    merged = {name: value for name, value in {**CLAIMS_OF_SITI, **claims}.items() if value is not ...}
    assert fault(json.dumps({"nik": NIK, "claims": merged}).encode()) == rule


@pytest.mark.parametrize("name", ["disability", "fingerprint", "iris", "signature", "aib", "Sidik_Jari"])
def test_elements_of_article_84_are_refused_by_name(name: str):
    """Disability, fingerprint, iris, signature and aib are refused wherever they stand, and the law is named."""
    for data in (line({name: "x"}), line(**{name: "x"})):
        assert "art 84" in fault(data)
        assert name.lower() in fault(data)
    with pytest.raises(LineFault, match="art 84"):
        CsvLines(["nik", "name", "regency", name], TODAY)


@pytest.mark.parametrize("name", ["religion", "blood_type", "agama"])
def test_religion_and_blood_type_are_refused_by_name(name: str):
    """What no verification needs is refused with its own message."""
    assert "no purpose" in fault(line({name: "x"}))
    with pytest.raises(LineFault, match="no purpose"):
        CsvLines(["nik", "name", "regency", name], TODAY)


@pytest.mark.parametrize(
    ("members", "rule"),
    [
        ({"nik": "740215450590900"}, "nik: is not a NIK (length)"),
        ({"nik": "7402159905909001"}, "nik: is not a NIK (date)"),
        ({"nik": 7402154505909001}, "expected str, got int - at $.nik"),
        ({"nik": ...}, "object missing required field nik"),
        ({"colour": "red"}, "colour: unknown"),
        ({OTHER: "red"}, "a member: unknown"),
        ({"reason": "lost"}, "reason: unknown"),
        ({"reason": "source_behind"}, "reason: source_behind cannot be imported, it follows from the region's feed"),
        ({"reason": "deceased", "since": "2026-11-02"}, "since: lies in the future"),
        ({"reason": "deceased", "since": "yesterday"}, "since: must be a real date, written YYYY-MM-DD"),
        ({"reason": "deceased", "successor": OTHER}, "successor: only the reason nik_duplicate has one"),
        ({"reason": "nik_duplicate", "successor": "1"}, "successor: is not a NIK (length)"),
        ({"reason": "nik_duplicate", "successor": NIK}, "successor: is the NIK itself"),
        ({"since": "2026-10-01"}, "since, successor: need a reason"),
        ({"status": "blocked"}, "status: does not agree with the reason"),
        ({"status": "idle"}, "status: does not agree with the reason"),
        ({"status": "active", "reason": "deceased"}, "status: does not agree with the reason"),
        ({"status": "stale", "reason": "deceased"}, "status: does not agree with the reason"),
        ({"reason": "biometric_not_recorded", "biometric": True}, "biometric: true contradicts the reason"),
        ({"biometric": "no"}, "expected bool, got str - at $.biometric"),
        ({"conditions": [{"reason": "anomaly", "by": "x"}]}, "conditions.by: unknown"),
        ({"conditions": [{"reason": "anomaly"}] * 2}, "conditions: name a reason twice"),
        ({"conditions": [{"reason": "anomaly"}], "since": "2026-10-01"}, "since, successor: belong into conditions"),
        ({"conditions": [{"reason": "anomaly"}], "reason": "deceased"}, "reason: is not the one of conditions"),
    ],
)
def test_a_member_that_breaks_its_rule_is_refused(members: dict[str, object], rule: str):
    """Each rule of a member has its own message, which names the member and the rule."""
    assert fault(line(**members)).startswith(rule)


@pytest.mark.parametrize("slug", [slug for slug in REASONS if slug != "source_behind"])
def test_every_reason_of_a_resident_can_be_imported(slug: str):
    """A reason comes with the status it belongs to, or without any."""
    for status in (str(REASONS[slug].status), ...):
        assert parse_ndjson(line(reason=slug, status=status), TODAY).conditions == (Condition(slug),)


def test_several_conditions_tell_the_first_in_precedence():
    """Of several conditions the reason that is told is the most serious, and both are kept in order."""
    conditions = [{"reason": "in_transit", "since": "2026-10-30"}, {"reason": "nik_duplicate", "successor": OTHER}]
    read = parse_ndjson(line(conditions=conditions, status="blocked", reason="nik_duplicate"), TODAY)
    assert read.conditions == (Condition("in_transit", "2026-10-30"), Condition("nik_duplicate", "", OTHER))
    assert as_line(read)["conditions"] == conditions[::-1]


@pytest.mark.parametrize(
    ("claims", "taken"),
    [
        ({"birth_date": "2009-11-01"}, True),
        ({"birth_date": "2009-11-02"}, False),
        ({"birth_date": "2010-11-02", "marital_status": "BELUM KAWIN"}, False),
        ({"birth_date": "2010-11-02", "marital_status": "KAWIN"}, True),
    ],
)
def test_biometrics_are_not_asked_of_the_unmarried_under_17(claims: dict[str, object], taken: bool):  # noqa: FBT001
    """`biometric_not_recorded` implies that none are recorded, and is refused for who need not have any."""
    data = line(claims, reason="biometric_not_recorded")
    if taken:
        assert not parse_ndjson(data, TODAY).biometric
    else:
        assert fault(data) == "reason: biometric_not_recorded is not asked of the unmarried under 17"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"nik": "7402154505909001"}',
        b'{"nik": "7402154505909001", "claims": {"name": [}}',
        b'{"nik": "7402154505909001", "claims": {"name": ' + b"[" * 50_000,
        line() + line(),
        b"\xef\xbb\xbf" + line(),
        line().replace(b"SITI", b"\xff\xfe"),
        line().replace(b"SITI", b"\xed\xa0\x80"),
        line().replace(b"SITI", b"\\ud800"),
        b'{"nik":' + b"[" * 50_000,
        line({"name": "A" * 70_000}),
    ],
)
def test_what_is_no_object_in_utf_8_is_refused(data: bytes):
    """Broken JSON, broken UTF-8, lone surrogates, depth and length without end are faults, not crashes."""
    assert fault(data)


@pytest.mark.parametrize(
    "data",
    [
        line().replace(b'"sex"', b'"name"'),
        line().replace(b'{"nik"', b'{"nik" : "7402154505909003", "nik"'),
        line(conditions=[{"reason": "anomaly"}]).replace(b'"reason"', b'"reason": "deceased", "reason"'),
        line({"name": 'A "B"'}).replace(b'"sex"', b'"name"'),
        line(biometric=True, status="active", reason=None)[:-1] + b', "biometric": false}',
    ],
)
def test_a_member_that_stands_twice_is_refused(data: bytes):
    """Two members of one name leave open which is meant, so neither is taken."""
    assert fault(data) == "names a member twice"


@given(
    st.dictionaries(st.text(max_size=20) | st.sampled_from(tuple(CLAIMS)), st.text(max_size=30) | st.none(), max_size=6)
)
def test_a_refusal_never_shows_a_value(claims: dict[str, str | None]):
    """Whatever claims are sent, a line is taken or refused without a NIK or a claim's text in the message."""
    secret = {name: None if text is None else f"RAHASIA{text}" for name, text in claims.items()}
    told = outcome(json.dumps({"nik": NIK, "claims": {**CLAIMS_OF_SITI, **secret}}).encode())
    assert "RAHASIA" not in told
    assert NIK not in told


HEADER = ["nik", *CLAIMS, "status", "reason", "since", "successor", "biometric"]


def row(**cells: str) -> list[str]:
    filled = {"nik": NIK, **CLAIMS_OF_SITI, **cells}
    return [filled.get(name, "") for name in HEADER]


def test_a_row_is_the_same_as_a_line():
    """A row of CSV and a line of NDJSON with the same content are the same record; empty cells are not recorded."""
    cells = {"status": "blocked", "reason": "nik_duplicate", "since": "2026-01-01", "successor": OTHER}
    assert CsvLines(HEADER, TODAY).parse(row(**cells)) == parse_ndjson(line(**cells), TODAY)
    assert CsvLines(HEADER, TODAY).parse(row()) == parse_ndjson(line(), TODAY)


def test_columns_stand_in_any_order():
    """The header says what a cell is."""
    read = CsvLines(["regency", "biometric", "name", "nik"], TODAY).parse(["7402", "false", "SITI", NIK])
    assert read == Record(NIK, {"regency": "7402", "name": "SITI"}, (), biometric=False)


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        (["nik", "name"], "header: lacks the column regency"),
        (["name", "regency"], "header: lacks the column nik"),
        (["nik", "name", "regency", "name"], "header: names a column twice"),
        (["nik", "name", "regency", "shoe_size"], "column shoe_size: unknown"),
        ([NIK, "SITI AMINAH", "7402"], "column a member: unknown"),
    ],
)
def test_a_header_that_is_wrong_is_refused(header: list[str], rule: str):
    """Before any row: a missing, doubled or unknown column; a file without a header shows no data either."""
    with pytest.raises(LineFault) as raised:
        CsvLines(header, TODAY)
    assert str(raised.value) == rule


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        (row()[:-1], "has 20 cells where the header has 21"),
        (row(biometric="yes"), "biometric: must be true or false"),
        (row(since="2026-01-01"), "since, successor: need a reason"),
        (row(nik="1"), "nik: is not a NIK (length)"),
        (row(name=""), "claims.name: required"),
        (row(name="SITI\nAMINAH"), "claims.name: holds a control character or one that cannot be shown"),
    ],
)
def test_a_row_that_is_wrong_is_refused(cells: list[str], rule: str):
    """Rows obey the rules of lines."""
    with pytest.raises(LineFault) as raised:
        CsvLines(HEADER, TODAY).parse(cells)
    assert str(raised.value) == rule
