"""Is this NIK usable today, and if not, why? One reason, the one of highest precedence (`reasons.REASONS`).

Biometrics are asked of residents of 17 and of the married, of nobody else.
"""

from __future__ import annotations

from datetime import date

from gateway.register.reasons import REASONS, Status
from gateway.register.record import Record

_ADULT = 17  # years
_SINGLE = "BELUM KAWIN"
_NOT_RECORDED = "biometric_not_recorded"
_RANKS = {slug: reason.precedence for slug, reason in REASONS.items()}


def judge(record: Record, today: date, *, source_behind: bool, gap: bool) -> tuple[Status, str | None, str]:
    """(status, slug of the reason or None, since when as YYYY-MM-DD or empty when unknown or active).

    `today` is the day in Asia/Jakarta. `gap`: a feed batch that may concern this record is missing. `source_behind`:
    the regency's feed is later than allowed. A condition this program does not know counts as an anomaly: a NIK is
    never called active because of a word that nobody understood.
    """
    if record.biometric and not record.conditions:
        if gap:
            return Status.STALE, "not_consolidated", ""
        if source_behind:
            return Status.STALE, "source_behind", ""
        return Status.ACTIVE, None, ""
    found = [(condition.reason, condition.since) for condition in record.conditions]
    found = [(slug if slug in _RANKS else "anomaly", since) for slug, since in found]
    if not record.biometric or any(slug == _NOT_RECORDED for slug, _ in found):
        asked, since = _biometrics_asked(record, today)
        found = [(slug, was) for slug, was in found if slug != _NOT_RECORDED or asked]
        if asked:
            found.append((_NOT_RECORDED, since))
    if gap:
        found.append(("not_consolidated", ""))
    if source_behind:
        found.append(("source_behind", ""))
    if not found:
        return Status.ACTIVE, None, ""
    slug, since = min(found, key=lambda one: _RANKS[one[0]])  # the first of equals: a condition's own date goes first
    return REASONS[slug].status, slug, since


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
