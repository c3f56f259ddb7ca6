"""Can somebody else's page make a member act, or get in without a passkey?"""

from __future__ import annotations

import re

import pytest

from gateway.staff.roles import Role

FORM = "/console/partners/do/register_partner"
GOOD = {"name": "Bank Palsu", "class": "bank"}


def token_of(client) -> str:
    return re.search(r'name="csrf" value="([^"]+)"', client.get(FORM).text).group(1)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"sec-fetch-site": "cross-site"}, "own"),
        ({"sec-fetch-site": "same-site"}, "own"),
        ({"origin": "http://evil.example"}, "own"),
        ({"sec-fetch-site": "same-origin"}, ""),
        ({"sec-fetch-site": "same-origin"}, "A" * 43),
        ({}, ""),
    ],
)
def test_a_form_of_another_page_is_refused(console, http_of, headers, token) -> None:
    """Another site, another origin, no token or a foreign one: 403, and nothing is done."""
    client = http_of(Role.REGISTRAR)
    fields = GOOD | {"csrf": token_of(client) if token == "own" else token}
    assert client.post(FORM, data=fields, headers=headers).status_code == 403
    assert "Bank Palsu" not in client.get("/console/partners").text


def test_a_token_of_another_session_is_refused(http_of) -> None:
    """The token of the approver's session does nothing in the registrar's."""
    other = re.search(r'name="csrf" value="([^"]+)"', http_of(Role.APPROVER).get("/console/me").text).group(1)
    reply = http_of(Role.REGISTRAR).post(FORM, data=GOOD | {"csrf": other}, headers={"sec-fetch-site": "same-origin"})
    assert reply.status_code == 403


@pytest.mark.parametrize("path", ["/console/login/begin", "/console/enrol/invitation", "/console/login/finish"])
def test_ceremonies_are_for_own_pages(http_of, path) -> None:
    """A ceremony that no page of the console began is refused, and so is one that is no JSON."""
    assert http_of(None).post(path, json={}).status_code == 403
    assert http_of(None).post(path, json={}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    own = {"sec-fetch-site": "same-origin"}
    assert http_of(None).post(path, data={"a": "b"}, headers=own).status_code == 415


@pytest.mark.parametrize("cookie", ["", "A", "A" * 43, "%00", "../../x", "A" * 4000])
def test_a_forged_session_is_nobody(http_of, cookie) -> None:
    """Whatever is not a session's cookie leads to the login, and is taken away."""
    reply = http_of(None).get("/console/me", headers={"cookie": f"__Host-session={cookie}"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/console/login?next=%2Fconsole%2Fme")
    assert "__Host-session" in reply.headers["set-cookie"]


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil", "/keys", "javascript:alert(1)"]
)
def test_login_leads_nowhere_else(http_of, target) -> None:
    """`next` is a path of the console or nothing."""
    assert 'data-next="/console"' in http_of(None).get("/console/login", params={"next": target}).text


def test_what_is_typed_is_kept_and_escaped(post_of, http_of) -> None:
    """A form that is refused shows again what was typed, as text, with the error beside its field."""
    reply = post_of(Role.REGISTRAR, FORM, {"name": '<script>alert("x")</script>', "class": ""})
    assert reply.status_code == 422
    assert "<script>alert" not in reply.text
    assert "&lt;script&gt;" in reply.text
    assert 'id="f-class-error"' in reply.text
