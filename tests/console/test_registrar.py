"""Does a registrar get the work done? Partners and their keys, agreements written as forms, duties, imports from a file."""

from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey
from playwright.sync_api import expect

from gateway.administration.requests.partners import ApprovedDigest
from gateway.staff.roles import Role

_numbers = itertools.count(1)
WHO = Role.REGISTRAR
SIDES = [
    {"name": "Budi Contoh", "office": "Direktur Jenderal", "side": "directorate"},
    {"name": "Sri Contoh", "office": "Direktur Utama", "side": "partner"},
]


class Form(HTMLParser):
    """What a browser would send of the form with this id (or of those that post), without any of its buttons."""

    def __init__(self, text: str, id: str = "") -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._id, self._in, self._select, self._area = id, False, "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        held = dict(attrs)
        if tag == "form":
            self._in = held.get("id") == self._id if self._id else held.get("method") == "post"
        if not self._in or "disabled" in held:
            return
        name = held.get("name", "")
        if tag == "input" and held.get("type") not in {"file", "submit"}:
            if held.get("type") in {"radio", "checkbox"} and "checked" not in held:
                return
            self.fields.setdefault(name, []).append(held.get("value", ""))
        elif tag == "select":
            self._select = name
            self.fields.setdefault(name, [""])
        elif tag == "option" and "selected" in held:
            self.fields[self._select] = [held.get("value", "")]
        elif tag == "textarea":
            self._area = name
            self.fields.setdefault(name, [""])

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area][0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        if tag == "form":
            self._in = False


@pytest.fixture(scope="module")
def send(console, http_of):
    """(path, form, what is typed, the button that is pressed) → the reply, as a browser sends it."""

    def sent(path: str, form: dict[str, list[str]], typed: dict[str, Any], do: str):
        headers = {"origin": console.origin, "sec-fetch-site": "same-origin"}
        return http_of(WHO).post(path, data={**form, **typed, "do": do}, headers=headers)

    return sent


def drafted(post_of, kind: str = "bank") -> tuple[str, str]:
    """A new partner with an empty draft, both by their forms: its id, and the path of the draft."""
    name = f"Bank Rancang {next(_numbers)}"
    reply = post_of(WHO, "/console/partners/do/register_partner", {"name": name, "class": kind})
    partner = re.fullmatch(r"/console/partners/([^?]+)\?.*", reply.headers["location"]).group(1)
    reply = post_of(WHO, f"/console/partners/{partner}/do/draft_agreement", {})
    return partner, reply.headers["location"].partition("?")[0]


def whole() -> dict[str, Any]:
    """Everything that an agreement must say, as it is typed."""
    typed: dict[str, Any] = {
        "supervising_ministry": "Otoritas Jasa Keuangan", "term.starts": "2026-01-01", "term.ends": "2031-01-01",
        "purposes.account_opening.sector_law": "customer due diligence", "purposes.account_opening.disclosure": "reason",
        "purposes.account_opening.claims.name": "decide", "purposes.account_opening.claims.birth_date": "decide",
        "access.method": "dpop", "access.addresses.0": "203.0.113.0/24", "access.hours.from": "06:00", "access.hours.to": "22:00",
        "allowance.burst": "50", "allowance.day": "20.000", "allowance.month": "400.000", "allowance.tariff": "1.000",
        "duties.return_data.due": "2035-02-10", "duties.return_data.every_months": "1",
        "duties.semester_report.due": "2035-07-31", "duties.semester_report.every_months": "6",
        "dpia.reference": "DPIA/2026/1", "dpia.date": "2026-01-05", "breach_contact.name": "Pusat Insiden",
        "breach_contact.email": "insiden@contoh.example", "data_protection_officers.0.name": "Rina",
        "data_protection_officers.0.email": "pdp@contoh.example", "suspension.grounds.0": "semester report late",
        "termination.grounds.0": "end of term", "termination.notice_days": "30",
    }  # fmt: skip
    for name in ("mou", "pks"):
        typed |= {f"{name}.number": f"{name}/1", f"{name}.date": "2025-12-01", f"{name}.file_sha256": "0" * 64}
        for place, signatory in enumerate(SIDES):
            typed |= {f"{name}.signatories.{place}.{key}": value for key, value in signatory.items()}
    return typed


def test_a_draft_is_saved_incomplete_and_resumed(http_of, post_of, send) -> None:
    """What is typed is kept though most is missing; each missing field is named with a link to it."""
    _, path = drafted(post_of)
    page = http_of(WHO).get(path).text
    reply = send(path, Form(page, "editor").fields, {"supervising_ministry": "OJK", "mou.number": "7/MOU"}, "save")
    assert reply.status_code == 303, reply.text
    page = http_of(WHO).get(path).text
    assert 'value="7/MOU"' in page
    assert 'href="#a-pks-number"' in page
    assert 'id="a-pks-number"' in page
    assert 'href="#a-mou-number"' not in page


def test_rows_are_added_and_removed_by_buttons(http_of, post_of, send) -> None:
    """A button adds an empty row and another takes one away; everything else that was typed stays, and nothing is saved."""
    _, path = drafted(post_of)
    form = Form(http_of(WHO).get(path).text, "editor").fields
    reply = send(path, form, {"mou.number": "8/MOU"}, "add:mou.signatories")
    reply = send(path, Form(reply.text, "editor").fields, {"mou.signatories.0.name": "Satu"}, "add:mou.signatories")
    reply = send(path, Form(reply.text, "editor").fields, {"mou.signatories.1.name": "Dua"}, "remove:mou.signatories.0")
    fields = Form(reply.text, "editor").fields
    assert fields["mou.signatories.0.name"] == ["Dua"]
    assert "mou.signatories.1.name" not in fields
    assert fields["mou.number"] == ["8/MOU"]
    assert "8/MOU" not in http_of(WHO).get(path).text


def test_a_purpose_starts_from_the_closed_list(http_of, post_of, send) -> None:
    """A purpose that is added has its deciding elements and its legal basis already, and only elements that it may have."""
    _, path = drafted(post_of)
    form = Form(http_of(WHO).get(path).text, "editor").fields
    reply = send(path, form, {"purpose": "sim_registration"}, "add:purposes")
    fields = Form(reply.text, "editor").fields
    assert fields["purposes.sim_registration.claims.name"] == ["decide"]
    assert fields["purposes.sim_registration.legal_basis"] == ["legal_obligation"]
    assert "purposes.sim_registration.claims.family_card_number" in fields
    assert "purposes.sim_registration.claims.mother_name" not in fields


def test_a_fault_stands_beside_its_field(http_of, post_of, send) -> None:
    """What was typed is kept as it is, and said to be wrong in the language of the page."""
    _, path = drafted(post_of)
    form = Form(http_of(WHO).get(path).text, "editor").fields
    send(path, form, {"allowance.day": "banyak", "access.addresses.0": "0.0.0.0/0"}, "save")
    page = http_of(WHO).get(path).text
    field = re.search(
        r'<div class="field of-number wrong">(?:(?!<div).)*name="allowance\.day".*?</div>', page, re.DOTALL
    )
    assert field
    assert 'value="banyak"' in field.group()
    assert "bilangan bulat" in field.group()
    assert "membuka akses bagi seluruh internet" in page


def test_a_whole_draft_is_proposed_approved_and_followed(console, http_of, post_of, send) -> None:
    """From nothing to a version in force by forms and a second person; the next version starts from it, and tells its change."""
    partner, path = drafted(post_of)
    form = Form(http_of(WHO).get(path).text, "editor").fields
    reply = send(path, form, whole(), "propose")
    assert reply.status_code == 303
    assert reply.headers["location"] == f"{path}/do/propose_version", http_of(WHO).get(path).text
    proposed = post_of(WHO, f"{path}/do/propose_version", {})
    assert proposed.status_code == 303, proposed.text
    page = http_of(WHO).get(path).text
    assert 'id="editor"' not in page
    approval = re.search(r"do/withdraw\?approval=([0-9a-f-]+)", page).group(1)
    told = http_of(WHO).get("/console/drafts?mine=yes").text
    assert approval in told
    digest = re.search(r"<code>([A-Za-z0-9_-]{43})</code>", page).group(1)
    console.act("approve", {"id": approval}, ApprovedDigest(digest), "Demo Approver")
    assert "Berlaku" in http_of(WHO).get(path).text
    reply = post_of(WHO, f"{path}/do/draft_version", {})
    following = reply.headers["location"].partition("?")[0]
    assert following.endswith("/versions/2")
    form = Form(http_of(WHO).get(following).text, "editor").fields
    assert form["allowance.day"] == ["20000"]
    assert form["access.hours.from"] == ["06:00"]
    typed = {"allowance.day": "30000", "dpia.date": "2026-06-01"}
    assert send(following, form, typed, "save").status_code == 303
    page = http_of(WHO).get(following).text
    changes = page[page.index('id="changes"') :]
    assert "<del>20.000</del>" in changes
    assert "<ins>30.000</ins>" in changes
    assert "Memperluas akses" in changes
    assert partner in page


def test_a_draft_without_change_equals_what_it_was_made_from(http_of, post_of, send) -> None:
    """What the form does not change it does not lose: a copy of the version in force that is saved as it is has its digest."""
    reply = post_of(WHO, "/console/agreements/pks-bpjs/versions/1/do/draft_version", {})
    path = reply.headers["location"].partition("?")[0]
    send(path, Form(http_of(WHO).get(path).text, "editor").fields, {}, "save")
    page = http_of(WHO).get(path).text
    assert "Tidak ada yang berubah." in page
    assert "Lengkap. Rancangan dapat diajukan." in page
    versions = http_of(WHO).get("/console/agreements/pks-bpjs?csv=versions").text.splitlines()[1:]
    assert len({line.rpartition(",")[2] for line in versions if line[:2] in {"1,", f"{path.rpartition('/')[2]},"}}) == 1


def test_a_stale_draft_shows_what_changed_and_keeps_what_was_typed(http_of, post_of, send) -> None:
    """Somebody else has saved meanwhile: nothing is written, both are shown, and saving again goes through."""
    _, path = drafted(post_of)
    form = Form(http_of(WHO).get(path).text, "editor").fields
    assert send(path, form, {"mou.number": "orang lain"}, "save").status_code == 303
    reply = send(path, form, {"mou.number": "saya", "pks.number": "juga saya"}, "save")
    assert reply.status_code in {409, 412}
    assert "<ins>orang lain</ins>" in reply.text
    fields = Form(reply.text, "editor").fields
    assert fields["mou.number"] == ["saya"]
    assert 'value="orang lain"' in http_of(WHO).get(path).text
    assert send(path, fields, {}, "save").status_code == 303
    assert 'value="juga saya"' in http_of(WHO).get(path).text


def test_who_approves_reads_a_draft_and_does_not_write_it(console, http_of, post_of) -> None:
    """An approver is shown the draft without a form; one that is sent all the same is refused, and changes nothing."""
    _, path = drafted(post_of)
    client = http_of(Role.APPROVER)
    page = client.get(path)
    assert page.status_code == 200
    assert 'id="editor"' not in page.text
    form = {**Form(page.text).fields, "mou.number": ["bukan saya"], "match": ["*"], "do": ["save"]}
    headers = {"origin": console.origin, "sec-fetch-site": "same-origin"}
    assert client.post(path, data=form, headers=headers).status_code == 403
    assert "bukan saya" not in client.get(path).text


def test_a_proposal_is_withdrawn_by_its_proposer(http_of, post_of, send) -> None:
    """The version is a draft again, with everything in it."""
    _, path = drafted(post_of)
    send(path, Form(http_of(WHO).get(path).text, "editor").fields, whole(), "save")
    post_of(WHO, f"{path}/do/propose_version", {})
    approval = re.search(r"do/withdraw\?approval=([0-9a-f-]+)", http_of(WHO).get(path).text).group(1)
    page = f"{path}/do/withdraw?approval={approval}"
    assert post_of(WHO, f"{path}/do/withdraw", {"reason": "masih keliru"}, page).status_code == 303
    assert 'value="mou/1"' in http_of(WHO).get(path).text


def test_a_draft_is_discarded_from_its_page_and_from_the_list(http_of, post_of) -> None:
    """After a page that says what happens; it is in no list any more, and the approver was never offered it."""
    _, path = drafted(post_of)
    link = f"{path}/do/discard_draft"
    assert link in http_of(WHO).get("/console/drafts?mine=yes&limit=200").text
    assert link in http_of(WHO).get(path).text
    assert link not in http_of(Role.APPROVER).get(path).text
    assert "tidak dapat dikembalikan" in http_of(WHO).get(link).text
    done = post_of(WHO, link, {})
    assert (done.status_code, done.headers["location"]) == (303, "/console/drafts?done=discard_draft")
    assert link not in http_of(WHO).get("/console/drafts?done=discard_draft&limit=200").text
    assert "Rancangan telah dibuang" in http_of(WHO).get("/console/drafts?done=discard_draft").text
    assert http_of(WHO).get(path).status_code == 404


def test_a_key_is_read_back_before_it_is_proposed(console, http_of, post_of) -> None:
    """The first sending shows kid, algorithm and end and proposes nothing; the second one proposes."""
    partner, _ = drafted(post_of)
    path = f"/console/partners/{partner}/keys/do/propose_key"
    jwk = {**ECKey.import_key(ec.generate_private_key(ec.SECP256R1())).as_dict(private=False), "kid": "kunci-1"}
    shown = post_of(WHO, path, {"key": json.dumps(jwk)})
    assert shown.status_code == 200
    assert "kunci-1" in shown.text
    assert "ES256" in shown.text
    done = http_of(WHO).post(
        path, data=Form(shown.text).fields, headers={"origin": console.origin, "sec-fetch-site": "same-origin"}
    )
    assert done.status_code == 303, done.text


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("halo", "bukan JWK"),
        ('{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}', "PRIVAT"),
        ('{"kty":"oct","k":"AAAA"}', "PRIVAT"),
        ('{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}', "tidak diterima"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "tidak terbaca"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "PRIVAT"),
    ],
)
def test_a_key_that_is_none_is_said_beside_the_field(post_of, pasted, said) -> None:
    """Every way in which it is wrong has its own words."""
    reply = post_of(WHO, "/console/partners/bpjs/keys/do/propose_key", {"key": pasted})
    assert reply.status_code == 422
    assert re.search(rf'id="f-key-error">[^<]*{said}', reply.text)


def test_a_key_officer_sees_partners_and_keys_alone(http_of) -> None:
    """Partners and keys open; agreements, drafts, duties and imports do not, nor does the money of a partner."""
    client = http_of(Role.KEY_OFFICER)
    assert client.get("/console/partners/bpjs/keys").status_code == 200
    page = client.get("/console/partners/bpjs")
    assert page.status_code == 200
    assert "/console/agreements/" not in page.text
    assert "do/propose_payment" not in page.text
    for path in ("agreements/pks-bpjs", "agreements/pks-bpjs/versions/1", "drafts", "duties", "agreements/import"):
        assert client.get(f"/console/{path}").status_code == 403, path


def test_the_list_of_partners_is_narrowed(http_of) -> None:
    """By a part of the name, the class and the state."""
    client = http_of(WHO)
    assert "/console/partners/bpjs" in client.get("/console/partners?text=BPJS").text
    assert "/console/partners/bpjs" not in client.get("/console/partners?text=tidak-ada").text
    assert "/console/partners/bpjs" not in client.get("/console/partners?class=bank").text
    assert "/console/partners/bpjs" not in client.get("/console/partners?state=suspended").text


def test_duties_stand_by_month_and_are_written_down(http_of, post_of) -> None:
    """A delivery settles a duty of the calendar, and is shown among what was delivered."""
    client = http_of(WHO)
    before = client.get("/console/duties?partner=tax").text
    due = re.search(
        r"<strong>([^<]+)</strong><small>[^<]*</small></span>\s*<span class=\"what\"><strong>Data balikan", before
    )
    assert due
    path = "/console/agreements/pks-tax/do/deliver"
    reply = post_of(WHO, path, {"duty": "return_data", "reference": "BA/77/2026"}, f"{path}?duty=return_data")
    assert reply.status_code == 303, reply.text
    after = client.get("/console/duties?partner=tax").text
    assert "BA/77/2026" in after
    calendar = after[: after.index('id="table-delivered"')]
    assert not re.search(
        re.escape(due.group(1)) + r"</strong><small>[^<]*</small></span>\s*<span class=\"what\"><strong>Data balikan",
        calendar,
    )


def lines(*agreements: dict[str, Any]) -> str:
    return "\n".join(json.dumps(one) for one in agreements)


def agreement(partner: str) -> dict[str, Any]:
    """An agreement as a file of an import holds it."""
    party = {"sector_law": "law", "disclosure": "status", "decide": ["name", "birth_date"]}
    instrument = {"number": "1", "date": "2025-12-01", "file_sha256": "0" * 64, "signatories": SIDES}
    return {
        "id": f"impor-{next(_numbers)}", "partner": partner, "supervising_ministry": "OJK",
        "term": {"starts": "2026-01-01", "ends": "2036-01-01"}, "mou": instrument, "pks": instrument,
        "purposes": {"account_opening": party}, "access": {"method": "dpop", "addresses": ["203.0.113.0/24"]},
        "allowance": {"burst": 5, "day": 100, "month": 1000, "tariff": 1000},
        "duties": {name: {"due": "2035-01-31", "every_months": 6} for name in ("return_data", "semester_report")},
        "dpia": {"reference": "D", "date": "2026-01-01"}, "data_protection_officers": [{"name": "R", "email": "r@c.example"}],
        "breach_contact": {"name": "R", "email": "r@c.example"}, "suspension": {"grounds": ["late"]},
        "termination": {"grounds": ["end"]},
    }  # fmt: skip


def test_a_file_is_tried_line_by_line_before_it_is_imported(http_of, post_of, send) -> None:
    """The trial tells each line and makes nothing; with one fault nothing is made; then all of it is."""
    partner, _ = drafted(post_of)
    path = "/console/agreements/import"
    good, bad = agreement(partner), {**agreement(partner), "partner": "tak-dikenal"}
    page = Form(http_of(WHO).get(path).text).fields
    tried = send(path, page, {"text": lines(good, bad)}, "dry")
    assert tried.status_code == 422
    assert "belum terdaftar" in tried.text
    assert 'name="do" value="real"' not in tried.text
    sound = send(path, page, {"text": lines(good)}, "dry")
    assert sound.status_code == 200
    assert http_of(WHO).get(f"/console/agreements/{good['id']}").status_code == 404
    made = send(path, Form(sound.text, "real").fields, {}, "real")
    assert made.status_code == 200, made.text
    assert http_of(WHO).get(f"/console/agreements/{good['id']}/versions/1").status_code == 200


def test_a_file_comes_as_a_file_too(console, http_of, post_of) -> None:
    """A browser without script sends it as multipart; a line that is no JSON is told by its number."""
    partner, _ = drafted(post_of)
    client = http_of(WHO)
    path = "/console/agreements/import"
    token = Form(client.get(path).text).fields["csrf"][0]
    headers = {"origin": console.origin, "sec-fetch-site": "same-origin"}
    one = agreement(partner)

    def upload(text: str):
        files = {"file": ("a.ndjson", text.encode(), "application/x-ndjson")}
        return client.post(path, data={"csrf": token, "do": "dry", "text": ""}, files=files, headers=headers)

    assert one["id"] in upload(lines(one)).text
    broken = upload(lines(one) + "\n{bukan json")
    assert broken.status_code == 422
    assert "Baris 2" in broken.text


def test_an_agreement_is_suspended_by_one_purpose_resumed_and_ended(http_of, post_of) -> None:
    """At once by one person; to resume it is a proposal; what has ended offers nothing more."""
    path = "/console/agreements/pks-small"
    purposes = re.findall(r'<option value="([a-z_]+)"', http_of(WHO).get(f"{path}/do/suspend_agreement").text)
    reply = post_of(WHO, f"{path}/do/suspend_agreement", {"purpose": purposes[0], "reason": "breach"})
    assert reply.status_code == 303, reply.text
    page = http_of(WHO).get(path).text
    assert "do/propose_resume" in page
    assert post_of(WHO, f"{path}/do/propose_resume", {}).status_code == 303
    assert post_of(WHO, f"{path}/do/terminate_agreement", {"reason": "by_law"}).status_code == 303
    assert "/do/" not in http_of(WHO).get(path).text.replace("/do/draft_version", "")


def test_a_payment_and_an_exemption_are_proposed(post_of) -> None:
    """Each waits for a second person; an exemption with an end that is over is said beside its field."""
    partner, _ = drafted(post_of)
    path = f"/console/partners/{partner}/do"
    fields = {"agreement": f"pks-{partner}", "amount": "Rp25.000.000", "reference": f"TRF/{partner}"}
    assert post_of(WHO, f"{path}/propose_payment", fields).status_code == 303
    late = post_of(WHO, f"{path}/propose_exemption", {"ground": "cooperative", "proof": "S/1", "until": "2020-01-01"})
    assert 'id="f-until-error"' in late.text
    good = post_of(WHO, f"{path}/propose_exemption", {"ground": "cooperative", "proof": "S/1", "until": "2035-01-01"})
    assert good.status_code == 303


def test_the_editor_is_usable_by_everybody(console, page_of, post_of, accessible, picture) -> None:
    """It has no finding of axe, and the keyboard goes on in a row that was added; leaving what is not saved is asked about."""
    _, path = drafted(post_of)
    tab = page_of(WHO).open(console.origin + path)
    accessible(tab)
    tab.locator("button[value='add:mou.signatories']").click()
    expect(tab.locator("[name='mou.signatories.0.name']")).to_be_focused()
    accessible(tab)
    picture(tab, "registrar-editor")
    asked: list[str] = []
    tab.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    tab.goto(f"{console.origin}/console/partners")
    assert asked == ["beforeunload"]
    tab.close()
