"""Does the work get done? Partners are registered and suspended, in forms, with passkeys, with somebody else at the same time."""

from __future__ import annotations

import itertools
import re

from console_walk import give_authenticator

from gateway.administration.requests.partners import SuspensionReason
from gateway.console.frame.forms import fill
from gateway.console.frame.page import Field
from gateway.staff.roles import Role

_numbers = itertools.count(1)


def registered(post_of) -> str:
    """A new partner, registered by its form; its id."""
    name = f"Bank Formulir {next(_numbers)}"
    reply = post_of(Role.REGISTRAR, "/console/partners/do/register_partner", {"name": name, "class": "bank"})
    assert reply.status_code == 303, reply.text
    found = re.fullmatch(r"/console/partners/([^?]+)\?done=register_partner", reply.headers["location"])
    assert found
    return found.group(1)


def test_a_partner_is_registered_and_suspended_without_script(console, browser, page_of, post_of) -> None:
    """Plain forms do all of it: the page says what was done, and offers only what can still be done."""
    id = registered(post_of)
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(page_of(Role.REGISTRAR).context.cookies())
    tab = context.new_page()
    tab.goto(f"{console.origin}/console/partners/{id}")
    tab.get_by_role("button", name="Suspend the partner").or_(
        tab.get_by_role("button", name="Tangguhkan lembaga")
    ).click()
    tab.locator("select").select_option("incident")
    tab.locator("button.grave[type=submit]").click()
    assert tab.locator(".note.good[role=status]").count() == 1
    assert tab.locator(".badge.bad").count() == 1
    assert tab.locator("a.grave[role=button]").count() == 0
    context.close()


def test_a_name_that_is_taken_is_said_above_the_form(post_of) -> None:
    """A conflict shows the form again with what was typed, the words of the refusal and the id of its entry."""
    fields = {"name": f"Bank Kembar {next(_numbers)}", "class": "bank"}
    assert post_of(Role.REGISTRAR, "/console/partners/do/register_partner", fields).status_code == 303
    reply = post_of(Role.REGISTRAR, "/console/partners/do/register_partner", fields)
    assert reply.status_code == 412
    assert fields["name"] in reply.text
    assert re.search(r"<code>[0-9a-f-]{36}</code>", reply.text)


def test_a_stale_form_shows_what_changed(console, http_of, post_of) -> None:
    """Somebody suspends the partner while the form is open: nothing is done, and the page shows then and now."""
    id = registered(post_of)
    path = f"/console/partners/{id}/do/suspend_partner"
    client = http_of(Role.REGISTRAR)
    hidden = {
        name: value.replace("&#34;", '"')
        for name, value in re.findall(r'name="(csrf|match|seen)" value="([^"]*)"', client.get(path).text)
    }
    console.act("suspend_partner", {"id": id}, SuspensionReason("incident"), "Demo Registrar")
    own = {"sec-fetch-site": "same-origin"}
    reply = client.post(path, data=hidden | {"reason": "breach"}, headers=own)
    assert reply.status_code == 412
    assert '<table class="difference">' in reply.text
    assert re.search(r"<del>\s*Tidak\s*</del>.*<ins>\s*Ya\s*</ins>", reply.text, re.DOTALL)


def test_a_query_starts_a_form_and_takes_nothing_away(http_of, post_of) -> None:
    """What a link names is filled in; what it does not name starts as it would without, in forms and in filters."""
    id = registered(post_of)
    form = http_of(Role.REGISTRAR).get(f"/console/partners/{id}/do/suspend_partner?reason=breach").text
    assert re.search(r'<option value="breach" selected', form)
    assert re.search(r'name="match" value="[\w-]{27}"', form)
    fields = [Field("count", "number", value="=25"), Field("kind"), Field("mine", "yes", value="=yes")]
    named = {one.field.name: one.values for one in fill(fields, {"kind": ["answer"]}, None, {})}
    assert named == {"count": ("25",), "kind": ("answer",), "mine": ()}
    emptied = {one.field.name: one.values for one in fill(fields, {"count": [""]}, None, {})}
    assert emptied["count"] == ("",)


def test_passkeys_let_in_and_out_and_in_again(console, browser, accessible, picture) -> None:
    """Enrol, log out, log in without a name and come to where one wanted to go; the link of the invitation is used up."""
    context = browser.new_context(locale="en-GB")
    tab = context.new_page()
    give_authenticator(tab)
    token = console.invite(f"Sari Pintu {next(_numbers)}", Role.APPROVER)
    tab.goto(f"{console.origin}/console/enrol#{token}")
    tab.locator("button[type=submit]:enabled").click()
    tab.wait_for_url("**/console/me")
    assert token not in tab.evaluate("[location.href, document.documentElement.outerHTML].join()")
    tab.get_by_role("button", name="Log out").click()
    tab.wait_for_url("**/console/login?out*")
    picture(tab, "login-out")
    accessible(tab)
    tab.goto(f"{console.origin}/console/partners")
    tab.locator("form[data-passkey=login] button").click()
    tab.wait_for_url("**/console/partners")
    tab.goto(f"{console.origin}/console/enrol#{token}")
    assert tab.locator("[data-error]:visible").text_content()
    context.close()
