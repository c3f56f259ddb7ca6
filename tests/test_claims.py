"""Is every claim whole? One row says all of it, so a row that lacks something is found here."""

from __future__ import annotations

import pytest

from gateway.claims import CLAIMS, ROWS, Claim
from gateway.matching.bands import Band
from gateway.matching.compare import RULES, compare
from gateway.register.codec import decode, encode
from gateway.register.record import Record
from gateway.verification.request import parse_question
from gateway.web.openapi.shapes import requests


def test_rows_are_one_for_each_claim() -> None:
    """No name and no place in a list stands twice, and every rule is one that there is."""
    assert len(CLAIMS) == len(ROWS)
    assert sorted(row.rank for row in ROWS) == list(range(1, len(ROWS) + 1))
    assert {row.rule for row in ROWS} <= RULES.keys()
    assert {row.tier for row in ROWS} <= {1, 2}


@pytest.mark.parametrize("row", ROWS, ids=list(CLAIMS))
def test_a_claim_is_whole(row: Claim) -> None:
    """It has names in both languages, a decoy that is compared as any value is, and a form that its example has."""
    assert row.id
    assert row.en
    example = row.example.replace("<KK>", "7402154505900001")
    asked = f'{{"nik":"7402154505909001","purpose":"account_opening","claims":{{"{row.name}":"{example}"}}}}'
    assert parse_question(asked.encode()).claims == {row.name: example}
    assert compare({row.name: row.decoy}, {row.name: row.decoy}) == {row.name: Band.MATCH}
    assert compare({row.name: example}, {row.name: row.decoy})[row.name] in {Band.DIFFERENT, Band.MATCH}
    assert requests()["ClaimsSent"]["properties"][row.name].items() >= row.form.schema.items()


def test_a_record_from_before_a_claim_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row added at the end leaves older records readable, which have one value less; what is longer is refused."""
    earlier = Record("7402154505909001", {name: row.decoy for name, row in CLAIMS.items()})
    names = tuple(CLAIMS)
    monkeypatch.setattr("gateway.register.codec._NAMES", names[:-1])
    written = encode(earlier)
    monkeypatch.setattr("gateway.register.codec._NAMES", names)
    assert dict(decode(written).claims) == {name: CLAIMS[name].decoy for name in names[:-1]}
    longer = encode(earlier)
    monkeypatch.setattr("gateway.register.codec._NAMES", names[:-1])
    with pytest.raises(ValueError, match="another version"):
        decode(longer)
