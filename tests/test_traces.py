"""Do the ways that docs/architecture.md traces lead through the functions it names, in that order?"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from litestar.testing import TestClient

sys.path.append(str(Path(__file__).parent / "http"))  # pytest's importlib mode puts no test folder on the path

from desk import Office
from partner import Partner

from gateway.app import build
from gateway.cli.demonstration import Demonstration
from gateway.clock import SystemClock, SystemEntropy
from gateway.config import read

HOUSE = Path(__file__).parents[1]
seen: list[str] = []


def note(frame: FrameType, event: str, _: Any) -> None:
    """Write down each function of the gateway that is entered."""
    code = frame.f_code
    if event == "call" and "/gateway/" in code.co_filename:
        seen.append(f"gateway/{code.co_filename.rpartition('/gateway/')[2]}::{code.co_qualname}")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A whole gateway in this process, every thread of which is watched."""
    place = tmp_path_factory.mktemp("traced")
    demonstration = Demonstration(place, 200, 1, None, "127.0.0.1", 8080, 1)
    demonstration.build(lambda _: None)
    settings = read(demonstration.settings_file)
    threading.setprofile(note)
    try:
        application = build(settings, SystemClock(), SystemEntropy())

        async def local(scope: Any, receive: Any, send: Any) -> None:
            sys.setprofile(note)
            await application({**scope, "client": ("127.0.0.1", 1)}, receive, send)

        with TestClient(local, base_url=settings.issuer) as http:

            def partner(client_id: str) -> Partner:
                folder = next(place.rglob(f"{client_id}/key.jwk"))
                return Partner(settings.issuer, client_id, json.loads(folder.read_text()), http)

            residents = map(json.loads, (place / "residents.sample.ndjson").read_text().splitlines())
            active = next(one for one in residents if one["status"] == "active")
            yield SimpleNamespace(partner=partner, active=active, http=http, issuer=settings.issuer)
    finally:
        threading.setprofile(None)
        sys.setprofile(None)


def told(heading: str) -> list[str]:
    """The function that each line of a numbered list of docs/architecture.md begins with."""
    page = (HOUSE / "docs" / "architecture.md").read_text("utf-8")
    section = page.partition(f"### {heading}")[2].partition("\n##")[0]
    named = re.findall(r"^\d+\. `([^`]+::[^`]+)`", section, re.MULTILINE)
    assert len(named) > 5
    return named


def left_out(wanted: list[str]) -> str | None:
    """The first of `wanted` that was not entered after those before it."""
    for _ in range(50):  # a thread may still be on its way
        rest = iter(seen)
        missing = next((each for each in wanted if each not in rest), None)
        if missing is None:
            return None
        time.sleep(0.02)
    return missing


def test_a_verification_goes_the_way_that_is_told(gateway: SimpleNamespace) -> None:
    """Each function of the traced verification is entered, one after the other."""
    partner = gateway.partner("bpjs")
    partner.token()
    claims = {name: gateway.active["claims"][name] for name in ("name", "birth_date")}
    seen.clear()
    reply = partner.verify({"nik": gateway.active["nik"], "purpose": "claim_eligibility", "claims": claims})
    assert reply.status_code == 200
    assert left_out(told("One verification, traced")) is None


def test_an_administrative_change_goes_the_way_that_is_told(gateway: SimpleNamespace) -> None:
    """Each function of the traced suspension is entered, one after the other."""
    office = Office(gateway)
    agreement = office.get("/v1/partners/bpjs").json()["agreements"][0]["agreement"]
    seen.clear()
    reply = office.post(f"/v1/agreements/{agreement}/suspend", {"reason": "breach"})
    assert reply.status_code == 200, reply.text
    assert left_out(told("One administrative change, traced")) is None


def test_a_page_of_the_console_goes_the_way_that_is_told() -> None:
    """Each function of the traced page is named in the code of one that comes before it, up to the first."""
    first, *others = told("One page of the console, traced")
    before = (HOUSE / "gateway/console/routes.py").read_text() + (HOUSE / first.partition("::")[0]).read_text()
    for each in others:
        file, _, name = each.partition("::")
        assert re.search(rf"\b{name.rpartition('.')[2]}\(", before), each
        before += (HOUSE / file).read_text()
