"""Does a refusal say what would have been right, and never what was sent?"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.claims import CLAIMS
from gateway.errors import Cause, Refused
from gateway.verification.request import Batch, Consent, Item, Question, parse_question
from gateway.web.http.expected import _FORMS as FORMS
from gateway.web.http.problems import LANGUAGES, Problems

WRITE = Problems("https://gateway.example")
WHOLE: dict[str, Any] = {
    "nik": "7402154505909001",
    "purpose": "account_opening",
    "claims": {name: FORMS[f"claims.{name}"].get("example", "7402154505909001") for name in CLAIMS},
    "consent": FORMS["consent"]["example"],
    **{name: FORMS[name]["example"] for name in ("channel", "operator", "on_behalf_of", "previous")},
}


def _told(language: str, **changed: Any) -> dict[str, Any]:
    with pytest.raises(Refused) as refused:
        parse_question(msgspec.json.encode({**WHOLE, **changed}))
    return WRITE(refused.value.refusal, language, "id")[1]


def test_every_example_is_taken() -> None:
    """A question made of the examples alone is a question."""
    assert parse_question(msgspec.json.encode(WHOLE)).purpose == "account_opening"


def test_every_member_has_its_form_in_both_languages() -> None:
    """Every member that a question, an item or a batch may hold is told of, and each claim by itself."""
    members = {name for struct in (Question, Item, Batch) for name in struct.__struct_fields__}
    members |= {f"consent.{name}" for name in Consent.__struct_fields__} | {f"claims.{name}" for name in CLAIMS}
    assert members <= FORMS.keys()
    for form in FORMS.values():
        assert all(form[language].strip() for language in LANGUAGES)
        assert form["id"] != form["en"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_malformed_member_is_told_by_form_and_example(language: str) -> None:
    """The document and its detail say what is expected of each member at fault; nothing that was sent is repeated."""
    told = _told(language, claims={**WHOLE["claims"], "birth_date": "1999-99-99"}, channel="?!")
    forms = [
        {"member": name, "form": FORMS[name][language], "example": FORMS[name]["example"]} for name in told["members"]
    ]
    assert told["members"] == ["channel", "claims.birth_date"]
    assert told["expected"] == forms
    assert all(form["form"] in told["detail"] for form in forms)
    assert "1999-99-99" not in str(told)


def test_a_misspelt_claim_is_told_its_name() -> None:
    """A claim that nobody knows is met with the one that is meant; what resembles nothing with none."""
    assert _told("en", claims={"nmae": "X", "birth_date": "1990-05-05"})["did_you_mean"] == ["name"]
    assert _told("id", claims={"mothers_name": "X"})["did_you_mean"] == ["mother_name"]
    assert "did_you_mean" not in _told("en", claims={"zzzz": "X"})


def test_what_is_agreed_is_told_with_the_name_that_is_meant() -> None:
    """A purpose that is nearly one that was agreed is met with it, in the document and in its detail."""
    agreed = ["account_opening", "credit_application"]
    refusal = Refused(Cause.PURPOSE_NOT_AGREED, purpose="acount-opening", agreed=agreed).refusal
    told = WRITE(refusal, "en", "id")[1]
    assert (told["agreed"], told["did_you_mean"]) == (agreed, ["account_opening"])
    assert "Perhaps account_opening is meant." in told["detail"]
    far = Refused(Cause.PURPOSE_NOT_AGREED, purpose="vaccination", agreed=agreed).refusal
    assert "did_you_mean" not in WRITE(far, "en", "id")[1]
