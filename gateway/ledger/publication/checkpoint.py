"""What was the log at one moment, in a form that is signed and can be kept? C2SP tlog-checkpoint.

Its lines: the origin (which log), the number of entries, the root. The log's own keys bear the origin as their name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.errors import Misconfigured
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u, b64u_decode
from gateway.ledger.log.merkle import HASH
from gateway.ledger.log.note import PLAIN, Note, NoteFault, NoteSigner, VerifierKey, b64, b64_decode

_size = re.compile(r"(0|[1-9][0-9]{0,17})\Z").match


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's origin, its number of entries and its root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Raises NoteFault."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0] or not _size(lines[1]) or lines[-1] or "" in lines[:-1]:  # noqa: PLR2004
            raise NoteFault("not a checkpoint")
        root = b64_decode(lines[2])
        if len(root) != HASH:
            raise NoteFault("not a checkpoint: the root has not 32 bytes")
        return cls(lines[0], int(lines[1]), root)


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose signature was verified: the whole note, and who of the asked keys has signed it, when."""

    checkpoint: Checkpoint
    note: str
    by: dict[VerifierKey, int]


def sign(checkpoint: Checkpoint, signers: Sequence[NoteSigner]) -> str:
    """The signed note, by every signer that is not staged."""
    text = checkpoint.text.encode()
    return checkpoint.text + "\n" + "".join(signer.line(text) for signer in signers if not signer.staged)


def verify(note: str, keys: Iterable[VerifierKey], cosigners: Iterable[VerifierKey] = ()) -> SignedCheckpoint:
    """A checkpoint that one of the log's own `keys` has signed; its origin is that key's name. Raises NoteFault."""
    parsed = Note.parse(note)
    checkpoint = Checkpoint.parse(parsed.text)
    own = [key for key in keys if key.type == PLAIN]
    by = parsed.signed_by([*own, *cosigners])
    if not any(key in by and key.name == checkpoint.origin for key in own):
        raise NoteFault(f"the checkpoint of {checkpoint.origin!r} is signed by none of the log's known keys")
    return SignedCheckpoint(checkpoint, note, by)


def origin_of(issuer: str) -> str:
    """The origin of a gateway's log unless one is set: where its checkpoints are, without the scheme."""
    return f"{urlsplit(issuer).netloc}/ledger"


def successor(base: str, old: Checkpoint) -> str:
    """The origin of a log that was declared in place of one whose head was `old`; it names that head."""
    return f"{base}/after/{old.size}/{b64u(old.root)}"


def is_successor(origin: str, base: str) -> bool:
    """Whether `origin` is `base` itself or one that was declared after a log of it."""
    if origin == base:
        return True
    size, _, root = origin.removeprefix(f"{base}/after/").partition("/")
    try:
        return origin.startswith(f"{base}/after/") and _size(size) is not None and len(b64u_decode(root)) == HASH
    except ValueError:
        return False


def signers_of(keyring: Keyring, origin: str) -> list[NoteSigner]:
    """One signer for each live version of the checkpoint key, newest first. Raises Misconfigured."""
    found = []
    for key in keyring.signers(Job.CHECKPOINT):
        if key.alg != "Ed25519":
            raise Misconfigured([f"keys: '{key.job}' version {key.version} must be an Ed25519 key (C2SP signed-note)"])
        vkey = VerifierKey(origin, PLAIN, b64u_decode(key.public_jwk["x"]))
        found.append(NoteSigner(vkey, key.sign, key.staged))
    return found


def vkeys_of(keyring: Keyring, origin: str) -> list[VerifierKey]:
    """The public sides of `signers_of`."""
    return [signer.key for signer in signers_of(keyring, origin)]
