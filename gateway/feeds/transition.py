"""What does a resident's record become when a regency tells something of it? Pure; one function, `tell`.

Each regency's feed is applied in its order, but two feeds come in any order between them: what a regency tells of a
resident whom it does not keep yet waits in the record until the keeping regency tells the move. So both orders end alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gateway.feeds.change import ChangeRefused, Slug
from gateway.feeds.events import EVENTS, REGIONS, Event, Phase
from gateway.register.record import Condition, Record, ToldEvent

MOST_WAITING = 32
"""As much may wait in one record; more is refused, for nobody moves so often unnoticed."""
PENDING, NOT_RECORDED = "change_pending", "biometric_not_recorded"
_UNSETTLED = frozenset({"in_transit", "not_consolidated"})  # imported: the resident's data had not arrived


@dataclass(frozen=True, slots=True)
class After:
    """The record as it is from now on. `dropped`: what had waited in it and turned out to be of no order."""

    record: Record
    dropped: tuple[ToldEvent, ...] = ()


def tell(record: Record | None, nik: str, told: ToldEvent) -> After:
    """What `told` makes of the record of `nik`, None when there is none. Raises ChangeRefused: then nothing has changed."""
    if record is None:
        if told.event == "birth":
            return After(_born(Record(nik, biometric=False), told))
        if told.event != "moved_in":
            raise ChangeRefused(Slug.UNKNOWN_RESIDENT)
        return After(Record(nik, biometric=False, waiting=(told,)))
    if not record.claims and told.event == "birth":
        return _pass_on(_born(record, told))
    if record.regency != told.regency or record.departed_to:
        return _pass_on(_wait(record, told))
    return _pass_on(_changed(record, told))


def _wait(record: Record, told: ToldEvent) -> Record:
    """Something that a regency tells of a resident whom it does not keep, or has let go."""
    if told.event != "moved_in" and all(one.regency != told.regency for one in record.waiting):
        if not record.claims:
            raise ChangeRefused(Slug.UNKNOWN_RESIDENT)
        raise ChangeRefused(Slug.WRONG_ORDER if record.regency == told.regency else Slug.NOT_OWN_REGION)
    if len(record.waiting) >= MOST_WAITING:
        raise ChangeRefused(Slug.WRONG_ORDER)
    waiting = sorted((*record.waiting, told), key=lambda one: one.regency)  # stable: the order of each feed is kept
    return replace(record, waiting=tuple(waiting))


def _pass_on(record: Record) -> After:
    """Let the record pass to the regency that it was sent to, once that one has told the arrival."""
    own = [one for one in record.waiting if one.regency == record.departed_to]
    arrival = next((at for at, one in enumerate(own) if _arrives(one)), None)
    if arrival is None:
        return After(record)
    rest = tuple(one for one in record.waiting if one.regency != record.departed_to)
    told = own[arrival]
    kept = {name: text for name, text in record.claims.items() if name not in REGIONS}
    claims = _written(kept, {**told.claims, "regency": told.regency, "province": told.regency[:2]})
    conditions = _without(record.conditions, "moved_abroad")
    record = replace(record, claims=claims, conditions=conditions, departed_to="", departed_on="", waiting=rest)
    record = _up_to_date(record, told)
    dropped: list[ToldEvent] = []
    for one in own[arrival + 1 :]:
        try:
            after = tell(record, record.nik, one)
        except ChangeRefused:
            dropped.append(one)
        else:
            record = after.record
            dropped.extend(after.dropped)
    return After(record, tuple(dropped))


def _arrives(told: ToldEvent) -> bool:
    return told.event == "moved_in" and told.phase == Phase.SETTLED


def _changed(record: Record, told: ToldEvent) -> Record:
    """What the regency that keeps the record tells of it."""
    event = EVENTS[told.event]
    _require_order(record, told, event)
    if told.phase == Phase.ANNOUNCED:
        if any(one.reason == PENDING and one.event == told.event for one in record.conditions):
            return record
        return _with(record, Condition(PENDING, told.occurred_on, event=told.event))
    if event.name == "moved_out":
        record = _up_to_date(record, told)
        return replace(record, departed_to=told.claims["regency"], departed_on=told.occurred_on)
    if event.name == "moved_in":
        record = replace(record, conditions=_without(record.conditions, "moved_abroad"))
    elif event.begins:
        record = _with(record, Condition(event.begins, told.occurred_on, told.successor))
    elif event.ends:
        record = replace(record, conditions=_without(record.conditions, event.ends))
    if event.name == "biometric_recorded":
        record = replace(record, biometric=True)
    record = replace(record, claims=_written(record.claims, told.claims)) if told.claims else record
    return _up_to_date(record, told)


def _require_order(record: Record, told: ToldEvent, event: Event) -> None:
    """Raises ChangeRefused(WRONG_ORDER, ALREADY_REGISTERED): what is told cannot follow on what is recorded."""
    held = {one.reason for one in record.conditions}
    if event.name == "birth":
        announced = any(one.event == "birth" for one in record.conditions)
        if told.phase == Phase.ANNOUNCED or not announced:
            raise ChangeRefused(Slug.ALREADY_REGISTERED)
    if event.name == "moved_in" and "moved_abroad" not in held:
        raise ChangeRefused(Slug.WRONG_ORDER)
    if "deceased" in held and not event.after_death:
        raise ChangeRefused(Slug.WRONG_ORDER)
    if event.begins and event.begins in held:
        raise ChangeRefused(Slug.WRONG_ORDER)
    if event.ends and event.ends not in held and event.ends != NOT_RECORDED:
        raise ChangeRefused(Slug.WRONG_ORDER)


def _born(record: Record, told: ToldEvent) -> Record:
    claims = _written({}, {**told.claims, "regency": told.regency, "province": told.regency[:2]})
    record = replace(record, claims=claims)
    if told.phase == Phase.ANNOUNCED:
        return _with(record, Condition(PENDING, told.occurred_on, event="birth"))
    return record


def _up_to_date(record: Record, told: ToldEvent) -> Record:
    """End what was pending of this event; an event of a life also ends what nobody knew more of than that it was pending."""
    unknown = EVENTS[told.event].life

    def stays(one: Condition) -> bool:
        if one.reason == PENDING:
            return one.event != told.event and not (unknown and not one.event)
        return not (unknown and one.reason in _UNSETTLED)

    kept = tuple(one for one in record.conditions if stays(one))
    return record if len(kept) == len(record.conditions) else replace(record, conditions=kept)


def _with(record: Record, condition: Condition) -> Record:
    ordered = sorted((*record.conditions, condition), key=lambda one: (one.reason, one.event, one.since))
    return replace(record, conditions=tuple(ordered))


def _without(conditions: Iterable[Condition], reason: str) -> tuple[Condition, ...]:
    return tuple(one for one in conditions if one.reason != reason)


def _written(claims: Mapping[str, str], brought: Mapping[str, str]) -> dict[str, str]:
    """`claims` with what an event brought; a wider region takes those along that do not lie in it."""
    merged = {**claims, **brought}
    wider = ""
    for name in ("province", "regency", "district", "village"):
        code = merged.get(name, "")
        if code and not code.startswith(wider):
            if name in brought:
                for above, digits in (("province", 2), ("regency", 4), ("district", 6)):
                    if digits < len(code) and above in merged:
                        merged[above] = code[:digits]
            else:
                del merged[name]
                continue
        wider = code or wider
    return merged
