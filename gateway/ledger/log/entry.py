"""What does one entry of the ledger hold, and what are its bytes?

The leaf is public to whoever holds a receipt; it names no resident. The private part stays in the house, is committed
to by the leaf, and can be destroyed while every proof stays valid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

import msgspec

from gateway.clock import rfc3339
from gateway.keyring.keys import b64u
from gateway.ledger.log.canonical import canonical
from gateway.ledger.log.merkle import leaf_hash

VERSION = 1


class Kind(StrEnum):
    """What happened. Every value is explained in `KINDS`."""

    ANSWER = "answer"
    REFUSAL = "refusal"
    REPEAT = "repeat"
    TOKEN = "token"  # noqa: S105
    READ = "read"
    REFUSED_UNIDENTIFIED = "refused_unidentified"
    AGREEMENT = "agreement"
    PARTNER = "partner"
    CLIENT = "client"
    APPROVAL = "approval"
    DUTY = "duty"
    MONEY = "money"
    REVOCATION = "revocation"
    INTROSPECTION = "introspection"
    IMPORT = "import"
    START = "start"
    DESTRUCTION = "destruction"
    NEW_LOG = "new_log"
    AUDIT = "audit"
    ACCESS_REQUEST = "access_request"
    INCIDENT = "incident"
    STAFF = "staff"
    REKEY = "rekey"
    FEED = "feed"
    REFERRAL = "referral"


KINDS: Mapping[Kind, str] = {
    Kind.ANSWER: "A verification was answered (status 200).",
    Kind.REFUSAL: "An identified caller was refused; `answer` commits to the problem document.",
    Kind.REPEAT: "An idempotency key was repeated and the stored answer given again, unbilled.",
    Kind.TOKEN: "An access token was issued.",
    Kind.READ: "A partner or an administrator read something.",
    Kind.REFUSED_UNIDENTIFIED: "How many calls were refused before anyone was identified, counted once a minute.",
    Kind.AGREEMENT: "An agreement version was imported or changed state; the private part has before and after digests.",
    Kind.PARTNER: "A partner was registered or changed.",
    Kind.CLIENT: "A client or one of its keys was registered or changed.",
    Kind.APPROVAL: "A change that widens access was proposed, rejected or withdrawn.",
    Kind.DUTY: "A duty was delivered, somebody was reminded of it, or it suspended or restored an agreement.",
    Kind.MONEY: "A balance was opened or topped up, an exemption given or ended, an allowance or balance passed 80, 90 or 100 %.",
    Kind.REVOCATION: "A client gave up a token of its own, or asked to give up one that was not good any more.",
    Kind.INTROSPECTION: "A resource server asked whether a token holds.",
    Kind.IMPORT: "Residents were imported into the register; the private part has counts and the file's digest.",
    Kind.START: "A gateway node started sealing.",
    Kind.DESTRUCTION: "Private parts were destroyed by retention; its own private part tells which: kinds, before when, by whom.",
    Kind.NEW_LOG: "Two persons declared a new log, as the database did not extend the kept one; `answer` tells the old head.",
    Kind.AUDIT: "An assignment of an auditor was given or taken back, or a finding noted.",
    Kind.ACCESS_REQUEST: "A resident's request for access was opened, something withheld from it, or it was closed.",
    Kind.INCIDENT: "A personal-data incident was recorded, with the number of residents concerned.",
    Kind.STAFF: "Somebody at the console was approved, invited, enrolled, recertified, suspended, recovered or dismissed, "
    "logged in, stepped up or left, or changed a passkey; `change` in the private part tells which.",
    Kind.FEED: "A batch of a regency's feed was applied, held, or sent again, or a consolidation looked at or applied; the private "
    "part has regency, sequence, the digest of the changes, and counts.",
    Kind.REFERRAL: "A case about a NIK that does not work was opened, checked, mended, referred on or rejected; `change` in the "
    "private part tells which, `subject` about whom.",
    Kind.REKEY: "Records and index of the register were rewritten under newer keys; the private part has versions and counts.",
}


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """The members of a leaf; its bytes are RFC 8785 over exactly these. Digests are base64url of SHA-256.

    `at` is RFC 3339 UTC with milliseconds; `actor` is `<partner>/<client>` or `house`; `answer` commits to the answer
    or problem document without `entry`; `request` = SHA-256(nonce ‖ JCS(request)); `private` = SHA-256(private bytes).
    """

    v: int
    kind: str
    id: str
    at: str
    actor: str
    agreement: str
    purpose: str
    answer: str
    request: str
    private: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry ready to append: its id, leaf bytes, private bytes (32 random ‖ JCS) and RFC 6962 leaf hash."""

    id: str
    leaf: bytes
    private: bytes
    hash: bytes


def private_bytes(salt: bytes, document: Mapping[str, object]) -> bytes:
    """What is stored of the private part: 32 random bytes, then JCS of the document."""
    return salt + canonical(document)


def make_entry(  # noqa: PLR0913  the members of a leaf, each by name
    *,
    kind: str,
    id: str,
    at: int,
    actor: str,
    agreement: str,
    purpose: str,
    answer: bytes,
    request: bytes,
    private: bytes,
) -> Entry:
    """The entry for these members. `answer` and `request` are digests (32 bytes), `private` the bytes to commit to."""
    leaf = canonical(
        Leaf(
            VERSION,
            kind,
            id,
            rfc3339(at),
            actor,
            agreement,
            purpose,
            b64u(answer),
            b64u(request),
            b64u(sha256(private).digest()),
        )
    )
    return Entry(id, leaf, private, leaf_hash(leaf))


def request_digest(nonce: bytes, request: bytes) -> bytes:
    """`SHA-256(nonce ‖ request)`; `request` is the JCS of what was asked (the body as received when it did not parse)."""
    return sha256(nonce + request).digest()
