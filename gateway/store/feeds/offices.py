"""What does a regency office reach? One object for all that it sends and sees, made once a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.administration.commands import Act, Shown, View
from gateway.clock import Clock, Entropy
from gateway.keyring import Keyring
from gateway.partners.approvals import Widening
from gateway.store.base.engine import Database
from gateway.store.commands.query import ReadContext
from gateway.store.commands.unit_of_work import CommandResult
from gateway.store.feeds.consolidation import Consolidations
from gateway.store.feeds.delivery import Deliveries
from gateway.store.feeds.views import FeedViews
from gateway.store.referrals.closing import CaseClosing
from gateway.store.referrals.views import ReferralViews
from gateway.store.register.residents import RegisterOf


class Feeds:
    """Feeds in one database."""

    def __init__(  # noqa: PLR0913  what feeds reach, and when they are late
        self,
        database: Database,
        keyring: Keyring,
        entropy: Entropy,
        clock: Clock,
        *,
        behind_after: int,
        gap_hours: int,
    ) -> None:
        """`behind_after` in microseconds."""
        self.deliveries = Deliveries(database, keyring, entropy, clock)
        self._consolidations = Consolidations(database, self.deliveries, clock)
        self._closing = CaseClosing(database, keyring, entropy, clock, behind_after=behind_after)
        register = RegisterOf(database, keyring, entropy)
        self.views: Mapping[str, Callable[[ReadContext, View], Shown]] = {
            **FeedViews(keyring, register, behind_after=behind_after, gap_hours=gap_hours).all,
            **ReferralViews(keyring, behind_after=behind_after).all,
        }

    def prepare(self, act: Act) -> Any:  # noqa: ANN401  what its act takes
        """What takes too long to do under the sealing lock. Raises Refused."""
        return self.deliveries.prepare(act) if act.name == "take_batch" else self._consolidations.prepare(act)

    def finish(self, act: Act, result: CommandResult) -> None:
        """What follows an act that is sealed: whatever waited for it is applied."""
        if act.name == "take_batch" and "accepted" in result.answer:
            self.deliveries.finish(act.path["regency"])
            if result.answer.get("accepted"):
                self._closing.round()
        elif act.name == "approve" and result.private.get("change") == f"approve_{Widening.CONSOLIDATION}":
            self.deliveries.finish(str(result.private["regency"]))
            self._closing.round()

    def go_on(self) -> int:
        """Apply what a process that was killed has left, and close cases that are mended; in how many feeds, how many cases."""
        left = self.deliveries.unfinished()
        for regency in left:
            self.deliveries.finish(regency)
        return len(left) + self._closing.round()
