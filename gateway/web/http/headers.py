"""What do the headers of a call say, and which does every answer carry? Parsed once, in one pass over the raw list."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

from gateway.allowance.account import Reading
from gateway.errors import Cause, Refused

_identifier = re.compile(r"[A-Za-z0-9._-]{1,64}\Z").match
_long_digits = re.compile(r"[0-9]{16}").search
_digests = re.compile(r"(?:^|,)[ \t]*(sha-256|sha-512)=:([A-Za-z0-9+/=]*):(?=[ \t]*(?:,|;|$))").findall
ALGORITHMS = "ES256 PS256 EdDSA Ed25519"


@dataclass(slots=True)
class Headers:
    """The headers that matter here; repeated ones stay lists, for twice is not once."""

    authorization: list[str] = field(default_factory=list)
    dpop: list[str] = field(default_factory=list)
    content_type: str = ""
    content_length: int = -1
    content_digest: str = ""
    content_encoding: str = ""
    idempotency_key: list[str] = field(default_factory=list)
    accept_language: str = ""
    request_id: str = ""
    interaction_id: str = ""
    forwarded_for: str = ""
    client_cert: list[str] = field(default_factory=list)
    if_match: str = ""


def parse_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:  # noqa: C901, PLR0912  one line a header
    """The headers of an ASGI scope (names are lower-case there)."""
    headers = Headers()
    for name, value in raw:
        if name == b"authorization":
            headers.authorization.append(value.decode("latin-1"))
        elif name == b"dpop":
            headers.dpop.append(value.decode("latin-1"))
        elif name == b"content-type":
            headers.content_type = value.decode("latin-1")
        elif name == b"content-encoding":
            headers.content_encoding += value.decode("latin-1")
        elif name == b"content-length":
            headers.content_length = int(value) if value.isdigit() else -1
        elif name == b"idempotency-key":
            headers.idempotency_key.append(value.decode("latin-1"))
        elif name == b"accept-language":
            headers.accept_language = value.decode("latin-1")
        elif name == b"x-request-id":
            headers.request_id = value.decode("latin-1")
        elif name == b"content-digest":
            digests = value.decode("latin-1").strip(" \t")  # lines of one name are one list
            headers.content_digest = f"{headers.content_digest}, {digests}" if headers.content_digest else digests
        elif name == b"x-fapi-interaction-id":
            headers.interaction_id = value.decode("latin-1")
        elif name == b"if-match":
            value_told = value.decode("latin-1")  # lines of one name are one list
            headers.if_match = f"{headers.if_match}, {value_told}" if headers.if_match else value_told
        elif name == b"client-cert":
            headers.client_cert.append(value.decode("latin-1"))
        elif name == b"x-forwarded-for":
            hops = value.decode("latin-1")  # a proxy may add a line of its own: together they are one list
            headers.forwarded_for = f"{headers.forwarded_for},{hops}" if headers.forwarded_for else hops
    return headers


def preferred_language(accept: str) -> str:
    """Return "id" or "en", whichever `Accept-Language` (RFC 9110 §12.5.4) prefers; Indonesian when it says nothing of either."""
    best, best_quality = "id", 0.0
    for part in accept.split(",")[:20] if accept else ():
        tag, _, weight = part.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        if primary not in {"id", "in", "en"}:
            continue
        try:
            quality = float(weight.partition("=")[2]) if weight else 1.0
        except ValueError:
            continue
        if quality > best_quality:
            best, best_quality = "en" if primary == "en" else "id", quality
    return best


def address(peer: str, headers: Headers, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """The caller's address: the peer's own, or what a listed proxy says is the last hop that is not a listed proxy."""
    if not proxies or not headers.forwarded_for or not is_listed(peer, proxies):
        return peer
    for hop in reversed(headers.forwarded_for.split(",")):
        candidate = hop.strip()
        try:
            ip_address(candidate)
        except ValueError:
            break  # beyond a hop that is no address nothing can be believed
        peer = candidate
        if not is_listed(candidate, proxies):
            break
    return peer


def is_listed(text: str, proxies: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether an address is one of the listed proxies'."""
    return _is_listed(text, tuple(proxies))


@lru_cache(10_000)
def _is_listed(text: str, proxies: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    found = ip_address(text)
    return any(found in network for network in proxies)


@lru_cache(10_000)
def network_of(text: str, ipv6_prefix: int) -> str:
    """What an address is counted as: an IPv4 address itself, also when it is mapped; an IPv6 address by its network.

    Whoever has one IPv6 address has as many as its network holds, 2^64 with most providers.
    """
    try:
        found = ip_address(text)
    except ValueError:
        return text
    if isinstance(found, IPv4Address):
        return text
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), ipv6_prefix), strict=False))


def idempotency_key(values: list[str]) -> str | None:
    """The key of a call, None without one. Raises Refused(MALFORMED_REQUEST)."""
    if not values:
        return None
    text = values[0]
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if len(values) > 1 or not _identifier(text) or _long_digits(text):
        raise Refused(Cause.MALFORMED_REQUEST, members=["Idempotency-Key"])
    return text


def request_id(headers: Headers, fallback: str) -> str:
    """The caller's own `X-Request-Id` when it is a free identifier, else `fallback`."""
    text = headers.request_id
    return text if text and _identifier(text) and not _long_digits(text) else fallback


def require_json(headers: Headers, *, coded: bool = False) -> None:
    """Raises Refused(UNSUPPORTED_MEDIA_TYPE) unless the body is said to be JSON, and as it is unless it may be `coded`."""
    kind = headers.content_type.partition(";")[0].strip().lower()
    if kind != "application/json" or not (coded or headers.content_encoding.strip().lower() in {"", "identity"}):
        raise Refused(Cause.UNSUPPORTED_MEDIA_TYPE, accepted=["application/json"])


def check_digest(header: str, body: bytes) -> None:
    """Raises Refused(DIGEST_MISMATCH) unless `Content-Digest` (RFC 9530) fits the body.

    Every sha-256 and sha-512 in it must fit, each may come once, and there must be one: the signature of the answer covers
    the header, so a digest that nobody has checked would be vouched for. Other algorithms beside them are let be.
    """
    if header == f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:":
        return
    digests = _digests(header)
    if not digests or len(dict(digests)) != len(digests):  # hashing again for every repetition would take seconds
        raise Refused(Cause.DIGEST_MISMATCH)
    for name, told in digests:
        try:
            expected = base64.b64decode(told, validate=True)
        except binascii.Error:
            expected = b""
        if hashlib.new(name.replace("-", ""), body).digest() != expected:
            raise Refused(Cause.DIGEST_MISMATCH)


_policies: dict[tuple[tuple[str, int, int], ...], bytes] = {}


def rate_limit(readings: Sequence[Reading]) -> tuple[tuple[bytes, bytes], ...]:
    """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), one item a limit."""
    if not readings:
        return ()
    key = tuple((reading.name, reading.quota, reading.window) for reading in readings)
    policy = _policies.get(key)
    if policy is None:
        policy = ", ".join(f'"{name}";q={quota};w={window}' for name, quota, window in key).encode()
        _policies[key] = policy
    state = ", ".join([f'"{reading.name}";r={reading.left};t={reading.reset}' for reading in readings])
    return ((b"ratelimit-policy", policy), (b"ratelimit", state.encode()))


def expected_revisions(if_match: str) -> tuple[str, ...]:
    """The states that `If-Match` names (RFC 9110 §13.1.1); none where any will do."""
    return () if if_match.strip() in ("", "*") else tuple(each.strip().strip('"') for each in if_match.split(","))


def challenge(cause: Cause, issuer: str, *, credentials: bool = True, certificates: bool = False) -> bytes:
    """`WWW-Authenticate` of a 401 (RFC 9449 §7.1, RFC 9728 §5.1); without credentials it names no error (RFC 6750 §3.1).

    With `certificates` tokens may be bound to those as well, and come by the scheme Bearer: that is a challenge of its own.
    """
    error = {Cause.USE_DPOP_NONCE: "use_dpop_nonce", Cause.INVALID_DPOP_PROOF: "invalid_dpop_proof"}.get(cause)
    told = f'error="{error or "invalid_token"}", ' if credentials else ""
    metadata = f"{issuer}/.well-known/oauth-protected-resource/v1"
    both = certificates and error is None  # what is wrong with a proof concerns one scheme alone
    bearer = f', Bearer {told}resource_metadata="{metadata}"' if both else ""
    return f'DPoP {told}algs="{ALGORITHMS}", resource_metadata="{metadata}"{bearer}'.encode()
