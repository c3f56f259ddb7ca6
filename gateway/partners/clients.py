"""With which credentials does a partner come, as its agreement registers them?

Client metadata of RFC 7591, RFC 8705 and RFC 7517: public keys only, for ES256, PS256 and Ed25519 (FAPI 2.0 §5.4.1).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gateway.partners.table import FieldReader

PRIVATE_KEY_JWT = "private_key_jwt"
TLS = "tls_client_auth"
SELF_SIGNED_TLS = "self_signed_tls_client_auth"
AUTH_METHODS = frozenset({PRIVATE_KEY_JWT, TLS, SELF_SIGNED_TLS})

TLS_NAMES = (
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
)
"""RFC 8705 §2.1.2: exactly one of them names the certificate of a `tls_client_auth` client."""

_ALGORITHMS = {"EC": ("ES256",), "RSA": ("PS256",), "OKP": ("EdDSA", "Ed25519")}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_FETCHED = frozenset({"x5u", "jku"})
_P256 = 32
_RSA_LEAST = 2048
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_CLIENT_ID = r"[A-Za-z0-9._-]{1,64}"


@dataclass(frozen=True, slots=True)
class ClientRegistration:
    """One OAuth client of a partner.

    `keys` are public JWKs with a `kid` each; `tls` is empty or holds one of `TLS_NAMES` and its value.
    `sender_constraint` is how its tokens are bound: `dpop` or `mtls`.
    """

    client_id: str
    partner: str
    auth_method: str
    sender_constraint: str
    keys: tuple[Mapping[str, object], ...] = ()
    tls: tuple[str, str] | None = None


def read_client(table: FieldReader, partner: str) -> ClientRegistration:
    """The client in an `[[agreement.client]]` table; what is wrong goes to the table's faults."""
    client_id = table.text("client_id", "the OAuth client", None, _CLIENT_ID, "1 to 64 of A-Z a-z 0-9 . _ -")
    method = table.choice("auth_method", AUTH_METHODS, "how it authenticates")
    binding = table.choice("sender_constraint", {"dpop", "mtls"}, "", "dpop" if method == PRIVATE_KEY_JWT else "mtls")
    keys = _read_keys(table, method)
    tls = _read_tls_name(table, method)
    table.close()
    return ClientRegistration(client_id, partner, method, binding, keys, tls)


def _read_tls_name(table: FieldReader, method: str) -> tuple[str, str] | None:
    named = [(key, table.text(key)) for key in TLS_NAMES if table.has(key)]
    if method == TLS and len(named) != 1:
        table.faults.add(table.path("tls_client_auth_…"), f"exactly one of {', '.join(TLS_NAMES)} is needed")
    for key, value in named:
        if fault := _fault_of_name(key, value):
            table.faults.add(table.path(key), fault)
    if method != TLS and named:
        table.faults.add(table.path(named[0][0]), f"belongs to {TLS} alone")
    return named[0] if named else None


def _read_keys(table: FieldReader, method: str) -> tuple[Mapping[str, object], ...]:
    if method == TLS:
        return ()
    keys = []
    for entry in table.tables("keys", "public keys as JWKs"):
        jwk = {name: entry.raw(name) for name in entry.keys()}  # noqa: SIM118  a FieldReader is no mapping
        if fault := _fault_of(jwk):
            entry.faults.add(entry.here, fault)
        elif method == SELF_SIGNED_TLS and not jwk.get("x5c"):
            entry.faults.add(entry.path("x5c"), f"missing — {SELF_SIGNED_TLS} compares the certificate")
        elif "x5c" in jwk and (fault := _fault_of_certificate(jwk)):
            entry.faults.add(entry.path("x5c"), fault)
        keys.append(jwk)
    kids = [jwk.get("kid") for jwk in keys]
    if any(kids.count(kid) > 1 for kid in kids):
        table.faults.add(table.path("keys"), "two keys have the same kid")
    return tuple(keys)


def _fault_of(jwk: Mapping[str, object]) -> str:
    """What is wrong with a public key in words, empty when nothing is."""
    kind, kid, alg = (jwk.get(member) for member in ("kty", "kid", "alg"))
    algorithms = _ALGORITHMS.get(kind, ()) if isinstance(kind, str) else ()
    faults = (
        (not _PRIVATE.isdisjoint(jwk), "holds a private key: replace it, for it has been shown"),
        (not _FETCHED.isdisjoint(jwk), "x5u and jku are never followed"),
        (not isinstance(kid, str) or not kid, "has no kid"),
        (not algorithms, "kty must be EC (P-256), RSA (2048 bits or more) or OKP (Ed25519)"),
        (alg is not None and alg not in algorithms, f"alg must be {' or '.join(algorithms)}"),
        (jwk.get("use", "sig") != "sig", "use must be sig"),
    )
    for wrong, what in faults:
        if wrong:
            return what
    try:
        return _fault_of_material(kind, jwk)
    except (ValueError, binascii.Error):
        return "is no valid public key"


def _fault_of_material(kind: object, jwk: Mapping[str, object]) -> str:
    if kind == "EC":
        x, y = _octets(jwk, "x"), _octets(jwk, "y")
        if jwk.get("crv") != "P-256" or len(x) != _P256 or len(y) != _P256:
            return "an EC key must be on P-256"
        # Raises ValueError for a point that is not on the curve.
        ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()).public_key()
    elif kind == "OKP":
        if jwk.get("crv") != "Ed25519" or len(_octets(jwk, "x")) != _P256:
            return "an OKP key must be Ed25519"
    else:
        exponent = int.from_bytes(_octets(jwk, "e"))
        if int.from_bytes(_octets(jwk, "n")).bit_length() < _RSA_LEAST or exponent < 3 or exponent % 2 == 0:  # noqa: PLR2004
            return "an RSA key needs 2048 bits or more and an odd exponent"
    return ""


def _fault_of_name(member: str, value: str) -> str:
    """Why no certificate could ever be known by this name, empty when one could."""
    if not value:
        return ""  # said already: it is missing
    try:
        if member == "tls_client_auth_subject_dn":
            x509.Name.from_rfc4514_string(value)
        elif member == "tls_client_auth_san_ip":
            ip_address(value)
    except ValueError:
        return (
            "is no address"
            if member.endswith("ip")
            else "is no distinguished name as RFC 4514 writes it: CN=…,O=…,C=ID"
        )
    return ""


def _fault_of_certificate(jwk: Mapping[str, object]) -> str:
    """RFC 7517 §4.7: the first certificate of the chain is that of the key; empty when it is."""
    chain = jwk["x5c"]
    first = chain[0] if isinstance(chain, list) and chain else None
    try:
        der = base64.b64decode(first, validate=True) if isinstance(first, str) else b""
        members = _members_of(x509.load_der_x509_certificate(der).public_key())
    except (ValueError, UnsupportedAlgorithm):
        return "holds no certificate (DER in base64)"
    same = members and members.keys() <= jwk.keys() and all(_octets(jwk, name) == members[name] for name in members)
    return "" if same else "its certificate is that of another key"


def _members_of(key: object) -> dict[str, bytes]:
    """The members of a JWK (RFC 7518 §6, RFC 8037 §2) that tell this key; empty for a kind that serves no client."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"x": key.public_bytes_raw()}
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        point = key.public_numbers()
        return {"x": point.x.to_bytes(_P256), "y": point.y.to_bytes(_P256)}
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {name: one.to_bytes(-(-one.bit_length() // 8)) for name, one in (("n", numbers.n), ("e", numbers.e))}
    return {}


def _octets(jwk: Mapping[str, object], member: str) -> bytes:
    """A base64url member as bytes. Raises ValueError when it is none."""
    value = jwk.get(member)
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value):
        raise ValueError(member)
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
