"""Does the client say the right things in the right order? Against a gateway's side on a real socket."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
import socket
import threading
import traceback
from pathlib import Path

import pytest
from gateway_peer import ANSWER, ENTRY, ID, NONCE, Reply, problem, unb64

from gateway.ledger.log import canonical as house_canonical
from nik_gateway_client import (
    Answer,
    AsyncGatewayClient,
    CredentialRefused,
    Distrusted,
    GatewayClient,
    IdempotencyClash,
    InvalidQuestion,
    LimitReached,
    NoAnswer,
    NotAgreed,
    NotAsked,
    Patience,
    Profile,
    Refusal,
    TokenRefused,
    Unavailable,
    Unreachable,
    answer_digest,
    request_digest,
)

NIK = "7402154505909001"
CLAIMS = {"name": "SITI AMINAH", "birth_date": "1990-05-05"}
VERIFY = "/v1/verifications"


def ask(client, **context):
    return client.verify(NIK, "account_opening", CLAIMS, **context)


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA", "Ed25519"])
def test_every_key_kind_gets_an_answer(peer, write_profile, alg) -> None:
    """A key of each algorithm authenticates, and the peer finds assertion, proof and digest as the standards ask."""
    with GatewayClient(write_profile(alg)) as client:
        answer = ask(client)
    assert (answer.usable, answer.match, answer.status, answer.id) == (True, True, "active", ID)
    sent = json.loads(peer.sent(VERIFY)[0].body)
    assert sent == {"nik": NIK, "purpose": "account_opening", "claims": CLAIMS}


def test_an_rsa_dpop_key_signs_proofs(write_profile) -> None:
    """A profile's own DPoP key of any accepted kind is used for the proofs."""
    path = write_profile("PS256", dpop_key_file="key.jwk")
    with GatewayClient(path) as client:
        assert ask(client).usable


def test_the_async_client_says_the_same(peer, profile_path) -> None:
    """The asynchronous client asks and answers as the other does, many at once over one token."""

    async def many() -> list[Answer]:
        async with AsyncGatewayClient(profile_path) as client:
            return await asyncio.gather(*(ask(client) for _ in range(8)))

    assert all(answer.usable for answer in asyncio.run(many()))
    assert len(peer.sent("/oauth2/token")) == 1


def test_threads_share_one_token(peer, profile_path) -> None:
    """Threads that start together fetch one token between them."""
    with GatewayClient(profile_path) as client:
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(peer.sent(VERIFY)) == 8
    assert len(peer.sent("/oauth2/token")) == 1


def test_context_and_language_are_sent(peer, profile_path) -> None:
    """Consent, channel and the rest are members of the body; key and language are headers."""
    with GatewayClient(profile_path) as client:
        ask(
            client,
            consent={"basis": "consent", "reference": "CIF-1"},
            channel="branch",
            operator="teller-17",
            on_behalf_of="bank-2",
            previous=ID,
            idempotency_key="order-77",
            language="en",
        )
    seen = peer.sent(VERIFY)[0]
    body = json.loads(seen.body)
    assert body["consent"] == {"basis": "consent", "reference": "CIF-1"}
    assert (body["channel"], body["operator"], body["on_behalf_of"]) == ("branch", "teller-17", "bank-2")
    assert body["previous"] == ID
    assert "idempotency_key" not in body
    assert seen.headers["idempotency-key"] == '"order-77"'
    assert seen.headers["accept-language"] == "en"


def test_a_newborn_is_asked_about_as_such(peer, profile_path) -> None:
    """A NIK of None is sent as null, together with `newborn`."""
    peer.scripted.append(problem(422, "nik-not-yet-issued"))
    with GatewayClient(profile_path) as client, pytest.raises(Refusal) as caught:
        client.verify(None, "account_opening", CLAIMS)
    assert caught.value.slug == "nik-not-yet-issued"
    body = json.loads(peer.sent(VERIFY)[0].body)
    assert (body["nik"], body["newborn"]) == (None, True)


def test_nonces_are_kept_and_used(peer, profile_path) -> None:
    """A demanded nonce is used at once and again, at token endpoint and resource, with a fresh proof each time."""
    peer.token_nonce, peer.resource_nonce = "n-token", "n-resource"
    with GatewayClient(profile_path) as client:
        assert ask(client).usable
        assert ask(client).usable
    assert len(peer.sent("/oauth2/token")) == 2
    assert len(peer.sent(VERIFY)) == 3


def test_a_nonce_on_an_answer_is_used_next(peer, profile_path) -> None:
    """A nonce that comes with an answer goes into the next proof, so nothing has to be asked twice."""
    peer.scripted.append(Reply(document=ANSWER, headers={"DPoP-Nonce": "n-next"}))
    with GatewayClient(profile_path) as client:
        ask(client)
        peer.resource_nonce = "n-next"
        ask(client)
    assert len(peer.sent(VERIFY)) == 2


def test_a_nonce_that_never_fits_ends_the_call(peer, profile_path) -> None:
    """A gateway that asks for a nonce for ever is asked twice and no more."""
    challenge = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": "another"}
    peer.scripted.extend(problem(401, "use-dpop-nonce", headers=challenge) for _ in range(5))
    with GatewayClient(profile_path) as client, pytest.raises(CredentialRefused):
        ask(client)
    assert len(peer.sent(VERIFY)) == 2


def test_a_token_is_renewed_before_it_expires(peer, profile_path, moved_clock) -> None:
    """A token is used until 20 seconds before its end, then a new one is fetched."""
    with GatewayClient(profile_path, clock=moved_clock) as client:
        ask(client)
        moved_clock.ahead = peer.ahead = 278
        ask(client)
        assert len(peer.tokens) == 1
        moved_clock.ahead = peer.ahead = 281
        ask(client)
    assert len(peer.tokens) == 2


def test_a_refused_token_is_renewed_once(peer, profile_path) -> None:
    """A token that the gateway no longer takes is renewed and the question asked again, once."""
    with GatewayClient(profile_path) as client:
        ask(client)
        peer.tokens.clear()
        assert ask(client).usable
        challenge = {"WWW-Authenticate": 'DPoP error="invalid_token"'}
        peer.scripted.extend(problem(401, "invalid-token", headers=challenge) for _ in range(5))
        with pytest.raises(CredentialRefused):
            ask(client)
    assert len(peer.sent(VERIFY)) == 3 + 2


def test_retryable_problems_are_tried_again(peer, profile_path, hasty) -> None:
    """What the problem calls retryable is asked again with the same idempotency key and another proof."""
    peer.scripted.extend([problem(503, "overloaded", retryable=True)] * 2)
    with GatewayClient(profile_path, patience=hasty) as client:
        assert ask(client).usable
    keys = {seen.headers["idempotency-key"] for seen in peer.sent(VERIFY)}
    assert (len(peer.sent(VERIFY)), len(keys)) == (3, 1)


def test_a_busy_token_endpoint_is_tried_again(peer, profile_path, hasty) -> None:
    """A problem, OAuth's own word for it, or no reply at the token endpoint is tried again with another assertion."""
    busy = Reply(503, {"error": "temporarily_unavailable"}, {"Retry-After": "0"})
    peer.token_scripted.extend([problem(503, "overloaded", retryable=True), busy, Reply(drop=True)])
    with GatewayClient(profile_path, patience=hasty) as client:
        assert ask(client).usable
    assert (len(peer.sent("/oauth2/token")), len(peer.sent(VERIFY))) == (4, 1)


def test_retries_end(peer, profile_path, hasty) -> None:
    """After the last attempt the refusal itself is raised."""
    peer.scripted.extend([problem(503, "overloaded", retryable=True)] * 9)
    with GatewayClient(profile_path, patience=hasty) as client, pytest.raises(Unavailable) as caught:
        ask(client)
    assert len(peer.sent(VERIFY)) == hasty.attempts
    assert caught.value.retryable


@pytest.mark.parametrize("told", [False, "true", 1, None])
def test_nothing_else_is_tried_again(peer, profile_path, hasty, told) -> None:
    """A 503 that does not say `retryable: true` is not asked again."""
    peer.scripted.append(problem(503, "register-unavailable", retryable=told))
    with GatewayClient(profile_path, patience=hasty) as client, pytest.raises(Unavailable):
        ask(client)
    assert len(peer.sent(VERIFY)) == 1


def test_retry_after_is_kept_to(peer, profile_path, hasty) -> None:
    """A short Retry-After is waited for; one beyond the caller's patience is raised at once, and told."""
    peer.scripted.append(problem(429, "rate-exceeded", retryable=True, headers={"Retry-After": "0"}))
    peer.scripted.append(problem(429, "allowance-exhausted", retryable=True, headers={"Retry-After": "3600"}))
    with GatewayClient(profile_path, patience=hasty) as client, pytest.raises(LimitReached) as caught:
        ask(client)
    assert len(peer.sent(VERIFY)) == 2
    assert (caught.value.slug, caught.value.retry_after) == ("allowance-exhausted", 3600)


def test_a_broken_connection_is_tried_again(peer, profile_path, hasty) -> None:
    """A reply that is lost on its way is asked for again under the same idempotency key."""
    peer.scripted.extend([Reply(drop=True), Reply(drop=True)])
    with GatewayClient(profile_path, patience=hasty) as client:
        assert ask(client).usable
    assert len({seen.headers["idempotency-key"] for seen in peer.sent(VERIFY)}) == 1


def test_doubt_about_the_charge_is_told(peer, profile_path, hasty) -> None:
    """Once a reply was lost, nobody knows whether it was charged, and the key to find out is on the exception."""
    peer.scripted.append(Reply(drop=True))
    peer.scripted.append(problem(503, "ledger-unavailable", retryable=False))
    with GatewayClient(profile_path, patience=hasty) as client, pytest.raises(Unavailable) as caught:
        ask(client, idempotency_key="order-78")
    assert caught.value.billed is None
    assert caught.value.idempotency_key == "order-78"


def test_nobody_there_is_unreachable(profile_path, hasty) -> None:
    """A gateway that does not listen is told apart from one that refuses, and nothing was charged."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    profile = Profile.load(profile_path)
    elsewhere = Profile(dead, dead, profile.client_id, profile.key_file)
    with GatewayClient(elsewhere, patience=hasty) as client, pytest.raises(Unreachable) as caught:
        ask(client)
    assert (caught.value.usable, caught.value.billed) == (False, False)


@pytest.mark.parametrize(
    ("status", "slug", "kind"),
    [
        (400, "malformed-request", InvalidQuestion),
        (403, "purpose-not-agreed", NotAgreed),
        (403, "agreement-not-in-force", NotAgreed),
        (403, "address-not-allowed", CredentialRefused),
        (429, "attempts-exhausted", LimitReached),
        (409, "idempotency-in-progress", IdempotencyClash),
        (418, "of-the-future", Refusal),
    ],
)
def test_refusals_have_kinds(peer, profile_path, status, slug, kind) -> None:
    """Each cause raises its kind of exception, with every member of the problem at hand."""
    peer.scripted.append(problem(status, slug, detail="why", id=ID, nonce=NONCE, entry=ENTRY, state="suspended"))
    with GatewayClient(profile_path) as client, pytest.raises(kind) as caught:
        ask(client)
    refusal = caught.value
    assert (refusal.slug, refusal.status, refusal.detail, refusal.usable) == (slug, status, "why", False)
    assert (refusal.billed, refusal.id, refusal.entry, refusal.raw["state"]) == (False, ID, ENTRY, "suspended")
    assert pickle.loads(pickle.dumps(refusal)).slug == slug  # noqa: S301  made here


def test_no_exception_shows_the_nik(peer, profile_path, hasty) -> None:
    """Neither text, arguments nor traceback of any exception holds the NIK, even when a server echoes it."""
    peer.scripted.append(problem(422, "nik-format", detail=f"{NIK} is wrong", title=f"NIK {NIK}"))
    peer.scripted.extend([Reply(drop=True)] * hasty.attempts)
    peer.scripted.append(Reply(document=b"<html>", content_type="text/html"))
    with GatewayClient(profile_path, patience=hasty) as client:
        for _ in range(3):
            with pytest.raises(NoAnswer) as caught:
                ask(client)
            error = caught.value
            shown = "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(error.args)
            assert NIK not in shown
            assert error.__context__ is None
        with pytest.raises(NotAsked) as caught:
            client.verify(NIK, "account_opening", {"name": "\udc00"})
        assert NIK not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__context__ is None


def test_secrets_are_not_shown(profile_path) -> None:
    """Neither client, token, answer nor key shows a secret or a NIK when printed."""
    with GatewayClient(profile_path) as client:
        answer = ask(client)
        token = client.token()
        key = client._says._purse.key
        secret = json.loads((profile_path.parent / "key.jwk").read_text())["d"]
        shown = repr(client) + repr(token) + repr(answer) + repr(key) + str(key)
    assert token.value not in shown
    assert secret not in shown
    assert NIK not in shown


def test_evidence_is_what_the_ledger_can_prove(profile_path) -> None:
    """Evidence holds question and answer, and their digests are those of the leaf."""
    with GatewayClient(profile_path) as client:
        answer = ask(client)
    evidence = answer.evidence()
    assert evidence["request"] == {"nik": NIK, "purpose": "account_opening", "claims": CLAIMS}
    bare = {name: value for name, value in ANSWER.items() if name != "entry"}
    assert unb64(answer_digest(evidence["answer"])) == house_canonical.digest(bare)
    bound = hashlib.sha256(unb64(NONCE) + house_canonical.canonical(evidence["request"])).digest()
    assert unb64(request_digest(evidence["nonce"], evidence["request"])) == bound


def test_a_batch_comes_back_in_order(peer, profile_path) -> None:
    """A batch gives an answer or a refusal for each item, in order, with what each receipt covers."""
    refused = problem(422, "nik-format", id=ID, nonce=NONCE, entry=ENTRY).document
    peer.document = {"items": [{"ref": "a", **ANSWER}, {"ref": "b", **refused}]}
    items = [{"ref": "a", "nik": NIK, "claims": CLAIMS}, {"ref": "b", "nik": "1", "claims": CLAIMS}]
    with GatewayClient(profile_path) as client:
        first, second = client.verify_batch("account_opening", items, consent={"basis": "consent"}, partial=True)
    assert isinstance(first, Answer)
    assert isinstance(second, Refusal)
    assert (first.ref, second.ref, first.usable, second.usable) == ("a", "b", True, False)
    shared = {"purpose": "account_opening", "consent": {"basis": "consent"}}
    assert first.evidence()["request"] == {**shared, "nik": NIK, "claims": CLAIMS}
    assert first.evidence()["answer"] == ANSWER
    assert json.loads(peer.sent("/v1/verifications/batch")[0].body)["partial"] is True


def test_an_item_that_could_not_be_parsed_is_known_by_its_place(peer, profile_path) -> None:
    """A refusal without a ref belongs to the item in whose place it stands; an answer without one is distrusted."""
    peer.document = {"items": [problem(400, "malformed-request").document, {"ref": "b", **ANSWER}]}
    asked = [{"ref": ref, "nik": NIK, "claims": CLAIMS} for ref in "ab"]
    with GatewayClient(profile_path) as client:
        assert [item.ref for item in client.verify_batch("account_opening", asked)] == ["a", "b"]
        peer.document = {"items": [{"ref": "a", **ANSWER}, dict(ANSWER)]}
        with pytest.raises(Distrusted):
            client.verify_batch("account_opening", asked)


def test_the_same_question_is_the_same_bytes(peer, profile_path) -> None:
    """In whichever order the claims are given, the body is the same, as one idempotency key demands."""
    with GatewayClient(profile_path) as client:
        client.verify(NIK, "account_opening", CLAIMS)
        client.verify(NIK, "account_opening", dict(reversed(CLAIMS.items())))
    first, second = (seen.body for seen in peer.sent(VERIFY))
    assert first == second == house_canonical.canonical(json.loads(first))


@pytest.mark.parametrize(
    "items",
    [[], [{"ref": "b", **ANSWER}, {"ref": "a", **ANSWER}], [{"ref": "a", **ANSWER}, {"ref": "b"}], None],
)
def test_a_mixed_up_batch_is_distrusted(peer, profile_path, items) -> None:
    """Items that are missing, in another order or of no kind make the whole reply distrusted."""
    peer.document = {"items": items}
    asked = [{"ref": ref, "nik": NIK, "claims": CLAIMS} for ref in "ab"]
    with GatewayClient(profile_path) as client, pytest.raises(Distrusted):
        client.verify_batch("account_opening", asked)


@pytest.mark.parametrize(
    "change",
    [
        {"usable": "true"},
        {"usable": None},
        {"usable": True, "match": False},
        {"usable": True, "status": "blocked"},
        {"entry": "short"},
        {"nonce": None},
        {"id": "a b"},
        {"claims": ["name"]},
        {"claims": {"name": 100}},
    ],
)
def test_ill_formed_answers_are_distrusted(peer, profile_path, change) -> None:
    """An answer that is not well-formed, or contradicts itself, is no answer."""
    peer.document = {**ANSWER, **change}
    with GatewayClient(profile_path) as client, pytest.raises(Distrusted) as caught:
        ask(client)
    assert caught.value.usable is False
    assert caught.value.idempotency_key


@pytest.mark.parametrize(
    "reply",
    [
        Reply(document=ANSWER, headers={"Content-Digest": f"sha-256=:{'A' * 43}=:"}),
        Reply(document=ANSWER, headers={"Content-Digest": "md5=:AAAA:"}),
        Reply(document=ANSWER, content_type="text/plain"),
        Reply(document=ANSWER, headers={"Content-Encoding": "gzip"}, digest=False),
        Reply(document=b"[]"),
        Reply(302, b"", {"Location": "https://elsewhere.example/"}),
        Reply(502, b"<html>", content_type="text/html"),
    ],
)
def test_replies_that_are_not_the_gateways_are_distrusted(peer, profile_path, hasty, reply) -> None:
    """A wrong digest, another media type, an encoding, a redirect and a proxy's page are no answers, and asked once."""
    peer.scripted.append(reply)
    with GatewayClient(profile_path, patience=hasty) as client, pytest.raises(NoAnswer):
        ask(client)
    if reply.headers.get("Content-Encoding") is None:
        assert len(peer.sent(VERIFY)) == 1


def test_another_issuer_is_distrusted(peer, write_profile) -> None:
    """Metadata of another issuer than the profile's end the conversation before anything secret is sent."""
    path = write_profile(issuer=peer.url + "/")
    with GatewayClient(path) as client, pytest.raises(Distrusted, match="issuer"):
        ask(client)
    assert peer.sent("/oauth2/token") == []


def test_a_token_that_is_not_bound_is_distrusted(peer, profile_path) -> None:
    """A bearer token is never used."""
    peer.token_type = "Bearer"
    with GatewayClient(profile_path) as client, pytest.raises(Distrusted, match="bound"):
        ask(client)


def test_a_refused_client_is_told_why(peer, profile_path, hasty) -> None:
    """The token endpoint's error and its words are on the exception, and nothing is tried again."""
    peer.token_error = {"error": "invalid_client", "error_description": "no key of this client has this kid"}
    with GatewayClient(profile_path, patience=hasty) as client, pytest.raises(TokenRefused, match="kid") as caught:
        ask(client)
    assert (caught.value.error, caught.value.status) == ("invalid_client", 401)
    assert caught.value.idempotency_key
    assert len(peer.sent("/oauth2/token")) == 1


@pytest.mark.parametrize("key", ['a"b', "a b", "1234567890123456", "x" * 65, "a\r\nX: y"])
def test_a_bad_idempotency_key_is_never_sent(peer, profile_path, key) -> None:
    """A key that could break the header, or could be a NIK, is refused before anything is sent."""
    with GatewayClient(profile_path) as client, pytest.raises(NotAsked):
        ask(client, idempotency_key=key)
    assert peer.sent(VERIFY) == []


def test_limits_of_the_last_reply_are_at_hand(peer, profile_path) -> None:
    """What is left of each limit can be read after a call, and agreement and usage asked for."""
    headers = {
        "RateLimit-Policy": '"burst";q=100;w=1;pk=:cGs=:, "day";q=10000;w=86400',
        "RateLimit": '"burst";r=99;t=1, "day";r=9000;t=40000',
    }
    peer.scripted.append(Reply(document={"purposes": []}, headers=headers))
    peer.scripted.append(Reply(document={"day": {"left": 9000}}))
    with GatewayClient(profile_path) as client:
        assert client.agreement() == {"purposes": []}
        burst, day = client.limits
        assert client.usage() == {"day": {"left": 9000}}
    assert (burst.name, burst.left, burst.quota, burst.resets_in) == ("burst", 99, 100, 1)
    assert (day.left, day.quota) == (9000, 10000)


def test_patience_is_the_callers(peer, profile_path) -> None:
    """A caller who allows one attempt gets the first refusal."""
    peer.scripted.append(problem(503, "overloaded", retryable=True))
    with GatewayClient(profile_path, patience=Patience(attempts=1)) as client, pytest.raises(Unavailable):
        ask(client)
    assert len(peer.sent(VERIFY)) == 1


def test_profiles_tell_every_fault(tmp_path: Path) -> None:
    """A profile with several faults names them all at once."""
    path = tmp_path / "profile.toml"
    path.write_text('base_url = "http://gateway.example"\nissuer = 5\nverify_tls = "no"\nauth_method = "secret"\n')
    with pytest.raises(Exception, match="must be https") as caught:
        Profile.load(path)
    text = str(caught.value)
    assert all(word in text for word in ("issuer must be text", "client_id is missing", "verify_tls", "secret"))
