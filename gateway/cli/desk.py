"""How does a command do what administrators do? By the same acts, each with its entry; a refusal ends the command in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.app import House, open_to_append
from gateway.cli.output import FOUND_FAULT, settings_of, stop
from gateway.clock import SystemClock, SystemEntropy
from gateway.config import Settings
from gateway.errors import Cause, Refused
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.staff.member import link_of
from gateway.store.administration import do
from gateway.store.views import Sight, show
from gateway.verification.acts import Act, Seen, View

_TWO = "two persons are needed: --proposer, and --approver who is neither the proposer nor whom it is for"


class Desk:
    """What one command may do in a deployment."""

    def __init__(self, house: House, decider: Decider) -> None:
        self.house, self._decider = house, decider

    def act(self, name: str, path: dict[str, str], person: str, body: Any = None) -> dict[str, Any]:  # noqa: ANN401
        """What an act answers. Raises Refused."""
        (deed,) = do(self.house.database, self.house.entropy, self._decider, [Act(name, path, body, person)])
        return dict(deed.answer)

    def agree(self, name: str, path: dict[str, str], two: tuple[str, str], body: Any = None) -> dict[str, Any]:  # noqa: ANN401
        """What an act of two persons answers. Raises Refused."""
        proposed = self.act(name, path, two[0], body)
        return self.act("approve", {"id": proposed["approval"]}, two[1], Seen(proposed["digest"]))

    def rows(self, view: str = "members", path: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """Every item of a view that comes in pages. Raises Refused."""
        with self.house.database.reading() as connection:
            sight = self._sight(connection)
            items: list[dict[str, Any]] = []
            cursor: str | None = ""
            while cursor is not None:
                document = show(sight, View(view, path or {}, query={"limit": "200", "cursor": cursor})).document
                items += document["items"]
                cursor = document["next"]
        return items

    def read(self, view: str, path: dict[str, str]) -> dict[str, Any]:
        """What a view shows that comes in one piece. Raises Refused."""
        with self.house.database.reading() as connection:
            return dict(show(self._sight(connection), View(view, path)).document)

    def _sight(self, connection: Any) -> Sight:  # noqa: ANN401  one of SQLAlchemy, of which only the store knows
        return Sight(connection, self.house.clock.now(), self._decider.policies.purposes, self._decider)

    def link(self, token: str) -> str:
        """The one-time link of a token."""
        settings = self.house.settings
        return link_of(settings.console_origin or settings.issuer, token)


def told(refused: Refused) -> str:
    """A refusal in words."""
    facts = refused.refusal.facts.get("fault") or refused.refusal.facts.get("members") or ""
    return _TWO if refused.refusal.cause is Cause.SAME_PERSON else f"{refused.refusal.cause.value} {facts}".rstrip()


@contextmanager
def desk_of(config: Path | Settings) -> Iterator[Desk]:
    """A desk; whatever is refused ends the command, in words."""
    settings = config if isinstance(config, Settings) else settings_of(config)
    house = open_to_append(settings, SystemClock(), SystemEntropy())
    try:
        yield Desk(house, Decider(load(settings.policies)))
    except Refused as refused:
        stop(FOUND_FAULT, f"nik-gateway: {told(refused)}")
    finally:
        house.database.close()
