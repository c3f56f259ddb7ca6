"""Client assertions: RFC 7523 as FAPI 2.0 narrows it, one rule a test."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from holders import BASE, NOW, Holder
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clock import SECOND
from gateway.oauth.assertion import AssertionFault, parse, subject
from gateway.oauth.assertion import verify as verify_parsed
from gateway.oauth.client import Client
from gateway.oauth.dpop import Proof
from gateway.oauth.jose import parse_key

EC = Holder("EC")
OTHER = Holder("EC", "other")
T = NOW // SECOND


def client_of(*holders: Holder) -> Client:
    keys = {holder.kid: parse_key(holder.public) for holder in holders}
    return Client("bank-1", "bank", "private_key_jwt", keys, frozenset({"nik.verify"}))


CLIENT = client_of(EC)
DEEP = EC.sign({"alg": "ES256"}, b'{"aud":' + b"[" * 5000)


def verify(assertion: str, client: Client, issuer: str, now: int) -> Proof:
    return verify_parsed(*parse(assertion, issuer, now), client)


def fault(assertion: str, client: Client = CLIENT, now: int = NOW) -> str:
    with pytest.raises(AssertionFault) as raised:
        verify(assertion, client, BASE, now)
    return str(raised.value)


def test_an_assertion_of_every_kind_of_key_holds(holder: Holder) -> None:
    """It gives the key that made it, and the id of its single use."""
    proof = verify(holder.assertion("bank-1"), client_of(holder), BASE, NOW)
    assert proof.thumbprint == holder.thumbprint
    assert (len(proof.id.id), proof.id.kind) == (16, "assertion")


def test_one_use_is_one_client_and_one_jti() -> None:
    """The same jti again is the same use, also under the client's other key; it is kept while it can be accepted."""
    client = client_of(EC, OTHER)
    first, again = (verify(one.assertion("bank-1", jti="a"), client, BASE, NOW).id for one in (EC, OTHER))
    other = verify(EC.assertion("bank-1", jti="b"), client, BASE, NOW).id
    stranger = Client("tax-1", "tax", "private_key_jwt", CLIENT.keys, CLIENT.scopes)
    theirs = verify(EC.assertion("tax-1", jti="a"), stranger, BASE, NOW).id
    assert first.id == again.id
    assert len({first.id, other.id, theirs.id}) == 3
    last = next(now for now in range(NOW + 60 * SECOND, NOW + 120 * SECOND, SECOND) if _refused_at(now))
    assert first.expires >= last


def _refused_at(now: int) -> bool:
    try:
        verify(EC.assertion("bank-1"), CLIENT, BASE, now)
    except AssertionFault:
        return True
    return False


@pytest.mark.parametrize("typ", ["JWT", "client-authentication+jwt", "application/client-authentication+jwt"])
def test_its_type_may_be_named(typ: str) -> None:
    """Absent, JWT, or that of client authentication."""
    verify(EC.assertion("bank-1", {"typ": typ}), CLIENT, BASE, NOW)


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "jwt", "", None, [], {}, 1])
def test_no_other_type_is_taken(typ: Any) -> None:
    """An access token or a DPoP proof of the same key is no assertion; and no value is an error of the gateway's."""
    assert "typ" in fault(EC.assertion("bank-1", {"typ": typ}))


def test_it_is_signed_by_a_key_of_the_client() -> None:
    """By the one that it names; without a kid by any of them; a stranger's signature under a known kid is refused."""
    client = client_of(EC, OTHER)
    verify(OTHER.assertion("bank-1"), client, BASE, NOW)
    for holder in (EC, OTHER):
        verify(holder.assertion("bank-1", {"kid": ...}), client, BASE, NOW)
    assert fault(OTHER.assertion("bank-1", {"kid": "key-1"}), client) == "the signature does not verify"
    assert fault(Holder("EC", "stranger").assertion("bank-1", {"kid": ...}), client) == "the signature does not verify"
    assert fault(EC.assertion("bank-1", {"kid": "nobody"})) == "no key of this client has this kid"
    assert fault(EC.assertion("bank-1"), client_of()) == "no key of this client has this kid"


@pytest.mark.parametrize("kid", [[], {}, 1, None, ["key-1"]])
def test_a_kid_is_text(kid: Any) -> None:
    """Anything else is refused."""
    assert "kid" in fault(EC.assertion("bank-1", {"kid": kid}))


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256"])
def test_no_other_algorithm_is_taken(alg: str) -> None:
    """Above all none."""
    assert "alg must be one of" in fault(EC.assertion("bank-1", {"alg": alg}))


@pytest.mark.parametrize("claims", [{"iss": "tax-1"}, {"sub": "tax-1"}, {"iss": ""}, {"iss": "tax-1", "sub": "tax-1"}])
def test_issuer_and_subject_are_the_client(claims: dict[str, str]) -> None:
    """Both of them."""
    assert fault(EC.assertion("bank-1", **claims)) == "iss and sub must both be the client_id"


@pytest.mark.parametrize(
    "aud", [[BASE], [BASE, "https://other.example"], f"{BASE}/", f"{BASE}/oauth2/token", f"{BASE}/v1", BASE.upper(),
    "", None, {}, 1],
)  # fmt: skip
def test_the_audience_is_the_issuer_as_text(aud: Any) -> None:
    """FAPI 2.0 §5.3.2.1 (8): a string, and nothing but the issuer; not in a list, not the token endpoint."""
    assert "aud must be the issuer" in fault(EC.assertion("bank-1", aud=aud))


@pytest.mark.parametrize("member", ["iss", "sub", "aud", "exp", "jti"])
def test_every_member_is_there(member: str) -> None:
    """Left out, or of another kind, it is named, with what it has to be."""
    for value in (..., []):
        told = fault(EC.assertion("bank-1", **{member: value}))
        assert f"{member} (" in told or f"{member} must be" in told or f"{member} is missing" in told


def test_every_fault_is_told_at_once() -> None:
    """What another library does of itself (RS256, an hour, the endpoint as audience, no jti) is met by one answer."""
    stock = EC.assertion("bank-1", {"alg": "RS256"}, aud=f"{BASE}/oauth2/token", exp=T + 3600, jti=...)
    told = fault(stock)
    words = (
        "alg must be one of",
        f"aud must be the issuer, as a string and nothing else: {BASE}",
        "5 minutes",
        "jti (",
    )
    assert all(word in told for word in words)
    assert told == fault(stock, Client("other", "other", "private_key_jwt", {}, frozenset()))


@pytest.mark.parametrize("jti", ["", "x" * 257])
def test_its_id_has_a_bound(jti: str) -> None:
    """1 to 256 characters."""
    assert "jti" in fault(EC.assertion("bank-1", jti=jti))


def test_it_has_an_end() -> None:
    """Ten seconds for a clock that is behind, and no longer."""
    assertion = EC.assertion("bank-1", iat=T - 60, exp=T)
    verify(assertion, CLIENT, BASE, NOW + 10 * SECOND - 1)
    assert fault(assertion, now=NOW + 10 * SECOND) == "the assertion has expired"


@pytest.mark.parametrize("member", ["iat", "nbf"])
def test_a_minute_ahead_is_accepted_and_no_more(member: str) -> None:
    """FAPI 2.0 §5.3.2.1 (13): for clocks that go before ours."""
    verify(EC.assertion("bank-1", **{member: T + 60}, exp=T + 120), CLIENT, BASE, NOW)
    told = fault(EC.assertion("bank-1", **{member: T + 61}, exp=T + 120))
    assert told == f"{member} is more than 60 seconds ahead of the gateway's time"


@pytest.mark.parametrize(
    ("claims", "holds"),
    [
        ({"exp": T + 300}, True),
        ({"exp": T + 301}, False),
        ({"iat": T - 200, "exp": T + 100}, True),
        ({"iat": T - 200, "exp": T + 101}, False),
        ({"iat": T + 60, "exp": T + 360}, True),
        ({"iat": T + 60, "exp": T + 361}, False),
        ({"iat": ..., "exp": T + 300}, True),
        ({"iat": ..., "exp": T + 301}, False),
        ({"iat": ..., "exp": T + 30 * 365 * 86_400}, False),
        ({"iat": 0, "exp": T + 60}, False),
    ],
)
def test_it_lives_five_minutes_at_most(claims: dict[str, Any], holds: bool) -> None:  # noqa: FBT001  a column of the table
    """From when it was issued, or from now when it does not say."""
    if holds:
        verify(EC.assertion("bank-1", **claims), CLIENT, BASE, NOW)
    else:
        assert fault(EC.assertion("bank-1", **claims)) == "the assertion lives longer than 5 minutes"


@settings(max_examples=80)
@given(st.sampled_from(["iat", "exp", "nbf"]), st.integers().map(str) | st.floats(allow_nan=False).map(repr))
def test_no_number_is_an_error_of_the_gateway(member: str, number: str) -> None:
    """However large, small or fractional: an assertion or a fault, never another exception."""
    try_number(member, number)


@pytest.mark.parametrize("member", ["iat", "exp", "nbf"])
@pytest.mark.parametrize(
    "number",
    ["1e400", "-1e400", "1e308", "-1e308", "9" * 400, "-" + "9" * 400, "NaN", "-Infinity"],
)
def test_no_extreme_number_is_an_error_of_the_gateway(member: str, number: str) -> None:
    """Those that overflow on the way to microseconds."""
    try_number(member, number)


def try_number(member: str, number: str) -> None:
    body = {"iss": "bank-1", "sub": "bank-1", "aud": BASE, "jti": "x", "iat": T, "exp": T + 60, member: "@"}
    payload = json.dumps(body).replace('"@"', number).encode()
    with suppress(AssertionFault):
        verify(EC.sign({"alg": "ES256"}, payload), CLIENT, BASE, NOW)


def test_the_claimed_subject_is_read_without_trust() -> None:
    """Who it is from, before anything is verified; whatever is no assertion is a fault."""
    assert subject(Holder("EC", "stranger").assertion("bank-1", exp=1)) == "bank-1"
    for text in ("", "a.b.c", EC.sign({"alg": "ES256"}, b"null"), EC.sign({"alg": "ES256"}, b"\xff"), "é.é.é", DEEP):
        with pytest.raises(AssertionFault):
            subject(text)
        with pytest.raises(AssertionFault):
            parse(text, BASE, NOW)
