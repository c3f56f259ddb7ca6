"""What do the pages say, in which language? Texts of words/id.toml and words/en.toml, by dotted key.

Both files hold the same keys; more files (words/<part>.id.toml, words/<part>.en.toml) belong to the pages of one role.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from importlib import resources
from typing import Any

from markupsafe import Markup, escape

from gateway.claims import CLAIMS
from gateway.clock import JAKARTA
from gateway.errors import Cause
from gateway.web.http.problems import LANGUAGES, PROBLEMS

_CAUSES = frozenset(cause.value for cause in Cause)
_WIB = timezone(timedelta(microseconds=JAKARTA), "WIB")
_MONTHS = {
    "id": ["Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"],
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
}


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        key = f"{before}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{key}.")
        else:
            yield key.removesuffix("._"), str(value)


def read_words() -> Mapping[str, Mapping[str, str]]:
    """Language → key → text. A key `_` in a table stands for the table itself. Raises ValueError on a key said twice."""
    words: dict[str, dict[str, str]] = {
        language: {f"choice.{row.name}": getattr(row, language) for row in CLAIMS.values()} for language in LANGUAGES
    }
    for file in sorted(resources.files("gateway.console").joinpath("words").iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".toml"):
            continue
        held = words[file.name.removesuffix(".toml").rpartition(".")[2]]
        for key, text in _flat(tomllib.loads(file.read_text("utf-8"))):
            if key in held:
                raise ValueError(f"{file.name}: {key} is said twice")
            held[key] = text
    return words


WORDS = read_words()


_WHOLE_MONTHS = {
    "id": [
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}


class Words:
    """The texts of one language, and how it writes dates, numbers and money."""

    def __init__(self, language: str) -> None:
        self.language = "en" if language == "en" else "id"
        self._words = WORDS[self.language]

    def __call__(self, key: str, **facts: object) -> str:
        """The text of a key with its {facts} filled in. Raises KeyError for a key that is none."""
        text = self._words[key]
        return text.format(**facts) if facts else text

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in self._words

    def choice(self, slug: object) -> str:
        """The name of a slug, of a role, of a cause its title; the slug itself where it has none."""
        problem = PROBLEMS.get(Cause(str(slug))) if slug in _CAUSES else None
        named = self._words.get(f"choice.{slug}") or self._words.get(f"role.{slug}")
        return named or (problem.title[self.language] if problem else str(slug))

    def number(self, value: float) -> str:
        """Digits in groups of three, as the language writes them."""
        text = f"{int(value) if value == int(value) else value:,}"
        return text if self.language == "en" else text.translate(str.maketrans(",.", ".,"))

    def money(self, value: int) -> str:
        """Rupiah, always as `Rp1.000`."""
        return ("-" if value < 0 else "") + "Rp" + f"{abs(value):,}".replace(",", ".")

    def day(self, text: str) -> str:
        """`24 Nov 2026` for a date (YYYY-MM-DD), or for an RFC 3339 instant its date in Asia/Jakarta."""
        if len(text) > 10:  # noqa: PLR2004  an instant
            text = datetime.fromisoformat(text).astimezone(_WIB).isoformat()
        year, month, day = text[:10].split("-")
        return f"{int(day)} {_MONTHS[self.language][int(month) - 1]} {year}"

    def month(self, text: str) -> str:
        """`November 2026` for a date (YYYY-MM-DD)."""
        return f"{_WHOLE_MONTHS[self.language][int(text[5:7]) - 1]} {text[:4]}"

    def moment(self, text: str) -> Markup:
        """`<time>` for an RFC 3339 instant, shown in Asia/Jakarta."""
        instant = datetime.fromisoformat(text).astimezone(_WIB)
        shown = f"{self.day(instant.isoformat())} {instant:%H.%M}" if self.language == "id" else (
            f"{self.day(instant.isoformat())} {instant:%H:%M}"
        )  # fmt: skip
        exact = datetime.fromisoformat(text).astimezone(UTC).isoformat().replace("+00:00", "Z")
        return Markup('<time datetime="{}" title="{}">{} WIB</time>').format(exact, exact, shown)

    def instant(self, micros: int) -> Markup:
        """`moment` for microseconds since 1970."""
        return self.moment(datetime.fromtimestamp(micros // 1_000_000, UTC).isoformat())

    def lines(self, text: str) -> Markup:
        """A text with `code` between backticks."""
        parts = text.split("`")
        return Markup("").join(
            Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
        )
