"""How is one value shown, on a page and in a CSV file? One spec of a column gives both."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from gateway.console.frame.page import Column
from gateway.console.frame.words import Words

_TONES = {
    "good": (
        "in_force",
        "active",
        "approved",
        "enrolled",
        "suspended_no",
        "exists_active",
        "paid",
        "confirmed",
        "verified",
        "valid",
        "current_yes",
    ),
    "wait": (
        "draft",
        "proposed",
        "waiting",
        "invited",
        "pending",
        "examining",
        "open",
        "not_yet",
        "expiring",
        "stale",
        "due",
    ),
    "bad": (
        "suspended",
        "suspended_yes",
        "rejected",
        "terminated",
        "expired",
        "refused",
        "blocked",
        "overdue",
        "failed",
        "lapsed",
    ),
}
_TONE_OF = {slug: tone for tone, slugs in _TONES.items() for slug in slugs}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def member(document: Any, name: str) -> Any:  # noqa: ANN401  any JSON
    """The member of a document; dotted for one inside another. None when it is not there."""
    for part in name.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(part)
    return document


def heading(column: Column) -> str:
    """The key of a column's heading."""
    return f"column.{column.label or column.name}"


def cell(column: Column, item: Mapping[str, Any], words: Words, *sources: Mapping[str, Any]) -> Markup:
    """A value as a page shows it; an em dash, said as "none", for what is not there. `sources` have more names for its link."""
    value = member(item, column.name)
    if value is None or value in ("", []):
        return Markup('<span aria-hidden="true">—</span><span class="unseen">{}</span>').format(words("none"))
    shown = _shown(column, value, words)
    target = path_of(column.link, item, *sources) if column.link else ""
    return Markup('<a href="{}">{}</a>').format(target, shown) if target else shown


def path_of(template: str, *sources: Mapping[str, Any]) -> str:
    """A path with its {names} filled from the first source that has them; "" when one is missing."""
    out = template
    while "{" in out:
        before, _, rest = out.partition("{")
        name, _, after = rest.partition("}")
        value = next((found for source in sources if (found := member(source, name)) not in (None, "")), None)
        if value is None:
            return ""
        out = before + quote(str(value), safe="") + after
    return out


def _shown(column: Column, value: Any, words: Words) -> Markup:  # noqa: ANN401, PLR0911  one line a kind
    match column.kind:
        case "state":
            slug = _slug(column, value)
            return Markup('<span class="badge {}">{}</span>').format(_TONE_OF.get(slug, "calm"), words.choice(slug))
        case "time":
            return words.instant(value) if isinstance(value, int) else words.moment(str(value))
        case "day":
            return escape(words.day(str(value)))
        case "money":
            return Markup('<span class="number">{}</span>').format(words.money(int(value)))
        case "number":
            return Markup('<data class="number" value="{}">{}</data>').format(value, words.number(value))
        case "code":
            return Markup("<code>{}</code>").format(value)
        case "yes":
            return escape(words("yes" if value else "no"))
        case "codes":
            return Markup(" ").join(Markup("<code>{}</code>").format(each) for each in value)
        case "list":
            return Markup(", ").join(escape(words.choice(each)) for each in value)
        case _:
            return escape(words.choice(value) if column.kind == "choice" else value)


def _slug(column: Column, value: Any) -> str:  # noqa: ANN401  a slug or a boolean
    return f"{column.name.rpartition('.')[2]}_{'yes' if value else 'no'}" if isinstance(value, bool) else str(value)


def plain(column: Column, item: Mapping[str, Any]) -> str:
    """A value as a CSV file holds it: as the API tells it; what a spreadsheet would take for a formula is quoted."""
    value = member(item, column.name)
    if value is None:
        return ""
    if isinstance(value, list):
        value = "; ".join(str(each) for each in value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if not isinstance(value, int | float) and text.startswith(_FORMULA) else text


def csv_file(columns: Sequence[Column], items: Iterable[Mapping[str, Any]], words: Words, note: str) -> bytes:
    """UTF-8 with a byte order mark (spreadsheets ask for it), CRLF, headings first; `note` is a last line of its own."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([words(heading(column)) for column in columns])
    writer.writerows([plain(column, item) for column in columns] for item in items)
    if note:
        writer.writerow([note])
    return b"\xef\xbb\xbf" + text.getvalue().encode()
