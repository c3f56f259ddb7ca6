"""Whose is this TLS client certificate? Mutual-TLS client authentication and certificate-bound tokens: RFC 8705 §2 and §3.

That the sender holds the certificate's key was proven in the TLS handshake; what it is worth is decided here, from the
certificate alone, so that it makes no difference whether TLS ended in the gateway or in a proxy in front.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    ClientVerifier,
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from gateway.errors import GatewayError
from gateway.keyring.keys import b64u

TLS = "tls_client_auth"
SELF_SIGNED = "self_signed_tls_client_auth"
METHODS = (TLS, SELF_SIGNED)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 16_384  # bytes of a certificate that anyone may send
# What cryptography raises for certificates that are none, or whose extensions are at odds with RFC 5280.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    CryptographyDeprecationWarning,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)


class CertificateFault(GatewayError):
    """The certificate does not do; the text says why and may be shown to whoever sent it."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate whose key the sender has proven to hold: its DER, and SHA-256 of that (`x5t#S256`)."""

    der: bytes
    thumbprint: str


@lru_cache(maxsize=4096)
def certificate(der: bytes) -> Certificate:
    """The certificate in these bytes, not yet looked into. Raises CertificateFault."""
    if not der or len(der) > _MOST:
        msg = "a client certificate has 1 to 16384 bytes"
        raise CertificateFault(msg)
    return Certificate(der, b64u(sha256(der).digest()))


@dataclass(frozen=True, slots=True)
class CertificateName:
    """How the certificate of a `tls_client_auth` client is known: one of the five members of RFC 8705 §2.1.2."""

    member: str
    value: str


def parse_name(member: str, value: str) -> CertificateName:
    """The name when it can name a certificate at all. Raises CertificateFault."""
    try:
        _SUBJECTS[member].read(value)
    except (KeyError, ValueError) as fault:
        msg = f"{member} = {value!r} names no certificate (RFC 8705 §2.1.2)"
        raise CertificateFault(msg) from fault
    return CertificateName(member, value)


def registered_certificate(jwk: Mapping[str, Any]) -> bytes | None:
    """The DER of the certificate that a registered JWK holds (RFC 7517 §4.7), None without one. Raises CertificateFault."""
    chain = jwk.get("x5c")
    if chain is None:
        return None
    try:
        return base64.b64decode(chain[0], validate=True)
    except (TypeError, IndexError, KeyError, binascii.Error, ValueError) as fault:
        msg = "x5c holds no certificate"
        raise CertificateFault(msg) from fault


class Authorities:
    """Those that vouch for the certificates of `tls_client_auth` clients; with none of them no certificate is believed."""

    def __init__(self, pem: Sequence[bytes]) -> None:
        """`pem`: files of one or more certificates. Issuing authorities are listed themselves. Raises CertificateFault."""
        self.certificates: tuple[x509.Certificate, ...] = tuple(one for text in pem for one in _authorities_in(text))

    def check(self, leaf: x509.Certificate, now: int) -> None:
        """Raises CertificateFault unless one of them issued `leaf`, for clients, and it is valid at `now`."""
        if not self.certificates:
            msg = "this gateway knows no certificate authority"
            raise CertificateFault(msg)
        try:
            self._verifier(now).verify(leaf, [])
        except (VerificationError, *_UNREADABLE) as fault:
            msg = "the certificate is not of an authority known here, has expired, or is not for clients"
            raise CertificateFault(msg) from fault

    def _verifier(self, now: int) -> ClientVerifier:
        issuer = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
        client = ExtensionPolicy.permit_all().may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _for_clients)
        builder = PolicyBuilder().store(Store(list(self.certificates))).time(_instant(now))
        return builder.extension_policies(ca_policy=issuer, ee_policy=client).build_client_verifier()


def authenticate(  # noqa: PLR0913  everything that it hangs on
    presented: Certificate,
    method: str,
    name: CertificateName | None,
    own: Collection[str],
    authorities: Authorities,
    now: int,
) -> None:
    """Raises CertificateFault unless `presented` is the certificate of a client (RFC 8705 §2.1 and §2.2).

    `method` and `name` are the client's; `own` are the thumbprints of its registered self-signed certificates. `now` is
    an instant in microseconds.
    """
    if method == SELF_SIGNED:
        if presented.thumbprint not in own:
            msg = "the client has not registered this certificate"
            raise CertificateFault(msg)
        _check_term(parse(presented), now)
    elif method == TLS and name is not None:
        leaf = parse(presented)
        authorities.check(leaf, now)
        _check_name(leaf, name)
    else:
        msg = "the client does not authenticate by a certificate"
        raise CertificateFault(msg)


@lru_cache(maxsize=1024)
def parse(presented: Certificate) -> x509.Certificate:
    """The certificate, read. Raises CertificateFault."""
    try:
        return x509.load_der_x509_certificate(presented.der)
    except _UNREADABLE as fault:
        msg = "the certificate cannot be read"
        raise CertificateFault(msg) from fault


def _check_term(leaf: x509.Certificate, now: int) -> None:
    if not leaf.not_valid_before_utc <= _instant(now) <= leaf.not_valid_after_utc:
        msg = "the certificate has expired, or is not valid yet"
        raise CertificateFault(msg)


def _check_name(leaf: x509.Certificate, name: CertificateName) -> None:
    """Nothing is a pattern, in the certificate or in the registration: a name is equal or it is another's."""
    try:
        known = _SUBJECTS[name.member]
        if known.read(name.value) in known.found(leaf):
            return
    except _UNREADABLE as fault:
        msg = "the certificate cannot be read"
        raise CertificateFault(msg) from fault
    msg = "the certificate names somebody else"
    raise CertificateFault(msg)


@dataclass(frozen=True, slots=True)
class _Subject:
    """One member of RFC 8705 §2.1.2: how its value is read, and which such values a certificate has."""

    read: Callable[[str], object]
    found: Callable[[x509.Certificate], Iterable[object]]


def _alternatives(kind: Any, read: Callable[[Any], object]) -> Callable[[x509.Certificate], Iterable[object]]:  # noqa: ANN401
    def found(leaf: x509.Certificate) -> list[object]:
        try:
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return []
        return [read(value) for value in names.get_values_for_type(kind)]

    return found


def _mailbox(text: str) -> str:
    """The domain of a mailbox is alike in any case, what stands before it is not (RFC 5321 §2.4)."""
    local, at, domain = text.rpartition("@")
    return f"{local}{at}{domain.lower()}"


_SUBJECTS: Mapping[str, _Subject] = {
    "tls_client_auth_subject_dn": _Subject(x509.Name.from_rfc4514_string, lambda leaf: [leaf.subject]),
    "tls_client_auth_san_dns": _Subject(str.lower, _alternatives(x509.DNSName, str.lower)),
    "tls_client_auth_san_uri": _Subject(str, _alternatives(x509.UniformResourceIdentifier, str)),
    "tls_client_auth_san_ip": _Subject(ip_address, _alternatives(x509.IPAddress, lambda value: value)),
    "tls_client_auth_san_email": _Subject(_mailbox, _alternatives(x509.RFC822Name, _mailbox)),
}


def _authorities_in(pem: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
        wrong = [one for one in found if not one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca]
    except (x509.ExtensionNotFound, *_UNREADABLE) as fault:
        msg = "no certificates of authorities in PEM can be read"
        raise CertificateFault(msg) from fault
    if wrong:
        msg = f"{wrong[0].subject.rfc4514_string()} is no authority: only authorities vouch for clients"
        raise CertificateFault(msg)
    return found


def _for_clients(policy: Policy, leaf: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:  # noqa: ARG001
    if usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        msg = "not for clients"
        raise ValueError(msg)


def _instant(now: int) -> datetime:
    return _EPOCH + timedelta(microseconds=now)
