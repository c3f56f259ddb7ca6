"""How does a case about a NIK that does not work go on, by when, and whose is it? Its clock is that of UU 27/2022 art 32."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from gateway.clock import HOUR
from gateway.errors import Cause, Refused

CLOCK = 72 * HOUR
WARN = 12 * HOUR
"""So long before its end a clock is pointed at."""
ANSWERED_WITHIN = 30 * 24 * HOUR
"""A case is opened about an answer that is no older."""


class CaseState(StrEnum):
    """Where a case stands. One that is referred on is `received` again elsewhere; its clock goes on."""

    RECEIVED = "received"
    CHECKED = "checked"
    MENDED = "mended"
    REJECTED = "rejected"


OPEN = frozenset({CaseState.RECEIVED, CaseState.CHECKED})

REJECTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "record_is_right": {
        "id": "Data di register sudah benar; yang diajukan tidak sesuai dengan dokumen.",
        "en": "The register is right; what was claimed does not agree with the documents.",
    },
    "identity_not_proven": {
        "id": "Penduduk belum dapat membuktikan identitasnya di loket.",
        "en": "The resident could not yet prove who they are at the desk.",
    },
    "documents_missing": {
        "id": "Dokumen yang diperlukan belum lengkap; ajukan kembali bila sudah ada.",
        "en": "Documents are missing; ask again when they are there.",
    },
    "not_found": {
        "id": "NIK tidak dapat dikaitkan dengan penduduk yang datang.",
        "en": "The NIK could not be connected with the resident who came.",
    },
    "withdrawn": {
        "id": "Penduduk menarik pengaduannya.",
        "en": "The resident has withdrawn the complaint.",
    },
})  # fmt: skip
"""Why an office rejects a case, by code; the words are for the resident."""

_STEPS: Mapping[tuple[CaseState, str], CaseState] = {
    (CaseState.RECEIVED, "check"): CaseState.CHECKED,
    (CaseState.RECEIVED, "refer"): CaseState.RECEIVED,
    (CaseState.CHECKED, "refer"): CaseState.RECEIVED,
    (CaseState.CHECKED, "mend"): CaseState.MENDED,
    (CaseState.CHECKED, "reject"): CaseState.REJECTED,
    # The register itself shows it, whether or not anybody has looked.
    (CaseState.RECEIVED, "mended_by_itself"): CaseState.MENDED,
    (CaseState.CHECKED, "mended_by_itself"): CaseState.MENDED,
}


def step(state: CaseState, act: str) -> CaseState:
    """The state after `act` (check, mend, refer, reject). Raises Refused(CONFLICT) when it is not the turn of that."""
    after = _STEPS.get((state, act))
    if after is None:
        raise Refused(Cause.CONFLICT, fault=f"a case that is {state.value} cannot be followed by {act}")
    return after


def clock(opened_at: int, now: int) -> str:
    """How the clock of an open case stands: `running`, `warning` in its last 12 hours, `overdue` after its end."""
    left = opened_at + CLOCK - now
    return "overdue" if left <= 0 else "warning" if left <= WARN else "running"


def route(kept_by: str, nik: str, named: str) -> str:
    """The regency whose office a case goes to.

    `kept_by` keeps the record, told only where the answer had matched; else it is the one that the partner `named`, or the
    one that the NIK was issued by: alike for a NIK that nobody has and for claims that do not match.
    """
    return kept_by or named or nik[:4]
