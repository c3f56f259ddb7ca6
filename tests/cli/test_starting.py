"""What does a gateway do while its database is not there yet? It waits, and says so."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
from deployment import HOUSE, Deployment, command, wait_for


@pytest.fixture
def own_server() -> Iterator[servers.Postgresql]:
    """A PostgreSQL server that a test may stop."""
    place = Path(tempfile.mkdtemp(prefix="nik-pg-", dir=servers.open_place()))
    place.chmod(0o755)
    server = servers.Postgresql(place / "own")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(place, ignore_errors=True)


def asked(port: int, path: str, method: str = "GET") -> tuple[int, Any]:
    """(status, document); (0, None) when nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    except ConnectionRefusedError:
        return 0, None
    finally:
        connection.close()


def test_a_database_that_comes_late_is_waited_for(own_server: servers.Postgresql) -> None:
    """Alive, not ready, calls refused, until the server is there; one that never will be there ends the command with 2."""
    node = Deployment(own_server.url)
    try:
        own_server.stop()
        with node.log.open("ab") as log:
            node.process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli", "serve", "--config", str(node.config)],
                stdout=log, stderr=log, cwd=HOUSE, env=node.environment, start_new_session=True,
            )  # fmt: skip
        wait_for("the node to listen", lambda: node.process.poll() is not None or asked(node.port, "/healthz")[0])  # type: ignore[union-attr]
        assert asked(node.port, "/healthz") == (200, {"status": "alive"})
        assert asked(node.port, "/readyz") == (503, {"ready": False, "database": "unreachable"})
        status, problem = asked(node.port, "/v1/verifications", "POST")
        assert (status, problem["type"].rpartition("/")[2], problem["billed"]) == (503, "register-unavailable", False)
        own_server.start()
        wait_for("the node to be ready", lambda: asked(node.port, "/readyz")[0] == 200)
        node.stop()
        assert [line for line in node.log.read_text().splitlines() if not line.startswith("{")] == []
        node.config.write_text(node.config.read_text().replace('/postgres"', '/nothing"'))
        code, words = command("serve", "--config", str(node.config))
        assert (code, "does not exist" in words) == (2, True), words
    finally:
        node.close()


def test_nobody_is_let_in_before_it_answers() -> None:
    """The port takes connections when a worker answers, not before: whoever is let in is answered at once."""
    node = Deployment()
    try:
        with node.log.open("ab") as log:
            node.process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli", "serve", "--config", str(node.config)],
                stdout=log, stderr=log, cwd=HOUSE, env=node.environment, start_new_session=True,
            )  # fmt: skip
        wait_for("the first connection", lambda: asked(node.port, "/healthz")[0])
        assert "started" in [event["event"] for event in node.events()]
        node.process.send_signal(signal.SIGTERM)
        assert node.process.wait(30) == 0
    finally:
        node.close()
