"""Which tables are there? One definition for both databases; migrations/ brings an older database up to it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.engine.interfaces import Dialect

metadata = MetaData()


class Bytes(LargeBinary):
    """Bytes that go to the driver as they are: both drivers take them so, and wrapping costs more than the rest of a read."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """Nothing is done to what goes in."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Nothing is done to what comes out."""


epochs = Table(
    "epochs",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

house_facts = Table(
    "house_facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

partners = Table(
    "partners",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("suspended", Boolean, nullable=False),
)

clients = Table(
    "clients",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("partner", Text, nullable=False, index=True),
    Column("auth_method", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("keys", Text, nullable=False),  # a JWK Set (RFC 7517 §5) of public keys
    Column("sender_constraint", Text, nullable=False, server_default="dpop"),  # dpop | mtls
    # JSON: one member of RFC 8705 §2.1.2 and its value; [] for none.
    Column("certificate_name", Text, nullable=False, server_default="[]"),
)

client_states = Table(
    "client_states",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("suspended", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("not_before", BigInteger, nullable=False),  # tokens issued before this instant (microseconds) are void
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("client_id", Text, nullable=False, index=True),
    Column("expires", BigInteger, nullable=False, index=True),
)

agreement_versions = Table(
    "agreement_versions",
    metadata,
    Column("agreement", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("partner", Text, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("agreement", "version"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tat", BigInteger, nullable=False),
    Column("day", Integer, nullable=False),
    Column("day_spent", BigInteger, nullable=False),
    Column("month", Integer, nullable=False),
    Column("month_spent", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("tag", Bytes, primary_key=True),
    Column("guesses", Bytes, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

proof_ids = Table(
    "proof_ids",
    metadata,
    Column("id", Bytes, primary_key=True),
    Column("expires", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

repeats = Table(
    "repeats",
    metadata,
    Column("key", Bytes, primary_key=True),
    Column("body", Bytes, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("answer", Bytes, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("leaf_index", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", Bytes, nullable=False),  # the 16 bytes of the entry's UUID
    Column("leaf", Bytes, nullable=False),
    Column("private", Bytes),  # null once destroyed by retention
    Index("ledger_entries_id", "id", unique=True),
)

ledger_head = Table(
    "ledger_head",
    metadata,
    Column("one", SmallInteger, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", Bytes, nullable=False),
)

ledger_tiles = Table(  # full ones alone; the last of a level is computed when it is asked for
    "ledger_tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", Bytes, nullable=False),  # 256 of them, 8,192 bytes
    Column("root", Bytes, nullable=False),  # over them: a hash of the level above
)

ledger_open = Table(  # the leaf hashes of the tile that is not full yet, one row for each seal that appended to it
    "ledger_open",
    metadata,
    Column("first", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("hashes", Bytes, nullable=False),
)

register_index = Table(
    "register_index",
    metadata,
    Column("ix", Bytes, primary_key=True),
    Column("key_version", SmallInteger, nullable=False),
    Column("record", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

records = Table(
    "records",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("sealed", Bytes, nullable=False),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("regency", Text, primary_key=True),
    Column("complete_until", BigInteger, nullable=False),
    Column("gap", Boolean, nullable=False),
)

imports = Table(
    "imports",
    metadata,
    Column("name", Text, primary_key=True),
    Column("lines", BigInteger, nullable=False),  # lines taken from the file, the refused ones included
    Column("taken", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("prefix", Bytes, nullable=False),  # SHA-256 over those lines
    Column("finished", Boolean, nullable=False),
)

persons = Table(
    "persons",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
)

exemptions = Table(
    "exemptions",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("ground", Text, nullable=False),
    Column("proof", Text, nullable=False),
    Column("ends", BigInteger, nullable=False, server_default="0"),  # by itself, at this instant; 0: never
)

agreements = Table(
    "agreements",
    metadata,
    Column("id", Text, primary_key=True),
    Column("partner", Text, nullable=False, index=True),
    Column(
        "since", BigInteger, nullable=False
    ),  # duties that fell due before this instant are not the gateway's to count
)

drafts = Table(
    "drafts",
    metadata,
    Column("agreement", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),  # draft or proposed
    Column("digest", Text, nullable=False),
    Column("fields", Text, nullable=False),  # as they were sent
    Column("persons", Text, nullable=False),  # JSON list: who has had a hand in it
    PrimaryKeyConstraint("agreement", "version"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("partner", Text, nullable=False),
    Column("agreement", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", Text, nullable=False),  # of what is to be approved
    Column("base", Text, nullable=False),  # of what stood before, when it was proposed
    Column("subject", Text, nullable=False),
    Column("persons", Text, nullable=False),  # JSON list: who may not approve it, the proposer last
    Column("proposed_at", BigInteger, nullable=False),
    Column("decider", Text, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

key_terms = Table(
    "key_terms",
    metadata,
    Column("client_id", Text, nullable=False),
    Column("kid", Text, nullable=False),
    Column("expires", BigInteger, nullable=False),
    PrimaryKeyConstraint("client_id", "kid"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("agreement", Text, nullable=False),
    Column("duty", Text, nullable=False),
    Column("due", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("delivered_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("agreement", "duty", "due"),
)

reminders = Table(
    "reminders",
    metadata,
    Column("agreement", Text, nullable=False),
    Column("subject", Text, nullable=False),  # a duty, or an allowance
    Column("period", Text, nullable=False),  # its due date, or the day, month or top-up
    Column("stage", Text, nullable=False),
    PrimaryKeyConstraint("agreement", "subject", "period", "stage"),
)

payments = Table(
    "payments",
    metadata,
    Column("reference", Text, primary_key=True),
    Column("agreement", Text, nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),  # right after it was credited
    Column("credited_at", BigInteger, nullable=False),
)

statements = Table(
    "statements",
    metadata,
    Column("partner", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("partner", "day"),
)

search_facets = Table(  # what entries are searched by; few rows, however long the log is
    "search_facets",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("partner", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # empty once the private part was destroyed
    Index("search_facets_all", "partner", "kind", "purpose", "outcome", unique=True),
)

search_entries = Table(  # a copy of what the leaves say, made again from them at any time (store/search.py)
    "search_entries",
    metadata,
    Column("leaf_index", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("facet", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("subject", Bytes, nullable=False),  # the resident's keyed tag; empty when none, or once destroyed
    Index("search_entries_facet", "facet", "leaf_index"),
    Index("search_entries_subject", "subject", "leaf_index"),
)

finding_days = Table(  # what each partner did on each day: sums that findings are made from (store/finding_days.py)
    "finding_days",
    metadata,
    Column("partner", Text, nullable=False),
    Column("day", Integer, nullable=False),  # of Asia/Jakarta, counted from 0001-01-01 as 1
    Column("lowest", BigInteger, nullable=False),  # leaf index of its first entry, and of its last
    Column("highest", BigInteger, nullable=False),
    Column("sums", Text, nullable=False),  # JSON of `ledger.findings.Day`
    PrimaryKeyConstraint("partner", "day"),
)

traffic = Table(  # how many entries each facet has in a minute, an hour, a day: sums over the copy (store/traffic.py)
    "traffic",
    metadata,
    Column("step", Integer, nullable=False),  # seconds
    Column("begins", BigInteger, nullable=False),  # seconds since 1970
    Column("facet", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    PrimaryKeyConstraint("step", "begins", "facet"),
    Index("traffic_facet", "facet", "step", "begins"),
)

latencies = Table(  # how long verifications took: one row for each minute and worker (store/latencies.py)
    "latencies",
    metadata,
    Column("minute", BigInteger, nullable=False),  # seconds since 1970
    Column("worker", Text, nullable=False),
    Column("counts", Text, nullable=False),  # JSON list, one number for each bucket (verification/timing.py)
    PrimaryKeyConstraint("minute", "worker"),
)

assignments = Table(
    "assignments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("auditor", Text, nullable=False, index=True),  # the person
    Column("letter", Text, nullable=False),
    Column("partners", Text, nullable=False),  # JSON list
    Column("since", BigInteger, nullable=False),  # the period of the entries that may be read
    Column("until", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),  # 0 while nobody has taken it back
)

finding_notes = Table(
    "finding_notes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("noted_by", Text, nullable=False),
    Column("noted_at", BigInteger, nullable=False),
)

access_requests = Table(
    "access_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("officer", Text, nullable=False, index=True),  # the person
    Column("reference", Text, nullable=False),  # of the identity check at the desk
    Column("state", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("nik", Bytes, nullable=False),  # sealed; empty once closed
)

withheld = Table(
    "withheld",
    metadata,
    Column("request", Text, nullable=False),
    Column("what", Text, nullable=False),  # entry or purpose
    Column("name", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("person", Text, nullable=False),
    PrimaryKeyConstraint("request", "what", "name"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("partners", Text, nullable=False),  # JSON list
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("affected", BigInteger, nullable=False),
    Column("person", Text, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("notified_at", BigInteger, nullable=False),  # 0 until the notice was given
    Column("notice", Text, nullable=False),  # its number
)

members = Table(  # people at the console; each has a row in `clients` and in `persons` too
    "members",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("partner", Text, nullable=False, index=True),  # empty for the house
    Column("state", Text, nullable=False),
    Column("certified_until", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("external", Text, nullable=False, index=True),  # who it is to an OpenID provider; empty: nobody
)

invitations = Table(  # one-time links; one a member at most
    "invitations",
    metadata,
    Column("token", Bytes, primary_key=True),  # SHA-256 of it
    Column("member", Text, nullable=False, index=True),
    Column("expires", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("credential", Bytes, primary_key=True),
    Column("id", Text, nullable=False),  # what it is called where people see it
    Column("member", Text, nullable=False, index=True),
    Column("public_key", Bytes, nullable=False),  # COSE (RFC 9052)
    Column("signed", BigInteger, nullable=False),  # how often, as far as it tells
    Column("label", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

ceremonies = Table(  # challenges that wait for a passkey; each is taken once
    "ceremonies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("challenge", Bytes, nullable=False),
    Column("subject", Text, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("cookie", Bytes, primary_key=True),  # SHA-256 of it
    Column("id", Text, nullable=False, unique=True),
    Column("member", Text, nullable=False, index=True),
    Column("passkey", Text, nullable=False),  # with which it was begun
    Column("address", Text, nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("stepped_up_until", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
