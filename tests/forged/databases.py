"""Tables of a log that a checker must refuse: rows that fit each other and the checkpoint beside them, but for one fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from forged.exports import at, gone, record
from forged.log import Entry, b64, checkpoint_of, entry, frontier_of, log_of, root_of, vkey

Case = dict[str, Any]
NUMBER = "<number>"
TEMPLATE = entry(0, told={}).leaf.decode().replace("000000000000", NUMBER)
PRIVATE = entry(0, told={}).private or b""
FULL = 258  # one full tile, and two entries of the open one
TILE = "<tile>"


def tile_hashes() -> str:
    """The hashes of the series' full tile, for which `TILE` stands."""
    return b64(b"".join(one_of_many(number).hash for number in range(256)))


def one_of_many(number: int) -> Entry:
    """An entry of the series: the template with the number as 12 hexadecimal digits; all have one private part."""
    return Entry(
        {"id": f"019abb00-0000-7000-8000-{number:012x}"}, TEMPLATE.replace(NUMBER, f"{number:012x}").encode(), PRIVATE
    )


def row_of(index: int, one: Entry) -> dict[str, Any]:
    private = None if one.private is None else b64(one.private)
    return {"leaf_index": index, "id": UUID(one.document["id"]).hex, "leaf": one.leaf.decode(), "private": private}


def tables(
    name: str,
    entries: list[Entry],
    *,
    series: int = 0,
    rows: dict[int, dict[str, Any] | None] | None = None,
    truth: list[Entry] | None = None,
    **changed: Any,
) -> Case:
    """The tables of a log. The first `series` entries are told by the template alone.

    `rows` are rows in the place of others (None: missing); `truth` is what head, tiles and kept hashes are made from.
    """
    sealed = truth or entries
    stored = {index: row_of(index, one) for index, one in enumerate(entries) if index >= series} | (rows or {})
    begun = len(sealed) - len(sealed) % 256
    hashes = [one.hash for one in sealed]
    document = {
        "series": series,
        "ledger_entries": [row for _, row in sorted(stored.items()) if row is not None],
        "ledger_head": [len(sealed), b64(b"".join(frontier_of([one.leaf for one in sealed])))],
        "ledger_tiles": [
            [0, number, b64(b"".join(hashes[number * 256 : number * 256 + 256])), b64(root_of(
                [one.leaf for one in sealed[number * 256 : number * 256 + 256]]))]
            for number in range(len(sealed) // 256)
        ],
        "ledger_open": [[begun, b64(b"".join(hashes[begun:]))]] if len(sealed) % 256 else [],
    }  # fmt: skip
    document |= changed
    document["ledger_tiles"] = [
        [TILE if each == tile_hashes() else each for each in row] for row in document["ledger_tiles"]
    ]
    missing = {"missing": [index for index, row in (rows or {}).items() if row is None and index < series]}
    return {"name": name, "form": "database", "keys": [vkey()], "tables": document | missing}


def sound() -> Iterator[Case]:
    yield tables("tables", log_of())
    yield tables("tables with a full tile", [one_of_many(number) for number in range(FULL)], series=FULL)
    yield tables("tables of an empty log", [])
    told = {1: gone(1), 5: record(5, ["token"], "2026-01-01T02:00:00.000Z")}
    yield tables("tables with a private part destroyed under a record", log_of(told)) | {
        "checkpoint": checkpoint_of(log_of(size=3))
    }


def entries() -> Iterator[Case]:
    good = log_of()
    spaced = entry(3, raw=entry(3).leaf.replace(b'{"actor"', b'{ "actor"'))
    yield at(tables("a stored leaf that is not in canonical form", log_of({3: spaced})), 0, 3)
    newer = entry(3, raw=entry(3).leaf.replace(b'"v":1', b'"v":2'))
    yield at(tables("a stored leaf of version 2", log_of({3: newer})), 0, 3)
    yield at(tables("a stored leaf of a kind that there is not", log_of({3: entry(3, "tokens")})), 0, 3)
    escaped = entry(
        3, agreement="a", raw=entry(3, agreement="a").leaf.replace(b'"agreement":"a"', b'"agreement":"\\u0061"')
    )
    yield at(tables("a stored leaf with an escape that need not be", log_of({3: escaped})), 0, 3)
    row, after = row_of(3, good[3]), row_of(4, good[4])
    ids = row["id"] + after["id"]
    rows = {3: row | {"id": ids[:34]}, 4: after | {"id": ids[34:]}}
    yield at(tables("an id of 17 bytes before one of 15", good, rows=rows), 0, 3)
    yield at(tables("an id that is not the leaf's", good, rows={3: row | {"id": UUID(int=7).hex}}), 0, 3)
    yield at(tables("an id of 15 bytes", good, rows={3: row | {"id": row["id"][:-2]}}), 0, 3)
    yield at(
        tables("a private part of another entry", good, rows={3: row | {"private": row_of(4, good[4])["private"]}}),
        0,
        3,
    )
    yield at(tables("an empty private part", good, rows={3: row | {"private": ""}}), 0, 3)
    yield at(tables("an entry is missing", good, rows={3: None}), 0, 3)
    yield at(tables("the last entry is missing", good, rows={6: None}), 0, 6)
    yield at(tables("an entry more than the head counts", log_of(size=8), truth=good), 0, 7)
    reworded = entry(3, actor="bank/bank-2")
    yield at(tables("a leaf of the open tile in other words", log_of({3: reworded}), truth=good), 0, 3)
    yield at(tables("a private part missing without a record", log_of({3: gone(3)})), 0, 3)
    for name, own in (
        ("a record of another kind", record(5, ["answer"], "2026-01-01T09:00:00.000Z")),
        ("a record of the very instant", record(5, ["token"], "2026-01-01T03:00:00.000Z")),
    ):
        yield at(tables(f"a private part missing, and {name}", log_of({3: gone(3), 5: own})), 0, 3)
    for kind in ("destruction", "new_log"):
        under = record(5, ["destruction", "new_log"], "2026-01-01T09:00:00.000Z")
        yield at(
            tables(f"an entry of kind {kind} destroyed under a record", log_of({3: gone(3, kind), 5: under})), 0, 3
        )
    early, late = (gone(at, at=f"2026-01-01T01:{minute}:00.000Z") for at, minute in ((3, "00"), (4, "30")))
    between = {3: early, 4: late, 6: record(6, ["token"], "2026-01-01T01:15:00.000Z")}
    yield at(tables("two private parts of an hour missing, the record of the first alone", log_of(between)), 0, 3)
    whole = entry(3)
    digest = whole.document["private"]
    bent = Entry(
        whole.document, whole.leaf.replace(digest.encode(), f"\\u{ord(digest[0]):04x}{digest[1:]}".encode()), None
    )
    under = record(5, ["token"], "2026-01-01T09:00:00.000Z")
    yield at(tables("an escape in the digest of a destroyed private part", log_of({3: bent, 5: under})), 0, 3)


def heads() -> Iterator[Case]:
    good = log_of()
    frontier = frontier_of([one.leaf for one in good])
    yield at(tables("the head counts an entry less", good, ledger_head=[6, b64(b"".join(frontier[:2]))]), 0, 6)
    yield at(tables("the head counts an entry more", good, ledger_head=[8, b64(frontier[0])]), 0, 7)
    yield at(tables("no head", good, ledger_head=None), 0)
    yield at(tables("the head's hashes in another order", good, ledger_head=[7, b64(b"".join(frontier[::-1]))]), 0)
    whole = b"".join(one.hash for one in good)
    yield at(tables("a kept hash of the open tile is another", good, ledger_open=[[0, b64(bytes(32) + whole[32:])]]), 0)
    yield at(tables("the open tile's hashes are gone", good, ledger_open=[]), 0)
    yield at(tables("a hash too many in the open tile", good, ledger_open=[[0, b64(whole + bytes(32))]]), 0)
    yield at(tables("the open tile begins elsewhere", good, ledger_open=[[1, b64(whole)]]), 0)
    yield at(
        tables("the open tile's hashes with a hole", good, ledger_open=[[0, b64(whole[:64])], [3, b64(whole[96:])]]), 0
    )
    yield at(tables("half a hash in the open tile", good, ledger_open=[[0, b64(whole[:-16])]]), 0)


def tiles() -> Iterator[Case]:
    many = [one_of_many(number) for number in range(FULL)]
    good = tables("", many, series=FULL)["tables"]["ledger_tiles"][0]
    reworded = Entry(many[17].document, many[17].leaf.replace(b"bank-1", b"bank-2"), PRIVATE)
    yield at(tables("a leaf of a full tile in other words", many, series=FULL, rows={17: row_of(17, reworded)}), 0, 17)
    yield at(tables("an entry of a full tile is missing", many, series=FULL, rows={17: None}), 0, 17)
    for name, rows in (
        ("no tile", []),
        ("a tile too many", [good, [0, 1, good[2], good[3]]]),
        ("a tile of a level that there is not yet", [good, [1, 0, good[2], good[3]]]),
        ("a tile under another number", [[0, 1, *good[2:]]]),
        ("a tile whose root is another", [[*good[:3], b64(bytes(32))]]),
        ("a tile whose hashes are others", [[0, 0, b64(bytes(32)), good[3]]]),
        ("a tile whose hashes are others, as many", [[0, 0, b64(bytes(8192)), good[3]]]),
    ):
        yield at(tables(name, many, series=FULL, ledger_tiles=rows), 0)


def kept() -> Iterator[Case]:
    """Logs that are whole, and are not the one that a checkpoint tells of."""
    good = log_of()
    own = tables("", good)["tables"]

    def beside(name: str, checkpoint: str, entry: int = -1, document: Any = own) -> Case:
        return at(
            {"name": name, "form": "database", "keys": [vkey()], "tables": document, "checkpoint": checkpoint}, 0, entry
        )

    yield beside("another log than the checkpoint's", checkpoint_of(log_of({1: entry(1, actor="bank/bank-2")}, 3)))
    yield beside(
        "another log than the checkpoint's, of the same size", checkpoint_of(log_of({6: entry(6, actor="bank/bank-2")}))
    )
    yield beside("fewer entries than the checkpoint counts", checkpoint_of(log_of(size=9)))
    yield beside("a checkpoint that was not signed", checkpoint_of(log_of(size=3)).replace("— ", "- "))
    yield beside("a checkpoint of an empty log with another root", checkpoint_of([], root=bytes(32)))
    reworded = tables("", log_of({3: entry(3, actor="bank/bank-2")}), truth=good)["tables"]
    yield beside("a leaf in other words is named though the checkpoint fails as well", checkpoint_of(good), 3, reworded)


def refused() -> Iterator[Case]:
    for some in (entries, heads, tiles, kept):
        yield from some()
