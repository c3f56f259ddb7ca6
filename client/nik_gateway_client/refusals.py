"""What does a caller get when there is no answer? One exception per kind, none of which can be taken for a yes.

Every one is a `NoAnswer` and `usable` is False on all of them. None shows a NIK.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from nik_gateway_client.causes import ProblemSlug

_NIK_LIKE = re.compile(r"(?:\d[ .-]?){15}\d")


class NoAnswer(Exception):
    """Nothing was learnt about the resident. `usable` is False; `retryable` tells whether asking again can help.

    `billed` is False, or None where it cannot be known: then ask again with `idempotency_key`, which is never charged
    twice. `retry_after` is in seconds when the gateway named a time.
    """

    usable: ClassVar[Literal[False]] = False
    retryable: bool = False
    billed: bool | None = False
    retry_after: float | None = None
    idempotency_key: str = ""


class NotAsked(NoAnswer, ValueError):
    """The question could not be put into words, so nothing was sent; the text names the member at fault."""


class Unreachable(NoAnswer):
    """No reply came: refused, timed out, broken off, or a certificate that is not trusted (`certificate`)."""

    retryable: bool = True
    billed: bool | None = None
    certificate: bool = False


class Distrusted(NoAnswer):
    """A reply came that does not hold together (digest, issuer, form): whatever it says, it is no answer."""

    billed: bool | None = None


class TokenRefused(NoAnswer):
    """The token endpoint said no (RFC 6749 §5.2): `error` is its code, `description` its words, `status` HTTP's.

    Only `temporarily_unavailable`, which is OAuth's word for it, is `retryable`.
    """

    error: str = ""
    description: str = ""
    status: int = 0


class Refusal(NoAnswer):
    """The gateway said no with a problem document (RFC 9457).

    `slug` is the cause, `status` HTTP's, `title` and `detail` are for people, in the language asked for. `id`, `nonce`
    and `entry` belong to the refusal's receipt and are empty before the caller is identified. `raw` is the whole
    document, `ref` the item's name in a batch.
    """

    slug: str = ""
    status: int = 0
    title: str = ""
    detail: str = ""
    id: str = ""
    nonce: str = ""
    entry: str = ""
    ref: str = ""
    raw: Mapping[str, Any] = {}


class InvalidQuestion(Refusal):
    """The request itself is at fault: mend it before asking again."""


class NikNotYetIssued(Refusal):
    """A newborn without a NIK: no mismatch, and nothing is charged."""


class CredentialRefused(Refusal):
    """Token, proof, scope or address: who asks was not accepted."""


class NotAgreed(Refusal):
    """The agreement, or a policy, does not allow this question."""


class LimitReached(Refusal):
    """An allowance, a rate, a balance or the guesses for this NIK are used up; `retry_after` tells until when."""


class IdempotencyClash(Refusal):
    """The idempotency key was used for another question, or its first use is still under way."""


class Unavailable(Refusal):
    """The gateway cannot answer just now: it never answers what it could not look up and seal."""


_KINDS: dict[str, type[Refusal]] = {
    cause.value: kind
    for kind, causes in {
        InvalidQuestion: (
            ProblemSlug.MALFORMED_REQUEST,
            ProblemSlug.DIGEST_MISMATCH,
            ProblemSlug.NIK_FORMAT,
            ProblemSlug.PREVIOUS_UNKNOWN,
            ProblemSlug.BATCH_TOO_LARGE,
            ProblemSlug.BODY_TOO_LARGE,
            ProblemSlug.UNSUPPORTED_MEDIA_TYPE,
            ProblemSlug.SEQUENCE_CONFLICT,
        ),
        NikNotYetIssued: (ProblemSlug.NIK_NOT_YET_ISSUED,),
        CredentialRefused: (
            ProblemSlug.INVALID_TOKEN,
            ProblemSlug.INVALID_DPOP_PROOF,
            ProblemSlug.USE_DPOP_NONCE,
            ProblemSlug.INSUFFICIENT_SCOPE,
            ProblemSlug.ADDRESS_NOT_ALLOWED,
            ProblemSlug.NOT_OWN_REGION,
        ),
        NotAgreed: (
            ProblemSlug.PURPOSE_NOT_AGREED,
            ProblemSlug.CLAIM_NOT_AGREED,
            ProblemSlug.CLAIMS_MISSING,
            ProblemSlug.CONSENT_MISSING,
            ProblemSlug.CONTEXT_MISSING,
            ProblemSlug.AGREEMENT_NOT_IN_FORCE,
            ProblemSlug.REFUSED_BY_POLICY,
        ),
        LimitReached: (
            ProblemSlug.ALLOWANCE_EXHAUSTED,
            ProblemSlug.RATE_EXCEEDED,
            ProblemSlug.ATTEMPTS_EXHAUSTED,
            ProblemSlug.BALANCE_EXHAUSTED,
        ),
        IdempotencyClash: (ProblemSlug.IDEMPOTENCY_CONFLICT, ProblemSlug.IDEMPOTENCY_IN_PROGRESS),
        Unavailable: (ProblemSlug.REGISTER_UNAVAILABLE, ProblemSlug.LEDGER_UNAVAILABLE, ProblemSlug.OVERLOADED),
    }.items()
    for cause in causes
}


def refusal_of(problem: Mapping[str, Any], status: int, retry_after: float | None, ref: str = "") -> Refusal:
    """The exception for a problem document; a slug that is not known makes a plain `Refusal`."""
    slug = str(problem.get("type", "")).rsplit("/", 1)[-1]
    title = without_nik(str(problem.get("title", "")))
    detail = without_nik(str(problem.get("detail", "")))
    words = ". ".join(part.rstrip(".") for part in (title, detail) if part)
    refusal = _KINDS.get(slug, Refusal)(f"{status} {slug}: {words}" if words else f"{status} {slug}")
    refusal.slug = slug
    refusal.status = status
    refusal.title = title
    refusal.detail = detail
    refusal.retryable = problem.get("retryable") is True
    billed = problem.get("billed")
    refusal.billed = billed if isinstance(billed, bool) else None
    refusal.retry_after = retry_after
    for member in ("id", "nonce", "entry"):
        value = problem.get(member)
        if isinstance(value, str):
            setattr(refusal, member, value)
    refusal.raw = problem
    refusal.ref = ref
    return refusal


def token_refused(error: str, description: str, status: int, retry_after: float | None) -> TokenRefused:
    """The exception for an RFC 6749 error reply."""
    refused = TokenRefused(f"{status} {error}: {description}" if description else f"{status} {error}")
    refused.error, refused.description, refused.status = error, description, status
    refused.retryable, refused.retry_after = error == "temporarily_unavailable", retry_after
    return refused


def without_nik(text: str) -> str:
    """`text` with every run of 16 digits dotted out: a server never echoes a NIK, and a log must not depend on it."""
    return _NIK_LIKE.sub("•" * 16, text)
