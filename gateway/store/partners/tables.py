"""Where are partners, their clients, agreements, duties and money kept?"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from gateway.store.base.tables import metadata

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

feed_offices = Table(  # which regencies a client is the office of
    "feed_offices",
    metadata,
    Column("client_id", Text, nullable=False),
    Column("regency", Text, nullable=False),
    PrimaryKeyConstraint("client_id", "regency"),
)
