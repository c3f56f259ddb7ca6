"""How are the rooms put together? `build` makes the web application of one worker, `seal_for_workers` the one sealer.

The only file that knows every room; nothing here decides anything.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog
from litestar import Litestar

from gateway.clock import HOUR, SECOND, Clock, Entropy
from gateway.config import Settings
from gateway.errors import GatewayError, LedgerForked, Misconfigured, StoreUnavailable
from gateway.keyring import Job, Keyring, pkcs11
from gateway.keyring import file as key_files
from gateway.keyring.example import THUMBPRINTS
from gateway.ledger.checkpoint import origin_of, signers_of
from gateway.ledger.cosigning import Cosigners
from gateway.ledger.keeper import Keeper
from gateway.ledger.publication import Publication
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.bearer import Identifier
from gateway.oauth.client import Client
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.external import External, ExternalTokens
from gateway.oauth.introspection import Introspections
from gateway.oauth.mtls import Authorities, CertificateFault
from gateway.oauth.revocation import Revocations
from gateway.oauth.token_endpoint import TokenEndpoint
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.store import schema
from gateway.store.administration import AdministrationOf
from gateway.store.duties import Watch
from gateway.store.engine import Database
from gateway.store.ledger import LedgerOf
from gateway.store.partners import PartnersOf
from gateway.store.reading import ThreadedReading
from gateway.store.register import RegisterOf
from gateway.store.seals import SealsOf
from gateway.store.search import Follower, Instruments
from gateway.verification.administration import Administration
from gateway.verification.corridor import Corridor
from gateway.verification.grants import Grants
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

WATCH_EVERY = 60  # seconds between two looks at duties, keys and allowances
RENEW_EVERY = 15  # seconds between two looks at the age of another issuer's keys
COUNT_EVERY = 60  # seconds between entries that count what was refused before identity
CHECKPOINT_EVERY = 2  # seconds between two checkpoints while entries arrive
FOLLOW_EVERY = 10  # seconds between two looks at what the copy for searches lacks of the log
FOLLOW_MOST, FOLLOW_PAUSE = 2_000, 0.2  # entries at a time, and seconds between while there are more
TRUST_EVERY = 5  # seconds until a newly registered self-signed certificate is known to the listener
Trust = Callable[[Collection[bytes]], None]  # takes the self-signed certificates (DER) that clients have registered
_log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class House:
    """What every process of a deployment opens first: settings, keys and the database, all of them checked."""

    settings: Settings
    keyring: Keyring
    database: Database
    clock: Clock
    entropy: Entropy


def load_keys(settings: Settings) -> Keyring:
    """The keyring that the settings tell of: files, or an HSM and what lies beside it. Raises Misconfigured."""
    refused = frozenset() if settings.demo else THUMBPRINTS
    slot = slot_of(settings)
    return key_files.load(settings.keys, refused) if slot is None else pkcs11.load(slot, settings.keys, refused)


def slot_of(settings: Settings) -> pkcs11.Slot | None:
    """The HSM that the settings name. Raises Misconfigured when its PIN cannot be read."""
    if settings.pkcs11_module is None or settings.pkcs11_pin_file is None:
        return None
    try:
        pin = settings.pkcs11_pin_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise Misconfigured([f"pkcs11.pin_file: {fault}"]) from fault
    return pkcs11.Slot(settings.pkcs11_module, settings.pkcs11_token, pin)


def open_house(settings: Settings, clock: Clock, entropy: Entropy, *, check_schema: bool = True) -> House:
    """Open and check keys and database. Raises Misconfigured with every fault that was found."""
    faults: list[str] = []
    keyring: Keyring | None = None
    try:
        keyring = load_keys(settings)
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


def keeper_of(house: House, metrics: Metrics | None = None) -> Keeper:
    """What this node remembers of the log. Raises Misconfigured when the checkpoint key cannot sign notes."""
    settings = house.settings
    base = settings.ledger_origin or origin_of(settings.issuer)
    signers_of(house.keyring, base)

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
        lru_cache(lambda origin: signers_of(house.keyring, origin)),
        LedgerOf(house.database),
        Cosigners(settings.ledger_witnesses, tell),
    )


class Publishing:
    """The sealing process's part of the log: refuses a database that is not ours, and publishes checkpoints."""

    def __init__(self, house: House, keeper: Keeper, metrics: Metrics) -> None:
        self._keeper = keeper
        self._metrics = metrics
        self._told = ""
        self._task: asyncio.Task[None] | None = None
        LedgerOf(house.database).guard(keeper.admit)

    async def begin(self, plain: Plain, facts: Mapping[str, str]) -> None:
        """Look at the database before anything is sealed in it; then the entry of the start, and the first checkpoint."""
        try:
            await asyncio.to_thread(self._keeper.examine)
            await plain.started(facts)
        except LedgerForked as fork:
            self._told = str(fork)
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
            if self._told != str(fork):  # once, not every two seconds
                _log.error("this database is refused: nothing is sealed", reason=str(fork))
            self._told = str(fork)
        except (StoreUnavailable, OSError) as fault:
            self._metrics.note_checkpoint("unreachable")
            if self._told != str(fault):
                _log.warning("no checkpoint could be published", reason=str(fault))
            self._told = str(fault)
        except Exception:  # noqa: BLE001  the next attempt is two seconds away; the seal goes on under `Keeper.admit`
            self._metrics.note_checkpoint("failed")
            _log.exception("no checkpoint could be published")
        else:
            self._metrics.note_checkpoint("published")
            self._told = ""

    async def end(self) -> None:
        """A last checkpoint over what was sealed."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            await self._publish()
        self._keeper.close()


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


def authorities_of(settings: Settings) -> Authorities:
    """Those that vouch for the certificates of partners. Raises Misconfigured."""
    faults: list[str] = []
    pem: list[bytes] = []
    for path in settings.tls_client_ca:
        try:
            pem.append(path.read_bytes())
            Authorities(pem[-1:])
        except (OSError, CertificateFault) as fault:
            faults.append(f"tls.client_ca: {path}: {fault}")
    if faults:
        raise Misconfigured(faults)
    return Authorities(pem)


def build(
    settings: Settings,
    clock: Clock,
    entropy: Entropy,
    *,
    sealer_socket: Path | None = None,
    trust: Trust | None = None,
) -> Litestar:
    """The application of one worker. With `sealer_socket` another process seals; without, this one does.

    `trust` is told of the self-signed certificates of clients before the first call, and every few seconds from then on.
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
    authorities = Authorities(())
    try:
        authorities = authorities_of(settings)
    except Misconfigured as fault:
        faults += fault.faults
    if house is None or shelf is None or faults:
        raise Misconfigured(faults)
    lock = None if sealer_socket else lock_sealer(settings)
    return _assemble(house, shelf, authorities, metrics_token, sealer_socket, lock, trust)


def _assemble(  # noqa: PLR0913, PLR0915  what `build` has opened
    house: House,
    shelf: PolicyShelf,
    authorities: Authorities,
    metrics_token: bytes,
    sealer_socket: Path | None,
    lock: int | None,
    trust: Trust | None,
) -> Litestar:
    settings, keyring, clock, entropy = house.settings, house.keyring, house.clock, house.entropy
    issuer, resource = settings.issuer, settings.issuer + "/v1"
    register = RegisterOf(house.database, keyring, entropy)
    reading = ThreadedReading(house.database, register, PartnersOf(house.database, entropy), clock)
    directory = Directory(reading, clock, shelf.reload)
    sealing: Sealing = RemoteSealing(sealer_socket) if sealer_socket else LocalSealing(sealer_of(house))
    tokens = AccessTokens(issuer, resource, keyring.signer(Job.TOKEN), keyring.public_jwks(Job.TOKEN))
    mtls_base_url = settings.oauth_mtls_base_url or issuer
    if settings.tls_certificate is None and not settings.server_proxies:
        mtls_base_url = ""  # no certificate can arrive, so none is asked for
    proofs = ProofChecker(
        issuer,
        clock,
        keyring.mac(Job.NONCE),
        nonce_required=settings.oauth_dpop_nonce,
        other_url=settings.oauth_mtls_base_url,
        live_nonce_keys=keyring.macs(Job.NONCE),
    )
    judge = Judge(keyring, entropy, behind_after=settings.register_behind_after_hours * HOUR)
    metrics = Metrics()
    keeper = keeper_of(house, metrics)
    LedgerOf(house.database).guard(keeper.admit)
    publishing = None if sealer_socket else Publishing(house, keeper, metrics)

    async def ready() -> Mapping[str, Any]:
        return await asyncio.to_thread(_readiness, keeper)

    plain = Plain(clock, entropy, directory, sealing, reading.account)
    desk = AdministrationOf(
        house.database,
        clock,
        entropy,
        lambda: shelf.decider,
        lambda store: Sealer(store, keyring, entropy, Problems(issuer)),
        issuer,
        keyring.signer(Job.ANSWER),
        Instruments(
            keyring, Publication(keeper, LedgerOf(house.database)), LedgerOf(house.database), Follower(house.database)
        ),
    )
    watch = Watch(house.database, clock, entropy, metrics.note_alert) if sealer_socket is None else None
    token_endpoint = TokenEndpoint(issuer, resource, tokens, proofs, clock, entropy, authorities)
    external = _external_tokens(settings, tokens, directory, clock)
    rooms = Rooms(
        issuer=issuer,
        clock=clock,
        entropy=entropy,
        door=Door(settings.door_store, settings.door_failures, settings.door_calls, clock),
        identifier=Identifier(tokens, proofs, clock),
        proofs=proofs,
        token_endpoint=token_endpoint,
        revocations=Revocations(token_endpoint, tokens, clock),
        introspections=Introspections(issuer, token_endpoint, tokens, keyring.signer(Job.TOKEN), clock),
        directory=directory,
        corridor=Corridor(clock, entropy, directory, lambda: shelf.decider, reading, judge, sealing),
        plain=plain,
        administration=Administration(entropy, directory, sealing, desk),
        grants=Grants(clock, entropy, directory, sealing),
        external=external,
        problems=Problems(issuer),
        signer=AnswerSigner(keyring.signer(Job.ANSWER), issuer, clock),
        metrics=metrics,
        idempotency=keyring.sealer(Job.IDEMPOTENCY),
        proxies=settings.server_proxies,
        mtls_base_url=mtls_base_url,
        token_keys=keyring.public_jwks(Job.TOKEN),
        answer_keys=keyring.public_jwks(Job.ANSWER),
        metrics_token=metrics_token,
        ready=ready,
        log=Publication(keeper, LedgerOf(house.database)),
    )

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        if publishing is not None:
            await publishing.begin(plain, {"policy": shelf.decider.policies.digest})
        if trust is not None:
            trust(await reading.certificates())
        counting = asyncio.create_task(_count(rooms))
        watching = asyncio.create_task(_watch(watch)) if watch is not None else None
        following = asyncio.create_task(_follow(Follower(house.database))) if sealer_socket is None else None
        trusting = asyncio.create_task(_keep_trusting(reading, trust)) if trust is not None else None
        renewing = asyncio.create_task(_keep_renewed(external)) if external is not None else None
        _log.info("started", issuer=issuer, policy=shelf.decider.policies.digest)
        try:
            yield
        finally:
            for task in (counting, watching, following, trusting, renewing):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
            await _count_once(rooms)
            desk.close()
            await sealing.close()
            if publishing is not None:
                await publishing.end()
            reading.close()
            house.database.close()
            if lock is not None:
                os.close(lock)
            _log.info("stopped")

    return application(rooms, None, [lifespan])


def _readiness(keeper: Keeper) -> Mapping[str, Any]:
    """Whether the database answers, and its ledger extends the checkpoint kept outside it."""
    try:
        keeper.examine()
        published = keeper.public()
    except LedgerForked as fork:
        return {"ready": False, "database": "reachable", "ledger": str(fork)}
    except StoreUnavailable:
        return {"ready": False, "database": "unreachable"}
    if published is None:
        return {"ready": False, "database": "reachable", "ledger": "no checkpoint was published yet"}
    return {"ready": True, "database": "reachable", "ledger": "whole", "keys": "present"}


def _external_tokens(
    settings: Settings, tokens: AccessTokens, directory: Directory, clock: Clock
) -> ExternalTokens | None:
    """The tokens of the other issuer that the settings name, taken by `tokens` from here on."""
    if not settings.oauth_external_issuer:
        return None

    async def resolve(client_id: str) -> Client | None:
        standing = await directory.standing(client_id)
        return standing.client if standing else None

    ca = settings.oauth_external_ca_file
    trust = None if ca is None else ssl.create_default_context(cafile=str(ca))
    other = External(settings.oauth_external_issuer, settings.oauth_external_clients, settings.demo, trust)
    external = ExternalTokens(other, tokens.resource, clock, resolve, tokens.forget)
    tokens.external = external
    return external


async def _keep_renewed(external: ExternalTokens) -> None:
    """Fetch the other issuer's keys at once and before they grow old; while that fails, its tokens wear out."""
    while True:
        if external.due():
            try:
                await external.refresh()
            except GatewayError as fault:
                _log.warning("the keys of the other issuer could not be fetched", reason=str(fault))
        await asyncio.sleep(RENEW_EVERY)


async def _count(rooms: Rooms) -> None:
    while True:
        await asyncio.sleep(COUNT_EVERY)
        await _count_once(rooms)


async def _watch(watch: Watch) -> None:
    """Look after duties, keys and allowances; of several nodes one does, see `Watch.round`."""
    while True:
        try:
            await asyncio.to_thread(watch.round, WATCH_EVERY * SECOND)
        except GatewayError as fault:
            _log.warning("duties could not be looked after", reason=str(fault))
        await asyncio.sleep(WATCH_EVERY)


async def _follow(follower: Follower) -> None:
    """Keep what the log is searched by up to the log, a little at a time, so that the seal is not kept waiting."""
    pause: float = FOLLOW_EVERY
    while True:
        await asyncio.sleep(pause)
        try:
            copied = await asyncio.to_thread(follower.follow, FOLLOW_MOST)
            pause = FOLLOW_PAUSE if copied == FOLLOW_MOST else FOLLOW_EVERY
        except GatewayError as fault:
            _log.warning("the search copy of the log could not follow it", reason=str(fault))


async def _keep_trusting(reading: ThreadedReading, trust: Trust) -> None:
    while True:
        await asyncio.sleep(TRUST_EVERY)
        try:
            trust(await reading.certificates())
        except StoreUnavailable as fault:
            _log.warning("registered certificates could not be read", reason=str(fault))


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
    metrics = Metrics()
    publishing = Publishing(house, keeper_of(house, metrics), metrics)
    await publishing.begin(plain, {"role": "sealer"})
    watching = asyncio.create_task(_watch(Watch(house.database, clock, entropy, metrics.note_alert)))
    following = asyncio.create_task(_follow(Follower(house.database)))
    _log.info("sealing", socket=str(path))
    try:
        await serve_sealing(path, sealing, stop)
    finally:
        for task in (watching, following):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await publishing.end()
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
