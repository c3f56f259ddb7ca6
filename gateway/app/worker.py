"""How are the rooms of one worker put together? Nothing here decides anything."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from litestar import Litestar

from gateway.app.console import entrance_of
from gateway.app.house import House, authorities_of, lock_sealer, metrics_token_of, open_house
from gateway.app.publishing import Publishing, keeper_of, readiness
from gateway.app.rounds import (
    Trust,
    count,
    count_once,
    follow,
    going_on,
    keep_renewed,
    keep_times,
    keep_times_once,
    keep_trusting,
    watch_over,
)
from gateway.app.sealing import sealer_of
from gateway.clock import HOUR, Clock, Entropy
from gateway.config import Settings
from gateway.errors import Misconfigured
from gateway.keyring import Job
from gateway.keyring.keys import b64u
from gateway.ledger.publication import Publication
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.bearer import Identifier
from gateway.oauth.client import Client
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.external import External, ExternalTokens
from gateway.oauth.introspection import Introspections
from gateway.oauth.mtls import Authorities
from gateway.oauth.revocation import Revocations
from gateway.oauth.token_endpoint import TokenEndpoint
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.store.administration import AdministrationOf
from gateway.store.duties import Watch
from gateway.store.finding_days import DaySums
from gateway.store.ledger import LedgerOf
from gateway.store.partners import PartnersOf
from gateway.store.reading import ThreadedReading
from gateway.store.register import RegisterOf
from gateway.store.search import Follower, Instruments
from gateway.store.traffic import Tally
from gateway.verification.administration import Administration
from gateway.verification.corridor import Corridor
from gateway.verification.grants import Grants
from gateway.verification.judge import Judge
from gateway.verification.plain import Plain
from gateway.verification.sealer import Sealer
from gateway.verification.sealing import LocalSealing, Sealing
from gateway.verification.sealing_socket import RemoteSealing
from gateway.verification.standing import Directory
from gateway.web.door import Door
from gateway.web.metrics import Metrics
from gateway.web.problems import Problems, words
from gateway.web.rooms import Rooms
from gateway.web.routes import application
from gateway.web.signature import AnswerSigner

_log = structlog.get_logger("gateway")


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
    try:
        metrics_token = metrics_token_of(settings)
    except Misconfigured as fault:
        faults.extend(fault.faults)
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


def _assemble(  # noqa: C901, PLR0913, PLR0915  what `build` has opened
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
        return await asyncio.to_thread(readiness, keeper, keyring)

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
        words,
    )

    def note(cause: str) -> None:
        rooms.unidentified[cause] = rooms.unidentified.get(cause, 0) + 1

    entrance, gatehouse = entrance_of(house, note)
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
        idempotency=keyring.sealers(Job.IDEMPOTENCY),
        proxies=settings.server_proxies,
        mtls_base_url=mtls_base_url,
        token_keys=keyring.public_jwks(Job.TOKEN),
        answer_keys=keyring.public_jwks(Job.ANSWER),
        metrics_token=metrics_token,
        ready=ready,
        log=Publication(keeper, LedgerOf(house.database)),
        entrance=entrance,
        console_origin=settings.console_origin or issuer,
    )

    worker = b64u(entropy.bytes(9))

    def rounds() -> list[Coroutine[Any, Any, None]]:
        made = [count(rooms), keep_times(rooms, house.database, worker)]
        if sealer_socket is None:
            made += [
                watch_over(Watch(house.database, clock, entropy, metrics.note_alert)),
                follow(Follower(house.database), [Tally(house.database), DaySums(house.database, house.clock)]),
            ]
        if trust is not None:
            made.append(keep_trusting(reading, trust))
        if external is not None:
            made.append(keep_renewed(external))
        return made

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        if publishing is not None:
            await publishing.begin(plain, {"policy": shelf.decider.policies.digest})
        if trust is not None:
            trust(await reading.certificates())
        try:
            async with going_on(rounds()):
                yield
        finally:
            await count_once(rooms)
            await keep_times_once(rooms, house.database, worker)
            desk.close()
            gatehouse.close()
            await sealing.close()
            if publishing is not None:
                await publishing.end()
            reading.close()
            house.database.close()
            if lock is not None:
                os.close(lock)
            _log.info("stopped")

    made = application(rooms, None, [lifespan])
    made.state["started"] = {"issuer": issuer, "policy": shelf.decider.policies.digest}
    return made


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
