"""What a checker must refuse: forged logs, each signed and with one fault, for whoever writes a checker (checker/refused.json)."""

from __future__ import annotations

import json
import sqlite3
from base64 import b64decode
from pathlib import Path
from typing import Any

from forged import databases, written
from logs import HOUSE, checker

from gateway.errors import LedgerFault
from gateway.ledger.check.check import sweep
from gateway.ledger.log.note import NoteFault, VerifierKey
from gateway.ledger.log.regrown import Head
from gateway.ledger.publication.checkpoint import verify
from nik_gateway_client import ReceiptFault, check_receipt

CHECKER = checker()
TOLD = json.loads((HOUSE / "checker" / "refused.json").read_text("utf-8"))
TABLES = """
CREATE TABLE ledger_entries (leaf_index INTEGER PRIMARY KEY, id BLOB, leaf BLOB, private BLOB);
CREATE TABLE ledger_head (one INTEGER PRIMARY KEY, size INTEGER, frontier BLOB);
CREATE TABLE ledger_tiles (level INTEGER, number INTEGER, hashes BLOB, root BLOB);
CREATE TABLE ledger_open (first INTEGER, hashes BLOB);
"""


def rows_of(told: dict[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of a case's tables, as they are described in checker/README.md."""
    series = TOLD["series"]
    rows = {}
    for number in range(told["series"]):
        text = f"{number:012x}"
        leaf = series["leaf"].replace(series["number"], text)
        id = bytes.fromhex(json.loads(leaf)["id"].replace("-", ""))
        rows[number] = (number, id, leaf.encode(), b64decode(series["private"]))
    for row in told["ledger_entries"]:
        private = None if row["private"] is None else b64decode(row["private"])
        rows[row["leaf_index"]] = (row["leaf_index"], bytes.fromhex(row["id"]), row["leaf"].encode(), private)
    for number in told["missing"]:
        rows.pop(number)
    hashes = {databases.TILE: series["tile"]}
    head = told["ledger_head"]
    return {
        "ledger_entries": [row for _, row in sorted(rows.items())],
        "ledger_head": [(1, head[0], b64decode(head[1]))] if head else [],
        "ledger_tiles": [
            (level, number, b64decode(hashes.get(tile, tile)), b64decode(root))
            for level, number, tile, root in told["ledger_tiles"]
        ],
        "ledger_open": [(first, b64decode(kept)) for first, kept in told["ledger_open"]],
    }


def looked_at(case: dict[str, Any], path: Path) -> tuple[int, int] | None:
    """(line, entry) that the single-file checker names; None when it finds the case sound."""
    try:
        if case["form"] == "receipt":
            CHECKER.check_receipt(case["receipt"], case["keys"], case.get("evidence"))
        elif case["form"] == "export":
            path.write_text(case["export"], "utf-8")
            CHECKER.check_export(path, case["keys"])
        else:
            path.unlink(missing_ok=True)
            db = sqlite3.connect(path)
            db.executescript(TABLES)
            for table, rows in rows_of(case["tables"]).items():
                for row in rows:
                    db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
            db.commit()
            db.close()
            marks = [CHECKER.checkpoint_of(case["checkpoint"], case["keys"])[1:]] if "checkpoint" in case else ()
            CHECKER.check_database(path, marks)
    except CHECKER.Fault as fault:
        return fault.line, fault.index
    return None


def test_the_file_is_the_one_that_is_forged_here() -> None:
    """Each fault has a name of its own; there are enough of each form."""
    assert (HOUSE / "checker" / "refused.json").read_text("utf-8") == written.text()
    names = [case["name"] for case in TOLD["refused"]]
    assert len(set(names)) == len(names) >= 150
    assert {case["form"] for case in TOLD["sound"]} == {"receipt", "export", "database"}


def test_the_checker_refuses_every_forged_log(tmp_path: Path) -> None:
    """And names the line and the entry; what is sound it finds sound."""
    assert [case["name"] for case in TOLD["sound"] if looked_at(case, tmp_path / "log") is not None] == []
    found = {case["name"]: looked_at(case, tmp_path / "log") for case in TOLD["refused"]}
    assert [name for name, named in found.items() if named is None] == []
    told = {case["name"]: (case["line"], case["entry"]) for case in TOLD["refused"] if "line" in case}
    assert {name: found[name] for name in told} == told


def named_by_the_gateway(case: dict[str, Any]) -> int | None:
    """The entry that the gateway's own check of the tables names; None when it finds them sound."""
    rows = rows_of(case["tables"])
    try:
        marks = {}
        if "checkpoint" in case:
            held = verify(case["checkpoint"], [VerifierKey.parse(key) for key in case["keys"]]).checkpoint
            marks[held.size] = held.root
        head = Head(*rows["ledger_head"][0][1:])
        pages = filter(None, [rows["ledger_entries"]])
        sweep(head, pages, rows["ledger_tiles"], rows["ledger_open"], marks=marks)
    except NoteFault:
        return -1
    except LedgerFault as fault:
        return fault.index
    return None


def test_the_gateways_check_names_the_same_entries() -> None:
    """Of the tables, held against the same checkpoints."""
    cases = [
        case for case in TOLD["sound"] + TOLD["refused"] if case["form"] == "database" and case["tables"]["ledger_head"]
    ]
    told = {case["name"]: case.get("entry") for case in cases}
    assert {case["name"]: named_by_the_gateway(case) for case in cases} == told


def test_the_client_refuses_the_forged_receipts() -> None:
    """Its own check, written apart from both others. The file of evidence is the command's to read, and kinds may be newer."""
    wrong = []
    others = ("the evidence", "a member of the evidence", "the leaf is of a kind")
    for case in TOLD["sound"] + TOLD["refused"]:
        evidence = case.get("evidence")
        if case["form"] != "receipt" or case["name"].startswith(others):
            continue
        asked = {name: evidence.get(name) for name in ("request", "answer")} if evidence else {}
        try:
            check_receipt(case["receipt"], case["keys"], **asked)
        except ReceiptFault:
            wrong += [case["name"]] if case in TOLD["sound"] else []
        else:
            wrong += [] if case in TOLD["sound"] else [case["name"]]
    assert wrong == []
