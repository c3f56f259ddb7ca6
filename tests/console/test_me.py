"""What can somebody do about the own access? A second passkey, other sessions, language and appearance; and what lapses."""

from __future__ import annotations

import itertools
import re
from typing import Any

from console_walk import give_authenticator
from deployment import CLOCK

from gateway.administration.sign_in import digest
from gateway.staff.roles import Role
from gateway.staff.session import STEPPED_UP
from gateway.store.staff.tables import sessions

_numbers = itertools.count(1)
ME = "/console/me"


def tabs_of(console: Any, entered: Any) -> Any:
    """Another tab of the same person, on another device: it has an authenticator of its own."""
    tab = entered.context.new_page()
    give_authenticator(tab)
    tab.goto(console.origin + ME)
    return tab


def test_a_second_passkey_is_added_used_and_the_last_one_stays(console, newcomer, accessible, picture) -> None:
    """The page asks for a second one; added, it lets in; the first can go then, and the one that is left cannot."""
    entered = newcomer(f"Dua Kunci {next(_numbers)}", Role.AUDITOR)
    # As if it had just been shown: a tab of its own has an authenticator of its own, which does not hold the first one.
    of_session = sessions.c.cookie == digest(entered.cookie)
    console.change(sessions, of_session, stepped_up_until=CLOCK.now() + STEPPED_UP)
    tab = tabs_of(console, entered)
    assert "hanya memiliki satu kunci sandi" in tab.locator("main").inner_text()
    assert tab.locator("a[href*=remove_passkey]").count() == 0
    tab.get_by_label("Nama kunci sandi").fill("Kunci kantor <b>")
    tab.get_by_role("button", name="Tambah kunci sandi").click()
    tab.locator("#table-passkeys tbody tr").nth(1).wait_for()
    rows = tab.locator("#table-passkeys tbody tr")
    assert "Kunci kantor <b>" in rows.nth(1).inner_text()
    assert "hanya memiliki satu" not in tab.locator("main").inner_text()
    accessible(tab)
    picture(tab, "me-two")
    rows.nth(0).get_by_role("link", name="Hapus kunci sandi").click()
    tab.locator("form.sheet button[type=submit]").click()
    # The session was begun with the key that is gone: it has ended with it.
    tab.wait_for_url("**/console/login**")
    tab.locator("form[data-passkey=login] button").click()
    tab.wait_for_url(f"**{ME}**")
    assert tab.locator("#table-passkeys tbody tr").count() == 1
    assert "Kunci terakhir tidak dapat dihapus" in tab.locator("#table-passkeys").inner_text()
    (left,) = console.view("member", id=member_of(console, entered.person))["passkeys"]
    tab.goto(f"{console.origin}{ME}/do/remove_passkey?passkey={left['id']}")
    tab.locator("form.sheet button[type=submit]").click()
    tab.locator("form[data-passkey=step-up] button").click()  # to remove one asks for one
    tab.locator("[role=alert]:not([hidden])").first.wait_for()
    assert console.view("member", id=member_of(console, entered.person))["passkey_count"] == 1


def member_of(console: Any, person: str) -> str:
    """The id of a member."""
    return str(next(each["id"] for each in console.view("members")["items"] if each["person"] == person))


def test_sessions_are_told_apart_and_all_others_ended(console, newcomer) -> None:
    """This session is marked; another is ended from its row, all others by one button, and this one goes on."""
    entered = newcomer(f"Banyak Sesi {next(_numbers)}", Role.AUDITOR)
    tab = entered.context.pages[0]
    for left in (1, 2):
        for _ in range(left):  # the cookie is forgotten, the session is not
            entered.context.clear_cookies()
            tab.goto(f"{console.origin}/console/login?lang=id")
            tab.locator("form[data-passkey=login] button").click()
            tab.wait_for_url("**/console")
        tab.goto(console.origin + ME)
        rows = tab.locator("#table-sessions tbody tr")
        assert rows.count() == 1 + left
        assert rows.filter(has_text="Sesi ini").count() == 1
        if left == 1:
            rows.filter(has_text="Perangkat lain").get_by_role("link").click()
        else:
            tab.get_by_role("button", name="Akhiri semua sesi lain").click()
        tab.locator("form.sheet button[type=submit]").click()
        tab.wait_for_url("**done=**")
        assert tab.locator("#table-sessions tbody tr").count() == 1
        assert tab.locator("a[href*='do/end_other_sessions']").count() == 0


def test_a_session_that_is_not_the_own_is_nobodys_to_end(http_of, post_of) -> None:
    """A session that is none of the reader's is not found, and nothing ends."""
    for act in ("end_session", "end_other_sessions"):
        reply = post_of(Role.APPROVER, f"{ME}/do/{act}", {"session": "0" * 36}, page=f"{ME}/do/{act}?session=0")
        assert reply.status_code == 404, act
    assert http_of(Role.APPROVER).get(ME).status_code == 200


def test_roles_are_told_in_words(http_of) -> None:
    """Everybody reads what each role of theirs may do, and what it may not."""
    assert "Tidak dapat menyetujui" in http_of(Role.REGISTRAR).get(ME).text
    assert "Tidak dapat mengusulkan" in http_of(Role.APPROVER).get(ME).text
    assert "lembaganya sendiri" in http_of(Role.ENGINEER).get(ME).text


def test_language_and_appearance_are_chosen_and_stay(console, newcomer) -> None:
    """Chosen here, they hold on every page that follows, and each is marked as chosen."""
    tab = newcomer(f"Pilih Bahasa {next(_numbers)}", Role.AUDITOR).context.pages[0]
    tab.goto(console.origin + ME)
    settings = tab.locator("section:has(#appearance)")
    settings.get_by_role("link", name="English").click()
    settings.get_by_role("link", name="Dark appearance").click()
    tab.goto(f"{console.origin}/console/nothing")
    assert tab.locator("html").get_attribute("lang") == "en"
    assert tab.locator("html").get_attribute("data-theme") == "dark"
    tab.goto(console.origin + ME)
    assert settings.locator("[aria-current]").all_inner_texts() == ["English", "Dark appearance"]
    settings.get_by_role("link", name="Appearance of the device").click()
    assert tab.locator("html").get_attribute("data-theme") is None


def test_whoever_is_not_certified_sees_the_own_account_alone(console, newcomer, accessible, picture) -> None:
    """Soon over, the page says how soon; over, it says so, the menu is gone, and every other page refuses with the reason."""
    entered = newcomer(f"Lewat Waktu {next(_numbers)}", Role.REGISTRAR)
    id, tab = member_of(console, entered.person), entered.context.pages[0]
    console.certified_for(id, 5)
    tab.goto(console.origin + ME)
    assert re.search(r"berakhir [45] hari lagi", tab.locator("main").inner_text())
    console.certified_for(id, -1)
    tab.goto(console.origin + "/console")
    tab.wait_for_url(f"**{ME}")
    assert "Sertifikasi akses Anda telah berakhir" in tab.locator("main").inner_text()
    assert tab.locator("nav.menu").count() == 0
    accessible(tab)
    picture(tab, "me-lapsed")
    refused = tab.goto(console.origin + "/console/partners")
    assert refused.status == 403
    assert "Sertifikasi akses Anda telah berakhir" in tab.locator("main").inner_text()
    assert tab.locator("main .actions a").get_attribute("href") == ME
    console.certified_for(id, 90)
    assert tab.goto(console.origin + "/console/partners").status == 200
