"""Steps 5 and 6 for one question: which indexes to look up, and what the found record says about the claims sent.

A miss opens and compares a decoy, so that it costs what a mismatch costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.allowance.account import Room
from gateway.clock import HOUR, Entropy, jakarta_date, rfc3339_seconds
from gateway.errors import Cause, Refusal
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u
from gateway.ledger.canonical import canonical
from gateway.ledger.entry import Kind, Leaf
from gateway.matching.compare import compare
from gateway.nik import Nik
from gateway.partners.agreement import Agreement, PurposeTerms
from gateway.policy.decide import Permit
from gateway.register.codec import decode, encode
from gateway.register.record import Record
from gateway.register.status import judge
from gateway.verification.answer import Judgement, disclose, matches, visible_cost
from gateway.verification.request import Question
from gateway.verification.seal import Attempt, Draft
from gateway.verification.standing import Found, Watermark

INDEX = 16  # bytes of the keyed index
_RELIANCE = 24 * HOUR  # how long an answer may be relied on, counted from the hour until which it is complete
_NEVER = Watermark(0, gap=False)
_DECOY = Record(
    "0000000000000000",
    {
        "family_card_number": "0000000000000000",
        "name": "DECOY RESIDENT WITHOUT NIK",
        "birth_place": "NOWHERE",
        "birth_date": "1900-01-01",
        "sex": "M",
        "marital_status": "KAWIN",
        "occupation": "NONE AT ALL",
        "mother_name": "DECOY MOTHER",
        "address": "JL. DECOY NO. 0",
        "rt": "000",
        "rw": "000",
        "province": "00",
        "regency": "0000",
        "district": "000000",
        "village": "0000000000",
    },
)


@dataclass(frozen=True, slots=True)
class Decided:
    """A question that steps 3 and 4 permitted, with the identity that its answer will have."""

    id: str
    nonce: bytes
    request: bytes
    question: Question
    nik: Nik
    agreement: Agreement
    terms: PurposeTerms
    permit: Permit
    private: Mapping[str, Any]
    ref: str | None
    behalf: tuple[Agreement, ...] = ()  # the agreement of whomever an intermediary asks for: charged as well


def room_of(agreement: Agreement) -> Room:
    """The allowance that was agreed, as the seal counts it."""
    limits = agreement.limits
    return Room(limits.burst, limits.day, limits.month, limits.tariff, limits.prepaid)


def binding(record: int, version: int) -> bytes:
    """What a sealed record is bound to: its id and the version of the key."""
    return record.to_bytes(8, "big") + bytes((version,))


def indexes(keyring: Keyring, nik: str) -> list[bytes]:
    """The keyed indexes under which a NIK may stand, one for every live version of the key, newest first."""
    return [key.mac(nik.encode())[:INDEX] for key in keyring.macs(Job.INDEX)]


_decode_leaf = msgspec.json.Decoder(Leaf).decode


class Judge:
    """Compares questions with records; holds the keys that this needs."""

    def __init__(self, keyring: Keyring, entropy: Entropy, *, behind_after: int) -> None:
        """`behind_after`: after how many microseconds without news a regency's records are `source_behind`."""
        self._keyring = keyring
        self._behind_after = behind_after
        key = keyring.sealer(Job.CLAIMS)
        self._decoy = (0, key.seal(encode(_DECOY), binding(0, key.version), entropy))

    def indexes(self, decided: Decided) -> list[bytes]:
        """See `indexes`."""
        return indexes(self._keyring, decided.nik.digits)

    def compare(self, decided: Decided, found: Found, now: int) -> Draft:
        """The draft of the answer to one question, or of its refusal (PREVIOUS_UNKNOWN)."""
        digits = decided.nik.digits
        hit = next((row for ix in self.indexes(decided) if (row := found.records.get(ix)) is not None), self._decoy)
        opener = self._keyring.opener(Job.CLAIMS, hit[1])
        record = decode(opener.open(hit[1], binding(hit[0], opener.version)))
        question, terms = decided.question, decided.terms
        bands = compare(question.claims, record.claims)
        known = record.nik == digits
        matched = matches(terms, bands) and known
        watermark = found.watermarks.get(record.regency, _NEVER)
        behind = now - watermark.complete_until > self._behind_after
        status, reason, _ = judge(record, jakarta_date(now), source_behind=behind, gap=watermark.gap)
        as_of = watermark.complete_until // HOUR * HOUR
        raw = digits.encode()
        partner = decided.agreement.partner
        tag = b64u(self._keyring.mac(Job.LEDGER_TAG).mac(raw)[:INDEX])
        state = self._state(decided, record, status, reason)
        private = {
            **decided.private,
            "subject": tag,
            "outcome": (reason or status) if matched else ("different" if known else "unknown"),
            "state": state if matched else "",
        }
        changed: bool | None = None
        if question.previous is not UNSET:
            earlier = self._earlier(found.earlier.get(question.previous), decided, tag)
            if earlier is None or (not earlier and terms.disclosure.depth > 0):
                return self._refused(decided, Refusal(Cause.PREVIOUS_UNKNOWN), private)
            changed = earlier != state
        judgement = Judgement(
            matched,
            bands,
            status,
            reason,
            record.regency,
            rfc3339_seconds(as_of),
            rfc3339_seconds(max(as_of + _RELIANCE, now // HOUR * HOUR + HOUR)),
            changed,
            "pair_" + b64u(self._keyring.mac(Job.SUBJECT).mac(f"{partner}\0{digits}".encode())[:INDEX]),
        )
        answer = disclose(judgement, decided.permit.disclosure, tells_order=terms.tells_order)
        attempt_key = self._keyring.mac(Job.ATTEMPT)
        attempt = Attempt(
            attempt_key.mac(f"{partner}\0{digits}".encode())[:INDEX],
            terms.attempts,
            visible_cost(answer, terms, question.claims),
            attempt_key.mac(canonical(question.claims))[:8],
        )
        return Draft(
            decided.id,
            Kind.ANSWER,
            decided.agreement.id,
            question.purpose,
            decided.nonce,
            decided.request,
            private,
            answer,
            charges=tuple((agreement.id, room_of(agreement)) for agreement in (decided.agreement, *decided.behalf)),
            attempt=attempt,
            ref=decided.ref,
        )

    def _state(self, decided: Decided, record: Record, status: str, reason: str | None) -> str:
        """A keyed hash of what `changed` speaks of: the status and every claim agreed for the purpose."""
        agreed = sorted(decided.terms.claims)
        document = [decided.question.purpose, status, reason, agreed, [record.claims.get(name) for name in agreed]]
        return b64u(self._keyring.mac(Job.LEDGER_TAG).mac(b"state" + canonical(document))[:INDEX])

    @staticmethod
    def _earlier(row: tuple[bytes, bytes | None] | None, decided: Decided, tag: str) -> str | None:
        """The state at an earlier answer ("" when it did not match), or None: not this partner's answer about this NIK."""
        if row is None or row[1] is None:
            return None
        leaf = _decode_leaf(row[0])
        private = msgspec.json.decode(row[1][32:])
        own = leaf.kind == Kind.ANSWER and leaf.actor.partition("/")[0] == decided.agreement.partner
        if not own or leaf.purpose != decided.question.purpose or private.get("subject") != tag:
            return None
        return str(private.get("state", ""))

    @staticmethod
    def _refused(decided: Decided, refusal: Refusal, private: Mapping[str, Any]) -> Draft:
        return Draft(
            decided.id,
            Kind.REFUSAL,
            decided.agreement.id,
            decided.question.purpose,
            decided.nonce,
            decided.request,
            private,
            refusal=refusal,
            ref=decided.ref,
        )
