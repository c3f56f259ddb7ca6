"""What does a test of mutual TLS call? A demonstration with TLS, one partner more, and its callers with certificates."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner
from partner import Partner, merged
from served import FREE, HOUSE, PATIENCE, free_port

from gateway.cli.agreements import agreements
from gateway.cli.demo import demo

TWO = ["--proposer", "Demo Registrar", "--approver", "Demo Approver"]
# How a client is known, and what its tokens are bound to; those that are not here come with certificates for both.
_WAYS = {
    "bpjs": ("jwt", "dpop"),
    "elsewhere": ("jwt", "dpop"),
    "small": ("jwt", "mtls"),
    "mixed": ("tls", "dpop"),
}
MIXED = 'auth_method = "tls_client_auth"\nsender_constraint = "dpop"\ntls_client_auth_subject_dn = "{dn}"\n'


def run(command: Any, words: list[str]) -> None:
    """A command of the program, which must succeed."""
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output


class TlsGateway:
    """One demonstration that is reached over https."""

    def __init__(self, directory: Path, settings: Callable[[str, int], str] = lambda text, _: text) -> None:
        """`settings` rewrites gateway.toml, and is told the port of the issuer."""
        self.directory = directory
        self.port = free_port()
        run(demo, [str(directory), "--tls", "--residents", "1000", "--port", str(self.port), "--no-serve"])
        self.config = directory / "gateway.toml"
        self.config.write_text(settings(self.config.read_text(), self.port))
        self.facts = json.loads((directory / "demo.json").read_text())
        self.issuer: str = self.facts["issuer"]
        self.people = [
            row
            for row in map(json.loads, (directory / self.facts["sample"]).read_text().splitlines())
            if row["status"] == "active" and {"name", "birth_date"} <= row["claims"].keys()
        ]
        self._clients: dict[str, httpx.Client] = {}
        # Known by its certificate, bound by DPoP: the one combination that the demonstration leaves out.
        self.add("mixed", MIXED.format(dn="CN=bank,O=Bank Nusantara (demo),C=ID"), [self.thumbprint("bank")])

    def thumbprint(self, client_id: str) -> str:
        """`x5t#S256` of a partner's certificate (RFC 8705 §3.1)."""
        pem = (self.directory / "partners" / client_id / "cert.pem").read_text()
        der = ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----BEGIN PRIVATE KEY")])
        return urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode()

    def add(self, client_id: str, credentials: str, certificates: list[str], method: str = "mtls") -> None:
        """One partner more, with the agreement of `small` and these credentials; its key is that of `bank`.

        Its agreement lists these certificates (thumbprints), under this method of access.
        """
        (small,) = (
            block
            for block in (self.directory / "agreements.toml").read_text().split("[[agreement]]\n")
            if block.startswith('id = "pks-small"')
        )
        block = small[: small.index("auth_method = ")].replace("small", client_id)
        block = block.replace(json.dumps([self.thumbprint("small")]), json.dumps(certificates))
        block = block.replace('method = "mtls"', f'method = "{method}"')
        assert block.count(json.dumps(certificates)) == block.count(f'method = "{method}"') == 1, block
        for old, new in FREE.items():
            assert old in block, old
            block = block.replace(old, new)
        rows = self.directory / f"{client_id}.toml"
        rows.write_text(f"[[agreement]]\n{block}{credentials}")
        run(agreements, ["import", "--config", str(self.config), str(rows), *TWO])

    def serve(self, ready: Callable[[], bool] | None = None) -> None:
        """Start the server and wait until it is ready."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NIK_")}
        self._log = (self.directory / "served.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--config", str(self.config)],
            cwd=HOUSE,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        deadline = time.monotonic() + PATIENCE
        while not (ready or self.ready)():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError((self.directory / "served.log").read_text()[-3000:])
            time.sleep(0.05)

    def ready(self) -> bool:
        """Whether the gateway answers that it can seal."""
        try:
            return self.http().get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """End every process; the exit code of the command."""
        for client in self._clients.values():
            client.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(30)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._log.close()

    def http(self, certificate: str | Path = "") -> httpx.Client:
        """A client that comes with the certificate of a partner, or of a PEM file, or without one."""
        name = str(certificate)
        if name not in self._clients:
            context = ssl.create_default_context(cafile=self.directory / "tls" / "ca.pem")
            if certificate:
                path = self.directory / "partners" / name / "cert.pem"
                context.load_cert_chain(certificate if isinstance(certificate, Path) else path)
            self._clients[name] = httpx.Client(base_url=self.issuer, verify=context, trust_env=False, timeout=20)
        return self._clients[name]

    def caller(self, client_id: str, certificate: str | Path = "") -> Caller:
        """A client of the gateway that comes with this certificate."""
        folder = self.directory / "partners" / client_id
        jwk = json.loads(((folder if folder.exists() else folder.parent / "bank") / "key.jwk").read_text())
        return Caller(self.issuer, client_id, jwk, self.http(certificate))

    def question(self, client_id: str) -> dict[str, Any]:
        """What a partner may ask about an active resident."""
        purposes = {row["client_id"]: row["purposes"][0] for row in self.facts["partners"]}
        row = self.people[0]
        claims = {name: row["claims"][name] for name in ("name", "birth_date")}
        return {"nik": row["nik"], "purpose": purposes.get(client_id, "account_opening"), "claims": claims}


class Caller(Partner):
    """A partner that is known by an assertion or a certificate, and whose tokens are bound to a proof key or to that."""

    @property
    def bound_to_certificate(self) -> bool:
        """Whether its tokens are, as it is registered."""
        return _WAYS.get(self.client_id, ("tls", "mtls"))[1] == "mtls"

    def ask_token(self, **changes: str | None) -> httpx.Response:
        """The answer of the token endpoint to a request as this client has to make it; `changes` of its form."""
        form: dict[str, str | None] = {}
        if _WAYS.get(self.client_id, ("tls", "mtls"))[0] == "tls":
            form = {"client_assertion": None, "client_assertion_type": None, "client_id": self.client_id}
        return self.request_token(merged(form, None) | form | changes, [] if self.bound_to_certificate else None)

    def obtain(self) -> str:
        """A token."""
        reply = self.ask_token()
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    def ask(self, body: object, token: str, scheme: str = "", http: httpx.Client | None = None) -> httpx.Response:
        """The reply to a verification with this token, over this client's connections or others."""
        bound = self.bound_to_certificate
        headers = {"Authorization": f"{scheme or ('Bearer' if bound else 'DPoP')} {token}"}
        proofs = [] if bound else None
        return self.call("POST", "/v1/verifications", body, headers=headers, token=token, proofs=proofs, http=http)
