"""What does a deployment consist of before anybody uses it? Made in one directory; nothing that is there is made again.

`missing` tells what only people can add: agreements, residents, passkeys, TLS, witnesses.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from gateway.administration.requests.staff import NewMember
from gateway.cli.acting import OperatorCommands
from gateway.cli.payments import balances
from gateway.clock import SystemClock, SystemEntropy, jakarta_date
from gateway.config import Settings, read
from gateway.keyring import Job
from gateway.keyring import file as key_files
from gateway.keyring.keys import b64u
from gateway.ledger.publication.checkpoint import origin_of
from gateway.policy.policies import SHIPPED
from gateway.staff.roles import Role
from gateway.store.base.engine import Database
from gateway.store.migrations import schema
from gateway.store.register.residents import RegisterOf
from gateway.store.staff.first_person import found

FIRST = (Role.REGISTRAR, Role.APPROVER)
"""The roles of the two who let everybody else in."""
EXAMPLE = "example"


@dataclass(frozen=True, slots=True)
class StillMissing:
    """Something that is still missing, and what to do about it."""

    what: str
    remedy: str


class Installation:
    """One deployment in a directory; `make` may be called again and again."""

    def __init__(self, directory: Path, issuer: str, database: str) -> None:
        """`database` is a URL as `database.url` takes it. Nothing is written yet."""
        self._directory = directory
        self._issuer = issuer.rstrip("/")
        self._database = database
        self._entropy = SystemEntropy()
        self._clock = SystemClock()

    @property
    def settings_file(self) -> Path:
        """Where the settings are."""
        return self._directory / "gateway.toml"

    def make(self) -> Settings:
        """Settings, keys, policies, metrics token, example and database. Raises Misconfigured."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.settings_file.exists():
            self.settings_file.write_text(_settings(self._issuer, self._database), "utf-8")
        settings = read(self.settings_file)
        for job in Job:
            if not list(settings.keys.glob(f"{job}-*.jwk")):
                key_files.write(settings.keys, key_files.new(job, 1, self._entropy))
        if not settings.policies.exists():
            shutil.copytree(SHIPPED, settings.policies, ignore=shutil.ignore_patterns("refused"))
        if settings.metrics_token_file is not None and not settings.metrics_token_file.exists():
            _private(settings.metrics_token_file, b64u(self._entropy.bytes(32)))
        self._example(settings)
        database = Database(settings.database_url, self._clock)
        try:
            schema.upgrade(database)
        finally:
            database.close()
        return settings

    def _example(self, settings: Settings) -> None:
        """An agreement to try, with the key and the profile of its partner."""
        folder = self._directory / EXAMPLE
        if (folder / "agreement.toml").exists():
            return
        folder.mkdir(exist_ok=True)
        jwk = dict(ECKey.generate_key("P-256").as_dict(private=True)) | {
            "kid": "example-1",
            "alg": "ES256",
            "use": "sig",
        }
        _private(folder / "key.jwk", json.dumps(jwk, indent=1))
        at = f"{'https' if settings.tls_certificate else 'http'}://127.0.0.1:{settings.server_port}"
        (folder / "profile.toml").write_text(
            f'base_url = "{at}"  # where this machine reaches the gateway\nissuer = "{settings.issuer}"\n'
            'client_id = "example"\nauth_method = "private_key_jwt"\nkey_file = "key.jwk"\n',
            "utf-8",
        )
        public = {name: jwk[name] for name in ("kty", "crv", "x", "y", "kid", "alg", "use")}
        text = _agreement(jakarta_date(self._clock.now()), public)
        (folder / "agreement.toml").write_text(text, "utf-8")


def invite_first(commands: OperatorCommands, persons: dict[Role, str]) -> list[dict[str, str]]:
    """Make the first registrar and approver members, unless the house has some; each with the link to enrol by.

    Raises Refused.
    """
    held = {role for each in commands.rows() if each["state"] != "dismissed" for role in each["roles"]}
    made = []
    for role, person in persons.items():
        if role.value not in held:
            first = found(
                commands.deployment.database,
                commands.deployment.entropy,
                NewMember(person, [role.value]),
                "command line",
            )
            made.append(
                {"person": person, "role": role.value, "member": first.member, "link": commands.link(first.token)}
            )
    return made


def missing(commands: OperatorCommands, settings: Settings) -> Iterator[StillMissing]:
    """What a gateway still lacks before partners can be answered, first things first."""
    config = f"--config {settings.file}"
    waiting = [each["person"] for each in commands.rows() if each["state"] == "invited"]
    if waiting:
        remedy = f"each opens the own link; a new one: nik-gateway staff invite MEMBER --by NAME {config}"
        yield StillMissing(f"passkeys of {', '.join(waiting)}", remedy)
    if settings.tls_certificate is None and not settings.server_proxies:
        yield StillMissing(
            "TLS", "set tls.certificate and tls.key, or end it in a proxy and name that in server.proxies"
        )
    elif settings.tls_certificate is None:
        yield StillMissing(f"a proxy that ends TLS for {settings.issuer}", "deploy/haproxy.cfg is a whole one")
    if RegisterOf(commands.deployment.database, commands.deployment.keyring, commands.deployment.entropy).count() == 0:
        yield StillMissing("residents", f"nik-gateway register import FILE --by NAME {config}")
    if not any(commands.read("usage", {"id": each["id"]})["agreements"] for each in commands.rows("partners")):
        example = settings.file.parent / EXAMPLE / "agreement.toml"
        remedy = f'nik-gateway agreements import {example} --proposer "…" --approver "…" {config}'
        yield StillMissing("an agreement in force", remedy)
    for each in balances(commands):
        if each["balance"] <= 0:
            remedy = f'nik-gateway payments credit {each["agreement"]} --amount … --reference "…" --proposer "…" --approver "…"'
            yield StillMissing(f"a prepayment for {each['agreement']}", f"{remedy} {config}")
    beside = commands.deployment.database.sqlite_file
    if beside is not None and beside.parent == settings.ledger_checkpoint_file.parent:
        yield StillMissing(
            "a disk of its own for the kept checkpoint",
            "set ledger.checkpoint_file to another disk than the database's",
        )
    if not settings.ledger_witnesses:
        yield StillMissing("a witness", "let an auditor's machine cosign: ledger.witnesses")
    yield StillMissing(
        "a copy of the keys, apart from every copy of the database", f"copy {settings.keys}: without them all is lost"
    )


def _private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text + "\n", "utf-8")


def _settings(issuer: str, database: str) -> str:
    return f"""# Every setting: docs/settings.md. Faults of this file are listed by: nik-gateway serve
issuer = "{issuer}"                  # what clients see and sign for, character by character
keys = "keys"
policies = "policies"

[database]
url = "{database}"

[server]
host = "127.0.0.1"
port = 8080
workers = 1
proxies = ["127.0.0.1/32"]           # the proxy that ends TLS: deploy/haproxy.cfg

[metrics]
token_file = "metrics.token"

[ledger]
origin = "{origin_of(issuer)}"       # the log's name for ever: its verifier keys bear it
checkpoint_file = "ledger.checkpoint"  # belongs on another disk than the database
"""


def _agreement(today: date, key: dict[str, Any]) -> str:
    """An agreement that is in force at once, for calls from this machine: to be tried, then terminated."""
    listed = ", ".join(f'{name} = "{value}"' for name, value in key.items())
    signed = (
        f'number = "0/EXAMPLE/{today.year}"\ndate = {today}\nfile_sha256 = "{"0" * 64}"\n'
        'signatories = [{ name = "Example Director", office = "Direktur Jenderal", side = "directorate" }, '
        '{ name = "Example Signer", office = "Direktur", side = "partner" }]\n'
    )
    return f"""# An example to try a new gateway with: a ministry, which pays nothing, calling from this machine. docs/agreements.md
# explains every field. Afterwards: nik-gateway agreements suspend pks-example --reason request --by "…"
[[agreement]]
id = "pks-example"
supervising_ministry = "Kementerian Dalam Negeri"
term = {{ starts = {today}, ends = {today.year + 2}-01-01 }}
data_protection_officers = [{{ name = "Example Officer", email = "officer@example.org" }}]
breach_contact = {{ name = "Example OperatorCommands", email = "incidents@example.org" }}
suspension = {{ grounds = ["semester report three months late"] }}
termination = {{ grounds = ["end of the trial"] }}
access = {{ method = "dpop", addresses = ["127.0.0.0/8", "::1/128"] }}
allowance = {{ burst = 5, day = 100, month = 1000, tariff = 0 }}
dpia = {{ reference = "DPIA/EXAMPLE", date = {today} }}

[agreement.partner]
id = "example"
name = "Example Ministry"
class = "ministry"
exemption = {{ ground = "ministry", proof = "0/EXAMPLE/{today.year}" }}

[agreement.mou]
{signed}
[agreement.pks]
{signed}
[agreement.duties]
return_data = {{ due = {today.year + 1}-01-31, every_months = 1 }}
semester_report = {{ due = {today.year + 1}-07-31, every_months = 6 }}

[agreement.purposes.taxpayer_registration]
sector_law = "example"
disclosure = "reason"

[[agreement.client]]
client_id = "example"
auth_method = "private_key_jwt"
keys = [{{ {listed} }}]
"""
