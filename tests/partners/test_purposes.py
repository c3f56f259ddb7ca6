"""Is the list of purposes closed, and the law not negotiable?"""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.claims import CLAIMS
from gateway.errors import Cause, Misconfigured, Refusal, Refused
from gateway.partners.purposes import (
    DEMANDS,
    FORBIDDEN,
    LEGAL_BASES,
    TIER_1,
    TIER_2,
    PurposeCatalogue,
    refuse_forbidden,
)

TITLE = 'title = { id = "a", en = "b" }\n'


def test_tiers_hold_every_claim_once() -> None:
    """Every claim that the register can compare is of tier 1 or 2, and none is of tier 3."""
    assert set(CLAIMS) == TIER_1 | TIER_2
    assert not TIER_1 & TIER_2
    assert not FORBIDDEN & set(CLAIMS)


def test_shipped_purposes_are_complete(catalogue: PurposeCatalogue) -> None:
    """The house's purposes have titles in both languages, a legal basis, and demand consent where that is the basis."""
    assert set(catalogue.purposes) >= {
        "account_opening", "credit_application", "claim_eligibility", "membership_registration",
        "taxpayer_registration", "social_assistance", "vaccination", "sim_registration",
    }  # fmt: skip
    for name, purpose in catalogue.purposes.items():
        assert purpose.name == name
        assert purpose.title_id
        assert purpose.title_en
        assert purpose.legal_basis in LEGAL_BASES
        assert purpose.decide == ("name", "birth_date")
        assert purpose.claims <= TIER_1 | TIER_2
        assert purpose.demands <= DEMANDS
        assert ("consent" in purpose.demands) or purpose.legal_basis != "consent"


@pytest.mark.parametrize("claim", sorted(FORBIDDEN))
def test_forbidden_claim_is_refused_in_code(claim: str) -> None:
    """An element of tier 3 is refused by name, among whatever else is asked; everything else passes."""
    with pytest.raises(Refused) as caught:
        refuse_forbidden(["name", claim], ["sex", "name", claim])
    told = {"claims": [claim], "agreed": ["name", "sex"]}
    assert caught.value.refusal == Refusal(Cause.CLAIM_NOT_AGREED, told)
    refuse_forbidden(CLAIMS)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a", "x.toml: not TOML"),
        ("", "x.toml: names no purpose"),
        ("a = 1", "x.toml: a: must be a table"),
        ("[Abc]\n" + TITLE + 'legal_basis = "contract"', "x.toml: Abc: a purpose is named in lower-case"),
        ('[a]\nlegal_basis = "contract"', "x.toml: a.title: missing"),
        ('[a]\ntitle = { id = "a" }\nlegal_basis = "contract"', "x.toml: a.title.en: missing"),
        ("[a]\n" + TITLE, "x.toml: a.legal_basis: missing"),
        ("[a]\n" + TITLE + 'legal_basis = "x"', "x.toml: a.legal_basis: `x` is not one of"),
        ("[a]\n" + TITLE + 'legal_basis = "contract"\ndecide = []', "x.toml: a.decide: at least one"),
        ("[a]\n" + TITLE + 'legal_basis = "contract"\ninform = ["iris"]', "x.toml: a.inform: unknown claim `iris` —"),
        ("[a]\n" + TITLE + 'legal_basis = "contract"\ndecide = ["hat"]', "x.toml: a.decide: unknown claim `hat`"),
        ("[a]\n" + TITLE + 'legal_basis = "contract"\ninform = ["name"]', "x.toml: a.inform: `name` already decides"),
        ("[a]\n" + TITLE + 'legal_basis = "contract"\ndemands = ["x"]', "x.toml: a.demands: `x` is not one of"),
        ("[a]\n" + TITLE + 'legal_basis = "consent"\nconsent = false', "x.toml: a.consent: must be true"),
        ("[a]\n" + TITLE + 'legal_basis = "contract"\nfoo = 1', "x.toml: a.foo: unknown key"),
    ],
)
def test_faulty_catalogue_is_refused(text: str, fault: str) -> None:
    """A list of purposes with any fault is refused, naming file, purpose and key."""
    with pytest.raises(Misconfigured) as caught:
        PurposeCatalogue.parse(text, "x.toml")
    assert any(each.startswith(fault) for each in caught.value.faults), caught.value.faults


def test_consent_can_be_demanded_under_another_basis() -> None:
    """A purpose may demand consent although its basis is another."""
    text = "[a]\n" + TITLE + 'legal_basis = "contract"\nconsent = true\ndemands = ["channel"]'
    assert PurposeCatalogue.parse(text, "x").purposes["a"].demands == {"consent", "channel"}


def test_catalogue_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A file that is absent or not UTF-8 is refused by name."""
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    for name in ("nowhere.toml", "latin.toml"):
        with pytest.raises(Misconfigured, match=name):
            PurposeCatalogue.read(tmp_path / name)
