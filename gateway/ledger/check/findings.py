"""What in the log should a person look at? Enumeration, guessing, purpose drift, hours outside the agreement, sudden volume.

Computed from entries alone: kind, purpose, outcome, instant and the resident's keyed tag. A finding is a question, not a
verdict: it says in words what was seen, against what was usual for this partner, and in which entries. Pure.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from math import sqrt
from statistics import median

from gateway.clock import DAY, JAKARTA, SECOND, jakarta_date

MEASURED = ("enumeration", "guessing", "purpose_drift", "unusual_hours", "volume")
"""Rules that weigh what is usual, and so may err; the others tell what has happened."""
RULES = (*MEASURED, "sequence_conflict")
MOST_ENTRIES = 100  # leaf indexes that a finding names
HISTORY = 14  # days before, with which a day is compared
LEAST_HISTORY = 5  # of them that there must be
_STRONG = 4.0  # standard deviations
_MINUTE = 60 * SECOND
_GUESSES = 3  # wrong answers about one resident on one day that look like guessing
CONFLICT = "sequence-conflict"
_ENTRY_KINDS = frozenset({"answer", "refusal"})


@dataclass(frozen=True, slots=True)
class SeenEntry:
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
class PartnerTally:
    """How many entries, and the first of them (`MOST_ENTRIES` leaf indexes)."""

    count: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, index: int) -> None:
        """One more; a finding names entries in order of the log."""
        self.count += 1
        if len(self.first) < MOST_ENTRIES or index < self.first[-1]:
            insort(self.first, index)
            del self.first[MOST_ENTRIES:]


@dataclass(slots=True)
class Day:
    """What one partner did on one day in Asia/Jakarta, as far as findings need it: counts, and the first entries of each."""

    asked: int = 0
    unknown: PartnerTally = field(default_factory=PartnerTally)
    wrong: dict[str, PartnerTally] = field(default_factory=dict)  # subject in hexadecimal → entries that did not match
    spent: PartnerTally = field(default_factory=PartnerTally)  # refused: the attempt budget was spent
    purposes: dict[str, PartnerTally] = field(default_factory=dict)
    outside: PartnerTally = field(default_factory=PartnerTally)
    conflicts: PartnerTally = field(default_factory=PartnerTally)  # another batch under a sequence that was used

    def note(self, entry: SeenEntry, window: str) -> None:
        """One more entry of this day; `window` are the agreed hours, empty for all."""
        if entry.outcome == CONFLICT:
            self.conflicts.add(entry.index)
            return
        if window and not _within(entry.at, _window(window)):
            self.outside.add(entry.index)
        if entry.kind == "refusal":
            if entry.outcome == "attempts-exhausted":
                self.spent.add(entry.index)
            return
        self.asked += 1
        _of(self.purposes, entry.purpose).add(entry.index)
        if entry.outcome == "unknown":
            self.unknown.add(entry.index)
        if entry.outcome in ("unknown", "different") and entry.subject:
            _of(self.wrong, entry.subject.hex()).add(entry.index)

    def close(self) -> None:
        """The day is over: residents about whom there was no guessing are forgotten."""
        self.wrong = {subject: tally for subject, tally in self.wrong.items() if tally.count >= _GUESSES}


_NONE = PartnerTally()
Days = dict[str, dict[date, Day]]
"""By partner and day."""


def _of(tallies: dict[str, PartnerTally], name: str) -> PartnerTally:
    held = tallies.get(name)
    if held is None:
        held = tallies[name] = PartnerTally()
    return held


def counts(entry: SeenEntry) -> bool:
    """Whether an entry is one that findings are about: a question that was answered or refused, a batch under a used number."""
    return entry.kind in _ENTRY_KINDS and (bool(entry.purpose) or entry.outcome == CONFLICT)


def summed(entries: Iterable[SeenEntry], windows: Mapping[str, str]) -> Days:
    """Entries by partner and day."""
    days: Days = defaultdict(dict)
    for entry in entries:
        if counts(entry):
            days[entry.partner].setdefault(jakarta_date(entry.at), Day()).note(entry, windows.get(entry.partner, ""))
    return days


def findings(entries: Iterable[SeenEntry], windows: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything to look at in entries. `windows` are the agreed hours of partners as `07:00-21:00` in Jakarta."""
    return judged(summed(entries, windows or {}))


def judged(days: Days) -> list[Finding]:
    """Everything to look at, by day and partner."""
    found: list[Finding] = []
    for partner, held in sorted(days.items()):
        before: list[tuple[date, Day]] = []
        for day in sorted(held):
            past = [one for at, one in before if (day - at).days <= HISTORY]
            alike = [one for at, one in before if (day - at).days <= 2 * HISTORY and _weekend(at) == _weekend(day)]
            made = list(_of_day(partner, day, held[day], past, alike))
            found += made
            if not made:  # a day to look at is no measure of what is usual
                before.append((day, held[day]))
    return sorted(found, key=lambda each: (each.day, each.partner, each.rule))


@cache
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


def _of_day(partner: str, day: date, now: Day, past: Sequence[Day], alike: Sequence[Day]) -> Iterator[Finding]:
    for rule in (_enumeration, _guessing, _drift, _hours, _volume, _conflict):
        made = rule(now, alike if rule is _volume else past)
        if made is not None:
            name, text, tallies = made
            entries = sorted(index for tally in tallies for index in tally.first)[:MOST_ENTRIES]
            yield Finding(name, partner, day, text, sum(tally.count for tally in tallies), tuple(entries))


_Made = tuple[str, Mapping[str, str], Sequence[PartnerTally]]


def _enumeration(now: Day, past: Sequence[Day]) -> _Made | None:
    """Many different NIKs that nobody has: more than this partner's own mistakes explain."""
    count, asked = now.unknown.count, now.asked
    usual = _share(sum(day.unknown.count for day in past), sum(day.asked for day in past), prior=0.03)
    expected = asked * usual
    if count < 10 or count < 2 * expected or count - expected < _STRONG * sqrt(max(expected * (1 - usual), 1)):  # noqa: PLR2004
        return None
    (share_id, normal_id), (share, normal) = _percents(count / asked, usual)
    return (
        "enumeration",
        {
            "id": f"{count} dari {asked} pertanyaan ({share_id}) memakai NIK yang tidak ada; biasanya {normal_id}. "
            "Mungkin NIK dicoba-coba berurutan.",
            "en": f"{count} of {asked} questions ({share}) named a NIK that nobody has; usual is {normal}. "
            "NIKs may be tried one after another.",
        },
        [now.unknown],
    )


def _guessing(now: Day, past: Sequence[Day]) -> _Made | None:
    """Claims of the same residents tried again and again, or attempt budgets spent."""
    tried = [tally for tally in now.wrong.values() if tally.count >= _GUESSES]
    usual = [sum(tally.count >= _GUESSES for tally in day.wrong.values()) for day in past]
    normal = sum(usual) / len(usual) if usual else 0.0
    if now.spent.count < 5 and len(tried) < max(4, normal + _STRONG * sqrt(max(normal, 1))):  # noqa: PLR2004
        return None
    return (
        "guessing",
        {
            "id": f"Data {len(tried)} penduduk ditebak salah {_GUESSES} kali atau lebih dalam sehari; "
            f"{now.spent.count} pertanyaan ditolak karena batas percobaan habis.",
            "en": f"The claims of {len(tried)} residents were guessed wrongly {_GUESSES} times or more in a day; "
            f"{now.spent.count} questions were refused as their attempt budget was spent.",
        },
        [now.spent, *tried],
    )


def _drift(now: Day, past: Sequence[Day]) -> _Made | None:
    """A purpose has a far larger part in the questions than it used to have."""
    if len(past) < LEAST_HISTORY or now.asked < 40:  # noqa: PLR2004  too few questions have no shares
        return None
    total = sum(day.asked for day in past)
    used: Counter[str] = Counter()
    for day in past:
        used.update({purpose: tally.count for purpose, tally in day.purposes.items()})
    for purpose, tally in sorted(now.purposes.items()):
        usual, share = _share(used[purpose], total, prior=0.01), tally.count / now.asked
        spread = max(_spread([day.purposes.get(purpose, _NONE).count / day.asked for day in past if day.asked]), 0.01)
        deviation = sqrt(usual * (1 - usual) / now.asked + spread * spread)
        if share - usual > max(0.10, _STRONG * deviation):
            (share_id, normal_id), (shown, normal) = _percents(share, usual)
            return (
                "purpose_drift",
                {
                    "id": f"Tujuan {purpose} dipakai untuk {share_id} pertanyaan; biasanya {normal_id}. "
                    "Mungkin dipakai menggantikan tujuan lain.",
                    "en": f"The purpose {purpose} was named in {shown} of the questions; usual is {normal}. "
                    "It may stand in for another purpose.",
                },
                [tally],
            )
    return None


def _hours(now: Day, past: Sequence[Day]) -> _Made | None:
    """Calls outside the window of the agreement."""
    usual = sum(day.outside.count for day in past) / len(past) if past else 0.0
    if now.outside.count < max(5, usual + _STRONG * sqrt(max(usual, 1))):
        return None
    count = now.outside.count
    return (
        "unusual_hours",
        {
            "id": f"{count} pertanyaan diajukan di luar jam yang diperjanjikan.",
            "en": f"{count} questions were asked outside the hours of the agreement.",
        },
        [now.outside],
    )


def _volume(now: Day, alike: Sequence[Day]) -> _Made | None:
    """Far more questions than on such days (working days, or weekends) before."""
    counts = [day.asked for day in alike]
    if len(counts) < (LEAST_HISTORY if len(counts) > 4 else 2) or now.asked < 50:  # noqa: PLR2004
        return None
    usual = median(counts)
    spread = max(1.4826 * median(abs(count - usual) for count in counts), sqrt(max(usual, 1)))
    if now.asked < 2 * usual or now.asked - usual < 6 * spread:
        return None
    return (
        "volume",
        {
            "id": f"{now.asked} pertanyaan dalam sehari; biasanya {usual:.0f}.",
            "en": f"{now.asked} questions in a day; usual is {usual:.0f}.",
        },
        list(now.purposes.values()),
    )


def _conflict(now: Day, _: Sequence[Day]) -> _Made | None:
    """An office sent another batch under a number that it had used: one is enough to ask."""
    count = now.conflicts.count
    if not count:
        return None
    return (
        "sequence_conflict",
        {
            "id": f"{count} kiriman memakai nomor urut yang sudah dipakai untuk isi lain. Mungkin cadangan lama dipulihkan.",
            "en": f"{count} batches came under a number that had been used for another. An old backup may have been restored.",
        },
        [now.conflicts],
    )


def _share(part: int, whole: int, *, prior: float) -> float:
    """A share, drawn towards `prior` by as much as a hundred questions weigh: a new partner has no past of its own."""
    return (part + prior * 100) / (whole + 100)


def _spread(values: Sequence[float]) -> float:
    middle = sum(values) / len(values)
    return sqrt(sum((value - middle) ** 2 for value in values) / len(values))


def _percents(*shares: float) -> tuple[list[str], list[str]]:
    """Shares as Indonesian writes them, with a comma, and as English does."""
    shown = [f"{share * 100:.1f} %" for share in shares]
    return [each.replace(".", ",") for each in shown], shown
