"""Does somebody come in by an OpenID provider over HTTP? Out by a link, back with a code, and on to the page they wanted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk import Office
from served import Gateway

sys.path.insert(0, str(Path(__file__).parents[2] / "staff"))  # pytest's importlib mode puts no test folder on the path

from provider import CLIENT, SECRET, OpenIdProvider, serving


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    """The provider that the settings name."""
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, provider: OpenIdProvider) -> Iterator[Gateway]:
    """A gateway on SQLite that takes the provider's word."""
    directory = tmp_path_factory.mktemp("provider")
    (directory / "secret").write_text(SECRET + "\n")
    more = f'\noidc_issuer = "{provider.issuer}"\noidc_client_id = "{CLIENT}"\noidc_client_secret_file = "secret"\n'
    deployment = Gateway(directory, None, 1, more)
    yield deployment
    assert deployment.stop() == 0


def test_a_member_logs_in_by_the_provider(deployment: Gateway, provider: OpenIdProvider) -> None:
    """The login offers it; the answer lets in once, with a Strict cookie, by way of a page of the console's own."""
    office = Office(deployment)
    proposed = office.post("/v1/staff/members", {"person": "Ayu", "roles": ["auditor"], "external": provider.subject})
    assert office.approve(proposed.json()).status_code == 200
    assert 'href="/console/external/begin?next=/console"' in deployment.http.get("/console/login").text
    out = deployment.http.get("/console/external/begin?next=/console/me")
    assert out.status_code == 303
    kept = out.headers["set-cookie"]
    assert "samesite=lax" in kept.lower()
    cookie = kept.partition(";")[0]
    params = provider.authorize(out.headers["location"])
    assert provider.codes[params["code"]]["redirect_uri"] == deployment.facts["console"] + "/external"
    back = deployment.http.get("/console/external", params=params, headers={"cookie": cookie})
    assert back.status_code == 200, back.headers
    assert 'content="0; url=/console/me"' in back.text
    session = next(each for each in back.headers.get_list("set-cookie") if each.startswith("__Host-session="))
    assert "samesite=strict" in session.lower()
    shown = deployment.http.get("/console/me", headers={"cookie": session.partition(";")[0]})
    assert (shown.status_code, "Ayu" in shown.text) == (200, True)
    again = deployment.http.get("/console/external", params=params, headers={"cookie": cookie})
    assert (again.status_code, again.headers["location"]) == (303, "/console/login?failed")
    assert "__Host-session" not in again.headers["set-cookie"]


def test_nobody_comes_in_without_a_provider(gateway: Gateway) -> None:
    """Where the settings name none, the login offers none, and both ways lead back to it."""
    assert "/console/external" not in gateway.http.get("/console/login").text
    for path in ("/console/external/begin", "/console/external?code=x&state=y"):
        reply: Any = gateway.http.get(path)
        assert (reply.status_code, reply.headers["location"]) == (303, "/console/login?failed")
    assert json.loads((gateway.directory / "demo.json").read_text())["console"].endswith("/console")
