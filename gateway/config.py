"""What was this gateway told? One TOML file, read once; every fault is listed at once, an unknown key is a fault.

Paths in the file are relative to it. The table of all settings (docs/settings.md) is generated from `SETTINGS`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import Misconfigured
from gateway.ledger.log.note import COSIGNATURES, VerifierKey


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the file: its default, how its value is read, and what it is for."""

    name: str
    default: Any
    read: Callable[[Any, Path], Any]
    meaning: str
    required: bool = False


def _text(value: Any, _: Path) -> str:  # noqa: ANN401  whatever the file holds
    if not isinstance(value, str) or not value:
        msg = "must be text"
        raise ValueError(msg)
    return value


def _optional_text(value: Any, base: Path) -> str:  # noqa: ANN401
    return _text(value, base) if value else ""


def _flag(value: Any, _: Path) -> bool:  # noqa: ANN401
    if not isinstance(value, bool):
        msg = "must be true or false"
        raise ValueError(msg)  # noqa: TRY004  all faults of a file are ValueErrors
    return value


def _whole(least: int, most: int) -> Callable[[Any, Path], int]:
    def read(value: Any, _: Path) -> int:  # noqa: ANN401
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            msg = f"must be a whole number from {least} to {most}"
            raise ValueError(msg)
        return value

    return read


def _path(value: Any, base: Path) -> Path:  # noqa: ANN401
    return (base / _text(value, base)).resolve()


def _optional_path(value: Any, base: Path) -> Path | None:  # noqa: ANN401
    return _path(value, base) if value else None


def _paths(value: Any, base: Path) -> tuple[Path, ...]:  # noqa: ANN401
    if not isinstance(value, list):
        msg = "must be a list of files"
        raise ValueError(msg)  # noqa: TRY004
    return tuple(_path(each, base) for each in value)


def _texts(value: Any, base: Path) -> tuple[str, ...]:  # noqa: ANN401
    if not isinstance(value, list):
        msg = "must be a list of texts"
        raise ValueError(msg)  # noqa: TRY004
    return tuple(_text(each, base) for each in value)


def _optional_url(value: Any, base: Path) -> str:  # noqa: ANN401
    return _issuer(value, base) if value else ""


def _issuer(value: Any, base: Path) -> str:  # noqa: ANN401
    text = _text(value, base)
    parts = urlsplit(text)
    _ = parts.port  # raises ValueError when it is none
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.path:
        msg = "must be a URL of scheme and host, without path, query, fragment or trailing slash, e.g. https://nik.example.go.id"
        raise ValueError(msg)
    return text


def _database(value: Any, base: Path) -> str:  # noqa: ANN401
    text = _text(value, base)
    if text.startswith("sqlite:///"):
        return f"sqlite:///{(base / text.removeprefix('sqlite:///')).resolve()}"
    if text.startswith("postgresql+psycopg://"):
        return text
    msg = "must be sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
    raise ValueError(msg)


def _networks(value: Any, _: Path) -> tuple[IPv4Network | IPv6Network, ...]:  # noqa: ANN401
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        msg = "must be a list of addresses or networks"
        raise ValueError(msg)
    return tuple(ip_network(each) for each in value)


def _rate(value: Any, base: Path) -> str:  # noqa: ANN401
    text = _text(value, base)
    if not re.fullmatch(r"[1-9][0-9]{0,8}/(second|minute|hour)", text):
        msg = 'must be like "600/minute"'
        raise ValueError(msg)
    return text


def _store(value: Any, base: Path) -> str:  # noqa: ANN401
    text = _text(value, base)
    if not re.match(r"(memory|valkey|valkey\+cluster|redis|redis\+cluster)://", text):
        msg = "must be memory:// or valkey://HOST:PORT (also redis://, valkey+cluster://)"
        raise ValueError(msg)
    return text


def _origin(value: Any, base: Path) -> str:  # noqa: ANN401
    text = _text(value, base) if value else ""
    if re.search(r"[\s+]", text):
        msg = "must have neither spaces nor plus signs, like nik.example.go.id/ledger"
        raise ValueError(msg)
    return text.rstrip("/")


def _witnesses(value: Any, base: Path) -> tuple[tuple[VerifierKey, str], ...]:  # noqa: ANN401
    if not isinstance(value, list) or not all(
        isinstance(each, dict) and each.keys() == {"vkey", "url"} for each in value
    ):
        msg = "must be a list of { vkey, url }"
        raise ValueError(msg)
    found = [(VerifierKey.parse(_text(each["vkey"], base)), _text(each["url"], base)) for each in value]
    if any(key.type not in COSIGNATURES or urlsplit(url).scheme not in {"http", "https"} for key, url in found):
        msg = "a witness has a vkey of type 4 or 6 and an http or https URL"
        raise ValueError(msg)
    return tuple(found)


def _other_issuer(value: Any, base: Path) -> str:  # noqa: ANN401
    """An issuer beside our own (RFC 8414 §2), or none."""
    text = _text(value, base) if value else ""
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment):
        msg = "must be the issuer of an authorization server, a URL without query and fragment"
        raise ValueError(msg)
    return text


def _names(value: Any, _: Path) -> Mapping[str, str]:  # noqa: ANN401
    if not isinstance(value, dict) or not all(
        isinstance(each, str) and each for pair in value.items() for each in pair
    ):
        msg = "must be a table of names: their client id = our client id"
        raise ValueError(msg)
    return dict(value)


SETTINGS: tuple[Setting, ...] = (
    Setting("issuer", "", _issuer, "The gateway's own URL as clients see it; https, except in a demo.", required=True),
    Setting(
        "demo",
        False,  # noqa: FBT003  the default
        _flag,
        "A demonstration: lets http, published example keys and synthetic people through. Never true in production.",
    ),
    Setting("keys", "keys", _path, "Directory of the private keys, one JWK a file."),
    Setting(
        "pkcs11.module",
        "",
        _optional_path,
        "PKCS#11 module (a shared library) of the HSM that holds the keys; without one they lie in files.",
    ),
    Setting("pkcs11.token", "", _optional_text, "Label of the token there."),
    Setting("pkcs11.pin_file", "", _optional_path, "File with the PIN that opens it."),
    Setting("policies", "policies", _path, "Directory of Cedar policies, their schema and purposes.toml."),
    Setting("database.url", "sqlite:///gateway.sqlite", _database, "SQLite file (one node) or PostgreSQL."),
    Setting("server.host", "127.0.0.1", _text, "Address to listen on."),
    Setting("server.port", 8080, _whole(1, 65535), "Port to listen on."),
    Setting(
        "server.workers", 1, _whole(1, 64), "Worker processes; with more than one the sealer is a process of its own."
    ),
    Setting("server.connections", 4_096, _whole(16, 65_536), "Connections that one worker keeps at most."),
    Setting(
        "server.connections_by_address",
        512,
        _whole(1, 65_536),
        "Of those, how many one address may have; a listed proxy may have all.",
    ),
    Setting(
        "server.drain_seconds",
        5,
        _whole(0, 300),
        "How long, once told to stop, /readyz is red while calls are still taken, so that a proxy sends no more.",
    ),
    Setting(
        "server.proxies",
        [],
        _networks,
        "Proxies whose X-Forwarded-For and Client-Cert are believed; nobody else's are.",
    ),
    Setting(
        "tls.certificate",
        "",
        _optional_path,
        "The server's certificate and the chain behind it, in PEM: TLS then ends here. Without one it ends in a proxy.",
    ),
    Setting("tls.key", "", _optional_path, "The private key of tls.certificate, in PEM."),
    Setting(
        "tls.client_ca",
        [],
        _paths,
        "Authorities that vouch for the certificates of partners (`tls_client_auth`), in PEM, wherever TLS ends.",
    ),
    Setting(
        "oauth.mtls_base_url",
        "",
        _optional_url,
        "The URL at which client certificates are asked for, when it is not the issuer (RFC 8705 §5).",
    ),
    Setting("oauth.dpop_nonce", False, _flag, "Demand a nonce of the gateway in every DPoP proof (RFC 9449 §8)."),  # noqa: FBT003
    Setting(
        "oauth.external_issuer",
        "",
        _other_issuer,
        "Another authorization server (its issuer) whose tokens are taken as well, bound by DPoP or certificate as our own.",
    ),
    Setting(
        "oauth.external_clients",
        {},
        _names,
        "Whom its clients stand for: a table of their client id = client id of a partner here.",
    ),
    Setting(
        "oauth.external_ca_file",
        "",
        _optional_path,
        "Authorities that its certificate is checked with (PEM); without, the usual ones.",
    ),
    Setting(
        "door.store", "memory://", _store, "Where floods are counted: in this process, or on Valkey for all nodes."
    ),
    Setting("door.failures", "30000/minute", _rate, "Calls without proven identity that one address may make."),
    Setting(
        "door.ipv6_prefix",
        64,
        _whole(32, 128),
        "By how many bits IPv6 addresses are counted: whoever has one of a network has all of it.",
    ),
    Setting("door.calls", "10000/second", _rate, "Calls that one identified client may make before the seal is asked."),
    Setting(
        "console.origin",
        "",
        _optional_url,
        "Scheme and host by which people reach the console, when it is not the issuer; passkeys are bound to it.",
    ),
    Setting("console.name", "NIK Gateway", _text, "The name that people see when they make a passkey."),
    Setting(
        "console.oidc_issuer",
        "",
        _other_issuer,
        "An OpenID provider (its issuer) by which people may log in too; it leads back to /console/external of console.origin.",
    ),
    Setting("console.oidc_client_id", "", _optional_text, "How that provider knows the console."),
    Setting("console.oidc_client_secret_file", "", _optional_path, "File with the secret that it was given."),
    Setting("console.oidc_claim", "sub", _text, "The claim that names a member: sub, or email (a verified one)."),
    Setting("console.oidc_acr", [], _texts, "Which acr a login must have, one of these; empty: any."),
    Setting("console.oidc_amr", [], _texts, 'Which amr a login must have, all of these, like ["mfa"]; empty: any.'),
    Setting("console.oidc_ca_file", "", _optional_path, "Authorities that its certificate is checked with (PEM)."),
    Setting(
        "register.behind_after_hours",
        24,
        _whole(1, 8760),
        "After how long without news a region's records are stale (source_behind).",
    ),
    Setting(
        "agreements.widest_ipv4",
        16,
        _whole(1, 32),
        "How much of IPv4 one agreement may let in, all its networks together, as a prefix length; loopback is not counted.",
    ),
    Setting("agreements.widest_ipv6", 32, _whole(1, 128), "The same of IPv6."),
    Setting(
        "register.gap_hours",
        6,
        _whole(1, 8760),
        "After how long a gap in a feed makes those whom it touches not_consolidated; until then they are in_transit.",
    ),
    Setting(
        "metrics.token_file",
        "",
        _optional_path,
        "File with the token that GET /metrics asks for; without one nobody may read it.",
    ),
    Setting(
        "ledger.origin",
        "",
        _origin,
        "The log's name in its checkpoints; by default the issuer's host, port and /ledger.",
    ),
    Setting(
        "ledger.checkpoint_file",
        "ledger.checkpoint",
        _path,
        "The last checkpoint that this node signed, kept outside the database: one that does not extend it is refused.",
    ),
    Setting(
        "ledger.witnesses",
        [],
        _witnesses,
        "Witnesses that cosign checkpoints: a list of { vkey, url } (C2SP tlog-witness).",
    ),
    Setting("log.level", "info", _text, "debug, info, warning or error."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, read and checked; names are those of `SETTINGS` with `_` for `.`."""

    file: Path
    issuer: str
    demo: bool
    keys: Path
    pkcs11_module: Path | None
    pkcs11_token: str
    pkcs11_pin_file: Path | None
    policies: Path
    database_url: str
    server_host: str
    server_port: int
    server_workers: int
    server_connections: int
    server_connections_by_address: int
    server_drain_seconds: int
    server_proxies: tuple[IPv4Network | IPv6Network, ...]
    tls_certificate: Path | None
    tls_key: Path | None
    tls_client_ca: tuple[Path, ...]
    oauth_mtls_base_url: str
    oauth_dpop_nonce: bool
    oauth_external_issuer: str
    oauth_external_clients: Mapping[str, str]
    oauth_external_ca_file: Path | None
    door_store: str
    door_failures: str
    door_ipv6_prefix: int
    door_calls: str
    console_origin: str
    console_name: str
    console_oidc_issuer: str
    console_oidc_client_id: str
    console_oidc_client_secret_file: Path | None
    console_oidc_claim: str
    console_oidc_acr: tuple[str, ...]
    console_oidc_amr: tuple[str, ...]
    console_oidc_ca_file: Path | None
    register_behind_after_hours: int
    agreements_widest_ipv4: int
    agreements_widest_ipv6: int
    register_gap_hours: int
    metrics_token_file: Path | None
    ledger_origin: str
    ledger_checkpoint_file: Path
    ledger_witnesses: tuple[tuple[VerifierKey, str], ...]
    log_level: str


def read(path: Path) -> Settings:
    """The settings in a file. Raises Misconfigured with every fault and what to do."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Misconfigured(
            [f"{path}: there is no such file. Name it with --config, or make a demo with: nik-gateway demo DIR"]
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise Misconfigured([f"{path}: {fault}"]) from fault
    return parse(document, path.resolve())


def parse(document: Mapping[str, Any], path: Path) -> Settings:
    """The settings of a document that was read from `path`. Raises Misconfigured."""
    given = _flat(document)
    known = {setting.name for setting in SETTINGS}
    faults = [f"{path.name}: {name}: there is no such setting" for name in sorted(given.keys() - known)]
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.required and setting.name not in given:
            faults.append(f"{path.name}: {setting.name}: is missing. {setting.meaning}")
            continue
        try:
            values[setting.name.replace(".", "_")] = setting.read(given.get(setting.name, setting.default), path.parent)
        except ValueError as fault:
            faults.append(f"{path.name}: {setting.name}: {fault}")
    if not values.get("demo") and not values.get("issuer", "https://").startswith("https://"):
        faults.append(f"{path.name}: issuer: must be https outside a demo (FAPI 2.0 §5.2)")
    if bool(values.get("tls_certificate")) != bool(values.get("tls_key")):
        faults.append(f"{path.name}: tls: certificate and key are needed together")
    if not values.get("demo") and not (values.get("oauth_mtls_base_url") or "https://").startswith("https://"):
        faults.append(f"{path.name}: oauth.mtls_base_url: must be https outside a demo (FAPI 2.0 §5.2)")
    faults.extend(f"{path.name}: {fault}" for fault in (*_external_faults(values), *_pkcs11_faults(values)))
    faults.extend(f"{path.name}: {fault}" for fault in _console_faults(values))
    if values.get("log_level", "info") not in {"debug", "info", "warning", "error"}:
        faults.append(f"{path.name}: log.level: must be debug, info, warning or error")
    if faults:
        raise Misconfigured(faults)
    return Settings(file=path, **values)


def _pkcs11_faults(values: Mapping[str, Any]) -> Iterator[str]:
    """A module, a token and a PIN belong together."""
    told = [name for name in ("pkcs11_module", "pkcs11_token", "pkcs11_pin_file") if values.get(name)]
    if told and len(told) < 3:  # noqa: PLR2004  all of them
        yield "pkcs11: module, token and pin_file are needed together"


def _console_faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Passkeys are bound to a host's name, in a page that nobody could have changed on its way (WebAuthn §5.1.2)."""
    parts = urlsplit(values.get("console_origin", ""))
    if parts.scheme == "http" and (parts.hostname != "localhost" or not values.get("demo")):
        yield "console.origin: must be https, except http://localhost in a demo"
    if re.fullmatch(r"[0-9.]+|.*:.*", parts.hostname or ""):
        yield "console.origin: passkeys need a host name, not an address"
    told = [bool(values.get(f"console_oidc_{name}")) for name in ("issuer", "client_id", "client_secret_file")]
    if any(told) and not all(told):
        yield "console: oidc_issuer, oidc_client_id and oidc_client_secret_file are needed together"
    if values.get("console_oidc_issuer", "").startswith("http:") and not values.get("demo"):
        yield "console.oidc_issuer: must be https outside a demo"
    if values.get("console_oidc_claim", "sub") not in {"sub", "email"}:
        yield "console.oidc_claim: must be sub or email"


def _external_faults(values: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the settings of another issuer taken together."""
    external, clients = values.get("oauth_external_issuer", ""), values.get("oauth_external_clients", {})
    if not values.get("demo") and external.startswith("http:"):
        yield "oauth.external_issuer: must be https outside a demo (FAPI 2.0 §5.2)"
    if external and external == values.get("issuer"):
        yield "oauth.external_issuer: is this gateway's own issuer"
    if bool(external) != bool(clients):
        yield "oauth.external_clients: belongs to oauth.external_issuer, each needs the other"


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{inner}": each for inner, each in value.items()})
        else:
            flat[name] = value
    return flat


def table() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "One TOML file; `a.b` is key `b` of table `[a]`. Generated by `make docs`.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    for setting in SETTINGS:
        shown = "*required*" if setting.required else f"`{_shown(setting.default)}`"
        lines.append(f"| `{setting.name}` | {shown} | {setting.meaning} |")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:  # noqa: ANN401
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
