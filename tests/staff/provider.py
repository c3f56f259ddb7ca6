"""An OpenID provider, small and strict: it checks client, redirect URI and PKCE, and signs what it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT, SECRET = "console", "s3cret/+ with space"


class OpenIdProvider:
    """Whoever asks is `subject`. `claims` are set over those of the ID token; `...` leaves one out."""

    def __init__(self) -> None:
        self.key, self.kid = ECKey.generate_key("P-256"), "one"
        self.subject = "ayu-1"
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.refused: list[str] = []
        handler = type("Handler", (_Handler,), {"provider": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"

    def authorize(self, url: str) -> dict[str, str]:
        """What the browser comes back with when the person agrees: the parameters of the redirect."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(f"{self.issuer}/authorize?")
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def rotate(self) -> None:
        """Sign with another key from now on."""
        self.key, self.kid = ECKey.generate_key("P-256"), "two"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """The answer of the token endpoint; an error where RFC 6749 wants one."""
        asked = self.codes.pop(form.get("code", ""), None)
        id, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (unquote(id), unquote(secret)) != (CLIENT, SECRET):
            return {"error": "invalid_client"}
        if asked is None or form["redirect_uri"] != asked["redirect_uri"]:
            return {"error": "invalid_grant"}
        if base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() != asked["code_challenge"]:
            return {"error": "invalid_grant"}
        now = int(time.time())
        base = {"iss": self.issuer, "sub": self.subject, "aud": CLIENT, "exp": now + 60, "iat": now}
        base |= {"nonce": asked["nonce"], **({"auth_time": now} if "max_age" in asked else {})}
        kept = {name: value for name, value in {**base, **self.claims}.items() if value is not ...}
        token = jwt.encode({"alg": "ES256", "kid": self.kid}, kept, self.key)
        return {"access_token": "x", "token_type": "Bearer", "id_token": token}

    def documents(self) -> dict[str, Any]:
        """Path → document."""
        named = {name: f"{self.issuer}/{path}" for name, path in (
            ("authorization_endpoint", "authorize"), ("token_endpoint", "token"), ("jwks_uri", "keys"),
        )}  # fmt: skip
        key = {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig"}
        return {
            "/.well-known/openid-configuration": {"issuer": self.issuer, **named},
            "/keys": {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": self.kid}, key]},
        }


class _Handler(BaseHTTPRequestHandler):
    provider: OpenIdProvider

    def do_GET(self) -> None:
        self._answer(self.provider.documents().get(self.path))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._answer(self.provider.token(form, self.headers.get("authorization", "")))

    def _answer(self, document: Any) -> None:
        self.send_response(404 if document is None else 400 if "error" in document else 200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def serving() -> Iterator[OpenIdProvider]:
    """The provider while it runs."""
    provider = OpenIdProvider()
    thread = Thread(target=provider.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        thread.join()
        provider.server.server_close()
