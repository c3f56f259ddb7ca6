"""Step 2: is this a question at all? One well-formed JSON object with known members; anything else is refused by name.

Bodies follow docs/integrate.md; text is UTF-8 without control characters, up to 200 characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateway.claims import CLAIMS, Claim
from gateway.errors import Cause, Refusal, Refused
from gateway.partners.purposes import FORBIDDEN, LEGAL_BASES
from gateway.strict import require_once

TEXT = 200
MOST = 1000  # items in a batch
_identifier = re.compile(r"[A-Za-z0-9._-]{1,64}\Z").match
_long_digits = re.compile(r"[0-9]{16}").search
_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z").match


def _is_date(text: str) -> bool:
    if not _date(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _form(row: Claim) -> Callable[[str], object] | None:
    """Whether a text is a value of a claim, as far as its form goes; None for any text."""
    if "enum" in row.form.schema:
        return frozenset(row.form.schema["enum"]).__contains__
    if row.form.schema.get("format") == "date":
        return _is_date
    pattern = row.form.schema.get("pattern")
    return re.compile(pattern.removesuffix("$") + r"\Z").match if pattern else None


_forms = {name: form for name, row in CLAIMS.items() if (form := _form(row)) is not None}
_context = ("channel", "operator", "on_behalf_of", "previous", "referral")
_known = frozenset(CLAIMS) | FORBIDDEN


class Consent(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """On which basis the resident's data are compared, and where that is on file with the partner."""

    basis: str
    reference: str | UnsetType = UNSET


class Question(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of `POST /v1/verifications`. `nik` is null only together with `newborn: true`."""

    nik: str | None
    purpose: str
    claims: dict[str, str]
    consent: Consent | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    operator: str | UnsetType = UNSET
    on_behalf_of: str | UnsetType = UNSET
    previous: str | UnsetType = UNSET
    newborn: bool | UnsetType = UNSET
    referral: str | UnsetType = UNSET


class Item(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One item of a batch; `ref` is the partner's own name for it."""

    nik: str | None
    claims: dict[str, str]
    ref: str | UnsetType = UNSET
    consent: Consent | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    operator: str | UnsetType = UNSET
    on_behalf_of: str | UnsetType = UNSET
    previous: str | UnsetType = UNSET
    newborn: bool | UnsetType = UNSET


class _Ref(Struct, frozen=True):
    ref: str | UnsetType = UNSET


class Batch(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of `POST /v1/verifications/batch`; the items are parsed one by one, so that one fault spoils only itself."""

    purpose: str
    items: list[msgspec.Raw]
    consent: Consent | UnsetType = UNSET
    partial: bool | UnsetType = UNSET


_decode_question = msgspec.json.Decoder(Question, strict=True).decode
_decode_ref = msgspec.json.Decoder(_Ref, strict=True).decode
_decode_item = msgspec.json.Decoder(Item, strict=True).decode
_decode_batch = msgspec.json.Decoder(Batch, strict=True).decode
_path = re.compile(r"`\$\.?([^`]*)`")
_missing = re.compile(r"required field `([^`]+)`")
_unknown = re.compile(r"unknown field `([^`]+)`")


def malformed(fault: Exception) -> Refused:
    """The refusal for what msgspec found; names the member, never its value."""
    text = str(fault)
    where = _path.search(text)
    path = where.group(1) if where else ""
    named = _missing.search(text) or _unknown.search(text)
    member = ".".join(part for part in (path, named.group(1) if named else "") if part)
    # An unknown member is the caller's own word: it is shown only when it could not be somebody's data.
    if not re.fullmatch(r"[A-Za-z_.\[\]…]{1,64}", member):
        member = path if named is None and re.fullmatch(r"[A-Za-z_.\[\]…]{0,64}", path) else ""
    return Refused(Cause.MALFORMED_REQUEST, members=[member or "body"])


def parse_question(body: bytes) -> Question:
    """The question in a body. Raises Refused(MALFORMED_REQUEST) naming the members that are wrong."""
    try:
        question = _decode_question(body)
        require_once(body, question)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise malformed(fault) from fault
    _check(question, question.purpose)
    return question


def parse_batch(body: bytes) -> Batch:
    """The frame of a batch; raises Refused (MALFORMED_REQUEST, BATCH_TOO_LARGE)."""
    try:
        batch = _decode_batch(body)
        require_once(body, batch, "items")
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise malformed(fault) from fault
    if not batch.items:
        raise Refused(Cause.MALFORMED_REQUEST, members=["items"])
    if len(batch.items) > MOST:
        raise Refused(Cause.BATCH_TOO_LARGE, most=MOST)
    _identify("purpose", batch.purpose)  # it stands in the entry of the batch as a whole
    return batch


def parse_item(raw: msgspec.Raw, batch: Batch) -> tuple[str | None, Question | Refusal]:
    """(ref, what an item asks with the purpose and consent of its batch, or why it is no question).

    The ref is told wherever it can be read, so that a refusal finds its item. Never raises.
    """
    ref = _ref(raw)
    try:
        item = _decode_item(raw)
        require_once(raw, item)
        if item.ref is not UNSET:
            _identify("ref", item.ref)
        question = Question(
            item.nik,
            batch.purpose,
            item.claims,
            batch.consent if item.consent is UNSET else item.consent,
            item.channel,
            item.operator,
            item.on_behalf_of,
            item.previous,
            item.newborn,
        )
        _check(question, batch.purpose)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        return ref, malformed(fault).refusal
    except Refused as refused:
        return ref, refused.refusal
    return ref, question


def _ref(raw: msgspec.Raw) -> str | None:
    try:
        ref = _decode_ref(raw).ref
        return None if ref is UNSET else identifier("ref", ref)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, Refused):
        return None


def identifier(name: str, text: str) -> str:
    """`text` when it is a free identifier: `[A-Za-z0-9._-]{1,64}`, no run of 16 digits. Raises Refused(MALFORMED_REQUEST)."""
    _identify(name, text)
    return text


def _identify(name: str, text: str) -> None:
    if not _free(text):
        raise Refused(Cause.MALFORMED_REQUEST, members=[name])


def _check(question: Question, purpose: str) -> None:
    """Raises Refused (MALFORMED_REQUEST naming every wrong member, NIK_NOT_YET_ISSUED)."""
    wrong = [f"claims.{name}" if _free(name) else "claims" for name in _wrong_claims(question.claims)]
    if not _free(purpose):
        wrong.append("purpose")
    consent = question.consent
    if consent is not UNSET:
        if consent.basis not in LEGAL_BASES:
            wrong.append("consent.basis")
        if consent.reference is not UNSET and not _free(consent.reference):
            wrong.append("consent.reference")
    for name in _context:
        text = getattr(question, name)
        if text is not UNSET and not _free(text):
            wrong.append(name)
    if (question.nik is None) is not (question.newborn is True):  # who has a NIK is asked about by it
        wrong.append("nik" if question.nik is None else "newborn")
    if wrong:
        raise Refused(Cause.MALFORMED_REQUEST, members=sorted(set(wrong)))
    if question.nik is None:
        raise Refused(Cause.NIK_NOT_YET_ISSUED)


def _free(text: str) -> bool:
    """Whether a text is a free identifier."""
    return _identifier(text) is not None and _long_digits(text) is None


def _wrong_claims(claims: dict[str, str]) -> list[str]:
    """Names of the claims that nobody knows or whose text cannot be a value of theirs."""
    wrong = []
    for name, value in claims.items():
        if (
            name not in _known
            or not value
            or len(value) > TEXT
            or not value.isprintable()
            or (name in _forms and not _forms[name](value))
        ):
            wrong.append(name)
    return wrong
