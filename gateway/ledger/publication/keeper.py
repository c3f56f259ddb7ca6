"""Does the database still hold the log that this node knows? The last checkpoint it signed lies outside the database.

Two files of the node: the *kept* checkpoint, written before anybody hears of it, and the *public* one beside it, with the
cosignatures of witnesses. A database that does not extend the kept one is refused: nothing is sealed in it.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from gateway.errors import LedgerFault, LedgerForked
from gateway.ledger.log.merkle import Frontier
from gateway.ledger.log.note import NoteFault, NoteSigner, VerifierKey
from gateway.ledger.log.proof import HashTree, verify_consistency
from gateway.ledger.log.regrown import Head
from gateway.ledger.publication.checkpoint import Checkpoint, SignedCheckpoint, is_successor, sign, verify

NEW_LOG = "nik-gateway ledger declare-new-log"


class Cosign(Protocol):
    """Asks witnesses."""

    @property
    def keys(self) -> Sequence[VerifierKey]:
        """The keys of the witnesses."""

    def __call__(self, signed: SignedCheckpoint, prove: Callable[[int], list[bytes]]) -> str:
        """Signature lines of those that were reached; `prove` gives what proves that the checkpoint extends a size."""

    def close(self) -> None:
        """End the connections."""


class Unwitnessed:
    """No witness is configured."""

    keys: Sequence[VerifierKey] = ()

    def __call__(self, _: SignedCheckpoint, __: Callable[[int], list[bytes]]) -> str:
        """See `Cosign`."""
        return ""

    def close(self) -> None:
        """See `Cosign.close`."""


class Moment(Protocol):
    """The ledger in the database at one moment."""

    @property
    def head(self) -> Head:
        """The head row. Raises LedgerFault when it is gone."""

    @property
    def origin(self) -> str:
        """The origin that was declared in this database; empty when none was."""

    def tree(self, size: int) -> HashTree:
        """The tree of its first `size` entries."""

    def find(self, id: str) -> tuple[int, bytes] | None:
        """(index, leaf) of an entry by its id."""


class Log(Protocol):
    """The port through which the log is read."""

    def moment(self) -> AbstractContextManager[Moment]:
        """One consistent view. Raises StoreUnavailable."""


class NoteFile:
    """A small text file that is read when it has changed, and replaced as a whole, durably."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._text: str | None = None

    def read(self) -> str | None:
        """Its text; None when there is no file. Raises LedgerForked when it cannot be read."""
        try:
            found = os.stat(self.path)  # noqa: PTH116  called for every seal
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if seen != self._seen:
                self._text, self._seen = self.path.read_text("utf-8"), seen
        except FileNotFoundError:
            self._text = self._seen = None
        except (OSError, UnicodeDecodeError) as fault:
            raise LedgerForked(f"{self.path} cannot be read: {fault}") from fault
        return self._text

    def replace(self, text: str) -> None:
        """Write it anew, so that after a crash the old or the new one is there."""
        write_durably(self.path, text)


def write_durably(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file by `text`: written and flushed under another name, renamed, and the directory flushed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that goes with a file; one process and one thread at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Keeper:
    """One node's memory of the log."""

    def __init__(
        self,
        path: Path,
        base: str,
        signers: Callable[[str], Sequence[NoteSigner]],
        log: Log,
        cosign: Cosign | None = None,
    ) -> None:
        """`base` is the configured origin; `signers` gives the log's signers for an origin."""
        self.base = base
        self.refusal = ""
        self._log = log
        self._signers = signers
        self._cosign = cosign or Unwitnessed()
        self._kept = NoteFile(path)
        self._public = NoteFile(path.with_name(path.name + ".public"))
        self._verified: tuple[str, SignedCheckpoint] | None = None

    @property
    def path(self) -> Path:
        """Where the kept checkpoint lies."""
        return self._kept.path

    def kept(self) -> SignedCheckpoint | None:
        """The last checkpoint that this node signed; None before the first. Raises LedgerForked when it is not ours."""
        note = self._kept.read()
        if note is None:
            if self._verified is not None:
                raise LedgerForked(f"{self.path} was there and is gone: put it back")
            return None
        if self._verified is None or self._verified[0] != note:
            self._verified = (note, self._own(note))
        signed = self._verified[1]
        if not is_successor(signed.checkpoint.origin, self.base):
            raise LedgerForked(
                f"{self.path}: the origin of the kept checkpoint is {signed.checkpoint.origin!r}, not {self.base!r}: "
                f"another ledger.origin is another log. Set it back, or declare a new log: {NEW_LOG}"
            )
        return signed

    def _own(self, note: str) -> SignedCheckpoint:
        try:
            return verify(note, [signer.key for signer in self._signers(note.partition("\n")[0])])
        except NoteFault as fault:
            raise LedgerForked(
                f"{self.path}: not a checkpoint that this gateway has signed: {fault}. Was it changed, or was the key "
                "replaced without keeping the old one?"
            ) from fault

    def public(self) -> str | None:
        """The checkpoint that is published, as a signed note; None before the first."""
        return self._public.read()

    def published_at(self) -> int:
        """When the published checkpoint was written (microseconds); 0 before the first."""
        try:
            return self._public.path.stat().st_mtime_ns // 1000
        except FileNotFoundError:
            return 0

    @property
    def witnesses(self) -> Sequence[VerifierKey]:
        """The keys of the configured witnesses."""
        return self._cosign.keys

    def vkeys(self, origin: str = "") -> list[VerifierKey]:
        """The keys that verify the log of an origin (the present one by default), newest first."""
        return [signer.key for signer in self._signers(origin or self.origin())]

    def origin(self) -> str:
        """The origin of the present log."""
        kept = self.kept()
        return kept.checkpoint.origin if kept else self.base

    def admit(self, first: int) -> None:
        """An entry may become number `first`. Called by whoever appends, inside the transaction. Raises LedgerForked."""
        if self.refusal:
            raise LedgerForked(self.refusal)
        kept = self.kept()
        if kept is not None and first < kept.checkpoint.size:
            raise LedgerForked(_shorter(first, kept.checkpoint))

    def examine(self) -> Head:
        """The database's head, once it is proven to extend the kept checkpoint. Raises LedgerForked, StoreUnavailable."""
        try:
            kept = self.kept()
            with self._log.moment() as moment:
                head, _, _ = self._extension(moment, kept)
        except LedgerForked as fork:
            self.refusal = str(fork)
            raise
        self.refusal = ""
        return head

    def publish(self) -> SignedCheckpoint:
        """Sign, keep and publish a checkpoint of the head, unless that was done. Raises LedgerForked, StoreUnavailable.

        Compare and swap: under the file's lock the kept one is read, the database proven to extend it, the new one written.
        """
        with locked(self._kept.path):
            try:
                kept = self.kept()
                with self._log.moment() as moment:
                    head, now, origin = self._extension(moment, kept)
            except LedgerForked as fork:
                self.refusal = str(fork)
                raise
            self.refusal = ""
            if kept is None or kept.checkpoint.size < head.size:
                kept = self._keep(Checkpoint(origin, head.size, now))
            if self._public.read() is None or self._published() != kept.checkpoint:
                self._public.replace(kept.note + self._cosign(kept, lambda old: self._prove(old, head.size)))
            return kept

    def begin_anew(self, origin: str) -> SignedCheckpoint:
        """Keep a checkpoint of the present head under another origin; the old file is set aside, never overwritten."""
        with locked(self._kept.path):
            note = self._kept.read()
            with self._log.moment() as moment:
                head = moment.head
            root = Frontier(head.size, head.frontier).root()
            if note is not None:
                aside = f"{self._kept.path.name}.{self._own(note).checkpoint.size}"
                write_durably(self._kept.path.with_name(aside), note)
            new = self._keep(Checkpoint(origin, head.size, root))
            self._public.replace(new.note)
            self.refusal = ""
            return new

    def close(self) -> None:
        """End the connections to witnesses."""
        self._cosign.close()

    def last(self) -> Checkpoint | None:
        """The kept checkpoint, whatever its origin. Raises LedgerForked when it is not ours."""
        note = self._kept.read()
        return None if note is None else self._own(note).checkpoint

    def _keep(self, checkpoint: Checkpoint) -> SignedCheckpoint:
        signers = self._signers(checkpoint.origin)
        note = sign(checkpoint, signers)
        self._kept.replace(note)
        self._verified = (note, verify(note, [signer.key for signer in signers]))
        return self._verified[1]

    def _published(self) -> Checkpoint | None:
        try:
            return Checkpoint.parse((self._public.read() or "").partition("\n\n")[0] + "\n")
        except NoteFault:
            return None

    def _prove(self, old: int, size: int) -> list[bytes]:
        with self._log.moment() as moment:
            return moment.tree(size).consistency(old)

    def _extension(self, moment: Moment, kept: SignedCheckpoint | None) -> tuple[Head, bytes, str]:
        """(head, its root, origin) of a database that extends `kept`. Raises LedgerForked."""
        try:
            head = moment.head
            root = Frontier(head.size, head.frontier).root()
            origin = moment.origin or self.base
            if kept is None:
                return head, root, origin
            old = kept.checkpoint
            if moment.origin and moment.origin != old.origin:
                raise LedgerForked(
                    f"the log was declared anew as {moment.origin}; this node still keeps one of {old.origin}. "
                    f"Declare it here as well: {NEW_LOG}"
                )
            if head.size < old.size:
                raise LedgerForked(_shorter(head.size, old))
            path = moment.tree(head.size).consistency(old.size)
            verify_consistency(old.size, old.root, head.size, root, path)
        except LedgerFault as fault:
            raise LedgerForked(
                f"the database does not extend the checkpoint kept outside it: {fault}. Restore the database that does, "
                f"or let two persons declare a new log: {NEW_LOG}"
            ) from fault
        return head, root, old.origin


def _shorter(size: int, kept: Checkpoint) -> str:
    return (
        f"the database has {size} entries, the checkpoint kept outside it counts {kept.size}: entries are missing. "
        f"Restore the database that has them, or let two persons declare a new log: {NEW_LOG}"
    )
