"""Where are the tiles of the ledger's tree? Full ones in a table, written once by whoever appends; partial ones are computed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, select

from gateway.errors import LedgerFault
from gateway.ledger.log.merkle import HASH, Frontier, leaf_hash
from gateway.ledger.log.proof import ReadTile
from gateway.ledger.log.tiles import WIDTH, Tile, fold
from gateway.store.base.statements import put_many
from gateway.store.ledger.tables import ledger_entries, ledger_open, ledger_tiles


def complete(connection: Connection, first: int, appended: Sequence[bytes], frontier: Frontier) -> None:
    """Write the tiles that became full by the entries appended from `first` on; `frontier` is the tree after them.

    The entries of a begun tile are read again, so nothing has to be remembered between two transactions (0.3 ms for every
    256 entries). Raises LedgerFault when they are not those that the head counts: then the whole transaction is void.
    """
    begun = first - first % WIDTH
    hashes = b"".join([*_leaf_hashes(connection, begun, first), *appended])
    rows: list[tuple[int, int, bytes, bytes]] = []
    for at, told in enumerate(frontier.full):
        tile = hashes[at * WIDTH * HASH : (at + 1) * WIDTH * HASH]
        root = fold(tile)
        if root != told:
            raise LedgerFault(-1, f"the entries from {begun} on are not those that the head counts")
        rows.append((0, begun // WIDTH + at, tile, root))
    level, new = 0, rows
    while new:
        roots = {number: root for _, number, _, root in new}
        above = [number // WIDTH for number in roots if number % WIDTH == WIDTH - 1]
        level, new = level + 1, [_above(connection, level, number, roots) for number in above]
        rows = [*rows, *new]
    put_many(connection, ledger_tiles, rows)


_full = delete(ledger_open).where(ledger_open.c.first >= bindparam("first"), ledger_open.c.first < bindparam("end"))


def keep_open(connection: Connection, first: int, appended: Sequence[bytes], size: int) -> None:
    """Keep the hashes of the entries appended from `first` on as far as their tile is open; `size` counts the entries now.

    So a check can say which leaf of it was changed. Those of a tile that has become full go: its own row tells from then on.
    """
    begun, before = size - size % WIDTH, first - first % WIDTH
    if before < begun:
        connection.execute(_full, {"first": before, "end": begun})
    begin = max(first, begun)
    if begin < size:
        put_many(connection, ledger_open, [(begin, b"".join(appended[begin - first :]))])


def _above(connection: Connection, level: int, number: int, roots: dict[int, bytes]) -> tuple[int, int, bytes, bytes]:
    """The full tile `number` of the level above `level`; `roots` are those not written yet."""
    start = number * WIDTH
    known = [roots[at] for at in range(start, start + WIDTH) if at in roots]
    tile = b"".join([*_roots(connection, level, start, start + WIDTH - len(known)), *known])
    if len(tile) != WIDTH * HASH:
        raise LedgerFault(-1, f"tiles of level {level} are missing below {number}")
    return level + 1, number, tile, fold(tile)


def _leaf_hashes(connection: Connection, begin: int, end: int) -> list[bytes]:
    if begin == end:
        return []
    index = ledger_entries.c.leaf_index
    rows = connection.execute(
        select(ledger_entries.c.leaf).where(index >= begin, index < end).order_by(index)
    ).scalars()
    return [leaf_hash(bytes(leaf)) for leaf in rows]


def _roots(connection: Connection, level: int, begin: int, end: int) -> list[bytes]:
    tiles = ledger_tiles.c
    rows = connection.execute(
        select(tiles.root).where(tiles.level == level, tiles.number >= begin, tiles.number < end).order_by(tiles.number)
    ).scalars()
    return [bytes(root) for root in rows]


def tiles_of(connection: Connection) -> ReadTile:
    """What reads tiles by this connection; it raises LedgerFault for one that is not there in that width."""

    def read(tile: Tile) -> bytes:
        begin, end = tile.number * WIDTH, tile.number * WIDTH + tile.width
        if tile.width == WIDTH:
            stored = connection.execute(
                select(ledger_tiles.c.hashes).where(
                    ledger_tiles.c.level == tile.level, ledger_tiles.c.number == tile.number
                )
            ).scalar_one_or_none()
            hashes = bytes(stored or b"")
        elif tile.level == 0:
            hashes = b"".join(_leaf_hashes(connection, begin, end))
        else:
            hashes = b"".join(_roots(connection, tile.level - 1, begin, end))
        if len(hashes) != tile.width * HASH:
            raise LedgerFault(-1, f"tile {tile.path} is not there")
        return hashes

    return read
