"""What does an auditor see at the console, and does the browser really prove it? Ledger, findings, residents, incidents."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from days import day
from deployment import HOUSE, Line, Partner, wait_for
from logs import checker

from gateway.administration.requests.audit import NewAssignment
from gateway.administration.requests.partners import ApprovedDigest, Nothing
from gateway.clock import DAY, HOUR, SECOND, rfc3339_seconds
from gateway.console.frame.words import Words
from gateway.console.pages import PAGES
from gateway.console.pages.countdown import ago, countdown
from gateway.ledger.check.findings import RULES
from gateway.ledger.log.entry import Kind
from gateway.ledger.log.members import MEANINGS
from gateway.ledger.log.merkle import leaf_hash
from gateway.ledger.log.note import b64_decode
from gateway.ledger.log.proof import verify_inclusion
from gateway.ledger.publication.receipt import Receipt
from gateway.partners.approvals import Widening
from gateway.register.reasons import REASONS
from gateway.staff.roles import Role
from gateway.web.api.administration import ROWS

PARTNERS = ["tax", "dukcapil"]  # of whose questions no other test asks
UNKNOWN = [f"320101010190{serial:04d}" for serial in range(8001, 8015)]


def assign(console: Any, auditor: str, partners: list[str]) -> str:
    """An assignment over a month, proposed and approved by others; its id."""
    body = NewAssignment(auditor, "ST/17/2026", partners, day(-30), day(1), day(30))
    proposed = console.act("propose_assignment", {}, body, "Demo Registrar")
    made = console.act("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Demo Approver")
    return str(made["assignment"])


@pytest.fixture(scope="module")
def resident(console) -> dict[str, Any]:
    """Somebody about whom a partner asked three times, beside questions about fourteen NIKs that nobody has."""
    someone: dict[str, Any] = console.deployment.active[3]

    async def ask() -> None:
        partner = await Partner(console.deployment, "tax", "taxpayer_registration").log_in()
        line = await Line.to(console.deployment.port)
        known = partner.question(someone)
        for question in [known, known, known, *(known | {"nik": nik} for nik in UNKNOWN)]:
            assert (await partner.verify(line, question)).status == 200
        line.leave()

    with ThreadPoolExecutor(1) as apart:  # the browser's driver has this thread's loop
        apart.submit(lambda: asyncio.run(ask())).result()
    sealed = len(console.deployment.ledger()[0])
    public = f"{console.origin}/ledger/checkpoint"
    wait_for("a checkpoint over them", lambda: int(httpx.get(public).text.split("\n")[1]) >= sealed)
    return someone


@pytest.fixture(scope="module")
def auditor(console, page_of) -> Any:
    """The auditor, with an assignment over a partner who asked and over the staff."""
    entered = page_of(Role.AUDITOR)
    assign(console, entered.person, PARTNERS)
    return entered


@pytest.fixture(scope="module")
def read(auditor, resident, http_of) -> Any:
    """What the auditor is shown: path → the page."""
    assert auditor
    assert resident
    return http_of(Role.AUDITOR).get


@pytest.fixture(scope="module")
def answered(read) -> str:
    """The path of the newest answer to the partner."""
    links = re.findall(r'href="(/console/ledger/entries/[0-9a-f-]{36})"', read("/console/ledger?kind=answer").text)
    return str(links[-1])


# ----------------------------------------------------------------------------------------------- assignments


def test_without_an_assignment_every_page_says_who_can_give_one(console, resident, read, http_of, post_of) -> None:
    """Once the assignments are taken back no entry is shown, and each page names who proposes one and who approves it."""
    listed = http_of(Role.REGISTRAR).get("/console/assignments").text
    person = re.search(r'<li class="who"><a[^>]*>([^<]+)', read("/console/me").text).group(1)
    for id in re.findall(r'href="/console/assignments/([0-9a-f-]+)">', listed):
        console.act("end_assignment", {"id": id}, Nothing(), "Demo Registrar")
    for path in ("ledger", "findings", "sample?seed=1", "export?limit=100"):
        reply = read(f"/console/{path}")
        assert reply.status_code == 200, reply.text[-1500:]
        assert "Anda tidak memiliki penugasan yang berlaku" in reply.text
        assert "Petugas pendaftaran mengajukan penugasan" in reply.text
        assert "<table" not in reply.text
    refused = post_of(Role.AUDITOR, "/console/who-asked", {"nik": resident["nik"]})
    assert refused.status_code == 403
    assert "Mintalah petugas pendaftaran" in refused.text
    assert resident["nik"] not in refused.text
    assign(console, person, PARTNERS)
    assert "<table" in read("/console/ledger").text


def test_a_registrar_proposes_and_ends_an_assignment(console, auditor, http_of, post_of) -> None:
    """What is proposed waits for another person; once approved it is listed; one person ends it, after seeing what that means."""
    fields = {
        "auditor": auditor.person, "letter": "ST/99/2026", "partners": "bank, small", "since": day(-3), "until": day(),
        "expires": day(5),
    }  # fmt: skip
    path = "/console/assignments/do/propose_assignment"
    wrong = post_of(Role.REGISTRAR, path, fields | {"partners": "nobody-known"})
    assert wrong.status_code == 400
    assert "nobody-known" in wrong.text
    done = post_of(Role.REGISTRAR, path, fields)
    assert (done.status_code, done.headers["location"]) == (303, "/console/assignments?done=propose_assignment")
    registrar = http_of(Role.REGISTRAR)
    assert "ST/99/2026" not in registrar.get("/console/assignments").text
    body = NewAssignment(auditor.person, "ST/99/2026", ["bank", "small"], day(-3), day(), day(5))
    waiting = console.act("propose_assignment", {}, body, "Demo Registrar")
    made = console.act("approve", {"id": waiting["approval"]}, ApprovedDigest(waiting["digest"]), "Demo Approver")
    own = f"/console/assignments/{made['assignment']}"
    assert own in registrar.get("/console/assignments").text
    ended = post_of(Role.REGISTRAR, f"{own}/do/end_assignment", {})
    assert ended.status_code == 303
    after = registrar.get(own).text
    assert "Diakhiri" in after
    assert "do/end_assignment" not in after
    assert "ST/99/2026" in http_of(Role.AUDITOR).get("/console/my-assignments").text


# ---------------------------------------------------------------------------------------------------- ledger


def test_the_ledger_is_searched_within_the_assignment(read) -> None:
    """Filters narrow it, other partners are refused in words beside the form, which keeps what was typed."""
    found = read("/console/ledger?kind=answer&outcome=unknown").text
    assert found.count('href="/console/ledger/entries/') == len(UNKNOWN)
    refused = read("/console/ledger?partner=bank")
    assert refused.status_code == 200
    assert "Surat tugas tidak mencakup pencarian ini" in refused.text
    assert 'value="bank"' in refused.text
    assert "/console/ledger/entries/" not in refused.text


def test_the_ledger_pages_by_the_entry_that_came_last(read) -> None:
    """Each page continues behind the last entry of the one before, and together they are all of them."""
    path, seen = "/console/ledger?kind=answer&partner=tax&limit=7", []
    while path:
        page = read(path).text
        seen += re.findall(r'href="/console/ledger/entries/([0-9a-f-]{36})"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following.group(1).replace("&amp;", "&") if following else ""
    assert len(seen) == len(set(seen)) == len(UNKNOWN) + 3
    assert seen == sorted(seen)


def test_an_entry_says_what_each_digest_commits_to(read, answered) -> None:
    """Leaf member by member in words, the private part as far as it is kept, and no NIK anywhere."""
    page = read(answered).text
    for member in ("v", "id", "at", "kind", "actor", "agreement", "purpose", "answer", "request", "private"):
        assert f'data-leaf="{member}"' in page
    assert "Mengikat jawaban atau penolakan" in page
    assert "<code>subject</code>" in page
    assert not re.search(r"\b[0-9]{16}\b", re.sub(r"<[^>]*>", " ", page))


def test_every_kind_and_every_member_is_explained() -> None:
    """Kinds of entries, members of private parts and rules of findings all have their words, in both languages."""
    needed = {f"{table}.{kind}" for kind in Kind for table in ("choice", "kind")} | {
        f"private.of.{name}" for name in MEANINGS
    }
    needed |= {f"{table}.{rule}" for rule in RULES for table in ("choice", "rule")}
    for language in ("id", "en"):
        words = Words(language)
        assert {key for key in needed if not words.has(key)} == set()


def test_whatever_was_read_or_done_is_told_in_words(read) -> None:
    """Views, reasons and decisions: the column of outcomes names each of them, in both languages; the page shows no slug."""
    needed = {
        "receipt",
        *REASONS,
        *(row.does for row in ROWS if row.reads),
        *(ask.view for one in PAGES for ask in one.asks),
    }
    needed |= {
        f"{how}_{what}" for how in ("propose", "approve", "rejected", "withdrawn") for what in map(str, Widening)
    }
    for language in ("id", "en"):
        assert {slug for slug in needed if not Words(language).has(f"choice.{slug}")} == set()
    assert read("/console/ledger").status_code == 200  # this search is an entry of the next one
    page = read("/console/ledger?partner=dukcapil&outcome=search").text.partition('id="table-entries"')[2]
    assert "Pencarian jejak audit" in page
    page += read("/console/ledger?partner=dukcapil").text.partition('id="table-entries"')[2]
    assert not {slug for slug in needed if f">{slug}<" in page}


# ----------------------------------------------------------------------------------------------------- proof


class Meddling:
    """A tab in which a page is changed on its way to the browser."""

    def __init__(self, auditor: Any, url: str) -> None:
        self.url, self.change, self.keys = url, (lambda text: text), ""
        self.tab = auditor.context.new_page()
        self.tab.route(url, self._meddle)
        self.tab.route("**/ledger/keys", self._give_keys)

    def _meddle(self, route: Any) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, body=self.change(reply.text()))

    def _give_keys(self, route: Any) -> None:
        if self.keys:
            route.fulfill(body=self.keys, content_type="text/plain")
        else:
            route.continue_()

    def verdict(self) -> tuple[str, str]:
        """(how it ended: good, warn or bad; what was said)."""
        self.tab.goto(self.url)
        proof = self.tab.locator("[data-proof]:not([data-state=wait])[data-state]")
        proof.wait_for()
        return str(proof.get_attribute("data-state")), self.tab.locator("[data-verdict]").inner_text()


@pytest.fixture
def meddling(console, auditor, answered) -> Iterator[Meddling]:
    """The page of an answer, to be changed on its way."""
    made = Meddling(auditor, console.origin + answered)
    yield made
    made.tab.close()


def other(text: str) -> str:
    """The text with its first letter or digit changed into another."""
    return ("B" if text[0] == "A" else "A") + text[1:]


def url_safe(text: str) -> str:
    """The base64url without padding of what is base64."""
    return text.replace("+", "-").replace("/", "_").rstrip("=")


def given(name: str) -> re.Pattern[str]:
    """Where a page holds what its checker is given."""
    return re.compile(rf'(data-given="{name}">)([^<]+)')


def test_a_browser_proves_an_entry(console, auditor, answered, accessible, picture) -> None:
    """Leaf, every step to the root, signature: shown one after the other; nothing but this house is asked; axe is content."""
    auditor.requests.clear()
    tab = auditor.open(console.origin + answered)
    tab.locator("[data-proof][data-state=good]").wait_for()
    assert "Terbukti" in tab.locator("[data-verdict]").inner_text()
    hashes = tab.locator("[data-given=hash]").count()
    assert tab.locator(".climb .pair").count() == hashes > 0
    assert tab.locator(".climb > li").count() == hashes + 5  # read, private part, leaf, root, signature
    assert all(url.startswith((console.origin, "data:")) for url in auditor.requests)
    assert f"{console.origin}/ledger/keys" in auditor.requests
    tab.get_by_role("button", name="Periksa lagi").click()
    tab.locator("[data-proof][data-state=good]").wait_for()
    accessible(tab)
    picture(tab, "proof-good")
    tab.close()


def test_what_a_browser_proves_is_what_the_program_proves(read, answered) -> None:
    """The page's receipt holds in the gateway's own checker, and is the same proof that the browser was given."""
    page = read(answered).text
    receipt = Receipt.parse(unquote(re.search(r'href="data:text/plain;charset=utf-8,([^"]+)"', page).group(1)))
    hashes = [url_safe(base64.b64encode(one).decode()) for one in receipt.path]
    assert [match[1] for match in given("hash").findall(page)] == hashes


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("leaf", "lain daripada daun|tidak terbaca"),
        ("hash", "tidak sampai ke akar"),
        ("index", "tidak sampai ke akar|terlalu"),
        ("size", "tidak sampai ke akar|terlalu"),
        ("private", "bukan yang diikat daun|tidak terbaca"),
    ],
)
def test_one_byte_changed_is_refused_in_red(meddling, accessible, picture, name, words) -> None:
    """Whatever the page is given to prove: with one byte of it changed it says so, why, and what to do."""
    digit = name in {"index", "size"}
    meddling.change = lambda text: given(name).sub(
        lambda found: found[1] + (str(int(found[2]) ^ 1) if digit else other(found[2])), text, count=1
    )
    state, said = meddling.verdict()
    assert state == "bad"
    assert "TIDAK TERBUKTI" in said
    assert re.search(words, said), said
    assert "Jangan memakai entri ini sebagai bukti" in said
    bad = meddling.tab.locator(".climb > li.bad")
    assert bad.count() == 1
    assert bad.locator("code").count() in (0, 2)
    accessible(meddling.tab)
    picture(meddling.tab, f"proof-bad-{name}")


def test_a_member_shown_otherwise_than_sealed_is_refused(meddling) -> None:
    """A page that shows another purpose than the leaf has is caught by the leaf."""
    meddling.change = lambda text: text.replace('data-leaf="purpose">taxpayer_', 'data-leaf="purpose">somebody_')
    state, said = meddling.verdict()
    assert state == "bad"
    assert "lain daripada daun" in said


def test_a_changed_checkpoint_is_refused_by_its_signature(meddling) -> None:
    """A checkpoint of another log's name is signed by nobody; one with another signature is wrong."""
    meddling.change = lambda text: re.sub(
        r'(data-given="checkpoint">)localhost|(data-given="checkpoint">)1', r"\1\g<2>2", text
    )
    state, said = meddling.verdict()
    assert state == "bad"
    assert "Tidak satu pun kunci" in said
    meddling.change = lambda text: re.sub(
        r"(— \S+ )([A-Za-z0-9+/]{20})(.)", lambda found: found[1] + found[2] + other(found[3]), text, count=1
    )
    state, said = meddling.verdict()
    assert state == "bad"
    assert "Tanda tangan checkpoint salah" in said


def test_keys_of_somebody_else_prove_nothing(meddling, read) -> None:
    """Where the house gives out other keys than the log was signed with, nothing is proven."""
    name, _, rest = read("/ledger/keys").text.partition("+")
    raw = bytes([1, *range(32)])
    id = sha256(f"{name}\n".encode() + raw).hexdigest()[:8]
    meddling.keys = f"{name}+{id}+{base64.b64encode(raw).decode()}\n"
    state, said = meddling.verdict()
    assert state == "bad"
    assert "Tidak satu pun kunci" in said
    meddling.keys = f"{name}+00000000+{rest.partition('+')[2]}"
    assert meddling.verdict()[0] == "bad"


def test_a_browser_without_ed25519_says_so(meddling) -> None:
    """The path is still proven; of the signature the page says honestly that this browser could not check it."""
    meddling.tab.add_init_script(
        "SubtleCrypto.prototype.importKey = () => Promise.reject(new DOMException('', 'NotSupportedError'))"
    )
    state, said = meddling.verdict()
    assert state == "warn"
    assert "tidak dapat diperiksa di peramban ini" in said
    assert "belum mengenal Ed25519" in meddling.tab.locator(".climb > li.wait").inner_text()


def test_an_entry_that_no_checkpoint_covers_yet_says_so(console, auditor, answered) -> None:
    """A page without a proof has none to draw, and says when to look again."""
    tab = auditor.context.new_page()
    without = re.compile(r'<section class="list proof".*?</section>', re.DOTALL)

    def meddle(route: Any) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, body=without.sub("", reply.text()))

    tab.route(console.origin + answered, meddle)
    faults: list[str] = []
    tab.on("pageerror", lambda fault: faults.append(str(fault)))
    tab.goto(console.origin + answered)
    assert tab.locator("[data-proof]").count() == 0
    assert faults == []
    tab.close()


def test_cosignatures_of_witnesses_are_verified(console, auditor) -> None:
    """The checkpoint of the vectors, with its witness: both signatures are shown good; another signature of it is refused."""
    vectors = json.loads((HOUSE / "checker" / "vectors.json").read_text("utf-8"))
    made = Meddling(auditor, f"{console.origin}/console/checkpoint")
    made.keys = vectors["vkey"] + "\n"
    witness = f'<code hidden data-given="witness">{vectors["witness"]}</code></section>'
    note = vectors["checkpoint"]

    def change(text: str) -> str:
        return given("checkpoint").sub(lambda found: found[1] + note, text).replace("</section>", witness, 1)

    made.change = change
    assert made.verdict()[0] == "good"
    assert "Saksi witness.example/w1 ikut menandatangani" in made.tab.locator(".climb").inner_text()
    note = re.sub(r"(— witness\S+ \S{40})(.)", lambda found: found[1] + other(found[2]), note)
    state, said = made.verdict()
    assert state == "bad"
    assert "Tanda tangan checkpoint salah" in said
    made.tab.close()


def test_the_script_and_the_checker_agree_on_the_vectors(console, auditor) -> None:
    """proof.js finds the leaf hashes, roots, proofs, signature and cosignature of checker/vectors.json as the checker does."""
    vectors = json.loads((HOUSE / "checker" / "vectors.json").read_text("utf-8"))
    tab = auditor.open(console.origin + "/console/me")
    told = tab.evaluate(
        """async ([url, vectors]) => {
            const proof = await import(url);
            const leaves = vectors.leaves.map((one) => new TextEncoder().encode(one.leaf));
            const hashes = await Promise.all(leaves.map(proof.leafHash));
            const roots = [];
            for (const { index, size, path } of vectors.inclusion) {
                const steps = await proof.climb(hashes[index], index, size, path.map(proof.bytesOf));
                roots.push(proof.textOf(steps.length ? steps.at(-1).node : hashes[index]));
            }
            const faults = [];
            for (const { index, size, path } of vectors.inclusion)
                for (const wrong of [path.slice(1), [...path, vectors.roots[1]]])
                    if (wrong.length !== path.length)
                        await proof
                            .climb(hashes[index], index, size, wrong.map(proof.bytesOf))
                            .catch((one) => faults.push(one.word));
            const note = proof.parseNote(vectors.checkpoint);
            const keys = await Promise.all([vectors.vkey, vectors.witness].map(proof.parseKey));
            const signers = await proof.signedBy(note, keys);
            return [hashes.map(proof.textOf), roots, faults, proof.textOf(note.root), signers.map((one) => one.type)];
        }""",
        [f"{console.origin}/console/static/proof.js", vectors],
    )
    plain = [one["hash"] for one in vectors["leaves"]]
    assert [url_safe(one) for one in plain] == told[0]
    assert [url_safe(vectors["roots"][one["size"]]) for one in vectors["inclusion"]] == told[1]
    assert set(told[2]) == {"length"}
    assert told[3] == url_safe(vectors["roots"][-1])
    assert told[4] == [1, 4]
    tab.close()


def test_the_checkpoint_is_shown_and_its_signature_proven(console, auditor, read, picture) -> None:
    """The very note that everybody is given, its keys and commands; the browser verifies the signature."""
    tab = auditor.open(console.origin + "/console/checkpoint")
    tab.locator("[data-proof][data-state=good]").wait_for()
    assert "Tanda tangan benar" in tab.locator("[data-verdict]").inner_text()
    shown = tab.locator("[data-given=checkpoint]").text_content() or ""
    origin, size, *_ = shown.split("\n")
    public = read("/ledger/checkpoint").text
    assert public.split("\n")[0] == origin
    assert int(public.split("\n")[1]) >= int(size) > 0
    assert read("/ledger/keys").text.strip() == tab.locator("#keys").inner_text()
    assert "nik-gateway ledger check" in tab.locator("#run-check").inner_text()
    picture(tab, "checkpoint-proven")
    tab.close()


# ---------------------------------------------------------------------------------- findings, samples, export


def test_findings_are_explained_and_worked_on(read, post_of) -> None:
    """Questions about NIKs that nobody has are found, explained, linked to their entries; owner, note and state stay."""
    page = read("/console/findings?rule=enumeration").text
    assert "NIK dicoba-coba" in page
    assert "Banyak NIK yang ditanyakan ternyata tidak ada" in page
    assert page.count('href="/console/ledger/entries/') == len(UNKNOWN)
    assert re.search(r"\([0-9]+,[0-9] %\) memakai NIK yang tidak ada; biasanya [0-9]+,[0-9] %", page)
    link = re.search(r'href="(/console/findings/do/note_finding\?finding=[^"]+)"', page).group(1).replace("&amp;", "&")
    form = read(link).text
    assert f"<code>enumeration.{day()}.tax</code>" in form
    fields = {"state": "examining", "owner": "Ayu", "note": "Menunggu penjelasan bank"}
    done = post_of(Role.AUDITOR, "/console/findings/do/note_finding", fields, page=link)
    assert done.status_code == 303, done.text
    after = read("/console/findings?state=examining").text
    assert "Ditangani oleh: Ayu" in after
    assert "Menunggu penjelasan bank" in after
    assert (
        "enumeration" not in read("/console/findings?state=open&rule=enumeration").text.partition("table-findings")[2]
    )


def test_the_same_seed_draws_the_same_entries(read) -> None:
    """The same seed over the same days gives the same entries, another seed others; the CSV file holds what is shown."""
    window = f"since={day(-1)}&until={day()}&kind=answer&count=5"

    def drawn(seed: str) -> list[str]:
        return re.findall(
            r'href="/console/ledger/entries/([0-9a-f-]{36})"', read(f"/console/sample?seed={seed}&{window}").text
        )

    listed = drawn("undian-1")
    assert len(listed) == 5
    assert len({tuple(drawn(seed)) for seed in ("undian-2", "undian-3", "undian-4")} | {tuple(listed)}) > 1
    page = read(f"/console/sample?seed=undian-1&{window}").text
    assert "Benih undian-1" in page
    file = read(f"/console/sample?seed=undian-1&{window}&csv=sample")
    assert len(file.text.strip().splitlines()) == 6
    assert "Undi" in read("/console/sample").text


def test_the_sample_that_is_shown_is_the_one_in_the_files(console, read, tmp_path) -> None:
    """Without a last day, too: NDJSON with proofs and CSV hold what the page drew, though each reading made the log longer."""
    page = read("/console/sample?seed=undian-9&kind=answer&count=4").text
    listed = re.findall(r'href="/console/ledger/entries/([0-9a-f-]{36})"', page)
    assert len(listed) == 4
    proofs, csv = (
        re.search(rf'href="([^"]*{kind}=sample[^"]*)"', page).group(1).replace("&amp;", "&") for kind in ("file", "csv")
    )
    reply = read(proofs)
    assert reply.headers["content-disposition"].startswith('attachment; filename="sample-')
    assert [json.loads(json.loads(line)["leaf"])["id"] for line in reply.text.splitlines()[1:]] == listed
    (tmp_path / "file").write_text(reply.text, "utf-8")
    told = checker().check_export(tmp_path / "file", httpx.get(f"{console.origin}/ledger/keys").text.split())
    assert 'drawn by seed "undian-9"' in told[0]
    indexes = [str(json.loads(line)["index"]) for line in reply.text.splitlines()[1:]]
    assert [line.rpartition(",")[2].strip('"') for line in read(csv).text.strip().splitlines()[1:]] == indexes


def test_an_export_is_a_file_that_proves_itself(read) -> None:
    """Every line's leaf leads by its path to the root of the checkpoint on the first line; parts continue one another."""
    page = read("/console/export?kind=answer&limit=100").text
    link = re.search(r'href="([^"]*file=part[^"]*)"', page).group(1).replace("&amp;", "&")
    reply = read(link)
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    assert reply.headers["content-disposition"].endswith('.ndjson"')
    head, *lines = [json.loads(line) for line in reply.text.splitlines()]
    size, root = head["checkpoint"].split("\n")[1:3]
    assert len(lines) == head["count"] == len(UNKNOWN) + 3
    for line in lines:
        path = [b64_decode(one) for one in line["proof"]]
        verify_inclusion(leaf_hash(line["leaf"].encode()), line["index"], int(size), path, b64_decode(root))
    part = read("/console/export?kind=answer&limit=100&partner=bank")
    assert "Surat tugas tidak mencakup" in part.text
    assert read("/console/export?file=nothing").status_code == 404
    assert read("/console/export?file=part&limit=100&partner=bank").status_code == 403


# ------------------------------------------------------------------------------------------------- residents


def test_who_asked_leaves_no_nik_behind(console, auditor, resident) -> None:
    """The NIK is in no address, title, history or page after the search; who asked, when and for what is there."""
    tab = auditor.open(console.origin + "/console/who-asked")
    tab.get_by_label("NIK", exact=True).fill(resident["nik"])
    auditor.requests.clear()
    tab.get_by_role("button", name="Cari").click()
    tab.locator("#table-asked table").wait_for()
    assert tab.locator("#table-asked tbody tr").count() >= 3
    assert "tax" in tab.locator("#table-asked").inner_text()
    assert resident["nik"] not in tab.content()
    assert resident["nik"] not in tab.title()
    assert resident["nik"] not in "".join([tab.url, *auditor.requests])
    assert tab.evaluate("JSON.stringify([location.href, history.state])").count(resident["nik"]) == 0
    assert tab.get_by_label("NIK", exact=True).input_value() == ""
    tab.close()


def test_who_asked_goes_on_where_it_left_off(post_of, resident) -> None:
    """The next page wants the NIK again, and continues behind the last entry that was shown."""
    path = "/console/who-asked"
    first = post_of(Role.AUDITOR, path, {"nik": resident["nik"], "limit": "2"}).text
    assert "Ketik NIK yang sama sekali lagi" in first
    cursor = re.search(r'name="cursor" value="([0-9]+)"', first).group(1)
    second = post_of(Role.AUDITOR, path, {"nik": resident["nik"], "limit": "2", "cursor": cursor}).text
    shown = [re.findall(r'href="/console/ledger/entries/([0-9a-f-]{36})"', page) for page in (first, second)]
    assert len(shown[0]) == 2
    assert len(shown[1]) >= 1
    assert max(shown[0]) < min(shown[1])


def test_what_is_no_nik_is_said_beside_the_field_and_not_repeated(post_of) -> None:
    """An empty search names its field; digits that are no NIK are refused without being shown again."""
    empty = post_of(Role.AUDITOR, "/console/who-asked", {"nik": ""})
    assert empty.status_code == 422
    assert "Wajib diisi" in empty.text
    wrong = post_of(Role.AUDITOR, "/console/who-asked", {"nik": "1234567890123456"})
    assert wrong.status_code == 422
    assert "1234567890123456" not in wrong.text


@pytest.fixture
def request_path(post_of, resident) -> str:
    """A request for access that was just opened for the resident."""
    fields = {"nik": resident["nik"], "reference": "LOKET/7-2026"}
    made = post_of(Role.AUDITOR, "/console/access-requests/do/open_access_request", fields)
    assert made.status_code == 303, made.text
    return str(made.headers["location"].partition("?")[0])


def test_a_resident_is_told_who_asked(read, post_of, resident, request_path) -> None:
    """Opened, read with a clock of 72 hours, one entry withheld on a basis, printed, closed; the NIK is shown on none of it."""
    page = read(request_path).text
    assert re.search(r"Sisa 2 hari 23 jam|Sisa 3 hari 0 jam", page)
    assert '<progress max="100" value="0"' in page
    rows = re.findall(rf'href="({request_path}/do/withhold\?entry=[0-9a-f-]{{36}})"', page)
    assert len(rows) >= 3
    basis = "UU 27/2022 pasal 15 huruf b"
    done = post_of(Role.AUDITOR, f"{request_path}/do/withhold", {"basis": basis}, page=rows[0])
    assert done.status_code == 303, done.text
    after = read(request_path).text
    assert f"1 entri, dasar: {basis}" in after
    assert len(re.findall(r"/do/withhold\?entry=", after)) == len(rows) - 1
    sheet = read(f"{request_path}/print").text
    assert "Rekam jejak pemrosesan data kependudukan" in sheet
    assert f"1 entri, karena: {basis}" in sheet
    assert "Kantor Pajak" in sheet
    purpose = re.search(rf'href="({request_path}/do/withhold\?purpose=taxpayer_registration)"', after).group(1)
    assert post_of(Role.AUDITOR, f"{request_path}/do/withhold", {"basis": basis}, page=purpose).status_code == 303
    assert "Kantor Pajak" not in read(f"{request_path}/print").text
    closed = post_of(Role.AUDITOR, f"{request_path}/do/close_access_request", {"outcome": "delivered"})
    assert closed.status_code == 303
    left = read(request_path).text
    assert "NIK yang tersegel telah dimusnahkan" in left
    assert "Berhenti tepat waktu" in left
    assert "/do/withhold" not in left
    for text in (page, after, sheet, left):
        assert resident["nik"] not in text


def test_a_request_is_there_for_its_own_officer_alone(http_of, post_of, resident, request_path) -> None:
    """An operator of a regency office opens requests as well, and sees none of an auditor's; other roles may not at all."""
    assert http_of(Role.REGISTRAR).get(request_path).status_code == 403
    assert request_path in http_of(Role.AUDITOR).get("/console/access-requests").text
    assert http_of(Role.REGENCY_OPERATOR).get(request_path).status_code == 404
    fields = {"nik": resident["nik"], "reference": "LOKET/8-2026"}
    made = post_of(Role.REGENCY_OPERATOR, "/console/access-requests/do/open_access_request", fields)
    own = made.headers["location"].partition("?")[0]
    assert "Kantor Pajak" in http_of(Role.REGENCY_OPERATOR).get(own).text
    assert http_of(Role.AUDITOR).get(own).status_code == 404


# ------------------------------------------------------------------------------------------------- incidents


@pytest.mark.usefixtures("read")
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.REGISTRAR])
def test_an_incident_runs_until_notice_is_given(http_of, post_of, role) -> None:
    """Residents affected are counted from the ledger; the clock runs, and stops with the number of the notice."""
    fields = {"description": f"Kunci mitra bocor ({role})", "since": day(-1), "until": day(), "partners": "tax"}
    made = post_of(role, "/console/incidents/do/record_incident", fields)
    assert made.status_code == 303, made.text
    path = made.headers["location"].partition("?")[0]
    page = http_of(role).get(path).text
    assert "1 penduduk terdampak" in page
    assert "Sisa" in page
    assert post_of(role, f"{path}/do/note_notice", {"reference": "SURAT/8/2026"}).status_code == 303
    after = http_of(Role.APPROVER).get(path).text
    assert "Berhenti tepat waktu" in after
    assert "SURAT/8/2026" in after
    assert "do/note_notice" not in http_of(role).get(path).text


@pytest.mark.parametrize(
    ("after", "ended", "words", "share", "tone"),
    [
        (0, None, "3 days 0 hours left", 0, "good"),
        (60 * HOUR, None, "12 hours 0 minutes left", 83, "warn"),
        (72 * HOUR - 90 * SECOND, None, "1 minute left", 100, "warn"),
        (73 * HOUR, None, "1 hour 0 minutes overdue", 100, "bad"),
        (100 * HOUR, 10 * HOUR, "Stopped in time", 14, "good"),
        (100 * HOUR, 80 * HOUR, "Stopped after it was due", 100, "warn"),
    ],
)
def test_a_clock_says_in_words_what_is_left(after, ended, words, share, tone) -> None:
    """Days and hours, then hours and minutes, then minutes; what is late says by how much; what has stopped says how."""
    begin = 20_000 * DAY
    stop = None if ended is None else rfc3339_seconds(begin + ended)
    told = countdown(rfc3339_seconds(begin), rfc3339_seconds(begin + 72 * HOUR), stop, begin + after, Words("en"))
    assert (told.text, told.share, told.tone) == (words, share, tone)
    assert ago(rfc3339_seconds(begin), begin + 5_000_000, Words("en")) == "5 seconds ago"
