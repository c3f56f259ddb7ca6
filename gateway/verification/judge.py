"""Steps 5 and 6 for one question: which indexes to look up, and what the found record says about the claims sent.

A miss opens and compares a decoy, so that it costs what a mismatch costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.clock import HOUR, Entropy, jakarta_date, rfc3339_seconds
from gateway.errors import Cause, Refusal
from gateway.keyring import Job, Keyring
from gateway.keyring.keys import b64u
from gateway.ledger.log.canonical import canonical
from gateway.ledger.log.entry import Kind, Leaf
from gateway.matching.compare import compare
from gateway.nik import Nik
from gateway.partners.agreement import Agreement, PurposeTerms
from gateway.policy.decide import Permit
from gateway.register.codec import decode, encode
from gateway.register.record import Record
from gateway.register.status import judge
from gateway.sealing.standing import RegisterRows, Watermark
from gateway.sealing.submission import Attempt, Draft
from gateway.sealing.usage import room_of
from gateway.verification.answer import JudgedClaims, disclose, matches, visible_cost
from gateway.verification.request import Question

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


@dataclass(slots=True)
class Decided:
    """A question that steps 3 and 4 permitted, with the identity that its answer will have and where to look it up."""

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
    indexes: list[bytes]
    behalf: tuple[Agreement, ...] = ()  # the agreement of whomever an intermediary asks for: charged as well


@lru_cache(10_000)
def agreed_claims(terms: PurposeTerms) -> tuple[str, ...]:
    """Every claim of a purpose, sorted."""
    return tuple(sorted(terms.claims))


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
        self._tag = keyring.mac(Job.LEDGER_TAG).mac
        self._pair = keyring.mac(Job.SUBJECT).mac
        self._attempt = keyring.mac(Job.ATTEMPT).mac
        key = keyring.sealer(Job.CLAIMS)
        self._decoy = (0, key.seal(encode(_DECOY), binding(0, key.version), entropy))

    def indexes(self, nik: Nik) -> list[bytes]:
        """See `indexes`."""
        return indexes(self._keyring, nik.digits)

    def compare(self, decided: Decided, found: RegisterRows, now: int) -> Draft:
        """The draft of the answer to one question, or of its refusal (PREVIOUS_UNKNOWN)."""
        digits, question, terms = decided.nik.digits, decided.question, decided.terms
        record = self._open(decided.indexes, found)
        known = record.nik == digits
        bands = compare(question.claims, record.claims)
        matched = matches(terms, bands) and known
        watermark = found.watermarks.get(record.regency, _NEVER)
        behind = now - watermark.complete_until > self._behind_after
        status, reason, _ = judge(record, jakarta_date(now), source_behind=behind, gap=watermark.gap)
        pair = f"{decided.agreement.partner}\0{digits}".encode()
        tag = b64u(self._tag(digits.encode())[:INDEX])
        asks_again = question.previous is not UNSET
        state = self._state(decided, record, status, reason) if matched or asks_again else ""
        private = {
            **decided.private,
            "subject": tag,
            "outcome": (reason or status) if matched else ("different" if known else "unknown"),
            "state": state if matched else "",
        }
        changed: bool | None = None
        if asks_again:
            earlier = self._earlier(found.earlier.get(str(question.previous)), decided, tag)
            if earlier is None or (not earlier and terms.disclosure.depth > 0):
                return self._draft(decided, private, None, None, Refusal(Cause.PREVIOUS_UNKNOWN))
            changed = earlier != state
        as_of = watermark.complete_until // HOUR * HOUR
        judgement = JudgedClaims(
            matched,
            bands,
            status,
            reason,
            record.regency,
            rfc3339_seconds(as_of),
            rfc3339_seconds(max(as_of + _RELIANCE, now // HOUR * HOUR + HOUR)),
            changed,
            "pair_" + b64u(self._pair(pair)[:INDEX]),
        )
        answer = disclose(judgement, decided.permit.disclosure, tells_order=terms.tells_order)
        cost = visible_cost(answer, terms, question.claims)
        guess = self._attempt(canonical(question.claims))[:8] if cost else b""
        attempt = Attempt(self._attempt(pair)[:INDEX], terms.attempts, cost, guess)
        return self._draft(decided, private, answer, attempt, None)

    def _open(self, ixs: list[bytes], found: RegisterRows) -> Record:
        """The record under one of the indexes, or the decoy: either way one look-up, one opening."""
        id, sealed = next((row for ix in ixs if (row := found.records.get(ix)) is not None), self._decoy)
        opener = self._keyring.opener(Job.CLAIMS, sealed)
        return decode(opener.open(sealed, binding(id, opener.version)))

    def _state(self, decided: Decided, record: Record, status: str, reason: str | None) -> str:
        """A keyed hash of what `changed` speaks of: the status and every claim agreed for the purpose."""
        agreed = agreed_claims(decided.terms)
        recorded = [record.claims.get(name) for name in agreed]
        document = [decided.question.purpose, status, reason, agreed, recorded]
        return b64u(self._tag(b"state" + canonical(document))[:INDEX])

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
    def _draft(
        decided: Decided,
        private: Mapping[str, Any],
        answer: Mapping[str, Any] | None,
        attempt: Attempt | None,
        refusal: Refusal | None,
    ) -> Draft:
        agreement = decided.agreement
        charged = (agreement, *decided.behalf) if decided.behalf else (agreement,)
        return Draft(
            decided.id,
            Kind.ANSWER if refusal is None else Kind.REFUSAL,
            agreement.id,
            decided.question.purpose,
            decided.nonce,
            decided.request,
            private,
            answer,
            refusal,
            () if refusal else tuple([(one.id, room_of(one.limits)) for one in charged]),
            attempt,
            decided.ref,
        )
