"""Why may a gateway refuse? The slugs of `<issuer>/problems/<slug>`, one for each cause; a later gateway may know more."""

from __future__ import annotations

from enum import StrEnum


class ProblemSlug(StrEnum):
    """The last part of a problem's `type`."""

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
