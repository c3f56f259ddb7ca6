"""Are the charts the numbers of the ledger, do they renew themselves, and does watching them leave one entry a minute?"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from playwright.sync_api import expect

sys.path.append(str(Path(__file__).parents[1] / "staff"))
from admitting import any_log
from authenticator import Authenticator

from gateway.administration.commands import Act
from gateway.administration.requests.partners import ApprovedDigest, Nothing, SuspensionReason
from gateway.administration.requests.staff import NewMember
from gateway.administration.watching import WATCHED
from gateway.app import build
from gateway.cli.demonstration import Demonstration
from gateway.clock import SECOND, SystemEntropy
from gateway.config import read
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.staff.roles import Role
from gateway.store.administration.performing import do
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf
from nik_gateway_client import GatewayClient, Refusal

SEERS = [Role.REGISTRAR, Role.APPROVER, Role.AUDITOR]


@pytest.fixture(scope="module")
def client(console) -> Iterator[GatewayClient]:
    """The program of the engineer's partner."""
    with GatewayClient(console.deployment.directory / "partners" / "bpjs" / "profile.toml") as made:
        yield made


def ask(console: Any, client: GatewayClient, which: int, purpose: str = "claim_eligibility") -> None:
    """One call about a resident, answered or refused."""
    resident = console.deployment.active[which]
    claims = {name: resident["claims"][name] for name in ("name", "birth_date")}
    try:
        client.verify(resident["nik"], purpose, claims)
    except Refusal:
        assert purpose != "claim_eligibility"


def tiles(page: str) -> list[str]:
    """The numbers at the head of a page."""
    told = re.search(r'<dl class="tiles".*?</dl>', page, re.DOTALL)
    assert told is not None
    return re.findall(r"<dd>([^<]+)", told[0])


@pytest.mark.parametrize("role", SEERS)
def test_the_house_sees_every_partner_or_one(console, client, http_of, role) -> None:
    """Calls, outcomes and refusals by cause of all, and of the partner that is named; and a partner that is none is told."""
    ask(console, client, 10)
    ask(console, client, 11, "taxpayer_registration")
    whole = http_of(role).get("/console/traffic").text
    assert 'href="/console/traffic?partner=bpjs"' in whole
    assert "Tujuan pemanfaatan tidak diperjanjikan" in whole
    one = http_of(role).get("/console/traffic?partner=bpjs").text
    calls, usable, other, repeats, refused = (int(each) for each in tiles(one)[:5])
    assert calls == usable + other + repeats + refused
    assert refused >= 1
    nobody = http_of(role).get("/console/traffic?partner=nobody")
    assert nobody.status_code == 200
    assert "Periksa kodenya" in nobody.text


def test_an_engineer_sees_the_own_alone(console, client, http_of) -> None:
    """What another partner asks changes nothing there; and there is no way to name one."""
    engineer = http_of(Role.ENGINEER)
    ask(console, client, 12)
    before = tiles(engineer.get("/console/own/traffic").text)
    with GatewayClient(console.deployment.directory / "partners" / "bank" / "profile.toml") as bank:
        ask(console, bank, 13, "taxpayer_registration")
    after = engineer.get("/console/own/traffic?partner=bank").text
    assert tiles(after) == before
    assert engineer.get("/console/traffic").status_code == 403


@pytest.mark.parametrize(("step", "rows"), [("minute", 60), ("hour", 48), ("day", 31)])
def test_the_table_the_file_and_the_tiles_say_the_same(console, client, http_of, step, rows) -> None:
    """For each range: as many rows as it has points, whose sums are those at the head, in the page as in its CSV file."""
    ask(console, client, 14)
    path = f"/console/traffic?step={step}"
    page = http_of(Role.REGISTRAR).get(path).text
    table = page[page.index('id="table-traffic_points"') :]
    shown = [re.findall(r'<data class="number" value="([^"]+)"', row) for row in table.split("<tr>")[2:]]
    assert len(shown) == rows
    file = http_of(Role.REGISTRAR).get(f"{path}&csv=traffic_points").text.splitlines()[1:]
    assert len(file) == rows
    total = [int(each.replace(".", "")) for each in tiles(page)[:5]]
    assert [sum(int(row[at]) for row in shown) for at in range(5)] == total
    assert [sum(int(line.split(",")[1 + at]) for line in file) for at in range(5)] == total


def test_charts_are_drawn_from_the_table_and_renew_themselves(console, client, page_of) -> None:
    """A call is seen in the numbers and in the chart without a key being pressed; a pause asks for nothing more."""
    entered = page_of(Role.REGISTRAR)
    ask(console, client, 15)
    tab = entered.context.new_page()
    tab.clock.install()
    tab.on("request", lambda request: entered.requests.append(request.url))
    tab.goto(console.origin + "/console/traffic")
    tab.locator(".chart canvas").first.wait_for()
    before = int(tab.locator("#totals dd").first.inner_text())
    ask(console, client, 16)
    expect(tab.locator("#totals dd").first).not_to_have_text(str(before), timeout=15_000)
    table = tab.evaluate(
        "[...document.querySelectorAll('#table-traffic_points tbody tr')]"
        ".map(row => Number(row.children[1].querySelector('data').value)).reduce((a, b) => a + b)"
    )
    assert table == int(tab.locator("#totals dd").first.inner_text())
    tab.locator("[data-pause]").click()
    asked = len(entered.requests)
    ask(console, client, 17)
    tab.clock.run_for(60_000)
    assert len(entered.requests) == asked
    tab.close()


def test_watching_ends_when_nobody_is_there(console, page_of) -> None:
    """After a quarter of an hour without a key or a pointer, so that the session can end by itself; and it says so."""
    tab = page_of(Role.REGISTRAR).context.new_page()
    tab.clock.install()
    tab.goto(console.origin + "/console/traffic")
    expect(tab.locator("[data-said]")).to_contain_text("Diperbarui")
    tab.clock.fast_forward("16:00")
    expect(tab.locator("[data-said]")).to_have_text("Dijeda karena tidak ada kegiatan")
    tab.close()


def test_the_keyboard_hides_and_shows_a_line(console, client, page_of, accessible) -> None:
    """Each line of a chart has a button that the keyboard reaches, named by its column, and told as pressed or not."""
    ask(console, client, 18)
    tab = page_of(Role.REGISTRAR).open(console.origin + "/console/traffic")
    button = tab.locator(".series button").first
    button.focus()
    assert button.get_attribute("aria-pressed") == "true"
    assert button.inner_text().startswith("Dapat digunakan")
    tab.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") == "false"
    accessible(tab)
    tab.close()


def test_nothing_yet_says_what_to_do(http_of) -> None:
    """A partner that has asked nothing has no chart, and is told how to go on."""
    page = http_of(Role.REGISTRAR).get("/console/traffic?partner=immigration").text
    assert "Tidak ada panggilan dalam kurun ini" in page


# ------------------------------------------------------------------------------------------------ watching


class MovedClock:
    """The machine's clock, so many microseconds ahead."""

    ahead = 0

    def now(self) -> int:
        return time.time_ns() // 1000 + self.ahead


class Watched:
    """A console in this process, its ledger, and a registrar's browser, on a clock that the test moves."""

    def __init__(self, directory: Path) -> None:
        self.clock = MovedClock()
        demonstration = Demonstration(directory, 1_000, 1, None, "127.0.0.1", 8080, 1)
        demonstration.build(lambda _: None)
        self.settings = read(demonstration.settings_file)
        self.application = build(self.settings, self.clock, SystemEntropy())
        self.database = Database(self.settings.database_url, self.clock, any_log)
        self.decider = Decider(load(self.settings.policies))
        self.http: Any = None

    def act(self, name: str, path: dict[str, str], body: Any, person: str) -> dict[str, Any]:
        """What an act of somebody answers."""
        (result,) = do(self.database, SystemEntropy(), self.decider, [Act(name, path, body, person)])
        return dict(result.answer)

    def log_in(self, person: str) -> tuple[str, dict[str, str]]:
        """(the member's id, the headers of its browser) of a new registrar."""
        body = NewMember(person, ["registrar"])
        proposed = self.act("propose_member", {}, body, "Demo Registrar")
        member = self.act("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Demo Approver")[
            "member"
        ]
        token = self.act("invite_member", {"id": member}, Nothing(), "Demo Registrar")["token"]
        origin = self.settings.console_origin or self.settings.issuer
        sent = {"origin": origin, "sec-fetch-site": "same-origin"}
        begun = self.http.post("/console/enrol/begin", json={"token": token}, headers=sent).json()
        response = Authenticator(origin).create(begun["options"])
        said = {"token": token, "ceremony": begun["ceremony"], "response": response}
        done = self.http.post("/console/enrol/finish", json=said, headers=sent)
        assert done.status_code == 200, done.text
        cookie = re.search(r"__Host-session=([^;]+)", done.headers["set-cookie"])
        assert cookie is not None
        return member, {"cookie": f"__Host-session={cookie[1]}"}

    def readings(self) -> list[dict[str, Any]]:
        """The private parts of every reading of traffic in the ledger."""
        with LedgerOf(self.database).snapshot() as (_, stored):
            told = [(json.loads(each.leaf), json.loads(each.private[32:])) for each in stored if each.private]
        return [private for leaf, private in told if leaf["kind"] == "read" and private["outcome"] == "traffic"]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One for these tests."""
    made = Watched(tmp_path_factory.mktemp("watched"))

    async def local(scope: Any, receive: Any, send: Any) -> None:
        await made.application({**scope, "client": ("127.0.0.1", 1)}, receive, send)

    with TestClient(local, base_url=made.settings.issuer) as client:
        client.follow_redirects = False
        made.http = client
        yield made
    made.database.close()


def test_watching_leaves_one_entry_a_minute(watched: Watched) -> None:
    """The opening is an entry that says how long it stands; renewals within it are none; the first one after it is."""
    _, browser = watched.log_in("Wati Watcher")

    def seen(path: str) -> int:
        before = len(watched.readings())
        assert watched.http.get(path, headers=browser).status_code == 200
        return len(watched.readings()) - before

    assert seen("/console/traffic") == 1
    assert watched.readings()[-1]["watched"] == WATCHED
    assert [seen("/console/traffic?live=1") for _ in range(12)] == [0] * 12
    assert seen("/console/traffic?step=day&live=1") == 1
    assert seen("/console/traffic") == 1
    watched.clock.ahead += (WATCHED + 1) * SECOND
    assert [seen("/console/traffic?live=1") for _ in range(3)] == [1, 0, 0]


def test_nobody_watches_under_the_entry_of_somebody_else(watched: Watched) -> None:
    """Another session has an entry of its own, even when it only renews."""
    _, one = watched.log_in("Wira Watcher")
    _, other = watched.log_in("Wulan Watcher")
    assert watched.http.get("/console/traffic", headers=one).status_code == 200
    before = len(watched.readings())
    assert watched.http.get("/console/traffic?live=1", headers=other).status_code == 200
    assert len(watched.readings()) == before + 1


def test_whoever_is_suspended_watches_no_more(watched: Watched) -> None:
    """From the next renewal on, though the entry of the opening still stands."""
    member, browser = watched.log_in("Wahyu Watcher")
    assert watched.http.get("/console/traffic", headers=browser).status_code == 200
    assert watched.http.get("/console/traffic?live=1", headers=browser).status_code == 200
    watched.act("suspend_member", {"id": member}, SuspensionReason("incident"), "Demo Registrar")
    told = watched.http.get("/console/traffic?live=1", headers=browser)
    assert told.status_code == 303
    assert told.headers["location"].startswith("/console/login")
