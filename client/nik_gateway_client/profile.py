"""Who asks, with which key, and where? One `profile.toml`, read whole, with every fault listed at once."""

from __future__ import annotations

import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from cryptography import x509

_REQUIRED = ("base_url", "issuer", "client_id", "auth_method")
_OPTIONAL = (
    "key_file",
    "sender_constraint",
    "cert_file",
    "cert_key_file",
    "ca_file",
    "dpop_key_file",
    "scope",
    "resource",
    "signed_answers",
)
PRIVATE_KEY_JWT = "private_key_jwt"
TLS_METHODS = ("tls_client_auth", "self_signed_tls_client_auth")


class ProfileFault(Exception):
    """A profile or its key cannot be used; `faults` lists everything that is wrong and what to do about each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Profile:
    """One partner's way to one gateway.

    `base_url` is where the gateway is reached and `issuer` what it calls itself: metadata that names another issuer is
    refused. Proofs and signatures name its URLs by the issuer, wherever they are sent to (`address`). `resource` (default
    `<issuer>/v1`) is what the calls go to. `key_file` is a private JWK, for
    private_key_jwt; `dpop_key_file` another, without which every process makes its own. `cert_file` is the client's TLS
    certificate in PEM, with its key unless that is in `cert_key_file`; needed by the TLS methods and where tokens are bound
    to it (`sender_constraint` "mtls"). `ca_file` holds the only authorities that are trusted, in PEM; without one they
    are those that httpx ships. There is no way to switch certificate checks off. `signed_answers` is
    False only where the agreement says so: else an answer without the gateway's signature is none.
    """

    base_url: str
    issuer: str
    client_id: str
    key_file: Path | None
    auth_method: str = PRIVATE_KEY_JWT
    ca_file: Path | None = None
    dpop_key_file: Path | None = None
    scope: str = "nik.verify"
    resource: str = ""
    signed_answers: bool = True
    sender_constraint: str = "dpop"
    cert_file: Path | None = None
    cert_key_file: Path | None = None

    @classmethod
    def load(cls, path: Path | str) -> Profile:
        """Read a profile; the files it names are relative to it. Raises ProfileFault."""
        path = Path(path)
        try:
            content = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ProfileFault([f"{path}: cannot be read: {error.strerror}"]) from None
        except ValueError as error:
            raise ProfileFault([f"{path}: not TOML: {error}"]) from None
        faults = _faults(content)
        if faults:
            raise ProfileFault([f"{path}: {fault}" for fault in faults])
        base_url = content["base_url"].rstrip("/")

        def file(name: str) -> Path | None:
            return path.parent / content[name] if content.get(name) else None

        return cls(
            base_url=base_url,
            issuer=content["issuer"],
            client_id=content["client_id"],
            auth_method=content["auth_method"],
            key_file=file("key_file"),
            ca_file=file("ca_file"),
            dpop_key_file=file("dpop_key_file"),
            scope=content.get("scope", "nik.verify"),
            resource=content.get("resource") or f"{content['issuer'].rstrip('/')}/v1",
            signed_answers=content.get("signed_answers", True),
            sender_constraint=content.get("sender_constraint") or _constraint(content["auth_method"]),
            cert_file=file("cert_file"),
            cert_key_file=file("cert_key_file"),
        )

    @property
    def endpoint(self) -> str:
        """The URL that the paths of the calls are added to, without a slash at its end."""
        return (self.resource or f"{self.issuer}/v1").rstrip("/")

    def address(self, url: str) -> str:
        """Where one of the gateway's URLs is reached: at `base_url` instead of at the issuer's host."""
        public = self.issuer.rstrip("/")
        return self.base_url + url[len(public) :] if url.startswith(public + "/") else url

    @property
    def metadata_url(self) -> str:
        """Where RFC 8414 §3.1 puts the metadata: between the host and the path of `base_url`."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"

    def tls(self) -> ssl.SSLContext | bool:
        """What httpx takes for `verify`: certificates are always checked. Raises ProfileFault."""
        if self.ca_file is None and self.cert_file is None:
            return True
        try:
            context = httpx.create_ssl_context() if self.ca_file is None else _trusting(self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.cert_key_file, _no_passphrase)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            reason = getattr(error, "strerror", None) or error
        else:
            return context
        files = self.cert_key_file or self.cert_file
        raise ProfileFault(
            [f"cert_file {files}: no certificate and its key, without passphrase, can be read: {reason}"]
        )


def _trusting(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        reason = error.strerror or error
    raise ProfileFault([f"ca_file {ca_file}: no certificate authorities in PEM can be read: {reason}"])


def _no_passphrase() -> str:
    """OpenSSL would ask for one on the terminal."""
    msg = "it is protected by a passphrase"
    raise ValueError(msg)


def _constraint(method: object) -> str:
    """What tokens are bound to when a profile does not say."""
    return "mtls" if method in TLS_METHODS else "dpop"


def _faults(content: Mapping[str, object]) -> list[str]:
    faults = [f"{name} is missing" for name in _REQUIRED if not content.get(name)]
    for name, value in content.items():
        if name not in _REQUIRED + _OPTIONAL:
            faults.append(f"{name} is not a field of a profile")
        elif name == "signed_answers":
            if not isinstance(value, bool):
                faults.append("signed_answers must be true or false")
        elif not isinstance(value, str):
            faults.append(f"{name} must be text")
    faults += _credential_faults(content)
    for name in ("base_url", "issuer", "resource"):
        url = content.get(name)
        if isinstance(url, str) and url:
            faults += [f"{name} {fault}" for fault in url_faults(url)]
    return faults


def _credential_faults(content: Mapping[str, object]) -> list[str]:
    """What is wrong with how a profile says that its client proves itself."""
    faults = []
    method = content.get("auth_method")
    methods = (PRIVATE_KEY_JWT, *TLS_METHODS)
    if isinstance(method, str) and method not in ("", *methods):
        faults.append(f"auth_method {method!r} is not one that this client speaks: {', '.join(methods)}")
    if method == PRIVATE_KEY_JWT and not content.get("key_file"):
        faults.append("key_file is missing")
    constraint = content.get("sender_constraint") or _constraint(method)
    if constraint not in ("dpop", "mtls"):
        faults.append(f"sender_constraint {constraint!r} is neither dpop nor mtls")
    if (method in TLS_METHODS or constraint == "mtls") and not content.get("cert_file"):
        faults.append("cert_file is missing")
    return faults


def url_faults(url: str) -> list[str]:
    """What is wrong with a URL that secrets would be sent to; plain http is for this machine alone."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return [f"{url!r} is not a URL"]
    if parts.scheme not in ("http", "https") or not host:
        return [f"{url!r} is not an http or https URL"]
    faults = []
    if parts.scheme == "http" and not is_loopback(host):
        faults.append(f"{url!r} must be https")
    if parts.query or parts.fragment or parts.username is not None:
        faults.append(f"{url!r} must hold no query, fragment or credentials")
    return faults


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def subject_of(cert_file: Path) -> str:
    """Whose certificate the first one in a PEM file is, and until when. Raises ProfileFault."""
    try:
        found = x509.load_pem_x509_certificate(cert_file.read_bytes())
    except (OSError, ValueError):
        raise ProfileFault([f"cert_file {cert_file}: no certificate in PEM can be read"]) from None
    return f"{found.subject.rfc4514_string()}, until {found.not_valid_after_utc:%Y-%m-%d}"
