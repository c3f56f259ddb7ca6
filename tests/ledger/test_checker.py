"""The published checker: agrees with the gateway on every tampering, and needs nothing but the standard library."""

from __future__ import annotations

import ast
import json
import random
import sqlite3
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import ENTROPY, HOUSE, Log, checker, log_in

from gateway.clock import HOUR, rfc3339
from gateway.errors import LedgerFault
from gateway.keyring.keys import b64u_decode
from gateway.ledger.check.check import StoredEntry, check_entry
from gateway.ledger.log.merkle import Frontier
from gateway.ledger.log.note import NoteFault, VerifierKey
from gateway.ledger.log.proof import verify_consistency, verify_inclusion
from gateway.ledger.publication.export import entry_lines
from gateway.ledger.publication.receipt import Receipt
from gateway.store.sealing.retention import prune

CHECKER = checker()
VECTORS = json.loads((HOUSE / "checker" / "vectors.json").read_text("utf-8"))
SCHEMAS = json.loads((HOUSE / "checker" / "schema.json").read_text("utf-8"))["$defs"]
SIZE = 530


def test_it_needs_the_standard_library_alone() -> None:
    """Every module that it imports is Python's own, and it runs without any other to be found."""
    path = HOUSE / "checker" / "check_ledger.py"
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(path), "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "sqlite" in done.stdout) == (0, True)


# ------------------------------------------------------------------------------------------------ vectors


def test_the_vectors_hold_here_and_there() -> None:
    """Leaves, roots and proofs of the published vectors are right by the gateway's code and by the checker's."""
    hashes = [b64decode(each["hash"]) for each in VECTORS["leaves"]]
    ours, theirs = Frontier(), CHECKER.Tree()
    roots = [b64decode(root) for root in VECTORS["roots"]]
    for at, each in enumerate(VECTORS["leaves"]):
        assert ours.root() == theirs.root() == roots[at]
        raw = each["leaf"].encode()
        leaf = CHECKER.leaf_of(raw, at)
        assert check_entry(StoredEntry(at, leaf["id"], raw, b64decode(each["private"])), at) == hashes[at]
        ours.append([hashes[at]])
        theirs.add(CHECKER.sha256(b"\0", raw))
    for one in VECTORS["inclusion"]:
        path = [b64decode(each) for each in one["path"]]
        verify_inclusion(hashes[one["index"]], one["index"], one["size"], path, roots[one["size"]])
    for one in VECTORS["consistency"]:
        path = [b64decode(each) for each in one["path"]]
        verify_consistency(one["old"], roots[one["old"]], one["size"], roots[one["size"]], path)
    assert CHECKER.checkpoint_of(VECTORS["checkpoint"], [VECTORS["vkey"]])[1:] == (11, roots[11])


def test_the_receipt_of_the_vectors_is_proven_here_and_there(tmp_path: Path) -> None:
    """By the gateway, by the client's own check, and by the checker; none takes it once a byte of it is another."""
    keys = [VerifierKey.parse(VECTORS["vkey"]), VerifierKey.parse(VECTORS["witness"])]
    text = VECTORS["receipt"]
    assert Receipt.parse(text).verify(keys[:1], keys[1:]).by.keys() == set(keys)
    assert Receipt.parse(text).text == text
    assert CHECKER.check_receipt(text, [VECTORS["vkey"]])[1:] == (4, 11)
    (tmp_path / "receipt").write_text(text, "utf-8")
    assert CHECKER.main(["receipt", str(tmp_path / "receipt"), "--key", VECTORS["vkey"]]) == 0
    signed = text.index("— witness")
    for at in random.Random(1).sample(range(signed), 60):  # noqa: S311  chance that comes again
        touched = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        with pytest.raises(CHECKER.Fault):
            CHECKER.check_receipt(touched, [VECTORS["vkey"]])
        with pytest.raises((NoteFault, LedgerFault)):
            Receipt.parse(touched).verify(keys[:1])


def test_the_vectors_fit_the_schema() -> None:
    """Leaves and lines of the export are instances of the published schemas."""
    leaf, head, entry = (
        jsonschema_rs.Draft202012Validator(SCHEMAS[name]) for name in ("leaf", "export_head", "export_entry")
    )
    for each in VECTORS["leaves"]:
        leaf.validate(json.loads(each["leaf"]))
    first, *lines = VECTORS["export"].splitlines()
    head.validate(json.loads(first))
    for line in lines:
        entry.validate(json.loads(line))


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100), st.integers(0, 511))
def test_its_signatures_are_ed25519(seed: bytes, message: bytes, bit: int) -> None:
    """What the library signs verifies; with a bit of signature or key the other way it does not."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert CHECKER.ed25519(public, message, signature)
    assert not CHECKER.ed25519(public, message, _flipped(signature, bit))
    assert not CHECKER.ed25519(_flipped(public, bit % 256), message, signature)
    assert not CHECKER.ed25519(public, message + b"x", signature)


# ------------------------------------------------------------------------------------------------ exports


def _export(changed: Callable[[list[str]], object], path: Path) -> int:
    lines = VECTORS["export"].splitlines(keepends=True)
    changed(lines)
    path.write_text("".join(lines), "utf-8")
    return int(CHECKER.main(["export", str(path), "--key", VECTORS["vkey"]]))


def _edit(lines: list[str], at: int, **members: object) -> None:
    lines[at] = json.dumps(json.loads(lines[at]) | members, ensure_ascii=False) + "\n"


EXPORTS: dict[str, Callable[[list[str]], object]] = {
    "a line deleted": lambda lines: lines.pop(3),
    "a line repeated": lambda lines: lines.insert(3, lines[3]),
    "two lines swapped": lambda lines: lines.reverse(),
    "two entries swapped": lambda lines: lines.__setitem__(slice(2, 4), lines[3:1:-1]),
    "the last line cut": lambda lines: lines.pop(),
    "half a line": lambda lines: lines.__setitem__(-1, lines[-1][:40]),
    "another leaf": lambda lines: _edit(lines, 2, leaf=json.loads(lines[2])["leaf"].replace("bank-1", "bank-2")),
    "another private part": lambda lines: _edit(lines, 2, private="AAAA"),
    "another first entry": lambda lines: _edit(lines, 0, first=2),
    "another count": lambda lines: _edit(lines, 0, count=7),
    "less of the proof": lambda lines: _edit(lines, 0, left=[]),
    "more of the proof": lambda lines: _edit(lines, 0, right=[*json.loads(lines[0])["right"], "A" * 43 + "="]),
    "another proof": lambda lines: _edit(lines, 0, left=["A" * 43 + "="] * 2),
    "a checkpoint not signed": lambda lines: _edit(
        lines, 0, checkpoint=VECTORS["checkpoint"].replace("\n11\n", "\n12\n")
    ),
    "no checkpoint": lambda lines: _edit(lines, 0, checkpoint="x"),
    "no first line": lambda lines: lines.pop(0),
    "nothing": lambda lines: lines.clear(),
}


def test_an_export_is_sound_as_it_was_written(tmp_path: Path) -> None:
    """With the key that one trusts, and with the one that it brings, which is told."""
    assert _export(lambda _: None, tmp_path / "export") == 0
    assert CHECKER.main(["export", str(tmp_path / "export")]) == 0


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_that_was_changed_is_not_sound(name: str, tmp_path: Path) -> None:
    """Whatever is left out, put in, swapped or edited: exit 1."""
    assert _export(EXPORTS[name], tmp_path / "export") == 1


def test_private_parts_leave_on_demand_alone() -> None:
    """Without the word for it a line holds the leaf, and nothing of what stays in the house."""
    row = (0, b"", VECTORS["leaves"][0]["leaf"].encode(), b"of the house alone")
    assert json.loads(entry_lines([row], private=False)).keys() == {"index", "leaf"}
    assert b64u_decode(json.loads(entry_lines([row], private=True))["private"]) == row[3]


# ------------------------------------------------------------------------------------------------ databases


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a sound log: two full tiles, a part of it destroyed under a record."""
    path = tmp_path_factory.mktemp("whole") / "log.db"
    with log_in(f"sqlite:///{path}") as log:
        log.grow(200).grow(100, kind="partner").grow(SIZE - 301)
        prune(log.database, ["partner"], rfc3339(2_500_000 * HOUR), ("A", "B"), ENTROPY)
    return path.read_bytes()


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


def _flip(column: str, table: str = "ledger_entries") -> Callable[[sqlite3.Connection, random.Random], None]:
    def tamper(db: sqlite3.Connection, chance: random.Random) -> None:
        rows = db.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL").fetchall()  # noqa: S608
        at, value = chance.choice(rows)
        value = (
            value ^ 1 << chance.randrange(10, 20)
            if isinstance(value, int)
            else _flipped(value, chance.randrange(2**20))
        )
        db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, at))  # noqa: S608

    return tamper


def _delete(db: sqlite3.Connection, chance: random.Random) -> None:
    db.execute("DELETE FROM ledger_entries WHERE leaf_index = ?", (chance.randrange(SIZE),))


def _delete_and_close(db: sqlite3.Connection, chance: random.Random) -> None:
    at = chance.randrange(SIZE - 1)
    db.execute("DELETE FROM ledger_entries WHERE leaf_index = ?", (at,))
    db.execute("UPDATE ledger_entries SET leaf_index = leaf_index + 100000 WHERE leaf_index > ?", (at,))
    db.execute("UPDATE ledger_entries SET leaf_index = leaf_index - 100001 WHERE leaf_index > 100000")


def _swap(db: sqlite3.Connection, chance: random.Random) -> None:
    one, other = chance.sample(range(SIZE), 2)
    for then, now in ((one, 10**6), (other, one), (10**6, other)):
        db.execute("UPDATE ledger_entries SET leaf_index = ? WHERE leaf_index = ?", (now, then))


def _truncate(db: sqlite3.Connection, chance: random.Random) -> None:
    db.execute("DELETE FROM ledger_entries WHERE leaf_index >= ?", (chance.randrange(SIZE),))


def _insert(db: sqlite3.Connection, chance: random.Random) -> None:
    at = chance.randrange(SIZE)
    leaf, private = db.execute("SELECT leaf, private FROM ledger_entries WHERE leaf_index = ?", (at,)).fetchone()
    told = json.loads(leaf) | {"id": "0193a000-0000-7000-8000-000000000000"}
    db.execute("UPDATE ledger_entries SET leaf_index = leaf_index + 100000 WHERE leaf_index >= ?", (at,))
    db.execute("UPDATE ledger_entries SET leaf_index = leaf_index - 99999 WHERE leaf_index >= 100000")
    row = (at, bytes.fromhex(told["id"].replace("-", "")), CHECKER.jcs(told), private)
    db.execute("INSERT INTO ledger_entries VALUES (?, ?, ?, ?)", row)
    db.execute("UPDATE ledger_head SET size = size + 1")


def _append(db: sqlite3.Connection, _: random.Random) -> None:
    db.execute(
        "INSERT INTO ledger_entries SELECT ?, x'00', leaf, private FROM ledger_entries WHERE leaf_index = 0", (SIZE,)
    )


def _reword(db: sqlite3.Connection, chance: random.Random) -> None:
    """A leaf in canonical form, as good as the one before; its id and private part fit."""
    at = chance.randrange(SIZE)
    db.execute(
        "UPDATE ledger_entries SET leaf = CAST(replace(CAST(leaf AS TEXT), 'Satu', 'Tiga') AS BLOB) WHERE leaf_index = ?",
        (at,),
    )
    db.execute(
        "UPDATE ledger_entries SET leaf = CAST(replace(CAST(leaf AS TEXT), '\"A+B\"', '\"A+C\"') AS BLOB) WHERE leaf_index = ?",
        (at,),
    )


def _form(change: Callable[[bytes], object]) -> Callable[[sqlite3.Connection, random.Random], None]:
    def tamper(db: sqlite3.Connection, chance: random.Random) -> None:
        at = chance.randrange(SIZE)
        (leaf,) = db.execute("SELECT leaf FROM ledger_entries WHERE leaf_index = ?", (at,)).fetchone()
        db.execute("UPDATE ledger_entries SET leaf = ? WHERE leaf_index = ?", (change(leaf), at))

    return tamper


def _sql(statement: str) -> Callable[[sqlite3.Connection, random.Random], None]:
    return lambda db, _: db.execute(statement) and None


TAMPERINGS: dict[str, Callable[[sqlite3.Connection, random.Random], None]] = {
    "a bit of a leaf": _flip("leaf"),
    "a bit of an id": _flip("id"),
    "a bit of a private part": _flip("private"),
    "a bit of an index": _flip("leaf_index"),
    "a bit of a tile's hashes": _flip("hashes", "ledger_tiles"),
    "a bit of a tile's root": _flip("root", "ledger_tiles"),
    "a bit of a tile's number": _flip("number", "ledger_tiles"),
    "a bit of a tile's level": _flip("level", "ledger_tiles"),
    "a bit of the frontier": _flip("frontier", "ledger_head"),
    "a bit of the size": _flip("size", "ledger_head"),
    "a bit of the open tile's hashes": _flip("hashes", "ledger_open"),
    "a bit of where the open tile's hashes begin": _flip("first", "ledger_open"),
    "the open tile's hashes deleted": _sql("DELETE FROM ledger_open"),
    "the open tile's hashes as text": _sql("UPDATE ledger_open SET hashes = 'x'"),
    "a hash too many in the open tile": _sql("UPDATE ledger_open SET hashes = CAST(hashes || zeroblob(32) AS BLOB)"),
    "hashes of a tile that is full": _sql("INSERT INTO ledger_open VALUES (3, zeroblob(32))"),
    "an entry deleted": _delete,
    "an entry deleted, the others moved up": _delete_and_close,
    "two entries swapped": _swap,
    "the log cut": _truncate,
    "an entry slipped in and counted": _insert,
    "an entry appended": _append,
    "a leaf reworded": _reword,
    "a space in a leaf": _form(lambda leaf: leaf.replace(b'{"actor"', b'{ "actor"')),
    "a member more": _form(lambda leaf: leaf.replace(b'{"actor"', b'{"aa":1,"actor"')),
    "a member twice": _form(lambda leaf: leaf.replace(b'{"actor"', b'{"actor":"","actor"')),
    "an escape": _form(lambda leaf: leaf.replace(b'"v":1', b'"\\u0076":1')),
    "a number of another form": _form(lambda leaf: leaf.replace(b'"v":1', b'"v":1.0')),
    "another version": _form(lambda leaf: leaf.replace(b'"v":1', b'"v":2')),
    "true for one": _form(lambda leaf: leaf.replace(b'"v":1', b'"v":true')),
    "a kind that is none": _form(lambda leaf: leaf.replace(b'"kind":"', b'"kind":"x')),
    "a leaf of no bytes": _form(lambda _: b""),
    "two leaves in one": _form(lambda leaf: leaf + b"\n" + leaf),
    "a leaf as text": _form(lambda leaf: leaf.decode()),
    "a lone surrogate": _form(lambda leaf: leaf.replace(b'"agreement":"', b'"agreement":"\xed\xa0\x80')),
    "a private part as text": _sql("UPDATE ledger_entries SET private = 'x' WHERE leaf_index = 7"),
    "a private part destroyed": _sql("UPDATE ledger_entries SET private = NULL WHERE leaf_index = 7"),
    "the record destroyed": _sql(f"UPDATE ledger_entries SET private = NULL WHERE leaf_index = {SIZE - 1}"),  # noqa: S608
    "an id as text": _sql("UPDATE ledger_entries SET id = 'x' WHERE leaf_index = 7"),
    "a tile deleted": _sql("DELETE FROM ledger_tiles WHERE number = 1"),
    "a tile too many": _sql("INSERT INTO ledger_tiles VALUES (0, 2, zeroblob(8192), zeroblob(32))"),
    "a tile as text": _sql("UPDATE ledger_tiles SET hashes = 'x'"),
    "the head deleted": _sql("DELETE FROM ledger_head"),
    "the head emptied": _sql("UPDATE ledger_head SET size = 0, frontier = x''"),
    "the frontier as text": _sql("UPDATE ledger_head SET frontier = 'x'"),
    "all entries deleted": _sql("DELETE FROM ledger_entries"),
}  # fmt: skip


def _verdicts(path: Path, marks: dict[int, bytes] | None = None) -> tuple[int | None, int | None]:
    """(what the gateway says, what the checker says): the first entry that does not fit, None when all is sound."""
    log = Log(f"sqlite:///{path}")
    try:
        ours = log.verdict(marks)
    finally:
        log.database.close()
    try:
        CHECKER.check_database(str(path), marks or {})
    except CHECKER.Fault as fault:
        return ours, fault.index
    return ours, None


def _roots(path: Path, sizes: tuple[int, ...]) -> dict[int, bytes]:
    """What checkpoints of a sound log tell: its roots by size."""
    db, tree, found = sqlite3.connect(path), CHECKER.Tree(), {}
    for index, leaf in db.execute("SELECT leaf_index, leaf FROM ledger_entries ORDER BY leaf_index"):
        tree.add(CHECKER.sha256(b"\0", leaf))
        found |= {index + 1: tree.root()} if index + 1 in sizes else {}
    db.close()
    return found


def _tampered(whole: bytes, tmp_path: Path, name: str, seed: int) -> tuple[int | None, int | None]:
    path = tmp_path / "log.db"
    for rest in tmp_path.glob("log.db*"):
        rest.unlink()
    path.write_bytes(whole)
    marks = _roots(path, (3, 200, 400, SIZE))
    db = sqlite3.connect(path, isolation_level=None)
    TAMPERINGS[name](db, random.Random(seed))  # noqa: S311  chance that comes again
    db.close()
    found = _verdicts(path)
    assert _verdicts(path, marks) == found  # who keeps a checkpoint is told as exactly
    return found


def test_both_find_a_sound_log_sound(whole: bytes, tmp_path: Path) -> None:
    """Neither complains of what was never touched; the checker's command counts what was destroyed."""
    (tmp_path / "log.db").write_bytes(whole)
    assert _verdicts(tmp_path / "log.db") == (None, None)
    done = subprocess.run(
        [sys.executable, str(HOUSE / "checker" / "check_ledger.py"), "sqlite", str(tmp_path / "log.db")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, f"destroyed under record {SIZE - 1}" in done.stdout) == (0, True)


@pytest.mark.parametrize("name", TAMPERINGS)
def test_both_name_the_same_entry(name: str, whole: bytes, tmp_path: Path) -> None:
    """After every way of tampering over SQL both say no, and both name the same entry (or none)."""
    ours, theirs = _tampered(whole, tmp_path, name, 1)
    assert ours is not None
    assert ours == theirs


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_both_name_the_same_entry_wherever_it_is(whole: bytes, tmp_path: Path) -> None:
    """The same, a hundred times each, at other places."""
    for name in TAMPERINGS:
        for seed in range(100):
            ours, theirs = _tampered(whole, tmp_path, name, seed)
            assert ours is not None, (name, seed)
            assert ours == theirs, (name, seed)
