"""Is this NIK usable today, and if not, why? One reason, the one of highest precedence (`reasons.REASONS`).

Biometrics are asked of residents of 17 and of the married, of nobody else.
"""

from __future__ import annotations

from datetime import date

from gateway.clock import HOUR
from gateway.register.reasons import REASONS, Status
from gateway.register.record import Record

GAP_HOURS = 6
"""After so many hours what a missing batch touches needs a consolidation (`register.gap_hours`)."""
_ADULT = 17  # years
_SINGLE = "BELUM KAWIN"
_NOT_RECORDED = "biometric_not_recorded"
_RANKS = {slug: reason.precedence for slug, reason in REASONS.items()}


def gap_reason(since: int, now: int, gap_hours: int = GAP_HOURS) -> str:
    """Why a resident is stale whom a missing batch of a feed touches; `since` is when it was seen to be missing (instants)."""
    return "not_consolidated" if now - since >= gap_hours * HOUR else "in_transit"


def judge(record: Record, today: date, *, source_behind: bool, gap: str) -> tuple[Status, str | None, str]:
    """(status, slug of the reason or None, since when as YYYY-MM-DD or empty when unknown or active).

    `today` is the day in Asia/Jakarta. `gap`: what a missing feed batch that touches this resident makes of the record
    (`in_transit` or `not_consolidated`), empty when none does. `source_behind`: the regency's feed is later than allowed.
    """
    if record.biometric and not record.conditions and not record.departed_to and not record.waiting:
        if gap:
            return Status.STALE, gap, ""
        if source_behind:
            return Status.STALE, "source_behind", ""
        return Status.ACTIVE, None, ""
    found = causes(record, today, source_behind=source_behind, gap=gap)
    if not found:
        return Status.ACTIVE, None, ""
    slug, since = found[0]
    return REASONS[slug].status, slug, since


def causes(record: Record, today: date, *, source_behind: bool, gap: str, gap_since: str = "") -> list[tuple[str, str]]:
    """Every reason that applies, by precedence, each once, with its day (YYYY-MM-DD; empty when unknown); see `judge`.

    A condition this program does not know counts as an anomaly: a NIK is never called active because of a word that
    nobody understood.
    """
    found = [(condition.reason, condition.since) for condition in record.conditions]
    found = [(slug if slug in _RANKS else "anomaly", since) for slug, since in found]
    if not record.biometric or any(slug == _NOT_RECORDED for slug, _ in found):
        asked, since = _biometrics_asked(record, today)
        found = [(slug, was) for slug, was in found if slug != _NOT_RECORDED or asked]
        if asked:
            found.append((_NOT_RECORDED, since))
    if record.departed_to or record.waiting:
        found.append(_moving(record))
    if gap:
        found.append((gap, gap_since))
    if source_behind:
        found.append(("source_behind", ""))
    found.sort(key=lambda one: _RANKS[one[0]])  # stable: a condition's own date goes first
    return [one for at, one in enumerate(found) if not at or found[at - 1][0] != one[0]]


def _moving(record: Record) -> tuple[str, str]:
    """What a move makes of a record that only one of two regencies has told, or that is announced."""
    days = [told.occurred_on for told in record.waiting if told.phase == "settled"]
    if record.departed_to:
        days.append(record.departed_on)
    if days:
        return "in_transit", min(days)
    return "change_pending", min(told.occurred_on for told in record.waiting)


def _biometrics_asked(record: Record, today: date) -> tuple[bool, str]:
    """Whether biometrics must be there, and since which day (the 17th birthday) where that is known."""
    try:
        born = date.fromisoformat(record.claims.get("birth_date", ""))
    except ValueError:
        return True, ""  # who has no known age is not excused by it
    if (today.year - born.year, today.month, today.day) >= (_ADULT, born.month, born.day):
        try:
            return True, born.replace(year=born.year + _ADULT).isoformat()
        except ValueError:  # born on 29 February
            return True, date(born.year + _ADULT, 3, 1).isoformat()
    marital = record.claims.get("marital_status", "").strip().upper()
    return bool(marital) and marital != _SINGLE, ""
