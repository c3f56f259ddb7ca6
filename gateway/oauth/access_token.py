"""What is in an access token, and is it one of ours? RFC 9068 JWTs, sender-constrained, at most 300 seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from gateway.clock import SECOND
from gateway.errors import Cause, Refused
from gateway.keyring import SigningKey
from gateway.keyring.keys import b64u
from gateway.oauth.jose import JoseFault, Jws, PublicKey, parse_key, take_apart
from gateway.strict import require_all_once

LIFETIME = 300  # seconds
DETAILS_TYPE = "nik_verification"
_CACHE = 50_000


class Confirmation(msgspec.Struct, frozen=True, omit_defaults=True):
    """`cnf`: the key that a token is bound to (RFC 9449 §6.1, RFC 8705 §3.1)."""

    jkt: str | None = None
    x5t: str | None = msgspec.field(name="x5t#S256", default=None)


class Details(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One object of `authorization_details` (RFC 9396)."""

    type: str
    purposes: list[str] = []
    claims: list[str] | msgspec.UnsetType = msgspec.UNSET


class TokenClaims(msgspec.Struct, frozen=True, omit_defaults=True):
    """The payload of an access token: RFC 9068 §2.2, and two of ours.

    `partner` is whose client it is, `key` the thumbprint of the registered key that the client authenticated with.
    """

    iss: str
    aud: str
    sub: str
    client_id: str
    jti: str
    iat: int
    exp: int
    scope: str
    cnf: Confirmation
    partner: str
    authorization_details: list[Details] = []
    key: str = ""


class _Issuer(msgspec.Struct):
    iss: str


_decode = msgspec.json.Decoder(TokenClaims).decode
_decode_issuer = msgspec.json.Decoder(_Issuer).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that was verified: claims in the forms that every call needs."""

    claims: TokenClaims
    ath: str
    scopes: frozenset[str]
    expires: int
    purposes: frozenset[str] | None
    claim_names: Mapping[str, frozenset[str]] | None


class ForeignTokens(Protocol):
    """The port to the tokens of another issuer (see `oauth/external.py`)."""

    @property
    def issuer(self) -> str:
        """Whose tokens these are."""

    def parse(self, jws: Jws, ath: str) -> AccessToken:
        """The contents of a token that names this issuer. Raises Refused, JoseFault, msgspec.MsgspecError."""


class AccessTokens:
    """Issues and verifies the access tokens of one issuer for one resource; remembers those it has verified."""

    def __init__(self, issuer: str, resource: str, signer: SigningKey, public: list[Any]) -> None:
        self._issuer = issuer
        self.resource = resource
        self._signer = signer
        self._keys: dict[str, PublicKey] = {jwk["kid"]: parse_key(jwk) for jwk in public}
        self._seen: dict[str, AccessToken] = {}
        self.external: ForeignTokens | None = None
        header = {"typ": "at+jwt", "alg": signer.alg, "kid": signer.kid}
        self._header = b64u(_encode(header)).encode()

    def issue(self, claims: TokenClaims) -> str:
        """The signed compact JWT of `claims`."""
        signed = self._header + b"." + b64u(_encode(claims)).encode()
        return (signed + b"." + b64u(self._signer.sign(signed)).encode()).decode()

    def issued(self, token: AccessToken) -> bool:
        """Whether it was this issuer that made a token which was verified here."""
        return token.claims.iss == self._issuer

    def forget(self) -> None:
        """Look at every token anew: keys of another issuer have changed."""
        self._seen.clear()

    def verify(self, token: str, now: int) -> AccessToken:
        """The token's contents. Raises Refused(INVALID_TOKEN)."""
        ath = b64u(sha256(token.encode()).digest())
        known = self._seen.get(ath)
        if known is None:
            known = self._parse(token, ath)
            if len(self._seen) >= _CACHE:
                self._seen.clear()
            self._seen[ath] = known
        if known.expires <= now:
            raise Refused(Cause.INVALID_TOKEN, fault="the token has expired")
        return known

    def _parse(self, token: str, ath: str) -> AccessToken:
        try:
            jws, _ = take_apart(token)
            if jws.header.get("typ") not in {"at+jwt", "application/at+jwt"}:
                raise Refused(Cause.INVALID_TOKEN, fault="typ must be at+jwt")
            if self.external is not None and _decode_issuer(jws.payload).iss == self.external.issuer:
                return self.external.parse(jws, ath)
            key = self._keys.get(str(jws.header.get("kid")))
            if key is None:
                raise Refused(Cause.INVALID_TOKEN, fault="signed by an unknown key")
            jws.verify(key)
            claims = _decode(jws.payload)
            require_all_once(jws.payload)
        except (JoseFault, msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
            raise Refused(Cause.INVALID_TOKEN, fault="not an access token of this gateway") from fault
        if claims.iss != self._issuer or claims.aud != self.resource:
            raise Refused(Cause.INVALID_TOKEN, fault="issued by or for somebody else")
        return access_token(claims, ath)


def access_token(claims: TokenClaims, ath: str) -> AccessToken:
    """Claims that were verified, in the forms that every call needs."""
    details = claims.authorization_details
    purposes = frozenset(name for detail in details for name in detail.purposes)
    bounds = claim_bounds(details)
    return AccessToken(
        claims, ath, frozenset(claims.scope.split()), claims.exp * SECOND, purposes if details else None, bounds or None
    )


def claim_bounds(details: Sequence[Details]) -> dict[str, frozenset[str]]:
    """The claims that each purpose is bound to; a purpose that an object names without claims has no bound of its own."""
    bounds: dict[str, frozenset[str]] = {}
    free = {name for detail in details if detail.claims is msgspec.UNSET for name in detail.purposes}
    for detail in details:
        if detail.claims is not msgspec.UNSET:
            for name in set(detail.purposes) - free:
                bounds[name] = bounds.get(name, frozenset()) | frozenset(detail.claims)
    return bounds
