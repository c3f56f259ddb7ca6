"""Does the form of an agreement hold every field, and say every fault at it?"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.console.frame.differences import label_of, readable
from gateway.console.frame.words import Words
from gateway.console.pages.agreement_faults import Catalogue, fault_of
from gateway.console.pages.agreement_form import id_of, name_of, pruned, read, unknown
from gateway.console.pages.agreement_sheet import Box, Rows, Sheet, sheet
from gateway.partners.lifecycle import examine
from gateway.partners.present import Present
from gateway.partners.purposes import PurposeCatalogue
from gateway.partners.terms import PartnerEntry

ROOT = Path(__file__).parents[2]
PRESENT = Present(date(2026, 11, 1))
BANK = PartnerEntry("bank-contoh", "Bank Contoh", "bank")
WORDS = [Words("id"), Words("en")]


@pytest.fixture(scope="module")
def closed() -> PurposeCatalogue:
    """The closed list of purposes that the house ships."""
    return PurposeCatalogue.read(ROOT / "policies" / "purposes.toml")


@pytest.fixture(scope="module")
def catalogue(closed: PurposeCatalogue) -> Catalogue:
    """The same list, as the view tells it."""
    items = [
        {"purpose": one.name, "title": {"id": one.title_id, "en": one.title_en}, "legal_basis": one.legal_basis,
         "decide": list(one.decide), "inform": list(one.inform), "demands": sorted(one.demands), "tells_order": one.tells_order}
        for one in closed.purposes.values()
    ]  # fmt: skip
    return Catalogue.of({"items": items})


@pytest.fixture
def fields() -> dict[str, Any]:
    """The example of docs/agreements.md as a draft holds it."""
    found = re.search(r"```toml\n(.*?)```", (ROOT / "docs/agreements.md").read_text("utf-8"), re.DOTALL)
    assert found
    table = tomllib.loads(found[1], parse_float=str)["agreement"][0]
    kept = {name: value for name, value in table.items() if name not in {"id", "partner", "client"}}
    return plain(kept)


def plain(value: Any) -> Any:
    """Days as texts."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def controls(shown: Sheet) -> Iterator[Box]:
    for section in shown.sections:
        for part in section.parts:
            if isinstance(part, Rows):
                for line in part.lines:
                    yield from line.boxes
            else:
                yield part


def sent(shown: Sheet) -> Mapping[str, list[str]]:
    """What a browser sends of the form as it stands."""
    given: dict[str, list[str]] = {}
    for box in controls(shown):
        if box.entry.kind == "claims":
            given |= {f"{box.name}.{claim.name}": [claim.use] for claim in box.claims}
        elif box.entry.kind == "window":
            given |= {f"{box.name}.from": [box.values[0]], f"{box.name}.to": [box.values[1]]}
        elif box.entry.kind == "many":
            given[box.name] = list(box.values)
        else:
            given[box.name] = [box.value]
    return given


def test_a_form_that_is_sent_as_it_stands_says_the_same(fields, catalogue, closed) -> None:
    """Showing the example of the documents and reading it back gives the same agreement, to the digest."""
    before = examine(fields, BANK, "pks", 1, closed, PRESENT)
    again = pruned(read(sent(sheet(fields, (), (), catalogue, WORDS[0]))))
    after = examine(again, BANK, "pks", 1, closed, PRESENT)
    assert before.agreement is not None
    assert (after.missing, after.faults) == ((), ())
    assert after.digest == before.digest


def test_every_field_of_the_documents_has_a_control(fields) -> None:
    """Nothing of the example is unknown to the form."""
    assert unknown(fields) == []


def test_everything_missing_in_an_empty_draft_leads_to_its_control(catalogue, closed) -> None:
    """Each missing field is at a control, a row or a group of the page; none is told without a place."""
    empty = read({})
    found = examine(empty, BANK, "pks", 1, closed, PRESENT)
    shown = sheet(empty, found.missing, found.faults, catalogue, WORDS[0])
    assert len(shown.lacks) > 25
    assert shown.elsewhere == ()
    assert sum(section.lacks for section in shown.sections) == len(shown.lacks)


BROKEN: tuple[tuple[str, Any], ...] = (
    ("mou.number", "x" * 600), ("mou.file_sha256", "abc"), ("mou.date", "31-12-2025"),
    ("mou.signatories", [{"name": "A", "office": "B", "side": "partner"}]), ("pks.signatories", "nobody"), ("pks", "x"),
    ("term.ends", "2020-01-01"), ("allowance.day", "many"), ("allowance.month", 1), ("allowance.prepaid", "maybe"),
    ("access.method", "pigeon"), ("access.addresses", ["nowhere"]), ("access.addresses", ["0.0.0.0/0"]),
    ("access.certificates", ["short"]), ("access.hours", "07:00-"), ("access.addresses", ["10.0.0.0/8", "10.0.0.0/8"]),
    ("on_behalf_of", "x"), ("breach_contact.email", "nobody"), ("sub_processors", [{"name": "A", "country": "id", "task": "B"}]),
    ("purposes.account_opening.decide", ["religion"]), ("purposes.account_opening.decide", ["shoe_size"]),
    ("purposes.account_opening.decide", ["family_card_number"]), ("purposes.account_opening.inform", ["name"]),
    ("purposes.account_opening.tells_order", True), ("purposes.account_opening.demands", ["tea"]),
    ("purposes.no_such_purpose", {}), ("surprise", 1), ("version", 3), ("client", []),
)  # fmt: skip


@pytest.mark.parametrize(("path", "value"), BROKEN, ids=lambda each: str(each)[:40])
def test_every_fault_has_words_and_a_place(fields, catalogue, closed, path, value) -> None:
    """Whatever the gateway says of a draft is said in Indonesian, at the control that it is about where there is one."""
    *tables, last = path.split(".")
    here = fields
    for name in tables:
        here = here[name]
    here[last] = value
    found = examine(fields, BANK, "pks", 1, closed, PRESENT)
    assert found.faults
    for fault in found.faults:
        what = fault.partition(": ")[2]
        assert fault_of(what, WORDS[0]) != what
    shown = sheet(fields, found.missing, found.faults, catalogue, WORDS[0])
    if last not in {"surprise", "version", "client"}:
        assert shown.elsewhere == (), shown.elsewhere


def test_rows_of_faults_count_from_one_and_controls_from_nought() -> None:
    """`signatories[2]` is the second row, whose control is the one numbered 1."""
    assert name_of("mou.signatories[2].office") == "mou.signatories.1.office"
    assert id_of("mou.signatories.1.office") == "a-mou-signatories-1-office"


def test_money_is_typed_as_people_type_it() -> None:
    """Points and `Rp` are no fault of a number; a word stays the word that it is."""
    assert read({"allowance.tariff": ["Rp1.000"]})["allowance"]["tariff"] == 1000
    assert read({"allowance.day": ["20 000"]})["allowance"]["day"] == 20_000
    assert read({"allowance.day": ["banyak"]})["allowance"]["day"] == "banyak"


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.language)
def test_a_change_is_said_by_what_goes_and_what_comes(words) -> None:
    """Lists tell what goes, stays and comes; money and days are written as the language writes them."""
    changes = [
        {
            "path": "purposes.account_opening.decide",
            "before": ["name", "sex"],
            "after": ["name", "address"],
            "effect": "widens",
        },
        {"path": "allowance.tariff", "before": 1000, "after": 0, "effect": "widens"},
        {"path": "term.ends", "before": None, "after": "2028-01-01", "effect": "widens"},
    ]
    claims, tariff, ends = readable(changes, words)
    assert (claims.gone, claims.kept, claims.come) == (
        (words.choice("sex"),),
        (words.choice("name"),),
        (words.choice("address"),),
    )
    assert (tariff.gone, tariff.come) == (("Rp1.000",), ("Rp0",))
    assert ends.come == ("1 Jan 2028",)
    assert words.choice("account_opening") in claims.label


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.language)
def test_every_place_of_an_agreement_has_a_name(fields, words) -> None:
    """No path of the example is shown as the gateway spells it."""

    def paths(value: Any, before: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for name, each in value.items():
                yield from paths(each, f"{before}.{name}" if before else name)
        else:
            yield before

    for path in paths(fields):
        assert not re.search(r"[a-z]_[a-z]", label_of(path, words)), path
