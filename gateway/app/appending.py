"""May a command append to this database? The node's keeper is asked, as the sealer asks it, before the first entry."""

from __future__ import annotations

from gateway.app.deployment import Deployment, open_deployment
from gateway.app.publishing import keeper_of
from gateway.clock import Clock, Entropy
from gateway.config import Settings


def open_to_append(settings: Settings, clock: Clock, entropy: Entropy, *, at_once: bool = False) -> Deployment:
    """As `open_deployment`, for a process that may append: see `guard`; `at_once`, for what writes long before its entry.

    Raises Misconfigured; LedgerForked at once, or when the first entry comes.
    """
    deployment = open_deployment(settings, clock, entropy)
    guard(deployment)
    if at_once:
        keeper_of(deployment).examine()
    return deployment


def guard(deployment: Deployment) -> None:
    """Let nothing of this process be appended to a database that does not extend the checkpoint kept outside it.

    A database is examined when the first entry comes, so that a command which only looks may look at any database.
    """
    keeper = keeper_of(deployment)
    examined = False

    def admit(first: int) -> None:
        nonlocal examined
        if not examined:
            keeper.examine()
            examined = True
        keeper.admit(first)

    deployment.database.guard(admit)
