"""How are residents kept and found? A narrow keyed index beside sealed records; watermarks by regency."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Connection, bindparam, func, select

from gateway.clock import Entropy
from gateway.keyring import Job, Keyring
from gateway.register.codec import decode, encode
from gateway.register.record import Record
from gateway.sealing.standing import Watermark
from gateway.store.base.engine import Database
from gateway.store.base.statements import Lookup, put_many
from gateway.store.register.tables import feed_touched, imports, records, register_index, watermarks
from gateway.verification.judge import INDEX, binding


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the import of one file has come: lines taken from it, residents stored, lines refused, SHA-256 so far."""

    lines: int
    taken: int
    refused: int
    prefix: bytes
    finished: bool


class RegisterOf:
    """The register in one database."""

    def __init__(self, database: Database, keyring: Keyring, entropy: Entropy) -> None:
        self._database = database
        self._keyring = keyring
        self._entropy = entropy
        self._arrays = database.dialect == "postgresql"
        self._last = 0  # the highest id of a record, when it was last looked at
        self._touched = Lookup(database.dialect, "SELECT ix, since FROM feed_touched", feed_touched.c.ix)
        self._known = Lookup(database.dialect, "SELECT ix, record FROM register_index", register_index.c.ix)

    def find(self, connection: Connection, indexes: Sequence[bytes]) -> dict[bytes, tuple[int, bytes]]:
        """Index → (record id, sealed record) of those that exist; one query.

        An index that does not exist reads a record as well, one that its own keyed bytes choose: so a miss costs the
        database what a hit costs, the same one each time, and somebody's whom nobody can name.
        """
        last = self._last or self._look_for_last(connection)
        decoys = [int.from_bytes(ix[:8]) % last + 1 for ix in indexes] if last else [0] * len(indexes)
        cursor = connection.connection.cursor()
        if self._arrays:
            cursor.execute(
                f"{_SELECT} unnest(%s::bytea[], %s::bigint[]) AS asked (ix, decoy) {_JOIN}", (list(indexes), decoys)
            )
        else:
            # As many as the next power of two, so that few statements are enough and each is prepared once.
            more = (1 << (len(indexes) - 1).bit_length()) - len(indexes)
            pairs = [*zip(indexes, decoys, strict=True), *([(indexes[-1], decoys[-1])] * more)]
            asked = ",".join(["(?,?)"] * len(pairs))
            cursor.execute(f"WITH asked (ix, decoy) AS (VALUES {asked}) {_SELECT} asked {_JOIN}", list(chain(*pairs)))
        return {ix: (record, sealed) for ix, record, sealed, hit in cursor.fetchall() if hit is not None}

    def touched(self, connection: Connection, indexes: Sequence[bytes]) -> dict[bytes, int]:
        """Index → since when a batch that is missing touches its resident, for those that one touches."""
        found: dict[bytes, int] = {}
        for ix, since in self._touched.rows(connection, indexes):
            found[ix] = min(since, found.get(ix, since))
        return found

    def _look_for_last(self, connection: Connection) -> int:
        self._last = int(connection.execute(select(func.max(records.c.id))).scalar() or 0)
        return self._last

    def progress(self, name: str) -> Progress | None:
        """How far an import of this name has come, if one was begun."""
        with self._database.reading() as connection:
            row = connection.execute(select(imports).where(imports.c.name == name)).one_or_none()
        return Progress(row.lines, row.taken, row.refused, bytes(row.prefix), row.finished) if row else None

    def store(self, batch: Sequence[Record], name: str, progress: Progress) -> None:
        """Insert or replace a batch of residents (the last of equal NIKs counts) and note the progress, in one transaction.

        Raises StoreUnavailable.
        """
        mac, key = self._keyring.mac(Job.INDEX), self._keyring.sealer(Job.CLAIMS)
        others = [key for key in self._keyring.macs(Job.INDEX) if key is not mac]
        unique = {record.nik: record for record in batch}
        index = {mac.mac(nik.encode())[:INDEX]: record for nik, record in unique.items()}
        former = {
            old.mac(nik.encode())[:INDEX]: ix for ix, nik in ((ix, r.nik) for ix, r in index.items()) for old in others
        }
        with self._database.sealing() as (connection, _):
            self._database.lock_register(connection)
            found = dict(self._known.rows(connection, [*index, *former]))
            ids = {former.get(ix, ix): record for ix, record in found.items()}
            # Ids say nothing about order of birth or import: sealed rows of one import lie together, that is all.
            following = (connection.execute(select(func.max(records.c.id))).scalar() or 0) + 1
            added: list[tuple[bytes, int, int]] = []
            sealed: list[tuple[int, bytes]] = []
            replaced: list[tuple[int, bytes]] = []
            for ix, record in index.items():
                id = ids.get(ix)
                if id is None:
                    id, following = following, following + 1
                    added.append((ix, mac.version, id))
                    target = sealed
                else:
                    if ix not in found:
                        added.append((ix, mac.version, id))
                    target = replaced
                target.append((id, key.seal(encode(record), binding(id, key.version), self._entropy)))
            if self._database.dialect == "postgresql" and len(sealed) > COPY_FROM:
                _copy(connection, "records (id, sealed)", sealed)
                _copy(connection, "register_index (ix, key_version, record)", added)
            else:
                put_many(connection, records, sealed)
                put_many(connection, register_index, added)
            put_many(connection, records, replaced, ("sealed",))
            self.note(connection, name, progress)

    def finish(self, connection: Connection, name: str, progress: Progress, complete_until: Mapping[str, int]) -> None:
        """Note the end of an import and move the watermarks of the regencies that it brought."""
        self.note(connection, name, progress)
        put_many(
            connection,
            watermarks,
            [(regency, until, False) for regency, until in sorted(complete_until.items())],
            ("complete_until",),
        )

    @staticmethod
    def note(connection: Connection, name: str, p: Progress) -> None:
        """Keep how far something has come, in the transaction that brought it there."""
        put_many(
            connection,
            imports,
            [(name, p.lines, p.taken, p.refused, p.prefix, p.finished)],
            ("lines", "taken", "refused", "prefix", "finished"),
        )

    def advance(self, complete_until: Mapping[str, int]) -> None:
        """Move the watermarks of regencies (what feeds will do)."""
        with self._database.sealing() as (connection, _):
            put_many(
                connection,
                watermarks,
                [(regency, until, False) for regency, until in sorted(complete_until.items())],
                ("complete_until",),
            )

    def count(self) -> int:
        """How many residents there are."""
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(records)).scalar_one())

    def residents(self, progress: Callable[[int], None] = lambda _: None, page: int = 2_000) -> Iterator[Record]:
        """Every record, opened, by pages; `progress` is called with how many were read."""
        after, read = 0, 0
        statement = (
            select(records.c.id, records.c.sealed)
            .where(records.c.id > bindparam("after"))
            .order_by(records.c.id)
            .limit(page)
        )
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(statement, {"after": after}).all()
            if not rows:
                return
            for id, sealed in rows:
                opener = self._keyring.opener(Job.CLAIMS, bytes(sealed))
                yield decode(opener.open(bytes(sealed), binding(id, opener.version)))
            after, read = rows[-1].id, read + len(rows)
            progress(read)

    def watermarks(self, connection: Connection) -> dict[str, Watermark]:
        """Every regency's watermark; whoever reads anew how complete the register is learns how large it is."""
        self._look_for_last(connection)
        rows = connection.execute(select(watermarks.c.regency, watermarks.c.complete_until, watermarks.c.gap))
        return {regency: Watermark(until, gap) for regency, until, gap in rows}


_SELECT = "SELECT asked.ix, records.id, records.sealed, register_index.record FROM"
_JOIN = (
    "LEFT JOIN register_index ON register_index.ix = asked.ix"
    " JOIN records ON records.id = coalesce(register_index.record, asked.decoy)"
)
COPY_FROM = 100  # rows from which COPY pays


def _copy(connection: Connection, target: str, rows: Sequence[tuple[object, ...]]) -> None:
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY {target} FROM STDIN") as copy:  # psycopg's cursor
        for row in rows:
            copy.write_row(row)
