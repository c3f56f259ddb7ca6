"""Who may open and do what, on paper? The table of pages as docs/console.md holds it, between two marks."""

from __future__ import annotations

from gateway.console.frame.words import Words
from gateway.console.pages import PAGES
from gateway.staff.roles import Role

_BEGIN, _END = "<!-- made by make docs: begin -->", "<!-- made by make docs: end -->"
_ROLES = tuple(Role)


def text(document: str) -> str:
    """The document with the table of today between its marks."""
    before, _, rest = document.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{_table()}\n{_END}{after}"


def _table() -> str:
    """Pages by roles, each with its acts below it. An act that asks for the passkey again is marked."""
    words = Words("en")
    lines = [
        "| page or act | " + " | ".join(words(f"role.{role}").lower() for role in _ROLES) + " |",
        "|---|" + ":-:|" * len(_ROLES),
    ]
    for page in PAGES:
        lines.append(
            _row(f"**{words(f'page.{page.name}')}** `{page.path.removeprefix('/console') or '/'}`", page.roles)
        )
        for action in page.actions:
            marks = " (passkey)" if action.step_up else ""
            lines.append(_row(f"— {words(f'act.{action.act}')}{marks}", action.roles))
    return "\n".join(lines) + "\n"


def _row(name: str, roles: frozenset[Role]) -> str:
    return f"| {name} | " + " | ".join("●" if role in roles else "" for role in _ROLES) + " |"
