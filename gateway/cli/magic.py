"""Which resident, and which question, shows which outcome? The contents of a demonstration's `magic.json`: data only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.errors import Cause
from gateway.register.reasons import REASONS, Status
from gateway.register.record import Record
from gateway.synthetic.population import REFERENCE_DATE

Sample = Sequence[tuple[Record, str, str | None]]
_ADULT_SINCE = REFERENCE_DATE.replace(year=REFERENCE_DATE.year - 17).isoformat()


def magic(sample: Sample, base_url: str) -> dict[str, Any]:
    """One resident for every status and reason, and one recipe for every refusal.

    Residents are adults of the day that the population was made for: whoever turns 17 later changes status on that day.
    """
    sample = [row for row in sample if row[0].claims.get("birth_date", "9") <= _ADULT_SINCE]
    by_status = {str(status): _first(sample, lambda row, s=str(status): row[1] == s) for status in Status}
    by_reason = {slug: _first(sample, lambda row, s=slug: row[2] == s) for slug in REASONS}
    active = by_status["active"]
    return {
        "note": {
            "id": "Semua penduduk di sini sintetis; nomor serinya mulai 9000. Tidak ada kode yang mengenal NIK ini.",
            "en": "Every resident here is synthetic, with serials from 9000 up. No code knows these NIKs.",
        },
        "status": by_status,
        "reason": by_reason,
        "refusal": {str(cause): _refusal(cause, active, base_url) for cause in Cause},
    }


def _first(sample: Sample, fits: Any) -> dict[str, Any]:  # noqa: ANN401  a predicate over a row
    record, status, reason = next(row for row in sample if fits(row) and {"name", "birth_date"} <= row[0].claims.keys())
    return {"nik": record.nik, "claims": dict(record.claims), "status": status, "reason": reason}


_OTHER_DIGEST = f"sha-256=:{'A' * 43}=:"
_NO_ANSWER = "00000000-0000-7000-8000-000000000000"


def _as(client_id: str, purpose: str, **more: object) -> dict[str, Any]:
    """What to change: who asks, and for which purpose."""
    return {"client_id": client_id, "body": {"purpose": purpose}, **more}


_HOW: dict[Cause, tuple[str, dict[str, Any]]] = {
    Cause.MALFORMED_REQUEST: ("a member that nobody knows", {"body": {"unknown": 1}}),
    Cause.DIGEST_MISMATCH: ("a Content-Digest of other bytes", {"headers": {"Content-Digest": _OTHER_DIGEST}}),
    Cause.NIK_FORMAT: ("15 digits", {"body": {"nik": "320101010190900"}}),
    Cause.NIK_NOT_YET_ISSUED: ("a newborn without a NIK", {"body": {"nik": None, "newborn": True}}),
    Cause.PREVIOUS_UNKNOWN: ("an id that is no earlier answer about this NIK", {"body": {"previous": _NO_ANSWER}}),
    Cause.INVALID_TOKEN: ("no access token", {"headers": {"Authorization": None}}),
    Cause.INVALID_DPOP_PROOF: ("the same proof twice", {"repeat_proof": True}),
    Cause.USE_DPOP_NONCE: ("a proof with a nonce of somebody else (or oauth.dpop_nonce = true)", {"proof": {"nonce": "x"}}),
    Cause.INSUFFICIENT_SCOPE: ("a token of the auditor", {"client_id": "auditor"}),
    Cause.PURPOSE_NOT_AGREED: ("a purpose that is not in the agreement", {"body": {"purpose": "vaccination"}}),
    Cause.CLAIM_NOT_AGREED: ("a claim that is not in the agreement", {"claims": {"religion": "-"}}),
    Cause.CLAIMS_MISSING: ("a deciding claim left out", {"without": ["birth_date"]}),
    Cause.CONSENT_MISSING: ("a purpose on consent, without a reference to it", _as("bank", "credit_application")),
    Cause.AGREEMENT_NOT_IN_FORCE: ("a partner whose agreement has ended", _as("lapsed", "account_opening")),
    Cause.ADDRESS_NOT_ALLOWED: ("a partner that may call from elsewhere only", _as("elsewhere", "account_opening")),
    Cause.BALANCE_EXHAUSTED: ("a prepaid partner without balance", _as("penniless", "account_opening")),
    Cause.ALLOWANCE_EXHAUSTED: ("the 101st answer of a day", _as("small", "account_opening", times=101)),
    Cause.RATE_EXCEEDED: ("the third answer within a second", _as("hasty", "account_opening", times=3)),
    Cause.CONTEXT_MISSING: ("a purpose that demands the operator", _as("immigration", "passport_application")),
    Cause.ATTEMPTS_EXHAUSTED: ("a sixth guess at one NIK", {"claims": {"name": "WRONG NAME 1 to 6"}, "times": 6}),
    Cause.IDEMPOTENCY_CONFLICT: ("one Idempotency-Key, two bodies", {"headers": {"Idempotency-Key": '"demo-1"'}, "times": 2}),
    Cause.BATCH_TOO_LARGE: ("a batch of 1,001 items", {"batch": 1001}),
    Cause.BODY_TOO_LARGE: ("a body over 1 MiB", {"size": 1_048_577}),
    Cause.NOT_FOUND: ("a path that is not", {"method": "GET", "path": "/nothing"}),
    Cause.METHOD_NOT_ALLOWED: ("GET where POST is", {"method": "GET"}),
    Cause.UNSUPPORTED_MEDIA_TYPE: ("text instead of JSON", {"headers": {"Content-Type": "text/plain"}}),
}  # fmt: skip
_ELSEWHERE: dict[Cause, str] = {
    Cause.REFUSED_BY_POLICY: "a forbid of your own without @refusal in policies/; then restart",
    Cause.SAME_PERSON: "nik-gateway agreements import FILE --proposer A --approver A",
    Cause.ASSIGNMENT_MISSING: "an auditor's search without an assignment",
    Cause.IDEMPOTENCY_IN_PROGRESS: "one Idempotency-Key in two calls at the very same moment",
    Cause.REGISTER_UNAVAILABLE: "stop the database",
    Cause.LEDGER_UNAVAILABLE: "stop the database between question and answer",
    Cause.OVERLOADED: "more calls than the machine can seal within 250 ms",
    Cause.SEQUENCE_CONFLICT: "another batch under a sequence that is used: nik-gateway feed",
    Cause.NOT_OWN_REGION: "an office that sends to the feed of another regency",
    Cause.CONFLICT: "an approval of another digest than the one that stands",
}


def _refusal(cause: Cause, active: dict[str, Any], base_url: str) -> dict[str, Any]:
    about = f"{base_url}/problems/{cause}"
    if cause in _ELSEWHERE:
        return {"how": _ELSEWHERE[cause], "explained": about}
    how, change = _HOW[cause]
    return {"how": how, "nik": active["nik"], "claims": active["claims"], "change": change, "explained": about}
