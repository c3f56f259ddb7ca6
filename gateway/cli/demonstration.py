"""What does a demonstration consist of? A whole small deployment in one directory; nothing that is there is made again.

Every resident is synthetic; no code of the gateway knows a magic NIK, `magic.json` only tells where to look.
"""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.administration.commands import Act
from gateway.administration.requests.staff import NewMember
from gateway.app import Deployment, guard
from gateway.cli.demo_feeder import FEEDER
from gateway.cli.demo_tls import PLAIN, WAYS, DemoAuthority, Way
from gateway.cli.magic import magic
from gateway.clock import DAY, SystemClock, SystemEntropy, jakarta_date, rfc3339_seconds
from gateway.config import read
from gateway.errors import Misconfigured
from gateway.feeds.batch import digest_of
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind
from gateway.ledger.publication.checkpoint import origin_of
from gateway.oauth.client import INTROSPECT
from gateway.oauth.mtls import SELF_SIGNED, TLS, certificate
from gateway.partners.purposes import PurposeCatalogue
from gateway.partners.terms import parse_file
from gateway.policy.policies import SHIPPED, load
from gateway.register import regions
from gateway.register.lines import as_line
from gateway.register.record import Record
from gateway.register.status import judge
from gateway.staff.member import link_of
from gateway.store.base.engine import Database
from gateway.store.commands.unit_of_work import UnitOfWork
from gateway.store.feeds.delivery import Deliveries, take
from gateway.store.feeds.state import read_state
from gateway.store.migrations import schema
from gateway.store.partners.standings import PartnersOf
from gateway.store.register.intake import BATCH
from gateway.store.register.residents import Progress, RegisterOf
from gateway.store.sealing.history import RecordedChange, write_history
from gateway.store.staff.first_person import keep
from gateway.synthetic.population import BEHIND_REGENCY, residents

SAMPLE = 1_000
BEHIND = 30 * DAY  # how far the one region lags that shows `source_behind`
_HEAD = "# A demonstration. docs/settings.md explains every setting. Change them: they are then kept as they are.\n# "
AMPLE = 1_000_000_000_000  # rupiah


def _mark(text: str) -> str:
    """By which settings are known to be as they were written."""
    return f"written as {sha256(text.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class DemoPartner:
    """One partner of the demonstration."""

    client_id: str
    name: str
    kind: str = "bank"
    key: str = "EC"  # EC, RSA, OKP
    disclosure: str = "status"
    purposes: tuple[str, ...] = ("account_opening",)
    inform: tuple[str, ...] = ()
    day: int = 1_000_000
    ends: str = "2036-01-01"
    addresses: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    balance: int = AMPLE
    burst: int = 5_000
    demands: tuple[str, ...] = ()
    on_behalf_of: tuple[str, ...] = ()
    listed: bool = True

    @property
    def price(self) -> int:
        """Rupiah for an answer (PP 10/2023)."""
        return 0 if self.exemption else 1_000

    @property
    def exemption(self) -> str:
        """The ground on which it pays nothing."""
        return {"bpjs": "bpjs_kesehatan", "ministry": "ministry"}.get(self.kind, "")


_PLACE = ("birth_place", "sex", "address", "province", "regency", "district", "village")
PARTNERS = (
    DemoPartner(
        "bpjs", "BPJS Kesehatan (demo)", "bpjs", "EC", "claims",
        ("claim_eligibility", "membership_registration"), _PLACE,
    ),
    DemoPartner(
        "bank", "Bank Nusantara (demo)", "bank", "RSA", "verdict",
        ("account_opening", "credit_application"), ("birth_place", "sex", "mother_name"),
    ),
    DemoPartner(
        "tax", "Kantor Pajak (demo)", "ministry", "OKP", "reason",
        ("taxpayer_registration",), (*_PLACE, "occupation"),
    ),
    DemoPartner(
        "small", "Koperasi Kecil (demo)", "bank", "EC", "status",
        ("account_opening",), ("birth_place", "sex"), day=100,
    ),
    DemoPartner(
        "agent", "Perantara Nusantara (demo)", "intermediary", "EC", "claims",
        ("account_opening", "credit_application"), (*_PLACE, "mother_name", "occupation", "marital_status"),
        on_behalf_of=("bank", "small"),
    ),
    # Only magic.json names these: each shows one refusal, and the last the reason `by_order`.
    DemoPartner("lapsed", "Bank Lewat Waktu (demo)", ends="2026-01-01", listed=False),
    DemoPartner("elsewhere", "Bank Alamat Lain (demo)", addresses=("192.0.2.0/24",), listed=False),
    DemoPartner("penniless", "Bank Tanpa Saldo (demo)", balance=0, listed=False),
    DemoPartner("hasty", "Bank Terburu-buru (demo)", burst=2, listed=False),
    DemoPartner(
        "immigration", "Kantor Imigrasi (demo)", "ministry", "EC", "reason",
        ("passport_application",), ("sex",), demands=("operator",), listed=False,
    ),
)  # fmt: skip
STAFF = (
    ("registrar", "Demo Registrar", ("partners.read", "partners.write")),
    ("approver", "Demo Approver", ("partners.read", "partners.approve")),
    ("approver-2", "Demo Second Approver", ("partners.read", "partners.approve")),
    ("auditor", "Demo Auditor", ("audit.read", "audit.note")),
    ("regency", "Demo Regency Office", ("register.feed", "register.diagnose")),
    (FEEDER, "Demo Data Centre", ("register.feed",)),
    ("regency-2", "Demo Second Regency Office", ("register.feed", "register.diagnose")),
    ("resource-server", "Demo Resource Server", (INTROSPECT,)),
)
OFFICES = ("regency", "regency-2")
PEOPLE = (
    ("Demo Registrar", "registrar", ""),
    ("Demo Approver", "approver", ""),
    ("Demo Second Approver", "approver", ""),
    ("Demo Auditor", "auditor", ""),
    ("Demo Engineer of BPJS", "engineer", "bpjs"),
    ("Demo Engineer of the Bank", "engineer", "bank"),
)
"""Who may come to the console: name, role, partner. Those of the house are the persons of `STAFF`."""
LINKS_FOR = 30 * DAY


class Demonstration:
    """Builds the deployment in a directory; `build` may be called again and again."""

    def __init__(  # noqa: PLR0913  what the command line says
        self,
        directory: Path,
        count: int,
        seed: int,
        database: str | None,
        host: str,
        port: int,
        workers: int,
        *,
        tls: bool = False,
    ) -> None:
        self._directory = directory
        self._count = count
        self._seed = seed
        self._database = database or "sqlite:///gateway.sqlite"
        self._server = (host, port, workers)
        self._clock = SystemClock()
        self._entropy = SystemEntropy()
        self._ways = WAYS if tls else {}
        self._authority = DemoAuthority(directory / "tls", self._clock) if tls else None
        self._base_url = f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"
        # A passkey is bound to a host's name; browsers let it be plain http on this one alone.
        near = host in {"127.0.0.1", "::1", "localhost", "0.0.0.0"}  # noqa: S104  no binding
        self.console_origin = f"http{'s' if tls else ''}://localhost:{port}" if near else self._base_url
        self._links: dict[str, str] = {}
        self._nexts: dict[str, int] = {}

    @property
    def settings_file(self) -> Path:
        """The settings that it was built with."""
        return self._directory / "gateway.toml"

    @property
    def changed(self) -> bool:
        """Whether somebody wrote settings of their own: they are kept as they are."""
        if not self.settings_file.exists():
            return False
        head, _, text = self.settings_file.read_text("utf-8").removeprefix(_HEAD).partition("\n")
        return head != _mark(text)

    def clear(self) -> None:
        """Remove what an earlier demonstration left in the directory. Raises Misconfigured where there is anything else."""
        if not self._directory.exists() or not any(self._directory.iterdir()):
            return
        if not self.settings_file.exists() or not read(self.settings_file).demo:
            raise Misconfigured([f"{self._directory}: is no demonstration, and nothing in it is removed"])
        shutil.rmtree(self._directory)

    def build(self, tell: Callable[[int], None]) -> None:
        """Make whatever is missing; `tell` hears how many residents are in."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._write_settings()
        settings = read(self.settings_file)
        self._base_url, self.console_origin = settings.issuer, settings.console_origin or settings.issuer
        for job in Job:
            if not list(settings.keys.glob(f"{job}-*.jwk")):
                key_files.write(settings.keys, key_files.new(job, 1, self._entropy))
        keyring = key_files.load(settings.keys)
        jwks = {name: self._key(name, kind) for name, kind in self._key_kinds()}
        database = Database(settings.database_url, self._clock)
        try:
            if not schema.version(database):  # a new database: a checkpoint of the one before it would refuse it
                for stale in settings.file.parent.glob(f"{settings.ledger_checkpoint_file.name}*"):
                    stale.unlink()
            schema.upgrade(database)
            guard(Deployment(settings, keyring, database, self._clock, self._entropy))
            self._take_partners(database, jwks)
            register = RegisterOf(database, keyring, self._entropy)
            self._take_residents(database, register, tell)
            self._invite(database)
            self._leave_gap(database, keyring)
            with database.reading() as connection:
                self._nexts = {code: read_state(connection, code).expected for code in self._offices}
        finally:
            database.close()
        self._write_samples()
        self._write_facts()

    @staticmethod
    def _key_kinds() -> list[tuple[str, str]]:
        return [(one.client_id, one.key) for one in PARTNERS] + [(client_id, "EC") for client_id, _, _ in STAFF]

    def _write_settings(self) -> None:
        host, port, workers = self._server
        if self.changed:
            return
        if not (self._directory / "policies").exists():
            shutil.copytree(SHIPPED, self._directory / "policies")
        token = self._directory / "metrics.token"
        if not token.exists():
            token.touch(0o600)
            token.write_text(b64u(self._entropy.bytes(32)) + "\n")
        text = (
            f'issuer = "{self._base_url}"\ndemo = true\n\n'
            f'[database]\nurl = "{self._database}"\n\n'
            f'[server]\nhost = "{host}"\nport = {port}\nworkers = {workers}\ndrain_seconds = 0\n\n{self._tls_settings(host)}'
            f'[metrics]\ntoken_file = "metrics.token"\n{self._console_settings()}{self._ledger_settings()}'
        )
        self.settings_file.write_text(f"{_HEAD}{_mark(text)}\n{text}", "utf-8")

    def _console_settings(self) -> str:
        return "" if self.console_origin == self._base_url else f'\n[console]\norigin = "{self.console_origin}"\n'

    def _ledger_settings(self) -> str:
        """The origin that the log was begun with: a demonstration may be served from another port than before."""
        kept = self._directory / "ledger.checkpoint"
        origin = kept.read_text("utf-8").partition("\n")[0].partition("/after/")[0] if kept.exists() else ""
        return "" if origin in {"", origin_of(self._base_url)} else f'\n[ledger]\norigin = "{origin}"\n'

    def _tls_settings(self, host: str) -> str:
        if self._authority is None:
            return ""
        self._authority.make_server(host)
        return '[tls]\ncertificate = "tls/server.pem"\nkey = "tls/server.key"\nclient_ca = ["tls/ca.pem"]\n\n'

    def _key(self, client_id: str, kind: str) -> dict[str, Any]:
        """The public JWK of a client; its private one lies in `partners/<client_id>/`."""
        folder = self._directory / "partners" / client_id
        path = folder / "key.jwk"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            jwk, alg = _new_key(kind)
            path.touch(0o600)
            path.write_text(json.dumps({**jwk, "kid": f"{client_id}-1", "alg": alg, "use": "sig"}, indent=1) + "\n")
        way = self._ways.get(client_id, PLAIN)
        (folder / "profile.toml").write_text(
            f'base_url = "{self._base_url}"\nissuer = "{self._base_url}"\nclient_id = "{client_id}"\n'
            f'auth_method = "{way.auth_method}"\nkey_file = "key.jwk"\n{self._scope(client_id)}'
            f"{self._tls_profile(way)}"
        )
        jwk = json.loads(path.read_text())
        return {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e", "kid", "alg", "use") if name in jwk}

    def _tls_profile(self, way: Way) -> str:
        """What a profile says of TLS."""
        trusted = "" if self._authority is None else 'ca_file = "../../tls/ca.pem"\n'
        own = 'sender_constraint = "mtls"\ncert_file = "cert.pem"\n' if way.sender_constraint == "mtls" else ""
        return trusted + own

    def _credentials(self, one: DemoPartner, jwk: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """(members of `access`, members of the client) in its agreement."""
        way = self._ways.get(one.client_id, PLAIN)
        client = {"client_id": one.client_id, "auth_method": way.auth_method}
        if way is PLAIN or self._authority is None:
            return {"method": "dpop"}, client | {"keys": [jwk]}
        folder = self._directory / "partners" / one.client_id
        made = self._authority.make_client(folder, one.client_id, one.name, self_signed=way.auth_method == SELF_SIGNED)
        der = made.public_bytes(Encoding.DER)
        access = {"method": "mtls", "certificates": [certificate(der).thumbprint]}
        if way.auth_method == TLS:
            return access, client | {"tls_client_auth_subject_dn": made.subject.rfc4514_string()}
        if way.auth_method == SELF_SIGNED:
            return access, client | {"keys": [jwk | {"x5c": [b64encode(der).decode()]}]}
        return access, client | {"sender_constraint": way.sender_constraint, "keys": [jwk]}

    @staticmethod
    def _scope(client_id: str) -> str:
        scopes = next((scopes for id, _, scopes in STAFF if id == client_id and scopes != (INTROSPECT,)), ())
        return f'scope = "{" ".join(scopes)}"\n' if scopes else ""

    def _take_partners(self, database: Database, jwks: dict[str, dict[str, Any]]) -> None:
        path = self._directory / "agreements.toml"
        path.write_text("\n".join(_agreement(one, *self._credentials(one, jwks[one.client_id])) for one in PARTNERS))
        rows = parse_file(path.read_text(), path.name, load(self._directory / "policies").purposes)
        faults = [fault for row in rows for fault in row.faults]
        if faults:
            raise AssertionError("\n".join(faults))
        partners = PartnersOf(database, self._entropy)
        balances = {f"pks-{one.client_id}": one.balance for one in PARTNERS}
        partners.take(rows, proposer="Demo Registrar", approver="Demo Approver", balances=balances)
        for client_id, name, scopes in STAFF:
            own = [code for code, office in self._offices.items() if office == client_id]
            if client_id == FEEDER:
                own = [code for code in regions.load().regencies if code not in self._offices]
            actor = "Demo Registrar+Demo Approver"
            partners.enrol(client_id, name, scopes, jwks[client_id], actor=actor, regencies=own)

    @cached_property
    def _offices(self) -> dict[str, str]:
        """Regency → its office: the two that most residents of the sample live in; their feed nobody else sends."""
        lives = Counter(one.regency for one in residents(min(self._count, SAMPLE), self._seed))
        del lives[BEHIND_REGENCY]
        codes = [code for code, _ in sorted(lives.items(), key=lambda one: (-one[1], one[0]))]
        return dict(zip([*codes, *sorted(regions.load().regencies)], OFFICES, strict=False))

    def _leave_gap(self, database: Database, keyring: Keyring) -> None:
        """One feed with a gap: its second batch is here, its first never comes. It touches nobody."""
        code = next(code for code in sorted(regions.load().regencies) if code not in {BEHIND_REGENCY, *self._offices})
        with database.reading() as connection:
            state = read_state(connection, code)
        if state.next > 1 or state.held:
            return
        until = rfc3339_seconds(self._clock.now())
        body = {"sequence": 2, "complete_until": until, "digest": b64u(digest_of([])), "changes": []}
        act = Act("take_batch", {"regency": code}, json.dumps(body).encode(), "Demo Data Centre", client_id=FEEDER)
        arrived = Deliveries(database, keyring, self._entropy, self._clock).prepare(act)
        with database.sealing() as (connection, now):
            unit = UnitOfWork(connection, now, self._entropy, PurposeCatalogue({}))
            result = take(unit, replace(act, prepared=arrived))
            change = RecordedChange(result.kind, f"dukcapil/{FEEDER}", result.private, answer=result.answer)
            write_history(connection, [change], now, self._entropy)

    def _invite(self, database: Database) -> None:
        """A member for each of `PEOPLE`, and a new link for whoever has not used the one before."""
        for name, role, partner in PEOPLE:
            body = NewMember(name, [role], partner) if partner else NewMember(name, [role])
            made = keep(database, self._entropy, body, "Demo Registrar+Demo Approver", LINKS_FOR)
            if made.token:
                self._links[name] = link_of(self.console_origin, made.token)

    def _take_residents(self, database: Database, register: RegisterOf, tell: Callable[[int], None]) -> None:
        name = f"demo-{self._seed}"
        begun = register.progress(name)
        held = begun.taken if begun else 0
        if begun is None or not begun.finished or held < self._count:
            people = islice(residents(self._count, self._seed), held, None)
            for batch in _batches(people):
                held += len(batch)
                register.store(batch, name, Progress(held, held, 0, b"", finished=False))
                tell(held)
            with database.sealing() as (connection, now):
                register.finish(connection, name, Progress(held, held, 0, b"", finished=True), self._watermarks(now))
                private = {"synthetic": True, "seed": self._seed, "taken": held}
                write_history(connection, [RecordedChange(Kind.IMPORT, "Demo Registrar", private)], now, self._entropy)
        else:
            marks, own = self._watermarks(self._clock.now()), self._offices
            register.advance({code: until for code, until in marks.items() if code not in own})

    @staticmethod
    def _watermarks(now: int) -> dict[str, int]:
        return {code: now - BEHIND if code == BEHIND_REGENCY else now for code in regions.load().regencies}

    def _sample(self) -> list[tuple[Record, str, str | None]]:
        today = jakarta_date(self._clock.now())
        sample = []
        for record in residents(min(self._count, SAMPLE), self._seed):
            status, reason, _ = judge(record, today, source_behind=record.regency == BEHIND_REGENCY, gap="")
            sample.append((record, str(status), reason))
        return sample

    def _write_samples(self) -> None:
        sample = self._sample()
        lines = [
            json.dumps(
                {"nik": record.nik, "claims": as_line(record)["claims"], "status": status, "reason": reason},
                ensure_ascii=False,
            )
            for record, status, reason in sample
        ]
        (self._directory / "residents.sample.ndjson").write_text("\n".join(lines) + "\n", "utf-8")
        document = magic(sample, self._base_url)
        (self._directory / "magic.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def _write_facts(self) -> None:
        def key_file(client_id: str) -> str:
            return f"partners/{client_id}/key.jwk"

        def person(client_id: str) -> dict[str, Any]:
            name = next(name for id, name, _ in STAFF if id == client_id)
            return {
                "name": name,
                "client_id": client_id,
                "key_file": key_file(client_id),
                "enrol_url": self._links.get(name),
            }

        facts = {
            "base_url": self._base_url,
            "issuer": self._base_url,
            **({} if self._authority is None else {"ca_file": "tls/ca.pem"}),
            "partners": [
                {
                    "name": one.name,
                    "client_id": one.client_id,
                    "auth_method": way.auth_method,
                    "key_file": key_file(one.client_id),
                    **({"cert_file": f"partners/{one.client_id}/cert.pem"} if way.sender_constraint == "mtls" else {}),
                    "dpop": way.sender_constraint == "dpop",
                    "purposes": list(one.purposes),
                    "claims": ["name", "birth_date", *one.inform],
                    "disclosure": one.disclosure,
                    "limits": {"burst": 5_000, "day": one.day, "month": 30 * one.day},
                    "agreement": f"pks-{one.client_id}",
                    **({"on_behalf_of": list(one.on_behalf_of)} if one.on_behalf_of else {}),
                }
                for one in PARTNERS
                if one.listed
                for way in (self._ways.get(one.client_id, PLAIN),)
            ],
            "administrators": [person("registrar"), person("approver"), person("approver-2")],
            "auditor": person("auditor"),
            "engineers": [
                {"name": name, "partner": partner, "enrol_url": self._links.get(name)}
                for name, _, partner in PEOPLE
                if partner
            ],
            "console": f"{self.console_origin}/console",
            "regencies": [
                {"code": code, "client_id": office, "key_file": key_file(office), "next": self._nexts.get(code, 1)}
                for code, office in self._offices.items()
            ],
            "resource_server": {"client_id": "resource-server", "key_file": key_file("resource-server")},
            "sample": "residents.sample.ndjson",
            "magic": "magic.json",
        }
        (self._directory / "demo.json").write_text(json.dumps(facts, indent=1) + "\n")


def _new_key(kind: str) -> tuple[dict[str, Any], str]:
    """(private JWK, algorithm): between them the demonstration's partners use every algorithm that FAPI 2.0 allows."""
    if kind == "RSA":
        return dict(RSAKey.generate_key(2048).as_dict(private=True)), "PS256"
    if kind == "OKP":
        return dict(OKPKey.generate_key("Ed25519").as_dict(private=True)), "EdDSA"
    return dict(ECKey.generate_key("P-256").as_dict(private=True)), "ES256"


def _batches(people: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(people, BATCH)):
        yield batch


def _toml(value: Any) -> str:  # noqa: ANN401  texts, lists and tables
    if isinstance(value, dict):
        return _inline(value)
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, list) else json.dumps(value)


def _inline(values: dict[str, Any]) -> str:
    return "{ " + ", ".join(f"{name} = {_toml(value)}" for name, value in values.items()) + " }"


def _agreement(one: DemoPartner, access: dict[str, Any], client: dict[str, Any]) -> str:
    """One `[[agreement]]` of agreements.toml."""
    signatories = (
        '[{ name = "Demo Director", office = "Direktur Jenderal", side = "directorate" }, '
        '{ name = "Demo Signer", office = "Direktur Utama", side = "partner" }]'
    )
    partner = {"id": one.client_id, "name": one.name, "class": one.kind}
    exemption = (
        f', exemption = {{ ground = "{one.exemption}", proof = "DEMO/{one.client_id}/1" }}' if one.exemption else ""
    )
    instrument = f'date = 2025-11-01\nfile_sha256 = "{"0" * 64}"\nsignatories = {signatories}'
    purposes = "\n".join(
        f'[agreement.purposes.{purpose}]\nsector_law = "demonstration"\ninform = {json.dumps(list(one.inform))}\n'
        f'justification = "demonstration"\ndisclosure = "{one.disclosure}"\n'
        f"demands = {json.dumps(list(one.demands))}\ntells_order = {json.dumps(purpose == 'passport_application')}\n"
        for purpose in one.purposes
    )
    return f"""[[agreement]]
id = "pks-{one.client_id}"
partner = {_inline(partner)[:-2]}{exemption} }}
supervising_ministry = "Kementerian Dalam Negeri"
term = {{ starts = 2025-01-01, ends = {one.ends} }}
data_protection_officers = [{{ name = "Demo Officer", email = "pdp@demo.example" }}]
breach_contact = {{ name = "Demo Incident Desk", email = "incident@demo.example", phone = "+62-21-5550100" }}
suspension = {{ grounds = ["semester report three months late"] }}
termination = {{ grounds = ["end of term"], notice_days = 30 }}
access = {_inline(access | {"addresses": list(one.addresses)})}
allowance = {{ burst = {one.burst}, day = {one.day}, month = {30 * one.day}, tariff = {one.price} }}
dpia = {{ reference = "DPIA/DEMO/{one.client_id}", date = 2025-10-01 }}
on_behalf_of = {json.dumps(list(one.on_behalf_of))}

[agreement.mou]
number = "MOU/{one.client_id}"
{instrument}

[agreement.pks]
number = "PKS/{one.client_id}"
{instrument}

[agreement.duties.return_data]
due = 2026-01-31
every_months = 1

[agreement.duties.semester_report]
due = 2026-07-31
every_months = 6

{purposes}
[[agreement.client]]
{"".join(f"{name} = {_toml(value)}{chr(10)}" for name, value in client.items())}"""
