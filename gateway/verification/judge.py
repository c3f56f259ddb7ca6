"""Steps 5 and 6 for one question: which indexes to look up, and what the found record says about the claims sent.

A miss opens and compares a decoy, so that it costs what a mismatch costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from gateway.claims import CLAIMS
from gateway.clock import HOUR, Entropy, jakarta_date, rfc3339_seconds
from gateway.errors import Cause, Refusal
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u
from gateway.ledger.log.canonical import canonical
from gateway.ledger.log.entry import Kind, Leaf
from gateway.matching.bands import Band
from gateway.matching.compare import compare
from gateway.nik import Nik
from gateway.register.codec import decode, encode
from gateway.register.reasons import Status
from gateway.register.record import Record
from gateway.register.status import GAP_HOURS, gap_reason, judge
from gateway.sealing.standing import RegisterRows, Watermark
from gateway.sealing.submission import Attempt, Draft
from gateway.verification.answer import JudgedClaims, disclose, matches, told_reason, unmatched, visible_cost
from gateway.verification.permission import Permission
from gateway.verification.request import Question

INDEX = 16  # bytes of the keyed index
_RELIANCE = 24 * HOUR  # how long an answer may be relied on, counted from the hour until which it is complete
_NEVER = Watermark(0, gap=False)
_DECOY = Record("0" * 16, {name: row.decoy for name, row in CLAIMS.items()})


@dataclass(slots=True)
class Decided:
    """A question that steps 3 and 4 permitted, with the identity that its answer will have and where to look it up."""

    id: str
    nonce: bytes
    request: bytes
    question: Question
    nik: Nik
    permission: Permission
    private: Mapping[str, Any]
    ref: str | None
    indexes: list[bytes]


def binding(record: int, version: int) -> bytes:
    """What a sealed record is bound to: its id and the version of the key."""
    return record.to_bytes(8, "big") + bytes((version,))


def indexes(keyring: Keyring, nik: str) -> list[bytes]:
    """The keyed indexes under which a NIK may stand, one for every live version of the key, newest first."""
    return [key.mac(nik.encode())[:INDEX] for key in keyring.macs(Job.INDEX)]


_decode_leaf = msgspec.json.Decoder(Leaf).decode


class Judge:
    """Compares questions with records; holds the keys that this needs."""

    def __init__(self, keyring: Keyring, entropy: Entropy, *, behind_after: int, gap_hours: int = GAP_HOURS) -> None:
        """`behind_after`: after how many microseconds without news a regency's records are `source_behind`.

        `gap_hours`: after how many hours whom a gap touches is `not_consolidated`.
        """
        self._keyring = keyring
        self._behind_after = behind_after
        self._gap_hours = gap_hours
        self._tag = keyring.mac(Job.LEDGER_TAG).mac
        self._pair = keyring.mac(Job.SUBJECT).mac
        self._attempt = keyring.mac(Job.ATTEMPT).mac
        key = keyring.sealer(Job.CLAIMS)
        self._decoy = (0, key.seal(encode(_DECOY), binding(0, key.version), entropy))

    def indexes(self, nik: Nik) -> list[bytes]:
        """See `indexes`."""
        return indexes(self._keyring, nik.digits)

    def compare(self, decided: Decided, found: RegisterRows, now: int) -> Draft:
        """The draft of the answer to one question, or of its refusal (PREVIOUS_UNKNOWN).

        An unknown NIK and wrong claims go the same way: what a record says of its resident is looked at after a match.
        """
        digits, question, permission = decided.nik.digits, decided.question, decided.permission
        terms, disclosure = permission.terms, permission.permit.disclosure
        record = self._open(decided.indexes, found)
        known = record.nik == digits
        bands = compare(question.claims, record.claims)
        matched = matches(terms, bands) and known
        tag = b64u(self._tag(digits.encode())[:INDEX])
        outcome, state = "different" if known else "unknown", ""
        condition: tuple[Status, str | None] | None = None
        if matched:
            condition = status, reason = self._condition(record, decided.indexes, found, now)
            outcome = reason or status.value
            state = self._state(permission, record, status, reason)
        private = {**decided.private, "subject": tag, "outcome": outcome, "state": state}
        if question.referral is not UNSET and not self._mended(decided, found):
            wrong = Refusal(Cause.MALFORMED_REQUEST, {"members": ["referral"]})
            return self._draft(decided, private, None, None, wrong)
        changed: bool | None = None
        if question.previous is not UNSET:
            earlier = self._earlier(found.earlier.get(str(question.previous)), decided, tag)
            if earlier is None or (not earlier and disclosure.depth > 0):
                return self._draft(decided, private, None, None, Refusal(Cause.PREVIOUS_UNKNOWN))
            changed = earlier != state
        if condition is None:
            answer = unmatched(disclosure)
        else:
            answer = self._disclosed(decided, record, found, now, condition, bands, changed)
        cost = visible_cost(answer, terms, question.claims)
        guess = self._attempt(canonical(question.claims))[:8] if cost else b""
        tagged = self._attempt(f"{permission.holder}\0{digits}".encode())[:INDEX]
        draft = self._draft(decided, private, answer, Attempt(tagged, terms.attempts, cost, guess), None)
        # After a case that is mended: once, unbilled, and outside the attempt budget.
        return draft if question.referral is UNSET else replace(draft, charges=(), attempt=None)

    def _mended(self, decided: Decided, found: RegisterRows) -> bool:
        """Whether the question names a case of its own partner, about this very resident, that is mended."""
        partner, tag = found.cases.get(str(decided.question.referral), ("", b""))
        return partner == decided.permission.agreement.partner and tag in {
            key.mac(decided.nik.digits.encode())[:INDEX] for key in self._keyring.macs(Job.LEDGER_TAG)
        }

    @staticmethod
    def again(decided: Decided, like: Draft) -> Draft:
        """The draft of what `compare` has said as `like` of the same resident and claims under the same permission."""
        told = {name: like.private[name] for name in ("subject", "outcome", "state")}
        return replace(
            like,
            id=decided.id,
            nonce=decided.nonce,
            request=decided.request,
            private={**decided.private, **told},
            ref=decided.ref,
        )

    def _condition(self, record: Record, ixs: list[bytes], found: RegisterRows, now: int) -> tuple[Status, str | None]:
        watermark = found.watermarks.get(record.regency, _NEVER)
        behind = now - watermark.complete_until > self._behind_after
        touched = [since for ix in ixs if (since := found.touched.get(ix)) is not None]
        gap = gap_reason(min(touched), now, self._gap_hours) if touched else ""
        status, reason, _ = judge(record, jakarta_date(now), source_behind=behind, gap=gap)
        return status, reason

    def _disclosed(  # noqa: PLR0913  everything that is known of a match
        self,
        decided: Decided,
        record: Record,
        found: RegisterRows,
        now: int,
        condition: tuple[Status, str | None],
        bands: Mapping[str, Band],
        changed: bool | None,  # noqa: FBT001
    ) -> dict[str, Any]:
        """The members of the answer to a question whose claims match."""
        permission = decided.permission
        watermark = found.watermarks.get(record.regency, _NEVER)
        as_of = watermark.complete_until // HOUR * HOUR
        pair = f"{permission.agreement.partner}\0{decided.nik.digits}".encode()
        judgement = JudgedClaims(
            True,  # noqa: FBT003
            bands,
            *condition,
            record.regency,
            rfc3339_seconds(as_of),
            rfc3339_seconds(max(as_of + _RELIANCE, now // HOUR * HOUR + HOUR)),
            changed,
            "pair_" + b64u(self._pair(pair)[:INDEX]),
        )
        return disclose(judgement, permission.permit.disclosure, tells_order=permission.terms.tells_order)

    def _open(self, ixs: list[bytes], found: RegisterRows) -> Record:
        """The record under one of the indexes, or the decoy: either way one look-up, one opening."""
        id, sealed = next((row for ix in ixs if (row := found.records.get(ix)) is not None), self._decoy)
        opener = self._keyring.opener(Job.CLAIMS, sealed)
        return decode(opener.open(sealed, binding(id, opener.version)))

    def _state(self, permission: Permission, record: Record, status: str, reason: str | None) -> str:
        """A keyed hash of what `changed` speaks of: the status, the reason as it is told, every claim that was agreed."""
        terms, disclosure = permission.terms, permission.permit.disclosure
        recorded = [record.claims.get(name) for name in permission.agreed]
        told = told_reason(reason, disclosure, tells_order=terms.tells_order)
        document = [terms.purpose, status, told, permission.agreed, recorded]
        return b64u(self._tag(b"state" + canonical(document))[:INDEX])

    @staticmethod
    def _earlier(row: tuple[bytes, bytes | None] | None, decided: Decided, tag: str) -> str | None:
        """The state at an earlier answer ("" when it did not match), or None: not this partner's answer about this NIK."""
        if row is None or row[1] is None:
            return None
        leaf = _decode_leaf(row[0])
        private = msgspec.json.decode(row[1][32:])
        own = leaf.kind == Kind.ANSWER and leaf.actor.partition("/")[0] == decided.permission.agreement.partner
        own = own and private.get("on_behalf_of") == decided.private.get("on_behalf_of")
        if not own or leaf.purpose != decided.question.purpose or private.get("subject") != tag:
            return None
        return str(private.get("state", ""))

    @staticmethod
    def _draft(
        decided: Decided,
        private: Mapping[str, Any],
        answer: Mapping[str, Any] | None,
        attempt: Attempt | None,
        refusal: Refusal | None,
    ) -> Draft:
        permission = decided.permission
        return Draft(
            decided.id,
            Kind.ANSWER if refusal is None else Kind.REFUSAL,
            permission.agreement.id,
            decided.question.purpose,
            decided.nonce,
            decided.request,
            private,
            answer,
            refusal,
            () if refusal else permission.charges,
            attempt,
            decided.ref,
        )
