"""Are keys changed under partners who go on calling, without one call that fails? Two nodes, restarted one after the other."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from deployment import HOUSE, Deployment, free_port, fresh_database, wait_for
from http_message_signatures import HTTPMessageVerifier
from http_message_signatures.algorithms import ED25519
from http_message_signatures.resolvers import MappingKeyResolver
from partner import Partner

COVERED = ['"@status"', '"content-digest"', '"@method";req', '"@target-uri";req']
CALLERS, RENEW = 3, 5  # how many call at a time; calls after which each asks for another token
JOBS = ("token", "answer")


class Balancer(httpx.BaseTransport):
    """What stands before the nodes: a call goes to one that is in turn, and a node is let go when its calls are done."""

    def __init__(self, ports: list[int]) -> None:
        self._changed = threading.Condition()
        self._under_way = Counter[int]()
        self._turn = list(ports)
        self._inner = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The reply of a node; to the caller it is that of the issuer."""
        with self._changed:
            port = self._turn[0]
            self._turn = [*self._turn[1:], port]
            self._under_way[port] += 1
        try:
            url = request.url.copy_with(port=port)
            inner = httpx.Request(request.method, url, headers=request.headers, content=request.read())
            reply = self._inner.handle_request(inner)
            reply.read()
            return reply
        finally:
            with self._changed:
                self._under_way[port] -= 1
                self._changed.notify_all()

    def take_out(self, port: int) -> None:
        """Send it nothing more, and wait until what it has is answered."""
        with self._changed:
            self._turn.remove(port)
            assert self._changed.wait_for(lambda: not self._under_way[port], 20)

    def put_in(self, port: int) -> None:
        """Send it calls again."""
        with self._changed:
            self._turn.append(port)


@dataclass(slots=True)
class Seen:
    """What callers saw: keys of tokens and answers, statuses, and what went wrong on the way."""

    tokens: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Nodes:
    """Two nodes of one deployment on PostgreSQL: the same keys and database, each with its own kept checkpoint."""

    def __init__(self, url: str) -> None:
        self.deployment = Deployment(url)
        self.ports = [self.deployment.port, free_port()]
        self.balancer = Balancer(self.ports)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.log = self.deployment.log
        for number, port in enumerate(self.ports):
            text = self.deployment.config.read_text()
            self._config(port).write_text(f'{text}\n[ledger]\ncheckpoint_file = "checkpoint-{number}"\n')

    def _config(self, port: int) -> Any:
        return self.deployment.directory / f"node-{port}.toml"

    def start(self, port: int) -> None:
        """Start a node, and return when it can seal."""
        words = ["serve", "--config", str(self._config(port)), "--port", str(port)]
        with self.log.open("ab") as log:
            self._processes[port] = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli", *words], cwd=HOUSE, env=os.environ.copy(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for(f"node {port}", lambda: self._ready(port), 40)

    def _ready(self, port: int) -> bool:
        assert self._processes[port].poll() is None, self.log.read_text()[-3000:]
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, port: int) -> None:
        """Stop a node as an operator would."""
        self._processes[port].terminate()
        assert self._processes[port].wait(30) == 0

    def restart_one_after_the_other(self) -> None:
        """As operate.md says: the others answer meanwhile."""
        for port in self.ports:
            self.balancer.take_out(port)
            self.stop(port)
            self.start(port)
            self.balancer.put_in(port)

    def keys(self, *words: str) -> None:
        """A `keys` command about the keys of every node."""
        command = [
            sys.executable,
            "-m",
            "gateway.cli",
            "keys",
            *words,
            "--keys",
            str(self.deployment.directory / "keys"),
        ]
        subprocess.run(command, cwd=HOUSE, check=True, capture_output=True)

    def close(self) -> None:
        """End everything and remove it."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self.deployment.close()


@pytest.fixture
def nodes(postgresql_server: str) -> Iterator[Nodes]:
    """Two nodes that are ready."""
    with fresh_database(postgresql_server) as url:
        made = Nodes(url)
        try:
            for port in made.ports:
                made.start(port)
            yield made
            for port in made.ports:
                made.stop(port)
        finally:
            made.close()


def published(http: httpx.Client, path: str) -> list[str]:
    """The kids of a key set."""
    return [key["kid"] for key in http.get(path).json()["keys"]]


def verify_signature(http: httpx.Client, reply: httpx.Response) -> str:
    """Which of the published keys signed a reply. Raises InvalidSignature."""
    keys = {
        key["kid"]: Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
        for key in http.get("/keys").json()["keys"]
    }
    resolver = MappingKeyResolver(public_keys=keys, private_keys={})
    (result,) = HTTPMessageVerifier(signature_algorithm=ED25519, key_resolver=resolver).verify(
        reply, expect_tag="fapi-2-response", require_components=COVERED, body=reply.content
    )
    return str(result.parameters["keyid"])


def keep_calling(nodes: Nodes, number: int, seen: Seen, stop: threading.Event) -> None:
    """One program of a partner: asks, verifies the answer's signature, and gets a new token now and then."""
    deployment = nodes.deployment
    base = f"http://127.0.0.1:{deployment.port}"
    jwk = json.loads((deployment.directory / "partners" / "bpjs" / "key.jwk").read_text())
    with httpx.Client(base_url=base, transport=nodes.balancer, trust_env=False, timeout=20) as http:
        partner = Partner(base, "bpjs", jwk, http)
        resident = deployment.active[number]
        claims = {name: resident["claims"][name] for name in ("name", "birth_date")}
        question = {"nik": resident["nik"], "purpose": "claim_eligibility", "claims": claims}
        token, calls = "", 0
        while not stop.is_set():
            try:
                if calls % RENEW == 0:
                    token = partner.token(scope="nik.verify")
                    head = base64.urlsafe_b64decode(token.partition(".")[0] + "==")
                    seen.tokens[json.loads(head)["kid"]] += 1
                calls += 1
                reply = partner.call("POST", "/v1/verifications", question, token=token)
                seen.statuses[reply.status_code] += 1
                assert reply.json().get("usable") is True, reply.text
                seen.answers[verify_signature(http, reply)] += 1
            except Exception as fault:  # noqa: BLE001  whatever it was, a partner has noticed
                seen.faults.append(repr(fault))
            time.sleep(0.1)  # the machine is for the nodes, that start meanwhile


@contextmanager
def calling(nodes: Nodes) -> Iterator[Seen]:
    """Partners who go on calling while the block lasts."""
    seen, stop = Seen(), threading.Event()
    threads = [threading.Thread(target=keep_calling, args=(nodes, n, seen, stop)) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_keys_for_tokens_and_answers_rotate_under_load(nodes: Nodes) -> None:
    """Staged, activated, retired, each with a restart of every node: no call fails, and both versions are taken meanwhile."""
    base = f"http://127.0.0.1:{nodes.deployment.port}"
    with calling(nodes) as seen, httpx.Client(base_url=base, transport=nodes.balancer, trust_env=False) as http:
        first = [published(http, path) for path in ("/oauth2/jwks", "/keys")]
        assert [len(kids) for kids in first] == [1, 1]
        for job in JOBS:
            nodes.keys("rotate", "--job", job, "--staged")
        nodes.restart_one_after_the_other()
        both = [published(http, path) for path in ("/oauth2/jwks", "/keys")]
        assert [len(kids) for kids in both] == [2, 2]
        assert (len(seen.tokens), len(seen.answers)) == (1, 1), "a staged key makes nothing"
        for job in JOBS:
            nodes.keys("activate", "--job", job)
        nodes.restart_one_after_the_other()
        made = sum(seen.tokens.values())
        # Tokens of the old key are good until they end; every caller has another one by now.
        wait_for("new tokens", lambda: sum(seen.tokens.values()) >= made + 3 * CALLERS)
        for job in JOBS:
            nodes.keys("retire", "--job", job, "--version", "1", "--force")
        nodes.restart_one_after_the_other()
        last = [published(http, path) for path in ("/oauth2/jwks", "/keys")]
    assert seen.faults == []
    assert set(seen.statuses) == {200}
    for kids, old, new in ((seen.tokens, first[0], last[0]), (seen.answers, first[1], last[1])):
        assert set(kids) == {*old, *new}
        assert len(new) == 1
        assert new != old
