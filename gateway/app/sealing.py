"""How does a process of its own seal for several workers?"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog

from gateway.app.background import follow, going_on, watch_over
from gateway.app.deployment import Deployment, lock_sealer, open_deployment
from gateway.app.publishing import Publishing, keeper_of
from gateway.app.readiness import keep_probing
from gateway.clock import Clock, Entropy
from gateway.config import Settings
from gateway.sealing.queue import LocalSealing
from gateway.sealing.reads import SealedReads
from gateway.sealing.sealer import Sealer
from gateway.sealing.socket import serve_sealing
from gateway.sealing.standing import Directory
from gateway.store.administration.duties import Watch
from gateway.store.audit.finding_days import DaySums
from gateway.store.audit.traffic import TrafficTally
from gateway.store.partners.standings import PartnersOf
from gateway.store.register.residents import RegisterOf
from gateway.store.sealing.seals import SealsOf
from gateway.store.search.copy import Follower
from gateway.store.verification.reading import ThreadedReading
from gateway.web.http.metrics import Metrics
from gateway.web.http.problems import Problems

_log = structlog.get_logger("gateway")


def sealer_of(deployment: Deployment) -> Sealer:
    """The sealer of a deployment."""
    return Sealer(
        SealsOf(deployment.database), deployment.keyring, deployment.entropy, Problems(deployment.settings.issuer)
    )


async def seal_for_workers(settings: Settings, clock: Clock, entropy: Entropy, path: Path, stop: asyncio.Event) -> None:
    """Be the one sealer of a node, until `stop`. Raises Misconfigured."""
    deployment = open_deployment(settings, clock, entropy)
    lock = lock_sealer(settings)
    sealing = LocalSealing(sealer_of(deployment))
    reading = ThreadedReading(
        deployment.database,
        RegisterOf(deployment.database, deployment.keyring, entropy),
        PartnersOf(deployment.database, entropy),
        clock,
    )
    plain = SealedReads(clock, entropy, Directory(reading, clock, lambda: None), sealing, reading.account)
    metrics = Metrics()
    publishing = Publishing(deployment, keeper_of(deployment, metrics), metrics)
    await publishing.begin(plain, {"role": "sealer"})

    async def health() -> str:
        return await sealing.health() or await publishing.health()

    rounds = [
        keep_probing(sealing, deployment.database),
        watch_over(Watch(deployment.database, clock, entropy, metrics.note_alert)),
        follow(
            Follower(deployment.database),
            [TrafficTally(deployment.database), DaySums(deployment.database, deployment.clock)],
        ),
    ]
    _log.info("sealing", socket=str(path))
    try:
        async with going_on(rounds):
            await serve_sealing(path, sealing, stop, health)
    finally:
        await publishing.end()
        reading.close()
        deployment.database.close()
        if lock is not None:
            os.close(lock)
