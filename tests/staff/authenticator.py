"""What does a passkey do? A small authenticator of ES256 keys, as a browser would speak to it (WebAuthn level 3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.clock import SystemEntropy
from gateway.keyring.keys import b64u, b64u_decode

ENTROPY = SystemEntropy()
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Key:
    """One credential."""

    private: ec.EllipticCurvePrivateKey
    handle: bytes
    rp_id: str


@dataclass
class Authenticator:
    """Holds credentials, and signs with them for one origin. `count` 0 stays 0, as synced passkeys have it."""

    origin: str
    flags: int = PRESENT | VERIFIED
    count: int = 1
    keys: dict[bytes, Key] = field(default_factory=dict)
    next_id: bytes = b""  # of the credential that is made next; any when empty
    more: dict[str, Any] = field(default_factory=dict)  # members of clientDataJSON that are to differ

    def create(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The response to `navigator.credentials.create`."""
        id = self.next_id or ENTROPY.bytes(32)
        key = Key(ec.generate_private_key(ec.SECP256R1()), b64u_decode(options["user"]["id"]), options["rp"]["id"])
        self.keys[id] = key
        numbers = key.private.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(id).to_bytes(2, "big") + id + cbor2.dumps(cose)
        data = self._data(key.rp_id, ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        response = {"clientDataJSON": self._client("webauthn.create", options), "attestationObject": b64u(attestation)}
        return self._credential(id, response)

    def get(self, options: Mapping[str, Any], id: bytes | None = None) -> dict[str, Any]:
        """The response to `navigator.credentials.get`, by the credential `id` or the first that is allowed."""
        allowed = [b64u_decode(each["id"]) for each in options.get("allowCredentials", ())]
        id = id or next(each for each in self.keys if not allowed or each in allowed)
        key = self.keys[id]
        self.count += self.count > 0
        data, client = self._data(options["rpId"]), self._client("webauthn.get", options)
        signed = key.private.sign(data + sha256(b64u_decode(client)).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": client,
            "authenticatorData": b64u(data),
            "signature": b64u(signed),
            "userHandle": b64u(key.handle),
        }
        return self._credential(id, response)

    def _data(self, rp_id: str, flags: int = 0) -> bytes:
        return sha256(rp_id.encode()).digest() + bytes([self.flags | flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, options: Mapping[str, Any]) -> str:
        document = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return b64u(json.dumps(document | self.more).encode())

    @staticmethod
    def _credential(id: bytes, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": b64u(id), "rawId": b64u(id), "type": "public-key", "response": response,
            "clientExtensionResults": {}, "authenticatorAttachment": "platform",
        }  # fmt: skip
