"""How does a process of its own seal for several workers?"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog

from gateway.app.house import House, lock_sealer, open_house
from gateway.app.publishing import Publishing, keeper_of
from gateway.app.rounds import follow, going_on, watch_over
from gateway.clock import Clock, Entropy
from gateway.config import Settings
from gateway.store.duties import Watch
from gateway.store.finding_days import DaySums
from gateway.store.partners import PartnersOf
from gateway.store.reading import ThreadedReading
from gateway.store.register import RegisterOf
from gateway.store.seals import SealsOf
from gateway.store.search import Follower
from gateway.store.traffic import Tally
from gateway.verification.plain import Plain
from gateway.verification.sealer import Sealer
from gateway.verification.sealing import LocalSealing
from gateway.verification.sealing_socket import serve_sealing
from gateway.verification.standing import Directory
from gateway.web.metrics import Metrics
from gateway.web.problems import Problems

_log = structlog.get_logger("gateway")


def sealer_of(house: House) -> Sealer:
    """The sealer of a deployment."""
    return Sealer(SealsOf(house.database), house.keyring, house.entropy, Problems(house.settings.issuer))


async def seal_for_workers(settings: Settings, clock: Clock, entropy: Entropy, path: Path, stop: asyncio.Event) -> None:
    """Be the one sealer of a node, until `stop`. Raises Misconfigured."""
    house = open_house(settings, clock, entropy)
    lock = lock_sealer(settings)
    sealing = LocalSealing(sealer_of(house))
    reading = ThreadedReading(
        house.database, RegisterOf(house.database, house.keyring, entropy), PartnersOf(house.database, entropy), clock
    )
    plain = Plain(clock, entropy, Directory(reading, clock, lambda: None), sealing, reading.account)
    metrics = Metrics()
    publishing = Publishing(house, keeper_of(house, metrics), metrics)
    await publishing.begin(plain, {"role": "sealer"})
    rounds = [
        watch_over(Watch(house.database, clock, entropy, metrics.note_alert)),
        follow(Follower(house.database), [Tally(house.database), DaySums(house.database, house.clock)]),
    ]
    _log.info("sealing", socket=str(path))
    try:
        async with going_on(rounds):
            await serve_sealing(path, sealing, stop)
    finally:
        await publishing.end()
        reading.close()
        house.database.close()
        if lock is not None:
            os.close(lock)
