"""With which TLS client certificate does a call come? The one function that knows where it is to be found.

Either TLS ends here: then the server puts it into the scope, as ASGI's TLS extension has it. Or it ends in a listed proxy:
then that says it in `Client-Cert` (RFC 9440). Nobody else's header is believed, it is as if it were not there.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from litestar.types import Scope

from gateway.errors import Cause, Refused
from gateway.oauth.mtls import Certificate, CertificateFault, certificate
from gateway.web.http.exchange import peer
from gateway.web.http.headers import Headers, is_listed

_bytes = re.compile(r"[ ]*:([A-Za-z0-9+/]*={0,2}):[ ]*\Z").match  # a byte sequence of RFC 9651 §3.3.5
_MEMBER = "Client-Cert"


def certificate_of(scope: Scope, headers: Headers, proxies: Sequence[IPv4Network | IPv6Network]) -> Certificate | None:
    """The certificate whose key the caller has proven to hold, None when it came without one.

    Raises Refused(MALFORMED_REQUEST) when a listed proxy says something else than one certificate.
    """
    extensions: Any = scope.get("extensions")
    chain = extensions["tls"]["client_cert_chain"] if extensions and "tls" in extensions else ()
    if not chain and not headers.client_cert:
        return None
    if proxies and is_listed(peer(scope), proxies):
        # A proxy's own certificate tells who the proxy is, never who called it.
        return _from_proxy(headers.client_cert)
    return _from_pem(chain[0]) if chain else None


def _from_proxy(values: list[str]) -> Certificate | None:
    if not values:
        return None
    if len(values) > 1:
        raise Refused(Cause.MALFORMED_REQUEST, members=[_MEMBER])
    return _from_header(values[0])


@lru_cache(maxsize=4096)
def _from_header(value: str) -> Certificate:
    found = _bytes(value)
    try:
        return certificate(base64.b64decode(found.group(1), validate=True) if found else b"")
    except (binascii.Error, CertificateFault) as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=[_MEMBER]) from fault


@lru_cache(maxsize=4096)
def _from_pem(pem: str) -> Certificate:
    return certificate(ssl.PEM_cert_to_DER_cert(pem))
