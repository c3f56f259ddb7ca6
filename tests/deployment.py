"""How does a test run a whole gateway? A demo deployment, its server as real processes, partners who call it."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import servers
from admitting import any_log

from gateway.cli.demonstration import Demonstration
from gateway.clock import SystemClock, SystemEntropy
from gateway.config import read
from gateway.keyring.keys import b64u, b64u_decode
from gateway.ledger.check.check import Report, check
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf
from nik_gateway_client.keys import PrivateKey
from nik_gateway_client.proofs import ASSERTION_TYPE, client_assertion, dpop_proof

SINGLE = "/v1/verifications"
HOUSE = Path(__file__).parents[1]
PATIENCE = 30.0  # seconds until something that a test waits for counts as not coming
_one_at_a_time = threading.Lock()
CLOCK, ENTROPY = SystemClock(), SystemEntropy()


def wait_for(what: str, happened: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """The first true result of `happened`."""
    deadline = time.monotonic() + patience
    while not (result := happened()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
    return result


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


_FORKING = """
import json, os, signal, sys
from gateway.cli.main import main
for line in sys.stdin:
    words, output = json.loads(line)
    child = os.fork()
    if not child:
        signal.alarm(90)  # what should end and does not is a fault, not a wait
        written = os.open(output, os.O_WRONLY)
        os.dup2(written, 1), os.dup2(written, 2)
        sys.argv = ["nik-gateway", *words]
        main()
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@cache
def _forking() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HOUSE
    )
    atexit.register(process.communicate)  # it ends with its input
    return process


def command(*words: str) -> tuple[int, str]:
    """Run `nik-gateway` with `words`: (exit code, what it printed).

    Every command is a process of its own, forked from one that has loaded the program: loading is most of its time.
    """
    forking = _forking()
    assert forking.stdin is not None
    assert forking.stdout is not None
    with _one_at_a_time, tempfile.NamedTemporaryFile("r", encoding="utf-8") as printed:
        forking.stdin.write(json.dumps([words, printed.name]) + "\n")
        forking.stdin.flush()
        return int(forking.stdout.readline()), printed.read()


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """An empty database on a PostgreSQL server, for as long as the block lasts."""
    name = f"d_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        yield f"{server.rpartition('/')[0]}/{name}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole response."""

    status: int
    headers: Mapping[str, str]
    document: Any

    @property
    def slug(self) -> str:
        """The slug of a problem; empty for an answer."""
        return str(self.document.get("type", "")).rpartition("/")[2]


class Line:
    """One keep-alive connection; a response is a Reply only when all of it has arrived, else ConnectionError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.port = int(writer.get_extra_info("sockname")[1])

    @classmethod
    async def to(cls, port: int, own_address: str = "127.0.0.1") -> Line:
        """Connect from `own_address` (any of 127.0.0.0/8)."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(own_address, 0)))

    def write(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Send a request."""
        lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Send a request and read the whole response."""
        self.write(method, path, headers, body)
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            content = await self._reader.readexactly(int(fields["content-length"]))
        except asyncio.IncompleteReadError as cut:
            raise ConnectionError from cut
        document = json.loads(content) if "json" in fields.get("content-type", "") else content.decode()
        return Reply(int(head[0].split()[1]), fields, document)

    def leave(self) -> None:
        """Close at once, whatever is under way."""
        self._writer.transport.abort()


class Deployment:
    """A demo deployment in a new directory, and the server that runs it. `settings` are more tables of gateway.toml."""

    def __init__(self, database: str = "", workers: int = 1, settings: str = "", server: str = "") -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="nik-d-", dir=servers.open_place()))
        self.workers = workers
        self.port = free_port()
        self.config = self.directory / "gateway.toml"
        self.log = self.directory / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        url = database or "sqlite:///gateway.sqlite"
        Demonstration(self.directory, 1000, 1, url, "127.0.0.1", self.port, workers).build(lambda _: None)
        text = self.config.read_text().replace(f"workers = {workers}\n", f"workers = {workers}\n{server}\n")
        self.config.write_text(f"{text}\n{settings}\n")
        sample = (self.directory / "residents.sample.ndjson").read_text("utf-8").splitlines()
        self.residents: list[dict[str, Any]] = [json.loads(line) for line in sample]
        self.active = [one for one in self.residents if one["status"] == "active"]

    @property
    def environment(self) -> dict[str, str]:
        """What the deployment's own processes run with; they leave their temporary files in its directory."""
        return os.environ | {"TMPDIR": str(self.directory)}

    def start(self) -> None:
        """Start the server, by the same command every time, and return when every process of it is ready."""
        before = len(self.events())
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli", "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=HOUSE, env=self.environment,
                start_new_session=True,
            )  # fmt: skip
        wait_for("the server", lambda: self._ready(before))

    def _ready(self, before: int) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        names = [event["event"] for event in self.events()[before:]]
        return names.count("started") >= self.workers and names.count("sealing") >= (self.workers > 1)

    def events(self) -> list[dict[str, Any]]:
        """What the server has logged."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def stop(self) -> None:
        """Stop the server as an operator would; it must end by itself and without fault."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(PATIENCE) == 0, self.log.read_text()[-3000:]

    def kill(self) -> None:
        """SIGKILL for the whole process group."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        wait_for("the last of the process group", lambda: not _group_lives(self.process.pid if self.process else 0))

    def children(self, kind: str) -> list[int]:
        """Process ids of the server's `worker-process`es or its `sealer-process`."""
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(each) for each in listed if kind.encode() in Path(f"/proc/{each}/cmdline").read_bytes()]

    def worker_of(self, line: Line) -> int:
        """The worker process that holds the other end of a connection."""
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ends = (f":{self.port:04X}", f":{line.port:04X}")
        inode = next(row[9] for row in rows if (row[1][8:], row[2][8:]) == ends)
        for worker in self.children("worker-process"):
            for held in Path(f"/proc/{worker}/fd").iterdir():
                if held.is_symlink() and str(held.readlink()) == f"socket:[{inode}]":
                    return worker
        msg = "no worker holds the connection"
        raise LookupError(msg)

    async def line_to_each_worker(self) -> list[Line]:
        """One open connection to every worker."""
        held: dict[int, Line] = {}
        for _ in range(500):
            line = await Line.to(self.port)
            await line.ask("GET", "/healthz", {})
            if held.setdefault(self.worker_of(line), line) is not line:
                line.leave()
            if len(held) == self.workers:
                break
        assert len(held) == self.workers
        return list(held.values())

    def command(self, *words: str, code: int = 0) -> str:
        """Run `nik-gateway` with `words` and this deployment's settings; what it printed."""
        left, printed = command(*words, "--config", str(self.config))
        assert left == code, printed
        return printed

    def ledger(self) -> tuple[dict[str, dict[str, Any]], Report]:
        """Every leaf by its hash (base64url), in order and with its `index`; the ledger must be sound."""
        database = Database(read(self.config).database_url, CLOCK, any_log)
        leaves: dict[str, dict[str, Any]] = {}
        with LedgerOf(database).snapshot() as (head, entries):
            stored = list(entries)
            report = check(head, stored)
        for entry in stored:
            leaves[b64u(sha256(b"\x00" + entry.leaf).digest())] = json.loads(entry.leaf) | {"index": entry.index}
        database.close()
        return leaves, report

    def close(self) -> None:
        """End whatever still runs and remove everything."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def deployed(database: str = "", workers: int = 1, settings: str = "", server: str = "") -> Iterator[Deployment]:
    """A running deployment."""
    deployment = Deployment(database, workers, settings, server)
    try:
        deployment.start()
        yield deployment
        deployment.stop()
    finally:
        deployment.close()


class Partner:
    """One partner of a deployment: its key, a DPoP key of its own, and a token once it has asked for one."""

    def __init__(self, deployment: Deployment, client_id: str = "bpjs", purpose: str = "claim_eligibility") -> None:
        self.deployment = deployment
        self.client_id, self.purpose = client_id, purpose
        self.base = f"http://127.0.0.1:{deployment.port}"
        self.key = PrivateKey.load(deployment.directory / "partners" / client_id / "key.jwk")
        self.dpop_key = PrivateKey.fresh()
        self.token = ""

    def token_request(self, scope: str = "nik.verify") -> tuple[dict[str, str], bytes]:
        """Headers and body of a token request with a fresh assertion."""
        assertion = client_assertion(self.key, self.client_id, self.base, CLOCK.now(), ENTROPY)
        form = {"grant_type": "client_credentials", "scope": scope, "client_assertion_type": ASSERTION_TYPE}
        proof = dpop_proof(self.dpop_key, "POST", self.base + "/oauth2/token", CLOCK.now(), ENTROPY)
        headers = {"content-type": "application/x-www-form-urlencoded", "dpop": proof}
        return headers, urlencode(form | {"client_assertion": assertion}).encode()

    async def log_in(self) -> Partner:
        """Fetch a token."""
        line = await Line.to(self.deployment.port)
        reply = await line.ask("POST", "/oauth2/token", *self.token_request())
        line.leave()
        assert reply.status == 200, reply
        self.token = reply.document["access_token"]
        return self

    def headers(self, path: str = SINGLE, method: str = "POST") -> dict[str, str]:
        """The token and a fresh proof for one call."""
        proof = dpop_proof(self.dpop_key, method, self.base + path, CLOCK.now(), ENTROPY, token=self.token)
        return {"authorization": f"DPoP {self.token}", "dpop": proof, "content-type": "application/json"}

    def question(self, resident: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """A question about a resident with both deciding claims right; `more` are members set over it."""
        claims = {name: resident["claims"][name] for name in ("name", "birth_date")}
        return {"nik": resident["nik"], "purpose": self.purpose, "claims": claims} | more

    async def verify(self, line: Line, question: Mapping[str, Any], **headers: str) -> Reply:
        """Ask one question over a connection."""
        return await line.ask("POST", SINGLE, self.headers() | headers, jcs(question))


def jcs(document: Mapping[str, Any]) -> bytes:
    """RFC 8785 bytes, written apart from the gateway's own."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def assert_sealed(
    leaves: Mapping[str, Mapping[str, Any]], question: Mapping[str, Any], document: dict[str, Any]
) -> None:
    """An answer (or problem) that somebody holds has its entry, which commits to it and to the question."""
    rest = dict(document)
    leaf = leaves[rest.pop("entry")]
    assert leaf["id"] == document["id"]
    assert leaf["answer"] == b64u(sha256(jcs(rest)).digest())
    assert leaf["request"] == b64u(sha256(b64u_decode(document["nonce"]) + jcs(question)).digest())
