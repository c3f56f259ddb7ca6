"""Does the second person see what they answer for, and is nothing approved but what they saw, by nobody but them?"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from days import day
from deployment import Line, Partner
from joserfc.jwk import ECKey

from gateway.administration.requests.audit import NewAssignment
from gateway.administration.requests.partners import (
    ApprovedDigest,
    Exemption,
    NewAdministrator,
    NewKey,
    NewPartner,
    Nothing,
    Objection,
    Payment,
    SuspensionReason,
)
from gateway.administration.requests.staff import NewMember
from gateway.console.frame.words import Words
from gateway.partners.document import written_fields
from gateway.staff.roles import Role

PROPOSER = "Prita Pengusul"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def read(http_of) -> Any:
    """What the approver is shown: path → the page."""
    return http_of(Role.APPROVER).get


@pytest.fixture(scope="module")
def approver(console, page_of) -> Any:
    """The approver, who has just used the passkey once more: approving asks for that."""
    entered = page_of(Role.APPROVER)
    decide(console, entered, payment(console))
    return entered


def decide(console: Any, entered: Any, id: str) -> Any:
    """Approve by the page's own button, with the passkey when it is asked for; the tab as it stands then."""
    tab = entered.context.pages[0]
    tab.goto(f"{console.origin}/console/approvals/{id}")
    tab.get_by_role("button", name="Setujui").click()
    asked = tab.locator("form[data-passkey=step-up] button[type=submit]")
    asked.or_(tab.locator("section.note.good")).wait_for()
    if asked.count():
        asked.click()
        tab.wait_for_url("**done=approve")
    return tab


def jwk(kid: str) -> dict[str, Any]:
    """A new public key."""
    return {**ECKey.generate_key("P-256").as_dict(private=False), "use": "sig", "alg": "ES256", "kid": kid}


def payment(console: Any, amount: int = 25_000_000, reference: str = "", person: str = PROPOSER) -> str:
    """A prepayment that waits; the id of its proposal."""
    agreement = console.view("partner", id="bpjs")["agreements"][0]["agreement"]
    body = Payment(agreement, amount, reference or f"TRX-{next(_numbers)}-{amount}")
    return str(console.act("propose_payment", {"id": "bpjs"}, body, person)["approval"])


def registered(console: Any) -> str:
    """A new partner; its id."""
    body = NewPartner(f"Lembaga Usulan {next(_numbers)}", "ministry")
    return str(console.act("register_partner", {}, body, PROPOSER)["id"])


def text_of(page: str) -> str:
    """The words of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2])).split())


# ------------------------------------------------------------------------------------------------ the queue


def test_the_queue_holds_what_waits_the_oldest_first(console, read) -> None:
    """Each with what it would do, for whom, by whom; kind and partner narrow it; what was decided is gone from it."""
    first, second = payment(console, 1_111_000), payment(console, 2_222_000)
    id = registered(console)
    third = console.act("propose_exemption", {"id": id}, Exemption("ministry", "S-1/2026"), PROPOSER)["approval"]
    ids = re.findall(
        r'<th scope="row"><a href="/console/approvals/([0-9a-f-]{36})"', read("/console/approvals?limit=200").text
    )
    assert [each for each in ids if each in {first, second, third}] == [first, second, third]
    assert ids == sorted(ids)
    narrowed = read("/console/approvals?kind=exemption&partner=" + id).text
    assert third in narrowed
    assert first not in narrowed
    assert "Pembayaran Rp1.111.000" in read("/console/approvals?kind=payment&limit=200").text
    console.act("reject", {"id": third}, Objection("Keliru"), "Demo Approver")
    assert third not in read("/console/approvals?kind=exemption").text
    assert read("/console/approvals?kind=nonsense").status_code == 400


def test_an_own_proposal_is_greyed_with_the_reason(console, read, page_of, http_of) -> None:
    """Whoever proposed, drafted or is meant sees why it is not theirs to decide; others are asked to examine it."""
    person = page_of(Role.APPROVER).person
    own, others = payment(console, 3_333_000, person=person), payment(console)
    about = console.act("propose_recovery", {"id": member_of(console, person)}, Nothing(), PROPOSER)["approval"]
    rows = {
        re.search(r"/console/approvals/([0-9a-f-]{36})", row).group(1): row
        for row in re.findall(r"<tr>.*?</tr>", read("/console/approvals?limit=200").text, re.DOTALL)
        if "/console/approvals/" in row
    }
    assert '<small class="mine">Anda yang mengusulkan</small>' in rows[own]
    assert '<small class="mine">Tentang Anda</small>' in rows[about]
    assert "Periksa" in rows[others]
    assert 'class="mine"' not in rows[others]
    assert "Menunggu penyetuju" in http_of(Role.REGISTRAR).get("/console/approvals").text
    for id in (own, about):
        console.act("withdraw", {"id": id}, Objection("Selesai"), person if id == own else PROPOSER)


def member_of(console: Any, person: str) -> str:
    """The id of a member."""
    return str(next(each["id"] for each in console.view("members")["items"] if each["person"] == person))


# ---------------------------------------------------------------------------------------------- one proposal


def certificate(name: str) -> str:
    """A certificate of an institution, by an issuer."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    subject, issuer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (f"{name}.example", "BSrE Contoh")
    )
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now)
    signed = made.not_valid_after(dt.datetime(2035, 3, 4, tzinfo=dt.UTC)).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def _key(console: Any) -> tuple[str, list[str]]:
    key = jwk(f"kunci-{next(_numbers)}")
    body = NewKey(jwk=key, expires=day(400))
    told = console.act("propose_key", {"id": registered(console)}, body, PROPOSER)
    shown = [ECKey.import_key(key).thumbprint(), key["kid"], Words("id").day(day(400)), "memegang kunci pribadinya"]
    return told["approval"], shown


def _certificate(console: Any) -> tuple[str, list[str]]:
    body = NewKey(certificate=certificate("bank"))
    told = console.act("propose_key", {"id": registered(console)}, body, PROPOSER)
    return told["approval"], ["CN=BSrE Contoh", "CN=bank.example", "4 Mar 2035", "penerbitnya memang yang diharapkan"]


def _payment(console: Any) -> tuple[str, list[str]]:
    return payment(console, 12_345_000, "TRX/77"), ["Rp12.345.000", "TRX/77", "pks-bpjs", "rekening koran"]


def _exemption(console: Any) -> tuple[str, list[str]]:
    body = Exemption("ministry", "Surat S-9/2026", until="2035-12-31")
    told = console.act("propose_exemption", {"id": registered(console)}, body, PROPOSER)
    return told["approval"], ["Kementerian", "Surat S-9/2026", "31 Des 2035", "PP 10/2023"]


def _member(console: Any) -> tuple[str, list[str]]:
    name = f"Maya Calon {next(_numbers)}"
    told = console.act("propose_member", {}, NewMember(name, ["auditor", "registrar"]), PROPOSER)
    return told["approval"], [name, "Auditor, Petugas pendaftaran", "setiap peran diperlukan"]


def _recovery(console: Any) -> tuple[str, list[str]]:
    member = next(
        each
        for each in console.view("members")["items"]
        if (each["state"], each["roles"]) == ("enrolled", ["registrar"])
    )
    told = console.act("propose_recovery", {"id": member["id"]}, Nothing(), PROPOSER)
    wanted = [f"Pemulihan akses {member['person']}", "menelepon orangnya", "semua kunci sandi dan sesinya hilang"]
    return told["approval"], wanted


def _administrator(console: Any) -> tuple[str, list[str]]:
    key = jwk("m1")
    body = NewAdministrator(f"mesin-{next(_numbers)}", "Citra Mesin", ["partners.read"], key)
    told = console.act("propose_administrator", {}, body, PROPOSER)
    return told["approval"], ["Citra Mesin", "partners.read", ECKey.import_key(key).thumbprint()]


def _assignment(console: Any) -> tuple[str, list[str]]:
    body = NewAssignment("Demo Auditor", "ST/5/2026", ["bpjs"], "2026-02-03", "2026-03-04", day())
    told = console.act("propose_assignment", {}, body, PROPOSER)
    return told["approval"], ["ST/5/2026", "3 Feb 2026", "4 Mar 2026", "Demo Auditor", "surat tugasnya ada"]


def _resume(console: Any) -> tuple[str, list[str]]:
    id = registered(console)
    console.act("suspend_partner", {"id": id}, SuspensionReason("breach"), "Sari Penjaga")
    told = console.act("propose_partner_resume", {"id": id}, Nothing(), PROPOSER)
    return told["approval"], ["Mengapa ditangguhkan", "Pelanggaran perjanjian", "Sari Penjaga", "adakah buktinya"]


KINDS = [_key, _certificate, _payment, _exemption, _member, _recovery, _administrator, _assignment, _resume]


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: one.__name__.strip("_"))
def test_each_kind_shows_what_has_to_be_looked_at(console, read, page_of, accessible, picture, kind) -> None:  # noqa: PLR0913  fixtures
    """The facts of each kind and its list of what to look at, who proposed it, and the digest that is approved."""
    assert page_of(Role.REGISTRAR)
    id, wanted = kind(console)
    page = read(f"/console/approvals/{id}")
    words = text_of(page.text)
    assert not [each for each in wanted if each not in words], words
    digest = console.view("approval", id=id)["digest"]
    assert f"Diusulkan oleh {PROPOSER}" in words
    assert f"{digest[:8]}…{digest[-4:]}" in words
    assert digest in words
    tab = page_of(Role.APPROVER).open(f"{console.origin}/console/approvals/{id}", width=360, dark=True)
    accessible(tab)
    picture(tab, f"approval-{kind.__name__.strip('_')}")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.close()


def test_a_version_tells_its_changes_and_what_it_would_have_refused(console, read, page_of, accessible) -> None:
    """In words: what widens and narrows, how many of the last 30 days' answers it would have refused, by cause and purpose."""
    resident = console.deployment.active[5]

    async def ask() -> None:
        partner = await Partner(console.deployment).log_in()
        line = await Line.to(console.deployment.port)
        for _ in range(3):
            assert (await partner.verify(line, partner.question(resident))).status == 200
        line.leave()

    with ThreadPoolExecutor(1) as apart:  # the browser's driver has this thread's loop
        apart.submit(lambda: asyncio.run(ask())).result()
    held = console.view("agreement", a="pks-bpjs")
    fields = written_fields(console.view("version", a="pks-bpjs", v=str(held["version"]))["fields"])
    terms = fields["purposes"]["claim_eligibility"]
    fields["purposes"] = {**fields["purposes"], "claim_eligibility": {**terms, "decide": ["birth_date"]}}
    fields["allowance"] = {**fields["allowance"], "day": fields["allowance"]["day"] + 1_000}
    fields["dpia"] = {**fields["dpia"], "date": day()}
    made = console.act("draft_version", {"a": "pks-bpjs"}, fields, PROPOSER)
    path = {"a": "pks-bpjs", "v": str(made["version"])}
    id = console.act("propose_version", path, Nothing(), PROPOSER)["approval"]
    words = text_of(read(f"/console/approvals/{id}").text)
    counted = re.search(r"Versi ini akan menolak (\d+) dari (\d+) jawaban", words)
    assert counted, words
    assert 3 <= int(counted[1]) <= int(counted[2])
    assert f"Kelayakan klaim jaminan kesehatan {counted[1]}" in words
    assert re.search(r"Yang memperluas akses \(\d\): .*(Kuota|kuota|hari)", words), words
    assert f"/console/agreements/pks-bpjs/versions/{made['version']}" in read(f"/console/approvals/{id}").text
    tab = page_of(Role.APPROVER).open(f"{console.origin}/console/approvals/{id}", width=360)
    accessible(tab)
    tab.close()
    console.act("withdraw", {"id": id}, Objection("Selesai"), PROPOSER)


# ------------------------------------------------------------------------------------------------- decisions


def test_approving_asks_for_the_passkey_and_nothing_happens_without_it(console, newcomer, picture) -> None:
    """Without a fresh passkey the form is answered by the question for it; with it the proposal is approved."""
    entered = newcomer(f"Sita Setuju {next(_numbers)}", Role.APPROVER)
    id, tab = payment(console), entered.context.pages[0]
    tab.goto(f"{console.origin}/console/approvals/{id}")
    tab.get_by_role("button", name="Setujui").click()
    tab.locator("form[data-passkey=step-up]").wait_for()
    picture(tab, "approval-step-up")
    assert console.view("approval", id=id)["state"] == "open"
    tab.locator("form[data-passkey=step-up] button[type=submit]").click()
    tab.wait_for_url("**done=approve")
    assert f"Disetujui oleh {entered.person}" in tab.locator("main").inner_text()
    assert tab.get_by_role("button", name="Setujui").count() == 0
    assert console.view("approval", id=id)["state"] == "approved"
    tab.goto(f"{console.origin}/console/approvals/{payment(console)}")
    tab.get_by_role("button", name="Setujui").click()
    tab.wait_for_url("**done=approve")


def test_an_own_proposal_says_so_before_and_is_refused_when_tried(console, approver, read, post_of) -> None:
    """The page offers no approval and says kindly why; a form sent all the same is refused in words, and sealed."""
    id = payment(console, 4_444_000, person=approver.person)
    page = read(f"/console/approvals/{id}").text
    assert "Anda sendiri yang mengusulkan ini" in page
    assert "/do/approve" not in page
    reply = post_of(Role.APPROVER, f"/console/approvals/{id}/do/approve", {})
    assert reply.status_code == 403
    assert "Memerlukan orang kedua" in reply.text
    assert re.search(r"<code>[0-9a-f-]{36}</code>", reply.text)
    assert console.view("approval", id=id)["state"] == "open"
    console.act("withdraw", {"id": id}, Objection("Selesai"), approver.person)


def test_another_digest_than_the_one_seen_is_not_approved(console, approver, post_of) -> None:
    """The form names what its page showed: with another digest nothing is approved."""
    id = payment(console)
    assert approver
    reply = post_of(Role.APPROVER, f"/console/approvals/{id}/do/approve", {"digest": "A" * 43})
    assert reply.status_code == 412
    assert console.view("approval", id=id)["state"] == "open"


def test_what_has_changed_meanwhile_is_shown_and_not_approved(console, approver, read, http_of) -> None:
    """Two proposals credit one transfer: when one is approved the other's open form shows what changed, its page why it is over."""
    first, second = (payment(console, 5_555_000, "TRX-GANDA") for _ in range(2))
    path = f"/console/approvals/{second}"
    hidden = {
        name: unescape(value)
        for name, value in re.findall(r'name="(csrf|match|seen|digest)" value="([^"]*)"', read(path).text)
    }
    assert approver
    console.act("approve", {"id": first}, ApprovedDigest(console.view("approval", id=first)["digest"]), "Demo Approver")
    own = {"sec-fetch-site": "same-origin", "origin": console.origin}
    reply = http_of(Role.APPROVER).post(f"{path}/do/approve", data=hidden, headers=own)
    assert reply.status_code == 412
    assert re.search(r"Masih sesuai keadaan.*<del>\s*Ya\s*</del>.*<ins>\s*Tidak", reply.text, re.DOTALL)
    assert "Tetap lakukan" not in reply.text  # what can no longer be done is not offered
    page = read(path).text
    assert "Pengajuan ini tidak dapat disetujui lagi" in page
    assert "/do/approve" not in page
    assert "/do/reject" in page


def test_a_rejection_needs_a_reason_that_the_proposer_reads(console, read, post_of, http_of) -> None:
    """Without a reason the form says so; with one it is rejected, and stands first among the past decisions."""
    id = payment(console)
    path = f"/console/approvals/{id}/do/reject"
    empty = post_of(Role.APPROVER, path, {"reason": ""})
    assert empty.status_code == 422
    assert "Wajib diisi" in empty.text
    done = post_of(Role.APPROVER, path, {"reason": "Jumlahnya tidak cocok"})
    assert done.headers["location"] == f"/console/approvals/{id}?done=reject"
    assert "Jumlahnya tidak cocok" in http_of(Role.REGISTRAR).get(f"/console/approvals/{id}").text
    history = read("/console/decisions").text
    assert re.search(r'href="/console/approvals/([0-9a-f-]{36})', history.partition("<tbody>")[2]).group(1) >= id
    assert "Jumlahnya tidak cocok" in history
    assert "Jumlahnya tidak cocok" not in read("/console/decisions?state=approved").text


def test_a_proposer_withdraws_and_nobody_else(console, page_of, http_of, post_of) -> None:
    """The registrar who proposed it is offered that, and no other; approver and registrar alike see it as withdrawn."""
    own = payment(console, 6_666_000, person=page_of(Role.REGISTRAR).person)
    other = payment(console)
    assert "/do/withdraw" in http_of(Role.REGISTRAR).get(f"/console/approvals/{own}").text
    assert "/do/withdraw" not in http_of(Role.REGISTRAR).get(f"/console/approvals/{other}").text
    refused = post_of(Role.REGISTRAR, f"/console/approvals/{other}/do/withdraw", {"reason": "coba"})
    assert refused.status_code == 412
    assert console.view("approval", id=other)["state"] == "open"
    done = post_of(Role.REGISTRAR, f"/console/approvals/{own}/do/withdraw", {"reason": "keliru"})
    assert done.status_code == 303
    assert "Ditarik oleh" in text_of(http_of(Role.APPROVER).get(f"/console/approvals/{own}").text)
