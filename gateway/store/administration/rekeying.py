"""How does the register come under newer keys while it is read? Page by page: record and index in one short transaction.

Nothing is lost on the way: a record is found under the old index until the new one stands, in the very same transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from gateway.clock import Entropy
from gateway.keyring import Job, Keyring
from gateway.ledger.log.entry import Kind
from gateway.register.codec import decode
from gateway.store.audit.access_requests import reseal_requests
from gateway.store.base.engine import Database
from gateway.store.base.statements import Lookup, put_many
from gateway.store.feeds.delivery import reseal_held
from gateway.store.register.residents import Progress, RegisterOf
from gateway.store.register.tables import records, register_index
from gateway.store.sealing.history import RecordedChange, write_history
from gateway.verification.judge import INDEX, binding, indexes

PAGE = 200  # records of one transaction, under the sealing lock: some milliseconds


@dataclass(slots=True)
class Rekeyed:
    """What was done: records looked at and rewritten, and rows that still stand under an older key (0: none does)."""

    index: int  # the version that the index stands under now
    claims: int  # the version that records are sealed under now
    seen: int = 0
    rewritten: int = 0
    left: int = 0


def rekey(  # noqa: PLR0913  everything that it is made of
    database: Database,
    keyring: Keyring,
    entropy: Entropy,
    *,
    actor: str,
    tell: Callable[[int], None] = lambda _: None,
    rest: Callable[[], object] = lambda: None,
    page: int = PAGE,
) -> Rekeyed:
    """Rewrite whatever stands under an older key than the ones in use; goes on where an interrupted run ended.

    `rest` is called between two pages: others get the lock. Begins anew while a process that does not use the new keys yet
    goes on writing with the old ones. One entry when it is done. Raises StoreUnavailable, SealBroken (an older key is
    missing), LedgerForked.
    """
    done = Rekeyed(keyring.mac(Job.INDEX).version, keyring.sealer(Job.CLAIMS).version)
    register = RegisterOf(database, keyring, entropy)
    name = f"rekey index-{done.index} claims-{done.claims}"
    begun = register.progress(name)
    after = 0
    if begun is not None and not begun.finished:
        after, done.seen, done.rewritten = begun.lines, begun.taken, begun.refused
    known = Lookup(database.dialect, "SELECT ix, record FROM register_index", register_index.c.ix)
    while True:
        before = done.rewritten
        while True:
            with database.sealing() as (connection, _):
                database.lock_register(connection)
                after = _rewrite(connection, keyring, entropy, known, after, page, done)
                register.note(connection, name, Progress(after, done.seen, done.rewritten, b"", finished=False))
            if not after:
                break
            tell(done.seen)
            rest()
        done.left = left(database, keyring)
        if not done.left or done.rewritten == before:
            break
    with database.sealing() as (connection, now):
        done.rewritten += reseal_requests(connection, keyring, entropy) + reseal_held(connection, keyring, entropy)
        register.note(connection, name, Progress(0, done.seen, done.rewritten, b"", finished=True))
        private = {"index": done.index, "claims": done.claims, "rewritten": done.rewritten, "left": done.left}
        write_history(connection, [RecordedChange(Kind.REKEY, actor, private)], now, entropy)
    return done


def _rewrite(  # noqa: PLR0913  a page of the walk
    connection: Connection, keyring: Keyring, entropy: Entropy, known: Lookup, after: int, page: int, done: Rekeyed
) -> int:
    """One page of records after this id; the last id of it, 0 when there was none."""
    mac, key = keyring.mac(Job.INDEX), keyring.sealer(Job.CLAIMS)
    statement = select(records.c.id, records.c.sealed).where(records.c.id > after).order_by(records.c.id).limit(page)
    rows = [(id, bytes(sealed)) for id, sealed in connection.execute(statement)]
    if not rows:
        return 0
    resealed: list[tuple[int, bytes]] = []
    newest: dict[bytes, int] = {}
    older: list[bytes] = []
    for id, sealed in rows:
        opener = keyring.opener(Job.CLAIMS, sealed)
        plain = opener.open(sealed, binding(id, opener.version))
        nik = decode(plain).nik
        own = mac.mac(nik.encode())[:INDEX]
        newest[own] = id
        older += [ix for ix in indexes(keyring, nik) if ix != own]
        if opener.version != key.version:
            resealed.append((id, key.seal(plain, binding(id, key.version), entropy)))
    held = {bytes(ix): record for ix, record in known.rows(connection, [*newest, *older])}
    added = [(ix, mac.version, id) for ix, id in newest.items() if ix not in held]
    gone = [ix for ix in older if ix in held]
    put_many(connection, records, resealed, ("sealed",))
    put_many(connection, register_index, added)
    if gone:
        connection.execute(delete(register_index).where(register_index.c.ix.in_(gone)))
    done.seen += len(rows)
    done.rewritten += len({id for id, _ in resealed} | {id for _, _, id in added} | {held[ix] for ix in gone})
    return int(rows[-1][0])


def left(database: Database, keyring: Keyring) -> int:
    """How many rows of records and index stand under an older key than the one in use."""
    mac, key = keyring.mac(Job.INDEX), keyring.sealer(Job.CLAIMS)
    first = bytes((key.version,))
    with database.reading() as connection:
        index = select(func.count()).select_from(register_index).where(register_index.c.key_version != mac.version)
        sealed = select(func.count()).select_from(records).where(func.substr(records.c.sealed, 1, 1) != first)
        return int(connection.execute(index).scalar_one()) + int(connection.execute(sealed).scalar_one())
