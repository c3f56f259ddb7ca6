"""How does somebody talk to the gateway who has never seen our client? Every token, proof and header made by hand.

Written from the RFCs on httpx and cryptography alone: 7515 (JWS), 7523 (assertions), 9449 (DPoP).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import import_key

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Headers = Mapping[str, str | None]


def b64u(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(alg: str, key: Any, data: bytes) -> bytes:
    """The JWS signature (RFC 7518 §3) by a key of cryptography; `none` and HS256 (key: bytes) for those who cheat."""
    if alg == "none":
        return b""
    if alg == "HS256":
        return hmac.digest(key, data, "sha256")
    if alg in ("EdDSA", "Ed25519"):
        return bytes(key.sign(data))
    if alg == "ES256":
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    pads = {"RS256": padding.PKCS1v15(), "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), 32)}
    return bytes(key.sign(data, pads[alg], hashes.SHA256()))


def jwt(header: Mapping[str, Any], claims: Mapping[str, Any], key: Any, alg: str | None = None) -> str:
    """A compact JWS; `alg` when it is made with another algorithm than its header says."""
    signed = ".".join(b64u(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{b64u(sign(alg or header.get('alg', 'ES256'), key, signed.encode()))}"


def native(jwk: Mapping[str, str]) -> Any:
    """The private key of a JWK as cryptography knows it."""
    plain = {name: value for name, value in jwk.items() if name not in ("alg", "use", "kid")}
    return import_key(plain).private_key


def merged(base: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """`base` with `changes`; what is changed to None is left out."""
    return {name: value for name, value in {**base, **(changes or {})}.items() if value is not None}


class ProofKey:
    """A P-256 key for DPoP proofs."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        x, y = (b64u(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        self.jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        d = b64u(self.private.private_numbers().private_value.to_bytes(32, "big"))
        self.private_jwk = {**self.jwk, "d": d}


class Partner:
    """One registered client: asks for tokens and calls, as well or as badly as it is told to."""

    def __init__(self, issuer: str, client_id: str, jwk: Mapping[str, str], http: httpx.Client) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self.jwk = jwk
        self.key = native(jwk)
        self.proof_key = ProofKey()
        self.http = http
        self._token: tuple[str, float] = ("", 0.0)

    def assertion(
        self, claims: Mapping[str, Any] | None = None, header: Mapping[str, Any] | None = None, key: Any = None
    ) -> str:
        """A client assertion (RFC 7523 §3); a changed member that is None is left out."""
        now = int(time.time())
        who = {"iss": self.client_id, "sub": self.client_id, "aud": self.issuer}
        body = who | {"jti": secrets.token_urlsafe(16), "iat": now, "exp": now + 60}
        head = {"alg": self.jwk["alg"], "kid": self.jwk["kid"], "typ": "client-authentication+jwt"}
        return jwt(merged(head, header), merged(body, claims), self.key if key is None else key)

    def proof(  # noqa: PLR0913  whatever can be wrong with a proof
        self,
        method: str,
        path: str,
        token: str = "",
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        *,
        key: Any = None,
        alg: str | None = None,
    ) -> str:
        """A DPoP proof (RFC 9449 §4.2); a changed member that is None is left out."""
        body: dict[str, Any] = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": self.issuer + path}
        body["iat"] = int(time.time())
        if token:
            body["ath"] = b64u(hashlib.sha256(token.encode()).digest())
        head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.proof_key.jwk}
        made = self.proof_key.private if key is None else key
        return jwt(merged(head, header), merged(body, claims), made, alg)

    def request_token(
        self, form: Mapping[str, str | None] | None = None, proofs: Sequence[str] | None = None
    ) -> httpx.Response:
        """The answer of the token endpoint; `form` changes its parameters."""
        base = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
        base["client_assertion"] = "" if form and "client_assertion" in form else self.assertion()
        sent = self.proof("POST", "/oauth2/token") if proofs is None else ""
        headers = [("DPoP", proof) for proof in ([sent] if proofs is None else proofs)]
        return self.http.post("/oauth2/token", data=merged(base, form), headers=headers)

    def token(self, **form: str) -> str:
        """An access token; without words for the form it is kept and used again."""
        kept, until = self._token
        if form or time.monotonic() > until:
            reply = self.request_token(form)
            assert reply.status_code == 200, reply.text
            kept = reply.json()["access_token"]
            if not form:
                self._token = (kept, time.monotonic() + 200)
        return kept

    def call(  # noqa: PLR0913  whatever can be wrong with a call
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Headers | None = None,
        token: str | None = None,
        proofs: Sequence[str] | None = None,
        http: httpx.Client | None = None,
    ) -> httpx.Response:
        """The reply to a call with a token and a proof; `headers` changes headers, None leaves one out."""
        token = self.token() if token is None else token
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        base = {"Authorization": f"DPoP {token}"} | ({} if content is None else {"Content-Type": "application/json"})
        sent = [(name, value) for name, value in merged(base, headers).items()]
        sent += [("DPoP", one) for one in ([self.proof(method, path, token)] if proofs is None else proofs)]
        return (http or self.http).request(method, path, content=content, headers=sent)

    def verify(self, body: object, headers: Headers | None = None) -> httpx.Response:
        """The reply to one verification."""
        return self.call("POST", "/v1/verifications", body, headers=headers)

    def verify_batch(self, body: object, headers: Headers | None = None) -> httpx.Response:
        """The reply to a batch."""
        return self.call("POST", "/v1/verifications/batch", body, headers=headers)

    def spent(self) -> int:
        """How many answers of today were charged, as `GET /v1/usage` tells."""
        return int(self.call("GET", "/v1/usage").json()["agreements"][0]["limits"]["day"]["spent"])
