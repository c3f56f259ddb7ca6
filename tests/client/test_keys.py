"""Do keys, assertions and canonical bytes hold in others' eyes: authlib's, joserfc's and RFC 8785's?"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import httpx
import pytest
from authlib.oauth2 import ClientAuth
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion, PrivateKeyJWT
from gateway_peer import opened, unb64
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey, import_key
from new_keys import make_key

from gateway.clock import SystemClock, SystemEntropy
from nik_gateway_client import ProfileFault
from nik_gateway_client.keys import PrivateKey
from nik_gateway_client.proofs import client_assertion, dpop_proof
from nik_gateway_client.receipts import canonical

ISSUER = "https://gateway.example"


class Server(JWTBearerClientAssertion):
    """authlib's server side, with the one audience of this issuer."""

    def get_audiences(self) -> list[str]:
        return [ISSUER]

    def validate_jti(self, claims, jti) -> bool:  # noqa: ARG002  authlib's signature
        return len(jti) == 22


def short_rsa() -> dict[str, str]:
    """A private RSA key of 1,024 bits, which joserfc makes under protest."""
    with warnings.catch_warnings(action="ignore"):
        return dict(RSAKey.generate_key(1024).as_dict(private=True))


@pytest.fixture
def key(tmp_path: Path) -> PrivateKey:
    path = tmp_path / "key.jwk"
    path.write_text(json.dumps(make_key("ES256")))
    return PrivateKey.load(path)


def test_authlibs_server_takes_the_assertion(key) -> None:
    """The server side of authlib verifies signature, issuer, subject, audience, expiry and id of an assertion."""
    assertion = client_assertion(key, "bank-1", ISSUER, SystemClock().now(), SystemEntropy())
    claims = Server().process_assertion_claims(assertion, import_key(key.public))
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (ISSUER, 60)
    assert jwt.decode(assertion, import_key(key.public)).header["typ"] == "client-authentication+jwt"


def test_a_proof_holds_what_it_should_and_no_more(key) -> None:
    """A proof names method, URL without query, time, token hash and nonce, and holds the public key alone."""
    url = "https://gateway.example/v1/verifications?x=1#y"
    proof = dpop_proof(key, "POST", url, 1_700_000_000_999_999, SystemEntropy(), token="t", nonce="n")
    header, claims = opened(proof)
    assert header == {"typ": "dpop+jwt", "jwk": key.public, "alg": "ES256"}
    assert set(header["jwk"]) == {"kty", "crv", "x", "y"}
    assert len(claims.pop("jti")) == 22
    assert unb64(claims.pop("ath")) == hashlib.sha256(b"t").digest()
    assert claims == {
        "htm": "POST",
        "htu": "https://gateway.example/v1/verifications",
        "iat": 1_700_000_000,
        "nonce": "n",
    }


def test_a_foreign_client_gets_a_token_from_the_peer(peer, profile_path) -> None:
    """The test's own gateway takes what authlib's client sends: it asks for the standard, not for this client."""
    jwk = json.loads((profile_path.parent / "key.jwk").read_text())
    dpop = ECKey.generate_key("P-256")
    url = f"{peer.url}/oauth2/token"
    now = SystemClock().now() // 1_000_000
    proof = jwt.encode(
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": dpop.as_dict(private=False)},
        {"jti": "foreign", "htm": "POST", "htu": url, "iat": now},
        dpop,
    )
    header = {"typ": "client-authentication+jwt", "kid": jwk["kid"]}
    method = PrivateKeyJWT(peer.issuer, claims={"exp": now + 60}, headers=header, alg="ES256")
    auth = ClientAuth(peer.client_id, import_key(jwk), method)
    form = "grant_type=client_credentials&scope=nik.verify"
    kind = {"DPoP": proof, "Content-Type": "application/x-www-form-urlencoded"}
    _, headers, body = auth.prepare("POST", url, kind, form)
    token = httpx.post(url, headers=headers, content=body, trust_env=False).json()
    assert token["access_token"] in peer.tokens


def test_a_key_goes_by_the_name_that_the_gateway_lists(tmp_path) -> None:
    """A key registered as EdDSA signs as Ed25519 where the gateway lists only that, and the other way round."""
    path = tmp_path / "key.jwk"
    path.write_text(json.dumps(make_key("EdDSA")))
    key = PrivateKey.load(path)
    assert key.alg == "EdDSA"
    assert key.named_as(("ES256", "Ed25519")).alg == "Ed25519"
    assert key.named_as(("EdDSA", "Ed25519")).alg == "EdDSA"
    assert key.named_as(()).alg == "EdDSA"


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        "{}",
        json.dumps({"kty": "oct", "k": "c2VjcmV0c2VjcmV0"}),
        json.dumps({name: value for name, value in make_key("ES256").items() if name != "d"}),
        json.dumps(make_key("ES256") | {"alg": "RS256"}),
        json.dumps(short_rsa()),
        json.dumps(ECKey.generate_key("P-384").as_dict(private=True)),
        json.dumps(ECKey.generate_key("P-256").as_dict(private=True) | {"d": "!!"}),
    ],
)
def test_other_keys_are_refused_without_being_quoted(tmp_path, content) -> None:
    """What is no private key of an accepted kind is refused by name, and no byte of it is shown."""
    path = tmp_path / "key.jwk"
    path.write_text(content)
    with pytest.raises(ProfileFault) as caught:
        PrivateKey.load(path)
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__context__ is None


def test_canonical_bytes_are_those_of_the_rfc() -> None:
    """Names sort by UTF-16 units, text is escaped as little as may be (RFC 8785 §3.2.2.2 and §3.2.3)."""
    document = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    order = ["\\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert [f'"{name}"' for name in order] == [
        pair.split(":")[0] for pair in canonical(document).decode()[1:-1].split(",")
    ]
    assert canonical({"s": '\u20ac$\u000f\nA\'B"\\\\"/'}) == b'{"s":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    for odd in (1.5, 2**53 + 1):
        with pytest.raises(ValueError, match="whole numbers"):
            canonical([odd])
