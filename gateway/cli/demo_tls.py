"""Which certificates does a demonstration with TLS have? An authority of its own, the server's, and those of partners.

Made with `cryptography`, for 127.0.0.1 and localhost, into the demonstration's directory; what is there is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import import_key

from gateway.clock import SECOND, Clock
from gateway.oauth.mtls import SELF_SIGNED, TLS

DAYS = 3_650
HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Way:
    """How one partner comes to the gateway: how it authenticates, and what its tokens are bound to."""

    auth_method: str = "private_key_jwt"
    sender_constraint: str = "dpop"


PLAIN = Way()
WAYS: Mapping[str, Way] = {
    "bank": Way(TLS, "mtls"),
    "tax": Way(SELF_SIGNED, "mtls"),
    "small": Way("private_key_jwt", "mtls"),
}
"""Who comes with a certificate when the demonstration has TLS; between them and `bpjs` they show every combination."""


class DemoAuthority:
    """The demonstration's certificate authority, in a folder of its own."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.ca_file = folder / "ca.pem"
        self.certificate_file = folder / "server.pem"
        self.key_file = folder / "server.key"
        self._now = datetime.fromtimestamp(clock.now() // SECOND, UTC)
        folder.mkdir(parents=True, exist_ok=True)
        key_file = folder / "ca.key"
        if not self.ca_file.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = _name("NIK gateway demo authority", "Demo")
            _write(key_file, _pem_of_key(key))
            self.ca_file.write_bytes(_pem(self._made(name, key.public_key(), name, key, None, ())))
        self._certificate = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
        self._key: Any = serialization.load_pem_private_key(key_file.read_bytes(), None)

    def make_server(self, host: str) -> None:
        """The server's certificate, for this machine and the address that it listens on."""
        if self.certificate_file.exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        names = tuple(dict.fromkeys((*HOSTS, host)))
        made = self._issued(_name("localhost", "Demo"), key.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, names)
        _write(self.key_file, _pem_of_key(key))
        self.certificate_file.write_bytes(_pem(made))

    def make_client(self, folder: Path, client_id: str, name: str, *, self_signed: bool) -> x509.Certificate:
        """A client's certificate over the key in `folder/key.jwk`; `folder/cert.pem` holds it, and that key in PEM."""
        path = folder / "cert.pem"
        if not path.exists():
            jwk = json.loads((folder / "key.jwk").read_text())
            key: Any = import_key({member: jwk[member] for member in jwk.keys() - {"alg", "use"}}).private_key
            subject, usage = _name(client_id, name), ExtendedKeyUsageOID.CLIENT_AUTH
            made = (
                self._made(subject, key.public_key(), subject, key, usage, ())
                if self_signed
                else self._issued(subject, key.public_key(), usage, ())
            )
            _write(path, _pem(made) + _pem_of_key(key))
        return x509.load_pem_x509_certificate(path.read_bytes())

    def _issued(
        self,
        subject: x509.Name,
        public: Any,  # noqa: ANN401  one of three kinds of key
        usage: x509.ObjectIdentifier,
        names: tuple[str, ...],
    ) -> x509.Certificate:
        return self._made(subject, public, self._certificate.subject, self._key, usage, names)

    def _made(  # noqa: PLR0913  what a certificate says
        self,
        subject: x509.Name,
        public: Any,  # noqa: ANN401  one of three kinds of key
        issuer: x509.Name,
        key: Any,  # noqa: ANN401
        usage: x509.ObjectIdentifier | None,
        names: tuple[str, ...],
    ) -> x509.Certificate:
        """A certificate for one usage, or that of an authority (`usage` None)."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(days=1))
            .not_valid_after(self._now + timedelta(days=DAYS))
            .add_extension(x509.BasicConstraints(ca=usage is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        if usage is None:
            builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
        else:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
            )
        return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _name(common: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ID"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


def _pem_of_key(key: Any) -> bytes:  # noqa: ANN401
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _write(path: Path, content: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(content)
