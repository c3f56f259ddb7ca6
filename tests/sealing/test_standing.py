"""Standings in memory: read once, and forgotten when they have moved."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from gateway.clock import SECOND
from gateway.oauth.client import Client
from gateway.partners.agreement import Partner
from gateway.sealing.standing import HOUSE, Directory, RegisterRows, Standing, partner_scope


class Books:
    """A reading whose partners change by hand, and which counts how often it was asked."""

    def __init__(self) -> None:
        self.at = 1000 * SECOND
        self.epochs: dict[str, int] = {HOUSE: 1}
        self.clients = {"bank-1": "bank", "bank-2": "bank", "tax-1": "tax"}
        self.asked: list[str] = []
        self.house_moved = 0
        self.directory = Directory(self, self, self._moved)

    def now(self) -> int:
        return self.at

    def _moved(self) -> None:
        self.house_moved += 1

    async def standing(self, client_id: str) -> Standing | None:
        self.asked.append(client_id)
        partner = self.clients.get(client_id)
        if partner is None:
            return None
        scope = partner_scope(partner)
        client = Client(client_id, partner, "private_key_jwt", {}, frozenset())
        epoch = self.epochs.get(scope, 0)
        return Standing(
            client,
            Partner(partner, partner, "bank", suspended=False, agreements=(), epoch=epoch),
            {HOUSE: self.epochs[HOUSE], scope: epoch},
            {},
        )

    async def find(self, indexes: object, earlier: object, cases: object = ()) -> RegisterRows:  # noqa: ARG002  the port's
        return RegisterRows({}, {}, {})

    def know(self, *clients: str) -> Mapping[str, Standing | None]:
        async def ask() -> dict[str, Standing | None]:
            return {client: await self.directory.standing(client) for client in clients}

        return asyncio.run(ask())


def test_a_standing_is_read_once() -> None:
    """Then it comes from memory, until it is forgotten."""
    unit = Books()
    first = unit.know("bank-1")["bank-1"]
    unit.epochs["partner:bank"] = 5
    assert unit.know("bank-1")["bank-1"] is first is unit.directory.recall("bank-1")
    assert unit.asked == ["bank-1"]
    assert unit.directory.recall("tax-1") is None


def test_what_has_moved_is_read_anew() -> None:
    """All clients of that partner, and nobody else's."""
    unit = Books()
    unit.know("bank-1", "bank-2", "tax-1")
    unit.epochs["partner:bank"] = 1
    unit.directory.forget({HOUSE: 1, "partner:bank": 1})
    assert [unit.directory.recall(client) is None for client in ("bank-1", "bank-2", "tax-1")] == [True, True, False]
    found = unit.know("bank-1")["bank-1"]
    assert found is not None
    assert found.epochs["partner:bank"] == 1
    assert unit.house_moved == 0
    unit.directory.forget({HOUSE: 1, "partner:bank": 1})
    assert unit.directory.recall("bank-1") is found


def test_when_the_house_has_moved_everything_is_read_anew() -> None:
    """Every partner's standings go, and the policies are to be read again, once."""
    unit = Books()
    unit.know("bank-1", "tax-1")
    unit.epochs[HOUSE] = 2
    unit.directory.forget({HOUSE: 2, "partner:bank": 0})
    assert (unit.directory.recall("bank-1"), unit.directory.recall("tax-1")) == (None, None)
    assert unit.house_moved == 1


def test_an_unknown_client_is_asked_for_once_a_second() -> None:
    """Names that anyone may invent cost no read each; a client that is registered meanwhile is known a second later."""
    unit = Books()
    for _ in range(3):
        assert unit.know("nobody")["nobody"] is None
    assert unit.asked == ["nobody"]
    unit.clients["nobody"] = "bank"
    unit.at += SECOND - 1
    assert unit.know("nobody")["nobody"] is None
    unit.at += 1
    assert unit.know("nobody")["nobody"] is not None


def test_invented_names_do_not_fill_the_memory() -> None:
    """There is a bound to how many are remembered."""
    unit = Books()
    unit.know(*(f"nobody-{number}" for number in range(10_050)))
    assert len(unit.directory._unknown) <= 10_001
    assert len(unit.directory._known) == 0
