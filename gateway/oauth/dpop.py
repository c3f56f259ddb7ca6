"""Does whoever sends this hold the private key? DPoP proofs, RFC 9449 §4.3, every check in its order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gateway.clock import SECOND, Clock
from gateway.errors import Cause, Refused
from gateway.keyring.keys import MacKey, b64u, b64u_decode
from gateway.oauth.client import ProofId
from gateway.oauth.jose import JoseFault, PublicKey, parse_key, take_apart
from gateway.strict import require_all_once

SKEW = 60 * SECOND
NONCE_LIFE = 300  # seconds
_CACHE = 10_000


class ProofClaims(msgspec.Struct):
    """The payload of a proof; members beyond these are ignored (RFC 9449 §4.2)."""

    jti: str
    htm: str
    htu: str
    iat: int | float
    ath: str | None = None
    nonce: str | None = None
    exp: int | float | None = None
    nbf: int | float | None = None


_decode = msgspec.json.Decoder(ProofClaims).decode


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds: the RFC 7638 thumbprint of its key, and its id, still to be sealed against replay."""

    thumbprint: str
    id: ProofId


_uri = re.compile(r"[!-~]+\Z").match  # `urlsplit` would drop blanks and line ends
_PORTS = {"http": 80, "https": 443}


def _normal(url: str) -> tuple[str, str, int | None, str]:
    """Scheme, user and host, port and path of a URL. Raises ValueError."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    host = parts.hostname or ""
    port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    return parts.scheme, f"{user}@{host}" if "@" in parts.netloc else host, port, parts.path


def proof_id(thumbprint: str, jti: str, expires: int, kind: str) -> ProofId:
    """The identity of one use of `jti` under one key."""
    return ProofId(sha256(f"{kind}\0{thumbprint}\0{jti}".encode()).digest()[:16], expires, kind)


def _refuse(detail: str) -> Refused:
    return Refused(Cause.INVALID_DPOP_PROOF, fault=detail)


class ProofChecker:
    """Checks proofs against the gateway's own URLs; keeps the parsed headers of keys it has seen (a client repeats its own)."""

    def __init__(  # noqa: PLR0913  whose proofs, for which URLs, with which nonces
        self,
        base_url: str,
        clock: Clock,
        nonce_key: MacKey,
        *,
        nonce_required: bool = False,
        other_url: str = "",
        live_nonce_keys: Sequence[MacKey] = (),
    ) -> None:
        """`base_url` is the configured one, without a path of its own or a trailing slash.

        `live_nonce_keys` are those whose nonces are taken beside those of `nonce_key`, which makes them.
        `other_url` is the one for mutual TLS when that is another (RFC 8705 §5): a proof may be for either.
        """
        self._base = base_url
        self._bases = (base_url, other_url) if other_url else (base_url,)
        self._clock = clock
        self._nonce_key = nonce_key
        self._nonce_keys = (nonce_key, *(key for key in live_nonce_keys if key is not nonce_key))
        self.nonce_required = nonce_required
        self._keys: dict[str, PublicKey] = {}
        self._headers: dict[str, Mapping[str, Any]] = {}

    def check(self, proofs: list[str], method: str, path: str, ath: str | None) -> Proof:  # noqa: C901  the list of RFC 9449
        """The proof of a call; `ath` is base64url(SHA-256(access token)), None at the token endpoint.

        Raises Refused (INVALID_DPOP_PROOF, USE_DPOP_NONCE).
        """
        if len(proofs) != 1:
            raise _refuse("exactly one DPoP header is needed")
        try:
            jws, segment = take_apart(proofs[0], self._headers)
            key = self._keys.get(segment) or self._parse_key(jws.header, segment)
            jws.verify(key)
            claims = _decode(jws.payload)
            require_all_once(jws.payload)
        except JoseFault as fault:
            raise _refuse(str(fault)) from fault
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
            raise _refuse("jti, htm, htu (text) and iat (number) are needed") from fault
        if not claims.jti or len(claims.jti) > 256:  # noqa: PLR2004  what is kept against replay is a hash; a bound all the same
            raise _refuse("jti must have 1 to 256 characters")
        if claims.htm != method:
            raise _refuse("htm is not the method of this call")
        if claims.htu != self._base + path and not self._same_url(claims.htu, path):
            raise _refuse("htu is not the URL of this call")
        now = self._clock.now()
        issued = claims.iat * SECOND  # may be infinite: a whole number only once it is near
        if not now - SKEW <= issued <= now + SKEW:
            raise _refuse("iat is more than 60 seconds from the gateway's time")
        if (claims.exp is not None and claims.exp * SECOND < now - SKEW) or (
            claims.nbf is not None and claims.nbf * SECOND > now + SKEW
        ):
            raise _refuse("the proof is outside its own nbf and exp")
        if ath is not None and claims.ath != ath:
            raise _refuse("ath is not the hash of the access token")
        if self.nonce_required or claims.nonce is not None:
            self._check_nonce(claims.nonce, now)
        return Proof(key.thumbprint, proof_id(key.thumbprint, claims.jti, int(issued) + 2 * SKEW, "dpop"))

    def _parse_key(self, header: Mapping[str, Any], segment: str) -> PublicKey:
        if header.get("typ") != "dpop+jwt":
            msg = "typ must be dpop+jwt"
            raise JoseFault(msg)
        jwk = header.get("jwk")
        if not isinstance(jwk, dict):
            msg = "the header needs the public key in jwk"
            raise JoseFault(msg)
        key = parse_key(jwk)
        if len(self._keys) >= _CACHE:
            self._keys.clear()
            self._headers.clear()
        self._keys[segment], self._headers[segment] = key, header
        return key

    def _same_url(self, htu: str, path: str) -> bool:
        """RFC 9449 §4.3 item 9: without query and fragment, after syntax- and scheme-based normalisation (RFC 3986 §6.2)."""
        try:
            return bool(_uri(htu)) and _normal(htu) in [_normal(base + path) for base in self._bases]
        except ValueError:
            return False

    def nonce(self) -> str:
        """A fresh nonce: the minute it was made in, and a MAC over it; no state, valid on every node."""
        return _nonce_at(self._clock.now() // SECOND, self._nonce_key)

    def _check_nonce(self, nonce: str | None, now: int) -> None:
        if nonce:
            try:
                second = int.from_bytes(b64u_decode(nonce)[:5], "big")
            except (ValueError, UnicodeError):
                second = -1
            age = now // SECOND - second
            if second >= 0 and -1 <= age <= NONCE_LIFE:
                for key in self._nonce_keys:
                    if nonce == _nonce_at(second, key):
                        return
        raise Refused(Cause.USE_DPOP_NONCE)


def _nonce_at(second: int, key: MacKey) -> str:
    moment = second.to_bytes(5, "big")
    return b64u(moment + key.mac(b"dpop nonce" + moment)[:16])
