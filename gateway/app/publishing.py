"""How does a process keep to the log that it knows? It refuses another database, and publishes checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache

import structlog

from gateway.app.deployment import Deployment
from gateway.errors import LedgerForked, StoreUnavailable
from gateway.ledger.publication.checkpoint import origin_of, signers_of
from gateway.ledger.publication.cosigning import Cosigners
from gateway.ledger.publication.keeper import Keeper
from gateway.sealing.reads import SealedReads
from gateway.store.ledger.entries import LedgerOf
from gateway.web.http.metrics import Metrics

CHECKPOINT_EVERY = 2  # seconds between two checkpoints while entries arrive
_log = structlog.get_logger("gateway")


def keeper_of(deployment: Deployment, metrics: Metrics | None = None) -> Keeper:
    """What this node remembers of the log. Raises Misconfigured when the checkpoint key cannot sign notes."""
    settings = deployment.settings
    base = settings.ledger_origin or origin_of(settings.issuer)
    signers_of(deployment.keyring, base)

    told: dict[str, str] = {}

    def tell(witness: str, outcome: str) -> None:
        if metrics is not None:
            metrics.note_witness(witness, cosigned=outcome == "cosigned")
        if told.get(witness, "cosigned") != outcome:  # once, not every two seconds
            if outcome == "cosigned":
                _log.info("a witness cosigns again", witness=witness)
            else:
                _log.warning("a witness has not cosigned", witness=witness, reason=outcome)
        told[witness] = outcome

    return Keeper(
        settings.ledger_checkpoint_file,
        base,
        lru_cache(lambda origin: signers_of(deployment.keyring, origin)),
        LedgerOf(deployment.database),
        Cosigners(settings.ledger_witnesses, tell),
    )


class Publishing:
    """The sealing process's part of the log: refuses a database that is not ours, and publishes checkpoints.

    `fault` says why none could be published last, empty when one was.
    """

    def __init__(self, deployment: Deployment, keeper: Keeper, metrics: Metrics) -> None:
        self._keeper = keeper
        self._metrics = metrics
        self.fault = ""
        self._task: asyncio.Task[None] | None = None
        deployment.database.guard(keeper.admit)

    async def begin(self, plain: SealedReads, facts: Mapping[str, str]) -> None:
        """Look at the database before anything is sealed in it; then the entry of the start, and the first checkpoint."""
        try:
            await asyncio.to_thread(self._keeper.examine)
            await plain.started(facts)
        except LedgerForked as fork:
            self.fault = str(fork)
            _log.error("this database is refused: nothing is sealed", reason=str(fork))
        await self._publish()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_EVERY)
            await self._publish()

    async def _publish(self) -> None:
        try:
            await asyncio.to_thread(self._keeper.publish)
        except LedgerForked as fork:
            self._metrics.note_checkpoint("refused")
            if self.fault != str(fork):  # once, not every two seconds
                _log.error("this database is refused: nothing is sealed", reason=str(fork))
            self.fault = str(fork)
        except (StoreUnavailable, OSError) as fault:
            self._metrics.note_checkpoint("unreachable")
            if self.fault != str(fault):
                _log.warning("no checkpoint could be published", reason=str(fault))
            self.fault = str(fault)
        except Exception:  # noqa: BLE001  the next attempt is two seconds away; the seal goes on under `Keeper.admit`
            self._metrics.note_checkpoint("failed")
            self.fault = "see the log"
            _log.exception("no checkpoint could be published")
        else:
            self._metrics.note_checkpoint("published")
            self.fault = ""

    async def health(self) -> str:
        """Why no checkpoint can be published at present; empty when they are."""
        return self.fault

    async def end(self) -> None:
        """A last checkpoint over what was sealed."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            await self._publish()
        self._keeper.close()
