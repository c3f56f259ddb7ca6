"""How do people come to the console, stay and go, by its own pages? Proposed, invited, certified, suspended, dismissed."""

from __future__ import annotations

import itertools
import re
from html import unescape
from typing import Any

import pytest
from console_walk import give_authenticator
from deployment import CLOCK
from joserfc.jwk import ECKey

from gateway.administration.requests.partners import ApprovedDigest, SuspensionReason
from gateway.administration.requests.staff import NewMember
from gateway.administration.sign_in import digest
from gateway.staff.roles import Role
from gateway.staff.session import STEPPED_UP
from gateway.store.staff.tables import sessions

_numbers = itertools.count(1)
STAFF = "/console/staff"


@pytest.fixture(scope="module")
def read(http_of) -> Any:
    """What the registrar is shown: path → the page."""
    return http_of(Role.REGISTRAR).get


def approve(console: Any, proposed: dict[str, Any], person: str = "Demo Approver") -> dict[str, Any]:
    """The second person's word."""
    return dict(console.act("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), person))


def member(console: Any, *roles: str) -> tuple[str, str]:
    """(id, name) of somebody who was approved, and is not invited yet."""
    name = f"Nanda Anggota {next(_numbers)}"
    return str(
        approve(console, console.act("propose_member", {}, NewMember(name, [*roles]), "Demo Registrar"))["member"]
    ), name


def done(post_of: Any, id: str, act: str, fields: dict[str, Any] | None = None, role: Role = Role.REGISTRAR) -> Any:
    """The reply to a form of a member's page."""
    return post_of(role, f"{STAFF}/members/{id}/do/{act}", fields or {})


def test_a_person_is_proposed_and_the_page_says_who_goes_on(console, read, post_of) -> None:
    """What is missing is said beside its field; what was proposed leads to its proposal, where the registrar is told to wait."""
    path = f"{STAFF}/do/propose_member"
    empty = post_of(Role.REGISTRAR, path, {"person": "", "roles": []})
    assert empty.status_code == 422
    assert empty.text.count("Wajib diisi") >= 2
    name = f"Wulan Baru {next(_numbers)}"
    mixed = post_of(Role.REGISTRAR, path, {"person": name, "roles": ["registrar", "engineer"]})
    assert mixed.status_code in {400, 422}
    assert 'aria-invalid="true"' in mixed.text or "#f-roles" in mixed.text
    reply = post_of(Role.REGISTRAR, path, {"person": name, "roles": ["registrar", "auditor"]})
    assert reply.status_code == 303, reply.text
    page = read(reply.headers["location"]).text
    assert "Diusulkan; sekarang menunggu orang kedua" in page
    assert "Anda sendiri yang mengusulkan ini" in page
    id = re.search(r"/console/approvals/([0-9a-f-]{36})", reply.headers["location"]).group(1)
    assert console.view("approval", id=id)["about"]["roles"] == ["auditor", "registrar"]
    assert name not in read(f"{STAFF}?text={name}").text.partition("<tbody>")[2]


def test_the_list_tells_roles_state_certification_and_passkeys(console, read) -> None:
    """Name, roles in words, state, certification and how many passkeys; text, state and role narrow it."""
    id, name = member(console, "auditor")
    page = read(f"{STAFF}?text={name.upper()}&state=invited&role=auditor").text
    row = next(each for each in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if id in each)
    for words in (name, "Auditor", "Diundang", "Berlaku", ">0<"):
        assert words in row
    for query in ("state=enrolled", "role=approver", "text=Nobody"):
        assert id not in read(f"{STAFF}?{query}").text
    assert read(f"{STAFF}?state=nonsense").status_code == 400


def test_a_link_is_shown_once_with_what_to_tell_and_lets_in(console, page_of, browser, accessible, picture) -> None:
    """The registrar makes it, copies it, and sees it never again; whoever opens it makes a passkey; afterwards there is none."""
    id, name = member(console, "auditor")
    entered = page_of(Role.REGISTRAR)
    tab = entered.open(f"{console.origin}{STAFF}/members/{id}")
    of_session = sessions.c.cookie == digest(entered.cookie)  # as if the passkey had just been shown
    console.change(sessions, of_session, stepped_up_until=CLOCK.now() + STEPPED_UP)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=console.origin)
    assert "Buat tautan undangan" in tab.locator("main").inner_text()
    tab.get_by_role("button", name="Buat tautan undangan").click()
    tab.locator("form.sheet button[type=submit]").click()
    tab.locator("#once-link").wait_for()
    link = tab.locator("#once-link").inner_text()
    assert link.startswith(f"{console.origin}/console/enrol#")
    assert name in tab.locator("main").inner_text()
    assert tab.locator("ol.tell li").count() == 4
    tab.get_by_role("button", name="Salin").click()
    tab.get_by_role("button", name="Tersalin").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == link
    accessible(tab)
    picture(tab, "invitation")
    tab.get_by_role("button", name="Lanjut").click()
    assert "Tautan undangan sudah dibuat dan belum dipakai" in tab.locator("main").inner_text()
    assert link.partition("#")[2] not in tab.content()
    context = browser.new_context(locale="id-ID")
    other = context.new_page()
    give_authenticator(other)
    other.goto(link)
    other.locator("button[type=submit]:enabled").click()
    other.wait_for_url("**/console/me")
    context.close()
    tab.reload()
    assert tab.get_by_role("button", name="Buat tautan undangan").count() == 0
    assert "hanya memiliki satu kunci sandi" in tab.locator("main").inner_text()
    tab.close()


def test_nobody_certifies_themselves(console, page_of, read, post_of) -> None:
    """The own page offers no renewal and says why; tried all the same it is refused; another renews, for 92 days from now."""
    own = next(each for each in console.view("members")["items"] if each["person"] == page_of(Role.REGISTRAR).person)
    page = read(f"{STAFF}/members/{own['id']}").text
    assert "Ini Anda sendiri" in page
    assert "/do/recertify_member" not in page
    assert done(post_of, own["id"], "recertify_member").status_code == 403
    id, _ = member(console, "auditor")
    before = console.view("member", id=id)["certified_until"]
    for role in (Role.REGISTRAR, Role.APPROVER):
        reply = done(post_of, id, "recertify_member", role=role)
        assert reply.headers["location"] == f"{STAFF}/members/{id}?done=recertify_member"
    assert console.view("member", id=id)["certified_until"] >= before


def test_who_is_due_is_listed_the_soonest_first(console, read, post_of, http_of) -> None:
    """Whose certification ends within 30 days or has, and nobody else; a renewal takes the row away."""
    (first, _), (second, _), (third, _) = (member(console, "auditor") for _ in range(3))
    console.certified_for(first, -1)
    console.certified_for(second, 3)
    page = read(f"{STAFF}/certifications?limit=200").text
    ids = re.findall(rf'href="{STAFF}/members/([0-9a-f-]{{36}})"', page)
    assert [each for each in ids if each in {first, second, third}] == [first, second]
    assert "Telah berakhir" in page
    assert "Segera berakhir" in page
    assert done(post_of, second, "recertify_member", role=Role.APPROVER).status_code == 303
    assert second not in http_of(Role.APPROVER).get(f"{STAFF}/certifications?limit=200").text
    assert done(post_of, first, "recertify_member").status_code == 303


def test_a_suspension_ends_sessions_at_once_and_takes_two_to_lift(console, newcomer, read, post_of, http_of) -> None:
    """The suspended one is out with the next click; the approver of the resumption sees why, and it lets back in."""
    entered = newcomer(f"Gilang Tangguh {next(_numbers)}", Role.AUDITOR)
    id = next(each["id"] for each in console.view("members")["items"] if each["person"] == entered.person)
    tab = entered.context.pages[0]
    refused = done(post_of, id, "suspend_member", {"reason": ""})
    assert refused.status_code == 422
    assert done(post_of, id, "suspend_member", {"reason": "device_lost"}).status_code == 303
    tab.goto(console.origin + "/console/me")
    tab.wait_for_url("**/console/login**")
    page = read(f"{STAFF}/members/{id}").text
    assert "/do/propose_member_resume" in page
    assert "/do/suspend_member" not in page
    reply = done(post_of, id, "propose_member_resume")
    proposal = reply.headers["location"].partition("?")[0]
    words = unescape(http_of(Role.APPROVER).get(proposal).text)
    assert f"{entered.person} bekerja kembali di konsol" in words
    assert "Perangkat hilang" in words
    assert "Rina Registrar" in words
    approval = proposal.rpartition("/")[2]
    approve(console, {"approval": approval, "digest": console.view("approval", id=approval)["digest"]})
    tab.goto(console.origin + "/console/me")
    tab.locator("form[data-passkey=login] button").click()
    tab.wait_for_url("**/console/me")


def test_a_recovery_takes_two_and_leaves_no_old_passkey(console, newcomer, read, post_of) -> None:
    """Proposed by the registrar, approved by another: passkeys and sessions are gone, and the page offers a new invitation."""
    entered = newcomer(f"Ratna Hilang {next(_numbers)}", Role.AUDITOR)
    id = next(each["id"] for each in console.view("members")["items"] if each["person"] == entered.person)
    reply = done(post_of, id, "propose_recovery")
    approval = re.search(r"approvals/([0-9a-f-]{36})", reply.headers["location"]).group(1)
    assert console.view("member", id=id)["passkey_count"] == 1
    approve(console, {"approval": approval, "digest": console.view("approval", id=approval)["digest"]})
    held = console.view("member", id=id)
    assert (held["state"], held["passkey_count"], held["open_sessions"]) == ("invited", 0, 0)
    assert "/do/invite_member" in read(f"{STAFF}/members/{id}").text
    decided = read(f"/console/approvals/{approval}").text
    assert f'href="{STAFF}/members/{id}"' in decided


def test_sessions_are_ended_and_a_dismissal_takes_all(console, newcomer, read, post_of) -> None:
    """Sessions end at once and the person may come back; after the dismissal there is no such person."""
    entered = newcomer(f"Dodi Pergi {next(_numbers)}", Role.AUDITOR)
    id = next(each["id"] for each in console.view("members")["items"] if each["person"] == entered.person)
    assert done(post_of, id, "end_sessions").status_code == 303
    tab = entered.context.pages[0]
    tab.goto(console.origin + "/console/me")
    tab.locator("form[data-passkey=login] button").click()
    tab.wait_for_url("**/console/me")
    assert "Tidak dapat dibatalkan" in read(f"{STAFF}/members/{id}/do/dismiss_member").text
    assert done(post_of, id, "dismiss_member").headers["location"] == f"{STAFF}?done=dismiss_member"
    assert read(f"{STAFF}/members/{id}").status_code == 404
    tab.goto(console.origin + "/console/me")
    tab.wait_for_url("**/console/login**")


def test_a_form_that_somebody_overtook_is_not_done(console, read, post_of, http_of) -> None:
    """Somebody else suspended the person while the form was open: it says so, and dismisses nobody."""
    id, _ = member(console, "auditor")
    form = read(f"{STAFF}/members/{id}/do/dismiss_member").text
    hidden = {name: unescape(value) for name, value in re.findall(r'name="(csrf|match|seen)" value="([^"]*)"', form)}
    console.act("suspend_member", {"id": id}, SuspensionReason("incident"), "Demo Registrar")
    own = {"sec-fetch-site": "same-origin", "origin": console.origin}
    reply = http_of(Role.REGISTRAR).post(f"{STAFF}/members/{id}/do/dismiss_member", data=hidden, headers=own)
    assert reply.status_code == 412
    assert "Data berubah sementara itu" in reply.text
    assert console.view("member", id=id)["state"] == "suspended"
    assert done(post_of, id, "dismiss_member").status_code == 303


def test_machine_credentials_come_by_two_and_go_by_one(console, read, post_of) -> None:
    """Listed with whose they are; a public key is proposed, a broken one named; taking one away says which."""
    path, name = f"{STAFF}/credentials", f"mesin-halaman-{next(_numbers)}"
    fields = {"person": "Mira Mesin", "client_id": name, "scopes": ["partners.read"], "jwk": "{"}
    wrong = post_of(Role.REGISTRAR, f"{path}/do/propose_administrator", fields)
    assert wrong.status_code == 422
    assert "Bukan JSON yang sah" in wrong.text
    key = ECKey.generate_key("P-256").as_dict(private=False)
    both = {**fields, "jwk": str({**key, "kid": "m", "use": "sig", "alg": "ES256"}).replace("'", '"')}
    none = post_of(Role.REGISTRAR, f"{path}/do/propose_administrator", both | {"scopes": []})
    assert none.status_code == 422
    reply = post_of(Role.REGISTRAR, f"{path}/do/propose_administrator", both)
    approval = re.search(r"approvals/([0-9a-f-]{36})", reply.headers["location"]).group(1)
    approve(console, {"approval": approval, "digest": console.view("approval", id=approval)["digest"]})
    assert "Mira Mesin" in read(path).text
    asked = f"{path}/do/dismiss_administrator?credential={name}"
    assert f"<code>{name}</code>" in read(asked).text
    gone = post_of(Role.REGISTRAR, f"{path}/do/dismiss_administrator", {"credential": name}, page=asked)
    assert gone.status_code == 303
    assert name not in read(path).text


def test_an_approver_reads_and_only_certifies(console, http_of) -> None:
    """The approver's page of a person offers the renewal and nothing else; an id that is nobody's is not found, in words."""
    id, _ = member(console, "auditor")
    page = http_of(Role.APPROVER).get(f"{STAFF}/members/{id}").text
    assert re.findall(r"/do/([a-z_]+)", page) == ["recertify_member"]
    nobody = http_of(Role.APPROVER).get(f"{STAFF}/members/00000000-0000-7000-8000-000000000000")
    assert nobody.status_code == 404
    assert "<h1>" in nobody.text
