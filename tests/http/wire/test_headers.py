"""Which headers does a reply carry, and what do those of a call do (wire contract §3)?"""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from click.testing import CliRunner
from contract import refused

from gateway.cli.agreements import agreements

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

_ITEM = re.compile(r'"([a-z]+)"((?:;[a-z]+=\d+)+)')


def sf_list(text: str) -> dict[str, dict[str, int]]:
    """A structured-field List of Strings with Integer parameters (RFC 9651 §3.1), read strictly."""
    members = [_ITEM.fullmatch(member.strip(" \t")) for member in text.split(",")]
    assert all(members), text
    return {
        member[1]: {name: int(value) for name, value in re.findall(r";([a-z]+)=(\d+)", member[2])}
        for member in members
        if member
    }


def test_limits_are_told_and_count_down(gateway) -> None:
    """RateLimit-Policy and RateLimit are structured fields, one item per limit, and each answer takes one."""
    partner = gateway.partner("tax")
    lefts = []
    for resident in (gateway.resident(), gateway.resident(), gateway.unknown()):
        headers = partner.verify(gateway.question("tax", resident)).headers
        policy, state = sf_list(headers["ratelimit-policy"]), sf_list(headers["ratelimit"])
        assert policy.keys() == state.keys() == {"burst", "day", "month"}
        assert policy["day"] == {"q": 1_000_000, "w": 86_400}
        assert policy["burst"] == {"q": 5_000, "w": 1}
        assert all(state[name]["r"] <= policy[name]["q"] for name in state)
        assert 0 < state["day"]["t"] <= 86_400
        lefts.append((state["day"]["r"], state["month"]["r"]))
    assert lefts == [(lefts[0][0] - n, lefts[0][1] - n) for n in range(3)]
    refusal = partner.verify(gateway.question("tax", gateway.resident(), nik="123"))
    assert "ratelimit" not in refusal.headers or sf_list(refusal.headers["ratelimit"])["day"]["r"] == lefts[2][0]


def test_usage_agrees_with_the_headers(gateway) -> None:
    """`GET /v1/usage` tells the same: spent and left make the limit, and what an answer costs is counted."""
    partner = gateway.partner("bank")
    headers = partner.verify(gateway.question("bank", gateway.resident())).headers
    (usage,) = partner.call("GET", "/v1/usage").json()["agreements"]
    state = sf_list(headers["ratelimit"])
    for name in ("day", "month"):
        limit = usage["limits"][name]
        assert limit["spent"] + limit["left"] == limit["limit"]
        assert limit["left"] == state[name]["r"]
    assert usage["tariff"] == 1000
    assert usage["cost_month"] == 1000 * usage["limits"]["month"]["spent"]
    assert usage["balance"] == 1_000_000_000_000 - usage["cost_month"]


@pytest.mark.parametrize("path", ["/v1/agreement", "/v1/usage", "/v1/verifications", "/oauth2/token"])
def test_nothing_of_a_partner_is_kept_by_caches(gateway, path: str) -> None:
    """What is said to a partner is `Cache-Control: no-store`, with a length, and never sniffed."""
    partner = gateway.partner("bpjs")
    if path == "/oauth2/token":
        reply = partner.request_token()
    elif path == "/v1/verifications":
        reply = partner.verify(gateway.question("bpjs", gateway.resident()))
    else:
        reply = partner.call("GET", path)
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert "server" not in reply.headers
    assert "date" in reply.headers


@pytest.mark.parametrize("own", ["a", "CIF-2026.7_x", "a" * 64])
def test_an_own_request_id_comes_back(gateway, own: str) -> None:
    """A free identifier in X-Request-Id is echoed, on answers and refusals, known and unknown callers."""
    partner, body = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident())
    headers = {"X-Request-Id": own}
    replies = [partner.verify(body, headers=headers), partner.verify({}, headers=headers)]
    replies += [gateway.http.get(path, headers=headers) for path in ("/v1/usage", "/nothing")]
    assert [reply.headers["x-request-id"] for reply in replies] == [own] * 4


@pytest.mark.parametrize("own", [None, "", "a b", "a" * 65, "3201010101909001", "x-3201010101909001", "a;b", '"a"'])
def test_another_request_id_is_replaced(gateway, own: str | None) -> None:
    """What is no free identifier, or might be a NIK, is replaced by the id of the answer."""
    reply = gateway.partner("bpjs").verify(gateway.question("bpjs", gateway.resident()), headers={"X-Request-Id": own})
    assert reply.headers["x-request-id"] == reply.json()["id"]


def test_an_interaction_id_comes_back(gateway) -> None:
    """`x-fapi-interaction-id`, a UUID, is echoed for those who trace by it."""
    own = "6ba7b814-9dad-41d1-80b4-00c04fd430c8"
    reply = gateway.partner("bpjs").call("GET", "/v1/usage", headers={"x-fapi-interaction-id": own})
    assert reply.headers["x-fapi-interaction-id"] == own


def digest(body: bytes, algorithm: str = "sha-256", form: str = "{}=:{}:") -> str:
    made = hashlib.new(algorithm.replace("-", ""), body).digest()
    return form.format(algorithm, base64.b64encode(made).decode())


def test_a_right_digest_is_accepted(gateway) -> None:
    """A Content-Digest (RFC 9530) of the very bytes is accepted, alone or beside others."""
    partner = gateway.partner("bpjs")
    body = json.dumps(gateway.question("bpjs", gateway.resident())).encode()
    for header in (
        digest(body),
        f"{digest(body, 'sha-512')}, {digest(body)}",
        f"{digest(body)},{digest(body, 'sha-512')}",
    ):
        assert partner.verify(body, headers={"Content-Digest": header}).status_code == 200


@pytest.mark.parametrize("fault", ["other bytes", "no base64", "no colons", "hex", "empty", "sha-1"])
def test_a_wrong_digest_is_refused(gateway, fault: str) -> None:
    """A Content-Digest that is not that of the body is `digest-mismatch`, and nothing is charged."""
    partner = gateway.partner("bpjs")
    body = json.dumps(gateway.question("bpjs", gateway.resident())).encode()
    header = {
        "other bytes": digest(body + b" "),
        "no base64": "sha-256=:%%%:",
        "no colons": digest(body, form="{}={}"),
        "hex": f"sha-256=:{hashlib.sha256(body).hexdigest()}:",
        "empty": "sha-256=::",
        "sha-1": digest(body, "sha-1"),
    }[fault]
    before = partner.spent()
    refused(partner.verify(body, headers={"Content-Digest": header}), "digest-mismatch", gateway.issuer)
    assert partner.spent() == before


def test_a_proxys_word_is_not_believed(gateway) -> None:
    """X-Forwarded-For counts from listed proxies alone: it neither opens nor shuts a door."""
    forged = {"X-Forwarded-For": "192.0.2.7", "Forwarded": "for=192.0.2.7"}
    body = gateway.question("elsewhere", gateway.resident())
    document = refused(gateway.partner("elsewhere").verify(body, headers=forged), "address-not-allowed", gateway.issuer)
    assert document["seen_address"] == "127.0.0.1"
    own = gateway.question("bpjs", gateway.resident())
    assert gateway.partner("bpjs").verify(own, headers=forged).status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "x"])
def test_a_coded_body_is_not_taken(gateway, coding: str) -> None:
    """Whatever the bytes are: nothing here undoes a content coding (RFC 9110 §8.4), and `identity` is none."""
    partner, body = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident())
    refused(partner.verify(body, {"Content-Encoding": coding}), "unsupported-media-type", gateway.issuer)
    assert partner.verify(body, {"Content-Encoding": "identity"}).status_code == 200


def test_balance_and_spending_stay_to_be_seen(gateway) -> None:
    """`GET /v1/usage` shows an agreement that has ended or is suspended, and says which it is."""
    partner = gateway.partner("lapsed")
    options = ["--config", str(gateway.directory / "gateway.toml"), "pks-lapsed"]
    two = ["--proposer", "Demo Registrar", "--approver", "Demo Approver"]
    for words, state in (
        ([], "expired"),
        (["suspend", *options, "--reason", "semester_report_overdue", "--by", "Demo Registrar"], "suspended"),
        (["resume", *options, *two], "expired"),
    ):
        if words:
            assert CliRunner().invoke(agreements, words, catch_exceptions=False).exit_code == 0
        (usage,) = partner.call("GET", "/v1/usage").json()["agreements"]
        assert (usage["state"], usage["balance"], usage["limits"]["day"]["spent"]) == (state, 1_000_000_000_000, 0)
