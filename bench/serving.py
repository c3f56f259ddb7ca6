"""How is a server started for a measurement, and stopped after it?

Every floor runs under the gateway's own server: uvicorn with uvloop and httptools, no access log, one process.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

HOUSE = Path(__file__).parent.parent
START_SECONDS = 60


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def uvicorn(app: str, port: int) -> list[str]:
    """The command that serves `app` (`module:name`) as the gateway is served."""
    words = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
    quiet = ["--no-access-log", "--log-level", "warning", "--lifespan", "on", "--no-server-header"]
    return [sys.executable, "-m", "uvicorn", app, *words, *quiet]


@contextlib.contextmanager
def served(command: Sequence[str], port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` until the block ends; entered when `port` accepts. Raises RuntimeError if it never does."""
    variables: Mapping[str, str] = os.environ | environment
    process = subprocess.Popen(command, cwd=HOUSE, env=variables, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _accepts(port):
            if process.poll() is not None or time.monotonic() > deadline:
                msg = f"{' '.join(map(str, command))} does not listen on port {port}"
                raise RuntimeError(msg)
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
