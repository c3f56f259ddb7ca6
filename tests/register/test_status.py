"""Is this NIK usable today, and if not, why, and who mends it?"""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import msgspec
import pytest

from gateway.register.reasons import REASONS, Status, reason_document
from gateway.register.record import Condition, Record
from gateway.register.status import judge

TODAY = date(2026, 11, 24)
BLOCKED = [
    "deceased",
    "by_order",
    "nik_duplicate",
    "biometric_duplicate",
    "biometric_not_recorded",
    "moved_abroad",
    "anomaly",
]
STALE = ["not_consolidated", "in_transit", "change_pending", "source_behind"]
ORDER = BLOCKED + STALE


def resident(*conditions, born="1990-05-05", marital="KAWIN", biometric=True):
    """A resident under `conditions` (slugs or (slug, since)); `born` and `marital` may be None for not recorded."""
    claims = {"birth_date": born, "marital_status": marital}
    return Record(
        nik="7402154505909001",
        claims={claim: text for claim, text in claims.items() if text is not None},
        conditions=tuple(Condition(*((one,) if isinstance(one, str) else one)) for one in conditions),
        biometric=biometric,
    )


def judged(record, *, today=TODAY, source_behind=False, gap=""):
    return judge(record, today, source_behind=source_behind, gap=gap)


def test_a_resident_with_nothing_against_them_is_active():
    """Biometrics, no condition, a current and complete feed: active, without reason or date."""
    assert judged(resident()) == (Status.ACTIVE, None, "")


@pytest.mark.parametrize("slug", ORDER)
def test_each_reason_gives_its_status_and_date(slug):
    """A condition alone is the reason that is told, with the status of the table and its own date."""
    assert judged(resident((slug, "2026-01-02"))) == (REASONS[slug].status, slug, "2026-01-02")


@pytest.mark.parametrize(("higher", "lower"), list(pairwise(ORDER)))
def test_the_highest_precedence_is_told(higher, lower):
    """Of two conditions the one of higher precedence is told, in whatever order they were recorded."""
    assert judged(resident((lower, "2026-02-02"), (higher, "2026-03-03")))[1:] == (higher, "2026-03-03")
    assert judged(resident((higher, "2026-03-03"), (lower, "2026-02-02")))[1:] == (higher, "2026-03-03")


def test_freshness_is_told_after_what_stands_against_the_resident():
    """A gap and a late feed make an active NIK stale, the gap first; a block is told before both."""
    assert judged(resident(), gap="not_consolidated") == (Status.STALE, "not_consolidated", "")
    assert judged(resident(), source_behind=True) == (Status.STALE, "source_behind", "")
    assert judged(resident(), source_behind=True, gap="not_consolidated")[1] == "not_consolidated"
    assert judged(resident("in_transit"), source_behind=True)[1] == "in_transit"
    assert judged(resident("in_transit"), gap="not_consolidated")[1] == "not_consolidated"
    assert judged(resident("anomaly"), source_behind=True, gap="not_consolidated") == (Status.BLOCKED, "anomaly", "")


@pytest.mark.parametrize(
    ("born", "marital", "reason", "since"),
    [
        ("2009-11-24", "BELUM KAWIN", "biometric_not_recorded", "2026-11-24"),
        ("2009-11-25", "BELUM KAWIN", None, ""),
        ("2009-11-25", None, None, ""),
        ("2009-11-25", "KAWIN", "biometric_not_recorded", ""),
        ("2009-11-25", "CERAI HIDUP", "biometric_not_recorded", ""),
        ("2020-01-01", "belum kawin", None, ""),
        ("1990-05-05", "BELUM KAWIN", "biometric_not_recorded", "2007-05-05"),
        ("2008-02-29", "BELUM KAWIN", "biometric_not_recorded", "2025-03-01"),
        (None, "BELUM KAWIN", "biometric_not_recorded", ""),
        ("1990-00-00", "BELUM KAWIN", "biometric_not_recorded", ""),
    ],
)
def test_biometrics_are_asked_of_adults_and_the_married_alone(born, marital, reason, since):
    """Missing biometrics block from the 17th birthday on, or once married; unknown age excuses nobody."""
    record = resident(born=born, marital=marital, biometric=False)
    assert judged(record) == (Status.BLOCKED if reason else Status.ACTIVE, reason, since)


def test_a_birthday_on_29_february_comes_on_1_march():
    """Who is born on 29 February turns 17 on 1 March of a common year."""
    record = resident(born="2008-02-29", marital="BELUM KAWIN", biometric=False)
    assert judged(record, today=date(2025, 2, 28))[0] is Status.ACTIVE
    assert judged(record, today=date(2025, 3, 1))[0] is Status.BLOCKED


def test_a_recorded_biometric_condition_stands_for_adults_and_never_for_children():
    """The condition itself blocks an adult whatever the flag says, keeps its date, and is no fault of a child."""
    condition = ("biometric_not_recorded", "2026-06-01")
    assert judged(resident(condition)) == (Status.BLOCKED, "biometric_not_recorded", "2026-06-01")
    assert judged(resident(condition, biometric=False))[2] == "2026-06-01"
    child = resident(condition, "change_pending", born="2015-01-01", marital="BELUM KAWIN", biometric=False)
    assert judged(child) == (Status.STALE, "change_pending", "")


def test_a_child_without_biometrics_goes_stale_like_anyone():
    """A child's missing biometrics hide neither a gap nor a late feed."""
    child = resident(born="2015-01-01", marital="BELUM KAWIN", biometric=False)
    assert judged(child, gap="not_consolidated")[1] == "not_consolidated"
    assert judged(child, source_behind=True)[1] == "source_behind"


def test_an_unknown_condition_is_an_anomaly():
    """A condition nobody knows blocks the NIK as an anomaly instead of being passed over."""
    assert judged(resident(("something_new", "2026-01-01"))) == (Status.BLOCKED, "anomaly", "2026-01-01")


def test_the_table_is_the_contract():
    """The reasons are the eleven of the wire contract, in its order, blocked before stale."""
    assert list(REASONS) == ORDER
    assert [reason.precedence for reason in REASONS.values()] == list(range(1, 12))
    assert [slug for slug, reason in REASONS.items() if reason.status is Status.STALE] == STALE
    assert Status.ACTIVE not in {reason.status for reason in REASONS.values()}


@pytest.mark.parametrize("slug", ORDER)
def test_every_reason_explains_itself_in_two_languages(slug):
    """A reason's page has title, meaning and remedy, in Indonesian and in English, and is plain JSON."""
    page = reason_document(REASONS[slug])
    assert msgspec.json.decode(msgspec.json.encode(page)) == page
    assert list(page) == ["slug", "status", "precedence", "title", "meaning", "remedy"]
    assert list(page["remedy"]) == ["by", "where", "action", "documents", "text"]
    for texts in (page["title"], page["meaning"], page["remedy"]["text"]):
        assert set(texts) == {"id", "en"}
        assert all(text and text == text.strip() for text in texts.values())
        assert texts["id"] != texts["en"]
    assert page["remedy"]["by"] in {"resident", "family", "regency_office", "centre"}
    assert page["remedy"]["where"] in {"regency_office", "centre"}


def test_the_remedy_of_an_anomaly_does_not_hint_at_an_order():
    """by_order and anomaly have one remedy byte for byte, and no text of an anomaly speaks of an order or authority."""
    assert REASONS["by_order"].remedy.document() == REASONS["anomaly"].remedy.document()
    page = str(reason_document(REASONS["anomaly"])).lower()
    assert not any(word in page for word in ("perintah", "pejabat", "berwenang", "order", "authority", "by_order"))


def test_a_remedy_is_built_once():
    """The wire form of a remedy is one object, so an answer costs no building."""
    remedy = REASONS["deceased"].remedy
    assert remedy.document() is remedy.document()
