"""What is a caller told when the answer is no?

The one table from a `Cause` to an RFC 9457 problem document and its page (wire contract §4); the texts stand in
`problems.toml`.
"""

from __future__ import annotations

import json
import re
import tomllib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from hashlib import sha256
from html import escape
from importlib import resources
from types import MappingProxyType
from typing import Any

from gateway.clock import JAKARTA
from gateway.errors import Cause, Facts, Refusal
from gateway.web.http.expected import DERIVED, corrections

LANGUAGES = ("id", "en")
STANDARD = frozenset(
    {"type", "title", "status", "detail", "instance", "retryable", "billed", "id", "nonce", "entry", "ref"}
)
"""Members that no fact may stand for: those of every problem document, and those that its seal or its batch adds."""

STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1.05rem/1.6 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:1rem}"
    "h1{line-height:1.25}h2{margin-top:2.5rem;border-bottom:1px solid}h1 small{display:block;font-weight:normal}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}dd{margin:0}code,pre{font-family:monospace}"
    "pre{overflow-x:auto;padding:.75rem;border:1px solid}code,dd{overflow-wrap:anywhere}li{margin:.25rem 0}"
    "@media(max-width:30rem){dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}}"
)
STYLE_SHA256 = b64encode(sha256(STYLE.encode()).digest()).decode()
"""For the pages' Content-Security-Policy: `default-src 'none'; style-src 'sha256-<this>'`."""

_EXAMPLE_ID = "01934d5c-7c5d-7a60-9d3e-5b1f0c2a4e68"
_WIB = timezone(timedelta(microseconds=JAKARTA))
_MONTHS = {
    language: names.split()
    for language, names in {
        "id": "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember",
        "en": "January February March April May June July August September October November December",
    }.items()
}
_LABELS = {
    "id": ("Bahasa Indonesia", "Arti", "Yang harus dilakukan", "Dokumen", "Pelaksana", "Tempat", "Tindakan", "Contoh"),
    "en": ("English", "Meaning", "What to do", "Documents", "By", "Where", "Action", "Example"),
}
_NIK_LIKE = re.compile(r"(?:\d[ .-]?){15}\d")
_OPTION = re.compile(r"\[([^\[\]{}]*)\{([a-z_]+)\}([^\[\]{}]*)\]")
_KEYS = {"status", "retryable", "title", "detail", "meaning", "what_to_do", "example"}

Text = Mapping[str, str]
"""One text in both languages, by `id` and `en`."""
Part = str | tuple[str, str, str]
"""A piece of a detail: text as it stands, or (before, name of a fact, after), left out when the fact is absent."""


@dataclass(frozen=True, slots=True)
class Problem:
    """How one cause is told. `detail` may name facts (`problems.toml`); each line of `what_to_do` is a step.

    `retryable`: the very same question, asked later, may be answered without anybody doing anything else but wait.
    `example` holds the facts of the example document.
    """

    cause: Cause
    status: int
    retryable: bool
    title: Text
    detail: Text
    meaning: Text
    what_to_do: Text
    example: Facts


def parse_problems(table: Mapping[str, Any]) -> Mapping[Cause, Problem]:
    """The table by cause, in the order of `Cause`, from {slug: {…}}. Raises ValueError unless it is whole and exact."""
    slugs = {cause.value for cause in Cause}
    if table.keys() != slugs:
        raise ValueError(f"causes without a text or texts without a cause: {sorted(table.keys() ^ slugs)}")
    return MappingProxyType({cause: _parse_problem(cause, table[cause.value]) for cause in Cause})


def _parse_problem(cause: Cause, row: Mapping[str, Any]) -> Problem:
    if row.keys() != _KEYS:
        raise ValueError(f"{cause}: missing or unknown keys: {sorted(row.keys() ^ _KEYS)}")
    status, retryable, example = row["status"], row["retryable"], row["example"]
    if type(status) is not int or not isinstance(retryable, bool) or not isinstance(example, dict):
        raise ValueError(f"{cause}: status is a number, retryable a boolean, example a table")
    if example.keys() & STANDARD:
        raise ValueError(f"{cause}: facts named like standard members: {sorted(example.keys() & STANDARD)}")
    title, detail, meaning, steps = (
        _parse_text(cause, row[key]) for key in ("title", "detail", "meaning", "what_to_do")
    )
    for text in detail.values():
        named = {part[1] for part in _parts(text) if not isinstance(part, str)}
        if re.search(r"[\[\]{}]", _OPTION.sub("", text)) or not named <= example.keys() | DERIVED:
            raise ValueError(f"{cause}: a detail names a fact outside brackets, or one that its example lacks: {text}")
    return Problem(cause, status, retryable, title, detail, meaning, steps, MappingProxyType(example))


def _parse_text(where: str, text: Mapping[str, Any]) -> Text:
    if text.keys() != set(LANGUAGES):
        raise ValueError(f"{where}: a text is in both languages, {LANGUAGES}")
    whole = {language: "\n".join(said) if isinstance(said, list) else said for language, said in text.items()}
    if not all(isinstance(said, str) and all(line.strip() for line in said.split("\n")) for said in whole.values()):
        raise ValueError(f"{where}: an empty text")
    return MappingProxyType(whole)


def _parts(text: str) -> tuple[Part, ...]:
    pieces = _OPTION.split(text)
    parts: list[Part] = [pieces[0]]
    for at in range(1, len(pieces), 4):
        parts += [(pieces[at], pieces[at + 1], pieces[at + 2]), pieces[at + 3]]
    return tuple(part for part in parts if part)


_TABLE = tomllib.loads(resources.files("gateway.web.http").joinpath("problems.toml").read_text("utf-8"))
PROBLEMS: Mapping[Cause, Problem] = parse_problems(_TABLE["problem"])
"""How every cause is told."""
WORDS: Mapping[tuple[str, str], Text] = {
    (fact, value): _parse_text(value, text)
    for fact, values in _TABLE["words"].items()
    for value, text in values.items()
}
"""(fact, value) → what the value is called, for values that are words of the program."""


class Problems:
    """Writes problem documents for one issuer (a URL without a slash at its end).

    What does not change with the facts is made once: a document costs a few microseconds.
    """

    def __init__(self, issuer: str) -> None:
        self._fixed: dict[str, dict[Cause, tuple[int, dict[str, Any], tuple[Part, ...]]]] = {
            language: {problem.cause: self._fix(issuer, problem, language) for problem in PROBLEMS.values()}
            for language in LANGUAGES
        }

    @staticmethod
    def _fix(issuer: str, problem: Problem, language: str) -> tuple[int, dict[str, Any], tuple[Part, ...]]:
        parts = _parts(problem.detail[language])
        document = {
            "type": f"{issuer}/problems/{problem.cause.value}",
            "title": problem.title[language],
            "status": problem.status,
            "detail": "".join(part for part in parts if isinstance(part, str)),
            "instance": "",
            "retryable": problem.retryable,
            "billed": False,
        }
        return problem.status, document, parts

    def __call__(self, refusal: Refusal, language: str, id: str) -> tuple[int, dict[str, Any]]:
        """(HTTP status, a fresh problem document) with the facts as extension members; Indonesian unless `en`.

        `id` is the UUID of the refusal. A fact named like a member of `STANDARD` is dropped, and a run of digits as
        long as a NIK is dotted out wherever it stands: some facts are the caller's own words. Never raises for a fact.
        """
        language = "en" if language == "en" else "id"
        status, fixed, parts = self._fixed[language][refusal.cause]
        document = fixed.copy()
        document["instance"] = "urn:uuid:" + id
        if refusal.facts:
            for name, fact in refusal.facts.items():
                if name not in STANDARD:
                    document[name] = fact if isinstance(fact, int) else _without_nik(fact)
            document |= corrections(document, language)
            if len(parts) > 1:
                document["detail"] = _fill(parts, document, language)
        return status, document


def _without_nik(fact: object) -> object:
    if isinstance(fact, str):
        return _NIK_LIKE.sub("•" * 16, fact) if len(fact) > 15 else fact  # noqa: PLR2004  a NIK has 16 digits
    if isinstance(fact, list | tuple):
        return [_without_nik(each) for each in fact]
    return fact


def _fill(parts: tuple[Part, ...], facts: Facts, language: str) -> str:
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        before, name, after = part
        fact = facts.get(name)
        if fact is not None and fact not in ("", []):
            text += before + _say(name, fact, language) + after
    return text


def _say(name: str, fact: object, language: str) -> str:
    """A fact in words of the language: known words, instants in Western Indonesia Time, lists joined by ", "."""
    if isinstance(fact, str):
        if name == "resets_at":
            return _moment(fact, language)
        word = WORDS.get((name, fact))
        return word[language] if word else fact
    if isinstance(fact, list):
        return ", ".join([_say(name, each, language) for each in fact])
    if isinstance(fact, dict) and fact.keys() >= {"member", "form"}:  # of `expected`
        return f"{fact['member']} ({fact['form']})"
    if isinstance(fact, int):
        return f"{fact:,}".replace(",", "." if language == "id" else ",")
    return str(fact)


@lru_cache(maxsize=1024)  # thousands are refused until the same midnight
def _moment(text: str, language: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return text
        moment = moment.astimezone(_WIB)
    except (ValueError, OverflowError):
        return text
    day = f"{moment.day} {_MONTHS[language][moment.month - 1]} {moment.year}"
    hour, minute, second = f"{moment.hour:02d}", f"{moment.minute:02d}", f"{moment.second:02d}"
    if language == "id":
        return f"{day} pukul {hour}.{minute}.{second} WIB"
    return f"{day}, {hour}:{minute}:{second} WIB (UTC+7)"


_writer = lru_cache(maxsize=4)(Problems)  # a page is anybody's to ask for: it must not make every text anew


def words(slug: str) -> dict[str, Any]:
    """Slug, title and what to do, in both languages; the slug alone of a cause that is told no more."""
    problem = PROBLEMS.get(Cause(slug)) if slug in set(Cause) else None
    if problem is None:
        return {"slug": slug}
    return {"slug": slug, "title": dict(problem.title), "what_to_do": dict(problem.what_to_do)}


def page(cause: Cause, issuer: str) -> dict[str, Any]:
    """What `GET /problems/<slug>` shows as JSON: slug, status, retryable, texts in `id` and `en`, example document."""
    problem = PROBLEMS[cause]
    return {
        "slug": cause.value,
        "status": problem.status,
        "retryable": problem.retryable,
        "title": dict(problem.title),
        "meaning": dict(problem.meaning),
        "what_to_do": dict(problem.what_to_do),
        "example": _writer(issuer)(Refusal(cause, problem.example), "id", _EXAMPLE_ID)[1],
    }


def page_html(cause: Cause, issuer: str) -> str:
    """The same as an HTML page for people, in both languages; complete in itself, without scripts."""
    shown = page(cause, issuer)
    again = {"id": "dapat diulang" if shown["retryable"] else "jangan diulang tanpa perubahan"}
    again["en"] = "may be repeated" if shown["retryable"] else "do not repeat unchanged"
    sections = ""
    for language in LANGUAGES:
        heading, meaning, steps, *_ = _LABELS[language]
        items = "".join(f"<li>{prose(step)}</li>" for step in shown["what_to_do"][language].split("\n"))
        sections += (
            f'<section lang="{language}"><h2>{heading}</h2><p>HTTP {shown["status"]} · {again[language]}</p>'
            f"<h3>{meaning}</h3><p>{prose(shown['meaning'][language])}</p><h3>{steps}</h3><ol>{items}</ol></section>"
        )
    example = escape(json.dumps(shown["example"], ensure_ascii=False, indent=2))
    heading = f'{_LABELS["id"][-1]} · <span lang="en">{_LABELS["en"][-1]}</span>'
    sections += f"<h2>{heading}</h2><pre><code>{example}</code></pre>"
    return page_of(shown["title"], shown["slug"], sections)


def reason_page_html(document: Mapping[str, Any]) -> str:
    """The page of `GET /reasons/<slug>` for people, from what `register.reasons.reason_document` gives."""
    remedy, sections = document["remedy"], ""
    for language in LANGUAGES:
        heading, meaning, steps, papers, by, where, action, _ = _LABELS[language]
        who, place, status = (
            escape(_say(name, value, language))
            for name, value in (("by", remedy["by"]), ("where", remedy["where"]), ("status", document["status"]))
        )
        listed = "".join(f'<li lang="id">{escape(str(each))}</li>' for each in remedy["documents"])
        sections += (
            f'<section lang="{language}"><h2>{heading}</h2>'
            f"<dl><dt>Status</dt><dd>{status} (<code>{escape(document['status'])}</code>)</dd>"
            f"<dt>{by}</dt><dd>{who}</dd><dt>{where}</dt><dd>{place}</dd>"
            f"<dt>{action}</dt><dd><code>{escape(remedy['action'])}</code></dd></dl>"
            f"<h3>{meaning}</h3><p>{prose(document['meaning'][language])}</p>"
            f"<h3>{steps}</h3><p>{prose(remedy['text'][language])}</p>"
            + (f"<h3>{papers}</h3><ul>{listed}</ul>" if listed else "")
            + "</section>"
        )
    return page_of(document["title"], document["slug"], sections)


def prose(text: str) -> str:
    """A text as HTML; `backticks` mark what is typed as it stands."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def page_of(title: Text, slug: str, sections: str) -> str:
    """A page for people, complete in itself: a title in both languages, a word under it, and sections of HTML."""
    name, english = escape(title["id"]), escape(title["en"])
    return (
        '<!doctype html>\n<html lang="id"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{name} · {english}</title><style>{STYLE}</style></head>"
        f'<body><main><h1>{name}<small lang="en">{english}</small></h1><p><code>{escape(slug)}</code></p>'
        f"{sections}</main></body></html>\n"
    )


def table() -> str:
    """`docs/problems.md`: every cause, its status and what to do about it, as Markdown."""
    rows, sections = "", ""
    for problem in PROBLEMS.values():
        slug, members = problem.cause.value, ", ".join(f"`{name}`" for name in problem.example) or "–"
        again = "yes" if problem.retryable else "no"
        rows += f"| [`{slug}`](#{slug}) | {problem.status} | {again} | {members} | {problem.title['en']} |\n"
        sections += f"\n## {slug}\n"
        for language in reversed(LANGUAGES):
            steps = "\n".join(f"{at}. {step}" for at, step in enumerate(problem.what_to_do[language].split("\n"), 1))
            sections += f"\n**{problem.title[language]}.** {problem.meaning[language]}\n\n{steps}\n"
    return f"{_PREFACE}\n| slug | HTTP | retryable | own members | title |\n|---|---|---|---|---|\n{rows}{sections}"


_PREFACE = """# Problems

Every refusal is a problem document (RFC 9457, `application/problem+json`) with `type` = `<issuer>/problems/<slug>`,
`title`, `status`, `detail`, `instance`, `retryable` and `billed`; for an identified caller also `id`, `nonce` and
`entry`. Title and detail are in Indonesian, or in English by `Accept-Language`. `retryable` says that the very same
question, asked later, may be answered; a DPoP proof has to be a new one each time. `billed` is `false`, or `null` where
it is not known. No refusal is a finding about a resident.

Generated from `gateway/web/http/problems.toml` by `gateway.web.http.problems.table`.
"""
