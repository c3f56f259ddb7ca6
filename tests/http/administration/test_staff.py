"""How do people of the house come to the console, over the API and over HTTP? On one worker and on two."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from desk import Office, new_name, slug
from partner import Partner, ProofKey

sys.path.insert(0, str(Path(__file__).parents[2] / "staff"))  # pytest's importlib mode puts no test folder on the path

from authenticator import Authenticator

from gateway.cli.staff import staff

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

MEMBERS = "/v1/staff/members"


def origin_of(office: Office) -> str:
    """Where a browser would find the console."""
    return str(office.gateway.facts["console"]).removesuffix("/console")


def step(office: Office, path: str, said: dict[str, Any], cookie: str = "") -> Any:
    """What console.js sends, over a connection of its own: of several workers any may answer."""
    headers = {"origin": origin_of(office), "sec-fetch-site": "same-origin"}
    headers |= {"cookie": f"__Host-session={cookie}"} if cookie else {}
    with office.gateway.fresh_connection() as http:
        return http.post(f"/console/{path}", json=said, headers=headers)


def new_member(office: Office, *roles: str) -> str:
    """A member whom two persons have made; the id."""
    proposed = office.post(MEMBERS, {"person": new_name(), "roles": list(roles)})
    assert proposed.status_code == 202, proposed.text
    approved = office.approve(proposed.json())
    assert approved.status_code == 200, approved.text
    return str(approved.json()["member"])


def enrol(office: Office, token: str, key: Authenticator) -> Any:
    """The reply that ends an enrolment."""
    begun = step(office, "enrol/begin", {"token": token})
    assert begun.status_code == 200, begun.text
    document = begun.json()
    said = {"token": token, "ceremony": document["ceremony"], "response": key.create(document["options"])}
    return step(office, "enrol/finish", said)


def log_in(office: Office, key: Authenticator) -> Any:
    """The reply that ends a login."""
    document = step(office, "login/begin", {}).json()
    return step(office, "login/finish", {"ceremony": document["ceremony"], "response": key.get(document["options"])})


def opens(office: Office, cookie: str) -> set[int]:
    """How the own page answers, ten times, on whichever worker."""
    told = set()
    for _ in range(10):
        with office.gateway.fresh_connection() as http:
            told.add(http.get("/console/me", headers={"cookie": f"__Host-session={cookie}"}).status_code)
    return told


def test_a_person_lives_at_the_console_from_proposal_to_dismissal(office) -> None:
    """Proposed, approved, invited, enrolled, logged in, suspended, resumed, recovered, dismissed: each by who may."""
    member = new_member(office, "registrar")
    path = f"{MEMBERS}/{member}"
    invitation = office.post(f"{path}/invitation")
    assert invitation.status_code == 201, invitation.text
    told = invitation.json()
    assert told["link"] == f"/console/enrol#{told['token']}"
    key = Authenticator(origin_of(office))
    enrolled = enrol(office, told["token"], key)
    assert enrolled.status_code == 200, enrolled.text
    assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in enrolled.headers["set-cookie"].split(";")}
    assert "samesite=strict" in enrolled.headers["set-cookie"].lower()
    cookie = enrolled.cookies["__Host-session"]
    assert opens(office, cookie) == {200}
    assert slug(office.post(f"{path}/invitation")) == "conflict"
    assert office.get(path).json()["state"] == "enrolled"

    second = log_in(office, key).cookies["__Host-session"]
    assert office.post(f"{path}/suspend", {"reason": "leave"}).status_code == 200
    assert 200 not in opens(office, cookie) | opens(office, second)
    assert log_in(office, key).status_code == 401
    resumed = office.approve(office.post(f"{path}/resume").json())
    assert resumed.status_code == 200, resumed.text
    assert opens(office, log_in(office, key).cookies["__Host-session"]) == {200}

    assert office.approve(office.post(f"{path}/recover").json()).status_code == 200
    assert log_in(office, key).status_code == 401
    new = Authenticator(origin_of(office))
    assert enrol(office, office.post(f"{path}/invitation").json()["token"], new).status_code == 200
    last = log_in(office, new).cookies["__Host-session"]
    assert office.registrar.call("DELETE", f"{path}/sessions").json()["ended"] == 2
    assert 200 not in opens(office, last)
    assert office.registrar.call("DELETE", path).json()["dismissed"] is True
    assert office.get(path).status_code == 404
    assert log_in(office, new).status_code == 401


def test_recertification_is_another_persons(office) -> None:
    """Whoever approves or registers may; what If-Match names must stand still; the date moves."""
    member = new_member(office, "auditor")
    path = f"{MEMBERS}/{member}"
    seen = office.get(path)
    done = office.post(f"{path}/recertify", by=office.approver, If_Match=seen.headers["etag"])
    assert done.status_code == 200, done.text
    assert done.json()["certified_until"] >= seen.json()["certified_until"]
    assert slug(office.post(f"{path}/suspend", {"reason": "x"}, If_Match='"another"')) == "conflict"
    assert office.get(f"{MEMBERS}?limit=200").json()["items"]


def test_members_are_the_administrators_to_see_and_change(office) -> None:
    """A partner and an auditor may not; an approver may read and recertify, and no more."""
    auditor = office.gateway.partner("auditor")
    for caller in (office.gateway.partner("bpjs"), auditor):
        assert slug(office.get(MEMBERS, by=caller)) == "insufficient-scope"
    body = {"person": new_name(), "roles": ["auditor"]}
    assert slug(office.post(MEMBERS, body, by=office.approver)) == "insufficient-scope"
    assert slug(office.post(MEMBERS, {"person": "X", "roles": ["engineer"]})) == "malformed-request"


def test_no_token_is_to_be_had_for_a_member(office) -> None:
    """Whatever key signs for a member's client, the token endpoint knows no such client."""
    member = new_member(office, "registrar")
    key = ProofKey()
    jwk = {**key.private_jwk, "kid": "1", "alg": "ES256"}
    http = office.gateway.http
    replies = [
        Partner(office.gateway.issuer, client, jwk, http).request_token({"scope": "partners.write"})
        for client in (f"console.{member}", "console.nobody")
    ]
    told = [(each.status_code, each.json()["error"]) for each in replies]
    assert told == [(400, "invalid_client")] * 2


def test_failed_logins_look_alike_and_are_only_counted(office) -> None:
    """An unknown passkey, a used challenge and a broken response give one answer; none has an entry of its own."""
    member = new_member(office, "registrar")
    key = Authenticator(origin_of(office))
    enrol(office, office.post(f"{MEMBERS}/{member}/invitation").json()["token"], key)
    told = []
    document = step(office, "login/begin", {}).json()
    stranger = Authenticator(origin_of(office), keys={b"k" * 32: next(iter(key.keys.values()))})
    good = key.get(document["options"])
    assert step(office, "login/finish", {"ceremony": document["ceremony"], "response": good}).status_code == 200
    for response in (stranger.get(document["options"]), good, {}):
        said = {"ceremony": document["ceremony"], "response": response}
        told.append(step(office, "login/finish", said))
    assert {each.status_code for each in told} == {401}
    bodies = [{name: value for name, value in each.json().items() if name not in {"instance", "id"}} for each in told]
    assert bodies[0] == bodies[1] == bodies[2]
    assert all("entry" not in each.json() and "set-cookie" not in each.headers for each in told)


def test_people_are_enrolled_at_the_command_line(office) -> None:
    """One person's word until two can do it by the rules, the rules' two persons always; each command speaks JSON."""
    config = ["--config", str(office.gateway.directory / "gateway.toml"), "--json"]

    def run(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(staff, [*words, *config])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if not code else result.output

    name = new_name()
    two = ["--proposer", "Satu", "--approver", "Dua"]
    made = run("enrol", "--person", name, "--role", "approver", *two)
    assert made["link"].startswith(f"{origin_of(office)}/console/enrol#")
    assert "two persons" in run(
        "enrol", "--person", new_name(), "--role", "auditor", "--proposer", "Satu", "--approver", "SATU", code=1
    )
    member = made["member"]
    assert next(row for row in run("members")["members"] if row["id"] == member)["person"] == name
    again = run("invite", member, "--by", "Satu")
    assert again["link"] != made["link"]
    assert enrol(office, again["link"].partition("#")[2], Authenticator(origin_of(office))).status_code == 200
    assert "conflict" in run("invite", member, "--by", "Satu", code=1)
    assert run("recover", member, *two)["link"]
    assert run("recertify", member, "--by", "Satu")["certified_until"]
    assert "two persons" in run("recertify", member, "--by", name, code=1)
    assert run("suspend", member, "--by", "Satu", "--reason", "long_leave")["member"] == member
    assert run("dismiss", f"console.{member}", "--by", "Satu")["dismissed"] is True
    assert "not-found" in run("invite", member, "--by", "Satu", code=1)


def test_the_demonstrations_people_enrol_by_their_links(gateway) -> None:
    """demo.json has a link for each administrator, the auditor and two engineers, and each of them lets one in."""
    office, facts = Office(gateway), json.loads((gateway.directory / "demo.json").read_text())
    people = [*facts["administrators"], facts["auditor"], *facts["engineers"]]
    assert len({each["enrol_url"] for each in people}) == len(people) == 6
    for person in (facts["auditor"], facts["engineers"][0]):
        link, _, token = person["enrol_url"].partition("#")
        assert link == f"{origin_of(office)}/console/enrol"
        shown = step(office, "enrol/invitation", {"token": token}).json()
        assert shown["person"] == person["name"]
