"""How does a command do what administrators do? By the same acts, each with its entry; a refusal ends the command in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.administration.commands import Act, View
from gateway.administration.requests.partners import ApprovedDigest
from gateway.app import Deployment, open_to_append
from gateway.cli.output import FOUND_FAULT, settings_of, stop
from gateway.clock import SystemClock, SystemEntropy
from gateway.config import Settings
from gateway.errors import Cause, Refused
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.staff.member import link_of
from gateway.store.administration.performing import do
from gateway.store.administration.views import show
from gateway.store.commands.query import ReadContext

_TWO = "two persons are needed: --proposer, and --approver who is neither the proposer nor whom it is for"


class OperatorCommands:
    """What one command may do in a deployment."""

    def __init__(self, deployment: Deployment, decider: Decider) -> None:
        self.deployment, self._decider = deployment, decider

    def act(self, name: str, path: dict[str, str], person: str, body: Any = None) -> dict[str, Any]:  # noqa: ANN401
        """What an act answers. Raises Refused."""
        (result,) = do(
            self.deployment.database, self.deployment.entropy, self._decider, [Act(name, path, body, person)]
        )
        return dict(result.answer)

    def agree(self, name: str, path: dict[str, str], two: tuple[str, str], body: Any = None) -> dict[str, Any]:  # noqa: ANN401
        """What an act of two persons answers. Raises Refused."""
        proposed = self.act(name, path, two[0], body)
        return self.act("approve", {"id": proposed["approval"]}, two[1], ApprovedDigest(proposed["digest"]))

    def rows(self, view: str = "members", path: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """Every item of a view that comes in pages. Raises Refused."""
        with self.deployment.database.reading() as connection:
            context = self._context(connection)
            items: list[dict[str, Any]] = []
            cursor: str | None = ""
            while cursor is not None:
                document = show(context, View(view, path or {}, query={"limit": "200", "cursor": cursor})).document
                items += document["items"]
                cursor = document["next"]
        return items

    def read(self, view: str, path: dict[str, str]) -> dict[str, Any]:
        """What a view shows that comes in one piece. Raises Refused."""
        with self.deployment.database.reading() as connection:
            return dict(show(self._context(connection), View(view, path)).document)

    def _context(self, connection: Any) -> ReadContext:  # noqa: ANN401  one of SQLAlchemy, of which only the store knows
        return ReadContext(connection, self.deployment.clock.now(), self._decider.policies.purposes, self._decider)

    def link(self, token: str) -> str:
        """The one-time link of a token."""
        settings = self.deployment.settings
        return link_of(settings.console_origin or settings.issuer, token)


def told(refused: Refused) -> str:
    """A refusal in words."""
    facts = refused.refusal.facts.get("fault") or refused.refusal.facts.get("members") or ""
    return _TWO if refused.refusal.cause is Cause.SAME_PERSON else f"{refused.refusal.cause.value} {facts}".rstrip()


@contextmanager
def commands_of(config: Path | Settings) -> Iterator[OperatorCommands]:
    """A commands; whatever is refused ends the command, in words."""
    settings = config if isinstance(config, Settings) else settings_of(config)
    deployment = open_to_append(settings, SystemClock(), SystemEntropy())
    try:
        yield OperatorCommands(deployment, Decider(load(settings.policies)))
    except Refused as refused:
        stop(FOUND_FAULT, f"nik-gateway: {told(refused)}")
    finally:
        deployment.database.close()
