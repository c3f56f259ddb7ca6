"""How is a text signed so that anybody can check it? C2SP signed-note, with keys of three types.

Type 0x01 (Ed25519) signs the text itself. 0x04 (Ed25519) and 0x06 (ML-DSA-44, FIPS 204) are a witness's cosignatures of a
checkpoint, with the time (C2SP tlog-cosignature; the second also from v1.1.0-rc.1 on): one by the text, one by its tree.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from gateway.errors import GatewayError

PLAIN, COSIGNATURE, POST_QUANTUM = 1, 4, 6
COSIGNATURES = frozenset({COSIGNATURE, POST_QUANTUM})
LONGEST = 64 * 1024  # bytes of a note; a cosignature has about 150, one of ML-DSA-44 3,300
_SIZES = {PLAIN: 32, COSIGNATURE: 32, POST_QUANTUM: 1312}  # bytes of a public key
_SEED = 32
_name = re.compile(r"[^\s+\x00-\x1f]+\Z").match
_line = re.compile("— (\\S+) ([A-Za-z0-9+/]+={0,2})\\Z").match


class NoteFault(GatewayError, ValueError):
    """A note, a key or a signature that is none, or that is not to be trusted."""


def b64(raw: bytes) -> str:
    """Standard base64 with padding (RFC 4648 §4)."""
    return binascii.b2a_base64(raw, newline=False).decode()


def b64_decode(text: str) -> bytes:
    """Its bytes, in its one spelling. Raises NoteFault."""
    try:
        raw = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError as fault:
        raise NoteFault("not base64") from fault
    if b64(raw) != text:
        raise NoteFault("not base64")
    return raw


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A vkey: who signs, with which type of signature, and the public key (32 bytes; 1,312 of ML-DSA-44)."""

    name: str
    type: int
    public: bytes

    @property
    def id(self) -> bytes:
        """SHA-256(name ‖ newline ‖ type ‖ public key), its first four bytes."""
        return sha256(self.name.encode() + bytes((10, self.type)) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64(bytes((self.type,)) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key that `name+id+base64` tells. Raises NoteFault."""
        name, _, rest = text.strip().partition("+")
        told, _, material = rest.partition("+")
        raw = b64_decode(material)
        if not _name(name) or not raw or len(raw) - 1 != _SIZES.get(raw[0]):
            raise NoteFault(
                f"{name or text[:80]!r}: not a verifier key of Ed25519 (types 1 and 4) or ML-DSA-44 (type 6)"
            )
        key = cls(name, raw[0], raw[1:])
        if key.id.hex() != told:
            raise NoteFault(f"{name}: the key's id is {key.id.hex()}, not {told}")
        return key

    def verify(self, text: bytes, signature: bytes) -> int:
        """The time of a cosignature (seconds since 1970; 0 for a plain signature). Raises NoteFault."""
        at = 0
        if self.type in COSIGNATURES:
            at, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        form = MLDSA44PublicKey if self.type == POST_QUANTUM else Ed25519PublicKey
        try:
            form.from_public_bytes(self.public).verify(signature, self.signed(text, at))
        except (InvalidSignature, ValueError) as fault:
            raise NoteFault(f"{self.name}: the signature does not verify") from fault
        return at

    def signed(self, text: bytes, at: int) -> bytes:
        """What this key signs of a note's text, at `at` (seconds since 1970) where it cosigns. Raises NoteFault."""
        if self.type == PLAIN:
            return text
        if at >> 63:
            raise NoteFault(f"{self.name}: there is no such time")
        if self.type == COSIGNATURE:
            return f"cosignature/v1\ntime {at}\n".encode() + text
        origin, size, root = text.split(b"\n")[:3]
        parts = [b"subtree/v1\n\0", _short(self.name.encode()), at.to_bytes(8, "big"), _short(origin), bytes(8)]
        return b"".join([*parts, int(size).to_bytes(8, "big"), b64_decode(root.decode())])


def _short(text: bytes) -> bytes:
    """`opaque <1..2^8-1>` of RFC 8446. Raises NoteFault."""
    if not 0 < len(text) < 256:  # noqa: PLR2004
        raise NoteFault("a name of a cosigned log or of its cosigner has 1 to 255 bytes")
    return bytes((len(text),)) + text


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """Whoever can sign notes: its public side, and what signs bytes. A staged one is known to everybody and signs nothing yet."""

    key: VerifierKey
    sign: Callable[[bytes], bytes]
    staged: bool = False

    def line(self, text: bytes, at: int = 0) -> str:
        """The signature line over a note's text; `at` is the time of a cosignature."""
        signature = self.sign(self.key.signed(text, at))
        if self.key.type in COSIGNATURES:
            signature = at.to_bytes(8, "big") + signature
        return f"— {self.key.name} {b64(self.key.id + signature)}\n"


def new_signer_text(name: str, form: int, seed: bytes) -> tuple[str, VerifierKey]:
    """(secret text, public side) of a new key from 32 random bytes: `PRIVATE+KEY+name+id+base64`, as Go's note package."""
    if not _name(name):
        raise NoteFault(f"{name!r}: a name has neither spaces nor plus signs")
    key = VerifierKey(name, form, _private(form, seed).public_key().public_bytes_raw())
    return f"PRIVATE+KEY+{name}+{key.id.hex()}+{b64(bytes((form,)) + seed)}", key


def parse_signer(text: str) -> NoteSigner:
    """The signer that such a text tells. Raises NoteFault, which never shows it."""
    parts = text.strip().split("+", 4)
    if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:  # noqa: PLR2004
        raise NoteFault("not the private key of a signer of notes")
    raw = b64_decode(parts[4])
    if len(raw) != 1 + _SEED or raw[0] not in _SIZES:
        raise NoteFault("not the private key of a signer of notes")
    private = _private(raw[0], raw[1:])
    key = VerifierKey(parts[2], raw[0], private.public_key().public_bytes_raw())
    if key.id.hex() != parts[3]:
        raise NoteFault(f"{key.name}: the key's id does not fit")
    return NoteSigner(key, private.sign)


def _private(form: int, seed: bytes) -> Ed25519PrivateKey | MLDSA44PrivateKey:
    if form == POST_QUANTUM:
        return MLDSA44PrivateKey.from_seed_bytes(seed)
    return Ed25519PrivateKey.from_private_bytes(seed)


@dataclass(frozen=True, slots=True)
class Note:
    """A text (it ends in a newline) and its signatures: name, key id, and what was signed with."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, whole: str) -> Note:
        """Raises NoteFault where the form is not that of the specification."""
        text, blank, lines = whole.rpartition("\n\n")
        if not blank or not lines.endswith("\n") or len(whole) > LONGEST or re.search(r"[\x00-\x09\x0b-\x1f]", whole):
            raise NoteFault("not a signed note")
        found = []
        for line in lines[:-1].split("\n"):
            parts = _line(line)
            raw = b64_decode(parts[2]) if parts else b""
            if parts is None or not _name(parts[1]) or len(raw) <= 4:  # noqa: PLR2004  the key's id
                raise NoteFault("not a signed note: a line is no signature")
            found.append((parts[1], raw[:4], raw[4:]))
        return cls(text + "\n", tuple(found))

    def signed_by(self, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int]:
        """Which of `keys` have signed, and when (0 but for cosignatures). Raises NoteFault when one's signature is wrong."""
        known = {(key.name, key.id): key for key in keys}
        found: dict[VerifierKey, int] = {}
        for name, id, signature in self.signatures:
            key = known.get((name, id))
            if key is not None:
                found[key] = key.verify(self.text.encode(), signature)
        return found

    def line_of(self, key: VerifierKey) -> str:
        """The line of one key's signature, as it stood; empty when there is none."""
        return "".join(f"— {n} {b64(i + s)}\n" for n, i, s in self.signatures if (n, i) == (key.name, key.id))
