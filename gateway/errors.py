"""Which ways are there to say no?

Every refusal has one `Cause` (wire contract §4: one slug per cause). No word of HTTP here: the table that turns
a cause into a status and a text stands in `web/problems.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Cause(StrEnum):
    """Why something was refused; the value is the slug of `<issuer>/problems/<slug>`."""

    MALFORMED_REQUEST = "malformed-request"
    DIGEST_MISMATCH = "digest-mismatch"
    NIK_FORMAT = "nik-format"
    NIK_NOT_YET_ISSUED = "nik-not-yet-issued"
    PREVIOUS_UNKNOWN = "previous-unknown"
    INVALID_TOKEN = "invalid-token"  # noqa: S105  a slug, not a secret
    INVALID_DPOP_PROOF = "invalid-dpop-proof"
    USE_DPOP_NONCE = "use-dpop-nonce"
    INSUFFICIENT_SCOPE = "insufficient-scope"
    PURPOSE_NOT_AGREED = "purpose-not-agreed"
    CLAIM_NOT_AGREED = "claim-not-agreed"
    CLAIMS_MISSING = "claims-missing"
    CONSENT_MISSING = "consent-missing"
    CONTEXT_MISSING = "context-missing"
    AGREEMENT_NOT_IN_FORCE = "agreement-not-in-force"
    ADDRESS_NOT_ALLOWED = "address-not-allowed"
    REFUSED_BY_POLICY = "refused-by-policy"
    SAME_PERSON = "same-person"
    ASSIGNMENT_MISSING = "assignment-missing"
    ALLOWANCE_EXHAUSTED = "allowance-exhausted"
    RATE_EXCEEDED = "rate-exceeded"
    ATTEMPTS_EXHAUSTED = "attempts-exhausted"
    BALANCE_EXHAUSTED = "balance-exhausted"
    IDEMPOTENCY_CONFLICT = "idempotency-conflict"
    IDEMPOTENCY_IN_PROGRESS = "idempotency-in-progress"
    BATCH_TOO_LARGE = "batch-too-large"
    BODY_TOO_LARGE = "body-too-large"
    REGISTER_UNAVAILABLE = "register-unavailable"
    LEDGER_UNAVAILABLE = "ledger-unavailable"
    OVERLOADED = "overloaded"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    CONFLICT = "conflict"
    SEQUENCE_CONFLICT = "sequence-conflict"
    NOT_OWN_REGION = "not-own-region"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"


Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal: the cause and the facts its problem document may show.

    `facts` become extension members of the RFC 9457 document. They never hold a NIK or a claim's value.
    """

    cause: Cause
    facts: Facts = field(default_factory=dict)


class GatewayError(Exception):
    """Base of every error that this house raises on purpose."""


class Refused(GatewayError):
    """Raised by any step that says no; carries the `Refusal`."""

    def __init__(self, cause: Cause, **facts: object) -> None:
        super().__init__(cause.value)
        self.refusal = Refusal(cause, facts)


class Misconfigured(GatewayError):
    """The gateway cannot start: `faults` lists everything that is wrong and what to do about each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class DatabaseAway(Misconfigured):
    """The database server does not answer yet, and may later: whoever runs a gateway waits, a command gives up."""


class StoreUnavailable(GatewayError):
    """The database did not answer, or not in time; nothing was changed by the call that raised this."""


class CommitUnknown(StoreUnavailable):
    """Whether the transaction is durable could not be found out: the connection was lost at COMMIT.

    `local`: it is durable here, but a standby did not confirm it, so that a failover would lose it.
    """

    def __init__(self, what: str, *, local: bool = False) -> None:
        super().__init__(what)
        self.local = local


class LedgerForked(StoreUnavailable):
    """The database does not extend the checkpoint that this node keeps outside it: nothing is sealed in it."""


class Unguarded(StoreUnavailable):
    """Nobody says in this process whether the log may be appended to: nothing is."""


class KeysUnavailable(StoreUnavailable):
    """The HSM that holds the keys does not answer, or no longer holds them: nothing is named, signed or found."""


class CallerGone(GatewayError):
    """The caller has closed the connection: there is nobody to answer, and nothing was sealed."""


class LedgerFault(GatewayError):
    """The ledger does not fit together; `index` is the first entry that does not, -1 for the head."""

    def __init__(self, index: int, what: str) -> None:
        super().__init__(f"entry {index}: {what}" if index >= 0 else what)
        self.index = index
        self.what = what
