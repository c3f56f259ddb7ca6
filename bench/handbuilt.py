"""What does the same verification cost in a gateway built by hand from popular parts?

FastAPI, slowapi, Authlib's joserfc, SQLAlchemy's ORM; a session, a thread and a commit a request. The same work:
token, proof of possession, replay check, allowance, sealed record, compare, audit row, signed answer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
import uuid
from collections.abc import Iterator
from typing import Annotated, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jwt import JWTClaimsRegistry
from pydantic import BaseModel
from slowapi import Limiter
from slowapi.util import get_remote_address
from sqlalchemy import ForeignKey, LargeBinary, String, create_engine, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

PATH = "/v1/verifications"
PLAN = json.loads(os.environ["HANDBUILT_PLAN"])  # database, issuer key, index key, record key: from bench/run.py
_issuer_key = ECKey.import_key(PLAN["issuer_key"])
_token_rules = JWTClaimsRegistry(exp={"essential": True})
_index_key = bytes.fromhex(PLAN["index_key"])
_cipher = AESGCMSIV(bytes.fromhex(PLAN["record_key"]))
_signer = Ed25519PrivateKey.generate()


class Base(DeclarativeBase):
    """Tables."""


class Resident(Base):
    """A sealed record under its keyed index."""

    __tablename__ = "resident"
    id: Mapped[int] = mapped_column(primary_key=True)
    ix: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    sealed: Mapped[bytes]


class Usage(Base):
    """What a partner has spent of its allowance."""

    __tablename__ = "usage"
    partner: Mapped[str] = mapped_column(String(64), primary_key=True)
    spent: Mapped[int] = mapped_column(default=0)


class Proof(Base):
    """A DPoP proof that was seen."""

    __tablename__ = "proof"
    jti: Mapped[str] = mapped_column(String(64), primary_key=True)


class Audit(Base):
    """One answer."""

    __tablename__ = "audit"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    partner: Mapped[str] = mapped_column(ForeignKey("usage.partner"))
    at: Mapped[float]
    previous: Mapped[str]
    answer: Mapped[str]


class Question(BaseModel):
    """The body of a verification."""

    nik: str
    purpose: str
    claims: dict[str, str]


# One connection: threads that wait in the pool do better than threads that poll SQLite's lock.
_engine = create_engine(PLAN["database"], pool_size=1, max_overflow=0)


@event.listens_for(_engine, "connect")
def _durable(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


_sessions = sessionmaker(_engine)


def session() -> Iterator[Session]:
    """A session for one request."""
    with _sessions() as one:
        yield one


def fill(people: list[dict[str, Any]], partner: str) -> None:
    """Make the tables and import `people`."""
    Base.metadata.create_all(_engine)
    with _sessions() as one:
        one.add(Usage(partner=partner, spent=0))
        for number, person in enumerate(people):
            nonce = os.urandom(12)
            plain = json.dumps({"nik": person["nik"], **person["claims"]}).encode()
            sealed = nonce + _cipher.encrypt(nonce, plain, number.to_bytes(8, "big"))
            one.add(Resident(id=number, ix=_index(person["nik"]), sealed=sealed))
        one.commit()


def _index(nik: str) -> bytes:
    return hmac.digest(_index_key, nik.encode(), "sha256")[:16]


def caller(request: Request) -> tuple[str, str]:
    """Partner and proof id. Raises 401."""
    token = request.headers.get("authorization", "").removeprefix("DPoP ")
    claims = jwt.decode(token, _issuer_key, algorithms=["ES256"]).claims
    _token_rules.validate(claims)
    proof = request.headers.get("dpop", "")
    head = proof.split(".")[0]
    key = ECKey.import_key(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["jwk"])
    said = jwt.decode(proof, key, algorithms=["ES256"]).claims
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    fresh = abs(time.time() - said["iat"]) <= 60  # noqa: PLR2004  the window of the wire contract
    if key.thumbprint() != claims["cnf"]["jkt"] or said["ath"] != ath or said["htm"] != "POST" or not fresh:
        raise HTTPException(401)
    return claims["client_id"], said["jti"]


app = FastAPI(openapi_url=None)
limiter = Limiter(key_func=get_remote_address)
app.state.limiter = limiter


@app.post(PATH)
@limiter.limit("1000000/minute")
def verify(
    request: Request,  # noqa: ARG001  slowapi reads it
    question: Question,
    who: Annotated[tuple[str, str], Depends(caller)],
    database: Annotated[Session, Depends(session)],
) -> Response:
    """One verification, one commit."""
    partner, jti = who
    usage = database.get(Usage, partner, with_for_update=True)
    resident = database.query(Resident).filter_by(ix=_index(question.nik)).one_or_none()
    if usage is None or resident is None:
        raise HTTPException(404)
    aad = resident.id.to_bytes(8, "big")
    record = json.loads(_cipher.decrypt(resident.sealed[:12], resident.sealed[12:], aad))
    usable = record["nik"] == question.nik and all(record.get(name) == text for name, text in question.claims.items())
    answer = json.dumps({"id": str(uuid.uuid4()), "usable": usable, "match": usable, "status": "active"})
    database.add(Proof(jti=jti))
    usage.spent = Usage.spent + 1
    leaf = hashlib.sha256(answer.encode()).hexdigest()
    database.add(Audit(id=str(uuid.uuid4()), partner=partner, at=time.time(), previous=leaf, answer=answer))
    try:
        database.commit()
    except IntegrityError as error:
        raise HTTPException(401) from error
    return Response(answer, media_type="application/json", headers={"signature": _signer.sign(answer.encode()).hex()})
