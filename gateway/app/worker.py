"""How are the rooms of one worker put together? Nothing here decides anything."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from litestar import Litestar

from gateway.administration.calls import Administration
from gateway.app.background import (
    Trust,
    count,
    count_once,
    follow,
    go_on_with,
    going_on,
    keep_renewed,
    keep_times,
    keep_times_once,
    keep_trusting,
    watch_over,
)
from gateway.app.console import sign_in_of
from gateway.app.deployment import Deployment, authorities_of, lock_sealer, metrics_token_of, open_deployment
from gateway.app.publishing import Publishing, keeper_of
from gateway.app.readiness import Readiness, keep_probing
from gateway.app.sealing import sealer_of
from gateway.clock import HOUR, Clock, Entropy
from gateway.config import Settings
from gateway.console.routes import console_routes
from gateway.errors import Misconfigured
from gateway.keyring import Job
from gateway.keyring.keys import b64u
from gateway.ledger.publication.rhythm import Publication
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.bearer import Identifier
from gateway.oauth.client import Client
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.external import ExternalIssuer, ExternalTokens
from gateway.oauth.introspection import Introspections
from gateway.oauth.mtls import Authorities
from gateway.oauth.revocation import Revocations
from gateway.oauth.token_endpoint import TokenEndpoint
from gateway.partners.present import Reach
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.sealing.grants import Grants
from gateway.sealing.queue import LocalSealing, Sealing
from gateway.sealing.reads import SealedReads
from gateway.sealing.sealer import Sealer
from gateway.sealing.socket import RemoteSealing
from gateway.sealing.standing import Directory
from gateway.store.administration.duties import Watch
from gateway.store.administration.performing import AdministrationOf
from gateway.store.audit.finding_days import DaySums
from gateway.store.audit.traffic import TrafficTally
from gateway.store.feeds.offices import Feeds
from gateway.store.ledger.entries import LedgerOf
from gateway.store.partners.standings import PartnersOf
from gateway.store.register.residents import RegisterOf
from gateway.store.search.copy import AuditTools, Follower
from gateway.store.verification.reading import ThreadedReading
from gateway.verification.corridor import Corridor
from gateway.verification.judge import Judge
from gateway.web.api.components import Components
from gateway.web.http.metrics import Metrics
from gateway.web.http.problems import Problems, words
from gateway.web.http.rate_limiter import RateLimiter
from gateway.web.http.signature import AnswerSigner
from gateway.web.routes import application

_log = structlog.get_logger("gateway")


class LoadedPolicies:
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
    shelf: LoadedPolicies | None = None
    try:
        shelf = LoadedPolicies(settings.policies)
    except Misconfigured as fault:
        faults.extend(fault.faults)
    metrics_token = b""
    try:
        metrics_token = metrics_token_of(settings)
    except Misconfigured as fault:
        faults.extend(fault.faults)
    deployment: Deployment | None = None
    try:
        deployment = open_deployment(settings, clock, entropy)
    except Misconfigured as fault:
        faults = fault.faults + faults
    authorities = Authorities(())
    try:
        authorities = authorities_of(settings)
    except Misconfigured as fault:
        faults += fault.faults
    if deployment is None or shelf is None or faults:
        raise Misconfigured(faults)
    lock = None if sealer_socket else lock_sealer(settings)
    return _assemble(deployment, shelf, authorities, metrics_token, sealer_socket, lock, trust)


def _assemble(  # noqa: C901, PLR0913, PLR0915  what `build` has opened
    deployment: Deployment,
    shelf: LoadedPolicies,
    authorities: Authorities,
    metrics_token: bytes,
    sealer_socket: Path | None,
    lock: int | None,
    trust: Trust | None,
) -> Litestar:
    settings, keyring, clock, entropy = deployment.settings, deployment.keyring, deployment.clock, deployment.entropy
    issuer, resource = settings.issuer, settings.issuer + "/v1"
    register = RegisterOf(deployment.database, keyring, entropy)
    reading = ThreadedReading(deployment.database, register, PartnersOf(deployment.database, entropy), clock)
    directory = Directory(reading, clock, shelf.reload)
    sealing: Sealing = RemoteSealing(sealer_socket) if sealer_socket else LocalSealing(sealer_of(deployment))
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
    judge = Judge(
        keyring,
        entropy,
        behind_after=settings.register_behind_after_hours * HOUR,
        gap_hours=settings.register_gap_hours,
    )
    metrics = Metrics()
    keeper = keeper_of(deployment, metrics)
    deployment.database.guard(keeper.admit)
    publishing = None if sealer_socket else Publishing(deployment, keeper, metrics)

    rate_limiter = RateLimiter(
        settings.door_store, settings.door_failures, settings.door_calls, clock, settings.door_ipv6_prefix
    )
    others = {"sealing": sealing.health, "door": rate_limiter.health}
    if publishing is not None:
        others["checkpoint"] = publishing.health
    ready = Readiness(keeper, keyring, deployment.database, others)

    plain = SealedReads(clock, entropy, directory, sealing, reading.account)
    feeds = Feeds(
        deployment.database,
        keyring,
        entropy,
        clock,
        behind_after=settings.register_behind_after_hours * HOUR,
        gap_hours=settings.register_gap_hours,
    )
    stored_administration = AdministrationOf(
        deployment.database,
        clock,
        entropy,
        lambda: shelf.decider,
        lambda store: Sealer(store, keyring, entropy, Problems(issuer)),
        issuer,
        keyring.signer(Job.ANSWER),
        AuditTools(
            keyring,
            Publication(keeper, LedgerOf(deployment.database)),
            LedgerOf(deployment.database),
            Follower(deployment.database),
        ),
        words,
        Reach(settings.agreements_widest_ipv4, settings.agreements_widest_ipv6),
        feeds,
    )

    def note(cause: str) -> None:
        components.unidentified[cause] = components.unidentified.get(cause, 0) + 1

    sign_in, sessions = sign_in_of(deployment, note)
    token_endpoint = TokenEndpoint(issuer, resource, tokens, proofs, clock, entropy, authorities)
    external = _external_tokens(settings, tokens, directory, clock)
    components = Components(
        issuer=issuer,
        clock=clock,
        entropy=entropy,
        rate_limiter=rate_limiter,
        identifier=Identifier(tokens, proofs, clock),
        proofs=proofs,
        token_endpoint=token_endpoint,
        revocations=Revocations(token_endpoint, tokens, clock),
        introspections=Introspections(issuer, token_endpoint, tokens, keyring.signer(Job.TOKEN), clock),
        directory=directory,
        corridor=Corridor(clock, entropy, directory, lambda: shelf.decider, reading, judge, sealing),
        plain=plain,
        administration=Administration(entropy, directory, sealing, stored_administration),
        grants=Grants(clock, entropy, sealing),
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
        log=Publication(keeper, LedgerOf(deployment.database)),
        sign_in=sign_in,
        console_origin=settings.console_origin or issuer,
    )

    worker = b64u(entropy.bytes(9))

    def rounds() -> list[Coroutine[Any, Any, None]]:
        made = [count(components), keep_times(components, deployment.database, worker)]
        if isinstance(sealing, LocalSealing):
            made += [
                go_on_with(feeds),
                keep_probing(sealing, deployment.database),
                watch_over(Watch(deployment.database, clock, entropy, metrics.note_alert)),
                follow(
                    Follower(deployment.database),
                    [TrafficTally(deployment.database), DaySums(deployment.database, deployment.clock)],
                ),
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
            await count_once(components)
            await keep_times_once(components, deployment.database, worker)
            stored_administration.close()
            sessions.close()
            await sealing.close()
            if publishing is not None:
                await publishing.end()
            reading.close()
            deployment.database.close()
            if lock is not None:
                os.close(lock)
            _log.info("stopped")

    made = application(components, console_routes(components), None, [lifespan])
    made.state["readiness"] = ready
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
    other = ExternalIssuer(settings.oauth_external_issuer, settings.oauth_external_clients, settings.demo, trust)
    external = ExternalTokens(other, tokens.resource, clock, resolve, tokens.forget)
    tokens.external = external
    return external
