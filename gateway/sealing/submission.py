"""What is handed to the seal, and what comes back? Values only; who decides is `sealer`, who writes is the store.

One `Submission` is one call of one caller; it carries one `Draft` for every outcome that must be sealed. With several
workers both travel over the sealer's socket, so they are structs of the wire.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from msgspec import Struct

from gateway.allowance.account import Account, Reading, Room
from gateway.errors import Refusal
from gateway.keyring import SealKey
from gateway.ledger.log.entry import Entry
from gateway.ledger.log.merkle import Frontier

REFERRAL = "referral"
"""The kind of a proof id that stands for the one question after a case that is mended."""


class Attempt(Struct, frozen=True):
    """What a wrong guess would cost.

    The budget's keyed tag (16 bytes), its size, the cost (0: not wrong), the keyed hash of the guess (8 bytes).
    """

    tag: bytes
    budget: int
    cost: int
    guess: bytes


class Draft(Struct, frozen=True):
    """One outcome before the seal: an answer's members, or a refusal (exactly one of the two).

    `id` names entry and answer; `nonce` (32 bytes) and `request` (digest, 32 bytes) bind the question. `charges` are
    the accounts that an answer is charged to, the asking partner's first; none for what costs no allowance. `private` is
    the private part of the entry, `ref` a batch item's name.
    """

    id: str
    kind: str
    agreement: str
    purpose: str
    nonce: bytes
    request: bytes
    private: Mapping[str, Any]
    answer: Mapping[str, Any] | None = None
    refusal: Refusal | None = None
    charges: tuple[tuple[str, Room], ...] = ()
    attempt: Attempt | None = None
    ref: str | None = None


class Repeat(Struct, frozen=True):
    """An `Idempotency-Key`: its id (16 bytes, bound to the partner) and the keyed hashes of the body (32 bytes each).

    One hash for each live version of the key, the one in use first: that is kept; what an older one kept is still known.
    """

    key: bytes
    bodies: tuple[bytes, ...]

    @classmethod
    def of(cls, name: str, body: bytes, keys: Sequence[SealKey]) -> Repeat:
        """The repeat that `name` (who asks, and under which key) stands for; `keys` are the live versions."""
        return cls(sha256(name.encode()).digest()[:16], tuple([key.mac(body) for key in keys]))


class Revoke(Struct, frozen=True):
    """A token that the submission makes void: its `jti`, its client, and when it would end (microseconds).

    `scope` is the epoch that is counted up with it, so that nobody goes on deciding without knowing.
    """

    jti: str
    client_id: str
    expires: int
    scope: str


class Submission(Struct, frozen=True):
    """One call: who, in which language, under which epochs it was decided, until when those hold, and its outcomes.

    `epochs` maps scopes ("house", "partner:<id>") to the counts read; `expires` is the token's `exp`, `ends` the end of
    the agreement's term (microseconds; 0: none). `proofs` are (id, expires, kind). `whole`: a batch that may not be cut.
    `batch`: the outcomes are the items of one body. `actor` is `<partner>/<client>`.
    """

    actor: str
    language: str
    epochs: Mapping[str, int]
    expires: int
    ends: int
    proofs: tuple[tuple[bytes, int, str], ...]
    drafts: tuple[Draft, ...]
    batch: bool = False
    whole: bool = False
    repeat: Repeat | None = None
    envelope: Draft | None = None  # what a batch is refused with as a whole
    revoke: Revoke | None = None


class Sealed(Struct, frozen=True):
    """What may now leave the house: HTTP status, JSON body, the allowance's readings, seconds for Retry-After."""

    status: int
    body: bytes
    readings: tuple[Reading, ...] = ()
    retry_after: int = 0
    cause: str = ""  # the refusal's slug; empty for an answer
    signed: bool = True  # False where the agreement has its answers unsigned
    revision: str = ""  # of the document that an act left, or that was read


class StaleEpoch(Struct, frozen=True):
    """Something that the call was decided on has changed since: decide again. `epochs` are the counts of now."""

    epochs: Mapping[str, int]


class Failed(Struct, frozen=True):
    """This one submission cannot be sealed (it poisons a transaction); nothing of it was."""

    fault: str


Outcome = Sealed | StaleEpoch | Failed


@dataclass(slots=True)
class Changes:
    """Everything one seal writes."""

    proofs: dict[bytes, int]
    repeats: list[tuple[bytes, bytes, int, bytes, int]]  # key, body hash, status, sealed answer, expires
    accounts: dict[str, Account]
    attempts: dict[bytes, tuple[bytes, int]]  # tag → (row, expires)
    entries: list[Entry]
    frontier: Frontier
    revoked: list[Revoke]
    epochs: dict[str, int]  # scope → its new count


class SealTransaction(Protocol):
    """One transaction under the sealing lock. Reads come first, `write` once, then commit on leaving."""

    def epochs(self, scopes: Collection[str]) -> tuple[int, Mapping[str, int]]:
        """(database time in microseconds, the counts of these scopes; a scope never counted is 0)."""

    def known_proofs(self, ids: Collection[bytes]) -> set[bytes]:
        """Those of `ids` that were used before."""

    def repeats(self, keys: Collection[bytes]) -> Mapping[bytes, tuple[bytes, int, bytes]]:
        """Stored (body hash, status, sealed answer) of these idempotency keys."""

    def accounts(self, ids: Collection[str]) -> Mapping[str, Account]:
        """The accounts that exist."""

    def attempts(self, tags: Collection[bytes]) -> Mapping[bytes, bytes]:
        """The attempt rows that exist."""

    def frontier(self) -> Frontier:
        """The ledger's head."""

    def write(self, changes: Changes) -> None:
        """Make everything part of the transaction."""


class SealStore(Protocol):
    """The port through which the seal reaches a database."""

    def transaction(self) -> AbstractContextManager[SealTransaction]:
        """A transaction under the sealing lock; commits on leaving, rolls back on an exception.

        Raises StoreUnavailable, or CommitUnknown when the connection was lost at COMMIT.
        """

    def holds(self, entry: str) -> bool:
        """Whether the ledger has an entry of this id (looked up under the lock, after whatever came before)."""
