"""How long is left of a legal clock, in words and as a share? Told when the page is made, so that it needs no script."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.console.frame.words import Words

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


@dataclass(frozen=True, slots=True)
class Countdown:
    """`text` says what is left, or by how much it is late; `share` of the time has passed, in per cent; `tone` as of a note."""

    text: str
    share: int
    tone: str


def countdown(began: str, due: str, ended: str | None, now: int, words: Words) -> Countdown:
    """A clock between two RFC 3339 instants; `ended` stopped it. `now` in microseconds."""
    begin, end = _seconds(began), _seconds(due)
    at = _seconds(ended) if ended else now // 1_000_000
    share = max(0, min(100, round(100 * (at - begin) / max(1, end - begin))))
    if ended:
        return Countdown(
            words("clock.stopped.late" if at > end else "clock.stopped"), share, "warn" if at > end else "good"
        )
    if at > end:
        return Countdown(words("clock.over", time=_length(at - end, words)), 100, "bad")
    tone = "warn" if end - at < 24 * _HOUR else "good"
    return Countdown(words("clock.left", time=_length(end - at, words)), share, tone)


def ago(instant: str, now: int, words: Words) -> str:
    """How long ago something was."""
    return words("clock.ago", time=_length(max(0, now // 1_000_000 - _seconds(instant)), words))


def _seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).astimezone(UTC).timestamp())


def _length(seconds: int, words: Words) -> str:
    days, hours, minutes = seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // _MINUTE
    if days:
        told = [("day", days), ("hour", hours)]
    elif hours:
        told = [("hour", hours), ("minute", minutes)]
    else:
        told = [("minute", minutes)] if minutes else [("second", seconds)]
    return " ".join(words(f"clock.{unit}" if count == 1 else f"clock.{unit}s", count=count) for unit, count in told)
