"""What in the log should a person look at? Enumeration, guessing, purpose drift, hours outside the agreement, sudden volume.

Computed from entries alone: kind, purpose, outcome, instant and the resident's keyed tag. A finding is a question, not a
verdict: it says in words what was seen, against what was usual for this partner, and in which entries. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import sqrt
from statistics import median

from gateway.clock import DAY, JAKARTA, SECOND, jakarta_date

RULES = ("enumeration", "guessing", "purpose_drift", "unusual_hours", "volume")
MOST_ENTRIES = 100  # leaf indexes that a finding names
HISTORY = 14  # days before, with which a day is compared
LEAST_HISTORY = 5  # of them that there must be
_STRONG = 4.0  # standard deviations
_MINUTE = 60 * SECOND
_GUESSES = 3  # wrong answers about one resident on one day that look like guessing
_ENTRY_KINDS = frozenset({"answer", "refusal"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One entry as far as a finding needs it. `at` in microseconds; `subject` is empty where no resident was looked up."""

    index: int
    at: int
    partner: str
    kind: str
    purpose: str
    outcome: str
    subject: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at: `id` is `<rule>.<day>.<partner>`; `text` says it in both languages; `count` entries in all."""

    rule: str
    partner: str
    day: date
    text: Mapping[str, str]
    count: int
    entries: Sequence[int]

    @property
    def id(self) -> str:
        """The same for the same rule, day and partner, whenever it is computed."""
        return f"{self.rule}.{self.day.isoformat()}.{self.partner}"


@dataclass(slots=True)
class _Day:
    """What one partner did on one day in Asia/Jakarta."""

    asked: int = 0
    unknown: list[int] = field(default_factory=list)
    wrong: dict[bytes, list[int]] = field(default_factory=dict)  # subject → entries that did not match
    spent: list[int] = field(default_factory=list)  # refused: the attempt budget was spent
    purposes: dict[str, list[int]] = field(default_factory=dict)
    subjects: set[bytes] = field(default_factory=set)
    outside: list[int] = field(default_factory=list)
    last: int = 0


def findings(entries: Iterable[Seen], windows: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything to look at, by day and partner. `windows` are the agreed hours of partners as `07:00-21:00` in Jakarta."""
    limits = {partner: _window(text) for partner, text in (windows or {}).items() if text}
    days: dict[str, dict[date, _Day]] = defaultdict(dict)
    for entry in entries:
        if entry.kind in _ENTRY_KINDS and entry.purpose:
            _note(days[entry.partner].setdefault(jakarta_date(entry.at), _Day()), entry, limits.get(entry.partner))
    found: list[Finding] = []
    for partner, held in sorted(days.items()):
        before: list[tuple[date, _Day]] = []
        for day in sorted(held):
            past = [one for at, one in before if (day - at).days <= HISTORY]
            alike = [one for at, one in before if (day - at).days <= 2 * HISTORY and _weekend(at) == _weekend(day)]
            made = list(_of_day(partner, day, held[day], past, alike))
            found += made
            if not made:  # a day to look at is no measure of what is usual
                before.append((day, held[day]))
    return sorted(found, key=lambda each: (each.day, each.partner, each.rule))


def _window(text: str) -> tuple[int, int]:
    begin, _, end = text.partition("-")
    minutes = [int(each[:2]) * 60 + int(each[3:5]) for each in (begin, end)]
    return minutes[0], minutes[1]


def _within(at: int, window: tuple[int, int]) -> bool:
    minute = (at + JAKARTA) % DAY // _MINUTE
    begin, end = window
    return begin <= minute < end if begin < end else minute >= begin or minute < end  # one that goes past midnight


def _weekend(day: date) -> bool:
    return day.weekday() > 4  # noqa: PLR2004  Saturday and Sunday


def _note(day: _Day, entry: Seen, window: tuple[int, int] | None) -> None:
    if window is not None and not _within(entry.at, window):
        day.outside.append(entry.index)
    if entry.kind == "refusal":
        if entry.outcome == "attempts-exhausted":
            day.spent.append(entry.index)
        return
    day.asked += 1
    day.subjects.add(entry.subject)
    day.purposes.setdefault(entry.purpose, []).append(entry.index)
    day.last = entry.index
    if entry.outcome == "unknown":
        day.unknown.append(entry.index)
    if entry.outcome in ("unknown", "different") and entry.subject:
        day.wrong.setdefault(entry.subject, []).append(entry.index)


def _of_day(partner: str, day: date, now: _Day, past: Sequence[_Day], alike: Sequence[_Day]) -> Iterator[Finding]:
    for rule in (_enumeration, _guessing, _drift, _hours, _volume):
        made = rule(now, alike if rule is _volume else past)
        if made is not None:
            name, text, entries = made
            yield Finding(name, partner, day, text, len(entries), tuple(sorted(entries)[:MOST_ENTRIES]))


_Made = tuple[str, Mapping[str, str], Sequence[int]]


def _enumeration(now: _Day, past: Sequence[_Day]) -> _Made | None:
    """Many different NIKs that nobody has: more than this partner's own mistakes explain."""
    count, asked = len(now.unknown), now.asked
    usual = _share(sum(len(day.unknown) for day in past), sum(day.asked for day in past), prior=0.03)
    expected = asked * usual
    if count < 10 or count < 2 * expected or count - expected < _STRONG * sqrt(max(expected * (1 - usual), 1)):  # noqa: PLR2004
        return None
    share, normal = _percent(count / asked), _percent(usual)
    return (
        "enumeration",
        {
            "id": f"{count} dari {asked} pertanyaan ({share}) memakai NIK yang tidak ada; biasanya {normal}. "
            "Mungkin NIK dicoba-coba berurutan.",
            "en": f"{count} of {asked} questions ({share}) named a NIK that nobody has; usual is {normal}. "
            "NIKs may be tried one after another.",
        },
        now.unknown,
    )


def _guessing(now: _Day, past: Sequence[_Day]) -> _Made | None:
    """Claims of the same residents tried again and again, or attempt budgets spent."""
    tried = [entries for entries in now.wrong.values() if len(entries) >= _GUESSES]
    usual = [sum(len(each) >= _GUESSES for each in day.wrong.values()) for day in past]
    normal = sum(usual) / len(usual) if usual else 0.0
    if len(now.spent) < 5 and len(tried) < max(4, normal + _STRONG * sqrt(max(normal, 1))):  # noqa: PLR2004
        return None
    entries = sorted([*now.spent, *(index for each in tried for index in each)])
    return (
        "guessing",
        {
            "id": f"Data {len(tried)} penduduk ditebak salah {_GUESSES} kali atau lebih dalam sehari; "
            f"{len(now.spent)} pertanyaan ditolak karena batas percobaan habis.",
            "en": f"The claims of {len(tried)} residents were guessed wrongly {_GUESSES} times or more in a day; "
            f"{len(now.spent)} questions were refused as their attempt budget was spent.",
        },
        entries,
    )


def _drift(now: _Day, past: Sequence[_Day]) -> _Made | None:
    """A purpose has a far larger part in the questions than it used to have."""
    if len(past) < LEAST_HISTORY or now.asked < 40:  # noqa: PLR2004  too few questions have no shares
        return None
    total = sum(day.asked for day in past)
    used: Counter[str] = Counter()
    for day in past:
        used.update({purpose: len(entries) for purpose, entries in day.purposes.items()})
    for purpose, entries in sorted(now.purposes.items()):
        usual, share = _share(used[purpose], total, prior=0.01), len(entries) / now.asked
        spread = max(_spread([len(day.purposes.get(purpose, ())) / day.asked for day in past if day.asked]), 0.01)
        deviation = sqrt(usual * (1 - usual) / now.asked + spread * spread)
        if share - usual > max(0.10, _STRONG * deviation):
            shown, normal = _percent(share), _percent(usual)
            return (
                "purpose_drift",
                {
                    "id": f"Tujuan {purpose} dipakai untuk {shown} pertanyaan; biasanya {normal}. "
                    "Mungkin dipakai menggantikan tujuan lain.",
                    "en": f"The purpose {purpose} was named in {shown} of the questions; usual is {normal}. "
                    "It may stand in for another purpose.",
                },
                entries,
            )
    return None


def _hours(now: _Day, past: Sequence[_Day]) -> _Made | None:
    """Calls outside the window of the agreement."""
    usual = sum(len(day.outside) for day in past) / len(past) if past else 0.0
    if len(now.outside) < max(5, usual + _STRONG * sqrt(max(usual, 1))):
        return None
    count = len(now.outside)
    return (
        "unusual_hours",
        {
            "id": f"{count} pertanyaan diajukan di luar jam yang diperjanjikan.",
            "en": f"{count} questions were asked outside the hours of the agreement.",
        },
        now.outside,
    )


def _volume(now: _Day, alike: Sequence[_Day]) -> _Made | None:
    """Far more questions than on such days (working days, or weekends) before."""
    counts = [day.asked for day in alike]
    if len(counts) < (LEAST_HISTORY if len(counts) > 4 else 2) or now.asked < 50:  # noqa: PLR2004
        return None
    usual = median(counts)
    spread = max(1.4826 * median(abs(count - usual) for count in counts), sqrt(max(usual, 1)))
    if now.asked < 2 * usual or now.asked - usual < 6 * spread:
        return None
    entries = sorted(index for each in now.purposes.values() for index in each)
    return (
        "volume",
        {
            "id": f"{now.asked} pertanyaan dalam sehari tentang {len(now.subjects)} penduduk; biasanya {usual:.0f}.",
            "en": f"{now.asked} questions in a day about {len(now.subjects)} residents; usual is {usual:.0f}.",
        },
        entries,
    )


def _share(part: int, whole: int, *, prior: float) -> float:
    """A share, drawn towards `prior` by as much as a hundred questions weigh: a new partner has no past of its own."""
    return (part + prior * 100) / (whole + 100)


def _spread(values: Sequence[float]) -> float:
    middle = sum(values) / len(values)
    return sqrt(sum((value - middle) ** 2 for value in values) / len(values))


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
