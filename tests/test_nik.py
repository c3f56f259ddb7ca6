"""Is this text a NIK?"""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Cause, Refused
from gateway.nik import Nik


@pytest.mark.parametrize(
    "text",
    [
        "7402154505909001",
        "7402150505909001",
        "9999990101009001",  # a district that no table knows
        "0000003112009999",
        "3201012902010001",  # 29 February of a year without century
        "3201016902010001",
        "3201017112990001",
    ],
)
def test_well_formed_niks_are_parsed(text):
    """Sixteen digits with a day of the month for either sex, and any district, make a NIK."""
    nik = Nik.parse(text)
    assert nik.digits == text
    assert nik.district == text[:6]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "length"),
        ("740215450590900", "length"),
        ("74021545059090011", "length"),
        (" 7402154505909001", "length"),
        ("7402154505909001\n", "length"),
        ("740215450590900X", "digits"),
        ("7402 54505909001", "digits"),
        ("740215450590900\N{ARABIC-INDIC DIGIT ZERO}", "digits"),
        ("740215450590900²", "digits"),
        ("+402154505909001", "digits"),
        ("7402150005909001", "date"),
        ("7402153205909001", "date"),
        ("7402154005909001", "date"),
        ("7402157205909001", "date"),
        ("7402153104909001", "date"),
        ("7402157104909001", "date"),
        ("7402153002909001", "date"),
        ("7402154500909001", "date"),
        ("7402154513909001", "date"),
        ("7402154505900000", "serial"),
    ],
)
def test_each_fault_is_named_and_no_digit_told(text, fault):
    """A refused NIK names its one fault, and neither the facts nor the message repeat it."""
    with pytest.raises(Refused) as caught:
        Nik.parse(text)
    assert caught.value.refusal.cause is Cause.NIK_FORMAT
    assert caught.value.refusal.facts == {"fault": fault}
    assert str(caught.value) == "nik-format"


def test_a_nik_hides_its_digits():
    """repr, str and every format of a NIK show none of its digits."""
    nik = Nik.parse("7402154505909001")
    for shown in (repr(nik), str(nik), f"{nik}", f"{nik!r:>40}", f"{[nik]}", "%s" % nik):  # noqa: UP031
        assert shown.strip("[] ") == "Nik(…)"


def test_niks_are_values():
    """Equal digits are one NIK: as a key, after pickling; and it cannot be changed."""
    nik = Nik.parse("7402154505909001")
    assert {nik: 1}[Nik.parse("7402154505909001")] == 1
    assert pickle.loads(pickle.dumps(nik)) == nik  # noqa: S301  our own bytes
    with pytest.raises(AttributeError):
        nik.digits = "7402154505909002"


@settings(deadline=None)  # a busy machine is no fault
@given(st.text(max_size=20) | st.text("0123456789", min_size=16, max_size=16))
def test_any_text_is_a_nik_or_refused(text):
    """Whatever comes is either parsed unchanged or refused as no NIK; nothing else happens."""
    try:
        parsed = Nik.parse(text).digits
    except Refused as no:
        parsed, fault = text, no.refusal.facts["fault"]
    else:
        fault = None
    assert parsed == text
    assert fault in {None, "length", "digits", "date", "serial"}
