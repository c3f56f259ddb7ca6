"""How does TLS end in the gateway itself? The listener's context after FAPI 2.0 §5.2.2, and certificates for the application.

A client's certificate is asked for and never demanded. What OpenSSL lets through is whoever holds the key of a certificate
that an authority of `tls.client_ca` issued, or that a client has registered; whose it is, `oauth/mtls.py` decides.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection
from typing import Any

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app import authorities_of
from gateway.cli.connection import WholeProtocol
from gateway.config import Settings
from gateway.errors import Misconfigured

# RFC 9325 §4.2: what remains of TLS 1.2 for FAPI 2.0. The suites of TLS 1.3 are those of OpenSSL, all of them AEADs.
SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
_log = structlog.get_logger("gateway.tls")


class Listener:
    """The TLS side of one worker: its context, and the self-signed certificates that it trusts by now."""

    def __init__(self, settings: Settings) -> None:
        """Raises Misconfigured with every fault; `settings` name a certificate and its key."""
        faults: list[str] = []
        self.context = _context()
        try:
            self.context.load_cert_chain(str(settings.tls_certificate), str(settings.tls_key))
        except (OSError, ValueError) as fault:  # ssl.SSLError is an OSError
            faults.append(
                f"tls: {settings.tls_certificate} and {settings.tls_key} are no certificate and its key, in PEM: {fault}"
            )
        try:
            self._authorities = authorities_of(settings).certificates
        except Misconfigured as fault:
            faults += fault.faults
        if faults:
            raise Misconfigured(faults)
        for one in self._authorities:
            self.context.load_verify_locations(cadata=one.public_bytes(Encoding.DER))
        self._subjects = {one.subject for one in self._authorities}
        self._known: set[bytes] = set()

    def trust(self, certificates: Collection[bytes]) -> None:
        """Let handshakes with these self-signed certificates (DER) succeed from now on.

        OpenSSL ends every handshake whose certificate leads to nothing that it trusts, so a registered one is made an anchor
        of its own. That widens nothing: what such a certificate may have issued is nobody's certificate to `oauth/mtls.py`,
        and one that has been taken from its client is refused there, though the handshake succeeds until the next start.
        """
        for der in certificates:
            if der in self._known:
                continue
            self._known.add(der)
            try:
                # One that goes by an authority's name would stand in the way of the certificates that this one issued.
                if x509.load_der_x509_certificate(der).subject not in self._subjects:
                    self.context.load_verify_locations(cadata=der)
                    continue
                reason = "its subject is that of an authority of tls.client_ca"
            except (ValueError, ssl.SSLError) as fault:
                reason = str(fault)
            _log.warning("a registered certificate is not trusted by the listener", reason=reason)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(SUITES))
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # A resumed session would carry a certificate over that was checked up to two hours ago.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    # What is listed is trusted itself, be it an issuing authority below a root or a client's own certificate.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


class CertificateProtocol(WholeProtocol):
    """HTTP over TLS that tells the application of the client's certificate: ASGI's TLS extension."""

    _extensions: dict[str, Any]

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  uvicorn's own narrower type is not asyncio's
        """Read the certificate once for all calls of this connection."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        self._extensions = {
            "tls": {
                "server_cert": None,
                "client_cert_chain": [ssl.DER_cert_to_PEM_cert(der)] if der else [],
                "client_cert_name": None,
                "client_cert_error": None,
                "tls_version": _VERSIONS.get(tls.version()) if tls is not None else None,
                "cipher_suite": None,
            }
        }

    def on_message_begin(self) -> None:
        """Begin a call."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions


_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
