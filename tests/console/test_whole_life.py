"""Does a partner's whole life pass through the console, from its registration to its end, by those who do it, in a browser?"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from console_walk import give_authenticator
from days import day
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

sys.path.append(str(Path(__file__).parents[1] / "http"))  # pytest's importlib mode puts no test folder on the path

from desk import fields
from partner import ProofKey

from gateway.cli.verify import verify
from gateway.staff.roles import Role
from nik_gateway_client import GatewayClient, Refusal

PURPOSE = "account_opening"
UUID = r"[0-9a-f-]{36}"


def command_line(console: Any, name: str, role: Role) -> str:
    """The one-time link that `nik-gateway staff enrol` prints."""
    words = ["staff", "enrol", "--person", name, "--role", role.value, "--json"]
    two = ["--proposer", "Demo Registrar", "--approver", "Demo Approver"]
    return str(json.loads(console.deployment.command(*words, *two))["link"])


class Person:
    """Somebody in a browser of their own, who has enrolled by a link."""

    def __init__(self, console: Any, browser: Any, name: str, link: str) -> None:
        self.name, self._origin = name, console.origin
        self.context = browser.new_context(locale="id-ID", reduced_motion="reduce")
        self.context.set_default_timeout(20_000)
        self.tab: Page = self.context.new_page()
        give_authenticator(self.tab)
        self.tab.goto(link)
        expect(self.tab.locator("[data-fact=person]")).to_have_text(name)
        self.tab.locator("form[data-passkey=enrol] button[type=submit]").click()
        self.tab.wait_for_url("**/console/me")
        expect(self.tab.locator("html")).to_have_attribute("lang", "id")

    def at(self, path: str) -> Page:
        """Go to a page."""
        self.tab.goto(self._origin + path)
        return self.tab

    def choose(self, act: str) -> None:
        """Press the button of an action of the page."""
        self.tab.locator(f"a[href$='/do/{act}'], a[href*='/do/{act}?']").first.click()
        self.tab.wait_for_url(f"**/do/{act}*")

    def fill(self, values: Mapping[str, str]) -> None:
        """Fill in fields by their names."""
        for name, value in values.items():
            put(self.tab.locator(f"main [name='{name}']"), value)

    def send(self, act: str) -> Page:
        """Send the form of an action, and see that it was done."""
        self.tab.locator("main form.sheet button[type=submit]").last.click()
        self.tab.wait_for_url(f"**?done={act}")
        expect(self.tab.locator("main [role=status]").first).to_be_visible()
        return self.tab

    def shown(self, text: str) -> Locator:
        """Where the main part of the page says this."""
        return self.tab.locator("main").get_by_text(text)


def put(control: Locator, value: str) -> None:
    """Fill in one control, of whatever kind."""
    kind = control.first.evaluate("each => each.type")
    if kind == "select-one":
        control.select_option(value)
    elif kind in {"radio", "checkbox"}:
        control.and_(control.page.locator(f"[value='{value}']")).first.check()
    else:
        control.fill(value)


def flat(held: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(name of the control, text) of every field of an agreement but its purposes."""
    if isinstance(held, Mapping):
        for name, each in held.items():
            yield from flat(each, f"{path}.{name}" if path else name)
    elif isinstance(held, list):
        for place, each in enumerate(held):
            yield from flat(each, f"{path}.{place}")
    else:
        yield path, {True: "yes", False: "no"}.get(held, str(held)) if isinstance(held, bool) else str(held)


def lists(held: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """(path, number of rows) of every list of an agreement."""
    if isinstance(held, Mapping):
        for name, each in held.items():
            yield from lists(each, f"{path}.{name}" if path else name)
    elif isinstance(held, list):
        yield path, len(held)


def write(registrar: Person) -> None:
    """Write a whole agreement in the editor."""
    tab, whole = registrar.tab, {name: each for name, each in fields().items() if name != "purposes"}
    tab.locator("#purpose").select_option(PURPOSE)
    tab.locator("button[value='add:purposes']").click()
    expect(tab.locator(f"[name='purposes.{PURPOSE}.sector_law']")).to_be_visible()
    for path, rows in lists(whole):
        for row in range(rows):
            tab.locator(f"button[value='add:{path}']").click()
            expect(tab.locator(f"[name^='{path}.{row}']").first).to_be_visible()
    registrar.fill(dict(flat(whole)))
    registrar.fill({f"purposes.{PURPOSE}.sector_law": "banking", f"purposes.{PURPOSE}.disclosure": "status"})


def approve(approver: Person, about: str, seen: str = "") -> None:
    """Find what waits about a partner, see what it changes, approve it, with the passkey when it is asked for."""
    tab = approver.at(f"/console/approvals?partner={about}")
    tab.locator("main tbody a").first.click()
    tab.wait_for_url(re.compile(f"/console/approvals/{UUID}$"))
    if seen:
        expect(tab.locator("main ins").get_by_text(seen).first).to_be_visible()
    decide(approver)


def covered(auditor: Person) -> None:
    """Look at an entry until a checkpoint covers it, and its proof holds."""
    proof = auditor.tab.locator("[data-proof][data-state=good]")
    for _ in range(5):
        with suppress(PlaywrightTimeout):
            proof.wait_for(timeout=3_000)
            return
        auditor.tab.reload()
    expect(proof).to_be_visible()


def decide(approver: Person) -> None:
    """Approve the proposal that is looked at."""
    tab = approver.tab
    tab.locator("form.approve button[type=submit]").click()
    again = tab.locator("form[data-passkey=step-up] button")
    done = tab.locator("main .badge.good")
    expect(again.or_(done).first).to_be_visible()
    if again.count():
        again.click()
    expect(done.first).to_be_visible()


def invite(registrar: Person, approver: Person, name: str, partner: str) -> str:
    """Propose an engineer, have it approved, and make the one-time link, at the pages of people."""
    registrar.at("/console/staff")
    registrar.choose("propose_member")
    registrar.fill({"person": name, "roles": Role.ENGINEER.value, "partner": partner})
    approver.at("/console/approvals/" + re.findall(UUID, registrar.send("propose_member").url)[0])
    decide(approver)
    registrar.at(f"/console/staff?text={name}").locator("main tbody a").first.click()
    registrar.choose("invite_member")
    registrar.tab.locator("main form.sheet button[type=submit]").click()
    again, link = (registrar.tab.locator(one) for one in ("form[data-passkey=step-up] button", "#once-link"))
    expect(again.or_(link).first).to_be_visible()
    if again.count():
        again.click()
    return link.inner_text()


def ask(profile: Path, resident: Mapping[str, Any]) -> dict[str, Any]:
    """What `nik-gateway verify` of the partner is answered."""
    claims = [f"--claim={name}={resident['claims'][name]}" for name in ("name", "birth_date")]
    words = ["--profile", str(profile), "--purpose", PURPOSE, "--json", *claims]
    done = CliRunner().invoke(verify, words, input=resident["nik"])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout)["answer"])


def refused(profile: Path, resident: Mapping[str, Any], purpose: str = PURPOSE) -> Refusal:
    """The refusal of a call."""
    claims = {name: resident["claims"][name] for name in ("name", "birth_date")}
    with GatewayClient(profile) as client, pytest.raises(Refusal) as caught:
        client.verify(resident["nik"], purpose, claims)
    return caught.value


def test_a_partner_lives_from_registration_to_termination(console, browser, tmp_path) -> None:  # noqa: PLR0915  a whole life
    """Registered, agreed, keyed by two persons each; asks, spends, is refused, suspended, resumed, ended; all of it proven."""
    registrar, approver, auditor = (
        Person(console, browser, name, command_line(console, name, role))
        for name, role in (
            ("Ratna Pendaftaran", Role.REGISTRAR),
            ("Surya Penyetuju", Role.APPROVER),
            ("Arif Pemeriksa", Role.AUDITOR),
        )
    )
    residents = iter(console.deployment.active[-20:])

    registrar.at("/console/partners")
    registrar.choose("register_partner")
    registrar.fill({"name": "Bank Hidup Sejahtera", "class": "bank"})
    partner = re.findall(r"/console/partners/([^?]+)", registrar.send("register_partner").url)[0]

    registrar.choose("draft_agreement")
    registrar.tab.locator("main form.sheet button[type=submit]").click()
    registrar.tab.wait_for_url("**/versions/1*")
    version = registrar.tab.url.partition("?")[0].removeprefix(console.origin)
    agreement = version.split("/")[3]
    registrar.tab.locator("button[value=propose]").click()
    registrar.tab.wait_for_url("**saved=lacks")  # nothing is proposed while something is missing
    lacks = registrar.tab.locator("#checklist li").count()
    assert lacks > 10
    write(registrar)
    registrar.tab.locator("button[value=save]").last.click()
    registrar.tab.wait_for_url("**saved=yes")
    expect(registrar.tab.locator("#checklist li")).to_have_count(0)
    registrar.tab.locator("button[value=propose]").click()
    registrar.tab.wait_for_url("**/do/propose_version")
    registrar.send("propose_version")
    expect(registrar.shown("Menunggu persetujuan").first).to_be_visible()

    approve(approver, partner, "Otoritas Jasa Keuangan")

    key = ProofKey()
    kid = f"{partner[:40]}-1"
    registrar.at(f"/console/partners/{partner}/keys")
    registrar.choose("propose_key")
    registrar.fill({"key": json.dumps({**key.jwk, "kid": kid, "alg": "ES256", "use": "sig"})})
    registrar.tab.locator("main form.sheet button[type=submit]").click()
    expect(registrar.shown(kid).first).to_be_visible()  # what was understood of it
    registrar.send("propose_key")
    approve(approver, partner)
    registrar.at(f"/console/partners/{partner}/keys")
    client_id = registrar.tab.locator("main tbody tr").filter(has_text=kid).locator("code").first.inner_text()

    (tmp_path / "key.jwk").write_text(json.dumps({**key.private_jwk, "kid": kid, "alg": "ES256", "use": "sig"}))
    profile = tmp_path / "profile.toml"
    base = f"http://127.0.0.1:{console.deployment.port}"
    facts = {
        "base_url": base,
        "issuer": base,
        "client_id": client_id,
        "auth_method": "private_key_jwt",
        "key_file": "key.jwk",
    }
    profile.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in facts.items()))
    engineer = Person(console, browser, "Eka Perekayasa", invite(registrar, approver, "Eka Perekayasa", partner))
    engineer.at("/console/own")
    expect(engineer.shown(PURPOSE).first).to_be_visible()
    engineer.at("/console/own/usage")
    expect(engineer.tab.locator("data[value='1']")).to_have_count(0)

    answer = ask(profile, next(residents))
    assert answer["usable"] is True
    assert answer["billed"] is True
    refusal = refused(profile, next(residents), "taxpayer_registration")
    assert refusal.raw["type"].endswith("/purpose-not-agreed")
    engineer.at("/console/own/usage")
    expect(engineer.tab.locator("data[value='1']").first).to_be_visible()  # one was spent, the refused one was not
    engineer.at("/console/own/failures")
    expect(engineer.shown(refusal.raw["id"]).first).to_be_visible()
    engineer.tab.locator("main article summary").first.click()
    expect(engineer.tab.locator("a[href='/problems/purpose-not-agreed']").first).to_be_visible()

    days = [day(ahead) for ahead in (-1, 1, 30)]
    registrar.at("/console/assignments")
    registrar.choose("propose_assignment")
    assignment = {"auditor": auditor.name, "letter": "ST/1/2026", "partners": partner}
    registrar.fill(assignment | dict(zip(("since", "until", "expires"), days, strict=True)))
    registrar.send("propose_assignment")
    approver.at("/console/approvals?kind=assignment")
    approver.tab.locator("main tbody tr").filter(has_text=auditor.name).locator("a").first.click()
    approver.tab.wait_for_url(re.compile(UUID))
    decide(approver)
    for id in (answer["id"], refusal.raw["id"]):
        auditor.at(f"/console/ledger?partner={partner}")
        auditor.tab.locator(f"a[href='/console/ledger/entries/{id}']").first.click()
        covered(auditor)

    registrar.at(f"/console/partners/{partner}")
    registrar.choose("suspend_partner")
    registrar.fill({"reason": "incident"})
    registrar.send("suspend_partner")
    assert refused(profile, next(residents)).raw["type"].endswith("/agreement-not-in-force")
    registrar.choose("propose_partner_resume")
    registrar.send("propose_partner_resume")
    assert refused(profile, next(residents)).raw["billed"] is False  # one person alone resumes nothing
    approve(approver, partner)
    assert ask(profile, next(residents))["usable"] is True

    registrar.at(f"/console/agreements/{agreement}")
    registrar.choose("terminate_agreement")
    registrar.fill({"reason": "request"})
    registrar.send("terminate_agreement")
    expect(registrar.tab.locator("main .badge.bad").first).to_be_visible()
    assert refused(profile, next(residents)).raw["type"].endswith("/agreement-not-in-force")
    for each in (registrar, approver, engineer, auditor):
        each.context.close()
