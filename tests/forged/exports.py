"""Exports that a checker must refuse, of both forms: each line by line as it should be, but for one fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from forged.log import (
    ASKED,
    STRANGER,
    Entry,
    asked,
    b64,
    b64u,
    checkpoint_of,
    digest,
    entry,
    log_of,
    path_of,
    root_of,
    vkey,
)

Case = dict[str, Any]
STRETCH, SELECTION = "nik-gateway-ledger-export/1", "nik-gateway-ledger-selection/1"
SEED = "letter 7"
_KEEP: Any = object()


def cover(begin: int, end: int) -> list[tuple[int, int]]:
    """The fewest perfect subtrees over leaves `begin` to `end` - 1."""
    found = []
    while begin < end:
        count = 1 << (end - begin).bit_length() - 1
        if begin:
            count = min(count, begin & -begin)
        found.append((begin, begin + count))
        begin += count
    return found


def rows_of(entries: list[Entry], indexes: list[int], *, proofs: bool = False) -> list[dict[str, Any]]:
    leaves = [one.leaf for one in entries]
    found: list[dict[str, Any]] = []
    for at in indexes:
        private = entries[at].private
        row = {"index": at, "leaf": entries[at].leaf.decode(), "private": None if private is None else b64u(private)}
        found.append(row | ({"proof": [b64(each) for each in path_of(at, leaves)]} if proofs else {}))
    return found


def stretch(name: str, entries: list[Entry], begin: int, end: int, rows: Any = _KEEP, **members: Any) -> Case:
    """A stretch of entries `begin` to `end` - 1."""
    leaves = [one.leaf for one in entries]
    head = {
        "format": STRETCH, "checkpoint": checkpoint_of(entries), "keys": [vkey()], "first": begin, "count": end - begin,
        "left": [b64(root_of(leaves[a:b])) for a, b in cover(0, begin)],
        "right": [b64(root_of(leaves[a:b])) for a, b in cover(end, len(leaves))], **members,
    }  # fmt: skip
    return case(name, head, rows_of(entries, list(range(begin, end))) if rows is _KEEP else rows)


def selection(name: str, entries: list[Entry], indexes: list[int], rows: Any = _KEEP, **members: Any) -> Case:
    """Chosen entries, each with its path."""
    head = {
        "format": SELECTION, "checkpoint": checkpoint_of(entries), "keys": [vkey()], "assignment": "a-1", "filters": {},
        "count": len(indexes), "next": None, **members,
    }  # fmt: skip
    return case(name, head, rows_of(entries, indexes, proofs=True) if rows is _KEEP else rows)


def case(name: str, head: dict[str, Any], rows: list[Any], keys: list[str] | None = None) -> Case:
    lines = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in (head, *rows)]
    return {
        "name": name,
        "form": "export",
        "keys": [vkey()] if keys is None else keys,
        "export": "\n".join(lines) + "\n",
    }


def at(case: Case, line: int, index: int = -1) -> Case:
    """The case with what a checker names: the line from 1 (0: none), the entry (-1: none)."""
    return case | {"line": line, "entry": index}


def gone(number: int, kind: str = "token", **members: Any) -> Entry:
    whole = entry(number, kind, **members)
    return Entry(whole.document, whole.leaf, None)


def record(number: int, kinds: list[str], before: str) -> Entry:
    """A record of destruction."""
    return entry(
        number, "destruction", told={"kinds": kinds, "before": before, "count": 1, "proposer": "A", "approver": "B"}
    )


def lots(first: int, end: int, count: int, seed: str = SEED) -> list[int]:
    found: list[int] = []
    number = 0
    while len(found) < count:
        lot = int.from_bytes(digest(f"nik-sample/1\n{seed}\n{first}\n{end}\n{number}".encode()), "big")
        number += 1
        if lot < 2**256 - 2**256 % (end - first) and (index := first + lot % (end - first)) not in found:
            found.append(index)
    return found


def sample(name: str, indexes: list[int], drawn: int = 4, **members: Any) -> Case:
    told = {"seed": SEED, "first": 1, "end": 7, "drawn": drawn}
    return selection(name, log_of(), indexes, **{"sample": told, **members})


def sound() -> Iterator[Case]:
    yield stretch("a stretch", log_of(), 2, 5)
    yield stretch("a whole log", log_of(), 0, 7)
    destroyed = {1: gone(1), 5: record(5, ["token"], "2026-01-01T02:00:00.000Z")}
    yield stretch("a whole log with a private part destroyed under a record", log_of(destroyed), 0, 7)
    yield selection("chosen entries", log_of(), [1, 2, 6])
    yield selection("chosen entries, one destroyed", log_of(destroyed), [1, 2, 6], next="6")
    yield sample("a sample", lots(1, 7, 4))


def stretches() -> Iterator[Case]:
    rows = rows_of(log_of(), [2, 3, 4])
    entries = log_of()
    yield at(stretch("a line is missing", entries, 2, 5, [rows[0], rows[2]]), 0, 3)
    yield at(stretch("the last line is missing", entries, 2, 5, rows[:2]), 0, 4)
    yield at(stretch("a line stands twice", entries, 2, 5, [rows[0], rows[0], *rows[1:]]), 0, 3)
    yield at(stretch("two lines in another order", entries, 2, 5, [rows[0], rows[2], rows[1]]), 0, 3)
    yield at(stretch("a leaf in other words", entries, 2, 5, [rows[0], rows_of(
        log_of({3: entry(3, actor="bank/bank-2")}), [3])[0], rows[2]]), 0)  # fmt: skip
    yield at(
        stretch("two leaves exchanged", entries, 2, 5, [rows[0], rows[2] | {"index": 3}, rows[1] | {"index": 4}]), 0
    )
    spaced = entry(3, raw=entry(3).leaf.replace(b'{"actor"', b'{ "actor"'))
    yield at(stretch("a leaf that is not in canonical form", log_of({3: spaced}), 2, 5), 0, 3)
    strange = entry(3, kind="tokens")
    yield at(stretch("a leaf of a kind that there is not", log_of({3: strange}), 2, 5), 0, 3)
    yield at(
        stretch("another private part", entries, 2, 5, [rows[0], rows[1] | {"private": rows[0]["private"]}, rows[2]]),
        0,
        3,
    )
    text = rows[1]["private"]
    tail = text[:-1] + chr(ord(text[-1]) + 1)
    yield at(
        stretch(
            "a private part with bits behind its end", entries, 2, 5, [rows[0], rows[1] | {"private": tail}, rows[2]]
        ),
        0,
        3,
    )
    yield at(stretch("a private part with a sign that counts for nothing", entries, 2, 5,
        [rows[0], rows[1] | {"private": text[:5] + "!" + text[5:]}, rows[2]]), 0, 3)  # fmt: skip
    yield at(
        stretch("a member of a line that nothing proves", entries, 2, 5, [rows[0] | {"remark": "x"}, *rows[1:]]), 0, 2
    )
    yield at(
        stretch("a path in a stretch, where none is looked at", entries, 2, 5, [rows[0] | {"proof": []}, *rows[1:]]),
        0,
        2,
    )
    twice = json.dumps(rows[1]).replace('{"index"', '{"index": 9, "index"')
    yield at(stretch("a member of a line twice", entries, 2, 5, [rows[0], twice, rows[2]]), 0, 3)
    yield at(stretch("an index that is true", entries, 1, 2, [rows_of(entries, [1])[0] | {"index": True}]), 0, 1)
    yield at(
        stretch("a leaf that is an object and no text", entries, 2, 3, [rows[0] | {"leaf": entries[2].document}]), 0, 2
    )
    yield at(stretch("an empty line", entries, 2, 5, [rows[0], "", *rows[1:]]), 0, 3)


def heads() -> Iterator[Case]:
    entries = log_of()
    yield at(stretch("another number of entries than promised", entries, 2, 5, count=4), 0, 5)
    yield at(stretch("the stretch begins elsewhere", entries, 2, 5, first=3), 0)
    yield at(stretch("it begins below the log", entries, 2, 5, first=-1), 0)
    yield at(stretch("the number of entries is a text", entries, 2, 5, count="3"), 0)
    yield at(stretch("the left of the proof is missing", entries, 2, 5, left=[]), 0)
    yield at(stretch("a hash too many right", entries, 0, 7, right=[b64(bytes(32))]), 0)
    yield at(stretch("a hash of the proof is another", entries, 2, 5, left=[b64(bytes(32))]), 0)
    yield at(stretch("a hash of the proof has 33 bytes", entries, 2, 5, left=[b64(bytes(33))]), 0)
    yield at(
        stretch("the checkpoint of another log", entries, 2, 5, checkpoint=checkpoint_of(log_of({6: entry(9)}))), 0
    )
    yield at(stretch("the checkpoint of a smaller log", entries, 2, 5, checkpoint=checkpoint_of(log_of(size=6))), 0)
    yield at(stretch("no checkpoint", entries, 2, 5, checkpoint=None), 0)
    yield at(stretch("a member of the first line that nothing proves", entries, 2, 5, seen_by="the bank"), 1)
    yield at(stretch("another form of export", entries, 2, 5, format=STRETCH[:-1] + "2"), 1)
    own = stretch("a stretch signed with a key of its own alone", entries, 2, 5)
    told = json.loads(own["export"].splitlines()[0])
    note = told["checkpoint"].replace("— ", "- ")
    yield at(stretch(own["name"], entries, 2, 5, checkpoint=note, keys=[vkey(STRANGER)]), 0)


def destroyed() -> Iterator[Case]:
    """Private parts that are missing."""
    early, late = "2026-01-01T00:00:00.000Z", "2026-01-01T03:00:00.000Z"
    yield at(stretch("a private part is missing, and no record tells of it", log_of({1: gone(1)}), 0, 7), 0, 1)
    for name, own in (
        ("the record is of another kind", record(5, ["answer"], late)),
        ("the record is of an earlier time", record(5, ["token"], early)),
        ("the record is of the very instant", record(5, ["token"], "2026-01-01T01:00:00.000Z")),
        ("the record says nothing", entry(5, "destruction")),
        (
            "what it says stands in an entry of another kind",
            entry(5, "audit", told={"kinds": ["token"], "before": late}),
        ),
    ):
        yield at(stretch(name, log_of({1: gone(1), 5: own}), 0, 7), 0, 1)
    yield at(
        stretch(
            "the record came before", log_of({3: gone(3), 0: record(0, ["token"], "2026-01-01T09:00:00.000Z")}), 0, 7
        ),
        0,
        3,
    )
    first = gone(1, "destruction")
    yield at(stretch("a record of destruction is destroyed itself", log_of(
        {1: first, 5: record(5, ["destruction"], late)}), 0, 7), 0, 1)  # fmt: skip
    yield at(stretch("a record of destruction is destroyed, in the middle of a log", log_of({1: first}), 0, 4), 0, 1)
    yield at(stretch("the declaration of a new log is destroyed", log_of({1: gone(1, "new_log")}), 0, 4), 0, 1)
    yield at(selection("a chosen record of destruction is destroyed", log_of({1: first}), [1, 2]), 2, 1)


def selections() -> Iterator[Case]:
    entries = log_of()
    rows = rows_of(entries, [1, 2, 6], proofs=True)

    def chosen(name: str, rows: list[Any], line: int, index: int = -1, **members: Any) -> Case:
        return at(selection(name, entries, [1, 2, 6], rows, **members), line, index)

    yield chosen("a line of a selection twice", [rows[0], rows[0], rows[2]], 3, 1)
    yield chosen("a selection out of order", [rows[1], rows[0], rows[2]], 3, 1)
    yield chosen("a line of a selection less", rows[:2], 4)
    yield chosen("a line of a selection more", rows, 5, count=2)
    yield chosen("the path of another entry", [rows[0], rows[1] | {"proof": rows[0]["proof"]}, rows[2]], 3, 2)
    yield chosen("no path", [rows[0], {n: v for n, v in rows[1].items() if n != "proof"}, rows[2]], 3, 2)
    yield chosen("the leaf of another entry", [rows[0], rows[1] | {"leaf": rows[0]["leaf"]}, rows[2]], 3, 2)
    yield chosen(
        "the private part of another entry", [rows[0], rows[1] | {"private": rows[0]["private"]}, rows[2]], 3, 2
    )
    yield chosen("an index beyond the checkpoint", [rows[0], rows[1], rows[2] | {"index": 7}], 4, 7)
    spaced = asked(raw=asked().leaf.replace(b'{"actor"', b'{ "actor"'))
    yield at(selection("a chosen leaf that is not in canonical form", log_of({ASKED: spaced}), [1, 2]), 3, 2)
    yield chosen("the file that follows begins elsewhere", rows, 1, next="2")
    yield chosen("the file that follows is named by a number", rows, 1, next=6)
    yield chosen("a selection's checkpoint of a smaller log", rows, 2, 1, checkpoint=checkpoint_of(log_of(size=6)))
    yield chosen("a member of a selection's first line that nothing proves", rows, 1, seen_by="the bank")


def unlike(indexes: list[int], draws: list[int]) -> tuple[int, int]:
    """(line, entry) of the first that is not among the draws that are left."""
    left = iter(draws)
    return next((line, index) for line, index in enumerate(indexes, 2) if index not in left)


def samples() -> Iterator[Case]:
    drawn = lots(1, 7, 4)
    told = {"seed": SEED, "first": 1, "end": 7, "drawn": 4}
    yield at(sample("entries of a sample in the order of the log", sorted(drawn)), *unlike(sorted(drawn), drawn))
    missing = next(index for index in range(1, 7) if index not in drawn)
    yield at(sample("an entry that was not drawn", [*drawn[:3], missing]), 5, missing)
    yield at(sample("more lines than were drawn", lots(1, 7, 5)), 6, lots(1, 7, 5)[4])
    for name, lot, line, index in (
        ("another seed", told | {"seed": "letter 8"}, *unlike(drawn, lots(1, 7, 4, "letter 8"))),
        ("another stretch", told | {"first": 0}, *unlike(drawn, lots(0, 7, 4))),
        ("an end beyond the checkpoint", told | {"end": 8}, 1, -1),
        ("more draws than there are entries", told | {"drawn": 7}, 1, -1),
        ("a seed that is no text", told | {"seed": 8}, 1, -1),
        ("a number of draws that is true", told | {"drawn": True}, 1, -1),
    ):
        own = sample(f"a sample with {name}", drawn, sample=lot)
        yield at(own, line, index)
    yield at(sample("a sample that another file follows", drawn, next=str(drawn[-1])), 1)


def refused() -> Iterator[Case]:
    for some in (stretches, heads, destroyed, selections, samples):
        yield from some()
