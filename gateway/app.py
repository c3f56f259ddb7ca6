"""How are the rooms put together? `build` makes the web application of one worker, `seal_for_workers` the one sealer.

The only file that knows every room; nothing here decides anything.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from litestar import Litestar

from gateway.clock import HOUR, Clock, Entropy
from gateway.config import Settings
from gateway.errors import GatewayError, LedgerFault, Misconfigured, StoreUnavailable
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files
from gateway.keyring.example import THUMBPRINTS
from gateway.ledger.merkle import Frontier
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.bearer import Identifier
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.token_endpoint import TokenEndpoint
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.store import schema
from gateway.store.engine import Database
from gateway.store.ledger import LedgerOf
from gateway.store.partners import PartnersOf
from gateway.store.reading import ThreadedReading
from gateway.store.register import RegisterOf
from gateway.store.seals import SealsOf
from gateway.verification.corridor import Corridor
from gateway.verification.judge import Judge
from gateway.verification.plain import Plain
from gateway.verification.sealer import Sealer
from gateway.verification.sealing import LocalSealing, Sealing
from gateway.verification.sealing_socket import RemoteSealing, serve_sealing
from gateway.verification.standing import Directory
from gateway.web.door import Door
from gateway.web.metrics import Metrics
from gateway.web.problems import Problems
from gateway.web.rooms import Rooms
from gateway.web.routes import application
from gateway.web.signature import AnswerSigner

COUNT_EVERY = 60  # seconds between entries that count what was refused before identity
_log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class House:
    """What every process of a deployment opens first: settings, keys and the database, all of them checked."""

    settings: Settings
    keyring: Keyring
    database: Database
    clock: Clock
    entropy: Entropy


def open_house(settings: Settings, clock: Clock, entropy: Entropy, *, check_schema: bool = True) -> House:
    """Open and check keys and database. Raises Misconfigured with every fault that was found."""
    faults: list[str] = []
    keyring: Keyring | None = None
    try:
        keyring = key_files.load(settings.keys, frozenset() if settings.demo else THUMBPRINTS)
    except Misconfigured as fault:
        faults.extend(fault.faults)
    database = Database(settings.database_url, clock)
    try:
        if check_schema:
            schema.require_newest(database)
        if not settings.demo:
            faults.extend(schema.undurable(database))
    except Misconfigured as fault:
        faults.extend(fault.faults)
    if faults or keyring is None:
        database.close()
        raise Misconfigured(faults)
    return House(settings, keyring, database, clock, entropy)


class PolicyShelf:
    """The policies in force in this process."""

    def __init__(self, directory: Path) -> None:
        """Raises Misconfigured."""
        self._directory = directory
        self.decider = Decider(load(directory))

    def reload(self) -> None:
        """Read them anew; broken ones are not taken, what was in force stays so."""
        try:
            self.decider = Decider(load(self._directory))
        except Misconfigured as fault:
            _log.error("policies were not taken", faults=fault.faults)


def sealer_of(house: House) -> Sealer:
    """The sealer of a deployment."""
    return Sealer(SealsOf(house.database), house.keyring, house.entropy, Problems(house.settings.issuer))


def lock_sealer(settings: Settings) -> int | None:
    """Take the lock that lets one process seal in an SQLite database; the descriptor holds it. Raises Misconfigured."""
    if not settings.database_url.startswith("sqlite:///"):
        return None
    path = settings.database_url.removeprefix("sqlite:///") + ".sealer"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Misconfigured(
            [f"database: another gateway is sealing in {path.removesuffix('.sealer')}. Stop it first"]
        ) from None
    return descriptor


def build(settings: Settings, clock: Clock, entropy: Entropy, *, sealer_socket: Path | None = None) -> Litestar:
    """The application of one worker. With `sealer_socket` another process seals; without, this one does.

    Raises Misconfigured with everything that keeps it from starting.
    """
    faults: list[str] = []
    shelf: PolicyShelf | None = None
    try:
        shelf = PolicyShelf(settings.policies)
    except Misconfigured as fault:
        faults.extend(fault.faults)
    metrics_token = b""
    if settings.metrics_token_file is not None:
        try:
            metrics_token = settings.metrics_token_file.read_bytes().strip()
        except OSError as fault:
            faults.append(f"metrics.token_file: {fault}")
    house: House | None = None
    try:
        house = open_house(settings, clock, entropy)
    except Misconfigured as fault:
        faults = fault.faults + faults
    if house is None or shelf is None or faults:
        raise Misconfigured(faults)
    lock = None if sealer_socket else lock_sealer(settings)
    return _assemble(house, shelf, metrics_token, sealer_socket, lock)


def _assemble(
    house: House, shelf: PolicyShelf, metrics_token: bytes, sealer_socket: Path | None, lock: int | None
) -> Litestar:
    settings, keyring, clock, entropy = house.settings, house.keyring, house.clock, house.entropy
    issuer, resource = settings.issuer, settings.issuer + "/v1"
    register = RegisterOf(house.database, keyring, entropy)
    reading = ThreadedReading(house.database, register, PartnersOf(house.database, entropy), clock)
    directory = Directory(reading, clock, shelf.reload)
    sealing: Sealing = RemoteSealing(sealer_socket) if sealer_socket else LocalSealing(sealer_of(house))
    tokens = AccessTokens(issuer, resource, keyring.signer(Job.TOKEN), keyring.public_jwks(Job.TOKEN))
    proofs = ProofChecker(issuer, clock, keyring.mac(Job.NONCE), nonce_required=settings.oauth_dpop_nonce)
    judge = Judge(keyring, entropy, behind_after=settings.register_behind_after_hours * HOUR)
    ledger = LedgerOf(house.database)

    async def ready() -> Mapping[str, Any]:
        return await asyncio.to_thread(_readiness, ledger)

    plain = Plain(clock, entropy, directory, sealing, reading.account)
    rooms = Rooms(
        issuer=issuer,
        clock=clock,
        entropy=entropy,
        door=Door(settings.door_store, settings.door_failures, settings.door_calls, clock),
        identifier=Identifier(tokens, proofs, clock),
        proofs=proofs,
        token_endpoint=TokenEndpoint(issuer, resource, tokens, proofs, clock, entropy),
        directory=directory,
        corridor=Corridor(clock, entropy, directory, lambda: shelf.decider, reading, judge, sealing),
        plain=plain,
        problems=Problems(issuer),
        signer=AnswerSigner(keyring.signer(Job.ANSWER), issuer, clock),
        metrics=Metrics(),
        idempotency=keyring.sealer(Job.IDEMPOTENCY),
        proxies=settings.server_proxies,
        token_keys=keyring.public_jwks(Job.TOKEN),
        answer_keys=keyring.public_jwks(Job.ANSWER),
        metrics_token=metrics_token,
        ready=ready,
    )

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        if sealer_socket is None:
            await plain.started({"policy": shelf.decider.policies.digest})
        counting = asyncio.create_task(_count(rooms))
        _log.info("started", issuer=issuer, policy=shelf.decider.policies.digest)
        try:
            yield
        finally:
            counting.cancel()
            with suppress(asyncio.CancelledError):
                await counting
            await _count_once(rooms)
            await sealing.close()
            reading.close()
            house.database.close()
            if lock is not None:
                os.close(lock)
            _log.info("stopped")

    return application(rooms, None, [lifespan])


def _readiness(ledger: LedgerOf) -> Mapping[str, Any]:
    """Whether the database answers and its ledger head is whole."""
    try:
        head = ledger.head()
        Frontier(head.size, head.frontier)
    except StoreUnavailable:
        return {"ready": False, "database": "unreachable"}
    except LedgerFault:
        return {"ready": False, "database": "reachable", "ledger": "its head does not fit"}
    return {"ready": True, "database": "reachable", "ledger": "whole", "keys": "present"}


async def _count(rooms: Rooms) -> None:
    while True:
        await asyncio.sleep(COUNT_EVERY)
        await _count_once(rooms)


async def _count_once(rooms: Rooms) -> None:
    if not rooms.unidentified:
        return
    counts, rooms.unidentified = rooms.unidentified, {}
    try:
        await rooms.plain.count(counts)
    except GatewayError as fault:
        for cause, count in counts.items():  # nothing is lost: they go into the next entry
            rooms.unidentified[cause] = rooms.unidentified.get(cause, 0) + count
        _log.warning("calls refused before identity could not be counted", reason=str(fault))


async def seal_for_workers(settings: Settings, clock: Clock, entropy: Entropy, path: Path, stop: asyncio.Event) -> None:
    """Be the one sealer of a node, until `stop`. Raises Misconfigured."""
    house = open_house(settings, clock, entropy)
    lock = lock_sealer(settings)
    sealing = LocalSealing(sealer_of(house))
    reading = ThreadedReading(
        house.database, RegisterOf(house.database, house.keyring, entropy), PartnersOf(house.database, entropy), clock
    )
    plain = Plain(clock, entropy, Directory(reading, clock, lambda: None), sealing, reading.account)
    await plain.started({"role": "sealer"})
    _log.info("sealing", socket=str(path))
    try:
        await serve_sealing(path, sealing, stop)
    finally:
        reading.close()
        house.database.close()
        if lock is not None:
            os.close(lock)


def configure_logging(level: str) -> None:
    """Structured logs, one JSON object a line, on standard error. No call is logged: the ledger is the record of calls."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
