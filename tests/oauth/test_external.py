"""Tokens of another authorization server: found by RFC 8414, verified by RFC 9068, bound and mapped like our own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from holders import BASE, HandClock, Holder
from other_issuer import OtherIssuer, serving

from gateway.clock import SECOND, SystemEntropy
from gateway.errors import Cause, Refused
from gateway.keyring import Job, SigningKey
from gateway.keyring import file as key_files
from gateway.oauth.access_token import AccessTokens, Confirmation, TokenClaims
from gateway.oauth.client import Client
from gateway.oauth.external import ExternalIssuer, ExternalTokens, IssuerUnreachable, metadata_url

RESOURCE = f"{BASE}/v1"
REFRESH, STALE, AGAIN = (
    300 * SECOND,
    3600 * SECOND,
    10 * SECOND,
)  # keys are renewed, serve without renewal, asked for again
EC = Holder("EC")
BANK = Client("bank-1", "bank", "private_key_jwt", {}, frozenset({"nik.verify"}))
AUDITOR = Client("auditor", "dukcapil", "private_key_jwt", {}, frozenset({"audit.read"}))
KEY = key_files.parse(key_files.new(Job.TOKEN, 1, SystemEntropy()))
assert isinstance(KEY, SigningKey)


@pytest.fixture(scope="module")
def running() -> Iterator[OtherIssuer]:
    """One server for all tests of this file."""
    with serving() as other:
        yield other


@pytest.fixture
def other(running: OtherIssuer) -> OtherIssuer:
    """The server as it begins."""
    running.keys, running.metadata, running.failing, running.asked = {}, {}, False, {}
    running.rotate("one")
    return running


class House:
    """Our side: verifies its own tokens and those of the other issuer."""

    def __init__(self, other: OtherIssuer, *, insecure: bool = True) -> None:
        assert isinstance(KEY, SigningKey)
        self.clock = HandClock(int(time.time()) * SECOND)
        self.tokens = AccessTokens(BASE, RESOURCE, KEY, [KEY.public_jwk])
        clients = {"their-bank": "bank-1", "their-auditor": "auditor", "their-ghost": "ghost"}
        external = ExternalIssuer(other.issuer, clients, insecure)
        self.external = ExternalTokens(external, RESOURCE, self.clock, self.resolve, self.tokens.forget)
        self.tokens.external = self.external

    async def resolve(self, client_id: str) -> Client | None:
        return {"bank-1": BANK, "auditor": AUDITOR}.get(client_id)

    def refresh(self) -> House:
        asyncio.run(self.external.refresh())
        return self

    def verify(self, token: str) -> Any:
        return self.tokens.verify(token, self.clock.now())

    def refuses(self, token: str) -> str:
        with pytest.raises(Refused) as raised:
            self.verify(token)
        assert raised.value.refusal.cause is Cause.INVALID_TOKEN
        return str(raised.value.refusal.facts["fault"])


def test_its_token_is_taken_for_our_client(other: OtherIssuer) -> None:
    """Bound as it says, named by our own client and partner; the `jti` is kept in a form of ours."""
    deployment = House(other).refresh()
    found = deployment.verify(other.token(RESOURCE, EC.thumbprint, jti="1234567890123456")).claims
    assert (found.client_id, found.partner, found.scope) == ("bank-1", "bank", "nik.verify")
    assert found.cnf == Confirmation(jkt=EC.thumbprint)
    assert len(found.jti) == 22
    assert "1234567890123456" not in found.jti
    assert deployment.verify(other.token([RESOURCE, "https://else.example"], EC.thumbprint)).claims.aud == RESOURCE
    details = [{"type": "payment", "amount": 1}, {"type": "nik_verification", "purposes": ["account_opening"]}]
    assert deployment.verify(other.token(RESOURCE, "x", authorization_details=details)).purposes == {"account_opening"}


def test_our_own_tokens_go_on(other: OtherIssuer) -> None:
    """And are told apart: the other issuer's are not of our making."""
    deployment = House(other).refresh()
    now = deployment.clock.now() // SECOND
    mine = TokenClaims(
        iss=BASE, aud=RESOURCE, sub="tax-1", client_id="tax-1", jti="j", iat=now, exp=now + 300, scope="nik.verify",
        cnf=Confirmation(jkt="x"), partner="tax",
    )  # fmt: skip
    assert deployment.tokens.issued(deployment.verify(deployment.tokens.issue(mine)))
    assert not deployment.tokens.issued(deployment.verify(other.token(RESOURCE, "x")))


def test_neither_issuer_speaks_for_the_other(other: OtherIssuer) -> None:
    """A key is believed about its own issuer alone."""
    deployment = House(other).refresh()
    assert isinstance(KEY, SigningKey)
    deployment.refuses(other.token(RESOURCE, "x", iss=BASE))
    deployment.refuses(other.token(RESOURCE, "x", iss=BASE, header={"kid": KEY.kid}))
    now = deployment.clock.now() // SECOND
    forged = TokenClaims(
        iss=other.issuer, aud=RESOURCE, sub="b", client_id="their-bank", jti="j", iat=now, exp=now + 300, scope="",
        cnf=Confirmation(jkt="x"), partner="bank",
    )  # fmt: skip
    deployment.refuses(deployment.tokens.issue(forged))


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"typ": "JWT"}, {}), ({"kid": "nobody"}, {}), ({"jku": "https://else.example"}, {}),
        ({}, {"aud": "https://else.example"}), ({}, {"aud": []}), ({}, {"iss": "https://else.example"}),
        ({}, {"client_id": "stranger"}), ({}, {"client_id": "their-ghost"}), ({}, {"client_id": ...}), ({}, {"jti": ...}),
        ({}, {"exp": ...}), ({}, {"iat": ...}), ({}, {"exp": 10}), ({}, {"iat": int(time.time()) + 3_000}),
        ({}, {"exp": int(time.time()) + 86_400}), ({}, {"nbf": int(time.time()) + 900}),
        ({}, {"authorization_details": [{"type": "nik_verification", "purposes": []}]}),
        ({}, {"authorization_details": [{"type": "nik_verification", "purposes": ["x"], "more": 1}]}),
    ],
)  # fmt: skip
def test_what_is_not_whole_or_not_for_us_is_refused(
    other: OtherIssuer, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    """Type, key, audience, client, lifetime and details each refuse by themselves."""
    House(other).refresh().refuses(other.token(RESOURCE, EC.thumbprint, header=header, **claims))


def test_it_speaks_for_no_staff(other: OtherIssuer) -> None:
    """Scopes of people are never taken from elsewhere, nor scopes that our client does not have."""
    deployment = House(other).refresh()
    for client in ("their-auditor", "their-bank"):
        token = other.token(RESOURCE, "x", client_id=client, scope="audit.read partners.approve register.feed")
        assert deployment.verify(token).scopes == frozenset()
    assert deployment.verify(other.token(RESOURCE, "x", client_id="their-auditor")).scopes == frozenset()


@pytest.mark.parametrize("kind", ["RSA", "OKP"])
def test_a_new_key_is_fetched_when_it_is_met(other: OtherIssuer, kind: str) -> None:
    """A token by a key that is not known asks for the keys once; what was signed by a withdrawn key is refused then."""
    deployment = House(other).refresh()
    old = other.token(RESOURCE, "x")
    deployment.verify(old)
    other.rotate("two", kind)
    new = other.token(RESOURCE, "x")
    deployment.refuses(new)
    assert not asyncio.run(deployment.external.renewed()), "they were fetched a moment ago"
    deployment.clock.at += AGAIN
    assert asyncio.run(deployment.external.renewed())
    assert deployment.verify(new).claims.client_id == "bank-1"
    asked = sum(other.asked.values())
    deployment.clock.at += AGAIN
    assert not asyncio.run(deployment.external.renewed()), "nothing unknown was met"
    assert sum(other.asked.values()) == asked
    deployment.refuses(old)


def test_a_call_waits_for_keys_that_are_being_fetched(other: OtherIssuer) -> None:
    """At the start above all: whoever comes meanwhile is not turned away for it."""
    deployment = House(other)
    token = other.token(RESOURCE, "x")

    async def come() -> bool:
        fetching = asyncio.create_task(deployment.external.refresh())
        await asyncio.sleep(0)
        deployment.refuses(token)
        worth = await deployment.external.renewed()
        await fetching
        return worth

    assert asyncio.run(come())
    assert deployment.verify(token).claims.client_id == "bank-1"


def test_keys_wear_out_when_they_cannot_be_fetched(other: OtherIssuer) -> None:
    """An outage is bridged for an hour, no longer; then nothing is believed until it answers again."""
    deployment = House(other).refresh()
    assert not deployment.external.due()
    other.failing = True
    deployment.clock.at += REFRESH
    assert deployment.external.due()
    with pytest.raises(IssuerUnreachable):
        deployment.refresh()
    now = deployment.clock.now() // SECOND
    assert deployment.verify(other.token(RESOURCE, "x", iat=now, exp=now + 300)).claims.client_id == "bank-1"
    deployment.clock.at += STALE
    now = deployment.clock.now() // SECOND
    token = other.token(RESOURCE, "x", iat=now, exp=now + 300)
    deployment.refuses(token)
    other.failing = False
    assert deployment.refresh().verify(token).claims.client_id == "bank-1"


@pytest.mark.parametrize(
    "metadata", [{"issuer": "https://else.example"}, {"jwks_uri": None}, {"jwks_uri": "file:///etc/passwd"}]
)
def test_metadata_that_do_not_fit_are_not_believed(other: OtherIssuer, metadata: dict[str, Any]) -> None:
    """Another issuer's document, and one that leads nowhere."""
    other.metadata = metadata
    with pytest.raises(IssuerUnreachable):
        House(other).refresh()


def test_plain_http_is_for_demonstrations_alone(other: OtherIssuer) -> None:
    """FAPI 2.0 §5.2: metadata and keys come by TLS."""
    with pytest.raises(IssuerUnreachable, match="https"):
        House(other, insecure=False).refresh()


def test_metadata_lie_between_host_and_path() -> None:
    """RFC 8414 §3.1."""
    assert metadata_url("https://a.example") == "https://a.example/.well-known/oauth-authorization-server"
    assert metadata_url("https://a.example/r/x/") == "https://a.example/.well-known/oauth-authorization-server/r/x"
