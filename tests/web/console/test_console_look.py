"""Is every page usable by everybody? axe, the keyboard, both widths, both languages, light and dark."""

from __future__ import annotations

import pytest
from console_walk import concrete, openable

from gateway.staff.roles import Role
from gateway.web.console.pages import PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)], ids=["wide-light", "narrow-dark"])
def test_pages_are_accessible(  # noqa: PLR0913, PLR0917  fixtures
    console, page_of, http_of, accessible, picture, page, width, dark
) -> None:
    """Axe finds nothing, nothing is wider than the window, nobody else is asked for anything, nothing breaks the policy."""
    for role in sorted(page.roles & openable()):
        entered = page_of(role)
        for path in concrete(page, http_of(role)):
            entered.requests.clear()
            entered.complaints.clear()
            tab = entered.open(console.origin + path, width=width, dark=dark)
            picture(tab, f"{page.name}-{role}-{width}{'-dark' if dark else ''}")
            accessible(tab)
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert all(url.startswith((console.origin, "data:")) for url in entered.requests)
            assert entered.complaints == []
            tab.close()


@pytest.mark.parametrize("page", [one for one in PAGES if one.actions], ids=lambda page: page.name)
def test_forms_are_accessible(console, page_of, http_of, accessible, picture, page) -> None:  # noqa: PLR0913  fixtures
    """Axe finds nothing on the form of any action, empty or with what is wrong with it."""
    for action in page.actions:
        for role in sorted(action.roles & openable())[:1]:
            entered = page_of(role)
            for path in concrete(page, http_of(role)):
                tab = entered.open(f"{console.origin}{path}/do/{action.act}")
                accessible(tab)
                picture(tab, f"{page.name}-{action.act}")
                if any(field.required and field.kind != "hidden" for field in action.fields):
                    tab.locator("form.sheet button[type=submit]").click()
                    assert tab.locator("[aria-invalid=true]").count() > 0
                    accessible(tab)
                    picture(tab, f"{page.name}-{action.act}-wrong")
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
