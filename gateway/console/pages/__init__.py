"""Which pages are there? The one table: routes, menus, authorisation and the walking tests are made from it."""

from __future__ import annotations

from collections.abc import Collection

from gateway.console.frame.page import Page
from gateway.console.pages import approver, auditor, engineer, home, me, registrar, staff, traffic
from gateway.staff.roles import Role

PAGES: tuple[Page, ...] = (
    *home.PAGES,
    *engineer.PAGES,
    *approver.PAGES,
    *registrar.PAGES,
    *auditor.PAGES,
    *traffic.PAGES,
    *staff.PAGES,
    *me.PAGES,
)


def menu(roles: Collection[Role]) -> tuple[Page, ...]:
    """The pages that stand in the menu of whoever has these roles, in the order of the table."""
    return tuple(page for page in PAGES if page.menu and page.roles & set(roles))


def page_named(name: str) -> Page:
    """The page of this name."""
    return next(page for page in PAGES if page.name == name)
