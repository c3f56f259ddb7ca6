"""Is this client who it says it is? Client assertions: RFC 7523 §3 as narrowed by FAPI 2.0 §5.3.2.1 (8) and (13)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from gateway.clock import SECOND
from gateway.errors import GatewayError
from gateway.oauth.client import Client
from gateway.oauth.dpop import Proof, proof_id
from gateway.oauth.jose import JoseFault, Jws, PublicKey, take_apart

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
AHEAD = 60 * SECOND
LIFETIME = 300 * SECOND
LATE = 10 * SECOND  # how far behind its own `exp` a client's clock may be
_TYPES = frozenset({None, "JWT", "client-authentication+jwt", "application/client-authentication+jwt"})


class AssertionClaims(msgspec.Struct):
    """The payload of an assertion. `aud` of any JSON type, so that a wrong one can be refused by name."""

    iss: str
    sub: str
    aud: Any
    exp: int | float
    jti: str
    iat: int | float | None = None
    nbf: int | float | None = None


_decode = msgspec.json.Decoder(AssertionClaims).decode


class AssertionFault(GatewayError):
    """The assertion is refused (`invalid_client`); the text says why."""


class UnprovenFault(AssertionFault):
    """No key of the client is known to have made it. The text tells what is registered: for the operator alone."""


def parse(assertion: str) -> tuple[Jws, AssertionClaims]:
    """What an assertion says, before anything is verified. Raises AssertionFault, whose text depends on no client."""
    try:
        jws, _ = take_apart(assertion)
        if jws.header.get("typ") not in _TYPES:
            msg = "typ must be absent, JWT or client-authentication+jwt"
            raise AssertionFault(msg)
        return jws, _decode(jws.payload)
    except JoseFault as fault:
        raise AssertionFault(str(fault)) from fault
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        msg = "the assertion needs iss, sub, jti (text), aud and exp (number)"
        raise AssertionFault(msg) from fault


def verify(jws: Jws, claims: AssertionClaims, client: Client | None, issuer: str, now: int) -> Proof:
    """The key that made an assertion, and the single use that it stands for. Raises UnprovenFault, AssertionFault."""
    if client is None:
        msg = "there is no such client"
        raise UnprovenFault(msg)
    kid = jws.header.get("kid")
    candidates = [key for name, key in client.keys.items() if kid is None or name == kid]
    if not candidates:
        msg = "no key of this client has this kid"
        raise UnprovenFault(msg)
    try:
        key = _verify_with_any(jws, candidates)
    except JoseFault as fault:
        raise UnprovenFault(str(fault)) from fault
    if claims.iss != client.client_id or claims.sub != client.client_id:
        msg = "iss and sub must both be the client_id"
        raise AssertionFault(msg)
    if claims.aud != issuer or not isinstance(claims.aud, str):
        msg = "aud must be the issuer, as a string and nothing else"
        raise AssertionFault(msg)
    if not claims.jti or len(claims.jti) > 256:  # noqa: PLR2004  a bound for what anyone may send
        msg = "jti must have 1 to 256 characters"
        raise AssertionFault(msg)
    _check_times(claims, now)
    used = proof_id(client.client_id, claims.jti, int(claims.exp * SECOND) + 2 * LATE, "assertion")
    return Proof(key.thumbprint, used)


def _verify_with_any(jws: Jws, candidates: Sequence[PublicKey]) -> PublicKey:
    """The key that signed: without a `kid` each of the client's is tried. Raises JoseFault; `candidates` are some."""
    *others, last = candidates
    for key in others:
        with suppress(JoseFault):
            jws.verify(key)
            return key
    jws.verify(last)
    return last


def _check_times(claims: AssertionClaims, now: int) -> None:
    expires = claims.exp * SECOND
    if expires <= now - LATE:
        msg = "the assertion has expired"
        raise AssertionFault(msg)
    for name, value in (("iat", claims.iat), ("nbf", claims.nbf)):
        if value is not None and value * SECOND > now + AHEAD:
            msg = f"{name} is more than 60 seconds ahead of the gateway's time"
            raise AssertionFault(msg)
    if (
        expires - (claims.iat * SECOND if claims.iat is not None else now) > LIFETIME
        or expires > now + LIFETIME + AHEAD
    ):
        msg = "the assertion lives longer than 5 minutes"
        raise AssertionFault(msg)
