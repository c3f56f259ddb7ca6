"""Is this JWS well formed, and signed by this key? RFC 7515, with the algorithms of FAPI 2.0 §5.4.1 and no others.

joserfc imports keys; cryptography verifies. What is parsed once per key is kept, for a proof comes with every call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from gateway.errors import GatewayError
from gateway.keyring.keys import b64u_decode
from gateway.strict import require_once

ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")
RSA_BITS = 2048
Native = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
_P256 = 32
_SHA256 = hashes.SHA256()
_ES256 = ec.ECDSA(_SHA256)
_PSS = padding.PSS(padding.MGF1(_SHA256), padding.PSS.DIGEST_LENGTH)
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MAX = 16_384  # bytes of a JWS that anyone may send


class JoseFault(GatewayError):
    """The JWS or JWK is not acceptable; the text says why and may be shown to whoever sent it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A client's public key: cryptography's key, the algorithms it may be used with, and its RFC 7638 thumbprint."""

    kid: str
    algorithms: tuple[str, ...]
    thumbprint: str
    key: Native = field(repr=False, compare=False)

    def verify(self, signature: bytes, signed: bytes) -> None:
        """Raises JoseFault unless this key made the signature (RFC 7518 §3.4 and §3.5, RFC 8037 §3.1)."""
        try:
            if isinstance(self.key, ec.EllipticCurvePublicKey):
                if len(signature) != 2 * _P256:
                    raise InvalidSignature  # noqa: TRY301  a signature of another form is no signature
                r, s = int.from_bytes(signature[:_P256], "big"), int.from_bytes(signature[_P256:], "big")
                self.key.verify(utils.encode_dss_signature(r, s), signed, _ES256)
            elif isinstance(self.key, rsa.RSAPublicKey):
                self.key.verify(signature, signed, _PSS, _SHA256)
            else:
                self.key.verify(signature, signed)
        except InvalidSignature as fault:
            msg = "the signature does not verify"
            raise JoseFault(msg) from fault


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
        key.verify(self.signature, self.signed)


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
    return PublicKey(str(jwk.get("kid") or thumbprint), algorithms, thumbprint, native)


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def parse_header(segment: str) -> Mapping[str, Any]:
    """The JOSE header of its base64url segment. Raises JoseFault; `crit`, `jku`, `x5u` are refused (FAPI 2.0 §5.4.2)."""
    try:
        octets = b64u_decode(segment)
        header = _decode_object(octets)
        require_once(octets, header)
    except (ValueError, msgspec.MsgspecError, RecursionError) as fault:
        msg = "not a JWS: the header is not base64url JSON"
        raise JoseFault(msg) from fault
    if header.get("alg") not in ALGORITHMS:
        msg = f"alg must be one of {', '.join(ALGORITHMS)}"
        raise JoseFault(msg)
    for member in ("typ", "kid"):
        if not isinstance(header.get(member, ""), str):
            msg = f"the header member {member} must be text"
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
