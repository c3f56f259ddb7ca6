"""Whose certificates do the tests hold? Made by hand, right or wrong; good for a hundred years unless told otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

BEGINS, ENDS = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
DN = "CN=core,O=Bank,C=ID"


class Issued:
    """A certificate with its key; `by` None is self-signed, `alt` are its subject alternative names."""

    def __init__(  # noqa: PLR0913  whatever can be wrong with a certificate
        self,
        dn: str = DN,
        by: Issued | None = None,
        *,
        ca: bool | None = False,
        alt: list[x509.GeneralName] | None = None,
        usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
        key: Any = None,
        begins: datetime = BEGINS,
        ends: datetime = ENDS,
        serial: int = 7,
        more: list[x509.ExtensionType] | None = None,
    ) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name.from_rfc4514_string(dn)
        signer = self if by is None else by
        builder = x509.CertificateBuilder(signer.subject, self.subject, self.key.public_key(), serial, begins, ends)
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
        if alt is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName(alt), critical=False)
        if usage is not None and not ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        for extension in more or []:
            builder = builder.add_extension(extension, critical=False)
        algorithm = None if isinstance(signer.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        self.certificate = builder.sign(signer.key, algorithm)
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """Its private key."""
        form = serialization.PrivateFormat.PKCS8
        return bytes(self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
