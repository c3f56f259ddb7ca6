"""How are partners, clients and agreements kept?

A change, its entry and the partner's new epoch are one transaction, so that a suspension holds from the next answer on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from gateway.clock import Entropy, jakarta_date
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.ledger.log.canonical import digest
from gateway.ledger.log.entry import Kind
from gateway.oauth.client import Client
from gateway.oauth.jose import parse_key
from gateway.oauth.mtls import SELF_SIGNED, certificate, parse_name, registered_certificate
from gateway.partners import lifecycle
from gateway.partners.agreement import Agreement, AgreementState, Partner
from gateway.partners.approvals import require_other_person
from gateway.partners.in_force import governing
from gateway.partners.present import Present, Reach, objections, principals_of
from gateway.partners.purposes import PurposeCatalogue
from gateway.partners.terms import TermRow, from_document
from gateway.sealing.standing import HOUSE, Standing, partner_scope
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.base.tables import epochs
from gateway.store.commands.unit_of_work import PARTNER_SCOPES, STAFF, CommandResult, UnitOfWork
from gateway.store.partners.agreements import change, classes, open_account, put_version, versions_of
from gateway.store.partners.clients import read_validity
from gateway.store.partners.credentials import enrol, expiries, person_of
from gateway.store.partners.offices import put_offices
from gateway.store.partners.tables import agreement_versions, clients, drafts, exemptions, partners
from gateway.store.sealing.history import RecordedChange, bump, write_history

__all__ = ["STAFF", "Imported", "PartnersOf"]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became, or would become, of one row of an agreements file: created | changed | unchanged.

    `governs` is the version that governs now that it is done: another one where the row's own term has not begun.
    """

    agreement: str
    partner: str
    version: int
    digest: str
    outcome: str
    governs: int


class UnfitRowsError(ValueError):
    """Rows that read well, and cannot be taken as things are; `faults` has one text for each reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class PartnersOf:
    """Partners in one database."""

    def __init__(self, database: Database, entropy: Entropy, reach: Reach = Reach()) -> None:  # noqa: B008  a value
        """`reach` bounds what the networks of an agreement may admit."""
        self._database = database
        self._entropy = entropy
        self._reach = reach

    def standing(self, connection: Connection, client_id: str) -> Standing | None:
        """What stands behind a client, in one snapshot with its epochs."""
        row = connection.execute(select(clients).where(clients.c.client_id == client_id)).one_or_none()
        if row is None:
            return None
        jwks = json.loads(row.keys)["keys"]
        keys = {key.kid: key for key in map(parse_key, jwks)}
        name = json.loads(row.certificate_name)
        client = Client(
            row.client_id,
            row.partner,
            row.auth_method,
            keys,
            frozenset(row.scopes.split()),
            person=person_of(connection, client_id),
            expiries=expiries(connection, client_id),
            sender_constraint=row.sender_constraint,
            name=parse_name(*name) if name else None,
            certificates={certificate(der).thumbprint: parse_key(jwk).kid for jwk, der in _certificates(jwks)},
        )
        partner = self.partner(connection, row.partner)
        named = {name for one in partner.agreements for name in principals_of(one)}
        principals = {
            name: self.partner(connection, name)
            for name in connection.execute(select(partners.c.id).where(partners.c.id.in_(named))).scalars()
        }
        validity = read_validity(connection, client_id, frozenset(key.thumbprint for key in keys.values()))
        counts = {partner_scope(one.id): one.epoch for one in (partner, *principals.values())}
        deployment = connection.execute(select(epochs.c.count).where(epochs.c.scope == HOUSE)).scalar()
        return Standing(client, partner, {HOUSE: deployment or 0, **counts}, principals, validity)

    @staticmethod
    def certificates(connection: Connection) -> list[bytes]:
        """The self-signed certificates (DER) that clients have registered."""
        method = clients.c.auth_method == SELF_SIGNED
        sets = connection.execute(select(clients.c["keys"]).where(method)).scalars()
        return [der for text in sets for _, der in _certificates(json.loads(text)["keys"])]

    @staticmethod
    def partner(connection: Connection, id: str) -> Partner:
        """A partner with every version of its agreements."""
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
        self, rows: Sequence[TermRow], *, proposer: str, approver: str, balances: Mapping[str, int] | None = None
    ) -> list[Imported]:
        """Bring sound rows in force, in one transaction. `balances` are opening balances in rupiah by agreement.

        Raises Refused(SAME_PERSON) unless two persons vouch for it: whatever widens access needs two; UnfitRowsError.
        """
        _two_persons(proposer, approver)
        with self._database.sealing() as (connection, now):
            done = self._plan(connection, rows, now)
            changes: list[RecordedChange] = []
            for row, plan in zip(rows, done, strict=True):
                self._take(connection, now, row, plan, f"{proposer}+{approver}", changes, balances or {})
            write_history(connection, changes, now, self._entropy)
        return done

    def plan(self, rows: Sequence[TermRow], now: int) -> list[Imported]:
        """What would become of sound rows at the instant `now`. Raises UnfitRowsError."""
        with self._database.reading() as connection:
            return self._plan(connection, rows, now)

    def _plan(self, connection: Connection, rows: Sequence[TermRow], now: int) -> list[Imported]:
        """What each row becomes, in order: a later row of one agreement follows the version that an earlier one makes."""
        own = {row.partner.id: row.partner.kind for row in rows if row.partner}
        versions: dict[str, list[Agreement]] = {}
        done: list[Imported] = []
        faults: list[str] = []
        for row in rows:
            agreement = row.agreement
            if row.partner is None or agreement is None:
                msg = "only rows without faults can be taken"
                raise ValueError(msg)
            every = versions.setdefault(agreement.id, versions_of(connection, agreement.id))
            held = [one for one in every if one.state not in lifecycle.UNSETTLED]
            outcome, version = "unchanged", held[-1].version if held else 0
            label = f"row {row.index} `{agreement.id}`: "
            if held and held[-1].partner != agreement.partner:
                faults.append(f"{label}id: the agreement belongs to another partner")
            elif not held or held[-1].digest != agreement.digest:
                outcome, version = "changed" if held else "created", self._next(connection, every, row)
                if row.numbered and agreement.version != version:
                    faults.append(f"{label}version: the next one is {version}; leave it out to take that")
                known = classes(connection, agreement.fields.get("on_behalf_of")) | own
                present = Present(jakarta_date(now), lifecycle.newest_approved(every), known, self._reach)
                faults += [label + fault for fault in objections(agreement, present).faults]
                every.append(replace(agreement, version=version, state=AgreementState.IN_FORCE))
            governs = next(one.version for one in governing(tuple(every), now) if one.id == agreement.id)
            done.append(Imported(agreement.id, row.partner.id, version, agreement.digest, outcome, governs))
        if faults:
            raise UnfitRowsError(faults)
        return done

    @staticmethod
    def _next(connection: Connection, every: Sequence[Agreement], row: TermRow) -> int:
        """The number of a new version: after every one and every draft; the first may have any."""
        assert row.agreement is not None  # noqa: S101  for the type checker: the caller has looked
        drafted = connection.execute(select(drafts.c.version).where(drafts.c.agreement == row.agreement.id)).scalars()
        taken = [*(one.version for one in every), *drafted]
        return max(taken) + 1 if taken else row.agreement.version

    def _take(  # noqa: PLR0913  what an import is made of
        self,
        connection: Connection,
        now: int,
        row: TermRow,
        plan: Imported,
        actor: str,
        changes: list[RecordedChange],
        balances: Mapping[str, int],
    ) -> None:
        entry, agreement = row.partner, row.agreement
        assert entry is not None  # noqa: S101  for the type checker: planned rows have both
        assert agreement is not None  # noqa: S101
        before = len(changes)
        held = connection.execute(select(partners).where(partners.c.id == entry.id)).one_or_none()
        if held is None or (held.name, held.kind) != (entry.name, entry.kind):
            suspended = bool(held.suspended) if held else False
            put_many(connection, partners, [(entry.id, entry.name, entry.kind, suspended)], ("name", "kind"))
            changes.append(
                RecordedChange(
                    Kind.PARTNER, actor, {"partner": entry.id, "after": b64u(digest([entry.name, entry.kind]))}
                )
            )
        if entry.exemption:
            given = (entry.id, str(entry.exemption["ground"]), str(entry.exemption["proof"]), 0)
            put_many(connection, exemptions, [given], ("ground", "proof", "ends"))
        self._take_clients(connection, row, actor, changes)
        if plan.outcome != "unchanged":
            settled = lifecycle.newest_approved(versions_of(connection, agreement.id))
            put_version(connection, replace(agreement, version=plan.version, state=AgreementState.IN_FORCE))
            digests = {"before": settled.digest if settled else "", "after": plan.digest, "version": plan.version}
            changes.append(RecordedChange(Kind.AGREEMENT, actor, digests, agreement.id))
        opening = balances.get(agreement.id, 0)
        if open_account(connection, agreement.id, entry.id, now, opening) and opening:
            opened = {"change": "open_balance", "partner": entry.id, "before": 0, "after": opening}
            changes.append(RecordedChange(Kind.MONEY, actor, opened, agreement.id))
        if len(changes) > before:
            bump(connection, partner_scope(entry.id))

    @staticmethod
    def _take_clients(connection: Connection, row: TermRow, actor: str, changes: list[RecordedChange]) -> None:
        for client in row.clients:
            keys = json.dumps({"keys": [dict(key) for key in client.keys]}, sort_keys=True)
            held = connection.execute(select(clients).where(clients.c.client_id == client.client_id)).one_or_none()
            if held is not None and held.partner != client.partner:
                msg = f"client {client.client_id} belongs to another partner"
                raise ValueError(msg)
            known = (client.auth_method, keys, client.sender_constraint, json.dumps(client.tls or ()))
            before = held and (held.auth_method, held.keys, held.sender_constraint, held.certificate_name)
            if known == before:
                continue
            method, _, *binding = known
            put_many(
                connection,
                clients,
                [(client.client_id, client.partner, method, " ".join(PARTNER_SCOPES), keys, *binding)],
                ("auth_method", "keys", "sender_constraint", "certificate_name"),
            )
            digests = {"before": _digest(json.dumps(before)) if held else "", "after": _digest(json.dumps(known))}
            changes.append(RecordedChange(Kind.CLIENT, actor, {"client": client.client_id, **digests}))

    def enrol(  # noqa: PLR0913  what a credential is made of
        self,
        client_id: str,
        name: str,
        scopes: Sequence[str],
        jwk: Mapping[str, Any],
        *,
        actor: str,
        regencies: Sequence[str] = (),
    ) -> None:
        """Register the client of one member of staff; every credential belongs to one person. Nothing when it is known."""
        with self._database.sealing() as (connection, now):
            if connection.execute(select(clients.c.client_id).where(clients.c.client_id == client_id)).first():
                return
            result = enrol(self._unit(connection, now), client_id, name, list(scopes), jwk)
            put_offices(connection, client_id, regencies)
            self._record(connection, result, actor, now)

    def suspend(self, agreement: str, *, actor: str, reason: str, purpose: str = "") -> Agreement:
        """Suspend an agreement, or one purpose of it, at once; one person may. Raises LookupError.

        Every version that is or may come into force is suspended, so that none takes the other's place.
        """
        private = {"change": "suspend", "reason": reason, "of": purpose}
        return self._change(agreement, lambda held: lifecycle.suspend(held, reason, purpose), actor, private)

    def resume(self, agreement: str, *, proposer: str, approver: str) -> Agreement:
        """Lift every suspension of an agreement. Raises LookupError, and Refused(SAME_PERSON): it widens access."""
        _two_persons(proposer, approver)
        return self._change(agreement, lifecycle.resume, f"{proposer}+{approver}", {"change": "resume"})

    def _change(
        self, agreement: str, apply: Callable[[Agreement], Agreement], actor: str, private: dict[str, Any]
    ) -> Agreement:
        """Apply `apply` to every version of an agreement; the newest, as it is then."""
        with self._database.sealing() as (connection, now):
            try:
                result = change(self._unit(connection, now), agreement, apply, private)
            except Refused:
                raise LookupError(private.get("of") or agreement) from None
            if result.moved:
                self._record(connection, result, actor, now)
            return versions_of(connection, agreement)[-1]

    def _unit(self, connection: Connection, now: int) -> UnitOfWork:
        return UnitOfWork(connection, now, self._entropy, PurposeCatalogue({}))  # no draft is read here

    def _record(self, connection: Connection, result: CommandResult, actor: str, now: int) -> None:
        write_history(
            connection, [RecordedChange(result.kind, actor, result.private, result.agreement)], now, self._entropy
        )
        for partner in result.moved:
            bump(connection, partner_scope(partner))


def _two_persons(proposer: str, approver: str) -> None:
    """Raises Refused(SAME_PERSON) unless there are two of them."""
    if not proposer.strip():
        raise Refused(Cause.SAME_PERSON)
    require_other_person((proposer,), approver)


def _certificates(jwks: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], bytes]]:
    """The JWKs that hold a certificate, each with its DER."""
    return [(jwk, der) for jwk in jwks if (der := registered_certificate(jwk)) is not None]


def _digest(text: str) -> str:
    return b64u(digest(text))
