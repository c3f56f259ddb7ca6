"""Is this client who it says it is? Client assertions: RFC 7523 §3 as narrowed by FAPI 2.0 §5.3.2.1 (8) and (13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from gateway.clock import SECOND
from gateway.errors import GatewayError
from gateway.keyring.keys import b64u_decode
from gateway.oauth.client import Client
from gateway.oauth.dpop import Proof, proof_id
from gateway.oauth.jose import JoseFault, Jws, PublicKey, take_apart
from gateway.strict import MemberTwice, require_once

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
_decode_any = msgspec.json.Decoder(dict[str, Any]).decode
_TEXT, _NUMBER = (str,), (int, float)
_NEEDED = {
    "iss": (_TEXT, "the client_id"),
    "sub": (_TEXT, "the client_id"),
    "jti": (_TEXT, "a text, new for every request"),
    "exp": (_NUMBER, "a number, at most 5 minutes ahead"),
}


class AssertionFault(GatewayError):
    """The assertion is refused (`invalid_client`); the text says why."""


class UnprovenFault(AssertionFault):
    """No key of the client is known to have made it. The text tells what is registered: for the operator alone."""


def parse(assertion: str, issuer: str, now: int) -> tuple[Jws, AssertionClaims]:
    """What an assertion says, before anything is verified, when its form, audience and times are right.

    Raises AssertionFault, whose text names every fault at once and depends on no client.
    """
    faults, jws = [], None
    try:
        jws, _ = take_apart(assertion)
        if jws.header.get("typ") not in _TYPES:
            faults.append("typ must be absent, JWT or client-authentication+jwt")
    except JoseFault as fault:
        faults.append(str(fault))
    try:
        payload = b64u_decode(assertion.split(".")[1]) if jws is None else jws.payload
        told = _decode_any(payload)
        require_once(payload, told)
        faults += _faults(told, issuer, now)
        if not faults and jws is not None:
            return jws, _decode(jws.payload)
    except MemberTwice:
        faults.append("the assertion's payload names a member twice")
    except (msgspec.MsgspecError, ValueError, IndexError, RecursionError):
        faults = faults or ["the assertion's payload is no JSON object"]
    raise AssertionFault("; ".join(faults))


def subject(assertion: str) -> str:
    """The client that an assertion claims to be from, whatever else is wrong with it. Raises AssertionFault."""
    try:
        return _decode(take_apart(assertion)[0].payload).sub
    except (JoseFault, msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise AssertionFault(str(fault)) from fault


def verify(jws: Jws, claims: AssertionClaims, client: Client | None) -> Proof:
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


def _faults(claims: Mapping[str, Any], issuer: str, now: int) -> list[str]:
    """Everything that is wrong with an assertion's claims, whoever it is from."""
    missing = [f"{name} ({form})" for name, (types, form) in _NEEDED.items() if type(claims.get(name)) not in types]
    faults = [f"the assertion lacks {', '.join(missing)}"] if missing else []
    if "aud" in claims and (claims["aud"] != issuer or not isinstance(claims["aud"], str)):
        faults.append(f"aud must be the issuer, as a string and nothing else: {issuer}")
    elif "aud" not in claims:
        faults.append(f"aud is missing: the issuer, as a string and nothing else: {issuer}")
    if claims.get("iss") != claims.get("sub"):
        faults.append("iss and sub must both be the client_id")
    jti = claims.get("jti")
    if isinstance(jti, str) and not 1 <= len(jti) <= 256:  # noqa: PLR2004  a bound for what anyone may send
        faults.append("jti must have 1 to 256 characters")
    return faults + _time_faults(claims, now)


def _time_faults(claims: Mapping[str, Any], now: int) -> list[str]:
    faults = []
    given = {name: claims[name] * SECOND for name in ("exp", "iat", "nbf") if type(claims.get(name)) in (int, float)}
    wrong = [name for name in ("iat", "nbf") if claims.get(name) is not None and name not in given]
    faults += [f"{name} must be a number" for name in wrong]
    ahead = [name for name in ("iat", "nbf") if given.get(name, now) > now + AHEAD]
    faults += [f"{name} is more than 60 seconds ahead of the gateway's time" for name in ahead]
    expires = given.get("exp")
    if expires is None:
        return faults
    if expires <= now - LATE:
        faults.append("the assertion has expired")
    if expires - given.get("iat", now) > LIFETIME or expires > now + LIFETIME + AHEAD:
        faults.append("the assertion lives longer than 5 minutes")
    return faults
