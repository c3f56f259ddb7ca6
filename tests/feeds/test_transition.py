"""What does an event make of a record, and do two feeds that know nothing of each other end in one register?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.feeds.change import ChangeRefused, Slug, parse_change
from gateway.feeds.events import EVENTS, Phase
from gateway.feeds.sequence import expected, gaps, missing, place
from gateway.feeds.transition import tell
from gateway.feeds.watermark import advance
from gateway.ledger.log.canonical import canonical
from gateway.register.codec import decode, encode
from gateway.register.record import Condition, Record, ToldEvent
from gateway.register.status import causes, gap_reason, judge

TODAY = date(2026, 11, 24)
NIK, OTHER = "7402154505909001", "7402154505909002"
HERE, THERE, BEYOND = "7402", "7403", "3201"


def row(event, phase="settled", nik=NIK, **members):
    """One row as an office writes it."""
    return {"nik": nik, "event": event, "phase": phase, "occurred_on": "2026-11-20", **members}


def told(event, phase="settled", regency=HERE, **members):
    """What such a row tells, parsed."""
    return parse_change(row(event, phase, **members), regency, TODAY)[1]


def resident(*conditions, biometric=True, **claims):
    """Somebody of HERE."""
    whole = {"name": "SITI", "birth_date": "1990-05-05", "marital_status": "BELUM KAWIN", "regency": HERE} | claims
    return Record(NIK, whole, tuple(Condition(*one) for one in conditions), biometric)


def reason(record, gap=""):
    """What an answer would tell."""
    return judge(record, TODAY, source_behind=False, gap=gap)[1]


BRINGS = {
    "birth": {"name": "SITI", "birth_date": "2026-11-01"},
    "moved_out": {"regency": THERE},
    "marriage": {"marital_status": "KAWIN"},
    "divorce": {"marital_status": "CERAI HIDUP"},
    "family_card": {"family_card_number": "7402150101209001"},
    "element_corrected": {"name": "SITI AMINAH"},
}
BEGUN_BY = {"biometric_resolved": "biometric_duplicate", "nik_resolved": "nik_duplicate", "order_lifted": "by_order",
            "anomaly_resolved": "anomaly", "moved_in": "moved_abroad", "biometric_recorded": "biometric_not_recorded"}  # fmt: skip


def fitting(event):
    """(record, members of a row) to which this event may happen."""
    members = {"claims": BRINGS.get(event, {})} | ({"successor": OTHER} if event == "nik_duplicate" else {})
    if event == "birth":
        return None, members
    begun = [(BEGUN_BY[event], "2026-01-01")] if event in BEGUN_BY else []
    return resident(*begun, biometric=event != "biometric_recorded"), members


@pytest.mark.parametrize("event", EVENTS)
def test_announced_begins_change_pending_and_settled_does_what_the_table_says(event):
    """Every event of the table: announced it is pending, settled it writes its claims and begins or ends its condition."""
    record, members = fitting(event)
    pending = tell(record, NIK, told(event, "announced", **members)).record
    assert "change_pending" in [slug for slug, _ in causes(pending, TODAY, source_behind=False, gap="")]
    after = tell(pending, NIK, told(event, **members)).record
    row_of = EVENTS[event]
    held = [slug for slug, _ in causes(after, TODAY, source_behind=False, gap="")]
    assert "change_pending" not in held
    assert (row_of.begins in held) is bool(row_of.begins)
    assert not row_of.ends or row_of.ends not in held
    if event == "moved_out":
        assert held == ["in_transit"]
    else:
        assert BRINGS.get(event, {}).items() <= after.claims.items()
    assert tell(record, NIK, told(event, **members)).record == after  # settled at once ends alike


@pytest.mark.parametrize(
    ("told_of", "record", "slug"),
    [
        (told("death"), None, Slug.UNKNOWN_RESIDENT),
        (told("birth", claims=BRINGS["birth"]), resident(), Slug.ALREADY_REGISTERED),
        (told("death", regency=THERE), resident(), Slug.NOT_OWN_REGION),
        (told("death"), resident(("deceased",)), Slug.WRONG_ORDER),
        (told("marriage", claims=BRINGS["marriage"]), resident(("deceased",)), Slug.WRONG_ORDER),
        (told("order_lifted"), resident(), Slug.WRONG_ORDER),
        (told("moved_in"), resident(), Slug.WRONG_ORDER),
        (told("anomaly_resolved"), resident(("by_order",)), Slug.WRONG_ORDER),
    ],
)
def test_what_cannot_follow_is_refused(told_of, record, slug):
    """A row about nobody, about another's resident, or out of order changes nothing and says which of these it is."""
    with pytest.raises(ChangeRefused) as refused:
        tell(record, NIK, told_of)
    assert refused.value.slug is slug


@pytest.mark.parametrize(
    ("raw", "members"),
    [
        (7, {"change"}),
        ({}, {"nik", "event", "phase", "occurred_on"}),
        (row("wedding"), {"event"}),
        (row("death", "done"), {"phase"}),
        (row("death", nik="740215450590900"), {"nik"}),
        (row("death", occurred_on="2026-11-25"), {"occurred_on"}),
        (row("death") | {"extra": 1}, {"change"}),
        (row("death", claims={"name": "SITI"}), {"claims.name"}),
        (row("marriage"), {"claims.marital_status"}),
        (row("element_corrected", claims={"religion": "SITI"}), {"claims.religion"}),
        (row("element_corrected", claims={"birth_date": "SITI"}), {"claims.birth_date"}),
        (row("element_corrected", claims={"name": 5}), {"claims"}),
        (row("element_corrected", claims={"regency": THERE}), {"claims.regency"}),
        (row("moved_out", claims={"regency": HERE}), {"claims.regency"}),
        (row("moved_out"), {"claims.regency"}),
        (row("nik_duplicate"), {"successor"}),
        (row("nik_duplicate", successor=NIK), {"successor"}),
        (row("order", successor=OTHER), {"successor"}),
    ],
)
def test_a_malformed_row_names_its_members_and_nothing_else(raw, members):
    """What is wrong is named by member; no value of the row stands in the refusal."""
    with pytest.raises(ChangeRefused) as refused:
        parse_change(raw, HERE, TODAY)
    assert refused.value.slug is Slug.MALFORMED_CHANGE
    assert set(refused.value.members) == members
    assert "SITI" not in repr(refused.value) + str(refused.value.__context__ or "")


def test_a_move_is_in_transit_until_both_regencies_have_told_it():
    """Whichever of the two comes first begins `in_transit`; the second ends it, and the record is the new regency's."""
    out = told("moved_out", claims={"regency": THERE})
    arrived = told("moved_in", regency=THERE, claims={"district": "740301", "address": "JL. BARU"})
    for first, second in ((out, arrived), (arrived, out)):
        between = tell(resident(village="7402010001"), NIK, first).record
        assert reason(between) == "in_transit"
        assert between.regency == HERE
        after = tell(between, NIK, second).record
        assert (reason(after), after.regency, after.claims["district"]) == (None, THERE, "740301")
        assert "village" not in after.claims
        assert not after.waiting


def test_what_is_imported_as_unsettled_is_settled_by_the_next_news_of_a_life():
    """An imported `in_transit`, `not_consolidated` or unnamed pending ends when the office tells what has become of it."""
    unsettled = resident(("not_consolidated", "2026-01-01"), ("change_pending", "2026-01-01"))
    assert reason(tell(unsettled, NIK, told("element_corrected", claims=BRINGS["element_corrected"])).record) is None
    assert reason(tell(unsettled, NIK, told("order")).record) == "by_order"


def test_a_record_in_a_move_is_written_and_read_back():
    """What waits in a record survives its sealing, and a record without a move is written as it always was."""
    waiting = tell(resident(), NIK, told("moved_in", regency=THERE, claims={"address": "JL. BARU"})).record
    gone = tell(waiting, NIK, told("marriage", "announced", claims=BRINGS["marriage"])).record
    assert decode(encode(gone)) == gone
    assert "JL. BARU" not in repr(gone)
    assert tell(None, NIK, told("moved_in", regency=THERE)).record.claims == {}


def test_places_of_batches():
    """The next is applied, a later one waits and names what is missing, a known one is given again, another body is refused."""
    assert place(3, (), 3, b"a", None).missing == ()
    assert place(3, (5,), 6, b"a", None).missing == (3, 4)
    assert place(3, (), 2, b"a", b"a").repeat
    for known, sequence in ((b"b", 2), (None, 2)):
        with pytest.raises(Refused, match="sequence-conflict"):
            place(3, (), sequence, b"a", known)
    with pytest.raises(Refused, match="malformed-request"):
        place(3, (), 1003, b"a", None)
    with pytest.raises(Refused, match="overloaded"):
        place(3, range(4, 204), 300, b"a", None)
    assert (expected(3, {3, 4, 6}), gaps(3, {3, 4, 6}), missing(1, {2}, 4)) == (5, (5,), (1, 3))


def test_a_watermark_goes_neither_back_nor_ahead_and_a_gap_ripens():
    """It only rises, up to now; after six hours of a gap its residents need a consolidation."""
    assert (advance(10, 5, 20), advance(10, 15, 20), advance(10, 99, 20)) == (10, 15, 20)
    hour = 3_600_000_000
    assert (gap_reason(0, 6 * hour - 1), gap_reason(0, 6 * hour)) == ("in_transit", "not_consolidated")


@dataclass
class Centre:
    """The centre in memory, as pure as the rooms that it is made of."""

    register: dict[str, Record] = field(default_factory=dict)
    next: dict[str, int] = field(default_factory=dict)
    taken: dict[tuple[str, int], bytes] = field(default_factory=dict)
    held: dict[tuple[str, int], list] = field(default_factory=dict)

    def take(self, regency, sequence, changes):
        """One delivery of one batch."""
        digest = sha256(canonical(changes)).digest()
        following = self.next.setdefault(regency, 1)
        waiting = {number for name, number in self.held if name == regency}
        if place(following, waiting, sequence, digest, self.taken.get((regency, sequence))).repeat:
            return
        self.taken[regency, sequence] = digest
        self.held[regency, sequence] = changes
        while (changes := self.held.pop((regency, self.next[regency]), None)) is not None:
            self.next[regency] += 1
            for raw in changes:
                try:
                    nik, what = parse_change(raw, regency, TODAY)
                    self.register[nik] = tell(self.register.get(nik), nik, what).record
                except ChangeRefused:
                    continue

    def opened(self):
        """Every record's bytes before they are sealed."""
        return {nik: encode(record) for nik, record in self.register.items()}


NIKS = [f"74021545059090{number:02d}" for number in range(1, 5)]
ACTS = ("marriage", "order", "order_lifted", "anomaly", "anomaly_resolved", "element_corrected", "family_card", "death",
        "biometric_recorded", "moved_abroad")  # fmt: skip


@st.composite
def histories(draw):
    """Batches of three regencies: what happened to a few people, each regency telling its own part in its own order."""
    keeper = dict.fromkeys(NIKS[:3], HERE)
    feeds = {regency: [] for regency in (HERE, THERE, BEYOND)}
    feeds[HERE] += [row("birth", nik=nik, claims=BRINGS["birth"]) for nik in NIKS[:3]]
    for number in range(draw(st.integers(1, 25))):
        nik = draw(st.sampled_from(NIKS))  # the last of them was never born
        at = keeper.get(nik, HERE)
        act = draw(st.sampled_from((*ACTS, "move", "move", "move", "stray")))
        if act == "move":
            to = draw(st.sampled_from([one for one in feeds if one != at]))
            feeds[at].append(row("moved_out", nik=nik, claims={"regency": to}))
            if draw(st.booleans()):
                feeds[to].append(row("moved_in", "announced", nik=nik))
            feeds[to].append(row("moved_in", nik=nik, claims={"address": f"JL. {number}"}))
            if nik in keeper:
                keeper[nik] = to
        elif act == "stray":  # of somebody who is not theirs
            feeds[draw(st.sampled_from(list(feeds)))].append(row("divorce", nik=nik, claims=BRINGS["divorce"]))
        else:
            claims = BRINGS.get(act, {}) | ({"name": f"N{number}"} if act == "element_corrected" else {})
            feeds[at].append(row(act, draw(st.sampled_from(["announced", "settled"])), nik=nik, claims=claims))
    batches = []
    for regency, rows in feeds.items():
        size = draw(st.integers(1, 4))
        cut = [rows[at : at + size] for at in range(0, len(rows), size)]
        batches += [(regency, number, changes) for number, changes in enumerate(cut, 1)]
    return batches


@settings(max_examples=200, deadline=None)
@given(histories(), st.data())
def test_any_order_repetition_and_loss_ends_in_the_same_register(batches, data):
    """However the batches of three regencies arrive, doubled, late or lost and sent again: the opened records end alike."""
    orderly = Centre()
    for batch in batches:
        orderly.take(*batch)
    shuffled = Centre()
    deliveries = data.draw(st.permutations(batches + data.draw(st.lists(st.sampled_from(batches), max_size=6))))
    for batch in deliveries:
        shuffled.take(*batch)
        if data.draw(st.booleans()):
            shuffled.take(*batch)
    assert shuffled.opened() == orderly.opened()
    assert not shuffled.held


def test_a_phase_is_written_as_the_wire_has_it():
    """The two phases are the two words of the contract."""
    assert [str(phase) for phase in Phase] == ["announced", "settled"]
    assert repr(ToldEvent("", "", "", "", {"name": "SITI"})) == "ToldEvent(…)"
