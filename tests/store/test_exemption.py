"""Does an exemption end by itself on its last day, after reminders, and as an entry? On both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway.administration.commands import Act, View
from gateway.administration.requests.partners import ApprovedDigest, Exemption, NewPartner
from gateway.clock import DAY, SystemClock, SystemEntropy, jakarta_date
from gateway.errors import Refused
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.store.administration.duties import Watch
from gateway.store.administration.performing import do
from gateway.store.administration.views import show
from gateway.store.base.engine import Database
from gateway.store.commands.query import ReadContext
from gateway.store.ledger.entries import LedgerOf
from gateway.store.partners.tables import exemptions

ENTROPY, CLOCK = SystemEntropy(), SystemClock()
DECIDER = Decider(load(Path(__file__).parents[2] / "policies"))


def act(database: Database, name: str, path: dict[str, str], body: Any, person: str = "Budi") -> dict[str, Any]:
    (result,) = do(database, ENTROPY, DECIDER, [Act(name, path, body, person)])
    return dict(result.answer)


def day(offset: int) -> str:
    """A day in Jakarta, from today."""
    return (jakarta_date(CLOCK.now()) + timedelta(days=offset)).isoformat()


def exemption_of(database: Database, partner: str) -> Any:
    with database.reading() as connection:
        context = ReadContext(connection, CLOCK.now(), DECIDER.policies.purposes, DECIDER)
        return show(context, View("partner", {"id": partner})).document["exemption"]


def changes(database: Database) -> list[dict[str, Any]]:
    """The private parts of the entries, in order."""
    with LedgerOf(database).snapshot() as (_, held):
        return [json.loads((each.private or b"")[32:]) for each in held]


def exempted(database: Database, until: str) -> str:
    """A partner with an exemption until a day, by two persons."""
    partner = act(database, "register_partner", {}, NewPartner("Koperasi Contoh", "bank"))["id"]
    proposed = act(database, "propose_exemption", {"id": partner}, Exemption("cooperative", "S/1", until))
    act(database, "approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")
    return str(partner)


def test_it_is_told_before_and_ends_after_its_last_day(database: Database) -> None:
    """Thirty and seven days before somebody is reminded, once each; the day after it is gone, and the entry says why."""
    partner = exempted(database, day(20))
    assert exemption_of(database, partner) == {"ground": "cooperative", "proof": "S/1", "until": day(20)}
    watch = Watch(database, CLOCK, ENTROPY)
    told = []
    for days in (0, 0, 14, 0, 6, 0):  # the clock of a database cannot be set: the end comes nearer instead
        with database.sealing() as (connection, _):
            connection.execute(update(exemptions).values(ends=exemptions.c.ends - days * DAY))
        watch.round(0)
        told.append([each["stage"] for each in changes(database) if each.get("change") == "remind"])
    assert told[0] == told[1] == ["in_30_days"]
    assert told[2] == told[3] == ["in_30_days", "in_7_days"]
    assert told[4] == told[5]
    assert exemption_of(database, partner) == {"ground": "cooperative", "proof": "S/1", "until": day(0)}
    with database.sealing() as (connection, _):
        connection.execute(update(exemptions).values(ends=exemptions.c.ends - DAY))
    assert watch.round(0) == 1
    assert watch.round(0) == 0
    assert exemption_of(database, partner) is None
    last = changes(database)[-1]
    assert (last["change"], last["partner"], last["reason"]) == ("end_exemption", partner, "exemption_ended")


@pytest.mark.parametrize("until", ["2020-01-01", "2026-13-01"])
def test_a_last_day_that_is_over_or_is_none_is_refused(database: Database, until: str) -> None:
    """When it is proposed, and when a partner is registered with it."""
    partner = exempted(database, day(3))
    with pytest.raises(Refused, match="malformed-request"):
        act(database, "propose_exemption", {"id": partner}, Exemption("cooperative", "S/1", until))
    with pytest.raises(Refused, match="malformed-request"):
        act(database, "register_partner", {}, NewPartner("Lain", "bank", Exemption("cooperative", "S/1", until)))
