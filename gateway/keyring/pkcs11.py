"""How do keys lie in a PKCS#11 token (an HSM)? Objects labelled `<job>-<version>`, ` staged` behind it while they are that.

MACs and signatures are made inside. Tokens offer no AES-GCM-SIV: the key of `claims` lies wrapped in a file beside the
others, `claims-<version>.wrapped`, and is unwrapped once at the start by the AES key of that label.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pkcs11
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from joserfc.jwk import JWKRegistry
from pkcs11 import GCMParams, KeyType, Mechanism, ObjectClass

from gateway.errors import Misconfigured
from gateway.keyring import file as key_files
from gateway.keyring.keys import MAC_JOBS, SIGN_JOBS, Job, Key, Keyring, MacKey, SealKey, SigningKey, b64u, b64u_decode
from gateway.keyring.session import JOBS, Held, Slot, name_of

SIZE = 32  # bytes of every secret
_COORDINATE = 32  # bytes of a coordinate of P-256, and of an Ed25519 key
TAG = 128  # bits


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMacKey(MacKey):
    """A MAC key that never leaves its token."""

    inside: Callable[[bytes], bytes] = field(repr=False, compare=False)

    def mac(self, data: bytes) -> bytes:
        """32 bytes."""
        return self.inside(data)


@dataclass(frozen=True, slots=True)
class HardwareSigner:
    """A private key that never leaves its token, as `SigningKey` asks for it."""

    inside: Callable[[bytes], bytes] = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        """The signature in JOSE form: 64 bytes."""
        return self.inside(data)


def load(slot: Slot, directory: Path, refused: frozenset[str] = frozenset()) -> Keyring:
    """The keyring of a token, with the wrapped and the remaining keys of a directory. See `file.load`.

    Raises Misconfigured with every fault, each naming its key.
    """
    faults: list[str] = []
    keys: list[Key] = []
    held = Held(slot)
    for job, version, staged, inside in held.opened.labelled():
        try:
            keys.append(_key(held, job, version, inside, directory, staged=staged))
        except (pkcs11.PKCS11Error, ValueError, OSError) as fault:
            faults.append(f"keys: '{job}' version {version} in token '{slot.label}': {name_of(fault)}")
    for job in sorted(JOBS - {key.job for key in keys}):
        if not any(f"'{job}'" in fault for fault in faults):
            faults.append(
                f"keys: token '{slot.label}' holds none for the job '{job}'. Make it with: nik-gateway keys provision"
            )
    try:
        keys.extend(key for key in key_files.parse_all(directory, refused) if key.job not in JOBS)
    except Misconfigured as fault:
        faults.extend(fault.faults)
    if faults:
        held.close()
        raise Misconfigured(faults)
    return Keyring(keys)


def _key(  # noqa: PLR0913  what an object is, and where
    held: Held,
    job: Job,
    version: int,
    inside: Any,  # noqa: ANN401  an object of the token
    directory: Path,
    *,
    staged: bool,
) -> Key:
    """The key of an object. Raises ValueError that says what is wrong, OSError and PKCS#11's faults."""
    if job in SIGN_JOBS:
        return _signing_key(held, job, version, inside, staged=staged)
    wanted = KeyType.GENERIC_SECRET if job in MAC_JOBS else KeyType.AES
    if inside.object_class is not ObjectClass.SECRET_KEY or inside.key_type is not wanted:
        msg = f"must be a secret key of type {wanted.name}"
        raise ValueError(msg)
    if job in MAC_JOBS:
        make = held.inside(job, version, _mac)
        if len(make(b"")) != SIZE:
            msg = "makes no HMAC-SHA-256"
            raise ValueError(msg)
        return TokenMacKey(job, version, b"", staged, inside=make)
    secret = _unwrap(directory / f"{job}-{version}.wrapped", inside, job, version)
    return SealKey(job, version, secret, AESGCMSIV(secret), staged)


def _mac(inside: Any, data: bytes) -> bytes:  # noqa: ANN401
    return bytes(inside.sign(data, mechanism=Mechanism.SHA256_HMAC))


def _eddsa(inside: Any, data: bytes) -> bytes:  # noqa: ANN401
    return bytes(inside.sign(data, mechanism=Mechanism.EDDSA))


def _ecdsa(inside: Any, data: bytes) -> bytes:  # noqa: ANN401
    return bytes(inside.sign(sha256(data).digest(), mechanism=Mechanism.ECDSA))


def _signing_key(held: Held, job: Job, version: int, inside: Any, *, staged: bool) -> SigningKey:  # noqa: ANN401
    private = inside.object_class is ObjectClass.PRIVATE_KEY
    point = held.opened.public_point(inside) if private else b""
    if not point:
        msg = "must be a private key whose public one lies beside it under the same id"
        raise ValueError(msg)
    if inside.key_type is KeyType.EC_EDWARDS and len(point) >= _COORDINATE:
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64u(point[-_COORDINATE:])}
        alg, make = "Ed25519", _eddsa
    elif inside.key_type is KeyType.EC and len(point) > 2 * _COORDINATE:
        x, y = point[-2 * _COORDINATE : -_COORDINATE], point[-_COORDINATE:]
        jwk = {"kty": "EC", "crv": "P-256", "x": b64u(x), "y": b64u(y)}
        alg, make = "ES256", _ecdsa
    else:
        msg = "must be a P-256 or an Ed25519 key"
        raise ValueError(msg)
    kid = f"{job}-{version}-{JWKRegistry.import_key(dict(jwk)).thumbprint()[:6]}"
    signer = HardwareSigner(held.inside(job, version, make))
    return SigningKey(job, version, kid, alg, signer, {**jwk, "kid": kid, "alg": alg, "use": "sig"}, staged)


def _unwrap(path: Path, inside: Any, job: Job, version: int) -> bytes:  # noqa: ANN401
    try:
        wrapped = json.loads(path.read_text())
        iv, sealed = b64u_decode(wrapped["iv"]), b64u_decode(wrapped["sealed"])
    except FileNotFoundError:
        msg = f"{path} is not there: it holds the key that this one unwraps"
        raise ValueError(msg) from None
    except (KeyError, TypeError, AttributeError, ValueError):
        msg = f"{path} is no wrapped key"
        raise ValueError(msg) from None
    try:
        parameters = GCMParams(iv, f"{job}-{version}".encode(), TAG)
        secret = bytes(inside.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=parameters))
    except pkcs11.PKCS11Error:
        secret = b""
    if len(secret) != SIZE:
        msg = f"does not open {path}: that was wrapped by another key"
        raise ValueError(msg)
    return secret
