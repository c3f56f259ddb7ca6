"""How does a test come to the console? A served deployment, a person of every role, one browser in each test process."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import select, update

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode puts no test folder on the path

from admitting import any_log
from console_walk import SAMPLES, give_authenticator
from deployment import CLOCK, ENTROPY, Deployment
from furniture import furnish
from visitor import Visitor

from gateway.administration.commands import Act, View
from gateway.administration.requests.partners import ApprovedDigest, Nothing
from gateway.administration.requests.staff import NewMember
from gateway.clock import DAY
from gateway.config import read
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.staff.roles import OF_PARTNERS, Role
from gateway.store.administration.performing import do
from gateway.store.administration.views import show
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.commands.query import ReadContext
from gateway.store.ledger.tables import ledger_entries
from gateway.store.staff.tables import members

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PARTNER = "bpjs"
PERSONS = {
    Role.REGISTRAR: "Rina Registrar", Role.APPROVER: "Agus Approver", Role.AUDITOR: "Ayu Auditor",
    Role.KEY_OFFICER: "Kartika Kunci", Role.REGENCY_OPERATOR: "Opik Operator", Role.ENGINEER: "Eko Engineer",
}  # fmt: skip


@dataclass
class Entered:
    """Somebody who has enrolled: a browser context that is logged in, and the cookie of its session."""

    role: Role
    person: str
    context: BrowserContext
    cookie: str = ""
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str, *, width: int = 1280, dark: bool = False) -> Page:
        """A new tab with this page. What it asks for and complains of is noted."""
        page = self.context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        page.goto(url)
        return page


class ServedConsole:
    """The console of one deployment, and how persons come to it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.origin = f"http://localhost:{deployment.port}"
        self._database = Database(read(deployment.config).database_url, CLOCK, any_log)
        self._decider = Decider(load(read(deployment.config).policies))

    def act(self, name: str, path: dict[str, str], body: Any, person: str) -> dict[str, Any]:
        """What an act of somebody else answers, sealed as it is everywhere."""
        (result,) = do(self._database, ENTROPY, self._decider, [Act(name, path, body, person)])
        return dict(result.answer)

    def view(self, name: str, **path: str) -> dict[str, Any]:
        """What a view shows now, without an entry."""
        with self._database.reading() as connection:
            purposes = self._decider.policies.purposes
            return dict(show(ReadContext(connection, CLOCK.now(), purposes, self._decider), View(name, path)).document)

    def certified_for(self, member: str, days: int) -> None:
        """Put the end of a certification so many days from now, as time would."""
        with self._database.sealing() as (connection, now):
            where = members.c.id == member
            connection.execute(update(members).where(where).values(certified_until=now + days * DAY))

    def invite(self, person: str, *roles: Role, partner: str = "") -> str:
        """Propose, approve and invite a person: the token of the one-time link."""
        more = {"partner": partner} if partner else {}
        body = NewMember(person, [role.value for role in roles], **more)
        proposed = self.act("propose_member", {}, body, "Demo Registrar")
        made = self.act("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Demo Approver")
        return str(self.act("invite_member", {"id": made["member"]}, Nothing(), "Demo Registrar")["token"])

    def visitor(self, person: str, *roles: Role, partner: str = "", address: str = "127.0.0.1") -> Visitor:
        """A new member who is logged in, by HTTP alone."""
        made = Visitor(self.origin, address)
        reply = made.enrol(self.invite(person, *roles, partner=partner))
        assert reply.status_code == httpx.codes.OK, reply.text
        return made

    def sealed(self, after: int = -1) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """(leaf with its `index`, private part) of every entry after this one, in order."""
        rows = select(ledger_entries).where(ledger_entries.c.leaf_index > after).order_by(ledger_entries.c.leaf_index)
        with self._database.reading() as connection:
            return [
                (json.loads(row.leaf) | {"index": row.leaf_index}, json.loads(row.private[32:]))
                for row in connection.execute(rows)
            ]

    def newest(self) -> int:
        """The index of the newest entry."""
        return int(self.sealed(-1)[-1][0]["index"])

    def change(self, table: Any, where: Any, **values: Any) -> None:
        """Rows of a table as if time had passed."""
        with self._database.sealing() as (connection, _):
            connection.execute(update(table).where(where).values(**values))

    def put(self, table: Any, rows: list[tuple[Any, ...]]) -> None:
        """Rows that are there at once, where coming by acts would take minutes."""
        with self._database.sealing() as (connection, _):
            put_many(connection, table, rows)

    def close(self) -> None:
        self._database.close()


@pytest.fixture(scope="session")
def console() -> Iterator[ServedConsole]:
    """A served deployment, one for the session. Its console is at `localhost`: an address is no RP id."""
    deployment = Deployment()
    served = ServedConsole(deployment)
    try:
        deployment.start()
        yield served
        deployment.stop()
    finally:
        served.close()
        deployment.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One chromium for the test process."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


def settle(console: ServedConsole, browser: Browser, visitor: Visitor, role: Role, person: str) -> Entered:
    """A visitor at a browser of their own: it has the session, and its first tab the passkey."""
    context = browser.new_context(locale="id-ID", viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    host = {"domain": "localhost", "path": "/", "secure": True, "httpOnly": True, "sameSite": "Strict"}
    context.add_cookies([{"name": "__Host-session", "value": visitor.cookie, **host}])
    page = context.new_page()
    give_authenticator(page, visitor.key)
    page.goto(f"{console.origin}/console/me")
    return Entered(role, person, context, visitor.cookie)


@pytest.fixture(scope="session")
def people(console: ServedConsole) -> Iterator[Callable[[Role], Visitor]]:
    """Role → whoever has it, logged in over HTTP; enrolled when first asked for."""
    known: dict[Role, Visitor] = {}

    def visitor(role: Role) -> Visitor:
        if role not in known:
            known[role] = console.visitor(PERSONS[role], role, partner=PARTNER if role in OF_PARTNERS else "")
        return known[role]

    yield visitor
    for each in known.values():
        each.close()


@pytest.fixture(scope="session")
def page_of(
    console: ServedConsole, browser: Browser, people: Callable[[Role], Visitor]
) -> Iterator[Callable[[Role], Entered]]:
    """Role → the same person in a browser. `page_of(role).context.pages[0]` has the authenticator."""
    known: dict[Role, Entered] = {}

    def entered(role: Role) -> Entered:
        if role not in known:
            known[role] = settle(console, browser, people(role), role, PERSONS[role])
        return known[role]

    yield entered
    for each in known.values():
        each.context.close()


@pytest.fixture
def newcomer(console: ServedConsole, browser: Browser) -> Iterator[Callable[..., Entered]]:
    """(name, role, …) → somebody who has just enrolled, for one test, whose pages are Indonesian."""
    known: list[Entered] = []

    def entered(person: str, *roles: Role) -> Entered:
        made = settle(console, browser, console.visitor(person, *roles), roles[0], person)
        known.append(made)
        return made

    yield entered
    for each in known:
        each.context.close()


@pytest.fixture(scope="session")
def http_of(console: ServedConsole, people: Callable[[Role], Visitor]) -> Iterator[Callable[..., httpx.Client]]:
    """Role → an HTTP client with that person's session; None → one without. It follows no redirects."""
    clients: dict[Role | None, httpx.Client] = {}

    def client(role: Role | None) -> httpx.Client:
        if role not in clients:
            headers = {"accept-language": "id"}
            if role is not None:
                headers["cookie"] = f"__Host-session={people(role).cookie}"
            clients[role] = httpx.Client(base_url=console.origin, headers=headers, timeout=30)
        return clients[role]

    yield client
    for each in clients.values():
        each.close()


@pytest.fixture(scope="session")
def furnished(console: ServedConsole, http_of: Callable[..., httpx.Client]) -> dict[str, str]:
    """Path template → a path, for every page with parameters: something of each kind is there."""
    SAMPLES.update(furnish(console, PERSONS[Role.AUDITOR], http_of(Role.AUDITOR)))
    return SAMPLES


@pytest.fixture(scope="session")
def post_of(console: ServedConsole, http_of: Callable[..., httpx.Client]) -> Callable[..., httpx.Response]:
    """(role, path, fields) → the reply to a form that a page of the console sends, with its token and hidden fields."""

    def post(role: Role, path: str, fields: dict[str, Any], page: str = "") -> httpx.Response:
        client = http_of(role)
        form = client.get(page or path)
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form.text))
        hidden = {name: value.replace("&#34;", '"').replace("&amp;", "&") for name, value in hidden.items()}
        headers = {"origin": console.origin, "sec-fetch-site": "same-origin"}
        return client.post(path, data=hidden | fields, headers=headers)

    return post


@pytest.fixture(scope="session")
def accessible() -> Callable[..., None]:
    """Asserts that axe finds nothing (WCAG 2.2 A and AA, best practices) on a page as it stands.

    `again`: only what colours and widths change on a page that was looked at already.
    """
    axe = Axe()

    def check(page: Page, *, again: bool = False) -> None:
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        looks = ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]
        only = {"type": "rule", "values": looks} if again else {"type": "tag", "values": tags}
        found = axe.run(page, options={"runOnly": only, "resultTypes": ["violations"]})
        faults = [
            f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes']][:3]}"
            for one in found.response["violations"]
        ]
        assert not faults, f"{page.url}\n" + "\n".join(faults)

    return check


@pytest.fixture(scope="session")
def picture() -> Callable[[Page, str], None]:
    """Takes a picture of the whole page into the directory that NIK_PICTURES names, for people to look at."""
    folder = os.environ.get("NIK_PICTURES", "")

    def take(page: Page, name: str) -> None:
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return take
