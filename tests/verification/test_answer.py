"""What an answer may contain and what it costs: every disclosure, match and status; nothing a partner cannot see."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.claims import CLAIMS
from gateway.matching.bands import Band, decides
from gateway.partners.agreement import Disclosure, PurposeTerms
from gateway.register.reasons import REASONS, Status
from gateway.verification.answer import LOW_ENTROPY, JudgedClaims, disclose, matches, visible_cost

VERDICT, STATUS, REASON, CLAIM = Disclosure
STATES = [(Status.ACTIVE, None), *((reason.status, slug) for slug, reason in REASONS.items())]
BANDS = {"name": Band.CLOSE, "birth_date": Band.MATCH, "regency": Band.MATCH, "address": Band.DIFFERENT}
TERMS = PurposeTerms("account_opening", "contract", ("name", "birth_date"), ("regency", "address", "sex"), STATUS)


def judgement(
    *, matched: bool = True, status: Status = Status.ACTIVE, reason: str | None = None, **parts: Any
) -> JudgedClaims:
    whole = {
        "bands": BANDS, "regency": "7402", "as_of": "2026-11-24T01:00:00Z", "recheck_after": "2026-11-25T01:00:00Z",
        "changed": None, "subject": "pair_x", **parts,
    }  # fmt: skip
    return JudgedClaims(matched, status=status, reason=reason, **whole)


LEVELS = {
    VERDICT: {"usable"},
    STATUS: {"usable", "match", "status", "as_of", "recheck_after", "subject"},
    REASON: {"usable", "match", "status", "as_of", "recheck_after", "subject", "reason", "remedy"},
    CLAIM: {"usable", "match", "status", "as_of", "recheck_after", "subject", "reason", "remedy", "claims"},
}


@pytest.mark.parametrize(("disclosure", "state"), list(product(Disclosure, STATES)))
def test_each_level_adds_its_members(disclosure: Disclosure, state: tuple[Status, str | None]) -> None:
    """Matched, in every status and with every reason: exactly the members of the level, and `usable` says which it is."""
    status, reason = state
    answer = disclose(judgement(status=status, reason=reason), disclosure, tells_order=True)
    assert set(answer) == LEVELS[disclosure] - (set() if reason else {"reason", "remedy"})
    assert answer["usable"] is (status is Status.ACTIVE)
    assert answer.get("status", status) == status
    assert answer.get("reason", reason) == reason
    assert answer.get("match", True) is True


@pytest.mark.parametrize(("disclosure", "state"), list(product(Disclosure, STATES)))
def test_nothing_past_match_comes_without_a_match(disclosure: Disclosure, state: tuple[Status, str | None]) -> None:
    """Whatever the status, the bands and the earlier answer: not usable, and from level status on no match."""
    status, reason = state
    answer = disclose(
        judgement(matched=False, status=status, reason=reason, changed=True), disclosure, tells_order=True
    )
    assert answer == ({"usable": False} if disclosure is VERDICT else {"usable": False, "match": False})


bands = st.dictionaries(st.sampled_from(tuple(CLAIMS)), st.sampled_from(Band), max_size=6)
judgements = st.builds(
    JudgedClaims,
    matched=st.booleans(),
    bands=bands,
    status=st.sampled_from(Status),
    reason=st.none() | st.sampled_from(sorted(REASONS)),
    regency=st.sampled_from(["7402", "3171"]),
    as_of=st.sampled_from(["a", "b"]),
    recheck_after=st.sampled_from(["a", "b"]),
    changed=st.none() | st.booleans(),
    subject=st.sampled_from(["x", "y"]),
)


@given(judgements, judgements, st.sampled_from(Disclosure))
def test_an_unknown_nik_and_wrong_claims_are_alike(
    one: JudgedClaims, other: JudgedClaims, disclosure: Disclosure
) -> None:
    """Two judgements that did not match disclose the very same, whatever else the house knows of either."""
    for tells in (True, False):
        shown = [disclose(replace(each, matched=False), disclosure, tells_order=tells) for each in (one, other)]
        assert shown[0] == shown[1]


def test_by_order_is_told_only_where_that_was_agreed() -> None:
    """Else it is answered as an anomaly, remedy and all."""
    held = judgement(status=Status.BLOCKED, reason="by_order", bands={})
    told, hidden = (disclose(held, REASON, tells_order=tells) for tells in (True, False))
    anomaly = disclose(judgement(status=Status.BLOCKED, reason="anomaly", bands={}), REASON, tells_order=False)
    assert told["reason"] == "by_order"
    assert hidden == anomaly
    assert "by_order" not in repr(hidden)


@pytest.mark.parametrize("band", [None, *Band])
def test_a_regency_is_named_only_to_who_knew_it(band: Band | None) -> None:
    """When the caller sent it and it matched; the shared texts of the remedy are not touched by that."""
    held = {} if band is None else {"regency": band}
    answer = disclose(judgement(status=Status.BLOCKED, reason="anomaly", bands=held), REASON, tells_order=False)
    assert answer["remedy"].get("regency") == ("7402" if band is Band.MATCH else None)
    assert "regency" not in REASONS["anomaly"].remedy.document()


def test_changed_is_told_when_it_is_known() -> None:
    """With `previous` alone, from level status on."""
    assert disclose(judgement(changed=False), STATUS, tells_order=False)["changed"] is False
    assert "changed" not in disclose(judgement(), STATUS, tells_order=False)
    assert disclose(judgement(changed=True), VERDICT, tells_order=False) == {"usable": True}


@given(bands)
def test_every_deciding_claim_must_match(compared: dict[str, Band]) -> None:
    """One that was not sent, differs or is not recorded decides against it; informing claims decide nothing."""
    expected = all(compared.get(claim) is not None and decides(claim, compared[claim]) for claim in TERMS.decide)
    assert matches(TERMS, compared) is expected
    assert matches(TERMS, {**compared, "sex": Band.DIFFERENT}) is expected


@pytest.mark.parametrize(
    ("name", "birth", "matched"),
    [
        (Band.MATCH, Band.MATCH, True), (Band.CLOSE, Band.MATCH, True), (Band.MATCH, Band.CLOSE, False),
        (Band.DIFFERENT, Band.MATCH, False), (Band.NOT_RECORDED, Band.MATCH, False), (Band.MATCH, Band.NOT_RECORDED, False),
    ],
)  # fmt: skip
def test_close_decides_for_names_and_never_for_dates(name: Band, birth: Band, matched: bool) -> None:  # noqa: FBT001  a column
    """The gateway's floor, in one place."""
    assert matches(TERMS, {"name": name, "birth_date": birth}) is matched


sent = st.dictionaries(st.sampled_from(tuple(CLAIMS)), st.just("x"), max_size=6)
deciding = st.lists(st.sampled_from(tuple(CLAIMS)), min_size=1, unique=True).map(tuple)
terms = st.builds(
    PurposeTerms, st.just("p"), st.just("contract"), deciding, st.just(()), st.sampled_from(Disclosure)
)  # fmt: skip


@given(judgements, judgements, terms, sent, st.booleans())
def test_the_cost_depends_on_what_is_visible_alone(
    one: JudgedClaims,
    other: JudgedClaims,
    agreed: PurposeTerms,
    claims: dict[str, str],
    tells: bool,  # noqa: FBT001  drawn
) -> None:
    """Answers that look alike cost alike: the attempt budget itself tells nothing."""
    first, second = (disclose(each, agreed.disclosure, tells_order=tells) for each in (one, other))
    costs = visible_cost(first, agreed, claims), visible_cost(second, agreed, claims)
    if first == second:
        assert costs[0] == costs[1]
    assert all(0 <= cost <= 2 for cost in costs)


@given(judgements, terms, sent)
def test_what_looks_wrong_costs_and_what_looks_right_does_not(
    held: JudgedClaims, agreed: PurposeTerms, claims: dict[str, str]
) -> None:
    """Under verdict any `usable: false`; above it `match: false` or a band `different` that is shown."""
    answer = disclose(held, agreed.disclosure, tells_order=False)
    if agreed.disclosure is VERDICT:
        wrong = not answer["usable"]
    else:
        wrong = not answer["match"] or Band.DIFFERENT in answer.get("claims", {}).values()
    assert (visible_cost(answer, agreed, claims) > 0) is wrong


def test_an_easily_guessed_claim_costs_more() -> None:
    """Two for a claim of few values: among those that decide when nothing is told, the very one when bands are."""
    blind = PurposeTerms("p", "contract", ("name", "sex"), (), STATUS)
    no = {"usable": False, "match": False}
    assert visible_cost(no, blind, {"name": "x", "sex": "M"}) == 2
    assert visible_cost(no, blind, {"name": "x"}) == 1
    assert visible_cost(no, TERMS, {"name": "x", "birth_date": "x", "sex": "M"}) == 1
    shown = {"usable": True, "match": True, "claims": {"name": Band.MATCH, "sex": Band.DIFFERENT}}
    assert visible_cost(shown, TERMS, {}) == 2
    assert visible_cost({**shown, "claims": {"address": Band.DIFFERENT}}, TERMS, {}) == 1
    assert visible_cost({**shown, "claims": {"sex": Band.NOT_RECORDED}}, TERMS, {}) == 0
    assert set(CLAIMS) >= LOW_ENTROPY
