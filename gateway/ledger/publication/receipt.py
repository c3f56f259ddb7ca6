"""How is one entry proven to somebody who has nothing else? C2SP tlog-proof, with the leaf's bytes as its extra data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.keyring.keys import b64u
from gateway.ledger.log.merkle import leaf_hash
from gateway.ledger.log.note import NoteFault, VerifierKey, b64, b64_decode
from gateway.ledger.log.proof import verify_inclusion
from gateway.ledger.publication.checkpoint import Checkpoint, SignedCheckpoint, verify

FIRST_LINE = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """An entry's leaf and index, its inclusion proof, and the signed checkpoint (a note) that the proof leads to."""

    leaf: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: str

    @property
    def text(self) -> str:
        """The proof as it is handed out."""
        hashes = "".join(f"{b64(each)}\n" for each in self.path)
        return f"{FIRST_LINE}\nextra {b64(self.leaf)}\nindex {self.index}\n{hashes}\n{self.checkpoint}"

    @property
    def document(self) -> dict[str, Any]:
        """What RFC 6962 §2.1.1 needs, for a browser: leaf, hashes and root as base64url, index, size, and the note."""
        held = Checkpoint.parse(self.checkpoint.partition("\n\n")[0] + "\n")
        hashes = [b64u(beside) for beside in self.path]
        whole = {"leaf": b64u(self.leaf), "index": self.index, "size": held.size, "hashes": hashes}
        return {**whole, "root": b64u(held.root), "checkpoint": self.checkpoint}

    @classmethod
    def parse(cls, text: str) -> Receipt:
        """Raises NoteFault."""
        head, blank, checkpoint = text.partition("\n\n")
        first, *lines = head.split("\n")
        if first != FIRST_LINE or not blank or len(lines) < 2 or not lines[0].startswith("extra "):  # noqa: PLR2004
            raise NoteFault("not a receipt")
        index = lines[1].removeprefix("index ")
        if not lines[1].startswith("index ") or not index.isdecimal() or str(int(index)) != index:
            raise NoteFault("not a receipt: it names no index")
        path = tuple(b64_decode(line) for line in lines[2:])
        return cls(b64_decode(lines[0].removeprefix("extra ")), int(index), path, checkpoint)

    def verify(self, keys: Iterable[VerifierKey], cosigners: Iterable[VerifierKey] = ()) -> SignedCheckpoint:
        """The checkpoint that covers the leaf. Raises NoteFault or ProofFault."""
        signed = verify(self.checkpoint, keys, cosigners)
        found = signed.checkpoint
        verify_inclusion(leaf_hash(self.leaf), self.index, found.size, self.path, found.root)
        return signed
