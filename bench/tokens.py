"""How many tokens does a core issue? The gateway against Node's oidc-provider, told to do the same.

Client credentials, `private_key_jwt` with a fresh assertion, DPoP with a fresh proof, an ES256 JWT as token; each server has
one core to itself. The gateway's is sealed in its ledger before it leaves; the provider keeps what it keeps in memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

from joserfc.jwk import ECKey

from bench.load import request_bytes, send_all
from bench.partner import ASSERTION, Partner, Prover
from bench.serving import HOUSE, free_port, served

NAME = "tokens, private_key_jwt, DPoP, a core : Node oidc-provider"
BAR = 2.0
FORM = "application/x-www-form-urlencoded"
_NODE = HOUSE / "bench" / "node"


def on_one_core(command: list[str]) -> list[str]:
    """`command` on the last core of this machine; the load client has the others."""
    return ["taskset", "-c", str((os.cpu_count() or 1) - 1), *command]


def requests(partner: Partner, url: str, count: int) -> list[bytes]:
    """Ready-made token requests, each with an assertion and a proof of its own."""
    path = url.removeprefix(partner.issuer)
    made = []
    for _ in range(count):
        form = {"grant_type": "client_credentials", "scope": "nik.verify", "client_assertion_type": ASSERTION}
        body = urlencode(form | {"client_assertion": partner.assertion()}).encode()
        proof = f"dpop: {partner.prover.prove(url)}\r\n"
        # Whoever takes its own URL from the request is told the port, too.
        made.append(request_bytes(path, body, proof, kind=FORM, host=partner.issuer.removeprefix("http://")))
    return made


def installed(place: Path) -> Path:
    """The provider as it is locked, installed from the registry that this machine uses. Raises CalledProcessError."""
    for name in ("package.json", "package-lock.json", "server.mjs"):
        shutil.copy(_NODE / name, place)
    words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(words, cwd=place, check=True, timeout=300)
    return place / "server.mjs"


@contextlib.contextmanager
def provider(place: Path) -> Iterator[tuple[Partner, int]]:
    """A running oidc-provider, and its one client."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    signs, client = (ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig", "kid": kid}) for kid in ("i-1", "c-1"))
    plan = {
        "issuer": issuer,
        "port": port,
        "issuer_key": signs.as_dict(private=True),
        "client_key": client.as_dict(private=False),
    }
    partner = Partner(issuer, issuer, "bench", client.as_dict(private=True), "", Prover())
    command = on_one_core(["node", str(installed(place))])
    with served(command, port, PROVIDER_PLAN=json.dumps(plan), NODE_ENV="production", DEBUG=""):
        yield partner, port


def rate(partner: Partner, port: int, path: str, count: int) -> Callable[[], float]:
    """What measures tokens a second once; every answer must be one."""

    def measure() -> float:
        return send_all(port, requests(partner, partner.issuer + path, count)).demand(200).rate

    measure()
    return measure
