"""Who signs what in the tests of this room? Keys that sign any header and any payload, right or wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from gateway.clock import SECOND
from gateway.keyring.keys import b64u

BASE = "https://nik.example.go.id"
NOW = 1_795_486_269 * SECOND
_MADE: dict[str, Any] = {}


class HandClock:
    """A clock that is set by hand, in microseconds."""

    def __init__(self, now: int = NOW) -> None:
        self.at = now

    def now(self) -> int:
        return self.at


def make_key(kind: str) -> Any:
    """A key pair of joserfc: `EC`, `OKP`, `RSA`, or with a curve or size behind a dash."""
    name, _, size = kind.partition("-")
    if name == "EC":
        return ECKey.generate_key(f"P-{size or '256'}")
    if name == "OKP":
        return OKPKey.generate_key(size or "Ed25519")
    return RSAKey.generate_key(int(size or 2048))


def compact(header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes, key: Any, alg: str) -> str:
    """A compact JWS; bytes are taken as they are, and `alg` is how it is signed, whatever the header says."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signed = ".".join(b64u(part) for part in parts)
    return f"{signed}.{b64u(JWSRegistry.algorithms[alg].sign(signed.encode(), key))}"


class Holder:
    """Whoever holds a key pair: makes DPoP proofs and client assertions, right ones unless told otherwise."""

    def __init__(self, kind: str = "EC", kid: str = "key-1") -> None:
        self.key = _MADE.setdefault(f"{kind}{kid}", None) or make_key(kind)
        _MADE[f"{kind}{kid}"] = self.key
        self.alg = {"EC": "ES256", "OKP": "EdDSA", "RSA": "PS256"}[kind.partition("-")[0]]
        self.kid = kid
        self.public: dict[str, Any] = {**self.key.as_dict(private=False), "kid": kid}
        self.thumbprint: str = self.key.thumbprint()
        self._count = 0

    def sign(self, header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes) -> str:
        return compact(header, payload, self.key, self.alg)

    def _jti(self) -> str:
        self._count += 1
        return f"{self.kid}-{self._count}-{time.monotonic_ns()}"

    def proof(self, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A DPoP proof for `POST <BASE>/v1/verifications` at NOW; `...` leaves a member out."""
        head = {"typ": "dpop+jwt", "alg": self.alg, "jwk": self.key.as_dict(private=False), **(header or {})}
        body = {"jti": self._jti(), "htm": "POST", "htu": f"{BASE}/v1/verifications", "iat": NOW // SECOND, **claims}
        return self.sign(kept(head), kept(body))

    def assertion(self, client_id: str, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A client assertion for BASE at NOW that lives a minute."""
        head = {"alg": self.alg, "kid": self.kid, **(header or {})}
        now = NOW // SECOND
        body = {"iss": client_id, "sub": client_id, "aud": BASE, "jti": self._jti(), "iat": now, "exp": now + 60}
        return self.sign(kept(head), kept({**body, **claims}))


def kept(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ...}


def ath(token: str) -> str:
    """RFC 9449 §4.2: the hash of an access token."""
    return b64u(sha256(token.encode()).digest())
