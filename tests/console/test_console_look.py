"""Is every page usable by everybody? axe, the keyboard, both widths, both languages, light and dark."""

from __future__ import annotations

import pytest

from gateway.console.pages import PAGES
from gateway.staff.roles import Role


def reader(page) -> Role:
    """Whoever does most on a page, of those who may open it."""
    return max(sorted(page.roles), key=lambda role: sum(role in action.roles for action in page.actions))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_are_accessible(console, page_of, furnished, accessible, picture, page) -> None:  # noqa: PLR0913  fixtures
    """Axe finds nothing, wide and light, narrow and dark; nothing is cut off, from elsewhere, or against the policy."""
    entered = page_of(reader(page))
    entered.requests.clear()
    entered.complaints.clear()
    tab = entered.open(console.origin + furnished.get(page.path, page.path))
    picture(tab, f"{page.name}-1280")
    accessible(tab)
    tab.set_viewport_size({"width": 360, "height": 900})
    tab.emulate_media(color_scheme="dark")
    picture(tab, f"{page.name}-360-dark")
    accessible(tab, again=True)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert all(url.startswith((console.origin, "data:")) for url in entered.requests)
    assert entered.complaints == []
    tab.close()


@pytest.mark.parametrize("page", [one for one in PAGES if one.actions], ids=lambda page: page.name)
def test_forms_are_accessible(console, page_of, furnished, accessible, picture, page) -> None:  # noqa: PLR0913  fixtures
    """Axe finds nothing on the longest form of a page, with all that is wrong with it when nothing was filled in."""
    action = max(page.actions, key=lambda one: len(one.fields))
    tab = page_of(min(action.roles)).open(f"{console.origin}{furnished.get(page.path, page.path)}/do/{action.act}")
    if any(field.required and field.kind not in {"hidden", "fixed"} for field in action.fields):
        tab.locator("form.sheet button[type=submit]").click()
        tab.locator("[aria-invalid=true]").first.wait_for()
    picture(tab, f"{page.name}-{action.act}")
    accessible(tab)
    tab.close()


@pytest.mark.parametrize("path", ["/console/login", "/console/enrol"])
@pytest.mark.parametrize("language", ["id", "en"])
def test_the_way_in_is_accessible(console, browser, accessible, picture, path, language) -> None:  # noqa: PLR0913  fixtures
    """Login and enrolment, in both languages; the language can be chosen and stays."""
    context = browser.new_context(viewport={"width": 360, "height": 800})
    tab = context.new_page()
    tab.goto(f"{console.origin}{path}?lang={language}")
    assert tab.locator("html").get_attribute("lang") == language
    tab.goto(f"{console.origin}{path}")
    assert tab.locator("html").get_attribute("lang") == language
    accessible(tab)
    picture(tab, f"{path.rpartition('/')[2]}-{language}")
    context.close()


def test_the_keyboard_reaches_everything(console, page_of) -> None:
    """Tab alone goes through the skip link, the tools, the menu and the content, and shows where it is."""
    tab = page_of(Role.REGISTRAR).open(console.origin + "/console/partners")
    reached = []
    for _ in range(60):
        tab.keyboard.press("Tab")
        told = tab.evaluate(
            "(e => e === document.body ? '' : `${e.tagName} ${e.getAttribute('href') || e.id || e.className}|"
            "${getComputedStyle(e).outlineStyle}`)(document.activeElement)"
        )
        if not told:
            break
        reached.append(told)
    assert reached[0].startswith("A #main")
    wanted = tab.locator("a[href], button, summary, select, textarea, .scroll, input:not([type=hidden])")
    visible = [
        one
        for one in wanted.all()
        if one.is_visible() and one.evaluate("e => e.checkVisibility({visibilityProperty: true})")
    ]
    assert len(reached) >= len(visible) - 1
    assert all(each.endswith("|solid") for each in reached), reached
    tab.close()
