"""How do keys and administrators come and go? Every key belongs to a client, every client of the house to one person.

A key comes by two persons, or by the partner itself with proof of the old key and the new; it goes at once.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from hashlib import sha256
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from sqlalchemy import Connection, delete, select, update

from gateway.administration.commands import Act
from gateway.administration.requests.partners import NewKey
from gateway.clock import DAY, SECOND, jakarta_midnight, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.ledger.log.entry import Kind
from gateway.oauth.client import SCOPES
from gateway.oauth.jose import JoseFault, parse_key, take_apart
from gateway.partners.approvals import Approval
from gateway.partners.lifecycle import digest
from gateway.store.base.statements import put_many
from gateway.store.commands.unit_of_work import PARTNER_SCOPES, STAFF, CommandResult, UnitOfWork
from gateway.store.partners.agreements import partner_entry
from gateway.store.partners.offices import put_offices
from gateway.store.partners.tables import clients, key_terms, partners, persons
from gateway.strict import require_once

CONSOLE = "console"
"""How the client of a member of the console authenticates (store/staff.py): it has no key, and is given none."""
LIFE = 365 * DAY
"""How long a key serves that names no end."""
OVERLAP = 14 * DAY
"""How long the keys before go on serving beside one that the partner has rotated in."""
_PROOF_LIFE = 300 * SECOND
_PUBLIC = ("kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "x5c", "x5t#S256")
_KID = re.compile(r"(?!.*[0-9]{16})[A-Za-z0-9._-]{1,64}\Z").match


def keys_of(connection: Connection, client_id: str) -> list[dict[str, Any]]:
    """The public JWKs of a client; none when there is no such client."""
    held = connection.execute(select(clients.c["keys"]).where(clients.c.client_id == client_id)).scalar()
    return list(json.loads(held)["keys"]) if held else []


def expiries(connection: Connection, client_id: str) -> dict[str, int]:
    """Kid → when that key ends (microseconds), for keys that have an end."""
    rows = connection.execute(select(key_terms).where(key_terms.c.client_id == client_id))
    return {row.kid: row.expires for row in rows}


def person_of(connection: Connection, client_id: str) -> str:
    """Whose credential a client is; empty for a partner's."""
    return str(connection.execute(select(persons.c.name).where(persons.c.client_id == client_id)).scalar() or "")


def client_base(connection: Connection, client_id: str) -> str:
    """A digest of a client as it stands; empty when there is none."""
    row = connection.execute(select(clients).where(clients.c.client_id == client_id)).one_or_none()
    return digest([row.partner, row.auth_method, row.scopes, row.keys]) if row else ""


def read_key(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """A public JWK as it is kept, with a `kid`. Raises Refused(MALFORMED_REQUEST)."""
    try:
        key = parse_key(jwk)
    except (JoseFault, ValueError, TypeError) as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=["jwk"]) from fault
    if not _KID(key.kid):
        raise Refused(Cause.MALFORMED_REQUEST, members=["jwk.kid"])
    return {**{name: jwk[name] for name in _PUBLIC if name in jwk}, "kid": key.kid}


def read_certificate(pem: str) -> tuple[dict[str, Any], int]:
    """(the public JWK of a certificate with `x5c` and `x5t#S256`, when it ends). Raises Refused(MALFORMED_REQUEST)."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        der = certificate.public_bytes(Encoding.DER)
        spki = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        public = certificate.public_key()
        kind = (
            RSAKey
            if isinstance(public, RSAPublicKey)
            else ECKey
            if isinstance(public, EllipticCurvePublicKey)
            else OKPKey
        )
        jwk: dict[str, Any] = dict(kind.import_key(spki).as_dict(private=False))
    except (ValueError, TypeError, JoseError) as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=["certificate"]) from fault
    thumbprint = b64u(sha256(der).digest())
    ends = int(certificate.not_valid_after_utc.timestamp()) * SECOND
    whole = {**jwk, "x5c": [base64.b64encode(der).decode()], "x5t#S256": thumbprint, "kid": thumbprint}
    return read_key(whole), ends


def new_key(unit: UnitOfWork, act: Act) -> tuple[str, dict[str, Any]]:
    """(partner, what is to be proposed) for `POST /v1/partners/{id}/keys`. Raises Refused."""
    body: NewKey = act.body
    partner = partner_entry(unit.connection, act.path["id"]).id
    jwk, pem = body.jwk, body.certificate
    if isinstance(jwk, dict) == isinstance(pem, str):
        raise Refused(Cause.MALFORMED_REQUEST, members=["jwk", "certificate"])
    ends, expires = unit.now + LIFE, unit.now + LIFE
    if isinstance(jwk, dict):
        key = read_key(jwk)
    else:
        key, ends = read_certificate(str(pem))
        expires = ends
    if isinstance(body.expires, str):
        expires = _day(body.expires)
    if not unit.now < expires <= max(ends, unit.now + 3 * LIFE) or (isinstance(pem, str) and expires > ends):
        raise Refused(Cause.MALFORMED_REQUEST, members=["expires"])
    client_id = body.client_id if isinstance(body.client_id, str) else _own_client(unit.connection, partner)
    row = unit.connection.execute(select(clients).where(clients.c.client_id == client_id)).one_or_none()
    if row is not None and row.auth_method == CONSOLE:
        raise Refused(Cause.CONFLICT, fault="a member of the console has passkeys, and no other key")
    if row is not None and row.partner != partner:
        raise Refused(Cause.CONFLICT, fault="a client of this name belongs to another partner")
    if any(held.get("kid") == key["kid"] for held in keys_of(unit.connection, client_id)):
        raise Refused(Cause.CONFLICT, fault="the client has a key of this kid already")
    method = row.auth_method if row else ("private_key_jwt" if "x5c" not in key else "self_signed_tls_client_auth")
    subject = {"client_id": client_id, "auth_method": method, "jwk": key, "expires": expires}
    return partner, subject


def _own_client(connection: Connection, partner: str) -> str:
    """The partner's only client; the partner's own id when it has none. Raises Refused when it has several."""
    where = (clients.c.partner == partner, clients.c.auth_method != CONSOLE)
    held = list(connection.execute(select(clients.c.client_id).where(*where)).scalars())
    if len(held) > 1:
        raise Refused(Cause.MALFORMED_REQUEST, members=["client_id"])
    return held[0] if held else partner


def _day(text: str) -> int:
    try:
        return jakarta_midnight(date.fromisoformat(text))
    except ValueError as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=["expires"]) from fault


def add_key(unit: UnitOfWork, approval: Approval) -> CommandResult:
    """The effect of an approved key."""
    subject = approval.subject
    client_id, key = subject["client_id"], subject["jwk"]
    before = client_base(unit.connection, client_id)
    _put_keys(
        unit.connection, client_id, approval.partner, subject["auth_method"], " ".join(PARTNER_SCOPES),
        [*keys_of(unit.connection, client_id), key],
    )  # fmt: skip
    put_many(unit.connection, key_terms, [(client_id, key["kid"], subject["expires"])], ("expires",))
    private = {
        "partner": approval.partner, "client": client_id, "kid": key["kid"], "before": before,
        "after": client_base(unit.connection, client_id),
    }  # fmt: skip
    answer = {"client_id": client_id, "kid": key["kid"], "expires": rfc3339_seconds(subject["expires"])}
    return CommandResult(Kind.CLIENT, answer, private, moved=(approval.partner,))


def _put_keys(  # noqa: PLR0913  the columns of a client
    connection: Connection, client_id: str, partner: str, method: str, scopes: str, keys: list[dict[str, Any]]
) -> None:
    written = json.dumps({"keys": keys}, sort_keys=True)
    row = connection.execute(select(clients.c.client_id).where(clients.c.client_id == client_id)).first()
    if row is not None:
        connection.execute(update(clients).where(clients.c.client_id == client_id).values(keys=written))
        return
    bound = "dpop" if method == "private_key_jwt" else "mtls"
    values = {
        "client_id": client_id, "partner": partner, "auth_method": method, "scopes": scopes, "keys": written,
        "sender_constraint": bound, "certificate_name": json.dumps(()),
    }  # fmt: skip
    connection.execute(clients.insert().values(**values))


def remove_key(unit: UnitOfWork, act: Act) -> CommandResult:
    """`DELETE /v1/partners/{id}/keys/{kid}`: at once, with every token that was got with it."""
    partner = partner_entry(unit.connection, act.path["id"]).id
    kid = act.path["kid"]
    for client_id in unit.connection.execute(select(clients.c.client_id).where(clients.c.partner == partner)).scalars():
        if any(key.get("kid") == kid for key in keys_of(unit.connection, client_id)):
            return drop_key(unit, client_id, kid, "remove_key")
    raise Refused(Cause.NOT_FOUND)


def drop_key(unit: UnitOfWork, client_id: str, kid: str, change: str) -> CommandResult:
    """Take a key from a client that has it."""
    connection = unit.connection
    row = connection.execute(select(clients).where(clients.c.client_id == client_id)).one()
    before, held = client_base(connection, client_id), keys_of(connection, client_id)
    kept = [key for key in held if key.get("kid") != kid]
    written = json.dumps({"keys": kept}, sort_keys=True)
    connection.execute(update(clients).where(clients.c.client_id == client_id).values(keys=written))
    connection.execute(delete(key_terms).where(key_terms.c.client_id == client_id, key_terms.c.kid == kid))
    private = {
        "change": change, "partner": row.partner, "client": client_id, "kid": kid, "before": before,
        "after": client_base(connection, client_id),
    }  # fmt: skip
    answer = {"client_id": client_id, "kid": kid, "left": len(kept)}
    return CommandResult(Kind.CLIENT, answer, private, moved=(row.partner,), shown=("partner", {"id": row.partner}))


def rotate_key(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/keys`: the partner's own new key; the old one is proven by the call, the new one by the JWS `proof`.

    The proof's payload is `{"client_id","jkt","iat"}`; it was made within the last five minutes.
    """
    connection, client_id = unit.connection, act.client_id
    row = connection.execute(select(clients).where(clients.c.client_id == client_id)).one_or_none()
    if row is None or row.partner == STAFF or row.auth_method == CONSOLE:
        raise Refused(Cause.NOT_FOUND)
    key = read_key(act.body.jwk)
    _require_possession(act, key, unit.now)
    held, terms = keys_of(connection, client_id), expiries(connection, client_id)
    taken = {jwk.get("kid") for jwk in held}
    if key["kid"] in taken or parse_key(key).thumbprint in {parse_key(jwk).thumbprint for jwk in held}:
        raise Refused(Cause.CONFLICT, fault="the client has this key, or one of its kid, already")
    before = client_base(connection, client_id)
    _put_keys(connection, client_id, row.partner, row.auth_method, row.scopes, [*held, key])
    ends = {str(jwk["kid"]): min(terms.get(str(jwk["kid"]), unit.now + LIFE), unit.now + OVERLAP) for jwk in held}
    ends[key["kid"]] = unit.now + LIFE
    put_many(connection, key_terms, [(client_id, kid, end) for kid, end in ends.items()], ("expires",))
    private = {
        "change": "rotate_key", "partner": row.partner, "client": client_id, "kid": key["kid"], "before": before,
        "after": client_base(connection, client_id),
    }  # fmt: skip
    shown = [{"kid": kid, "expires": rfc3339_seconds(end)} for kid, end in ends.items()]
    return CommandResult(Kind.CLIENT, {"client_id": client_id, "keys": shown}, private, moved=(row.partner,))


def _require_possession(act: Act, key: Mapping[str, Any], now: int) -> None:
    """Raises Refused(MALFORMED_REQUEST) unless the proof was made with the new key, for this client, just now."""
    try:
        public = parse_key(key)
        jws, _ = take_apart(act.body.proof)
        jws.verify(public)
        payload = msgspec.json.decode(jws.payload, type=dict[str, Any])
        require_once(jws.payload, payload)
    except (JoseFault, msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=["proof"]) from fault
    made = payload.get("iat")
    fresh = isinstance(made, int) and abs(now - made * SECOND) <= _PROOF_LIFE
    wanted = {"client_id": act.client_id, "jkt": public.thumbprint}
    if not fresh or any(payload.get(name) != value for name, value in wanted.items()):
        raise Refused(Cause.MALFORMED_REQUEST, members=["proof"])


def new_administrator(unit: UnitOfWork, act: Act) -> dict[str, Any]:
    """What is to be proposed for `POST /v1/staff`. Raises Refused."""
    body = act.body
    scopes = sorted(set(body.scopes))
    if not set(scopes) <= SCOPES.keys() - set(PARTNER_SCOPES):
        raise Refused(Cause.MALFORMED_REQUEST, members=["scopes"])
    if unit.connection.execute(select(clients.c.client_id).where(clients.c.client_id == body.client_id)).first():
        raise Refused(Cause.CONFLICT, fault="a client of this name is registered already")
    subject = {"client_id": body.client_id, "person": body.person, "scopes": scopes, "jwk": read_key(body.jwk)}
    if not isinstance(body.regencies, list):
        return subject
    return subject | {"regencies": sorted(set(body.regencies))}


def add_administrator(unit: UnitOfWork, approval: Approval) -> CommandResult:
    """The effect of an approved administrator."""
    subject = approval.subject
    result = enrol(unit, subject["client_id"], subject["person"], subject["scopes"], subject["jwk"])
    put_offices(unit.connection, subject["client_id"], subject.get("regencies", ()))
    return result


def enrol(unit: UnitOfWork, client_id: str, person: str, scopes: list[str], jwk: Mapping[str, Any]) -> CommandResult:
    """Register the client of one person of the house."""
    connection = unit.connection
    put_many(connection, partners, [(STAFF, "Directorate General (staff)", "directorate", False)], ("name",))
    _put_keys(connection, client_id, STAFF, "private_key_jwt", " ".join(sorted(scopes)), [dict(jwk)])
    put_many(connection, persons, [(client_id, person)], ("name",))
    private = {
        "client": client_id, "person": person, "scopes": sorted(scopes), "before": "",
        "after": client_base(connection, client_id),
    }  # fmt: skip
    return CommandResult(Kind.CLIENT, {"client_id": client_id, "person": person}, private, moved=(STAFF,))


def dismiss(unit: UnitOfWork, act: Act) -> CommandResult:
    """`DELETE /v1/staff/{client_id}`: a person of the house loses a credential, at once."""
    connection, client_id = unit.connection, act.path["client_id"]
    row = connection.execute(
        select(clients).where(
            clients.c.client_id == client_id, clients.c.partner == STAFF, clients.c.auth_method != CONSOLE
        )
    ).one_or_none()
    if row is None:
        raise Refused(Cause.NOT_FOUND)
    before, name = client_base(connection, client_id), person_of(connection, client_id)
    connection.execute(delete(clients).where(clients.c.client_id == client_id))
    put_offices(connection, client_id, ())
    connection.execute(delete(persons).where(persons.c.client_id == client_id))
    private = {"change": "dismiss", "client": client_id, "person": name, "before": before, "after": ""}
    return CommandResult(Kind.CLIENT, {"client_id": client_id, "dismissed": True}, private, moved=(STAFF,))


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    "remove_key": remove_key,
    "rotate_key": rotate_key,
    "dismiss_administrator": dismiss,
}
"""What is done here, by the name of the act."""
