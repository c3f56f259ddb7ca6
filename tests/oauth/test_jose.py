"""Keys and signatures of others: what is taken, and everything that is refused (RFC 7515, FAPI 2.0 §5.4)."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from holders import Holder, compact, make_key
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OctKey

from gateway.keyring.keys import b64u
from gateway.oauth.jose import ALGORITHMS, JoseFault, parse_key, take_apart

VECTOR = json.loads((Path(__file__).parents[1] / "vectors/rfc7638.json").read_text())
EC = Holder("EC")
OKP = Holder("OKP")
RSA = Holder("RSA")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def test_a_signature_of_every_algorithm_verifies(holder: Holder) -> None:
    """ES256, PS256 and EdDSA; the header's own word decides among those that the key may be used with."""
    jws, segment = take_apart(holder.sign({"alg": holder.alg, "kid": "x"}, {"a": 1}))
    jws.verify(parse_key(holder.public))
    assert (jws.header, jws.payload) == ({"alg": holder.alg, "kid": "x"}, b'{"a": 1}')
    assert segment == b64u(json.dumps(jws.header).encode())


def test_ed25519_goes_by_both_of_its_names() -> None:
    """RFC 9864 calls it Ed25519, RFC 8037 EdDSA."""
    for alg in ("Ed25519", "EdDSA"):
        token = compact({"alg": alg}, b"x", OKP.key, "EdDSA")
        take_apart(token)[0].verify(parse_key({**OKP.public, "alg": alg}))


def test_a_thumbprint_is_that_of_rfc_7638() -> None:
    """The RFC's own key; without a kid of its own the thumbprint is the kid."""
    key = parse_key(VECTOR["jwk"])
    assert (key.thumbprint, key.kid) == (VECTOR["thumbprint"], "2011-04-29")
    assert parse_key({name: VECTOR["jwk"][name] for name in ("kty", "n", "e")}).kid == VECTOR["thumbprint"]


def test_every_changed_character_is_refused(holder: Holder) -> None:
    """Any one character of header, payload or signature; also a signature that is cut or drawn out."""
    key = parse_key(holder.public)
    token = holder.sign({"alg": holder.alg}, {"scope": "nik.verify"})
    changes = [
        token[:at] + ("A" if character != "A" else "B") + token[at + 1 :]
        for at, character in enumerate(token)
        if character != "." and (at % 3 == 0 or at > len(token) - 90)
    ]
    for changed in [*changes, token[:-4], token + "AAAA", token[: token.rindex(".") + 1]]:
        with pytest.raises(JoseFault):
            take_apart(changed)[0].verify(key)


@pytest.mark.parametrize(
    "alg",
    [
        "none",
        "None",
        "HS256",
        "HS512",
        "RS256",
        "RS384",
        "PS384",
        "PS512",
        "ES384",
        "ES512",
        "ES256K",
        "Ed448",
        "",
        "es256",
        None,
        1,
        [],
        {},
        ["ES256"],
    ],
)
def test_only_the_algorithms_of_fapi_are_heard_of(alg: Any) -> None:
    """Everything else is refused before a key is looked at; above all none and the symmetric ones."""
    with pytest.raises(JoseFault, match="alg must be one of"):
        take_apart(compact({"alg": alg}, b"x", EC.key, "ES256"))
    assert ALGORITHMS == ("ES256", "PS256", "EdDSA", "Ed25519")


def test_a_public_key_is_no_secret() -> None:
    """Algorithm confusion: what is signed by HMAC with the public key's text does not pass for the key's owner."""
    secret = OctKey.import_key(json.dumps(RSA.public).encode())
    for alg in ("HS256", "PS256", "ES256"):
        with pytest.raises(JoseFault):
            take_apart(compact({"alg": alg}, b"x", secret, "HS256"))[0].verify(parse_key(RSA.public))


@pytest.mark.parametrize(
    ("alg", "key"),
    [("PS256", EC), ("EdDSA", EC), ("ES256", RSA), ("EdDSA", RSA), ("ES256", OKP), ("PS256", OKP)],
)
def test_an_algorithm_of_another_kind_of_key_is_refused(alg: str, key: Holder) -> None:
    """A key signs by its own algorithm alone, whatever a header claims."""
    with pytest.raises(JoseFault, match="alg"):
        take_apart(compact({"alg": alg}, b"x", key.key, key.alg))[0].verify(parse_key(key.public))


def test_an_rsa_signature_of_the_old_padding_is_refused() -> None:
    """PKCS #1 v1.5 under the name PS256 does not verify."""
    with pytest.raises(JoseFault, match="does not verify"):
        take_apart(compact({"alg": "PS256"}, b"x", RSA.key, "RS256"))[0].verify(parse_key(RSA.public))


@pytest.mark.parametrize("kind", ["EC", "OKP", "RSA"])
def test_a_private_key_is_refused(kind: str) -> None:
    """Every member that only a private key has: it has been shown, and may never serve."""
    private = Holder(kind).key.as_dict(private=True)
    with pytest.raises(JoseFault, match="must be a public key"):
        parse_key(private)
    for member in private.keys() - Holder(kind).public.keys():
        with pytest.raises(JoseFault, match="must be a public key"):
            parse_key({**Holder(kind).public, member: private[member]})


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
        make_key("EC-384").as_dict(private=False),
        make_key("EC-521").as_dict(private=False),
        make_key("OKP-X25519").as_dict(private=False),
        make_key("OKP-Ed448").as_dict(private=False),
        {**RSA.public, "n": b64u(((1 << 2047) - 1).to_bytes(256, "big"))},
        {**RSA.public, "n": b64u((1 << 1023 | 1).to_bytes(128, "big"))},
        {**RSA.public, "e": "Ag"},
        {**RSA.public, "e": "AQ"},
        {**EC.public, "x": b64u(bytes(31) + b"\1")},
        {**EC.public, "y": ""},
        {**EC.public, "crv": "P-257"},
        {**OKP.public, "x": "AAAA"},
        {**EC.public, "alg": "PS256"},
        {**EC.public, "alg": "none"},
        {**EC.public, "alg": ["ES256"]},
        {**EC.public, "use": "enc"},
        {**EC.public, "use": []},
        {**EC.public, "kty": "RSA"},
        {**EC.public, "kty": []},
        {**EC.public, "x": 7},
        {"kty": "EC"},
        {"kty": "PET"},
        {},
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Key size:joserfc.errors.SecurityWarning")
def test_a_key_that_is_not_fit_is_refused(jwk: dict[str, Any]) -> None:
    """Symmetric, another curve, RSA under 2048 bits or with an odd exponent, off the curve, for another use."""
    with pytest.raises(JoseFault, match="jwk"):
        parse_key(jwk)


def test_rsa_may_be_of_2048_bits_and_more() -> None:
    """2048 bits are enough, and no more than that can be made slow: a giant modulus is refused or never verifies."""
    assert parse_key(RSA.public).algorithms == ("PS256",)
    giant = {**RSA.public, "n": b64u((1 << 20_000 | 1).to_bytes(2501, "big"))}
    with pytest.raises(JoseFault):
        take_apart(RSA.sign({"alg": "PS256"}, b"x"))[0].verify(parse_key(giant))


@pytest.mark.parametrize("member", ["crit", "jku", "x5u", "b64", "zip"])
@pytest.mark.parametrize("value", [["exp"], "https://attacker.example/keys", False, None, "DEF"])
def test_a_header_that_leads_elsewhere_is_refused(member: str, value: Any) -> None:
    """`crit`, `jku`, `x5u`, `b64` and `zip`, with any value, even null."""
    with pytest.raises(JoseFault, match=f"member {member} is not accepted"):
        take_apart(EC.sign({"alg": "ES256", member: value}, b"x"))


@pytest.mark.parametrize("member", ["typ", "kid"])
@pytest.mark.parametrize("value", [[], {}, 1, None, True])
def test_names_in_a_header_are_text(member: str, value: Any) -> None:
    """RFC 7515 §4.1.4 and §4.1.9: anything else is refused, and is no error of the gateway's."""
    with pytest.raises(JoseFault, match=member):
        take_apart(EC.sign({"alg": "ES256", member: value}, b"x"))


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "...", "a", "a.b", "a.b.c.d", "a.b.c", ".e30.", "e30..", "e30.e30.", "bnVsbA.e30.AA", "W10.e30.AA",
        "eyJhbGciOiJFUzI1NiJ9.e30=.AAAA", "eyJhbGciOiJFUzI1NiJ9=.e30.AAAA", "eyJhbGciOiJFUzI1NiJ9.e30.AA+A",
        "eyJhbGciOiJFUzI1NiJ9 .e30.AAAA", "eyJhbGciOiJFUzI1NiJ9.é.AAAA", "é.e30.AAAA", "eyJhbGciOiJFUzI1NiJ9.e30.é",
        b64u(b"\xff\xfe") + ".e30.AAAA", b64u(b'{"alg":"ES256"') + ".e30.AAAA", b64u(b'{"alg":"\xff"}') + ".e30.AAAA",
        b64u(b'{"alg":' + b"[" * 6000) + ".e30.AA", b64u(b'{"alg":"\\ud800"}') + ".e30.AAAA",
    ],
)  # fmt: skip
def test_what_is_not_a_jws_is_refused(token: str) -> None:
    """Too few or too many parts, no base64url, no JSON, no object, too deep."""
    with pytest.raises(JoseFault):
        take_apart(token)


def test_a_jws_has_a_bound() -> None:
    """Over 16 KiB nothing is looked at."""
    token = EC.sign({"alg": "ES256"}, b"x" * 16_000)
    with pytest.raises(JoseFault, match="not a JWS"):
        take_apart(token)


@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "jwk", "crit", "x"]), anything), st.text(max_size=30))
def test_no_header_is_an_error_of_the_gateway(header: dict[str, Any], rest: str) -> None:
    """Any JSON object for a header, any text behind it: JoseFault or a JWS, never another exception."""
    for tail in (rest, "e30.AAAA"):
        with suppress(JoseFault):
            take_apart(f"{b64u(json.dumps(header).encode())}.{tail}")


@pytest.mark.filterwarnings("ignore:Key size:joserfc.errors.SecurityWarning")
@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "use", "kid", "key_ops", "x5c"]),
        anything,
    ),
)
def test_no_jwk_is_an_error_of_the_gateway(jwk: dict[str, Any]) -> None:
    """Any members with any values, alone or over those of a good key: JoseFault or a key, never another exception."""
    for good in ({}, EC.public, RSA.public, OKP.public):
        with suppress(JoseFault):
            parse_key({**good, **jwk})


@pytest.mark.parametrize(
    "text",
    ['{"alg":"ES256","alg":"PS256"}', '{"alg":"none","alg":"ES256"}', '{"alg":"ES256","jwk":{"kty":"EC","kty":"EC"}}'],
)
def test_a_header_names_no_member_twice(text: str) -> None:
    """Whichever of the two another reader would take (RFC 7515 §4)."""
    with pytest.raises(JoseFault):
        take_apart(f"{b64u(text.encode())}.{b64u(b'{}')}.{b64u(bytes(64))}")
