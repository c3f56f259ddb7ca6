"""Headers of a call: what is believed of them, and what is refused."""

from __future__ import annotations

import base64
import hashlib
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.allowance.account import Reading
from gateway.errors import Cause, Refused
from gateway.web.http.headers import (
    Headers,
    address,
    challenge,
    check_digest,
    idempotency_key,
    network_of,
    parse_headers,
    preferred_language,
    rate_limit,
    request_id,
)

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
NIK = "7402154505909001"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "id"), ("id", "id"), ("en", "en"), ("en-US,en;q=0.9", "en"), ("id-ID,id;q=0.9,en;q=0.8", "id"),
        ("de,en;q=0.1", "en"),
        ("in", "id"), ("in,en;q=0.9", "id"), ("de", "id"), ("*", "id"), ("en;q=0", "id"), ("en;q=0.5,id;q=0.4", "en"),
        ("en;q=0.4,id;q=0.5", "id"), ("EN-gb", "en"), ("id;q=0,en;q=0.1", "en"), ("en;q=x", "id"),
        ("english", "id"), (",,;;,", "id"),
        ("id, en", "id"), ("en, id", "en"), ("en ; q=0.9 , id ; q=0.8", "en"), ("en;q=nan", "id"),
        ("x," * 30 + "en", "id"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_preferred(accept: str, expected: str) -> None:
    """RFC 9110 §12.5.4: by quality, then as written; Indonesian when it says nothing of either."""
    assert preferred_language(accept) == expected


@given(st.text(max_size=60))
def test_no_text_is_an_error(text: str) -> None:
    """Whatever stands in a header: a language, an address and an id come out."""
    headers = Headers(accept_language=text, forwarded_for=text, request_id=text)
    assert preferred_language(text) in {"id", "en"}
    assert address("10.0.0.1", headers, PROXIES)
    assert request_id(headers, "fallback")


def forwarded(*lines: str) -> Headers:
    return parse_headers([(b"x-forwarded-for", line.encode()) for line in lines])


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        ("192.0.2.9", (), "192.0.2.9"),
        ("192.0.2.9", ("203.0.113.5",), "192.0.2.9"),  # nobody else's word is believed
        ("192.0.2.9", ("127.0.0.1, 10.0.0.1",), "192.0.2.9"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.5",), "203.0.113.5"),
        ("10.0.0.1", ("127.0.0.1, 203.0.113.5",), "203.0.113.5"),  # what the caller made up stands before
        ("10.0.0.1", ("127.0.0.1, 203.0.113.5, 10.0.0.2",), "203.0.113.5"),
        ("10.0.0.1", ("203.0.113.5", "10.0.0.2"), "203.0.113.5"),  # several lines are one list (RFC 9110 §5.3)
        ("10.0.0.1", ("127.0.0.1", "203.0.113.5"), "203.0.113.5"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("10.0.0.1", ("203.0.113.5, unknown",), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.5, unknown, 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", ("2001:db8::7, 2001:db9::1",), "2001:db9::1"),
        ("2001:db8::1", ("203.0.113.5",), "203.0.113.5"),
        ("10.0.0.1", ("203.0.113.5:1234",), "10.0.0.1"),
    ],
)
def test_an_address_is_believed_from_listed_proxies_alone(peer: str, lines: tuple[str, ...], expected: str) -> None:
    """The last hop that is no listed proxy; whatever stands before it is anybody's word."""
    assert address(peer, forwarded(*lines), PROXIES) == expected
    assert address(peer, forwarded(*lines), ()) == peer


@pytest.mark.parametrize(
    ("text", "prefix", "expected"),
    [
        ("203.0.113.5", 64, "203.0.113.5"), ("::ffff:203.0.113.5", 64, "203.0.113.5"), ("", 64, ""), ("x", 64, "x"),
        ("2001:db8::1", 64, "2001:db8::/64"), ("2001:db8:0:0:ffff::", 64, "2001:db8::/64"),
        ("2001:db8:0:1::1", 64, "2001:db8:0:1::/64"), ("2001:db8::1", 48, "2001:db8::/48"),
        ("2001:db8::1", 128, "2001:db8::1/128"), ("fe80::1%eth0", 64, "fe80::/64"),
    ],
)  # fmt: skip
def test_an_address_is_counted_by_its_network(text: str, prefix: int, expected: str) -> None:
    """IPv4 as it is, also mapped into IPv6; IPv6 by the network that one subscriber has."""
    assert network_of(text, prefix) == expected


@pytest.mark.parametrize(
    "text",
    ["CIF-2026.0001_a", "x", "a" * 64, "123456789012345", '"quoted"', "7402-1545-0590-9001"],
)
def test_an_idempotency_key_is_a_free_identifier(text: str) -> None:
    """Bare, or as the string of a structured field."""
    assert idempotency_key([text]) == text.strip('"')


@pytest.mark.parametrize(
    "values",
    [[""], ['""'], ["a" * 65], ["a b"], ["ä"], [NIK], [f"x{NIK}y"], ['"a'], ["a\n"], ["a", "a"], ['"a\\"b"']],
)
def test_what_is_no_idempotency_key_is_refused(values: list[str]) -> None:
    """Empty, too long, other characters, a run of 16 digits, or two of them; by name, never by value."""
    with pytest.raises(Refused) as raised:
        idempotency_key(values)
    assert raised.value.refusal.cause is Cause.MALFORMED_REQUEST
    assert raised.value.refusal.facts == {"members": ["Idempotency-Key"]}


def test_without_an_idempotency_key_there_is_none() -> None:
    """It is optional."""
    assert idempotency_key([]) is None


@pytest.mark.parametrize("text", ["", "a b", "x" * 65, NIK, "a\nb", "é"])
def test_a_request_id_that_is_none_is_replaced(text: str) -> None:
    """It is echoed, so it must be a free identifier; nobody's NIK comes back in a header."""
    assert request_id(Headers(request_id=text), "ours") == "ours"
    assert request_id(Headers(request_id="theirs-1"), "ours") == "theirs-1"


BODY = b'{"hello": "world"}'
SHA256 = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
SHA512 = base64.b64encode(hashlib.sha512(BODY).digest()).decode()


@pytest.mark.parametrize(
    "header",
    [
        f"sha-256=:{SHA256}:", f"sha-512=:{SHA512}:, sha-256=:{SHA256}:", f"sha-256=:{SHA256}:,sha-512=:{SHA512}:",
        f"sha-512=:{SHA512}:", f"md5=:AAAA:, sha-256=:{SHA256}:", f"sha-256=:{SHA256}:;q=1, x",
    ],
)  # fmt: skip
def test_a_digest_of_the_body_is_taken(header: str) -> None:
    """RFC 9530, alone or beside others; the RFC's own example body."""
    assert SHA256 == "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="
    check_digest(header, BODY)


@pytest.mark.parametrize(
    "header",
    [
        "sha-256=:AAAA:", f"sha-256={SHA256}", f"sha-256=:{SHA256[:-4]}:", "sha-256=::", "sha-256",
        f"xsha-256=:{SHA256}:", "x",
        f"sha-256=:{SHA256}:, sha-512=:AAAA:", f"sha-512=:{SHA256}:", f"sha-256=:AAAA:, sha-256=:{SHA256}:",
        f"SHA-256=:{SHA256}:", "sha-256=:====:", "sha-256=:A:", f'"sha-256=:{SHA256}:"', f"md5=:{SHA256}:",
        f"sha-256=:{SHA256}:, sha-256=:{SHA256}:", ", ".join([f"sha-512=:{SHA512}:"] * 150),
    ],
)  # fmt: skip
def test_another_digest_is_a_mismatch(header: str) -> None:
    """Whenever one that the gateway knows does not fit this body or comes twice, or it knows none of them."""
    with pytest.raises(Refused) as raised:
        check_digest(header, BODY)
    assert raised.value.refusal.cause is Cause.DIGEST_MISMATCH
    with pytest.raises(Refused):
        check_digest(f"sha-256=:{SHA256}:", BODY + b" ")


def test_headers_that_matter_are_read_once_and_kept_apart() -> None:
    """Those that may come once only stay lists, so that twice is seen; the rest is left alone."""
    headers = parse_headers(
        [
            (b"authorization", b"DPoP a"), (b"authorization", b"DPoP b"), (b"dpop", b"p"),
            (b"content-type", b"application/json"),
            (b"content-length", b"17"), (b"idempotency-key", b"k1"), (b"idempotency-key", b"k2"),
            (b"accept-language", b"en"),
            (b"x-request-id", b"r"), (b"content-digest", b"d"), (b"x-fapi-interaction-id", b"i"), (b"cookie", b"c"),
        ],
    )  # fmt: skip
    assert headers == Headers(
        ["DPoP a", "DPoP b"], ["p"], "application/json", 17, "d", "", ["k1", "k2"], "en", "r", "i"
    )
    assert parse_headers([(b"content-length", b"-1")]).content_length == -1
    assert parse_headers([(b"content-digest", b" a "), (b"content-digest", b"b")]).content_digest == "a, b"
    assert parse_headers([(b"authorization", b"\xff")]).authorization == ["ÿ"]


def test_limits_are_structured_fields() -> None:
    """One item a limit, policy and state; nothing at all without limits."""
    readings = (Reading("burst", 5000, 1, 4999, 1), Reading("day", 100, 86_400, 0, 3600))
    assert rate_limit(readings) == (
        (b"ratelimit-policy", b'"burst";q=5000;w=1, "day";q=100;w=86400'),
        (b"ratelimit", b'"burst";r=4999;t=1, "day";r=0;t=3600'),
    )
    assert rate_limit(()) == ()


def test_a_challenge_names_the_metadata() -> None:
    """RFC 9449 §7.1 and RFC 9728 §5.1, with the error of its cause."""
    told = challenge(Cause.USE_DPOP_NONCE, "https://nik.example.go.id").decode()
    assert told.startswith('DPoP error="use_dpop_nonce", algs="ES256 PS256 EdDSA Ed25519", ')
    assert 'resource_metadata="https://nik.example.go.id/.well-known/oauth-protected-resource/v1"' in told
    assert b'error="invalid_dpop_proof"' in challenge(Cause.INVALID_DPOP_PROOF, "https://x")
    assert b'error="invalid_token"' in challenge(Cause.INVALID_TOKEN, "https://x")
