"""Who asks, with which key, and where? One `profile.toml`, read whole, with every fault listed at once."""

from __future__ import annotations

import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from gateway.errors import Misconfigured

_REQUIRED = ("base_url", "issuer", "client_id", "auth_method", "key_file")
_OPTIONAL = ("ca_file", "dpop_key_file", "scope", "resource")


class ProfileFault(Misconfigured):
    """A profile or its key cannot be used; `faults` lists everything that is wrong and what to do about each."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One partner's way to one gateway.

    `base_url` is where the gateway is reached and `issuer` what it calls itself: metadata that names another issuer is
    refused. `resource` (default `<base_url>/v1`) is what the calls go to. `key_file` is a private JWK; `dpop_key_file`
    another, without which every process makes its own. `ca_file` holds the only authorities that are trusted, in PEM;
    without one they are those that httpx ships. There is no way to switch certificate checks off.
    """

    base_url: str
    issuer: str
    client_id: str
    key_file: Path
    auth_method: str = "private_key_jwt"
    ca_file: Path | None = None
    dpop_key_file: Path | None = None
    scope: str = "nik.verify"
    resource: str = ""

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
        return cls(
            base_url=base_url,
            issuer=content["issuer"],
            client_id=content["client_id"],
            auth_method=content["auth_method"],
            key_file=path.parent / content["key_file"],
            ca_file=path.parent / content["ca_file"] if content.get("ca_file") else None,
            dpop_key_file=path.parent / content["dpop_key_file"] if content.get("dpop_key_file") else None,
            scope=content.get("scope", "nik.verify"),
            resource=content.get("resource") or f"{base_url}/v1",
        )

    @property
    def endpoint(self) -> str:
        """The URL that the paths of the calls are added to, without a slash at its end."""
        return (self.resource or f"{self.base_url}/v1").rstrip("/")

    @property
    def metadata_url(self) -> str:
        """Where RFC 8414 §3.1 puts the metadata: between the host and the path of `base_url`."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"

    def tls(self) -> ssl.SSLContext | bool:
        """What httpx takes for `verify`: certificates are always checked. Raises ProfileFault."""
        if self.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=str(self.ca_file))
        except OSError as error:  # SSLError is one too
            reason = error.strerror or error
        raise ProfileFault([f"ca_file {self.ca_file}: no certificate authorities in PEM can be read: {reason}"])


def _faults(content: Mapping[str, object]) -> list[str]:
    faults = [f"{name} is missing" for name in _REQUIRED if not content.get(name)]
    for name, value in content.items():
        if name not in _REQUIRED + _OPTIONAL:
            faults.append(f"{name} is not a field of a profile")
        elif not isinstance(value, str):
            faults.append(f"{name} must be text")
    method = content.get("auth_method")
    if isinstance(method, str) and method not in ("", "private_key_jwt"):
        faults.append(f"auth_method {method!r} is not one that this client speaks: private_key_jwt")
    for name in ("base_url", "issuer", "resource"):
        url = content.get(name)
        if isinstance(url, str) and url:
            faults += [f"{name} {fault}" for fault in url_faults(url)]
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
