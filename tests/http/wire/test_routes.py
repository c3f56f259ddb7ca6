"""Is every door locked? All routes of the real application, walked without a token."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from served import every_text

from gateway.app import build
from gateway.clock import SystemClock, SystemEntropy
from gateway.config import read
from gateway.console.routes import PUBLIC as CONSOLE
from gateway.errors import Cause
from gateway.register.reasons import REASONS
from gateway.web.http.pages import TOKEN_ERRORS
from gateway.web.openapi import document as openapi
from gateway.web.routes import PUBLIC as API

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

PUBLIC = API | CONSOLE
POSTED = {"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SLUGS = {"/problems/{slug:str}": [str(cause) for cause in Cause], "/reasons/{slug:str}": list(REASONS)}


@pytest.fixture(scope="session")
def paths(sqlite_gateway) -> list[str]:
    """The path of every route that the application of a worker has."""
    settings = read(sqlite_gateway.directory / "gateway.toml")
    application = build(settings, SystemClock(), SystemEntropy(), sealer_socket=Path("nobody-is-asked"))
    return [route.path for route in application.routes]


def concrete(path: str) -> list[str]:
    if path == "/console/static/{file:path}":
        return ["/console/static/console.css", "/console/static/vendor/pico.min.css"]
    if path == "/ledger/tile/{tile:path}":
        return ["/ledger/tile/0/000.p/1", "/ledger/tile/0/000.p/7"]
    return [path.replace("{slug:str}", slug) for slug in SLUGS.get(path, [""])]


def test_every_route_is_public_or_asks_for_a_token(gateway, paths) -> None:
    """What is not in PUBLIC answers 401 to every method that it has, and 405 to the others: nothing else, to nobody."""
    assert {"/v1/verifications", "/v1/verifications/batch", "/v1/agreement", "/v1/usage", "/metrics"} <= set(paths)
    for path in [one for one in set(paths) - PUBLIC if not one.startswith("/console")]:
        statuses = {}
        for method in METHODS:
            reply = gateway.http.request(method, path)
            if method == "OPTIONS" and (reply.status_code, reply.content) == (204, b"") and "allow" in reply.headers:
                continue  # which methods there are (RFC 9110 §9.3.7), and nothing else
            statuses[method] = reply.status_code
            if reply.status_code == 401:
                assert reply.headers["www-authenticate"].split(" ")[0] in ("DPoP", "Bearer")
            if reply.status_code == 405:
                assert method not in reply.headers["allow"].split(", ")
            if method != "HEAD":
                assert reply.headers["content-type"] == "application/problem+json", (path, method)
                assert reply.json()["type"].startswith(f"{gateway.issuer}/problems/")
        assert set(statuses.values()) <= {401, 405}, (path, statuses)
        assert 401 in statuses.values(), (path, statuses)


def test_every_page_of_the_console_asks_for_a_session(gateway, paths) -> None:
    """What the console does not show to everybody leads to its login; a ceremony that no page of it began is refused."""
    inner = [path for path in set(paths) - PUBLIC if path.startswith("/console")]
    assert "/console/partners/{id:str}" in inner
    for path in inner:
        place = re.sub(r"\{[a-z_]+:(str|path)\}", "x", path)
        for method in METHODS:
            reply = gateway.http.request(method, place)
            assert reply.status_code in {204, 303, 401, 403, 405}, (path, method, reply.status_code)
            if reply.status_code == 303:
                assert reply.headers["location"].startswith("/console/login?")


def test_every_public_route_is_there(gateway, paths) -> None:
    """PUBLIC names no path that is not served, and each of them answers whoever comes."""
    assert set(paths) >= PUBLIC
    for path in PUBLIC - POSTED:
        for each in concrete(path):
            assert gateway.http.get(each).status_code == 200, each


def test_nothing_public_tells_of_a_resident(gateway) -> None:
    """No public document, as JSON or as a page, holds a NIK, or the name of anybody in the register."""
    niks = {person["nik"] for person in gateway.people}
    names = {person["claims"]["name"] for person in gateway.people}
    for path in PUBLIC - POSTED - {"/openapi.json"}:  # the repository's, to the letter: see below
        for each in concrete(path):
            for accept in ("application/json", "text/html"):
                text = gateway.http.get(each, headers={"Accept": accept}).text
                assert not re.search(r"(?<![0-9A-Za-z_-])\d{16}(?!\d)", text), each
                assert not any(name in text for name in names), each
                assert not niks & set(re.findall(r"\d{16}", text)), each


def test_public_routes_say_what_they_take(gateway) -> None:
    """A wrong method on a public route is 405 with Allow, as a problem; at the console as a page."""
    for path in PUBLIC - POSTED:
        for method in ("POST", "PUT", "DELETE"):
            reply = gateway.http.request(method, concrete(path)[0])
            assert reply.status_code == 405
            if path.startswith("/console"):
                assert reply.text.startswith("<!doctype html>")
            else:
                assert reply.json()["type"] == f"{gateway.issuer}/problems/method-not-allowed"
            assert "GET" in reply.headers["allow"].split(", ")


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/v1", "/v1/", "/v1/verifications/7", "/V1/verifications", "/schema", "/openapi.yaml",
     "/problems/x",
     "/reasons/none", "/v1/verifications/batch/1", "/v1/verifications/%2e%2e/usage", "/oauth2", "/.well-known/x"],
)  # fmt: skip
def test_unknown_paths_are_not_found(gateway, path: str) -> None:
    """A path that is none is 404, as a problem, and is not repeated."""
    for method in ("GET",) if "/x" in path or "/none" in path else ("GET", "POST", "DELETE"):
        reply = gateway.http.request(method, path)
        assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json"), reply.text
        assert reply.json()["type"] == f"{gateway.issuer}/problems/not-found"
        assert path not in reply.text


def test_the_front_is_for_people_and_programs(gateway) -> None:
    """`/`, `/docs` and the lists are pages in a browser and JSON elsewhere; every link leads somewhere."""
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/", "/docs", "/problems", "/reasons"):
        shown, told = gateway.http.get(path, headers=browser), gateway.http.get(path)
        assert shown.text.startswith("<!doctype html>")
        assert shown.headers["content-security-policy"].startswith("default-src 'none'")
        assert told.json()
        assert shown.headers["vary"] == told.headers["vary"] == "accept"
        for link in re.findall(r'href="([^"]+)"', shown.text):
            assert gateway.http.get(link, headers=browser, follow_redirects=True).status_code == 200, link
    links = {each["href"].removeprefix(gateway.issuer) for each in gateway.http.get("/").json()["links"]}
    assert links == set(re.findall(r'href="([^"]+)"', gateway.http.get("/", headers=browser).text))


def test_the_gateway_describes_itself(gateway) -> None:
    """`/openapi.json` is the document of the repository under this gateway's issuer."""
    reply = gateway.http.get("/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == openapi.document(gateway.issuer)


def test_an_error_of_the_token_endpoint_leads_to_its_explanation(gateway) -> None:
    """`error_uri` is an anchor of `/docs`, which every error that there is has."""
    refused = gateway.http.post("/oauth2/token", data={"grant_type": "password"}).json()
    page = gateway.http.get("/docs", headers={"Accept": "text/html"}).text
    assert refused["error_uri"] == f"{gateway.issuer}/docs#{refused['error']}"
    errors = openapi.document()["components"]["schemas"]["TokenError"]["properties"]["error"]["enum"]
    assert set(re.findall(r'<section id="([a-z_]+)">', page)) == set(errors) == set(TOKEN_ERRORS)


def test_metrics_answer_their_token_alone(gateway) -> None:
    """Metrics are told to whoever has the token of `metrics.token_file`, and no metric names a NIK."""
    token = (gateway.directory / "metrics.token").read_text().strip()
    assert gateway.http.get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 401
    reply = gateway.http.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert reply.status_code == 200
    assert not re.search(r"\d{16}", re.sub(r"\d+\.\d+(e[+-]\d+)?", "", reply.text))


def test_every_refusal_has_its_page(gateway) -> None:
    """`GET /problems` and `GET /problems/<slug>` explain each cause in both languages, with an example."""
    listed = {page["slug"]: page for page in gateway.http.get("/problems").json()["problems"]}
    assert listed.keys() == {str(cause) for cause in Cause}
    for slug, page in listed.items():
        assert gateway.http.get(f"/problems/{slug}").json() == page
        for text in ("title", "meaning", "what_to_do"):
            assert page[text].keys() == {"id", "en"}
            assert page[text]["id"] != page[text]["en"]
        assert page["example"]["type"] == f"{gateway.issuer}/problems/{slug}"


def test_every_reason_has_its_page(gateway) -> None:
    """`GET /reasons/<slug>` says by whom, where, by which action and with which documents, in both languages."""
    listed = {page["slug"]: page for page in gateway.http.get("/reasons").json()["reasons"]}
    assert listed.keys() == gateway.magic["reason"].keys()
    for slug, page in listed.items():
        assert gateway.http.get(f"/reasons/{slug}").json() == page
        assert page["status"] == gateway.magic["reason"][slug]["status"]
        assert page["remedy"].keys() == {"by", "where", "action", "documents", "text"}
        assert page["remedy"]["text"].keys() == {"id", "en"}
        assert all(every_text(page))


def test_health_is_told(gateway) -> None:
    """`/healthz` says alive and `/readyz` says what it looked at."""
    assert gateway.http.get("/healthz").json() == {"status": "alive"}
    state = gateway.http.get("/readyz").json()
    assert state["ready"] is True
    assert {"database", "ledger", "keys"} <= state.keys()


def test_compression_is_never_used(gateway) -> None:
    """An answer is sent as it is, whatever the caller would take: lengths under compression would tell."""
    partner = gateway.partner("bpjs")
    body = gateway.question("bpjs", gateway.resident())
    reply: httpx.Response = partner.verify(body, headers={"Accept-Encoding": "gzip, br, zstd, deflate"})
    assert reply.status_code == 200
    assert "content-encoding" not in reply.headers
