"""Are the papers that a partner's own people read those that its programs are told? On both databases."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway.administration.commands import View
from gateway.clock import DAY, SystemClock, SystemEntropy, jakarta_date
from gateway.partners.in_force import agreement_document
from gateway.partners.terms import parse_file
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.store.administration.own import VIEWS
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.commands.query import ReadContext
from gateway.store.partners.standings import PartnersOf
from gateway.store.partners.tables import agreements, statements

HOUSE = Path(__file__).parents[2]
CLOCK, ENTROPY = SystemClock(), SystemEntropy()
DECIDER = Decider(load(HOUSE / "policies"))


@pytest.fixture
def partner(database: Database) -> str:
    """The partner of docs/agreements.md, with its agreement in force since ten days."""
    found = re.search(r"```toml\n(.*?)```", (HOUSE / "docs/agreements.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    rows = parse_file(found[1], "agreements.md", DECIDER.policies.purposes)
    (taken,) = PartnersOf(database, ENTROPY).take(rows, proposer="Budi", approver="Sri")
    with database.sealing() as (connection, now):
        connection.execute(update(agreements).values(since=now - 10 * DAY))
    return taken.partner


def seen(database: Database, name: str, partner: str, **query: str) -> dict[str, Any]:
    """What a view shows to the partner's own people."""
    with database.reading() as connection:
        context = ReadContext(connection, CLOCK.now(), DECIDER.policies.purposes, DECIDER)
        return dict(VIEWS[name](context, View(name, {"partner": partner}, query)).document)


def test_the_agreement_and_its_use_are_those_that_programs_are_told(database: Database, partner: str) -> None:
    """The document of the agreement with keys instead of an address, and an allowance of which nothing is spent."""
    shown = seen(database, "own_agreement", partner)
    with database.reading() as connection:
        held = PartnersOf.partner(connection, partner)
    wanted = agreement_document(held, CLOCK.now())
    assert {name: shown[name] for name in ("partner", "agreements")} == {
        name: wanted[name] for name in ("partner", "agreements")
    }
    assert {each["kid"] for each in shown["keys"]} == {
        each["kid"] for each in seen(database, "own_keys", partner)["items"]
    }
    assert "seen_address" not in shown
    (usage,) = seen(database, "own_usage", partner)["agreements"]
    assert usage["agreement"] == held.agreements[0].id
    assert {reading["spent"] for reading in usage["limits"].values()} == {0}


def test_statements_are_listed_from_the_first_day_on(database: Database, partner: str) -> None:
    """Newest first and by pages; the sums of those that were made, and nothing where none was."""
    newest = jakarta_date(CLOCK.now() - DAY - DAY // 24)
    made = {"statement": {"answers": 3, "refusals": 1, "amount": 3000, "credited": 0}, "jws": ""}
    with database.sealing() as (connection, _):
        put_many(connection, statements, [(partner, (newest - timedelta(days=1)).isoformat(), json.dumps(made))])
        put_many(connection, statements, [("another", newest.isoformat(), json.dumps(made))])
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = seen(database, "own_statements", partner, limit="4", **cursor)
        items += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    days = [each["date"] for each in items]
    first = jakarta_date(CLOCK.now() - 10 * DAY)
    assert days == sorted(set(days), reverse=True)
    assert (days[-1], len(days) >= 9) == (first.isoformat(), True)
    by_day = {each["date"]: each for each in items}
    told = by_day[(newest - timedelta(days=1)).isoformat()]
    assert (told["made"], told["answers"], told["amount"]) == (True, 3, 3000)
    assert not any(each["made"] for each in items if each is not told)
