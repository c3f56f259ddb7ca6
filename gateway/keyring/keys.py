"""What can a key do? A MAC key names, a seal key hides, a signing key vouches; each knows its job, version and `kid`."""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from gateway.clock import Entropy
from gateway.errors import GatewayError, Misconfigured


class Job(StrEnum):
    """What a key is for. The value is the first part of its file name and `kid`."""

    INDEX = "index"  # finds a resident's record by NIK
    CLAIMS = "claims"  # seals the record
    LEDGER_TAG = "ledger-tag"  # names a resident in the ledger
    ATTEMPT = "attempt"  # names a (partner, NIK) in the attempt budgets
    SUBJECT = "subject"  # pairwise subject that a partner sees; never rotates on schedule
    NONCE = "nonce"  # makes DPoP nonces
    IDEMPOTENCY = "idempotency"  # hashes a repeated body and seals its stored answer
    TOKEN = "token"  # noqa: S105  signs access tokens
    ANSWER = "answer"  # signs answers
    CHECKPOINT = "checkpoint"  # signs the ledger's checkpoints


MAC_JOBS = frozenset({Job.INDEX, Job.LEDGER_TAG, Job.ATTEMPT, Job.SUBJECT, Job.NONCE})
SEAL_JOBS = frozenset({Job.CLAIMS, Job.IDEMPOTENCY})
SIGN_JOBS = frozenset({Job.TOKEN, Job.ANSWER, Job.CHECKPOINT})


class SealBroken(GatewayError):
    """Sealed bytes do not open: wrong key, wrong binding, or changed since."""


@dataclass(frozen=True, slots=True)
class MacKey:
    """HMAC-SHA-256 under one version of one job's key."""

    job: Job
    version: int
    secret: bytes = field(repr=False)
    staged: bool = False

    def mac(self, data: bytes) -> bytes:
        """32 bytes."""
        return hmac.digest(self.secret, data, "sha256")


@dataclass(frozen=True, slots=True)
class SealKey:
    """AES-256-GCM-SIV (RFC 8452). Sealed bytes are version (1) ‖ nonce (12) ‖ ciphertext and tag."""

    job: Job
    version: int
    secret: bytes = field(repr=False)
    cipher: AESGCMSIV = field(repr=False, compare=False)
    staged: bool = False

    def seal(self, plain: bytes, binding: bytes, entropy: Entropy) -> bytes:
        """Hide `plain`; it opens only with the same `binding`, which says where the bytes belong."""
        nonce = entropy.bytes(12)
        return bytes((self.version,)) + nonce + self.cipher.encrypt(nonce, plain, binding)

    def open(self, sealed: bytes, binding: bytes) -> bytes:
        """The plain bytes. Raises SealBroken."""
        try:
            return self.cipher.decrypt(sealed[1:13], sealed[13:], binding)
        except (InvalidTag, ValueError) as broken:
            raise SealBroken(str(self.job)) from broken

    def mac(self, data: bytes) -> bytes:
        """HMAC-SHA-256 under a key derived from this one (the bodies of repeated requests are kept as this only)."""
        return hmac.digest(hmac.digest(self.secret, b"nik-gateway body hash", "sha256"), data, "sha256")


class SignsItself(Protocol):
    """A private key whose signatures have JOSE's form already: Ed25519, or any that lies in a token."""

    def sign(self, data: bytes, /) -> bytes:
        """64 bytes."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One signing key: Ed25519 or ES256."""

    job: Job
    version: int
    kid: str
    alg: str
    private: ec.EllipticCurvePrivateKey | SignsItself = field(repr=False)
    public_jwk: Mapping[str, str] = field(repr=False)
    staged: bool = False

    def sign(self, data: bytes) -> bytes:
        """The signature in JOSE form (RFC 7518 §3.4, RFC 8037): 64 bytes either way."""
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.private.sign(data)


Key = MacKey | SealKey | SigningKey


class Keyring:
    """All keys of a deployment: for each job its live versions, newest first.

    A *staged* version finds, opens and verifies (and is published) like any other, but nothing is made with it yet: so
    every node knows a key before the first one uses it.

    Raises Misconfigured, naming every job for which no key, or a key of the wrong kind, was given.
    """

    def __init__(self, keys: list[Key]) -> None:
        faults: list[str] = []

        def of(job: Job, kind: type[Key]) -> list[Key]:
            found = sorted((key for key in keys if key.job is job), key=lambda key: -key.version)
            if not found:
                faults.append(f"keys: none for the job '{job}'. Make it with: nik-gateway keys new --job {job}")
            elif all(key.staged for key in found):
                faults.append(f"keys: those for the job '{job}' are staged. Use: nik-gateway keys activate --job {job}")
            faults.extend(
                f"keys: '{job}' version {key.version} is of the wrong kind"
                for key in found
                if not isinstance(key, kind)
            )
            versions = [key.version for key in found]
            if len(set(versions)) != len(versions):
                faults.append(f"keys: two keys for '{job}' bear the same version")
            return found

        self._macs = {job: of(job, MacKey) for job in sorted(MAC_JOBS)}
        self._seals = {job: {key.version: key for key in of(job, SealKey)} for job in sorted(SEAL_JOBS)}
        self._signers = {job: of(job, SigningKey) for job in sorted(SIGN_JOBS)}
        if faults:
            raise Misconfigured(faults)
        used = [*self._macs.values(), *self._signers.values(), *(list(held.values()) for held in self._seals.values())]
        self._used = {held[0].job: next(key for key in held if not key.staged) for held in used}

    def macs(self, job: Job) -> list[MacKey]:
        """Every live version, newest first."""
        return self._macs[job]  # type: ignore[return-value]  # the constructor has checked the kind

    def mac(self, job: Job) -> MacKey:
        """The newest version that is used."""
        return self._used[job]  # type: ignore[return-value]

    def sealer(self, job: Job) -> SealKey:
        """The newest version that is used, for sealing."""
        return self._used[job]  # type: ignore[return-value]

    def sealers(self, job: Job) -> list[SealKey]:
        """Every live version: the one that is used, then the others, newest first."""
        used = self.sealer(job)
        return [used, *(key for key in self._seals[job].values() if key is not used)]  # type: ignore[list-item]

    def opener(self, job: Job, sealed: bytes) -> SealKey:
        """The version that sealed these bytes. Raises SealBroken when it is not on the ring."""
        key = self._seals[job].get(sealed[0]) if sealed else None
        if key is None:
            raise SealBroken(f"{job}: no key of version {sealed[0] if sealed else '?'}")
        return key  # type: ignore[return-value]

    def signer(self, job: Job) -> SigningKey:
        """The newest version that is used."""
        return self._used[job]  # type: ignore[return-value]

    def signers(self, job: Job) -> list[SigningKey]:
        """Every live version, newest first."""
        return list(self._signers[job])  # type: ignore[arg-type]

    def public_jwks(self, job: Job) -> list[Mapping[str, str]]:
        """Public JWKs of every live version, newest first."""
        return [key.public_jwk for key in self._signers[job]]  # type: ignore[union-attr]


_to_url = bytes.maketrans(b"+/", b"-_")
_from_url = bytes.maketrans(b"-_", b"+/")


def b64u(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return binascii.b2a_base64(data, newline=False).translate(_to_url, b"=").decode()


_WHOLE = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}
"""What the last of so many characters over a multiple of four may be: no bit stands beyond the last byte."""


def b64u_decode(text: str) -> bytes:
    """The bytes of strict base64url without padding: one text for each value (RFC 4648 §3.5). Raises ValueError."""
    raw = text.encode("ascii")
    over = len(raw) % 4
    if b"=" in raw or b"+" in raw or b"/" in raw or (over > 1 and raw[-1] not in _WHOLE[over]):
        msg = "not base64url"
        raise ValueError(msg)
    return binascii.a2b_base64(raw.translate(_from_url) + b"==="[: -len(raw) % 4], strict_mode=True)
