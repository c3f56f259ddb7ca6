"""How do many agreements come in from a file? First tried line by line, then drafted: all of them or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response

from gateway.administration.requests.partners import AgreementImport
from gateway.console.frame.page import REGISTRAR, Action, Page
from gateway.console.frame.session import Visit
from gateway.console.frame.words import Words
from gateway.console.pages.agreement_faults import Catalogue, fault_of, place_of
from gateway.strict import read_strictly

MOST = 200
"""Agreements of one import."""
_ACT = Action("import_agreements", frozenset({REGISTRAR}), "partners.write", AgreementImport)
_NOTHING: Mapping[str, Any] = {"rows": None, "text": "", "errors": (), "sound": False, "imported": False, "counts": {}}


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One agreement of the file: the line that it stands on, what it would become, and what is wrong with it."""

    line: int
    agreement: str
    partner: str
    version: int | None
    outcome: str
    wrong: tuple[tuple[str, str], ...]


def made(_: Mapping[str, Any], __: Visit, ___: int) -> Mapping[str, Any]:
    """The page before anything was given."""
    return _NOTHING


async def bring(screen: Any, visit: Visit, page: Page, given: Mapping[str, Sequence[str]]) -> Response[bytes]:  # noqa: ANN401  the screen
    """Try a file, or (`do` = real) draft what was tried."""
    text = _one(given, "file") if _one(given, "file").strip() else _one(given, "text")
    more: dict[str, Any] = {**_NOTHING, "text": text}
    agreements, lines, errors = read_file(text, visit.words)
    if errors:
        answered: Response[bytes] = screen.render(visit, page, {}, {}, status=422, more={**more, "errors": errors})
        return answered
    real = _one(given, "do") == "real"
    body = AgreementImport(agreements, dry_run=not real)
    document = await screen.client.act(visit, _ACT, {}, {}, body, "")
    rows = [_row(one, line, visit.words) for one, line in zip(document["rows"], lines, strict=True)]
    counts = {name: sum(row.outcome == name for row in rows) for name in ("create", "new_version", "unchanged", "")}
    sound = not counts[""]
    told = {**more, "rows": rows, "sound": sound, "imported": document["imported"], "counts": counts}
    shown: Response[bytes] = screen.render(visit, page, {}, {}, status=200 if sound else 422, more=told)
    return shown


def read_file(text: str, words: Words) -> tuple[list[dict[str, Any]], list[int], list[str]]:
    """(agreements, the line of each, what is wrong with the file) of NDJSON, a JSON list, or an object with `agreements`."""
    stripped = text.strip()
    if not stripped:
        return [], [], [words("import.nothing")]
    whole: Any = None
    try:
        whole = read_strictly(stripped)
    except (ValueError, RecursionError):
        return _by_lines(text, words)
    if isinstance(whole, dict):
        whole = whole.get("agreements", [whole])
    if not isinstance(whole, list) or not whole or not all(isinstance(one, dict) for one in whole):
        return [], [], [words("import.form")]
    if len(whole) > MOST:
        return [], [], [words("import.most", most=MOST)]
    return whole, list(range(1, len(whole) + 1)), []


def _by_lines(text: str, words: Words) -> tuple[list[dict[str, Any]], list[int], list[str]]:
    found: list[dict[str, Any]] = []
    lines: list[int] = []
    errors: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            read = read_strictly(line)
        except (ValueError, RecursionError):
            read = None
        if isinstance(read, dict):
            found.append(read)
            lines.append(number)
        else:
            errors.append(words("import.line", line=number))
    if len(errors) > 20:  # noqa: PLR2004  more tells nobody anything
        errors = [*errors[:20], words("import.more", count=len(errors) - 20)]
    return found, lines, errors if errors or len(found) <= MOST else [words("import.most", most=MOST)]


def _row(told: Mapping[str, Any], line: int, words: Words) -> ImportRow:
    wrong = [(place_of(path, Catalogue(), words), words("lack.missing")) for path in told["missing"]]
    for fault in told["faults"]:
        path, _, what = fault.partition(": ")
        wrong.append((place_of(path, Catalogue(), words), fault_of(what, words)))
    return ImportRow(
        line,
        told["agreement"] or "",
        told["partner"] or "",
        told["version"],
        told["outcome"] or "",
        tuple(dict.fromkeys(wrong)),
    )


def _one(given: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(given.get(name, ())), "")
