"""Another authorization server, small and of its own make: metadata, keys that change, and tokens as they are told."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey


class OtherIssuer:
    """What it answers can be changed while it runs; `asked` counts the calls by path."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"one": ECKey.generate_key("P-256")}
        self.metadata: dict[str, Any] = {}
        self.failing = False
        self.asked: dict[str, int] = {}
        handler = type("Handler", (_Handler,), {"other": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.issuer = f"{self.base}/realm"

    def rotate(self, kid: str, kind: str = "EC", *, keep: bool = False) -> None:
        """Sign with a new key from now on; without `keep` the old ones are published no more."""
        made: dict[str, Any] = {
            "EC": lambda: ECKey.generate_key("P-256"),
            "RSA": lambda: RSAKey.generate_key(2048),
            "OKP": lambda: OKPKey.generate_key("Ed25519"),
        }
        self.keys = {**(self.keys if keep else {}), kid: made[kind]()}

    def documents(self) -> dict[str, Any]:
        """Path → document."""
        metadata = {"issuer": self.issuer, "jwks_uri": f"{self.base}/keys", **self.metadata}
        published = [{**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]
        others = [{"kty": "oct", "k": "c2VjcmV0", "kid": "x"}, {"kty": "EC", "crv": "P-521", "kid": "y"}, "no key"]
        return {"/.well-known/oauth-authorization-server/realm": metadata, "/keys": {"keys": [*others, *published]}}

    def token(self, resource: str, jkt: str, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """An access token by the newest key; `...` leaves a claim out."""
        kid, key = list(self.keys.items())[-1]
        alg = {"EC": "ES256", "RSA": "PS256", "OKP": "Ed25519"}[key.key_type]
        now = int(time.time())
        base = {"iss": self.issuer, "aud": resource, "sub": "their-bank", "client_id": "their-bank", "iat": now}
        base |= {"exp": now + 300, "jti": secrets.token_urlsafe(8), "scope": "nik.verify", "cnf": {"jkt": jkt}}
        head = {"typ": "at+jwt", "alg": alg, "kid": kid, **(header or {})}
        kept = {name: value for name, value in {**base, **claims}.items() if value is not ...}
        return jwt.encode(head, kept, key, algorithms=["ES256", "PS256", "Ed25519"])


class _Handler(BaseHTTPRequestHandler):
    other: OtherIssuer

    def do_GET(self) -> None:
        other = self.other
        other.asked[self.path] = other.asked.get(self.path, 0) + 1
        document = None if other.failing else other.documents().get(self.path)
        self.send_response(404 if document is None else 200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def serving() -> Iterator[OtherIssuer]:
    """The other issuer while it runs."""
    other = OtherIssuer()
    thread = Thread(target=other.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield other
    finally:
        other.server.shutdown()
        thread.join()
        other.server.server_close()
