"""How is a gateway run? `serve`, and the two kinds of process that it starts (not meant to be typed)."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click
import structlog
import uvicorn
import uvloop

from gateway.app import authorities_of, build, configure_logging, metrics_token_of, open_deployment, seal_for_workers
from gateway.cli.accepting import ConnectionLimits, CountingLoop
from gateway.cli.connection import WholeProtocol
from gateway.cli.output import config_option, settings_of
from gateway.cli.processes import bind_to_parent
from gateway.cli.supervisor import Supervisor
from gateway.cli.tls import CertificateProtocol, Listener
from gateway.cli.waiting import Waiting
from gateway.clock import SystemClock, SystemEntropy
from gateway.config import Settings
from gateway.errors import DatabaseAway, Misconfigured
from gateway.policy.policies import load

_log = structlog.get_logger("gateway.serve")
SWITCH = 0.0005  # seconds that a thread may keep the interpreter from those who answer calls
TRY_AGAIN = 3  # the exit code of a process that could start later
AGAIN = 1.0  # seconds between two attempts to reach a database that is not there yet
HSTS = ("strict-transport-security", "max-age=31536000")  # RFC 6797, on every response wherever TLS ends


@click.command()
@config_option
@click.option("--host", help="Address to listen on, instead of server.host.")
@click.option("--port", type=int, help="Port to listen on, instead of server.port.")
@click.option("--workers", type=int, help="Worker processes, instead of server.workers.")
def serve(config: Path, host: str | None, port: int | None, workers: int | None) -> None:
    """Run the gateway; refuses to start with every fault listed."""
    settings = settings_of(config)
    if workers is not None or host is not None or port is not None:
        # The processes read the file again: what differs from it is passed on in the environment.
        os.environ["NIK_GATEWAY_SERVER"] = (
            f"{host or settings.server_host} {port or settings.server_port} {workers or settings.server_workers}"
        )
    settings = overridden(settings)
    configure_logging(settings.log_level)
    supervisor = begin(settings)
    sys.exit(0 if supervisor is None else supervisor.run())


def overridden(settings: Settings) -> Settings:
    """The settings with what the command line said of the server."""
    given = os.environ.get("NIK_GATEWAY_SERVER")
    if not given:
        return settings
    host, port, workers = given.split()
    return replace(settings, server_host=host, server_port=int(port), server_workers=int(workers))


def begin(settings: Settings) -> Supervisor | None:
    """The supervisor of a node that can start, as soon as its database is there; None when it is stopped before.

    Raises Misconfigured.
    """
    try:
        check(settings)
    except DatabaseAway as away:
        reason = away.faults[0]
    else:
        return Supervisor(settings)
    supervisor = Supervisor(settings)
    _log.error("the database does not answer: waiting for it", reason=reason)
    tls = Listener(settings).context if settings.tls_certificate is not None else None
    with Waiting(supervisor.socket, settings.issuer, (SystemClock(), SystemEntropy()), tls):
        while not supervisor.stopped(AGAIN):
            with suppress(DatabaseAway):
                check(settings)
                return supervisor
    return None


def check(settings: Settings) -> None:
    """Raises Misconfigured with everything that would keep a worker from starting; DatabaseAway as `open_deployment`."""
    faults: list[str] = []
    away = False
    for attempt in (
        partial(load, settings.policies),
        partial(Listener if settings.tls_certificate is not None else authorities_of, settings),
        partial(metrics_token_of, settings),
        partial(_try_house, settings),
    ):
        try:
            attempt()
        except Misconfigured as fault:
            away = isinstance(fault, DatabaseAway) and not faults
            faults.extend(fault.faults)
    if faults:
        raise (DatabaseAway if away else Misconfigured)(faults)


def _try_house(settings: Settings) -> None:
    open_deployment(settings, SystemClock(), SystemEntropy()).database.close()


def calm() -> None:
    """What was loaded stays, and answers make no cycles: looking for garbage after every 700 objects finds nothing.

    Nor do those who answer wait long for a thread that works beside them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    sys.setswitchinterval(SWITCH)


class _Server(uvicorn.Server):
    """Says that it has started when calls are taken, not before."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Run what the application begins with, then listen."""
        await super().startup(sockets)
        application: Any = self.config.app
        readiness = application.state["readiness"]
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: setattr(readiness, "draining", True))
        _log.info("started", **application.state["started"])


@contextmanager
def _retried() -> Iterator[None]:
    """A database that went away between the watcher's look and this process's is no reason never to start."""
    try:
        yield
    except DatabaseAway as away:
        _log.warning("the database does not answer", reason=away.faults[0])
        sys.exit(TRY_AGAIN)


@click.command(hidden=True)
@config_option
@click.option("--parent", type=int, required=True)
@click.option("--listen", type=int, required=True)
@click.option("--socket", "sealer", type=click.Path(path_type=Path))
def worker_process(config: Path, parent: int, listen: int, sealer: Path | None) -> None:
    """One worker: serves HTTP on the socket that it was handed."""
    bind_to_parent(parent)
    settings = overridden(settings_of(config))
    configure_logging(settings.log_level)
    listener = Listener(settings) if settings.tls_certificate is not None else None
    trust = None if listener is None else listener.trust
    with _retried():
        application = build(settings, SystemClock(), SystemEntropy(), sealer_socket=sealer, trust=trust)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # told to be drained before it listens: nobody calls it anyway
    calm()
    server = _Server(
        uvicorn.Config(
            application,
            ws="none",
            http=WholeProtocol if listener is None else CertificateProtocol,
            ssl_context_factory=None if listener is None else lambda *_: listener.context,
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            headers=[HSTS] if settings.issuer.startswith("https:") else [],
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            backlog=2048,
        )
    )
    limits = ConnectionLimits(
        settings.server_connections,
        settings.server_connections_by_address,
        settings.door_ipv6_prefix,
        settings.server_proxies,
    )
    try:
        with asyncio.Runner(loop_factory=partial(CountingLoop, limits)) as runner:
            runner.run(server.serve(sockets=[socket.socket(fileno=listen)]))
    except OSError as fault:
        if fault.errno != errno.EADDRINUSE:
            raise
        host, port = settings.server_host, settings.server_port
        raise Misconfigured([f"server: {host}:{port} is listened on by another program by now"]) from fault
    sys.exit(0 if server.started else TRY_AGAIN)


@click.command(hidden=True)
@config_option
@click.option("--parent", type=int, required=True)
@click.option("--socket", "path", type=click.Path(path_type=Path), required=True)
def sealer_process(config: Path, parent: int, path: Path) -> None:
    """The one sealer of a node with several workers."""
    bind_to_parent(parent)
    settings = overridden(settings_of(config))
    configure_logging(settings.log_level)

    calm()

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await seal_for_workers(settings, SystemClock(), SystemEntropy(), path, stop)

    with _retried():
        uvloop.run(run())
