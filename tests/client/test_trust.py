"""Whom does the client believe, and with which keys? The gateway's signatures, made by a peer that knows the RFC alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway_peer import Reply, problem

from gateway.clock import HOUR, SECOND
from nik_gateway_client import Answer, CredentialRefused, Distrusted, GatewayClient, Patience, ProfileFault, Unreachable
from nik_gateway_client.answer_keys import read_keys, resource_metadata_url
from nik_gateway_client.signature import signed
from nik_gateway_client.steps import Reply as Got
from nik_gateway_client.steps import Send

ONCE = Patience(attempts=1)
AGAIN, KEPT = 10 * SECOND, HOUR  # how soon keys are fetched again for a new kid, and how long they serve
METADATA, KEYS, VERIFY = "/.well-known/oauth-protected-resource/v1", "/keys", "/v1/verifications"
SENT = Send("POST", "https://gateway.example/v1/verifications", {"Content-Digest": "sha-256=:YQ==:"}, b"{}")
COVERED = '("@status" "content-digest" "@method";req "@target-uri";req "content-digest";req)'
INPUT = f'answer={COVERED};created=1795486269;keyid="k";tag="fapi-2-response"'


def ask(client: GatewayClient) -> Answer:
    return client.verify("7402154505909001", "account_opening", {"name": "SITI AMINAH", "birth_date": "1990-05-05"})


def test_keys_are_fetched_once_and_by_the_metadata(peer, profile_path) -> None:
    """The first call asks the resource's metadata where the keys are; later calls ask for neither."""
    with GatewayClient(profile_path) as client:
        assert ask(client).usable
        assert ask(client).usable
        client.agreement()
    assert (len(peer.sent(METADATA)), len(peer.sent(KEYS))) == (1, 1)
    assert peer.seen.index(peer.sent(KEYS)[0]) < peer.seen.index(peer.sent(VERIFY)[0])


def test_a_new_key_is_looked_up(peer, profile_path, moved_clock) -> None:
    """Rotation with overlap: an unknown kid has the list fetched anew, and answers by the older key still hold."""
    with GatewayClient(profile_path, clock=moved_clock) as client:
        ask(client)
        peer.answer_keys["answer-2"] = Ed25519PrivateKey.generate()
        moved_clock.ahead = peer.ahead = AGAIN // SECOND + 1
        assert ask(client).usable
        peer.scripted.append(Reply(document=peer.document, by="answer-1"))
        assert ask(client).usable
    assert len(peer.sent(KEYS)) == 2


def test_unknown_keys_do_not_make_it_ask_for_ever(peer, profile_path, moved_clock) -> None:
    """A kid that is not listed is refused; the list is fetched for it at most every ten seconds."""
    with GatewayClient(profile_path, clock=moved_clock, patience=ONCE) as client:
        ask(client)
        listed = dict(peer.answer_keys)
        for moment in (1, 11, 12, 13, 22):
            moved_clock.ahead = peer.ahead = moment
            peer.answer_keys["forged"] = Ed25519PrivateKey.generate()
            peer.listed = listed
            with pytest.raises(Distrusted, match="does not list"):
                ask(client)
    assert len(peer.sent(KEYS)) == 1 + 2


def test_a_key_that_was_withdrawn_is_forgotten(peer, profile_path, moved_clock) -> None:
    """After an hour the list is fetched anew: what is no longer on it signs nothing that is believed."""
    with GatewayClient(profile_path, clock=moved_clock, patience=ONCE) as client:
        ask(client)
        peer.listed = {"answer-2": Ed25519PrivateKey.generate()}
        assert ask(client).usable
        moved_clock.ahead = peer.ahead = KEPT // SECOND
        with pytest.raises(Distrusted, match="does not list"):
            ask(client)


def test_without_keys_nothing_is_asked(peer, profile_path) -> None:
    """A question whose answer could not be verified is not put, so nothing is charged."""
    peer.resource = {"jwks_uri": "http://127.0.0.1:9/keys"}
    with GatewayClient(profile_path, patience=ONCE) as client, pytest.raises(Unreachable) as raised:
        ask(client)
    assert raised.value.billed is False
    assert not peer.sent(VERIFY)


@pytest.mark.parametrize(
    "changes",
    [
        {"resource": "https://elsewhere.example/v1"},
        {"authorization_servers": ["https://elsewhere.example"]},
        {"authorization_servers": None},
        {"jwks_uri": "http://gateway.example/keys"},
        {"jwks_uri": None},
    ],
)
def test_metadata_of_another_are_not_believed(peer, profile_path, changes: dict[str, Any]) -> None:
    """Keys come from where the metadata of this very resource and issuer say, over https."""
    peer.resource = changes
    with GatewayClient(profile_path, patience=ONCE) as client, pytest.raises(Distrusted) as raised:
        ask(client)
    assert raised.value.billed is False
    assert not peer.sent(VERIFY)


def test_signing_is_switched_off_by_the_profile_alone(peer, write_profile: Callable[..., Path]) -> None:
    """With `signed_answers = false` no keys are fetched and an unsigned answer is taken; else it is none."""
    peer.signs = False
    path = write_profile()
    with GatewayClient(path, patience=ONCE) as client, pytest.raises(Distrusted, match="signed_answers"):
        ask(client)
    path.write_text(path.read_text() + "signed_answers = false\n")
    peer.seen.clear()
    with GatewayClient(path, patience=ONCE) as client:
        assert ask(client).usable
    assert not peer.sent(KEYS)
    path.write_text(path.read_text().replace("= false", '= "false"'))
    with pytest.raises(ProfileFault, match="signed_answers must be true or false"):
        GatewayClient(path)


def test_a_refusal_before_identity_needs_no_signature(peer, profile_path) -> None:
    """A 401 of a gateway that does not know who asks is taken as that; whether anything was charged is open."""
    for _ in range(2):
        peer.scripted.append(problem(401, "invalid-token"))
        peer.scripted[-1].signed = False
    with GatewayClient(profile_path, patience=ONCE) as client, pytest.raises(CredentialRefused) as raised:
        ask(client)
    assert raised.value.billed is None


def got(field: str = INPUT, signature: str = "answer=:AAAA:", **headers: str) -> Got:
    return Got(
        200, {"content-digest": "sha-256=:YQ==:", "signature-input": field, "signature": signature} | headers, b""
    )


def test_the_base_is_that_of_the_rfc() -> None:
    """Line by line what RFC 9421 §2.5 says, from the request as it was sent."""
    found = signed(SENT, got())
    assert found is not None
    assert (found.kid, found.created) == ("k", 1_795_486_269)
    assert found.base.decode().split("\n") == [
        '"@status": 200',
        '"content-digest": sha-256=:YQ==:',
        '"@method";req: POST',
        '"@target-uri";req: https://gateway.example/v1/verifications',
        '"content-digest";req: sha-256=:YQ==:',
        f'"@signature-params": {INPUT.partition("=")[2]}',
    ]


@pytest.mark.parametrize(
    "field",
    [
        INPUT.replace(";tag", ';alg="ed25519";tag'),
        f'proxy=("@status");created=1;tag="other, \\"x\\"=(", {INPUT}',
        f'{INPUT} ,  proxy=("@authority");keyid="p"',
    ],
)
def test_others_may_sign_beside_it(field: str) -> None:
    """Signatures with other tags, and parameters that say nothing new, are let be."""
    found = signed(SENT, got(field, "proxy=:AAAA:, answer=:AAAA:"))
    assert found is not None
    assert found.kid == "k"


@pytest.mark.parametrize("field", ["", 'proxy=("@status");created=1;keyid="p";tag="fapi-2-request"'])
def test_a_reply_without_our_tag_is_unsigned(field: str) -> None:
    """Nothing that others signed for other ends is taken for the gateway's."""
    assert signed(SENT, got(field)) is None


@pytest.mark.parametrize(
    ("field", "signature"),
    [
        (INPUT, ""),
        (INPUT, "other=:AAAA:"),
        (INPUT, "answer=:AAAA:, answer=:AAAA:"),
        (f"{INPUT}, {INPUT}", "answer=:AAAA:"),
        (INPUT.replace('"@status" ', ""), "answer=:AAAA:"),
        (INPUT.replace('"@status" "content-digest"', '"content-digest" "@status"'), "answer=:AAAA:"),
        (INPUT.replace(';req "content', ' "content'), "answer=:AAAA:"),
        (INPUT.replace("created=1795486269", "created=soon"), "answer=:AAAA:"),
        (INPUT.replace(";created=1795486269", ""), "answer=:AAAA:"),
        (INPUT.replace(';keyid="k"', ""), "answer=:AAAA:"),
        (INPUT.replace(";tag", ';alg="rsa-pss-sha512";tag'), "answer=:AAAA:"),
        (INPUT.replace(";tag", ';keyid="l";tag'), "answer=:AAAA:"),
        ("answer", "answer=:AAAA:"),
        ("(((", "answer=:AAAA:"),
        (INPUT + ",,", "answer=:AAAA:"),
    ],
)
def test_half_a_signature_is_refused(field: str, signature: str) -> None:
    """What bears our tag and is not whole, or does not cover what it must, is worse than none."""
    with pytest.raises(Distrusted):
        signed(SENT, got(field, signature))


def test_a_signature_without_a_digest_is_refused() -> None:
    """The content must be covered."""
    reply = got()
    headers = {name: value for name, value in reply.headers.items() if name != "content-digest"}
    with pytest.raises(Distrusted, match="no Content-Digest"):
        signed(SENT, Got(200, headers, b""))


def test_only_keys_that_sign_answers_are_taken() -> None:
    """Of a JWK set, Ed25519 keys for signing that have a name; the first of two of the same name."""
    x = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"
    good = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a"}
    others = [
        5, {}, good | {"kid": 5}, good | {"kid": "b", "use": "enc"}, good | {"kid": "c", "alg": "ES256"},
        good | {"kid": "d", "x": "AAAA"}, good | {"kid": "e", "crv": "X25519"}, good | {"x": "A" * 43},
        {"kty": "EC", "crv": "P-256", "kid": "f", "x": x, "y": x}, good | {"kid": "g", "x": "é"},
    ]  # fmt: skip
    keys = read_keys(SENT, Got(200, {}, json.dumps({"keys": [good, *others]}).encode()))
    assert list(keys) == ["a"]
    with pytest.raises(Distrusted, match="no key"):
        read_keys(SENT, Got(200, {}, json.dumps({"keys": others[:5]}).encode()))
    for body in (b"[]", b"x", b"{}"):
        with pytest.raises(Distrusted):
            read_keys(SENT, Got(200, {}, body))


def test_the_metadata_stand_between_host_and_path() -> None:
    """RFC 9728 §3.1."""
    where = resource_metadata_url("https://nik.example.go.id/v1")
    assert where == "https://nik.example.go.id/.well-known/oauth-protected-resource/v1"
