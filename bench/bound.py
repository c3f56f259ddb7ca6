"""What does a verification cost whose token is bound to a certificate? No proof is made or checked, the answer is signed.

TLS ends in a listed proxy, as most deployments have it, so that neither side of the ratio pays for it: the load client is
that proxy, and names the certificate in `Client-Cert` (RFC 9440).
"""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.load import request_bytes
from bench.serving import HOUSE, free_port, served

NAME = "single, mTLS-bound, signed : no-op"
BAR = 0.6
CLIENT = "bank"  # known by its certificate (tls_client_auth), and its tokens are bound to it


@dataclass(frozen=True, slots=True)
class Bound:
    """A partner with a certificate, behind a proxy: the gateway's own port, and the header that names the certificate."""

    port: int
    certificate: str
    purpose: str

    def requests(self, path: str, bodies: list[bytes]) -> list[bytes]:
        """One ready request for each body, under one fresh token. Raises RuntimeError with the server's words."""
        url = f"http://127.0.0.1:{self.port}/oauth2/token"
        form = {"grant_type": "client_credentials", "client_id": CLIENT, "scope": "nik.verify"}
        answer = httpx.post(url, data=form, headers={"Client-Cert": self.certificate}, timeout=30, trust_env=False)
        if answer.status_code != httpx.codes.OK:
            msg = f"no token: {answer.status_code} {answer.text}"
            raise RuntimeError(msg)
        token = answer.json()["access_token"]
        headers = f"authorization: Bearer {token}\r\nclient-cert: {self.certificate}\r\n"
        return [request_bytes(path, body, headers) for body in bodies]


@contextlib.contextmanager
def behind_a_proxy(place: Path) -> Iterator[Bound]:
    """A demonstration with TLS, served in plain behind whoever comes from this machine."""
    program, port = str(Path(sys.executable).with_name("nik-gateway")), free_port()
    issuer = free_port()
    words = [
        "demo",
        str(place),
        "--tls",
        "--no-serve",
        "--residents",
        "10000",
        "--host",
        "127.0.0.1",
        "--port",
        str(issuer),
    ]
    subprocess.run([program, *words], check=True, stdout=subprocess.DEVNULL, cwd=HOUSE)
    config = place / "gateway.toml"
    text = config.read_text()
    for old, new in (
        (f"port = {issuer}\n", f'port = {port}\nproxies = ["127.0.0.1"]\n'),
        ('certificate = "tls/server.pem"\nkey = "tls/server.key"\n', ""),
    ):
        if text.count(old) != 1:
            msg = f"{config} does not say {old!r} once"
            raise RuntimeError(msg)
        text = text.replace(old, new)
    config.write_text(text)
    plan = json.loads((place / "demo.json").read_text())
    (purpose,) = {one["purposes"][0] for one in plan["partners"] if one["client_id"] == CLIENT}
    pem = (place / "partners" / CLIENT / "cert.pem").read_text()
    der = ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----BEGIN PRIVATE KEY")])
    with served([program, "serve", "--config", str(config)], port):
        yield Bound(port, f":{b64encode(der).decode()}:", purpose)
