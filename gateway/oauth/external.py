"""Is this a good token of an authorization server beside our own, and whose is it?

Its keys come by RFC 8414 and RFC 7517, are kept, and fetched anew before they grow old; tokens are those of RFC 9068.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from gateway.clock import SECOND, Clock
from gateway.errors import Cause, GatewayError, Refused
from gateway.keyring.keys import b64u
from gateway.oauth.access_token import DETAILS_TYPE, AccessToken, Confirmation, Details, TokenClaims, access_token
from gateway.oauth.client import Client
from gateway.oauth.jose import JoseFault, Jws, PublicKey, parse_key
from gateway.strict import require_all_once, require_once

SCOPES = frozenset({"nik.verify"})
"""What such tokens may be good for: whoever administers, audits or sends feeds is known to this house itself."""

REFRESH = 300 * SECOND  # how old keys may grow until they are fetched again
STALE = 3600 * SECOND  # how long keys serve while they cannot be fetched
AGAIN = 10 * SECOND  # for a key that is not known they are fetched at most this often
LONGEST = 3600  # seconds that a token may live; shorter is better
AHEAD = 60  # seconds that the other clock may be ahead
_PATIENCE = 5.0  # seconds
_LARGEST = 256 * 1024  # bytes of a document
_OK = 200
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class _Claims(msgspec.Struct):
    """RFC 9068 §2.2 as another server writes it; members beyond these are nothing to us."""

    iss: str
    aud: str | list[str]
    client_id: str
    jti: str
    iat: int | float
    exp: int | float
    scope: str = ""
    nbf: int | float | None = None
    cnf: Confirmation = Confirmation()
    authorization_details: list[dict[str, Any]] = []


_decode = msgspec.json.Decoder(_Claims).decode


@dataclass(frozen=True, slots=True)
class ExternalIssuer:
    """Another authorization server: its issuer, and whom its client ids stand for here (theirs → ours)."""

    issuer: str
    clients: Mapping[str, str]
    insecure: bool = False  # plain http, in a demonstration alone
    trust: SSLContext | None = None  # whose certificates are believed; None: the usual authorities


class IssuerUnreachable(GatewayError):
    """Metadata or keys could not be had; the text says which and why."""


class ExternalTokens:
    """Verifies the tokens of one other issuer for our resource."""

    def __init__(
        self,
        external: ExternalIssuer,
        resource: str,
        clock: Clock,
        resolve: Callable[[str], Awaitable[Client | None]],
        changed: Callable[[], None],
    ) -> None:
        """`resolve` finds a client of ours by its id; `changed` is called when keys or clients are others than before."""
        self._external = external
        self._resource = resource
        self._clock = clock
        self._resolve = resolve
        self._changed = changed
        self._keys: dict[str, list[PublicKey]] = {}
        self._clients: dict[str, Client] = {}
        self._fetched = self._tried = -STALE
        self._missed = False
        self._fetching = asyncio.Lock()

    @property
    def issuer(self) -> str:
        """Whose tokens these are."""
        return self._external.issuer

    def parse(self, jws: Jws, ath: str) -> AccessToken:
        """The contents of a token that names this issuer, with our own name for its client.

        Raises Refused(INVALID_TOKEN); JoseFault, and msgspec's fault for a payload that is none.
        """
        now = self._clock.now()
        keys = self._keys.get(str(jws.header.get("kid")), []) if now - self._fetched < STALE else []
        if not keys:
            self._missed = True
            raise Refused(Cause.INVALID_TOKEN, fault="signed by a key that its issuer does not publish")
        _verify_with_any(jws, keys)
        claims = _decode(jws.payload)
        require_all_once(jws.payload)
        self._check(claims, now // SECOND)
        client = self._clients.get(claims.client_id)
        if client is None:
            raise Refused(Cause.INVALID_TOKEN, fault="its issuer's client is not known here")
        details = [
            msgspec.convert(detail, Details)
            for detail in claims.authorization_details
            if detail.get("type") == DETAILS_TYPE
        ]
        if not all(detail.purposes for detail in details):
            raise Refused(Cause.INVALID_TOKEN, fault="its authorization_details name no purpose")
        return access_token(
            TokenClaims(
                iss=claims.iss,
                aud=self._resource,
                sub=client.client_id,
                client_id=client.client_id,
                # Whatever the other server writes there, what is kept of it here is of one form.
                jti=b64u(sha256(f"{claims.iss}\0{claims.jti}".encode()).digest()[:16]),
                iat=int(claims.iat),
                exp=int(claims.exp),
                scope=" ".join(sorted(set(claims.scope.split()) & SCOPES & client.scopes)),
                cnf=claims.cnf,
                partner=client.partner,
                authorization_details=details,
            ),
            ath,
        )

    def _check(self, claims: _Claims, now: int) -> None:
        audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if claims.iss != self._external.issuer or self._resource not in audience:
            raise Refused(Cause.INVALID_TOKEN, fault="issued by or for somebody else")
        if not now - LONGEST <= claims.iat <= now + AHEAD or not 0 < claims.exp - claims.iat <= LONGEST:
            raise Refused(Cause.INVALID_TOKEN, fault="the token is not of now, or lives longer than an hour")
        if claims.nbf is not None and claims.nbf > now + AHEAD:
            raise Refused(Cause.INVALID_TOKEN, fault="the token is not good yet")

    async def renewed(self) -> bool:
        """Whether it is worth looking at a token again: it was by an unknown key, and keys have been fetched since."""
        if not self._missed:
            return False
        if self._fetching.locked():  # under way already, at the start above all: it may bring the key
            async with self._fetching:
                return self._fetched == self._tried
        if self._clock.now() - self._tried < AGAIN:
            return False
        try:
            await self.refresh()
        except IssuerUnreachable:
            return False
        return True

    def due(self) -> bool:
        """Whether the keys have grown old."""
        return self._clock.now() - self._fetched >= REFRESH

    async def refresh(self) -> None:
        """Fetch metadata and keys, and find our clients. Raises Unreachable: what was known stays so, for a while."""
        async with self._fetching:
            if self._clock.now() - self._tried < AGAIN and self._tried == self._fetched:
                return  # somebody else has just done it
            self._tried = now = self._clock.now()
            self._missed = False
            keys = await self._fetch_keys()
            clients = {theirs: await self._resolve(ours) for theirs, ours in self._external.clients.items()}
            known = {theirs: client for theirs, client in clients.items() if client is not None}
            moved = (keys, known) != (self._keys, self._clients)
            self._keys, self._clients, self._fetched = keys, known, now
        if moved:
            self._changed()

    async def _fetch_keys(self) -> dict[str, list[PublicKey]]:
        trust = True if self._external.trust is None else self._external.trust
        async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE, verify=trust) as http:
            metadata = await self._get(http, metadata_url(self._external.issuer))
            if metadata.get("issuer") != self._external.issuer:
                msg = f"{self._external.issuer}: its metadata name another issuer"
                raise IssuerUnreachable(msg)
            found = await self._get(http, str(metadata.get("jwks_uri")))
        keys: dict[str, list[PublicKey]] = {}
        for jwk in found.get("keys") or ():
            try:
                key = parse_key(jwk)
            except (JoseFault, AttributeError, TypeError):
                continue  # of another use or algorithm than those of FAPI 2.0
            keys.setdefault(key.kid, []).append(key)
        return keys

    async def _get(self, http: httpx.AsyncClient, url: str) -> dict[str, Any]:
        if urlsplit(url).scheme != "https" and not self._external.insecure:
            msg = f"{url}: must be https"
            raise IssuerUnreachable(msg)
        try:
            async with http.stream("GET", url, headers={"accept": "application/json"}) as reply:
                body = b""
                async for part in reply.aiter_bytes():
                    body += part
                    if len(body) > _LARGEST:
                        break
                status = reply.status_code
            if status != _OK or len(body) > _LARGEST:
                msg = f"{url}: status {status}, {len(body)} bytes"
                raise IssuerUnreachable(msg)
            document = _decode_object(body)
            require_once(body, document)
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError, UnicodeError, ValueError) as fault:
            msg = f"{url}: {type(fault).__name__}"
            raise IssuerUnreachable(msg) from fault
        return document


def metadata_url(issuer: str) -> str:
    """RFC 8414 §3.1: the well-known part stands between host and path of the issuer."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"


def _verify_with_any(jws: Jws, keys: list[PublicKey]) -> None:
    """A verifier has to cope with two keys of one `kid` (FAPI 2.0 §5.4.3). Raises JoseFault."""
    fault = JoseFault("no key")
    for key in keys:
        try:
            jws.verify(key)
        except JoseFault as found:
            fault = found
        else:
            return
    raise fault
