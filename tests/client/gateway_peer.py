"""A gateway's side of the protocol on loopback, written from RFC 9449, 7523 and 8785 and from no file of the client.

It checks every assertion, proof and digest that it is sent, with `cryptography` alone, and writes down what is wrong. What
it says to a caller with a token it signs (RFC 9421).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

ID, NONCE, ENTRY = "01935af0-0000-7000-8000-000000000001", "A" * 43, "B" * 43
ANSWER = {
    "id": ID,
    "usable": True,
    "match": True,
    "status": "active",
    "claims": {"name": "match"},
    "answered_at": "2026-11-24T02:11:09.123Z",
    "nonce": NONCE,
    "entry": ENTRY,
    "billed": True,
}


def unb64(text: str) -> bytes:
    """Decoded base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opened(token: str, jwk: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """(header, claims) of a JWS whose signature holds under `jwk`, or under the header's own key."""
    head, body, signature = token.split(".")
    header = json.loads(unb64(head))
    key = jwk or header["jwk"]
    signed, raw = f"{head}.{body}".encode(), unb64(signature)
    match header["alg"], key["kty"]:
        case "ES256", "EC":
            point = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), ec.SECP256R1())
            half = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
            point.public_key().verify(half, signed, ec.ECDSA(hashes.SHA256()))
        case "PS256", "RSA":
            public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
            public.verify(raw, signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        case (("EdDSA" | "Ed25519"), "OKP"):
            ed25519.Ed25519PublicKey.from_public_bytes(unb64(key["x"])).verify(raw, signed)
        case alg, kind:
            raise ValueError(f"{alg} with {kind}")
    return header, json.loads(unb64(body))


def _number(text: str) -> int:
    return int.from_bytes(unb64(text), "big")


def _public(kid: str, key: ed25519.Ed25519PrivateKey) -> dict[str, str]:
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "Ed25519", "use": "sig"}


@dataclass
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What to send back; `drop` closes the connection instead, `digest` adds a Content-Digest."""

    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = ""
    drop: bool = False
    digest: bool = True
    signed: bool = True
    by: str = ""  # the kid of the key that signs, else the last one


def problem(status: int, slug: str, **members: Any) -> Reply:
    """A problem document as the wire contract words it."""
    document = {"type": f"https://gateway.example/problems/{slug}", "title": slug, "status": status, "billed": False}
    headers = members.pop("headers", {})
    return Reply(status, document | {"retryable": False} | members, headers)


class Peer:
    """One gateway. Set its fields before calling; `scripted` replies come first, then it answers as it should."""

    def __init__(self) -> None:
        self.public: dict[str, Any] = {}
        self.client_id = "bank-1"
        self.issuer = ""
        self.lifetime = 300
        self.token_nonce = ""
        self.resource_nonce = ""
        self.algorithms = ["ES256", "PS256", "EdDSA", "Ed25519"]
        self.token_type = "DPoP"
        self.token_error: dict[str, str] = {}
        self.document: Any = ANSWER
        self.scripted: deque[Reply] = deque()
        self.token_scripted: deque[Reply] = deque()
        self.seen: list[Seen] = []
        self.faults: list[str] = []
        self.tokens: dict[str, str] = {}
        self.jtis: set[str] = set()
        self.clock_skew = 0.0
        self.ahead = 0.0  # seconds by which its signatures are made later than now
        self.signs = True
        self.answer_keys = {"answer-1": ed25519.Ed25519PrivateKey.generate()}
        self.documents: dict[str, dict[str, Any]] = {}  # by path, where not `document` is answered
        self.unsigned: set[str] = set()  # paths whose replies bear no signature
        self.listed: dict[str, ed25519.Ed25519PrivateKey] = {}  # the keys at /keys, when others than those
        self.resource: dict[str, Any] = {}  # what the resource's metadata say otherwise
        peer = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, body)
                peer.seen.append(seen)
                reply = peer.reply(seen)
                if reply.drop:
                    self.close_connection = True
                    return
                content = reply.document if isinstance(reply.document, bytes) else json.dumps(reply.document).encode()
                self.send_response(reply.status)
                good = reply.status < 300 or (self.path == "/oauth2/token" and "error" in reply.document)
                media = reply.content_type or ("application/json" if good else "application/problem+json")
                digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
                own = {"Content-Type": media, "Content-Length": str(len(content))}
                own |= {"Content-Digest": f"sha-256=:{digest}:"} if reply.digest else {}
                own |= reply.headers
                if (
                    reply.signed
                    and peer.signs
                    and self.path not in peer.unsigned
                    and self.path.startswith("/v1/")
                    and "Content-Digest" in own
                ):
                    own |= peer.signature(seen, reply.status, own["Content-Digest"], reply.by)
                for name, value in own.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _answer  # noqa: N815  the standard library's names

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string((timestamp or time.time()) + peer.clock_skew)

            def log_message(self, *args: object) -> None:
                """Nothing is printed."""

        class Deployment(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64  # with the default of 5, callers that come together wait a second for their turn

        self._server = Deployment(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.issuer = self.url
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def sent(self, path: str) -> list[Seen]:
        """Every request that came for a path."""
        return [seen for seen in self.seen if seen.path == path]

    def reply(self, seen: Seen) -> Reply:
        """What this gateway says to a request."""
        if seen.path in (published := self._published()):
            return Reply(document=published[seen.path])
        if seen.path == "/oauth2/token":
            return self._token(seen)
        refused = self._refused(seen)
        if refused:
            return refused
        if self.scripted:
            return self.scripted.popleft()
        if seen.path == "/v1/verifications/batch" and self.document is ANSWER:
            items = json.loads(seen.body)["items"]
            return Reply(document={"items": [{"ref": item["ref"], **ANSWER} for item in items]})
        newborn = seen.path == "/v1/verifications" and json.loads(seen.body).get("newborn")
        document = self.documents.get(seen.path, self.document)
        return problem(422, "nik-not-yet-issued") if newborn else Reply(document=document)

    def _published(self) -> dict[str, Any]:
        """What anybody may read."""
        server = {"issuer": self.issuer, "token_endpoint": f"{self.url}/oauth2/token"}
        server |= {"token_endpoint_auth_signing_alg_values_supported": self.algorithms}
        server |= {"dpop_signing_alg_values_supported": self.algorithms}
        resource = {"resource": f"{self.url}/v1", "authorization_servers": [self.issuer]}
        keys = [_public(kid, key) for kid, key in (self.listed or self.answer_keys).items()]
        return {
            "/.well-known/oauth-authorization-server": server,
            "/.well-known/oauth-protected-resource/v1": resource | {"jwks_uri": f"{self.url}/keys"} | self.resource,
            "/keys": {"keys": keys},
        }

    def signature(self, seen: Seen, status: int, digest: str, by: str = "") -> dict[str, str]:
        """Signature-Input and Signature of a reply to a request, as the wire contract words them."""
        kid = by or list(self.answer_keys)[-1]
        lines = {'"@status"': status, '"content-digest"': digest}
        lines |= {'"@method";req': seen.method, '"@target-uri";req': self.url + seen.path}
        if "content-digest" in seen.headers:
            lines['"content-digest";req'] = seen.headers["content-digest"]
        # the same answer is given again and again here: a nonce makes each signature another, as a new id does elsewhere
        parameters = f'created={int(time.time() + self.ahead)};keyid="{kid}";nonce="{secrets.token_hex(8)}"'
        covered = f'({" ".join(lines)});{parameters};tag="fapi-2-response"'
        base = "\n".join(f"{name}: {value}" for name, value in {**lines, '"@signature-params"': covered}.items())
        value = base64.b64encode(self.answer_keys[kid].sign(base.encode())).decode()
        return {"Signature-Input": f"answer={covered}", "Signature": f"answer=:{value}:"}

    def _token(self, seen: Seen) -> Reply:
        form = {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}
        header, claims = opened(form["client_assertion"], self.public)
        now = time.time() + self.ahead
        self._expect("grant", form["grant_type"], "client_credentials")
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        self._expect("assertion type", form["client_assertion_type"], kind)
        self._expect("typ", header["typ"], "client-authentication+jwt")
        self._expect("kid", header["kid"], self.public["kid"])
        self._expect("aud", claims["aud"], self.issuer)
        self._expect("iss and sub", (claims["iss"], claims["sub"]), (self.client_id, self.client_id))
        if not (claims["exp"] - claims["iat"] <= 60 and abs(claims["iat"] - now) < 300):
            self.faults.append("assertion times")
        self._once(claims["jti"])
        proof_header, proof = opened(seen.headers["dpop"])
        self._check_proof(proof_header, proof, "POST", "/oauth2/token")
        if self.token_nonce and proof.get("nonce") != self.token_nonce:
            return Reply(400, {"error": "use_dpop_nonce"}, {"DPoP-Nonce": self.token_nonce})
        if self.token_scripted:
            return self.token_scripted.popleft()
        if self.token_error:
            return Reply(401, self.token_error)
        token = f"token-{len(self.tokens) + 1}.{'x' * 40}"
        self.tokens[token] = json.dumps(proof_header["jwk"], sort_keys=True)
        document = {"access_token": token, "token_type": self.token_type, "expires_in": self.lifetime}
        return Reply(document=document | {"scope": form["scope"]}, headers={"Cache-Control": "no-store"})

    def _refused(self, seen: Seen) -> Reply | None:
        scheme, _, token = seen.headers.get("authorization", "").partition(" ")
        header, proof = opened(seen.headers["dpop"])
        self._expect("scheme", scheme, "DPoP")
        self._check_proof(header, proof, seen.method, seen.path)
        ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        self._expect("ath", proof["ath"], ath)
        if seen.body:
            digest = base64.b64encode(hashlib.sha256(seen.body).digest()).decode()
            self._expect("Content-Digest", seen.headers.get("content-digest"), f"sha-256=:{digest}:")
        if self.tokens.get(token) != json.dumps(header["jwk"], sort_keys=True):
            return problem(401, "invalid-token", headers={"WWW-Authenticate": 'DPoP error="invalid_token"'})
        if self.resource_nonce and proof.get("nonce") != self.resource_nonce:
            challenge = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": self.resource_nonce}
            return problem(401, "use-dpop-nonce", headers=challenge)
        return None

    def _check_proof(self, header: dict[str, Any], proof: dict[str, Any], method: str, path: str) -> None:
        self._expect("proof typ", header["typ"], "dpop+jwt")
        self._expect("htm and htu", (proof["htm"], proof["htu"]), (method, self.url + path))
        if {"d", "p", "q", "k"} & set(header["jwk"]):
            self.faults.append("the proof holds a private key")
        self._once(proof["jti"])

    def _once(self, jti: str) -> None:
        if jti in self.jtis:
            self.faults.append("jti used twice")
        self.jtis.add(jti)

    def _expect(self, what: str, got: object, wanted: object) -> None:
        if got != wanted:
            self.faults.append(f"{what}: {got!r} is not {wanted!r}")
