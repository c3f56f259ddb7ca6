"""Which processes make a node? One that watches, W workers, and with W > 1 one sealer. Whoever dies is started again.

All share the process group of the command, and none outlives the watcher, even when that is killed outright.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.cli.demo_feeder import feeder_profile
from gateway.cli.output import COULD_NOT_RUN
from gateway.config import Settings
from gateway.errors import Misconfigured
from gateway.sealing.socket import alive

_log = structlog.get_logger("gateway.supervisor")
CALM = 1.0  # seconds a process must live before it is started again at once
ROOM = 70  # bytes that the name of a temporary directory may have
SILENT = 2.5  # seconds that a sealer may say nothing before it is ended and started again
ASKING = 1.0  # seconds that it has for one reply
GRACE = 15.0  # seconds that a process has to finish what it is doing


@dataclass(slots=True)
class _Child:
    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    born: float = 0.0
    not_before: float = 0.0
    heard: float = 0.0  # when it last said how it is; 0 before the first time


class Supervisor:
    """Runs one node until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        """Takes the address to listen on. Raises Misconfigured when the address is in use."""
        self._settings = settings
        self._stopping = threading.Event()
        self.socket = self._listen()
        # The name of a Unix socket has at most 103 bytes (macOS; Linux 107): a long TMPDIR leaves no room for it.
        roomy = len(os.fsencode(tempfile.gettempdir())) < ROOM
        self._folder = Path(tempfile.mkdtemp(prefix="nik-gateway-", dir=None if roomy else "/tmp"))  # noqa: S108  private
        workers = settings.server_workers
        config = ["--config", str(settings.file), "--parent", str(os.getpid())]
        seal = ["--socket", str(self._folder / "sealer.sock")] if workers > 1 else []
        self._children = [
            _Child(f"worker-{number}", ["worker-process", *config, *seal, "--listen", str(self.socket.fileno())])
            for number in range(1, workers + 1)
        ]
        if workers > 1:
            self._children.insert(0, _Child("sealer", ["sealer-process", *config, *seal]))
            (self._folder / "metrics").mkdir()

        if settings.demo and feeder_profile(settings.file).exists():
            self._children.append(_Child("feeder", ["feeder-process", *config]))

    def _listen(self) -> socket.socket:
        host, port = self._settings.server_host, self._settings.server_port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as fault:
            raise Misconfigured(
                [
                    (
                        f"server: {host}:{port} cannot be listened on ({fault.strerror}). Choose another: "
                        f"`make run PORT={port + 1}`, `--port {port + 1}`, or server.port in the settings"
                    )
                ]
            ) from fault
        # Each worker listens when it can answer: nobody is let in before.
        listener.set_inheritable(True)
        return listener

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the exit code. `each_second` is called about once a second."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        code = 0
        try:
            while not self._stopping.is_set():
                for child in self._children:
                    if not self._tend(child):
                        code = COULD_NOT_RUN
                        self._stopping.set()
                        break
                self._listen_to_sealer()
                self._stopping.wait(0.2)
        finally:
            self._stop(drain=not code)
        return code

    def stopped(self, seconds: float) -> bool:
        """Whether a signal to stop came, before `run` or within these seconds."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        return self._stopping.wait(seconds)

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stopping.set()

    def _listen_to_sealer(self) -> None:
        """End a sealer that has once spoken and says nothing any more: stopped, it may hold the lock of every node."""
        sealer = self._children[0]
        if len(self._children) == 1 or sealer.process is None:
            return
        if alive(self._folder / "sealer.sock", ASKING):
            sealer.heard = time.monotonic()
        elif sealer.heard and time.monotonic() - sealer.heard > SILENT:
            _log.error("the sealer says nothing: it is ended", process=sealer.name)
            sealer.process.kill()
            sealer.heard = 0.0

    def _drain(self) -> None:
        """Let whoever sends calls notice: /readyz is red, and everything else goes on as before."""
        for child in self._children:
            if child.name != "sealer" and child.process is not None and child.process.poll() is None:
                child.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + self._settings.server_drain_seconds
        while time.monotonic() < deadline and any(
            child.process is not None and child.process.poll() is None for child in self._children
        ):
            time.sleep(0.1)

    def _tend(self, child: _Child) -> bool:
        """Start a child that does not run. False when it can never run: it says itself why."""
        now = time.monotonic()
        if child.process is not None:
            if child.process.poll() is None:
                return True
            code = child.process.returncode
            _log.warning("a process has ended", process=child.name, code=code)
            if code == COULD_NOT_RUN and child.starts == 1:
                return False
            # What could not run again after it had run is waiting for something, e.g. the database: keep trying.
            child.not_before = now if now - child.born > CALM and code != COULD_NOT_RUN else now + CALM
            child.process = None
        if now >= child.not_before:
            environment = dict(os.environ)
            if self._settings.server_workers > 1:
                environment["PROMETHEUS_MULTIPROC_DIR"] = str(self._folder / "metrics")
            child.process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-m", "gateway.cli", *child.arguments],
                pass_fds=() if child.name == "sealer" else (self.socket.fileno(),),
                env=environment,
            )
            child.starts += 1
            child.born, child.heard = now, 0.0
        return True

    def _stop(self, *, drain: bool) -> None:
        """Workers first, so that what they have in hand is still sealed; then the sealer."""
        if drain:
            self._drain()
        self.socket.close()  # so that nobody is let in any more once the workers have stopped to listen
        for group in (self._children[::-1] if len(self._children) == 1 else self._children[1:], self._children[:1]):
            running = [child.process for child in group if child.process is not None and child.process.poll() is None]
            for process in running:
                process.terminate()
            deadline = time.monotonic() + GRACE
            for process in running:
                try:
                    process.wait(max(deadline - time.monotonic(), 0.1))
                except subprocess.TimeoutExpired:
                    process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
