"""Is this JWS well formed, and signed by this key? RFC 7515, with the algorithms of FAPI 2.0 §5.4.1 and no others.

joserfc imports keys and computes; parsing and the cache of headers are here, for a proof comes with every call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry

from gateway.errors import GatewayError
from gateway.keyring.keys import b64u_decode

ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")
RSA_BITS = 2048
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MAX = 16_384  # bytes of a JWS that anyone may send


class JoseFault(GatewayError):
    """The JWS or JWK is not acceptable; the text says why and may be shown to whoever sent it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A client's public key: joserfc's key, the algorithms it may be used with, and its RFC 7638 thumbprint."""

    kid: str
    algorithms: tuple[str, ...]
    thumbprint: str
    key: Key = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Jws:
    """A compact JWS, taken apart; nothing of it is verified yet."""

    header: Mapping[str, Any]
    payload: bytes
    signed: bytes
    signature: bytes

    def verify(self, key: PublicKey) -> None:
        """Raises JoseFault unless `key` made the signature with an algorithm that this key may use."""
        algorithm = self.header.get("alg")
        if algorithm not in key.algorithms:
            msg = f"alg must be one of {', '.join(key.algorithms)} for this key"
            raise JoseFault(msg)
        if not JWSRegistry.algorithms[algorithm].verify(self.signed, self.signature, key.key):
            msg = "the signature does not verify"
            raise JoseFault(msg)


def parse_key(jwk: Mapping[str, Any]) -> PublicKey:
    """A public key from its JWK. Raises JoseFault on private, symmetric, short or unknown keys."""
    if _PRIVATE & jwk.keys():
        msg = "jwk must be a public key"
        raise JoseFault(msg)
    try:
        key: Any = JWKRegistry.import_key(
            {name: value for name, value in jwk.items() if name not in {"alg", "use", "key_ops"}}
        )
        native = key.public_key
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as fault:
        msg = "jwk is not a valid public key"
        raise JoseFault(msg) from fault
    algorithms: tuple[str, ...]
    if isinstance(native, ec.EllipticCurvePublicKey) and isinstance(native.curve, ec.SECP256R1):
        algorithms = ("ES256",)
    elif isinstance(native, ed25519.Ed25519PublicKey):
        algorithms = ("EdDSA", "Ed25519")
    elif isinstance(native, rsa.RSAPublicKey) and native.key_size >= RSA_BITS:
        algorithms = ("PS256",)
    else:
        msg = "jwk must be P-256, Ed25519, or RSA of at least 2048 bits"
        raise JoseFault(msg)
    declared = jwk.get("alg")
    if declared is not None and declared not in algorithms:
        msg = f"jwk's alg must be one of {', '.join(algorithms)}"
        raise JoseFault(msg)
    if jwk.get("use", "sig") != "sig":
        msg = "jwk's use must be sig"
        raise JoseFault(msg)
    thumbprint = key.thumbprint()
    return PublicKey(str(jwk.get("kid") or thumbprint), algorithms, thumbprint, key)


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def parse_header(segment: str) -> Mapping[str, Any]:
    """The JOSE header of its base64url segment. Raises JoseFault; `crit`, `jku`, `x5u` are refused (FAPI 2.0 §5.4.2)."""
    try:
        header = _decode_object(b64u_decode(segment))
    except (ValueError, msgspec.MsgspecError) as fault:
        msg = "not a JWS: the header is not base64url JSON"
        raise JoseFault(msg) from fault
    if header.get("alg") not in ALGORITHMS:
        msg = f"alg must be one of {', '.join(ALGORITHMS)}"
        raise JoseFault(msg)
    for member in ("crit", "jku", "x5u", "b64", "zip"):
        if member in header:
            msg = f"the header member {member} is not accepted"
            raise JoseFault(msg)
    return header


def take_apart(token: str, headers: Mapping[str, Mapping[str, Any]] | None = None) -> tuple[Jws, str]:
    """(JWS, header segment) of a compact token; `headers` holds headers that were parsed before. Raises JoseFault."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _MAX:  # noqa: PLR2004  header, payload, signature
        msg = "not a JWS: three parts are needed"
        raise JoseFault(msg)
    segment, payload, signature = parts
    header = headers.get(segment) if headers else None
    if header is None:
        header = parse_header(segment)
    try:
        return Jws(header, b64u_decode(payload), token[: -len(signature) - 1].encode(), b64u_decode(signature)), segment
    except (ValueError, UnicodeError) as fault:
        msg = "not a JWS: a part is not base64url"
        raise JoseFault(msg) from fault
