"""Would a call be answered now? Whatever keeps calls from being answered turns /readyz red within two seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from gateway.clock import SECOND
from gateway.errors import KeysUnavailable, LedgerForked, StoreUnavailable
from gateway.keyring import Job, Keyring
from gateway.ledger.publication.keeper import Keeper
from gateway.sealing.queue import LocalSealing
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf

PATIENCE = 1.0  # seconds that keys and database have to answer
SKEW = 5 * SECOND  # by how much the node's clock may differ from the database's: proofs live for seconds
IDLE = 1.5  # seconds that whoever holds the sealing lock may do nothing
PROBE_EVERY = 1.0  # seconds between two attempts to write, after a seal has failed
_log = structlog.get_logger("gateway")


class Readiness:
    """What /readyz says: `ready`, and a member for everything that is looked at."""

    def __init__(
        self, keeper: Keeper, keyring: Keyring, database: Database, others: Mapping[str, Callable[[], Awaitable[str]]]
    ) -> None:
        """`others` tell of one thing each why nothing is answered because of it, or an empty text."""
        self._keeper = keeper
        self._keyring = keyring
        self._database = database
        self._others = others
        self._looking: asyncio.Task[Mapping[str, Any]] | None = None
        self.draining = False

    async def __call__(self) -> Mapping[str, Any]:
        """See the class. One look at the database at a time: one that hangs is not joined by more."""
        if self.draining:
            return {"ready": False, "node": "is being stopped"}
        if self._looking is None:
            self._looking = asyncio.create_task(asyncio.to_thread(self._look))
        names, asked = self._others.keys(), [tell() for tell in self._others.values()]
        (done, _), told = await asyncio.gather(asyncio.wait((self._looking,), timeout=PATIENCE), asyncio.gather(*asked))
        faults = {name: fault for name, fault in zip(names, told, strict=True) if fault}
        if not done:
            return {"ready": False, "database": "does not answer in time", **faults}
        looked, self._looking = self._looking, None
        state = looked.result()
        return {**state, "ready": bool(state["ready"]) and not faults, **faults}

    def _look(self) -> Mapping[str, Any]:
        """Whether keys and database answer, and its ledger extends the checkpoint kept outside it."""
        try:
            self._keyring.mac(Job.INDEX).mac(b"")
        except KeysUnavailable as fault:
            return {"ready": False, "keys": str(fault)}
        try:
            self._keeper.examine()
            published = self._keeper.public()
            lack = self._beside() if published else {"ledger": "no checkpoint was published yet"}
        except LedgerForked as fork:
            return {"ready": False, "database": "reachable", "ledger": str(fork)}
        except StoreUnavailable:
            return {"ready": False, "database": "unreachable"}
        return {"ready": not lack, "database": "reachable", "ledger": "whole", "keys": "present", **lack}

    def _beside(self) -> Mapping[str, str]:
        """What of clock and sealing lock keeps calls from being answered. Raises StoreUnavailable."""
        if self._database.replaced:
            return {"database": "its files are no longer those that were opened"}
        skew = self._database.skew()
        if abs(skew) > SKEW:
            side = "ahead of" if skew > 0 else "behind"
            return {"clock": f"this node's is {abs(skew) // SECOND} s {side} the database's"}
        if self._database.lock_idle() > IDLE:
            return {"database": "whoever holds the sealing lock does nothing"}
        return {}


async def keep_probing(sealing: LocalSealing, database: Database) -> None:
    """After a seal has failed: write something small until it is durable, so that a node that can seal again says so."""
    while True:
        await asyncio.sleep(PROBE_EVERY)
        if not sealing.fault:
            continue
        try:
            await asyncio.to_thread(LedgerOf(database).probe)
        except StoreUnavailable as fault:
            sealing.fault = str(fault)
        else:
            sealing.fault = ""
            _log.warning("sealing goes on")
