"""Is every text of the console said somewhere, and none of them twice?"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from gateway.console.frame.words import WORDS, Words, read_words
from gateway.console.pages import PAGES
from gateway.partners.approvals import Decision, Widening

CONSOLE = Path(__file__).parents[2] / "gateway/console"
TEMPLATES = "\n".join(file.read_text() for file in sorted((CONSOLE / "templates").glob("*.html")))
SLUGGED = "\n".join(
    file.read_text()
    for folder in ("gateway", "policies")
    for file in sorted((CONSOLE.parents[1] / folder).rglob("*"))
    if file.suffix in {".py", ".toml", ".rego", ".json"} and "words" not in file.parts
)


def of_templates() -> set[str]:
    """What templates ask for, as regular expressions: what stands between `~` is any part of a key."""
    found = set()
    for string in re.finditer(r"""(["'])([a-z_]+\.?[a-z0-9_.]*)\1((?:\s*~\s*[^\s~)]+(?:\([^)]*\))?)*)""", TEMPLATES):
        made = re.escape(string[2])
        for part in re.findall(r"~\s*(\"[^\"]*\"|'[^']*'|[^\s~)]+(?:\([^)]*\))?)", string[3]):
            made += re.escape(part.strip("\"'")) if part[0] in "\"'" else ".+"
        found.add(made)
    return found


def of_programs() -> set[str]:
    """What the console's Python says, as regular expressions: what an f-string fills in is any part of a key."""
    found = set()
    for file in sorted(CONSOLE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(re.escape(node.value))
            elif isinstance(node, ast.JoinedStr):
                parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values]
                if parts[0] != ".+":
                    found.add("".join(parts))
    return found


def of_table() -> set[str]:
    """What the table of pages asks for by its skeleton."""
    found = set()
    for page in PAGES:
        found |= {f"page.{page.name}", f"page.{page.name}.lead"}
        found |= {f"table.{table.name}{more}" for table in page.tables for more in ("", ".empty")}
        columns = [*page.facts, *(column for table in page.tables for column in table.columns)]
        found |= {f"column.{column.label or column.name}" for column in columns}
        fields = [*page.filters, *page.search, *(field for action in page.actions for field in action.fields)]
        found |= {f"field.{field.label or field.name}{more}" for field in fields for more in ("", ".hint")}
        found |= {
            f"act.{action.act}{more}" for action in page.actions for more in ("", ".what", ".done", ".once", ".tell")
        }
        found |= {f"error.{field.kind}" for field in fields}
    return found


# These would match whatever stands under them; what they stand for is asked of the table above.
MOVED = {"column.stands", "column.suspended"}
"""Members of documents that have no column, and whose change a stale form shows."""
SKELETON = ("page.", "table.", "column.", "field.", "act.", "choice.", "error.")


WIDENED = {
    f"{how}_{what}"
    for how in ("propose", "approve", Decision.REJECTED.value, Decision.WITHDRAWN.value)
    for what in Widening
}
"""What entries say of proposals (gateway/store/administration/approvals.py)."""


def known(key: str, whole: re.Pattern[str]) -> bool:
    """Whether a slug occurs in the program or its policies, by itself or made of parts."""
    slug = key.removeprefix("choice.")
    bare = slug.removesuffix("_yes").removesuffix("_no")
    return bool(slug in WIDENED or re.search(rf"\b{bare}\b", SLUGGED) or whole.fullmatch(slug))


def test_every_text_is_said_somewhere() -> None:
    """A key of words/ that no page, table, form, template or program asks for is dead; a slug is one that the gateway knows."""
    table = of_table()
    asked = of_templates() | of_programs()
    whole = re.compile("|".join(f"(?:{one})" for one in asked if not one.startswith(tuple(map(re.escape, SKELETON)))))
    literal = {one.replace("\\", "") for one in asked}
    dead = [
        key
        for key in WORDS["id"].keys() - table - literal - MOVED
        if not (known(key, whole) if key.startswith("choice.") else whole.fullmatch(key))
        or (key.startswith(SKELETON) and not key.startswith("choice."))
    ]
    assert not dead, dead


def test_a_text_said_twice_is_a_fault(monkeypatch, tmp_path) -> None:
    """Two files that say one key stop the program at once, with the name of the key."""
    (tmp_path / "words").mkdir()
    for name in ("id.toml", "more.id.toml"):
        (tmp_path / "words" / name).write_text('[page]\nme = "Akun"\n')
    monkeypatch.setattr("gateway.console.frame.words.resources.files", lambda _: tmp_path)
    with pytest.raises(ValueError, match=r"page\.me is said twice"):
        read_words()


def test_amounts_days_and_moments_are_written_as_the_language_writes_them() -> None:
    """Rupiah alike in both, numbers with the groups of each, days with the months of each, moments in Jakarta."""
    id, en = Words("id"), Words("en")
    assert (id.money(1_250_000), en.money(-1_000)) == ("Rp1.250.000", "-Rp1.000")
    assert (id.number(12_345.5), en.number(12_345)) == ("12.345,5", "12,345")
    assert (id.day("2026-08-17"), en.day("2026-08-17")) == ("17 Agu 2026", "17 Aug 2026")
    assert "18 Agu 2026 00.30 WIB" in id.moment("2026-08-17T17:30:00Z")
    assert 'datetime="2026-08-17T17:30:00Z"' in en.moment("2026-08-18T00:30:00+07:00")
