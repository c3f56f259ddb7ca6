"""Is an answer signed as RFC 9421 says, over what the contract lists? Verified by a library that others wrote."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageVerifier, InvalidSignature, VerifyResult
from http_message_signatures.algorithms import ED25519
from http_message_signatures.resolvers import MappingKeyResolver

from gateway.clock import SECOND, SystemClock, SystemEntropy
from gateway.errors import Misconfigured
from gateway.keyring import Job, SigningKey
from gateway.keyring.file import new, parse
from gateway.keyring.keys import b64u_decode
from gateway.web.http.signature import AnswerSigner

ISSUER = "https://nik.example.go.id"
PATH = "/v1/verifications"
BODY = b'{"usable":true}'
DIGEST = f"sha-256=:{base64.b64encode(hashlib.sha256(b'asked').digest()).decode()}:"
COVERED = ('"@status"', '"content-digest"', '"@method";req', '"@target-uri";req')
# RFC 9421 Appendix B.1.4 and B.2.6.
TEST_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": "test-key-ed25519",
    "d": "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU",
    "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs",
    "job": "answer",
    "version": 1,
}
VECTOR_BASE = b"""\
"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")\
;created=1618884473;keyid="test-key-ed25519\""""
VECTOR = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="


@dataclass
class SetClock:
    """A clock that stands where it is put."""

    instant: int

    def now(self) -> int:
        return self.instant


def answer_key(version: int = 1) -> SigningKey:
    key = parse(new(Job.ANSWER, version, SystemEntropy()))
    assert isinstance(key, SigningKey)
    return key


KEY = answer_key()


def public(key: SigningKey) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(b64u_decode(key.public_jwk["x"]))


def signed(  # noqa: PLR0913  what is covered
    status: int = 200,
    method: str = "POST",
    path: str = PATH,
    query: bytes = b"",
    digest: str = DIGEST,
    key: SigningKey = KEY,
) -> dict[str, str]:
    fields = AnswerSigner(key, ISSUER, SystemClock()).sign(status, BODY, method, path, query, digest)
    return {name.decode(): value.decode() for name, value in fields}


def verified(headers: dict[str, str], status: int = 200, body: bytes = BODY, **asked: str) -> VerifyResult:
    """What the library makes of a response to a request; raises InvalidSignature."""
    asked = {"method": "POST", "url": ISSUER + PATH, "digest": DIGEST} | asked
    request_headers = {"Content-Digest": asked["digest"]} if asked["digest"] else {}
    request = SimpleNamespace(method=asked["method"], url=asked["url"], headers=request_headers)
    verifier = HTTPMessageVerifier(
        signature_algorithm=ED25519,
        key_resolver=MappingKeyResolver(public_keys={KEY.kid: public(KEY)}, private_keys={}),
    )
    components = [*COVERED, '"content-digest";req'] if asked["digest"] else list(COVERED)
    (result,) = verifier.verify(
        SimpleNamespace(status_code=status, headers=headers, request=request),
        max_age=timedelta(seconds=60),
        expect_tag="fapi-2-response",
        require_components=components,
        body=body,
    )
    return result


@pytest.mark.parametrize("status", [200, 400, 403, 422, 429, 503])
def test_another_library_verifies_it(status: int) -> None:
    """Status, content, method, target and the request's digest: exactly these, in the contract's order."""
    result = verified(signed(status), status)
    assert list(result.covered_components) == [*COVERED, '"content-digest";req', '"@signature-params"']
    assert list(result.parameters) == ["created", "keyid", "tag"]


def test_a_call_without_a_digest_is_signed_without_one() -> None:
    """A request that carried no Content-Digest is covered by method and target alone."""
    headers = signed(method="GET", path="/v1/agreement", digest="")
    result = verified(headers, method="GET", url=f"{ISSUER}/v1/agreement", digest="")
    assert list(result.covered_components) == [*COVERED, '"@signature-params"']


def test_the_target_is_the_issuers_with_the_query_as_sent() -> None:
    """What is covered begins with the configured issuer and ends with the query, percent signs and all."""
    headers = signed(method="GET", path="/v1/usage", query=b"month=2026-11&x=%7E", digest="")
    verified(headers, method="GET", url=f"{ISSUER}/v1/usage?month=2026-11&x=%7E", digest="")
    with pytest.raises(InvalidSignature):
        verified(headers, method="GET", url=f"{ISSUER}/v1/usage", digest="")


@pytest.mark.parametrize(
    "changed",
    [
        {"status": 403},
        {"body": b'{"usable":true} '},
        {"method": "PUT"},
        {"url": f"{ISSUER}/v1/verifications/batch"},
        {"url": f"https://elsewhere.example{PATH}"},
        {"digest": f"sha-256=:{base64.b64encode(hashlib.sha256(b'other').digest()).decode()}:"},
    ],
)
def test_a_signature_fits_nothing_else(changed: dict[str, object]) -> None:
    """Whatever is covered, changed, does not verify."""
    with pytest.raises(InvalidSignature):
        verified(signed(), **changed)  # type: ignore[arg-type]


def test_the_rfcs_vector() -> None:
    """RFC 9421 B.2.6: our key signs the RFC's base to the RFC's signature, byte for byte."""
    key = parse(dict(TEST_KEY))
    assert isinstance(key, SigningKey)
    assert (key.kid, key.public_jwk["x"]) == (TEST_KEY["kid"], TEST_KEY["x"])
    assert base64.b64encode(key.sign(VECTOR_BASE)).decode() == VECTOR


def test_the_whole_second_is_told() -> None:
    """`created` is the second of the signature; within it nothing but content and request differ."""
    clock = SetClock(1_795_486_269 * SECOND + 999_999)
    signer = AnswerSigner(KEY, ISSUER, clock)
    first = dict(signer.sign(200, BODY, "POST", PATH))
    assert signer.sign(200, BODY, "POST", PATH) == tuple(first.items())
    clock.instant += 1
    second = dict(signer.sign(200, BODY, "POST", PATH))
    assert b";created=1795486269;" in first[b"signature-input"]
    assert b";created=1795486270;" in second[b"signature-input"]
    assert first[b"signature"] != second[b"signature"]


def test_a_key_of_another_kind_stops_the_start() -> None:
    """Answers are signed by Ed25519 alone: an ES256 key for the job is a fault that is told."""
    jwk = new(Job.TOKEN, 1, SystemEntropy()) | {"job": "answer"}
    key = parse(jwk)
    assert isinstance(key, SigningKey)
    with pytest.raises(Misconfigured) as raised:
        AnswerSigner(key, ISSUER, SystemClock())
    assert "Ed25519" in raised.value.faults[0]


def test_nobody_else_signs_in_its_name() -> None:
    """A signature by another key under the same kid is none."""
    forged = parse(new(Job.ANSWER, 1, SystemEntropy()) | {"kid": KEY.kid})
    assert isinstance(forged, SigningKey)
    with pytest.raises(InvalidSignature):
        verified(signed(key=forged))
