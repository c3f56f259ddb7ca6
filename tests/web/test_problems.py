"""Is every refusal told well, in both languages, and can nothing slip into its document?"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Cause, Refusal
from gateway.partners import in_force
from gateway.partners.agreement import AgreementState
from gateway.register.reasons import REASONS, reason_document
from gateway.web.http import problems
from gateway.web.http.expected import corrections
from gateway.web.http.problems import LANGUAGES, PROBLEMS, STANDARD, Problems, page, page_html, reason_page_html

ROOT = Path(__file__).parent.parent.parent
ISSUER = "https://gateway.example"
ID = "01934d5c-7c5d-7a60-9d3e-5b1f0c2a4e68"
WRITE = Problems(ISSUER)
TOLD = [(cause, language) for cause in Cause for language in LANGUAGES]
# Wire contract §4, written out once more.
STATUSES = {
    "malformed-request": 400, "digest-mismatch": 400, "nik-format": 422, "nik-not-yet-issued": 422,
    "previous-unknown": 422, "invalid-token": 401, "invalid-dpop-proof": 401, "use-dpop-nonce": 401,
    "insufficient-scope": 403, "purpose-not-agreed": 403, "claim-not-agreed": 403, "claims-missing": 403,
    "consent-missing": 403, "context-missing": 403, "agreement-not-in-force": 403, "address-not-allowed": 403,
    "refused-by-policy": 403, "same-person": 403, "assignment-missing": 403, "allowance-exhausted": 429,
    "rate-exceeded": 429, "attempts-exhausted": 429, "balance-exhausted": 429, "idempotency-conflict": 422,
    "idempotency-in-progress": 409, "batch-too-large": 413, "body-too-large": 413, "register-unavailable": 503,
    "ledger-unavailable": 503, "overloaded": 503, "not-found": 404, "method-not-allowed": 405, "conflict": 412,
    "sequence-conflict": 409, "not-own-region": 403,
    "unsupported-media-type": 415,
}  # fmt: skip
RETRYABLE = {
    "rate-exceeded", "idempotency-in-progress", "use-dpop-nonce", "overloaded", "register-unavailable",
    "ledger-unavailable",
}  # fmt: skip
VOID = {"meta"}


class Outline(HTMLParser):
    """Reads a page strictly: every element that is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.languages: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.languages |= {value for name, value in attrs if name == "lang" and value}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def _detail(cause: Cause, language: str = "en", **facts: object) -> str:
    return str(WRITE(Refusal(cause, facts), language, ID)[1]["detail"])


def _rows() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "gateway/web/http/problems.toml").read_text("utf-8"))["problem"])


def _assert_self_contained(text: str) -> Outline:
    outline = Outline(text)
    assert text.startswith("<!doctype html>")
    assert outline.languages == {"id", "en"}
    assert outline.tags.count("h1") == outline.tags.count("main") == outline.tags.count("style") == 1
    assert not set(outline.tags) & {"script", "link", "img", "iframe", "form", "object"}
    assert outline.attributes == {"lang", "charset", "name", "content"}
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0]
    assert b64encode(hashlib.sha256(style.encode()).digest()).decode() == problems.STYLE_SHA256
    return outline


@pytest.mark.parametrize("cause", Cause)
def test_a_cause_has_the_status_of_the_wire_contract(cause: Cause) -> None:
    """Every cause has the status of the wire contract, and only what passes by itself is worth a retry."""
    assert (PROBLEMS[cause].status, PROBLEMS[cause].retryable) == (STATUSES[cause], cause.value in RETRYABLE)


@pytest.mark.parametrize(("cause", "language"), TOLD)
def test_every_cause_is_told_in_both_languages(cause: Cause, language: str) -> None:
    """Title, detail, meaning and steps of every cause are there in both languages, each in its own words."""
    problem = PROBLEMS[cause]
    for text in (problem.title, problem.detail, problem.meaning, problem.what_to_do):
        assert set(text) == set(LANGUAGES)
        assert text[language].strip() == text[language] != ""
        assert text["id"] != text["en"]


@pytest.mark.parametrize(("cause", "language"), TOLD)
@pytest.mark.parametrize("known", [True, False])
def test_a_document_has_exactly_the_standard_members_and_the_facts(cause: Cause, language: str, *, known: bool) -> None:
    """With its facts or without any, a document is whole: standard members, facts, and a detail without gaps."""
    facts = PROBLEMS[cause].example if known else {}
    status, document = WRITE(Refusal(cause, facts), language, ID)
    detail = document.pop("detail")
    assert document == {
        "type": f"{ISSUER}/problems/{cause.value}",
        "title": PROBLEMS[cause].title[language],
        "status": status,
        "instance": f"urn:uuid:{ID}",
        "retryable": PROBLEMS[cause].retryable,
        "billed": False,
        **facts,
        **corrections(facts, language),
    }
    assert re.fullmatch(r"[^{}\[\]]+[^ ;:,]\.", detail)
    assert not re.search(r"  | [;:,.]", detail)
    json.dumps(document)


def test_facts_override_no_standard_member() -> None:
    """A fact named like a standard member, or like one that the seal adds, is dropped."""
    loud = Refusal(Cause.CONFLICT, {**dict.fromkeys(STANDARD, "forged"), "fault": "kept"})
    assert WRITE(loud, "en", ID)[1] == WRITE(Refusal(Cause.CONFLICT), "en", ID)[1] | {"fault": "kept"}


def test_documents_are_fresh() -> None:
    """What a caller writes into a document is in no later one."""
    WRITE(Refusal(Cause.CONFLICT), "en", ID)[1].update(title="changed", billed=None)
    assert WRITE(Refusal(Cause.CONFLICT), "en", ID)[1]["title"] == PROBLEMS[Cause.CONFLICT].title["en"]
    assert WRITE(Refusal(Cause.CONFLICT), "en", ID)[1]["billed"] is False


@pytest.mark.parametrize("language", ["", "fr", "id-ID"])
def test_an_unknown_language_is_answered_in_indonesian(language: str) -> None:
    """Whatever is not English is Indonesian."""
    assert WRITE(Refusal(Cause.CONFLICT), language, ID) == WRITE(Refusal(Cause.CONFLICT), "id", ID)


@pytest.mark.parametrize(
    "fact",
    [
        None,
        "",
        [],
        0,
        True,
        1.5,
        ["a", 1],
        {"a": 1},
        "{name}",
        "2026-13-01",
        "2026-11-24",
        "9999-12-31T23:59:59Z",
        object(),
    ],
)
@pytest.mark.parametrize("cause", Cause)
def test_no_fact_raises(cause: Cause, fact: object) -> None:
    """A fact of any form leaves a readable document."""
    for language in LANGUAGES:
        document = WRITE(Refusal(cause, dict.fromkeys(PROBLEMS[cause].example, fact)), language, ID)[1]
        assert document["detail"]


@pytest.mark.parametrize("text", ["7402154505909001", "7402.1545.0590.9001", "x-74021545 05909001"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_nik_among_the_facts_is_not_echoed(text: str, language: str) -> None:
    """Where a caller put a NIK for a purpose or a claim's name, the document shows dots."""
    for cause, facts in ((Cause.PURPOSE_NOT_AGREED, {"purpose": text}), (Cause.CLAIM_NOT_AGREED, {"claims": [text]})):
        document = json.dumps(WRITE(Refusal(cause, facts), language, ID)[1] | {"instance": ""}, ensure_ascii=False)
        assert "••••" in document
        assert "7402" not in document


def test_details_say_facts_in_words() -> None:
    """Words of the program, lists, numbers and instants read as a person would say them."""
    suspended: dict[str, object] = {"state": "suspended", "restore": ["renew_dpia", "top_up_balance"]}
    assert _detail(Cause.AGREEMENT_NOT_IN_FORCE, "id", **suspended).endswith(
        "; status: ditangguhkan; tindak lanjut: memperbarui penilaian dampak pelindungan data pribadi,"
        " mengisi saldo prabayar."
    )
    assert _detail(Cause.CLAIMS_MISSING, claims=["name", "birth_date"]).endswith("; missing: name, birth_date.")
    assert _detail(Cause.BODY_TOO_LARGE, "id", most=1 << 20).endswith("; paling besar 1.048.576 byte.")
    assert _detail(Cause.BODY_TOO_LARGE, most=1 << 20).endswith("; at most 1,048,576 bytes.")
    midnight = {"limit": "day", "resets_at": "2026-11-24T17:00:00Z"}
    assert _detail(Cause.ALLOWANCE_EXHAUSTED, "id", **midnight) == (
        "Sisa kuota harian tidak mencukupi untuk permintaan ini; kuota pulih pada 25 November 2026 pukul 00.00.00 WIB."
    )
    assert "daily allowance" in _detail(Cause.ALLOWANCE_EXHAUSTED, **midnight)
    assert "25 November 2026, 00:00:00 WIB (UTC+7)" in _detail(Cause.ALLOWANCE_EXHAUSTED, **midnight)


def test_every_word_that_occurs_is_known() -> None:
    """Each state and each way to restore an agreement, and what reasons name, has a word in both languages."""
    restore = {*in_force.RESTORE_SUSPENDED.values(), *in_force._RESTORE.values(), in_force._CONTACT}
    remedies = [reason.remedy for reason in REASONS.values()]
    wanted = {
        *(("state", state.value) for state in AgreementState),
        ("state", in_force._NO_AGREEMENT),
        *(("restore", slug) for slug in restore),
        *(("fault", fault) for fault in ("length", "digits", "date", "serial")),
        *(("status", reason.status.value) for reason in REASONS.values()),
        *(("by", remedy.by) for remedy in remedies),
        *(("where", remedy.where) for remedy in remedies),
    }
    assert wanted - problems.WORDS.keys() == set()


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        ("conflict", None),
        ("surprise", {}),
        ("conflict", {"colour": "red"}),
        ("conflict", {"status": "412"}),
        ("conflict", {"title": {"id": "Bentrok"}}),
        ("conflict", {"title": {"id": "Bentrok", "en": " "}}),
        ("conflict", {"detail": {"id": "Kini {state}.", "en": "Now {state}."}}),
        ("conflict", {"detail": {"id": "Kini[ {state}].", "en": "Now[ {state}]."}}),
        ("conflict", {"example": {"title": "x"}}),
    ],
)
def test_a_table_that_is_not_exact_is_refused(cause: str, change: dict[str, object] | None) -> None:
    """A missing or unknown cause, key, language or fact stops the program when it reads its table."""
    rows = _rows()
    row = rows.pop(cause, {})
    if change is not None:
        rows[cause] = {**row, **change}
    with pytest.raises(ValueError, match=cause):
        problems.parse_problems(rows)


@pytest.mark.parametrize("cause", Cause)
def test_a_page_explains_every_cause(cause: Cause) -> None:
    """The page of a cause is whole as JSON and as one self-contained HTML document in both languages."""
    shown = page(cause, ISSUER)
    assert list(shown) == ["slug", "status", "retryable", "title", "meaning", "what_to_do", "example"]
    assert shown["example"]["type"] == f"{ISSUER}/problems/{cause.value}"
    words = _assert_self_contained(page_html(cause, ISSUER)).words
    for language in LANGUAGES:
        assert shown["title"][language] in words
        assert shown["meaning"][language].replace("`", "") in words
        assert all(step.replace("`", "") in words for step in shown["what_to_do"][language].split("\n"))
    assert json.dumps(shown["example"], ensure_ascii=False, indent=2) in words


@pytest.mark.parametrize("slug", REASONS)
def test_a_page_explains_every_reason(slug: str) -> None:
    """The page of a reason tells its meaning, remedy and documents in both languages."""
    document = reason_document(REASONS[slug])
    words = _assert_self_contained(reason_page_html(document)).words
    for language in LANGUAGES:
        assert document["meaning"][language] in words
        assert document["remedy"]["text"][language] in words
    assert all(paper in words for paper in document["remedy"]["documents"])


def test_pages_escape_what_they_show() -> None:
    """Markup in a text or an issuer is shown as text."""
    nasty = '<script>alert("1")</script>&'
    both = {"id": nasty, "en": nasty}
    remedy = {"by": nasty, "where": nasty, "action": nasty, "documents": [nasty], "text": both}
    document = {"slug": nasty, "status": nasty, "precedence": 1, "title": both, "meaning": both, "remedy": remedy}
    _assert_self_contained(reason_page_html(document))
    _assert_self_contained(page_html(Cause.CONFLICT, nasty))


def test_the_docs_are_the_table() -> None:
    """docs/problems.md is what `table` writes; write it again after a change of the texts."""
    assert (ROOT / "docs/problems.md").read_text("utf-8") == problems.table()
