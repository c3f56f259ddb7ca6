"""What would a version change, in words that whoever approves it can judge? Each change widens access, narrows it, or neither."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.clock import jakarta_date
from gateway.partners.agreement import Agreement, Disclosure, PurposeTerms


class Effect(StrEnum):
    """What a change does to access."""

    WIDENS = "widens"
    NARROWS = "narrows"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Difference:
    """One change: the path of what was agreed, what stood there before and what will, and what it does to access.

    `before` and `after` are JSON-able; None means that nothing stood, or will stand, there.
    """

    path: str
    before: object
    after: object
    effect: Effect

    def document(self) -> dict[str, object]:
        """JSON-able, with the change in words of both languages."""
        return {
            "path": self.path,
            "before": self.before,
            "after": self.after,
            "effect": self.effect.value,
            "text": {"id": self._say("id"), "en": self._say("en")},
        }

    def _say(self, language: str) -> str:
        words = _WORDS[language]
        parts = self.path.split(".")
        name = " ".join(_LABELS.get(part, {}).get(language, f"`{part}`") for part in parts)
        before, after = (_shown(value, words["none"]) for value in (self.before, self.after))
        return f"{name}: {before} → {after} ({words[self.effect]})"


_WORDS: Mapping[str, Mapping[str, str]] = {
    "id": {
        "none": "tidak ada",
        "widens": "memperluas akses",
        "narrows": "mempersempit akses",
        "neutral": "akses tetap",
    },
    "en": {"none": "none", "widens": "widens access", "narrows": "narrows access", "neutral": "access unchanged"},
}
_LABELS: Mapping[str, Mapping[str, str]] = {
    "purposes": {"id": "Tujuan", "en": "Purpose"},
    "decide": {"id": "elemen yang menentukan", "en": "deciding claims"},
    "inform": {"id": "elemen tambahan", "en": "informing claims"},
    "disclosure": {"id": "isi jawaban", "en": "disclosure"},
    "attempts": {"id": "batas percobaan salah", "en": "attempt budget"},
    "demands": {"id": "yang wajib disertakan", "en": "what each call must carry"},
    "tells_order": {"id": "memberitahukan perintah pemblokiran", "en": "tells of an order"},
    "legal_basis": {"id": "dasar pemrosesan", "en": "legal basis"},
    "sector_law": {"id": "dasar hukum sektor", "en": "sector law"},
    "justification": {"id": "alasan kebutuhan", "en": "justification"},
    "allowance": {"id": "Kuota", "en": "Allowance"},
    "burst": {"id": "per detik", "en": "per second"},
    "day": {"id": "harian", "en": "per day"},
    "month": {"id": "bulanan", "en": "per month"},
    "per_nik": {"id": "percobaan salah per NIK", "en": "wrong guesses per NIK"},
    "tariff": {"id": "tarif (rupiah)", "en": "tariff (rupiah)"},
    "prepaid": {"id": "prabayar", "en": "prepaid"},
    "term": {"id": "Masa berlaku", "en": "Term"},
    "starts": {"id": "mulai", "en": "from"},
    "ends": {"id": "sampai sebelum", "en": "until before"},
    "access": {"id": "Akses", "en": "Access"},
    "addresses": {"id": "alamat jaringan", "en": "addresses"},
    "certificates": {"id": "sertifikat", "en": "certificates"},
    "on_behalf_of": {"id": "Lembaga yang diwakili", "en": "Asks on behalf of"},
    "dpia": {"id": "Penilaian dampak (DPIA)", "en": "Impact assessment (DPIA)"},
    "duties": {"id": "Kewajiban", "en": "Duties"},
}


def difference(before: Agreement | None, after: Agreement) -> tuple[Difference, ...]:
    """Every change from `before` (None: nothing was agreed) to `after`, those that widen access first."""
    found = [*_purposes(before, after), *_limits(before, after), *_term(before, after), *_rest(before, after)]
    return tuple(sorted(found, key=lambda one: (list(Effect).index(one.effect), one.path)))


def needs_assessment(before: Agreement | None, after: Agreement) -> bool:
    """Whether a purpose, an element or an allowance changes: then the impact assessment must be newer than before."""
    if before is None:
        return False
    agreed = ((name, terms.claims, terms.disclosure) for name, terms in before.purposes.items())
    wanted = ((name, terms.claims, terms.disclosure) for name, terms in after.purposes.items())
    return sorted(agreed, key=str) != sorted(wanted, key=str) or before.limits != after.limits


def _purposes(before: Agreement | None, after: Agreement) -> Iterator[Difference]:
    held = before.purposes if before else {}
    for name in sorted({*held, *after.purposes}):
        old, new = held.get(name), after.purposes.get(name)
        path = f"purposes.{name}"
        if old is None and new is not None:
            yield Difference(path, None, [*new.decide, *new.inform], Effect.WIDENS)
            yield Difference(f"{path}.disclosure", None, new.disclosure.value, Effect.WIDENS)
        elif new is None and old is not None:
            yield Difference(path, [*old.decide, *old.inform], None, Effect.NARROWS)
        elif old is not None and new is not None and old != new:
            yield from _terms(path, old, new)


def _terms(path: str, old: PurposeTerms, new: PurposeTerms) -> Iterator[Difference]:
    if set(old.decide) != set(new.decide):
        # A claim that need not match any more, or that could not be sent before, opens; one more that must match closes.
        opens = set(old.decide) - set(new.decide) or new.claims - old.claims
        yield Difference(f"{path}.decide", list(old.decide), list(new.decide), _widens(bool(opens)))
    if set(old.inform) != set(new.inform):
        opens = new.claims - old.claims
        closes = Effect.NARROWS if old.claims - new.claims else Effect.NEUTRAL
        yield Difference(f"{path}.inform", list(old.inform), list(new.inform), Effect.WIDENS if opens else closes)
    if old.disclosure != new.disclosure:
        deeper = Disclosure(new.disclosure).depth > Disclosure(old.disclosure).depth
        yield Difference(f"{path}.disclosure", old.disclosure.value, new.disclosure.value, _widens(deeper))
    if old.attempts != new.attempts:
        yield Difference(f"{path}.attempts", old.attempts, new.attempts, _widens(new.attempts > old.attempts))
    if old.demands != new.demands:
        opens = old.demands - new.demands
        yield Difference(f"{path}.demands", sorted(old.demands), sorted(new.demands), _widens(bool(opens)))
    if old.tells_order != new.tells_order:
        yield Difference(f"{path}.tells_order", old.tells_order, new.tells_order, _widens(new.tells_order))
    for name in ("legal_basis", "sector_law", "justification"):
        if getattr(old, name) != getattr(new, name):
            yield Difference(f"{path}.{name}", getattr(old, name), getattr(new, name), Effect.NEUTRAL)


def _limits(before: Agreement | None, after: Agreement) -> Iterator[Difference]:
    for name in ("burst", "day", "month", "per_nik", "tariff", "prepaid"):
        old, new = getattr(before.limits, name) if before else None, getattr(after.limits, name)
        if old == new:
            continue
        less_is_wider = name in {"tariff", "prepaid"}
        wider = old is None or (new < old if less_is_wider else new > old)
        yield Difference(f"allowance.{name}", old, new, _widens(wider))


def _term(before: Agreement | None, after: Agreement) -> Iterator[Difference]:
    for name in ("starts", "ends"):
        old, new = getattr(before, name) if before else None, getattr(after, name)
        if old != new:
            wider = old is None or (new < old if name == "starts" else new > old)
            shown = None if old is None else jakarta_date(old).isoformat()
            yield Difference(f"term.{name}", shown, jakarta_date(new).isoformat(), _widens(wider))
    held = {str(network) for network in before.networks} if before else set()
    wanted = {str(network) for network in after.networks}
    if held != wanted:
        yield Difference("access.addresses", sorted(held), sorted(wanted), _widens(bool(wanted - held)))


def _rest(before: Agreement | None, after: Agreement) -> Iterator[Difference]:
    old, new = dict(_flat("", before.fields if before else {})), dict(_flat("", after.fields))
    for path in sorted({*old, *new}):
        if old.get(path) == new.get(path) or path == "access.addresses":
            continue
        effect = Effect.NEUTRAL
        if path in {"access.certificates", "on_behalf_of"}:
            effect = _widens(bool(set(_listed(new.get(path))) - set(_listed(old.get(path)))))
        elif path in {"access.method", "access.signed_answers", "access.hours"}:
            effect = Effect.WIDENS
        yield Difference(path, old.get(path), new.get(path), effect)


def _flat(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Tables by dotted path; lists and plain values as they are."""
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _flat(f"{path}.{name}" if path else str(name), each)
    elif value not in (None, "", {}) and path:
        yield path, value


def _listed(value: object) -> Sequence[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _widens(wider: bool) -> Effect:  # noqa: FBT001  the one thing it is told
    return Effect.WIDENS if wider else Effect.NARROWS


def _shown(value: object, none: str) -> str:
    if value is None or value == []:
        return none
    if isinstance(value, list):
        return ", ".join(_shown(each, none) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(each, none)}" for name, each in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
