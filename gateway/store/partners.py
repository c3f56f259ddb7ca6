"""How are partners, clients and agreements kept?

A change, its entry and the partner's new epoch are one transaction, so that a suspension holds from the next answer on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from gateway.clock import Entropy
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.ledger.canonical import digest
from gateway.ledger.entry import Kind
from gateway.oauth.client import Client
from gateway.oauth.jose import parse_key
from gateway.partners.agreement import Agreement, Partner, State
from gateway.partners.terms import Row, from_document, to_document
from gateway.store.clients import read_validity
from gateway.store.engine import Database, put_many
from gateway.store.history import Change, bump, write_history
from gateway.store.tables import accounts, agreement_versions, clients, epochs, partners
from gateway.verification.standing import HOUSE, Standing, partner_scope

PARTNER_SCOPES = ("nik.verify",)
STAFF = "dukcapil"  # whom the clients of administrators, auditors and regency offices belong to


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one row of an agreements file: its agreement, version, digest, and created | changed | unchanged."""

    agreement: str
    partner: str
    version: int
    digest: str
    outcome: str


class PartnersOf:
    """Partners in one database."""

    def __init__(self, database: Database, entropy: Entropy) -> None:
        self._database = database
        self._entropy = entropy

    def standing(self, connection: Connection, client_id: str) -> Standing | None:
        """What stands behind a client, in one snapshot with its epochs."""
        row = connection.execute(select(clients).where(clients.c.client_id == client_id)).one_or_none()
        if row is None:
            return None
        keys = {key.kid: key for key in (parse_key(jwk) for jwk in json.loads(row.keys)["keys"])}
        client = Client(row.client_id, row.partner, row.auth_method, keys, frozenset(row.scopes.split()))
        partner = self._partner(connection, row.partner)
        named = {name for one in partner.agreements for name in _named(one)}
        principals = {
            name: self._partner(connection, name)
            for name in connection.execute(select(partners.c.id).where(partners.c.id.in_(named))).scalars()
        }
        validity = read_validity(connection, client_id, frozenset(key.thumbprint for key in keys.values()))
        counts = {partner_scope(one.id): one.epoch for one in (partner, *principals.values())}
        house = connection.execute(select(epochs.c.count).where(epochs.c.scope == HOUSE)).scalar()
        return Standing(client, partner, {HOUSE: house or 0, **counts}, principals, validity)

    @staticmethod
    def _partner(connection: Connection, id: str) -> Partner:
        row = connection.execute(select(partners).where(partners.c.id == id)).one()
        documents = connection.execute(
            select(agreement_versions.c.document)
            .where(agreement_versions.c.partner == id)
            .order_by(agreement_versions.c.agreement, agreement_versions.c.version)
        ).scalars()
        agreements = tuple(from_document(json.loads(document)) for document in documents)
        epoch = connection.execute(select(epochs.c.count).where(epochs.c.scope == partner_scope(id))).scalar()
        return Partner(row.id, row.name, row.kind, row.suspended, agreements, epoch or 0)

    def agreements(self) -> list[Agreement]:
        """Every version of every agreement."""
        with self._database.reading() as connection:
            documents = connection.execute(
                select(agreement_versions.c.document).order_by(
                    agreement_versions.c.agreement, agreement_versions.c.version
                )
            ).scalars()
            return [from_document(json.loads(document)) for document in documents]

    def take(
        self, rows: Sequence[Row], *, proposer: str, approver: str, balances: Mapping[str, int] | None = None
    ) -> list[Imported]:
        """Bring sound rows in force, in one transaction. `balances` are opening balances in rupiah by agreement.

        Raises Refused(SAME_PERSON) unless two persons vouch for it: whatever widens access needs two.
        """
        _two_persons(proposer, approver)
        with self._database.sealing() as (connection, now):
            changes: list[Change] = []
            done = [self._take(connection, row, f"{proposer}+{approver}", changes, balances or {}) for row in rows]
            write_history(connection, changes, now, self._entropy)
        return done

    def _take(
        self, connection: Connection, row: Row, actor: str, changes: list[Change], balances: Mapping[str, int]
    ) -> Imported:
        entry, agreement = row.partner, row.agreement
        if entry is None or agreement is None:
            msg = "only rows without faults can be taken"
            raise ValueError(msg)
        before = len(changes)
        held = connection.execute(select(partners).where(partners.c.id == entry.id)).one_or_none()
        if held is None or (held.name, held.kind) != (entry.name, entry.kind):
            suspended = bool(held.suspended) if held else False
            put_many(connection, partners, [(entry.id, entry.name, entry.kind, suspended)], ("name", "kind"))
            changes.append(
                Change(Kind.PARTNER, actor, {"partner": entry.id, "after": b64u(digest([entry.name, entry.kind]))})
            )
        self._take_clients(connection, row, actor, changes)
        outcome, version = self._take_version(connection, agreement, actor, changes)
        opening = balances.get(agreement.id, 0)
        if connection.execute(select(accounts.c.id).where(accounts.c.id == agreement.id)).first() is None:
            put_many(connection, accounts, [(agreement.id, 0, 0, 0, 0, 0, opening)])
        if len(changes) > before:
            bump(connection, partner_scope(entry.id))
        return Imported(agreement.id, entry.id, version, agreement.digest, outcome)

    @staticmethod
    def _take_clients(connection: Connection, row: Row, actor: str, changes: list[Change]) -> None:
        for client in row.clients:
            keys = json.dumps({"keys": [dict(key) for key in client.keys]}, sort_keys=True)
            held = connection.execute(select(clients).where(clients.c.client_id == client.client_id)).one_or_none()
            if held is not None and held.partner != client.partner:
                msg = f"client {client.client_id} belongs to another partner"
                raise ValueError(msg)
            if held is not None and (held.auth_method, held.keys) == (client.auth_method, keys):
                continue
            put_many(
                connection,
                clients,
                [(client.client_id, client.partner, client.auth_method, " ".join(PARTNER_SCOPES), keys)],
                ("auth_method", "keys"),
            )
            digests = {"before": _digest(held.keys) if held else "", "after": _digest(keys)}
            changes.append(Change(Kind.CLIENT, actor, {"client": client.client_id, **digests}))

    @staticmethod
    def _take_version(
        connection: Connection, agreement: Agreement, actor: str, changes: list[Change]
    ) -> tuple[str, int]:
        held = [
            from_document(json.loads(document))
            for document in connection.execute(
                select(agreement_versions.c.document)
                .where(agreement_versions.c.agreement == agreement.id)
                .order_by(agreement_versions.c.version)
            ).scalars()
        ]
        if held and held[-1].partner != agreement.partner:
            msg = f"agreement {agreement.id} belongs to another partner"
            raise ValueError(msg)
        if held and held[-1].digest == agreement.digest:
            return "unchanged", held[-1].version
        version = held[-1].version + 1 if held else agreement.version
        new = replace(agreement, version=version, state=State.IN_FORCE)
        _put_version(connection, new)
        digests = {"before": held[-1].digest if held else "", "after": new.digest, "version": version}
        changes.append(Change(Kind.AGREEMENT, actor, digests, agreement.id))
        return "changed" if held else "created", version

    def enrol(self, client_id: str, name: str, scopes: Sequence[str], jwk: Mapping[str, Any], *, actor: str) -> None:
        """Register the client of one member of staff; every credential belongs to one person. Nothing when it is known."""
        with self._database.sealing() as (connection, now):
            keys = json.dumps({"keys": [dict(jwk)]}, sort_keys=True)
            if connection.execute(select(clients.c.client_id).where(clients.c.client_id == client_id)).first():
                return
            put_many(connection, partners, [(STAFF, "Directorate General (staff)", "directorate", False)], ("name",))
            row = (client_id, STAFF, "private_key_jwt", " ".join(sorted(scopes)), keys)
            put_many(connection, clients, [row], ("keys",))
            bump(connection, partner_scope(STAFF))
            private = {
                "client": client_id,
                "person": name,
                "scopes": sorted(scopes),
                "before": "",
                "after": _digest(keys),
            }
            write_history(connection, [Change(Kind.CLIENT, actor, private)], now, self._entropy)

    def suspend(self, agreement: str, *, actor: str, reason: str, purpose: str = "") -> Agreement:
        """Suspend an agreement, or one purpose of it, at once; one person may. Raises LookupError.

        Every version that is or may come into force is suspended, so that none takes the other's place.
        """

        def narrow(held: Agreement) -> Agreement:
            if purpose:
                return replace(held, suspended=held.suspended | {purpose}) if purpose in held.purposes else held
            if held.state not in {State.APPROVED, State.IN_FORCE}:
                return held
            return replace(held, state=State.SUSPENDED, suspension=reason)

        return self._change(agreement, narrow, actor, {"change": "suspend", "reason": reason, "of": purpose})

    def resume(self, agreement: str, *, proposer: str, approver: str) -> Agreement:
        """Lift every suspension of an agreement. Raises LookupError, and Refused(SAME_PERSON): it widens access."""
        _two_persons(proposer, approver)

        def widen(held: Agreement) -> Agreement:
            state = State.IN_FORCE if held.state is State.SUSPENDED else held.state
            return replace(held, state=state, suspension="", suspended=frozenset())

        return self._change(agreement, widen, f"{proposer}+{approver}", {"change": "resume"})

    def _change(
        self, agreement: str, change: Callable[[Agreement], Agreement], actor: str, private: Mapping[str, object]
    ) -> Agreement:
        """Apply `change` to every version of an agreement; the newest, as it is then."""
        with self._database.sealing() as (connection, now):
            documents = connection.execute(
                select(agreement_versions.c.document)
                .where(agreement_versions.c.agreement == agreement)
                .order_by(agreement_versions.c.version)
            ).scalars()
            held = [from_document(json.loads(document)) for document in documents]
            purpose = private.get("of")
            if not held or (purpose and not any(purpose in one.purposes for one in held)):
                raise LookupError(purpose or agreement)
            changed = [(one, new) for one in held if (new := change(one)) != one]
            history = []
            for one, new in changed:
                _put_version(connection, new)
                digests = {"before": _digest(_written(one)), "after": _digest(_written(new)), "version": new.version}
                history.append(Change(Kind.AGREEMENT, actor, {**private, **digests}, agreement))
            if history:
                bump(connection, partner_scope(held[-1].partner))
                write_history(connection, history, now, self._entropy)
        return change(held[-1])


def _two_persons(proposer: str, approver: str) -> None:
    """Raises Refused(SAME_PERSON) unless there are two of them."""
    if not proposer.strip() or not approver.strip() or proposer.strip().casefold() == approver.strip().casefold():
        raise Refused(Cause.SAME_PERSON)


def _named(agreement: Agreement) -> list[str]:
    """Whom an intermediary may ask for under this version."""
    named = agreement.fields.get("on_behalf_of")
    return [str(name) for name in named] if isinstance(named, list) else []


def _written(agreement: Agreement) -> str:
    return json.dumps(to_document(agreement), sort_keys=True)


def _put_version(connection: Connection, agreement: Agreement) -> None:
    row = (agreement.id, agreement.version, agreement.partner, str(agreement.state), _written(agreement))
    put_many(connection, agreement_versions, [row], ("state", "document"))


def _digest(text: str) -> str:
    return b64u(digest(text))
