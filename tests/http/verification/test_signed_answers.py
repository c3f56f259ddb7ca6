"""Are answers signed as the contract says, and does our client refuse whatever was changed on the way?"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageVerifier, InvalidSignature
from http_message_signatures.algorithms import ED25519
from http_message_signatures.resolvers import MappingKeyResolver
from meddler import Asked, Meddler, Told
from served import Gateway

from gateway.clock import SECOND, SystemClock
from nik_gateway_client import (
    Answer,
    AsyncGatewayClient,
    Distrusted,
    GatewayClient,
    NoAnswer,
    NotAgreed,
    Patience,
    Profile,
    Unavailable,
)

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

ONCE = Patience(attempts=1)
COVERED = ['"@status"', '"content-digest"', '"@method";req', '"@target-uri";req']
SIGNATURE = {"signature", "signature-input"}


def content_digest(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def answer_keys(gateway: Gateway) -> Mapping[str, Ed25519PublicKey]:
    """By way of the resource's metadata, as anybody finds them."""
    metadata = gateway.http.get("/.well-known/oauth-protected-resource/v1").json()
    assert metadata["jwks_uri"] == f"{gateway.issuer}/keys"
    keys = gateway.http.get("/keys").json()["keys"]
    return {key["kid"]: Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "=")) for key in keys}


def verified(gateway: Gateway, reply: httpx.Response) -> list[str]:
    """What the signature of a reply covers, after a library that others wrote has verified it."""
    keys = MappingKeyResolver(public_keys=answer_keys(gateway), private_keys={})
    (result,) = HTTPMessageVerifier(signature_algorithm=ED25519, key_resolver=keys).verify(
        reply,
        max_age=timedelta(seconds=60),
        expect_tag="fapi-2-response",
        require_components=COVERED,
        body=reply.content,
    )
    assert list(result.parameters) == ["created", "keyid", "tag"]
    return list(result.covered_components)[:-1]


@pytest.mark.parametrize("digested", [True, False])
def test_every_answer_is_signed(gateway, digested) -> None:
    """Single, batch and a repeat: status, content, method and target, and the request's digest when there was one."""
    partner, question = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident())
    single = json.dumps(question).encode()
    item = {name: value for name, value in question.items() if name != "purpose"}
    batch = json.dumps({"purpose": question["purpose"], "items": [{"ref": "a", **item}]}).encode()
    for ask, body in ((partner.verify, single), (partner.verify_batch, batch)):
        digest = {"Content-Digest": content_digest(body)} if digested else {}
        key = {"Idempotency-Key": f'"signed-{gateway.workers}-{digested}-{ask.__name__}"'}
        for _ in range(2):
            reply = ask(body, headers=digest | key)
            assert reply.status_code == 200
            assert verified(gateway, reply) == COVERED + (['"content-digest";req'] if digested else [])


def test_a_partners_own_papers_are_signed(gateway) -> None:
    """Agreement and usage, which have no request body."""
    for path in ("/v1/agreement", "/v1/usage"):
        assert verified(gateway, gateway.partner("bpjs").call("GET", path)) == COVERED


@pytest.mark.parametrize(
    ("status", "changes", "headers"),
    [
        (400, {"nik": 5}, {}),
        (422, {"nik": "123"}, {}),
        (422, {"nik": None, "newborn": True}, {}),
        (403, {"claims": {"name": "SITI"}}, {}),
        (403, {"purpose": "vaccination"}, {}),
        (415, {}, {"Content-Type": "text/plain"}),
        (400, {}, {"Content-Digest": content_digest(b"other")}),
    ],
)
def test_refusals_of_an_identified_caller_are_signed(gateway, status: int, changes: Any, headers: Any) -> None:
    """A problem is vouched for like an answer; one about the request's digest covers the digest that was sent."""
    question = gateway.question("bpjs", gateway.resident()) | changes
    reply = gateway.partner("bpjs").verify(question, headers=headers)
    assert reply.status_code == status
    assert verified(gateway, reply) == COVERED + (['"content-digest";req'] if "Content-Digest" in headers else [])


def test_a_reads_digest_is_checked_too(gateway) -> None:
    """A GET whose Content-Digest is not that of nothing is a mismatch; with the right one it is covered."""
    partner = gateway.partner("bpjs")
    right = partner.call("GET", "/v1/usage", headers={"Content-Digest": content_digest(b"")})
    assert (right.status_code, verified(gateway, right)) == (200, [*COVERED, '"content-digest";req'])
    wrong = partner.call("GET", "/v1/usage", headers={"Content-Digest": content_digest(b"x")})
    assert (wrong.status_code, wrong.json()["type"]) == (400, f"{gateway.issuer}/problems/digest-mismatch")
    verified(gateway, wrong)


def test_nothing_is_signed_before_identity(gateway) -> None:
    """Who is not known gets no signature: no token, another method, a public page, a token."""
    partner = gateway.partner("bpjs")
    replies = [
        gateway.http.post("/v1/verifications", json={}),
        partner.call("PUT", "/v1/verifications", {}),
        partner.call("GET", "/v1/usage", proofs=[]),
        gateway.http.get("/problems"),
        partner.request_token(),
    ]
    assert [reply.status_code for reply in replies] == [401, 405, 401, 200, 200]
    assert not [name for reply in replies for name in reply.headers if name in SIGNATURE]


def test_the_target_is_the_configured_one(gateway) -> None:
    """Whatever Host says, what is signed begins with the issuer; a query that was sent is part of it."""
    partner, body = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident())
    token = partner.token()
    request = gateway.http.build_request(
        "POST",
        "/v1/verifications?from=desk",
        json=body,
        headers={
            "Host": "elsewhere.example",
            "Authorization": f"DPoP {token}",
            "DPoP": partner.proof("POST", "/v1/verifications", token),
        },
    )
    reply = gateway.http.send(request)
    assert reply.status_code == 200
    assert verified(gateway, reply) == COVERED
    reply.request.url = httpx.URL("http://elsewhere.example/v1/verifications?from=desk")
    with pytest.raises(InvalidSignature):
        verified(gateway, reply)


def test_an_agreement_can_switch_it_off(gateway) -> None:
    """Calls under that agreement bear no signature, their refusals and repeats neither; what precedes it does."""
    partner, question = gateway.partner("unsigned"), gateway.question("unsigned", gateway.resident())
    item = {name: value for name, value in question.items() if name != "purpose"}
    batch = {"purpose": question["purpose"], "items": [{"ref": "a", **item}]}
    key = {"Idempotency-Key": f"unsigned-{gateway.workers}"}
    under = [
        partner.verify(question, headers=key),
        partner.verify(question, headers=key),
        partner.verify_batch(batch),
        partner.verify(question | {"claims": {"name": "SITI"}}),
    ]
    assert [reply.status_code for reply in under] == [200, 200, 200, 403]
    assert not [name for reply in under for name in reply.headers if name in SIGNATURE]
    before = [
        partner.verify(question | {"purpose": "vaccination"}),
        partner.verify(question | {"nik": "123"}),
        partner.call("GET", "/v1/agreement"),
    ]
    assert [reply.status_code for reply in before] == [403, 422, 200]
    for reply in before:
        verified(gateway, reply)
    assert before[-1].json()["agreements"][0]["access"]["signed_answers"] is False


def profile(gateway: Gateway, client_id: str = "bpjs") -> Path:
    return gateway.directory / "partners" / client_id / "profile.toml"


def test_a_client_expects_what_was_agreed(gateway) -> None:
    """Without a word in the profile an unsigned answer is none; with it both clients take it."""
    question = gateway.question("unsigned", gateway.resident())
    asked = (question["nik"], question["purpose"], question["claims"])
    path = profile(gateway, "unsigned")
    with GatewayClient(path) as client, pytest.raises(Distrusted, match="signed_answers"):
        client.verify(*asked)
    agreed = replace(Profile.load(path), signed_answers=False)
    with GatewayClient(agreed) as client:
        assert client.verify(*asked).usable

    async def ask() -> Answer:
        async with AsyncGatewayClient(agreed) as client:
            return await client.verify(*asked)

    assert asyncio.run(ask()).usable


@dataclass
class MovedClock:
    """The machine's clock, moved on by so many seconds."""

    ahead: float = 0.0

    def now(self) -> int:
        return SystemClock().now() + int(self.ahead * SECOND)


class Watched:
    """A client with the meddler on its way."""

    def __init__(self, gateway: Gateway, meddler: Meddler) -> None:
        self.gateway, self.meddler, self.clock = gateway, meddler, MovedClock()
        self.client = GatewayClient(profile(gateway), patience=ONCE, clock=self.clock)
        self.client._http = httpx.Client(**self.client._options, proxy=meddler.url)

    def question(self) -> tuple[str, str, dict[str, str]]:
        question = self.gateway.question("bpjs", self.gateway.resident())
        return question["nik"], question["purpose"], question["claims"]

    def ask(self, question: tuple[str, str, dict[str, str]] | None = None, key: str | None = None) -> Answer:
        return self.client.verify(*(question or self.question()), idempotency_key=key)

    def refused(self, ask: Callable[[], object]) -> Distrusted:
        """What the client raises: never an answer, and the charge is in doubt."""
        with pytest.raises(Distrusted) as raised:
            ask()
        assert (raised.value.usable, raised.value.billed) == (False, None)
        return raised.value


@pytest.fixture(scope="module")
def shared_watched(sqlite_gateway: Gateway) -> Iterator[Watched]:
    """One client for all of these tests, who believes that it is answered right."""
    meddler = Meddler()
    watched = Watched(sqlite_gateway, meddler)
    assert watched.ask().usable
    yield watched
    watched.client.close()
    meddler.close()


@pytest.fixture
def watched(shared_watched: Watched) -> Iterator[Watched]:
    """The same, after whatever a test did to what passes."""
    yield shared_watched
    shared_watched.meddler.honest()
    shared_watched.clock.ahead = 0


def swapped(told: Told) -> Told:
    """A no that was made a yes, or the other way round, with a digest that fits."""
    document = json.loads(told.body)
    body = json.dumps(document | {"usable": not document["usable"]}).encode()
    return replace(told, body=body).with_headers(content_digest=content_digest(body))


def rewritten(old: str, new: str) -> Callable[[Told], Told]:
    """The same change in Signature-Input."""

    def change(told: Told) -> Told:
        field = told.headers["signature-input"]
        assert old in field
        return told.with_headers(signature_input=field.replace(old, new))

    return change


ATTACKS: Mapping[str, Callable[[Told], Told]] = {
    "body changed": lambda told: replace(told, body=told.body.replace(b'"usable":true', b'"usable":true ')),
    "body and digest changed": swapped,
    "status changed": lambda told: replace(told, status=201),
    "signature stripped": lambda told: told.with_headers(signature=None, signature_input=None),
    "signature alone stripped": lambda told: told.with_headers(signature=None),
    "digest stripped": lambda told: told.with_headers(content_digest=None),
    "signature garbled": lambda told: told.with_headers(signature=told.headers["signature"].replace(":", ":AAAA", 1)),
    "tag changed": rewritten('tag="fapi-2-response"', 'tag="fapi-2-request"'),
    "tag left out": rewritten(';tag="fapi-2-response"', ""),
    "created made newer": rewritten(";created=1", ";created=2"),
    "key renamed": rewritten('keyid="answer', 'keyid="other'),
    "algorithm renamed": rewritten(";tag=", ';alg="hmac-sha256";tag='),
    "status not covered": rewritten('("@status" ', "("),
    "request not covered": rewritten(' "content-digest";req', ""),
    "another beside it": lambda told: told.with_headers(
        signature_input=f"{told.headers['signature-input']}, other={told.headers['signature-input'].partition('=')[2]}",
        signature=f"{told.headers['signature']}, other=:AAAA:",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_answer_that_was_changed_is_none(watched: Watched, attack: str) -> None:
    """Whatever is changed on its way, an answer that does not hold together is Distrusted; the next one is believed."""
    watched.meddler.on_reply = ATTACKS[attack]
    watched.refused(watched.ask)
    watched.meddler.honest()
    assert watched.ask().usable


def test_the_asynchronous_client_believes_no_more(watched: Watched) -> None:
    """Each of these attacks is met by the other client too."""

    async def ask() -> set[str]:
        refused = set()
        async with AsyncGatewayClient(profile(watched.gateway), patience=ONCE) as client:
            client._http = httpx.AsyncClient(**client._options, proxy=watched.meddler.url)
            assert (await client.verify(*watched.question())).usable
            for attack, change in ATTACKS.items():
                watched.meddler.on_reply = change
                try:
                    await client.verify(*watched.question())
                except Distrusted:
                    refused.add(attack)
        return refused

    assert asyncio.run(ask()) == ATTACKS.keys()


def test_an_answer_to_another_question_is_none(watched: Watched) -> None:
    """A reply that was signed for another resident, another path or another method is not believed."""
    watched.ask()
    single = watched.meddler.told[-1]
    watched.client.agreement()
    agreement = watched.meddler.told[-1]
    watched.meddler.instead = single
    watched.refused(watched.ask)
    watched.refused(watched.client.agreement)
    watched.meddler.instead = agreement
    watched.refused(watched.client.usage)
    watched.refused(watched.ask)


def test_an_answer_of_another_call_is_none(watched: Watched) -> None:
    """The very same question asked again gets an answer of its own: an earlier one that is replayed is not believed."""
    question = watched.question()
    assert watched.ask(question, "own-1").usable
    watched.client.usage()
    usage = watched.meddler.told[-1]
    watched.meddler.instead = watched.meddler.told[-2]
    watched.refused(lambda: watched.ask(question, "own-2"))
    assert watched.ask(question, "own-1").usable  # this very call, repeated
    watched.meddler.instead = usage
    watched.refused(watched.client.usage)


def test_an_old_answer_is_none(watched: Watched) -> None:
    """What was signed over a minute ago is not believed, nor what is signed for later."""
    question = watched.question()
    watched.ask(question, "old-1")
    watched.meddler.instead = watched.meddler.told[-1]
    watched.clock.ahead = 50
    assert watched.ask(question, "old-1").usable
    for ahead in (70, -70):
        watched.clock.ahead = ahead
        assert "clock" in str(watched.refused(lambda: watched.ask(question, "old-1")))


def test_a_question_that_was_changed_is_not_answered(watched: Watched) -> None:
    """Who changes the question and its digest, or takes the digest away, gets an answer that the client refuses."""
    other = watched.question()[0].encode()

    def of_another(asked: Asked) -> Asked:
        body = asked.body.replace(json.loads(asked.body)["nik"].encode(), other)
        return replace(asked, body=body, headers=asked.headers | {"content-digest": content_digest(body)})

    def without_digest(asked: Asked) -> Asked:
        return replace(asked, headers={name: text for name, text in asked.headers.items() if name != "content-digest"})

    for meddled in (of_another, without_digest):
        watched.meddler.on_request = meddled
        watched.refused(watched.ask)
        assert watched.meddler.told[-1].status == 200


def forged(gateway: Gateway, status: int, slug: str) -> Told:
    """A problem that somebody made up."""
    document = {"type": f"{gateway.issuer}/problems/{slug}", "title": slug, "status": status, "billed": False}
    body = json.dumps(document | {"retryable": status == 503}).encode()
    return Told(status, {"content-type": "application/problem+json"}, body)


def test_a_refusal_that_tells_something_must_be_signed(watched: Watched) -> None:
    """A problem that says anything of a resident or an agreement is believed when it is signed, and only then."""
    nik, purpose, claims = watched.question()
    with pytest.raises(NotAgreed):
        watched.client.verify(nik, purpose, {"name": claims["name"]})
    problem = watched.meddler.told[-1]
    watched.meddler.on_reply = ATTACKS["signature stripped"]
    watched.refused(lambda: watched.client.verify(nik, purpose, {"name": claims["name"]}))
    for status, slug in ((422, "nik-not-yet-issued"), (429, "attempts-exhausted"), (403, "agreement-not-in-force")):
        watched.meddler.instead = forged(watched.gateway, status, slug)
        watched.refused(watched.ask)
    watched.meddler.instead = replace(problem, status=409)
    watched.refused(lambda: watched.client.verify(nik, purpose, {"name": claims["name"]}))


def test_a_refusal_before_identity_leaves_the_charge_in_doubt(watched: Watched) -> None:
    """`overloaded` may come from a door that knows nobody: it is taken as no answer, whatever it says of the charge."""
    watched.meddler.instead = forged(watched.gateway, 503, "overloaded")
    with pytest.raises(Unavailable) as raised:
        watched.ask()
    assert isinstance(raised.value, NoAnswer)
    assert raised.value.billed is None
