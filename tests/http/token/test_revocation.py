"""Is a token worth nothing once it was given up, on every worker? `POST /oauth2/revoke`, RFC 7009."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from contract import refused
from partner import ASSERTION_TYPE, Partner, ProofKey, jwt, merged

from gateway.cli.main import group

REVOKE, USAGE = "/oauth2/revoke", "/v1/usage"


def asked(partner: Partner, path: str, form: dict[str, str | None], **headers: str) -> httpx.Response:
    """The reply of an endpoint of the authorization server to an authenticated form."""
    base = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": partner.assertion()}
    return partner.http.post(path, data=merged(base, form), headers=headers)


def given_up(partner: Partner, token: str, **form: str) -> None:
    reply = asked(partner, REVOKE, {"token": token, **form})
    assert (reply.status_code, reply.json()) == (200, {})
    assert reply.headers["cache-control"] == "no-store"


def alive(gateway: Any, partner: Partner, token: str) -> bool:
    """Whether a token is taken, asked of every worker; it must be all or none of them."""
    statuses = set()
    for _ in range(1 if gateway.workers == 1 else 6):
        with gateway.fresh_connection() as http:
            reply = partner.call("GET", USAGE, token=token, http=http)
        statuses.add(reply.status_code)
        if reply.status_code != 200:
            refused(reply, "invalid-token", gateway.issuer)
    assert len(statuses) == 1
    return statuses == {200}


@pytest.fixture
def small(gateway: Any) -> Partner:
    """A partner with a proof key of its own, so that no other test's token is touched."""
    partner: Partner = gateway.new_partner("small")
    return partner


def test_a_revoked_token_is_refused_from_the_next_answer_on(gateway, small) -> None:
    """Every worker refuses it, sealed, for reads and questions alike; the client's other tokens go on."""
    token, other = small.token(scope="nik.verify"), small.token(scope="nik.verify")
    assert alive(gateway, small, token)
    given_up(small, token)
    assert not alive(gateway, small, token)
    question = gateway.question("small", gateway.resident())
    for path, body in (("/v1/verifications", question), ("/v1/verifications/batch", {"purpose": "x", "items": []})):
        problem = refused(small.call("POST", path, body, token=token), "invalid-token", gateway.issuer)
        assert "revoked" in json.dumps(problem)
    assert alive(gateway, small, other)
    given_up(small, token, token_type_hint="access_token")


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "unheard_of"])
def test_a_wrong_hint_does_not_save_a_token(gateway, small, hint: str) -> None:
    """A hint only says where to look first (§2.1)."""
    token = small.token(scope="nik.verify")
    given_up(small, token, token_type_hint=hint)
    assert not alive(gateway, small, token)


def test_what_is_no_token_is_answered_alike(gateway, small) -> None:
    """An unknown, tampered, foreign or long dead text is answered 200, and tells nothing."""
    token = small.token(scope="nik.verify")
    header, claims, _ = token.split(".")
    forged = jwt({"typ": "at+jwt", "alg": "ES256"}, {"sub": "small"}, small.key)
    for text in ("x", "a.b.c", f"{header}.{claims}.AAAA", forged, small.assertion(), "é" * 300):
        given_up(small, text)
    assert alive(gateway, small, token)


def test_another_clients_token_is_not_revoked(gateway, small) -> None:
    """200 as for any other, and nothing is revoked (§2.1)."""
    owner = gateway.new_partner("bpjs")
    token = owner.token()
    given_up(small, token)
    assert alive(gateway, owner, token)


def test_there_are_no_refresh_tokens_to_revoke(small) -> None:
    """What is said to be a refresh token, and is no access token, is of a kind that is not supported (§2.2.1)."""
    reply = asked(small, REVOKE, {"token": "x", "token_type_hint": "refresh_token"})
    assert (reply.status_code, reply.json()["error"]) == (400, "unsupported_token_type")


def test_only_the_client_itself_revokes(gateway, small) -> None:
    """No assertion, a stranger's, one for another audience, and one that was used: `invalid_client`, nothing revoked."""
    token = small.token(scope="nik.verify")
    issuer = gateway.issuer
    for assertion in (
        None,
        "x",
        small.assertion({"aud": [issuer]}),
        small.assertion({"aud": issuer + REVOKE}),
        small.assertion(key=gateway.partner("bpjs").key),
        small.assertion({"iss": "nobody", "sub": "nobody"}),
    ):
        reply = asked(small, REVOKE, {"token": token, "client_assertion": assertion})
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client"), reply.text
        assert reply.headers["www-authenticate"]
    once = small.assertion()
    assert asked(small, REVOKE, {"token": "x", "client_assertion": once}).status_code == 200
    again = asked(small, REVOKE, {"token": token, "client_assertion": once})
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    token_reply = small.request_token({"client_assertion": once})
    assert token_reply.json()["error"] == "invalid_client", "an assertion serves once at all endpoints together"
    assert alive(gateway, small, token)


def test_a_bad_form_is_refused(gateway, small) -> None:
    """Without a token it is `invalid_request`; GET is 405; a parameter that comes twice is refused."""
    reply = asked(small, REVOKE, {})
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
    reply = gateway.http.get(REVOKE)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert gateway.http.post(REVOKE, content="token=x&token=y", headers=kind).json()["error"] == "invalid_request"


def test_a_repeated_question_does_not_outlive_its_token(gateway, small) -> None:
    """An answer kept under an Idempotency-Key is not given to a token that was revoked since."""
    token, key = small.token(scope="nik.verify"), secrets.token_hex(8)
    body = gateway.question("small", gateway.resident())
    headers = {"Idempotency-Key": key}
    assert small.call("POST", "/v1/verifications", body, token=token, headers=headers).status_code == 200
    given_up(small, token)
    refused(
        small.call("POST", "/v1/verifications", body, token=token, headers=headers), "invalid-token", gateway.issuer
    )


def command(gateway: Any, *words: str, code: int = 0) -> dict[str, Any]:
    """A command of the operator, as JSON."""
    config = ["--config", str(gateway.directory / "gateway.toml"), "--json"]
    result = CliRunner().invoke(group, [*words, *config])
    assert result.exit_code == code, result.output
    told: dict[str, Any] = json.loads(result.output) if code == 0 else {}
    return told


def newcomer(gateway: Any, client_id: str) -> Partner:
    """A partner of its own for one test, with the agreement of `small`, taken in by the command."""
    (small,) = (
        block
        for block in (gateway.directory / "agreements.toml").read_text().split("[[agreement]]\n")
        if block.startswith('id = "pks-small"')
    )
    jwk = {**ProofKey().private_jwk, "kid": f"{client_id}-1", "alg": "ES256", "use": "sig"}
    public = ", ".join(f'{name} = "{value}"' for name, value in jwk.items() if name != "d")
    head = (
        small[: small.index("keys = [")].replace("pks-small", f"pks-{client_id}").replace('"small"', f'"{client_id}"')
    )
    file = gateway.directory / f"{client_id}.toml"
    file.write_text(f"[[agreement]]\n{head}keys = [{{ {public} }}]\n")
    command(gateway, "agreements", "import", str(file), "--proposer", "A", "--approver", "B")
    return Partner(gateway.issuer, client_id, jwk, gateway.http)


def test_a_suspended_client_is_out_at_once(gateway) -> None:
    """Its tokens are refused by every worker, it gets no new ones, and old ones stay void when it is let in again."""
    partner = newcomer(gateway, "stopped")
    token = partner.token()
    assert alive(gateway, partner, token)
    told = command(gateway, "partners", "suspend-client", "stopped", "--by", "Petugas Satu", "--reason", "breach")
    until = int(time.time()) + 1  # a token tells in whole seconds when it was issued
    assert told == {"client": "stopped", "state": "suspended"}
    assert not alive(gateway, partner, token)
    assert partner.request_token().json()["error"] == "invalid_client"
    command(gateway, "partners", "resume-client", "stopped", "--proposer", "A", "--approver", "a", code=1)
    command(gateway, "partners", "resume-client", "stopped", "--proposer", "A", "--approver", "B")
    assert not alive(gateway, partner, token)
    time.sleep(max(until - time.time(), 0))
    assert alive(gateway, partner, partner.token(scope="nik.verify"))
    command(gateway, "partners", "suspend-client", "nobody", "--reason", "breach", "--by", "A", code=1)


def test_a_removed_key_takes_its_tokens_along(gateway) -> None:
    """Tokens that were got with it are refused by every worker, and no assertion by it is taken any more."""
    partner = newcomer(gateway, "robbed")
    token = partner.token()
    assert alive(gateway, partner, token)
    command(gateway, "partners", "remove-key", "robbed", "robbed-2", "--by", "A", code=1)
    told = command(gateway, "partners", "remove-key", "robbed", "robbed-1", "--by", "Petugas Satu")
    assert told == {"client": "robbed", "removed": "robbed-1", "left": 0}
    assert not alive(gateway, partner, token)
    assert partner.request_token().json()["error"] == "invalid_client"
    row = next(one for one in command(gateway, "partners", "list")["clients"] if one["client"] == "robbed")
    assert row["keys"] == []
