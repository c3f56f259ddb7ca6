"""What if there is very much of something? Long lists go on page by page, files end with a word, and strangers are slowed down."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from deployment import Deployment
from visitor import Visitor

from gateway.staff.roles import Role
from gateway.store.partners.tables import partners

MOST_ROWS = 10_000  # of a file
MANY = MOST_ROWS + 50
FAILURES = 40


@pytest.fixture(scope="module")
def crowd(console) -> Iterator[Any]:
    """A deployment of its own with more partners than a file holds, where few failures of one address are allowed."""
    deployment = type(console)(Deployment(settings=f'[door]\nfailures = "{FAILURES}/minute"\n'))
    try:
        deployment.put(
            partners, [(f"zz{number:05d}", f"=Lembaga {number:05d}", "bank", False) for number in range(MANY)]
        )
        deployment.deployment.start()
        yield deployment
        deployment.deployment.stop()
    finally:
        deployment.close()
        deployment.deployment.close()


@pytest.fixture(scope="module")
def registrar(crowd) -> Visitor:
    """The registrar there."""
    return crowd.visitor("Rina Ramai", Role.REGISTRAR)  # type: ignore[no-any-return]  of a fixture


def test_a_long_list_goes_on_page_by_page(registrar) -> None:
    """Fifty at a time; every page leads to the next one and back to the start, and no partner comes twice or is left out."""
    seen: list[str] = []
    path = "/console/partners?text=lembaga"
    for _ in range(3):
        page = registrar.get(path).text
        seen += re.findall(r'href="/console/partners/(zz\d{5})"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        assert following
        path = following.group(1).replace("&amp;", "&")
        assert "text=lembaga" in path
    assert seen == [f"zz{number:05d}" for number in range(150)]
    last = registrar.get(f"/console/partners?text=lembaga&cursor=zz{MANY - 3:05d}").text
    assert 'rel="next"' not in last
    assert "Ke awal" in last
    assert re.findall(r'href="/console/partners/(zz\d{5})"', last) == [f"zz{MANY - 2:05d}", f"zz{MANY - 1:05d}"]


def test_a_page_of_a_list_is_renewed_in_its_place(crowd, browser, registrar) -> None:
    """With script the list alone is renewed: the address tells which page it is, and the keyboard goes on in the table."""
    context = browser.new_context()
    host = {"domain": "localhost", "path": "/", "secure": True, "httpOnly": True, "sameSite": "Strict"}
    context.add_cookies([{"name": "__Host-session", "value": registrar.cookie, **host}])
    tab = context.new_page()
    tab.goto(f"{crowd.origin}/console/partners?text=lembaga&lang=id")
    tab.evaluate("window.same = true")
    tab.get_by_role("button", name="Berikutnya").click()
    tab.get_by_role("link", name="Lembaga 00050").wait_for()
    assert tab.evaluate("window.same") is True
    assert "cursor=zz00049" in tab.url
    assert tab.evaluate("document.activeElement.className") == "scroll"
    tab.get_by_role("button", name="Ke awal").click()
    tab.get_by_role("link", name="Lembaga 00000").wait_for()
    context.close()


def test_a_file_that_is_cut_says_so(registrar) -> None:
    """All pages of a list are in its file, up to the bound; then a last line says that there is more. Formulas are text."""
    whole = registrar.get("/console/partners?csv=partners&text=Lembaga 000")
    rows = list(csv.reader(io.StringIO(whole.content.decode("utf-8-sig"))))
    assert [row[1] for row in rows[1:]] == [f"zz{number:05d}" for number in range(100)]
    assert rows[1][0] == "'=Lembaga 00000"
    cut = list(csv.reader(io.StringIO(registrar.get("/console/partners?csv=partners").content.decode("utf-8-sig"))))
    assert len(cut) == 1 + MOST_ROWS + 1
    assert cut[-1] == ["Berkas ini dipotong pada 10.000 baris. Persempit saringannya untuk memperoleh sisanya."]


def test_who_proves_nothing_too_often_is_told_to_wait(crowd, registrar) -> None:
    """Cookies of nobody are counted by address: past the limit a page in words with the time to wait; others go on."""
    stranger = Visitor(crowd.origin, "127.0.0.7")
    told = None
    for _ in itertools.repeat(None, 4 * FAILURES):
        told = stranger.get("/console/me", headers={"cookie": "__Host-session=" + "A" * 43})
        if told.status_code != 303:
            break
    assert told is not None
    assert told.status_code == 429
    assert int(told.headers["retry-after"]) > 0
    assert "Terlalu banyak permintaan" in told.text
    assert stranger.get("/console/login").status_code == 429
    assert registrar.get("/console/me").status_code == 200
