"""May this checkpoint be cosigned? A witness on an auditor's own machine (C2SP tlog-witness, tlog-cosignature).

It remembers the last checkpoint of each log and cosigns only what provably extends it, once that is on its disk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.clock import SECOND, Clock
from gateway.ledger.log.merkle import EMPTY_ROOT, HASH
from gateway.ledger.log.note import COSIGNATURES, Note, NoteFault, NoteSigner, VerifierKey, b64_decode
from gateway.ledger.log.proof import ProofFault, verify_consistency
from gateway.ledger.publication.checkpoint import Checkpoint, verify
from gateway.ledger.publication.cosigning import SIZE
from gateway.ledger.publication.keeper import locked, write_durably

MOST_LINES = 63
LONGEST = 64 * 1024  # bytes of a request
_old = re.compile(r"old (0|[1-9][0-9]{0,17})\Z").match


@dataclass(frozen=True, slots=True)
class WitnessReply:
    """What a witness answers: HTTP status, body, media type."""

    status: int
    body: str = ""
    media: str = "text/plain; charset=utf-8"


class Witness:
    """Cosigns the checkpoints of some logs; `logs` are their keys, each bearing the log's origin as its name."""

    def __init__(self, signer: NoteSigner, logs: Iterable[VerifierKey], state: Path, clock: Clock) -> None:
        """`state` is the file of what was cosigned last. Raises NoteFault when the key is no cosigner's."""
        if signer.key.type not in COSIGNATURES:
            raise NoteFault(
                f"{signer.key.name}: a witness needs a key of type 4 or 6. Make one: nik-gateway ledger witness-key"
            )
        self._signer = signer
        self._logs: dict[str, list[VerifierKey]] = {}
        for key in logs:
            self._logs.setdefault(key.name, []).append(key)
        self._state = state
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> WitnessReply:  # noqa: PLR0911  one return for each way to say no
        """The reply to one `POST …/add-checkpoint`."""
        try:
            head, blank, note = body.decode("utf-8").partition("\n\n")
            first, *lines = head.split("\n")
            old = _old(first)
            if old is None or not blank or len(lines) > MOST_LINES or len(body) > LONGEST:
                return WitnessReply(400, "not a request to add a checkpoint\n")
            path = [b64_decode(line) for line in lines]
            checkpoint = Checkpoint.parse(Note.parse(note).text)
            if any(len(each) != HASH for each in path):
                return WitnessReply(400, "a line of the proof is no hash\n")
        except ValueError:
            return WitnessReply(400, "not a request to add a checkpoint\n")
        keys = self._logs.get(checkpoint.origin)
        if keys is None:
            return WitnessReply(404, "this log is not known here\n")
        try:
            verify(note, keys)
        except NoteFault:
            return WitnessReply(403, "not signed by a known key of this log\n")
        if int(old[1]) > checkpoint.size:
            return WitnessReply(400, "the old size is larger than the checkpoint's\n")
        return self._decide(checkpoint, note, int(old[1]), path)

    def _decide(self, checkpoint: Checkpoint, note: str, old: int, path: list[bytes]) -> WitnessReply:
        with locked(self._state):  # looking up, deciding and remembering are one step
            known = self._known()
            last = Checkpoint.parse(Note.parse(known[checkpoint.origin]).text) if checkpoint.origin in known else None
            size, root = (last.size, last.root) if last else (0, EMPTY_ROOT)
            if old != size:
                return WitnessReply(409, f"{size}\n", SIZE)
            if last is not None and size == checkpoint.size and root != checkpoint.root:
                return WitnessReply(409, f"{size}\n", SIZE)
            try:
                verify_consistency(size, root, checkpoint.size, checkpoint.root, path)
            except ProofFault as fault:
                return WitnessReply(422, f"{fault}\n")
            known[checkpoint.origin] = note
            write_durably(self._state, json.dumps(known, ensure_ascii=False, indent=1) + "\n", 0o600)
        return WitnessReply(200, self._signer.line(checkpoint.text.encode(), self._clock.now() // SECOND))

    def _known(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._state.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return known
