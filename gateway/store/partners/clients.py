"""How are clients narrowed? Suspension, removal of a key and revoked tokens; each with its entry and the partner's epoch.

What is narrowed here holds from the next answer on, on every node: the seal refuses what was decided on an older epoch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from gateway.clock import Entropy
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.ledger.log.canonical import digest
from gateway.ledger.log.entry import Kind
from gateway.sealing.standing import Validity, partner_scope
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.partners.tables import client_states, clients
from gateway.store.sealing.history import RecordedChange, bump, write_history
from gateway.store.sealing.tables import revoked_tokens


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client as an administrator sees it; `keys` are public JWKs."""

    client_id: str
    partner: str
    auth_method: str
    scopes: tuple[str, ...]
    keys: tuple[Mapping[str, Any], ...]
    suspended: bool
    reason: str


def read_validity(connection: Connection, client_id: str, keys: frozenset[str]) -> Validity:
    """Which tokens of a client hold; in the snapshot that its epochs are read in."""
    state = connection.execute(select(client_states).where(client_states.c.client_id == client_id)).one_or_none()
    revoked = connection.execute(select(revoked_tokens.c.jti).where(revoked_tokens.c.client_id == client_id)).scalars()
    suspended, not_before = (bool(state.suspended), int(state.not_before)) if state else (False, 0)
    return Validity(suspended, not_before, frozenset(revoked), keys)


class ClientsOf:
    """The clients in one database."""

    def __init__(self, database: Database, entropy: Entropy) -> None:
        self._database = database
        self._entropy = entropy

    def rows(self) -> list[ClientRow]:
        """Every client, by partner."""
        joined = clients.outerjoin(client_states, clients.c.client_id == client_states.c.client_id)
        columns = (clients, client_states.c.suspended, client_states.c.reason)
        with self._database.reading() as connection:
            found = connection.execute(
                select(*columns).select_from(joined).order_by(clients.c.partner, clients.c.client_id)
            )
            return [
                ClientRow(
                    row.client_id,
                    row.partner,
                    row.auth_method,
                    tuple(row.scopes.split()),
                    tuple(json.loads(row.keys)["keys"]),
                    bool(row.suspended),
                    row.reason or "",
                )
                for row in found
            ]

    def suspend(self, client_id: str, *, actor: str, reason: str) -> None:
        """Give this client no more tokens, and void those it has; one person may. Raises LookupError.

        Nothing when it is suspended already.
        """
        with self._database.sealing() as (connection, now):
            partner = _partner_of(connection, client_id)
            if _is_suspended(connection, client_id):
                return
            row = (client_id, True, reason, now)
            put_many(connection, client_states, [row], ("suspended", "reason", "not_before"))
            self._seal(connection, now, partner, actor, {"client": client_id, "change": "suspend", "reason": reason})

    def resume(self, client_id: str, *, proposer: str, approver: str) -> None:
        """Let a suspended client ask for tokens again; those from before stay void. Raises LookupError.

        Raises Refused(SAME_PERSON): it widens access, which takes two persons.
        """
        if not proposer.strip() or not approver.strip() or proposer.strip().casefold() == approver.strip().casefold():
            raise Refused(Cause.SAME_PERSON)
        with self._database.sealing() as (connection, now):
            partner = _partner_of(connection, client_id)
            if not _is_suspended(connection, client_id):
                return
            connection.execute(
                client_states.update().where(client_states.c.client_id == client_id).values(suspended=False, reason="")
            )
            private = {"client": client_id, "change": "resume"}
            self._seal(connection, now, partner, f"{proposer}+{approver}", private)

    def remove_key(self, client_id: str, kid: str, *, actor: str) -> int:
        """Take a key from a client, with every token that was got with it; one person may. Returns how many keys are left.

        Raises LookupError (with the client or the kid) when there is none.
        """
        with self._database.sealing() as (connection, now):
            partner = _partner_of(connection, client_id)
            held = connection.execute(select(clients).where(clients.c.client_id == client_id)).one()
            keys = json.loads(held.keys)["keys"]
            kept = [jwk for jwk in keys if jwk.get("kid") != kid]
            if len(kept) == len(keys):
                raise LookupError(kid)
            written = json.dumps({"keys": kept}, sort_keys=True)
            connection.execute(clients.update().where(clients.c.client_id == client_id).values(keys=written))
            digests = {"before": b64u(digest(held.keys)), "after": b64u(digest(written))}
            private = {"client": client_id, "change": "remove_key", "kid": kid, **digests}
            self._seal(connection, now, partner, actor, private)
        return len(kept)

    def _seal(self, connection: Connection, now: int, partner: str, actor: str, private: Mapping[str, object]) -> None:
        bump(connection, partner_scope(partner))
        write_history(connection, [RecordedChange(Kind.CLIENT, actor, private)], now, self._entropy)


def _partner_of(connection: Connection, client_id: str) -> str:
    found = connection.execute(select(clients.c.partner).where(clients.c.client_id == client_id)).scalar()
    if found is None:
        raise LookupError(client_id)
    return str(found)


def _is_suspended(connection: Connection, client_id: str) -> bool:
    found = connection.execute(select(client_states.c.suspended).where(client_states.c.client_id == client_id)).scalar()
    return bool(found)
