"""What is the key or certificate that somebody has pasted? Read back before it is proposed: kind, kid, algorithm, its end."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.administration.requests.partners import NewKey
from gateway.console.frame.forms import Wrong
from gateway.console.frame.words import Words
from gateway.keyring.keys import b64u
from gateway.oauth.jose import JoseFault, parse_key
from gateway.strict import read_strictly

_PEM = "-----BEGIN "
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})


def body(given: Mapping[str, Sequence[str]], _: Any) -> NewKey:  # noqa: ANN401  no document
    """The body of `propose_key`. Raises Wrong, naming what is wrong with what was pasted."""
    text, more = _one(given, "key"), {}
    for name in ("client_id", "expires"):
        if held := _one(given, name):
            more[name] = held
    pasted = {"certificate": text} if text.startswith(_PEM) else {"jwk": _jwk(text)}
    _examine(text)
    try:
        return msgspec.convert({**pasted, **more}, NewKey)
    except msgspec.ValidationError as fault:
        named = next((name for name in more if f"$.{name}" in str(fault)), "key")
        raise Wrong({named: "error.format"}) from fault


def understood(given: Mapping[str, Sequence[str]], words: Words) -> list[tuple[str, object]]:
    """What was understood of it: (key of the heading, text)."""
    text = _one(given, "key")
    rows = _of_certificate(_certificate(text), words) if text.startswith(_PEM) else _of_jwk(_jwk(text))
    client, expires = _one(given, "client_id"), _one(given, "expires")
    rows.append(("key.client", client or words("key.client.only")))
    if expires:
        rows.append(("key.expires", words.day(expires)))
    elif not text.startswith(_PEM):
        rows.append(("key.expires", words("key.expires.year")))
    return rows


def described(jwk: Mapping[str, Any], words: Words) -> list[tuple[str, object]]:
    """What a key is that was proposed already, as `understood` tells it."""
    certificates = jwk.get("x5c")
    if not certificates:
        return _of_jwk(dict(jwk))
    return _of_certificate(x509.load_der_x509_certificate(base64.b64decode(certificates[0])), words)


def _of_jwk(jwk: dict[str, Any]) -> list[tuple[str, object]]:
    key = parse_key(jwk)
    return [
        ("key.kind", _kind(key.key)),
        ("key.kid", key.kid),
        ("key.algorithm", ", ".join(key.algorithms)),
        ("key.thumbprint", key.thumbprint),
    ]


def _of_certificate(certificate: x509.Certificate, words: Words) -> list[tuple[str, object]]:
    return [
        ("key.kind", words("key.certificate", kind=_kind(certificate.public_key()))),
        ("key.subject", certificate.subject.rfc4514_string() or "-"),
        ("key.issuer", certificate.issuer.rfc4514_string() or "-"),
        ("key.serial", f"{certificate.serial_number:x}"),
        ("key.from", words.moment(certificate.not_valid_before_utc.isoformat())),
        ("key.until", words.moment(certificate.not_valid_after_utc.isoformat())),
        ("key.certificate_thumbprint", b64u(sha256(certificate.public_bytes(Encoding.DER)).digest())),
    ]


def _kind(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA, {key.key_size} bit"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC, {key.curve.name}"
    return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__


def _examine(text: str) -> None:
    """Raises Wrong unless the gateway would take it."""
    if not text.startswith(_PEM):
        jwk = _jwk(text)
        if _PRIVATE & jwk.keys():
            raise Wrong({"key": "error.key.private"})
        try:
            parse_key(jwk)
        except (JoseFault, ValueError, TypeError) as fault:
            raise Wrong({"key": "error.key.kind"}) from fault
        return
    if "PRIVATE KEY" in text:
        raise Wrong({"key": "error.key.private"})
    key = _certificate(text).public_key()
    strong = isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048  # noqa: PLR2004  bits
    curve = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    if not (strong or curve or isinstance(key, ed25519.Ed25519PublicKey)):
        raise Wrong({"key": "error.key.kind"})


def _certificate(text: str) -> x509.Certificate:
    if not text.startswith(_CERTIFICATE):
        raise Wrong({"key": "error.key.pem"})
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError as fault:
        raise Wrong({"key": "error.key.pem"}) from fault


def _jwk(text: str) -> dict[str, Any]:
    if not text:
        raise Wrong({"key": "error.required"})
    try:
        found = read_strictly(text)
    except (ValueError, RecursionError) as fault:
        raise Wrong({"key": "error.key.neither"}) from fault
    keys = found.get("keys") if isinstance(found, dict) else None
    if isinstance(keys, list):
        if len(keys) != 1:
            raise Wrong({"key": "error.key.one"})
        found = keys[0]
    if not isinstance(found, dict) or "kty" not in found:
        raise Wrong({"key": "error.key.neither"})
    return found


def _one(given: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(given.get(name, ())), "").strip()
