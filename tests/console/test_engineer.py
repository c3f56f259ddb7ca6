"""Does the engineer of a partner find out alone what may be asked, what is left, what failed and what it cost?"""

from __future__ import annotations

import html
import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from days import day
from joserfc import jws
from joserfc.jwk import KeySet

sys.path += [str(Path(__file__).parents[1] / "http"), str(Path(__file__).parents[1] / "staff")]
from authenticator import Authenticator
from partner import Partner

from gateway.cli.verify import verify
from gateway.console.pages.engineer import balance, gauges
from gateway.staff.roles import Role
from nik_gateway_client import GatewayClient, Refusal

NIK = re.compile(r"\d{16}")


@pytest.fixture(scope="module")
def client(console) -> Iterator[GatewayClient]:
    """The program of the engineer's partner."""
    with GatewayClient(console.deployment.directory / "partners" / "bpjs" / "profile.toml") as made:
        yield made


@pytest.fixture(scope="module")
def engineer(http_of) -> httpx.Client:
    """The engineer's browser, as far as HTTP goes."""
    return http_of(Role.ENGINEER)


def refused(client: GatewayClient, purpose: str, nik: str, claims: Mapping[str, str]) -> Refusal:
    """A call that is refused."""
    with pytest.raises(Refusal) as caught:
        client.verify(nik, purpose, claims)
    return caught.value


def blocks(page: str, ending: str) -> list[str]:
    """The texts to be copied whose ids end so."""
    found = re.findall(rf'<code id="[^"]*{ending}">(.*?)</code>', page, re.DOTALL)
    return [html.unescape(each) for each in found]


def basic(resident: Mapping[str, Any]) -> dict[str, str]:
    """Name and birth date of a resident."""
    return {name: resident["claims"][name] for name in ("name", "birth_date")}


def test_example_calls_are_accepted_as_they_stand(console, client, engineer) -> None:
    """Each body is accepted with a real resident in it, and the answer has just the members that its example shows."""
    page = engineer.get("/console/own").text
    magic = json.loads((console.deployment.directory / "magic.json").read_text())
    blocked = magic["reason"]["deceased"]
    bodies, answers = blocks(page, "-body"), blocks(page, "-answer")
    assert len(bodies) == len(answers) == 2
    for text, shown in zip(bodies, answers, strict=True):
        body = json.loads(text)
        assert body["nik"] == "<NIK>"
        rest = {name: value for name, value in body.items() if name not in {"nik", "purpose", "claims"}}
        claims = {name: blocked["claims"][name] for name in body["claims"]}
        answer = client.verify(blocked["nik"], body["purpose"], claims, **rest)
        assert set(answer.raw) == set(json.loads(shown))


def test_the_example_command_can_be_run(console, engineer) -> None:
    """With the partner's profile and a real resident it is answered: its options are those of the command."""
    (line, *_) = blocks(engineer.get("/console/own").text, "-command")
    words = shlex.split(line.replace("\\\n", " "))
    assert words[:2] == ["nik-gateway", "verify"]
    resident = console.deployment.active[0]
    profile = str(console.deployment.directory / "partners" / "bpjs" / "profile.toml")
    words = [profile if each == "profile.toml" else each for each in words[2:]]
    words = [
        f"{each.partition('=')[0]}={resident['claims'][each.partition('=')[0]]}" if "=" in each else each
        for each in words
    ]
    done = CliRunner().invoke(verify, [*words, "--json"], input=resident["nik"])
    assert done.exit_code == 0, done.output


def test_a_refused_call_is_explained(console, client, engineer) -> None:
    """With its cause, whether it may be repeated, each step, the page of the problem, and the number to quote; never a NIK."""
    resident = console.deployment.active[1]
    wrong = refused(client, "taxpayer_registration", resident["nik"], basic(resident))
    page = engineer.get("/console/own/failures").text
    assert wrong.raw["id"] in page
    assert "Jangan diulang tanpa perbaikan" in page
    link = re.search(r'href="(/problems/purpose-not-agreed)"', page)
    assert link is not None
    assert engineer.get(link[1]).status_code == 200
    assert resident["nik"] not in page
    assert NIK.search(page) is None


def test_failed_calls_are_filtered_by_cause_and_day(console, client, engineer) -> None:
    """A filter shows what it names alone; what fits no filter says how to go on; the file has the same rows."""
    resident = console.deployment.active[2]
    one = refused(client, "taxpayer_registration", resident["nik"], basic(resident)).raw["id"]
    other = refused(client, "claim_eligibility", resident["nik"], {"name": "A"}).raw["id"]
    path = "/console/own/failures?cause=claims-missing"
    page = engineer.get(path).text
    assert other in page
    assert one not in page
    rows = engineer.get(f"{path}&csv=own_failures").text.splitlines()
    assert any(other in row for row in rows)
    assert not any(one in row for row in rows)
    tomorrow = day(1)
    assert "Longgarkan saringannya" in engineer.get(f"/console/own/failures?since={tomorrow}").text


def test_nothing_of_others_is_shown(console, engineer) -> None:
    """What another partner was refused stands on none of the engineer's pages, nor does its name."""
    with GatewayClient(console.deployment.directory / "partners" / "bank" / "profile.toml") as bank:
        resident = console.deployment.active[3]
        foreign = refused(bank, "taxpayer_registration", resident["nik"], basic(resident)).raw["id"]
    paths = ("", "/own", "/own/usage", "/own/failures", "/own/keys", "/own/statements", "/own/traffic")
    for page in (engineer.get(f"/console{path}") for path in paths):
        assert page.status_code == 200, page.url
        assert foreign not in page.text
        assert "Bank Nusantara" not in page.text


def test_the_quota_shown_is_that_of_the_books(console, client, engineer) -> None:
    """What a call spends is seen at once."""
    resident = console.deployment.active[4]
    client.verify(resident["nik"], "claim_eligibility", basic(resident))
    page = engineer.get("/console/own/usage").text
    (agreement,) = client.usage()["agreements"]
    for name in ("day", "month"):
        spent, limit = (agreement["limits"][name][which] for which in ("spent", "limit"))
        assert f'<data value="{spent}">' in page
        assert f'<data value="{limit}">' in page


@pytest.mark.parametrize(("spent", "level"), [(0, 0), (79, 0), (80, 80), (89, 80), (90, 90), (99, 90), (100, 100)])
def test_a_gauge_warns_at_80_90_and_100_per_cent(spent: int, level: int) -> None:
    """Of a day and a month; a burst is whole again before anybody reads of it."""
    limit = {"limit": 100, "spent": spent, "left": 100 - spent, "resets_at": "2026-11-25T00:00:00Z"}
    burst, day = gauges({"limits": {"burst": limit, "day": limit}})
    assert (burst.level, day.level, day.percent) == (0, level, spent)


@pytest.mark.parametrize(
    ("left", "topped_up", "level", "answers"),
    [(10_000, 10_000, 0, 10), (2_000, 10_000, 80, 2), (999, 10_000, 90, 0), (0, 10_000, 100, 0), (500, None, 100, 0)],
)
def test_a_balance_warns_before_it_is_used_up(left: int, topped_up: int | None, level: int, answers: int) -> None:
    """Against the last payment where there was one; and when it suffices for no answer any more."""
    shown = balance({"balance": left, "tariff": 1_000, "topped_up": topped_up})
    assert shown is not None
    assert (shown["level"], shown["answers"]) == (level, answers)


def test_a_statement_is_signed_and_can_be_checked_as_the_page_says(engineer, tmp_path, monkeypatch) -> None:
    """The check on the page holds for the file on the page, and not for one in which a rupiah was changed."""
    yesterday = day(-1)
    page = engineer.get(f"/console/own/statements/{yesterday}").text
    (name,) = re.findall(r'download="([^"]+\.json)"', page)
    file = engineer.get(f"/console/own/statements/{yesterday}?file=day")
    assert blocks(page, "jws") == [file.json()["jws"]]
    monkeypatch.chdir(tmp_path)
    (check,) = blocks(page, "check")
    Path(name).write_bytes(file.content)
    exec(check, {})  # noqa: S102  the page's own snippet is what is tried
    told = file.json()
    Path(name).write_text(json.dumps({**told, "statement": {**told["statement"], "amount": 1}}))
    with pytest.raises(AssertionError):
        exec(check, {})  # noqa: S102
    keys = KeySet.import_key_set(engineer.get("/keys").json())
    signed = jws.deserialize_compact(told["jws"], keys, algorithms=["Ed25519", "EdDSA"])
    assert json.loads(signed.payload) == told["statement"]
    assert engineer.get("/console/own/statements/2999-01-01").status_code == 404


def test_a_key_is_rotated_as_the_page_says(console, engineer, tmp_path, monkeypatch) -> None:
    """The snippet makes a body that the gateway takes from the old key, and a key that it then lets in; both are listed."""
    page = engineer.get("/console/own/keys").text
    (snippet,) = blocks(page, "rotate-command")
    monkeypatch.chdir(tmp_path)
    exec(re.sub(r'client_id = "[^"]+"', 'client_id = "bpjs"', snippet), {})  # noqa: S102  as above
    old = json.loads((console.deployment.directory / "partners" / "bpjs" / "key.jwk").read_text())
    with httpx.Client(base_url=f"http://127.0.0.1:{console.deployment.port}") as http:
        issuer = http.get("/.well-known/oauth-authorization-server").json()["issuer"]
        done = Partner(issuer, "bpjs", old, http).call(
            "POST", "/v1/keys", json.loads(Path("rotation.json").read_text())
        )
        assert done.status_code == 201, done.text
        new = json.loads(Path("new.jwk").read_text())
        shown = engineer.get("/console/own/keys").text
        assert old["kid"] in shown
        assert new["kid"] in shown
        asked = Partner(issuer, "bpjs", new, http).request_token()
        assert asked.status_code == 200, asked.text


def test_the_quota_renews_itself(console, client, page_of) -> None:
    """What somebody else spends is seen without a key being pressed, and stopping it stops it."""
    tab = page_of(Role.ENGINEER).open(console.origin + "/console/own/usage")
    left = tab.locator("#quota .gauge").nth(1).locator("data").first
    before = int(left.get_attribute("value") or "")
    resident = console.deployment.active[5]
    client.verify(resident["nik"], "claim_eligibility", basic(resident))
    tab.locator(f'#quota .gauge:nth-child(2) data[value="{before + 1}"]').wait_for(timeout=15_000)
    tab.locator("[data-pause]").click()
    assert tab.locator("[data-said]").inner_text() == "Dijeda"
    tab.close()


def test_every_page_says_what_to_do_where_there_is_nothing(engineer) -> None:
    """A day without answers, and days that are not complete yet."""
    yesterday = day(-1)
    assert "tidak ada yang ditagih" in engineer.get(f"/console/own/statements/{yesterday}").text
    assert "Tagihan pertama ada sehari setelah" in engineer.get("/console/own/statements").text


def test_receipts_are_explained_with_commands_that_exist(engineer) -> None:
    """Each command that the page names is one of ours, with the options that it is shown with."""
    page = engineer.get("/console/own/receipts")
    assert page.status_code == 200
    commands = [each for each in blocks(page.text, "") if each.startswith("nik-gateway receipt")]
    assert len(commands) == 2
    from gateway.cli.receipt import receipt  # noqa: PLC0415  beside the only test of it

    for line in commands:
        _, _, name, *words = shlex.split(line)
        known = {option for each in receipt.commands[name].params for option in each.opts}
        assert {each for each in words if each.startswith("--")} <= known


@contextmanager
def enrolled(console: Any, partner: str) -> Iterator[httpx.Client]:
    """The browser of an engineer of another partner, as far as HTTP goes."""
    token = console.invite(f"Teknisi {partner}", Role.ENGINEER, partner=partner)
    with httpx.Client(base_url=console.origin, headers={"accept-language": "id"}) as http:
        sent = {"origin": console.origin, "sec-fetch-site": "same-origin"}
        begun = http.post("/console/enrol/begin", json={"token": token}, headers=sent).json()
        response = Authenticator(console.origin).create(begun["options"])
        said = {"token": token, "ceremony": begun["ceremony"], "response": response}
        done = http.post("/console/enrol/finish", json=said, headers=sent)
        (cookie,) = re.findall(r"__Host-session=([^;]+)", done.headers["set-cookie"])
        http.headers["cookie"] = f"__Host-session={cookie}"
        yield http


def test_an_agreement_that_is_over_says_how_to_bring_it_back(console) -> None:
    """Its state, what to do, and that there is no allowance meanwhile."""
    with enrolled(console, "lapsed") as http:
        page = http.get("/console/own").text
        assert "Berakhir" in page
        assert "memperpanjang perjanjian" in page
        assert "Tidak ada perjanjian yang berlaku" in http.get("/console/own/usage").text
        assert http.get("/console").status_code == 200


def test_an_empty_balance_is_told_with_what_to_do(console) -> None:
    """On the page of the allowance and on the first one."""
    with enrolled(console, "penniless") as http:
        for path in ("/console/own/usage", "/console"):
            page = http.get(path).text
            assert "Tidak cukup untuk satu jawaban pun" in page
            assert '<span class="badge bad">Habis</span>' in page
