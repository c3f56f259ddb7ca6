"""What does every process of a deployment open first? Settings, keys and the database, all of them checked."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass

from gateway.clock import Clock, Entropy
from gateway.config import Settings
from gateway.errors import DatabaseAway, Misconfigured
from gateway.keyring import Keyring, pkcs11
from gateway.keyring import file as key_files
from gateway.keyring.example import THUMBPRINTS
from gateway.keyring.session import Slot
from gateway.oauth.mtls import Authorities, CertificateFault
from gateway.store.base.engine import Database
from gateway.store.migrations import schema


@dataclass(frozen=True, slots=True)
class Deployment:
    """What every process of a deployment opens first: settings, keys and the database, all of them checked."""

    settings: Settings
    keyring: Keyring
    database: Database
    clock: Clock
    entropy: Entropy


def load_keys(settings: Settings) -> Keyring:
    """The keyring that the settings tell of: files, or an HSM and what lies beside it. Raises Misconfigured."""
    refused = frozenset() if settings.demo else THUMBPRINTS
    slot = slot_of(settings)
    return key_files.load(settings.keys, refused) if slot is None else pkcs11.load(slot, settings.keys, refused)


def slot_of(settings: Settings) -> Slot | None:
    """The HSM that the settings name. Raises Misconfigured when its PIN cannot be read."""
    if settings.pkcs11_module is None or settings.pkcs11_pin_file is None:
        return None
    try:
        pin = settings.pkcs11_pin_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise Misconfigured([f"pkcs11.pin_file: {fault}"]) from fault
    return Slot(settings.pkcs11_module, settings.pkcs11_token, pin)


def open_deployment(settings: Settings, clock: Clock, entropy: Entropy, *, check_schema: bool = True) -> Deployment:
    """Open and check keys and database.

    Raises Misconfigured with every fault that was found; DatabaseAway when the only one is that the server does not answer.
    """
    faults: list[str] = []
    keyring: Keyring | None = None
    try:
        keyring = load_keys(settings)
    except Misconfigured as fault:
        faults.extend(fault.faults)
    database = Database(settings.database_url, clock)
    away = False
    try:
        if check_schema:
            schema.require_newest(database)
        if not settings.demo:
            faults.extend(schema.undurable(database))
    except Misconfigured as fault:
        away = isinstance(fault, DatabaseAway) and not faults
        faults.extend(fault.faults)
    if faults or keyring is None:
        database.close()
        raise (DatabaseAway if away else Misconfigured)(faults)
    return Deployment(settings, keyring, database, clock, entropy)


def metrics_token_of(settings: Settings) -> bytes:
    """What GET /metrics asks for; empty when nobody may read it. Raises Misconfigured."""
    if settings.metrics_token_file is None:
        return b""
    try:
        token = settings.metrics_token_file.read_bytes().strip()
    except OSError as fault:
        raise Misconfigured([f"metrics.token_file: {fault}. Make one: openssl rand -hex 32 > FILE"]) from fault
    if not token:
        raise Misconfigured([f"metrics.token_file: {settings.metrics_token_file} is empty"])
    return token


def lock_sealer(settings: Settings) -> int | None:
    """Take the lock that lets one process seal in an SQLite database; the descriptor holds it. Raises Misconfigured."""
    if not settings.database_url.startswith("sqlite:///"):
        return None
    path = settings.database_url.removeprefix("sqlite:///") + ".sealer"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Misconfigured(
            [f"database: another gateway is sealing in {path.removesuffix('.sealer')}. Stop it first"]
        ) from None
    return descriptor


def authorities_of(settings: Settings) -> Authorities:
    """Those that vouch for the certificates of partners. Raises Misconfigured."""
    faults: list[str] = []
    pem: list[bytes] = []
    for path in settings.tls_client_ca:
        try:
            pem.append(path.read_bytes())
            Authorities(pem[-1:])
        except (OSError, CertificateFault) as fault:
            faults.append(f"tls.client_ca: {path}: {fault}")
    if faults:
        raise Misconfigured(faults)
    return Authorities(pem)
