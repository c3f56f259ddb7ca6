"""What does the console refuse, and what does the ledger hold of it afterwards? Every attack as whoever would try it."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from deployment import Deployment
from playwright.sync_api import Error as BrowserError
from visitor import OWN, Visitor

from gateway.administration.requests.audit import NewAssignment
from gateway.administration.requests.partners import ApprovedDigest, Exemption, NewPartner, Nothing, SuspensionReason
from gateway.administration.requests.staff import NewMember
from gateway.administration.sign_in import digest
from gateway.console.pages import PAGES
from gateway.console.routes import action_path
from gateway.errors import Refused
from gateway.ledger.log.entry import Kind
from gateway.staff.roles import Role
from gateway.store.staff.tables import invitations, sessions

REGISTER = "/console/partners/do/register_partner"
_numbers = itertools.count(1)


def name(start: str = "Orang") -> str:
    """A name that nobody else has."""
    return f"{start} Serang {next(_numbers)}"


def bank(**more: str) -> dict[str, str]:
    """The fields of a new partner."""
    return {"name": name("Bank"), "class": "bank", **more}


def result(act: str, **parameters: str) -> str:
    """Where the table offers an act."""
    page, action = next((page, one) for page in PAGES for one in page.actions if one.act == act)
    return action_path(page, action).format_map(parameters)


def client_of(console: Any, visitor: Visitor) -> str:
    """The client that everything which a visitor does is done as: the actor of what was sealed last."""
    visitor.get("/console/me")
    return str(console.sealed()[-1][0]["actor"].rpartition("/")[2])


@pytest.fixture(scope="module")
def registrar(console) -> Visitor:
    """A registrar."""
    return console.visitor(name("Rina"), Role.REGISTRAR)


@pytest.fixture(scope="module")
def approver(console) -> Visitor:
    """An approver who has just shown who is there."""
    made = console.visitor(name("Agus"), Role.APPROVER)
    assert made.step_up().status_code == 200
    return made


def propose(console: Any, person: str = "Demo Registrar") -> dict[str, Any]:
    """Something that waits for a second person."""
    return dict(console.act("propose_member", {}, NewMember(name(), ["auditor"]), person))


class Ledger:
    """What was sealed since this was made."""

    def __init__(self, console: Any) -> None:
        self._console = console
        self._after = console.newest()

    def refusals(self) -> list[tuple[str, str]]:
        """(cause, client) of every refusal."""
        return [
            (private["outcome"], leaf["actor"].rpartition("/")[2])
            for leaf, private in self._console.sealed(self._after)
            if leaf["kind"] == Kind.REFUSAL
        ]

    def outcomes(self) -> list[str]:
        """What came of every call, within."""
        return [str(private.get("outcome", "")) for _, private in self._console.sealed(self._after)]

    def changes(self) -> list[str]:
        """What has changed, in words of the entries."""
        return [private["change"] for _, private in self._console.sealed(self._after) if "change" in private]


# ------------------------------------------------------------------------------------- pages of somebody else


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"sec-fetch-site": "cross-site"}, "own"),
        ({"sec-fetch-site": "same-site"}, "own"),
        ({"origin": "http://evil.example"}, "own"),
        ({"origin": "http://localhost:1"}, "own"),
        ({"sec-fetch-site": "same-origin"}, ""),
        ({"sec-fetch-site": "same-origin"}, "A" * 43),
        ({"sec-fetch-site": "same-origin"}, "others"),
        ({}, ""),
    ],
)
def test_a_form_of_another_page_is_refused(console, registrar, approver, headers, token) -> None:
    """Another site or origin, no token, an invented one or that of another session: 403, sealed, and nothing is done."""
    tokens = {"own": registrar.csrf(), "others": approver.csrf()}
    client, fields = client_of(console, registrar), bank(csrf=tokens.get(token, token))
    ledger = Ledger(console)
    reply = registrar.ask("POST", REGISTER, headers, data=fields)
    assert reply.status_code == 403
    assert ledger.refusals() == [("insufficient-scope", client)]
    assert ledger.changes() == []
    assert re.search(r"<code>[0-9a-f-]{36}</code>", reply.text)


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}])
def test_ceremonies_are_for_own_pages(console, registrar, headers) -> None:
    """A ceremony that no page of the console began is refused, for strangers and for members, whose refusal is sealed."""
    client, token = client_of(console, registrar), registrar.csrf()
    stranger = Visitor(console.origin)
    for path in ("login/begin", "login/finish", "enrol/invitation", "enrol/begin"):
        assert stranger.ask("POST", f"/console/{path}", headers, json={}).status_code == 403
        told = stranger.ask("POST", f"/console/{path}", OWN, data={"a": "b"})
        assert told.status_code == 415
    stranger.close()
    ledger = Ledger(console)
    given = {**OWN, "x-csrf-token": "A" * 43} if not headers else {**headers, "x-csrf-token": token}
    for path in ("step-up/begin", "passkey/begin"):
        assert registrar.ask("POST", f"/console/{path}", given, json={}).status_code == 403
    assert ledger.refusals() == [("insufficient-scope", client)] * 2


# ------------------------------------------------------------------------------------------------ who one is


@pytest.mark.parametrize("cookie", ["", "A", "A" * 43, "%00", "../../x", "A" * 4000, "shorter", "digest"])
def test_a_forged_cookie_is_nobody(console, registrar, cookie) -> None:
    """Invented, truncated, or read from the database: to the login, and the cookie is taken away."""
    held = {"shorter": registrar.cookie[:-1], "digest": digest(registrar.cookie).hex()}.get(cookie, cookie)
    stranger = Visitor(console.origin)
    reply = stranger.get("/console/me", headers={"cookie": f"__Host-session={held}"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/console/login?next=%2Fconsole%2Fme")
    assert "__Host-session" in reply.headers["set-cookie"]
    stranger.close()


def test_sessions_end_everywhere_and_failures_are_counted(console) -> None:
    """On two workers: what is idle, ended, suspended or dismissed is out from the next call on; failures look and count alike."""
    deployment = type(console)(Deployment(workers=2))
    deployment.deployment.start()
    try:
        people = {
            each: deployment.visitor(name(), Role.REGISTRAR) for each in ("idle", "ended", "suspended", "dismissed")
        }
        clients = {each: client_of(deployment, one) for each, one in people.items()}
        for _ in range(4):  # whichever worker
            assert {one.get("/console/me").status_code for one in people.values()} == {200}
        began = sessions.c.cookie == digest(people["idle"].cookie)
        deployment.change(sessions, began, seen=1)
        people["ended"].post("/console/logout", {"csrf": people["ended"].csrf()})
        for each, act, body in (
            ("suspended", "suspend_member", SuspensionReason("leave")),
            ("dismissed", "dismiss_member", Nothing()),
        ):
            deployment.act(act, {"id": clients[each].removeprefix("console.")}, body, "Demo Registrar")
        for each, one in people.items():
            told = {one.get("/console/partners").status_code for _ in range(6)}
            assert told == {303}, each
            assert one.send(REGISTER, bank(csrf="A" * 43)).status_code == 303
        assert people["idle"].log_in().status_code == people["ended"].log_in().status_code == 200

        stranger = Visitor(deployment.origin)
        ceremony, _ = people["idle"].challenge("login")
        options = people["idle"].step("login/begin", {}).json()
        replies = [people[each].log_in() for each in ("suspended", "dismissed")]
        stranger.key.keys = {b"k" * 32: next(iter(people["idle"].key.keys.values()))}
        replies += [stranger.log_in(), stranger.step("login/finish", {"ceremony": ceremony, "response": {}})]
        good = people["idle"].key.get(options["options"])
        said = {"ceremony": options["ceremony"], "response": good}
        assert stranger.step("login/finish", said).status_code == 200
        replies.append(stranger.step("login/finish", said))  # once more
        assert {each.status_code for each in replies} == {401}
        shapes = {json.dumps({**each.json(), "instance": "", "id": ""}, sort_keys=True) for each in replies}
        assert len(shapes) == 1, shapes
        assert len({frozenset(set(each.headers) - {"date"}) for each in replies}) == 1
        assert not any("set-cookie" in each.headers for each in replies)
        deployment.deployment.stop()
        counted = [
            private["counts"] for leaf, private in deployment.sealed() if leaf["kind"] == Kind.REFUSED_UNIDENTIFIED
        ]
        assert sum(each.get("invalid-token", 0) for each in counted) >= len(replies)
        told = [
            private.get("change") for _, private in deployment.sealed() if private.get("person", "").startswith("Orang")
        ]
        assert told.count("login") == 3
        assert told.count("logout") == 1
    finally:
        deployment.close()
        deployment.deployment.close()


def test_a_link_is_for_one_person_once(console) -> None:
    """Used, expired, of somebody who is suspended, and invented: 404 in the same words, and nobody is enrolled."""
    used = console.invite(name(), Role.AUDITOR)
    first = Visitor(console.origin)
    assert first.enrol(used).status_code == 200
    late, gone = console.invite(name(), Role.AUDITOR), console.invite(name(), Role.AUDITOR)
    console.change(invitations, invitations.c.token == digest(late), expires=1)
    member = next(private["member"] for _, private in reversed(console.sealed()) if private.get("change") == "invite")
    console.act("suspend_member", {"id": member}, SuspensionReason("leave"), "Demo Registrar")
    ledger = Ledger(console)
    other = Visitor(console.origin)
    replies = [other.enrol(token) for token in (used, late, gone, "A" * 43, "")]
    assert {each.status_code for each in replies} == {404}
    assert len({json.dumps({**each.json(), "instance": "", "id": ""}, sort_keys=True) for each in replies}) == 1
    assert ledger.changes() == []
    assert other.cookie == ""


def test_a_step_up_is_of_this_session_and_five_minutes_old_at_most(console, approver) -> None:
    """Too old, of another session, replayed, or by another member's passkey: the passkey is asked for, nothing is approved."""
    colleague = console.visitor(name(), Role.APPROVER)
    own, first = console.visitor(name(), Role.APPROVER), ""
    proposed = propose(console)
    path, fields = result("approve", id=proposed["approval"]), {"digest": proposed["digest"]}
    first = own.cookie
    assert own.step_up().status_code == 200
    assert own.log_in().status_code == 200
    assert own.post(path, fields).status_code == 403  # the other session has shown it, this one has not
    ceremony, response = colleague.challenge("step-up")
    assert own.step("step-up/finish", {"ceremony": ceremony, "response": response}).status_code == 401
    begun = own.step("step-up/begin", {}).json()
    options = {**begun["options"], "allowCredentials": []}
    crossed = {"ceremony": begun["ceremony"], "response": colleague.key.get(options)}
    assert own.step("step-up/finish", crossed).status_code == 401
    ceremony, response = own.challenge("step-up")
    assert own.step("step-up/finish", {"ceremony": ceremony, "response": response}).status_code == 200
    console.change(sessions, sessions.c.cookie == digest(own.cookie), stepped_up_until=1)
    assert own.step("step-up/finish", {"ceremony": ceremony, "response": response}).status_code == 401
    ledger = Ledger(console)
    asked = own.post(path, fields)
    assert asked.status_code == 403
    assert 'data-passkey="step-up"' in asked.text
    assert "approve_partner" not in ledger.changes()
    own.cookie = first  # this one still may
    assert own.post(path, fields).status_code == 303
    assert approver.get("/console/me").status_code == 200


# --------------------------------------------------------------------------------------- what one may not do


def test_nobody_approves_what_they_proposed(console) -> None:
    """Not by another role, not by another session, and not as the same name in other letters: 403, sealed, nothing done."""
    person = name("Dwi Peran")
    both = console.visitor(person, Role.REGISTRAR, Role.APPROVER)
    assert both.send(REGISTER, bank(csrf=both.csrf())).status_code == 303
    partner = both.send(REGISTER, bank(csrf=both.csrf())).headers["location"].partition("?")[0].rpartition("/")[2]
    done = both.post(result("propose_exemption", id=partner), {"ground": "ministry", "proof": "SK/1"})
    assert done.status_code == 303, done.text
    waiting = re.findall(
        r'href="/console/approvals/([0-9a-f-]{36})"', both.get(f"/console/approvals?partner={partner}").text
    )
    path = result("approve", id=waiting[0])
    second = Visitor(console.origin)
    second.key = both.key
    assert second.log_in().status_code == 200
    with pytest.raises(Refused, match="conflict"):
        console.visitor(person.upper(), Role.APPROVER)  # nobody comes in twice
    written = propose(console, person.upper())["approval"]
    for each, asked in itertools.product((both, second), (path, result("approve", id=written))):
        client = client_of(console, each)
        assert each.step_up().status_code == 200
        ledger = Ledger(console)
        assert each.post(asked, {}).status_code == 403
        assert ledger.refusals() == [("same-person", client)]
        assert ledger.changes() == []


def test_an_approval_is_of_what_was_shown(console, approver) -> None:
    """Another digest than that of the page, or none, is refused and sealed; the page's own is taken."""
    proposed, client = propose(console), client_of(console, approver)
    assert approver.step_up().status_code == 200
    path = result("approve", id=proposed["approval"])
    for wrong, status in (("A" * 43, 412), (propose(console)["digest"], 412)):
        ledger = Ledger(console)
        assert approver.post(path, {"digest": wrong}).status_code == status
        assert ledger.refusals() == [("conflict", client)]
        assert ledger.changes() == []
    assert approver.post(path, {"digest": ""}).status_code == 422
    assert approver.post(path, {}).status_code == 303


def test_a_form_that_somebody_made_by_hand_gives_no_role(console, approver) -> None:
    """Whatever act of whatever page an auditor or an engineer posts with their own token: 403, sealed, nothing done."""
    auditor = console.visitor(name("Ayu"), Role.AUDITOR)
    engineer = console.visitor(name("Eko"), Role.ENGINEER, partner="bpjs")
    bank_id = "bank"
    for each in (auditor, engineer):
        client, token = client_of(console, each), each.csrf()
        for act in ("register_partner", "suspend_partner", "propose_key", "terminate_agreement", "approve"):
            path = result(act, id=bank_id, a="pks-bank")
            ledger = Ledger(console)
            assert each.send(path, {"csrf": token, "reason": "breach", "name": "X", "class": "bank"}).status_code == 403
            assert ledger.refusals() == [("insufficient-scope", client)], act
            assert ledger.changes() == []
    assert approver.get("/console/partners/bank").status_code == 200


def test_an_engineer_sees_the_own_partner_alone(console) -> None:
    """Pages of another partner, however it is named: 403, or the own partner's; its statement is nowhere to be had."""
    engineer = console.visitor(name("Eko"), Role.ENGINEER, partner="bpjs")
    client = client_of(console, engineer)
    for path in (
        "/console/partners/bank",
        "/console/partners/bank/keys",
        "/console/agreements/pks-bank",
        "/console/traffic?partner=bank",
    ):
        ledger = Ledger(console)
        assert engineer.get(path).status_code == 403
        assert ledger.refusals() == [("insufficient-scope", client)]
    own = [page for page in PAGES if Role.ENGINEER in page.roles and "{" not in page.path]
    for page in own:
        reply = engineer.get(page.path, params={"partner": "bank", "client": "bank", "agreement": "pks-bank"})
        assert reply.status_code == 200, page.path
        assert "Bank Nusantara" not in reply.text, page.path
    statements = next(page for page in PAGES if page.name == "own_statement")
    ledger = Ledger(console)
    reply = engineer.get(re.sub(r"\{[a-z_]+\}", "2026-10", statements.path), params={"partner": "bank"})
    assert "Bank Nusantara" not in reply.text
    assert all(private.get("of", "bpjs").startswith("bpjs") for _, private in console.sealed(ledger._after))


def test_a_stale_form_changes_nothing(console, registrar) -> None:
    """An older or invented If-Match: 412, sealed, and the partner is as it was."""
    partner = (
        registrar.send(REGISTER, bank(csrf=registrar.csrf())).headers["location"].partition("?")[0].rpartition("/")[2]
    )
    path, client = result("suspend_partner", id=partner), client_of(console, registrar)
    held = registrar.hidden(path)
    console.act("suspend_partner", {"id": partner}, SuspensionReason("incident"), "Demo Registrar")
    for match in (held["match"], '"invented"'):
        ledger = Ledger(console)
        assert registrar.send(path, held | {"match": match, "reason": "breach"}).status_code == 412
        assert ledger.refusals() == [("conflict", client)]
        assert ledger.changes() == []


# --------------------------------------------------------------------------------------------- what is typed


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil", "/keys", "javascript:alert(1)", "/console/../keys", "/console/%2E./keys",
     "/console\r\nset-cookie: evil=1", "/console@evil.example", "/console/login", "https:evil.example"],
)  # fmt: skip
def test_login_leads_nowhere_else(console, target) -> None:
    """`next` is a path of the console or nothing."""
    stranger = Visitor(console.origin)
    assert 'data-next="/console"' in stranger.get("/console/login", params={"next": target}).text
    stranger.close()


@pytest.mark.parametrize(
    "value", ["id%0d%0aset-cookie:%20evil=1", "id\\015\\012set-cookie: evil=1", "x" * 3000, '"', "en; evil=1"]
)
def test_a_cookie_or_query_writes_no_header(registrar, value) -> None:
    """Language and theme are one of few words, or as if nothing had been said."""
    for cookie in ("console_lang", "console_theme"):
        reply = registrar.ask("GET", "/console/login", {"cookie": f"{cookie}={value}"})
        assert reply.status_code == 200
        assert "evil" not in str(reply.headers)
        assert 'data-theme="x' not in reply.text
    for query in ("lang", "theme", "next", "done", "csv"):
        reply = registrar.get(f"/console/partners?{query}={value.replace(' ', '%20')}")
        assert reply.status_code in {200, 404}
        assert "evil" not in str(reply.headers)


def test_a_form_has_a_size(console, registrar) -> None:
    """More than 1 MiB, thousands of fields, or no form at all: refused and sealed, whoever sends it."""
    client, token = client_of(console, registrar), registrar.csrf()
    for content, kind, status, cause in (
        (f"csrf={token}&name={'x' * 1_100_000}", "application/x-www-form-urlencoded", 413, "body-too-large"),
        (f"csrf={token}&" + "a=b&" * 3_000, "application/x-www-form-urlencoded", 400, "malformed-request"),
        (f"csrf={token}&name=".encode() + b"\xff", "application/x-www-form-urlencoded; x", 400, "malformed-request"),
        (json.dumps({"csrf": token}), "application/json", 415, "unsupported-media-type"),
        ("--x\r\n\r\n", "multipart/form-data; boundary=y", 400, "malformed-request"),
    ):
        ledger = Ledger(console)
        reply = registrar.ask("POST", REGISTER, {**OWN, "content-type": kind}, content=content)
        assert (reply.status_code, ledger.refusals()) == (status, [(cause, client)]), kind


def test_a_spreadsheet_finds_no_formula(registrar) -> None:
    """What begins as a formula is text in every file; on the page it is what was typed."""
    for start in ("=", "+", "-", "@"):
        named = f'{start}HYPERLINK("http://evil.example/{next(_numbers)}","x")'
        assert registrar.send(REGISTER, bank(csrf=registrar.csrf()) | {"name": named}).status_code == 303
        assert named.replace('"', "&#34;") in registrar.get("/console/partners", params={"text": named}).text
        file = registrar.get("/console/partners", params={"csv": "partners", "text": named}).text
        (row,) = file.splitlines()[1:]
        assert row.startswith(f"\"'{start}HYPERLINK"), row


EVIL = [
    '<script>document.title="evil"</script>',
    "\"'><img src=x onerror=\"document.title='evil'\">",
    "\u202etxet\u202c \u200f\u0627 &lt;b&gt; {{ 7*7 }}",
    "W" * 200,
]
"""Names that are no names: a script, the end of an attribute, writing from right to left, one long word."""
AUDITOR = "Ayu Jahat"
READERS = (Role.REGISTRAR, Role.APPROVER, Role.AUDITOR)


@pytest.fixture(scope="module")
def evil(console, registrar) -> dict[Role, Visitor]:
    """Texts of all these kinds in whatever holds a text: partners, an agreement, proposals, assignments, incidents, members.

    Given are those who read it.
    """
    readers = {role: console.visitor(AUDITOR if role is Role.AUDITOR else name(), role) for role in READERS}
    for text in EVIL:
        own, person = next(_numbers), text[:180]
        partner = console.act("register_partner", {}, NewPartner(f"{person} {own}", "bank"), "Demo Registrar")["id"]
        draft = {
            "supervising_ministry": text, "pks": {"number": text, "signatories": [{"name": text, "office": text, "side": text}]},
            "data_protection_officers": [{"name": text, "email": text}], "suspension": {"grounds": [text]}, text[:60]: text,
        }  # fmt: skip
        console.act("draft_agreement", {"id": partner}, draft, person)
        console.act("propose_exemption", {"id": partner}, Exemption("ministry", text), person)
        console.act("suspend_partner", {"id": partner}, SuspensionReason("breach"), person)
        console.invite(f"{person} {own}", Role.AUDITOR)
        for whose in (AUDITOR, f"{person} {own}"):
            body = NewAssignment(whose, text, ["bpjs", "dukcapil"], "2026-11-01", "2026-12-01", "2026-12-31")
            waits = console.act("propose_assignment", {}, body, f"{person} 1")
            console.act("approve", {"id": waits["approval"]}, ApprovedDigest(waits["digest"]), f"{person} 2")
        incident = {"description": text, "since": "2026-11-01", "until": "2026-11-02", "partners": "bpjs"}
        reply = registrar.post(result("record_incident"), incident)
        assert reply.status_code == 303, reply.text
    return readers


def crawl(visitor: Visitor, most: int = 400) -> Iterator[tuple[str, str]]:
    """(path, page) of everything that links lead to from the menu, forms too; of lists and forms by query the first."""
    waiting, known = ["/console/me"], {"/console/me"}
    while waiting and len(known) < most:
        path = waiting.pop(0)
        reply = visitor.get(path)
        assert reply.status_code in {200, 303}, (path, reply.status_code)
        yield path, reply.text
        for found in re.findall(r'href="(/console[^"#]*)"', reply.text):
            link = html.unescape(found)
            bare = link.partition("?")[0]
            if bare in known or "/static/" in link or "lang=" in link or "file=" in link or "csv=" in link:
                continue
            known.add(bare)
            waiting.append(link)


@pytest.mark.parametrize("role", READERS)
def test_what_anybody_typed_is_text_on_every_page(evil, role) -> None:
    """No name or note becomes markup, an attribute or a template, on whichever page that its reader can get to; nothing breaks."""
    pages = dict(crawl(evil[role]))
    for path, page in pages.items():
        assert "<script>doc" not in page, path
        assert "<img src=x" not in page, path
        assert re.search(r"[^;]&lt;b&gt;", page) is None, path
        assert not re.search(r"\s(?:on[a-z]+|style)=", re.sub(r"&[#a-z0-9]+;.*?[<\n]", "", page)), path
    whole = "".join(pages.values())
    assert "&lt;script&gt;document.title" in whole
    assert "&#34;&#39;&gt;&lt;img src=x" in whole
    assert "&amp;lt;b&amp;gt; {{ 7*7 }}" in whole
    assert len(pages) > 20, sorted(pages)


def test_a_form_that_is_refused_shows_what_was_typed_as_text(registrar) -> None:
    """With the error beside its field, in every kind of field that takes a text."""
    reply = registrar.post(REGISTER, {"name": EVIL[0], "class": "", "exemption.proof": EVIL[1]})
    assert reply.status_code == 422
    assert "<script>doc" not in reply.text
    assert "<img src=x" not in reply.text
    assert "&lt;script&gt;document" in reply.text
    assert 'id="f-class-error"' in reply.text


def test_the_policy_stops_what_would_get_through(console, page_of, evil) -> None:
    """Even markup in the page runs nothing, and loads nothing from elsewhere; long and turned names break no layout."""
    assert evil
    entered = page_of(Role.REGISTRAR)
    tab = entered.open(f"{console.origin}/console/partners?limit=200", width=360)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.get_by_text(EVIL[0]).count() > 0
    assert tab.locator("main tbody a").first.evaluate("each => getComputedStyle(each).unicodeBidi") == "isolate"
    stopped = tab.evaluate(
        """async markup => {
            const found = [];
            document.addEventListener("securitypolicyviolation", told => found.push(told.effectiveDirective));
            document.body.insertAdjacentHTML("beforeend", markup);
            const script = document.createElement("script");
            script.textContent = "document.title = 'evil'";
            document.body.append(script);
            const other = document.createElement("script");
            other.src = "https://evil.example/x.js";
            await new Promise(done => { other.onerror = done; document.body.append(other); });
            for (let tries = 0; tries < 500 && !found.includes("frame-src"); tries++)  // another process tells of it
                await new Promise(done => setTimeout(done, 10));
            return found;
        }""",
        '<img src="data:," onerror="document.title=\'evil\'"><p style="color:red">x</p><iframe src="https://evil.example/"></iframe>',
    )
    assert {"script-src-attr", "script-src-elem", "style-src-attr", "frame-src"} <= set(stopped)
    assert "evil" not in tab.title()
    tab.close()


def test_nobody_frames_the_console(console, registrar) -> None:
    """Every answer forbids frames, sniffing and referrers, and is kept by nobody; cookies go to this host alone."""
    stranger = Visitor(console.origin)
    for visitor, path in itertools.product(
        (registrar, stranger), ("/console", "/console/login", "/console/me", "/console/none")
    ):
        headers = visitor.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers
    stranger.close()


def test_a_nik_that_was_searched_for_stays_nowhere(console, page_of) -> None:
    """Not in an address, the page, the browser's history, the log or the ledger; the search itself is sealed."""
    entered, nik = page_of(Role.AUDITOR), console.deployment.active[7]["nik"]
    body = NewAssignment(entered.person, "ST/7/2026", ["bpjs"], "2026-01-01", "2026-12-31", "2026-12-31")
    waits = console.act("propose_assignment", {}, body, "Demo Registrar")
    console.act("approve", {"id": waits["approval"]}, ApprovedDigest(waits["digest"]), "Demo Approver")
    ledger = Ledger(console)
    tab = entered.open(f"{console.origin}/console/who-asked")
    tab.locator("[name=nik]").fill(nik)
    with tab.expect_response(lambda reply: reply.request.method == "POST") as posted:
        tab.locator("main form button[type=submit]").first.click()
    assert posted.value.status == 200
    tab.wait_for_load_state()
    assert nik not in tab.content() + tab.url
    tab.goto(f"{console.origin}/console/me")
    with pytest.raises(BrowserError, match="ERR_CACHE_MISS"):  # nothing is kept to be gone back to
        tab.go_back()
    assert not any(nik in url for url in entered.requests)
    assert "search_nik" in ledger.outcomes()
    assert nik not in json.dumps(console.sealed())
    assert nik not in console.deployment.log.read_text()
    tab.close()
