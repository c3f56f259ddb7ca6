"""How does the console look? `make pictures`: every page of the table, in both languages, wide and narrow, empty and with data.

No test of the suite: run by hand, and looked at by people.
"""

from __future__ import annotations

import html
import os
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.console.frame.page import Page
from gateway.console.pages import PAGES
from gateway.staff.roles import Role

FOLDER = Path(os.environ.get("NIK_PICTURES") or "var/pictures").resolve()
WIDTHS = {"wide": 1280, "narrow": 360}
MORE = {"sample": "?seed=2026&count=25", "duties": "?until=2031-01-01", "version": "", "traffic": ""}
"""Queries without which a page has little to show."""
_taken: list[str] = []


def take(tab: Any, name: str) -> None:
    """The whole page as it stands."""
    tab.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    _taken.append(name)


def reader(page: Page) -> Role:
    """Whoever does most on a page, of those who may open it."""
    return max(sorted(page.roles), key=lambda role: sum(role in action.roles for action in page.actions))


@pytest.fixture(scope="module", autouse=True)
def _index() -> Iterator[None]:
    """A page of all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    yield
    shown = "\n".join(
        f'<figure><a href="{html.escape(name)}.png"><img loading="lazy" src="{html.escape(name)}.png" alt=""></a>'
        f"<figcaption>{html.escape(name)}</figcaption></figure>"
        for name in sorted(_taken)
    )
    style = "body{font-family:sans-serif;display:flex;flex-wrap:wrap;gap:1rem}img{height:320px;border:1px solid #ccc}"
    (FOLDER / "index.html").write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>The console</title><style>{style}</style>{shown}</html>',
        "utf-8",
    )


def test_empty_pages(console, page_of) -> None:
    """What the pages say while nothing is there yet."""
    for page in PAGES:
        if "{" not in page.path:
            tab = page_of(reader(page)).open(console.origin + page.path)
            take(tab, f"{page.name}-empty")
            tab.close()


def test_pages(console, page_of, furnished) -> None:
    """Every page, in both languages and both widths; wide and Indonesian also dark."""
    for language in ("id", "en"):
        for role in Role:
            page_of(role).open(f"{console.origin}/console/me?lang={language}").close()
        for page in PAGES:
            path = furnished.get(page.path, page.path) + MORE.get(page.name, "")
            for size, width in WIDTHS.items():
                tab = page_of(reader(page)).open(console.origin + path, width=width)
                take(tab, f"{page.name}-{language}-{size}")
                tab.close()
            if language == "id":
                tab = page_of(reader(page)).open(console.origin + path, dark=True)
                take(tab, f"{page.name}-dark")
                tab.close()


def test_forms(console, page_of, furnished) -> None:
    """The form of every act, as it is first seen."""
    for page in PAGES:
        for action in page.actions:
            role = min(action.roles)
            tab = page_of(role).open(f"{console.origin}{furnished.get(page.path, page.path)}/do/{action.act}?lang=id")
            take(tab, f"{page.name}-do-{action.act}")
            tab.close()


def test_ways_in_and_out(console, browser, page_of) -> None:
    """Login, a link, a page that one may not see, one that is not there, and the passkey asked for again."""
    context = browser.new_context(locale="id-ID", viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    token = console.invite("Tamu Gambar", Role.AUDITOR)
    for name, path in (("login", "login"), ("enrol", f"enrol#{token}"), ("enrol-void", "enrol#x")):
        tab.goto(f"{console.origin}/console/{path}")
        tab.locator("form[data-passkey]").wait_for()
        take(tab, name)
    context.close()
    for name, path in (("refused", "partners"), ("missing", "none")):
        tab = page_of(Role.ENGINEER).open(f"{console.origin}/console/{path}?lang=id")
        take(tab, name)
        tab.close()


def test_pictures_for_the_documents(console, page_of, furnished) -> None:
    """The few that docs/console.md and README show, small: copy them from `docs` in the folder."""
    (FOLDER / "docs").mkdir(exist_ok=True)
    shown = {
        "approval": ("approval", Role.APPROVER, 0), "editor": ("version", Role.REGISTRAR, 0),
        "proof": ("entry", Role.AUDITOR, 0),
        "failures": ("own_failures", Role.ENGINEER, 0), "duties": ("duties", Role.REGISTRAR, 0),
        "traffic": ("traffic", Role.AUDITOR, 0),
    }  # fmt: skip
    for name, (of, role, top) in shown.items():
        page = next(one for one in PAGES if one.name == of)
        page_of(role).open(f"{console.origin}/console/me?lang=en").close()
        tab = page_of(role).open(console.origin + furnished.get(page.path, page.path), width=1120)
        if of == "entry":
            tab.locator("[data-proof][data-state=good]").wait_for()
        clip = {"x": 0, "y": top, "width": 1120, "height": 900, "scale": 0.75}
        options = {"format": "webp", "quality": 80, "clip": clip, "captureBeyondViewport": True}
        taken = tab.context.new_cdp_session(tab).send("Page.captureScreenshot", options)
        (FOLDER / "docs" / f"{name}.webp").write_bytes(b64decode(taken["data"]))
        tab.close()
