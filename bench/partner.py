"""What does a partner send: a token request, and ready-made requests each with a fresh DPoP proof?

Written from the RFCs (7523, 9449) and not from the gateway's own client, so that it is a second opinion on both.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.jwk import import_key

from bench.load import request_bytes

_ES256 = ec.ECDSA(SHA256())
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Prover:
    """A P-256 key for DPoP proofs, made here."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        x, y = (b64(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
        self.jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}  # members in the order of RFC 7638
        self.thumbprint = b64(hashlib.sha256(json.dumps(self.jwk, separators=(",", ":")).encode()).digest())
        self._head = b64(json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk}).encode())

    def prove(self, url: str, token: str = "", nonce: str = "") -> str:
        """A fresh proof for a POST to `url`, bound to `token` where there is one."""
        claims: dict[str, object] = {
            "jti": secrets.token_urlsafe(16),
            "htm": "POST",
            "htu": url,
            "iat": int(time.time()),
        }
        if token:
            claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
        if nonce:
            claims["nonce"] = nonce
        signed = f"{self._head}.{b64(json.dumps(claims, separators=(',', ':')).encode())}"
        r, s = decode_dss_signature(self.key.sign(signed.encode(), _ES256))
        return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


@dataclass(frozen=True, slots=True)
class Partner:
    """One partner of a demo deployment, as `demo.json` describes it."""

    base_url: str
    issuer: str
    client_id: str
    key: Mapping[str, Any]
    purpose: str
    prover: Prover

    @classmethod
    def from_demo(cls, demo: Path) -> Partner:
        """The partner with a DPoP binding that is told the most. Raises LookupError if there is none."""
        plan = json.loads((demo / "demo.json").read_text())
        able = [one for one in plan["partners"] if one["dpop"] and one["limits"]["day"] >= 100_000]  # noqa: PLR2004
        able.sort(key=lambda one: ("verdict", "status", "reason", "claims").index(one["disclosure"]))
        if not able:
            msg = f"no partner in {demo / 'demo.json'} has DPoP and room for a measurement"
            raise LookupError(msg)
        one = able[-1]
        key = json.loads((demo / one["key_file"]).read_text())
        return cls(plan["base_url"], plan["issuer"], one["client_id"], key, one["purposes"][0], Prover())

    def token(self) -> str:
        """A fresh access token, bound to the prover's key. Raises RuntimeError with the server's words."""
        url = f"{self.issuer}/oauth2/token"
        nonce = ""
        for _ in range(2):  # the second time with the nonce that the first was told
            form = {"grant_type": "client_credentials", "scope": "nik.verify", "client_assertion_type": ASSERTION}
            form["client_assertion"] = self.assertion()
            answer = httpx.post(url, data=form, headers={"DPoP": self.prover.prove(url, nonce=nonce)}, timeout=30)
            if answer.status_code == httpx.codes.OK:
                return str(answer.json()["access_token"])
            nonce = answer.headers.get("DPoP-Nonce", "")
            if not nonce:
                break
        msg = f"no token: {answer.status_code} {answer.text}"
        raise RuntimeError(msg)

    def assertion(self) -> str:
        """A fresh client assertion (RFC 7523), good for a minute."""
        now = int(time.time())
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.issuer, "jti": secrets.token_urlsafe(16)}
        payload = json.dumps(claims | {"iat": now, "exp": now + 60}).encode()
        head = {"alg": self.key["alg"], "kid": self.key["kid"], "typ": "JWT"}
        return jws.serialize_compact(head, payload, import_key(dict(self.key)), algorithms=[self.key["alg"]])

    def requests(self, path: str, bodies: Iterable[bytes]) -> list[bytes]:
        """One ready request for each body, under one fresh token; good for the 60 s that a proof lives."""
        token = self.token()
        return proven(self.prover, token, self.base_url, path, bodies)


def proven(prover: Prover, token: str, base_url: str, path: str, bodies: Iterable[bytes]) -> list[bytes]:
    """Requests with `token` and a fresh proof each."""
    url = base_url + path
    head = f"authorization: DPoP {token}\r\ndpop: "
    return [request_bytes(path, body, f"{head}{prover.prove(url, token)}\r\n") for body in bodies]


def residents(demo: Path) -> list[dict[str, Any]]:
    """The demo's sample of residents whose NIK is usable: `{"nik","claims",…}`."""
    lines = (demo / "residents.sample.ndjson").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["status"] == "active"]


def question(resident: Mapping[str, Any], purpose: str = "") -> dict[str, Any]:
    """What a partner asks about a resident: the two deciding claims, both right."""
    claims = {name: resident["claims"][name] for name in ("name", "birth_date")}
    return {"nik": resident["nik"], **({"purpose": purpose} if purpose else {}), "claims": claims}
