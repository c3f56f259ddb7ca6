"""What is published for whoever checks the log with a program of its own? A schema and vectors (checker/), both generated."""

from __future__ import annotations

import json
import re
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.clock import SECOND
from gateway.ledger.log.entry import KINDS, Entry, make_entry, private_bytes
from gateway.ledger.log.merkle import HASH, Frontier
from gateway.ledger.log.note import COSIGNATURE, PLAIN, NoteSigner, VerifierKey, b64
from gateway.ledger.log.proof import HashTree
from gateway.ledger.log.sampling import draws
from gateway.ledger.log.tiles import Tile
from gateway.ledger.publication.checkpoint import Checkpoint, sign
from gateway.ledger.publication.export import FORMAT, SELECTION, entry_lines, head_line, selection
from gateway.ledger.publication.receipt import Receipt

SIZE = 11
ORIGIN = "log.example/vectors"
AT = 1_764_000_000
SEED = "ST/17/2026"
_DIGEST = {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}
_SIGNED = {
    "checkpoint": {"type": "string", "description": "C2SP tlog-checkpoint, a signed note."},
    "keys": {"type": "array", "items": {"type": "string"}, "description": "Verifier keys (C2SP signed-note)."},
}
_HASHES = {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"}}


def checker_text(source: str) -> str:
    """The checker's source with the kinds of today in it."""
    words = " ".join(KINDS)
    lines = re.sub(r"(.{1,110})(?: |$)", r"\1\n", words)
    begun, ended = "# kinds: written by `make docs`\n", "# end of kinds\n"
    head, _, rest = source.partition(begun)
    return f'{head}{begun}KINDS = set(\n    """\n{lines}""".split()\n)\n{ended}{rest.partition(ended)[2]}'


def schema_text() -> str:
    """checker/schema.json: JSON Schemas (2020-12) of a leaf and of the lines of both forms of export."""
    leaf: dict[str, Any] = {
        "type": "object",
        "properties": {
            "actor": {"type": "string"},
            "agreement": {"type": "string"},
            "answer": _DIGEST,
            "at": {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"},
            "id": {"type": "string", "format": "uuid"},
            "kind": {"enum": [str(kind) for kind in KINDS]},
            "private": _DIGEST,
            "purpose": {"type": "string"},
            "request": _DIGEST,
            "v": {"const": 1},
        },
    }
    head: dict[str, Any] = {
        "type": "object",
        "properties": {
            "format": {"const": FORMAT},
            **_SIGNED,
            "first": {"type": "integer", "minimum": 0},
            "count": {"type": "integer", "minimum": 0},
            "left": {**_HASHES, "description": "Perfect subtrees before the stretch, largest first."},
            "right": {**_HASHES, "description": "Perfect subtrees behind it, in order, up to the checkpoint's size."},
        },
    }
    line: dict[str, Any] = {
        "type": "object",
        "properties": {
            "index": {"type": "integer", "minimum": 0},
            "leaf": {"type": "string", "description": "The very text that was hashed: RFC 8785 of a leaf."},
            "private": {
                "type": ["string", "null"],
                "pattern": "^[A-Za-z0-9_-]*$",
                "description": "base64url; null once destroyed.",
            },
        },
    }
    chosen: dict[str, Any] = {
        "type": "object",
        "properties": {
            "format": {"const": SELECTION},
            **_SIGNED,
            "assignment": {"type": "string", "description": "The assignment that was read under."},
            "filters": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "What was asked for.",
            },
            "count": {"type": "integer", "minimum": 0, "description": "How many lines follow."},
            "next": {
                "type": ["string", "null"],
                "description": "The cursor of the file that follows: the last index here.",
            },
            "sample": _sample(),
        },
    }
    proven: dict[str, Any] = {
        "type": "object",
        "properties": {
            **line["properties"],
            "proof": {**_HASHES, "description": "RFC 9162 2.1.3: the path from the leaf to the checkpoint's root."},
        },
    }
    every = ((leaf, ""), (head, ""), (line, "private"), (chosen, "sample"), (proven, ""))
    for schema, optional in every:
        schema["required"] = [name for name in schema["properties"] if name != optional]
        schema["additionalProperties"] = False
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {
            "leaf": leaf,
            "export_head": head,
            "export_entry": line,
            "selection_head": chosen,
            "selection_entry": proven,
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _sample() -> dict[str, Any]:
    numbers = ("first", "end", "drawn")
    return {
        "type": "object",
        "description": "The entries are those that fit among the first `drawn` draws over `first` to `end` - 1, in that order.",
        "properties": {"seed": {"type": "string"}, **{name: {"type": "integer", "minimum": 0} for name in numbers}},
        "required": ["seed", *numbers],
        "additionalProperties": False,
    }


def _entries() -> list[Entry]:
    kinds = list(KINDS)
    return [
        make_entry(
            kind=kinds[number % 3],
            id=f"019abb00-0000-7000-8000-{number:012x}",
            at=(AT + number) * SECOND,
            actor="bank/bank-1",
            agreement="pks-bank",
            purpose="account_opening",
            answer=bytes((number,)) * 32,
            request=bytes((255 - number,)) * 32,
            private=private_bytes(bytes((number,)) * 32, {"number": number, "name": "é “ü” \n"}),
        )
        for number in range(SIZE)
    ]


def vectors_text() -> str:
    """checker/vectors.json: a log of eleven entries, with roots, proofs, signed checkpoint, receipt and exports of every form."""
    seed = bytes(range(32))
    private = Ed25519PrivateKey.from_private_bytes(seed)
    signer = NoteSigner(VerifierKey(ORIGIN, PLAIN, private.public_key().public_bytes_raw()), private.sign)
    other = Ed25519PrivateKey.from_private_bytes(seed[::-1])
    witness = NoteSigner(
        VerifierKey("witness.example/w1", COSIGNATURE, other.public_key().public_bytes_raw()), other.sign
    )
    entries = _entries()
    hashes = b"".join(entry.hash for entry in entries)

    def read(tile: Tile) -> bytes:
        return hashes[: tile.width * HASH]

    roots = []
    frontier = Frontier()
    for entry in [None, *entries]:
        frontier.append([entry.hash] if entry else [])
        roots.append(b64(frontier.root()))
    tree = HashTree(read, SIZE)
    checkpoint = Checkpoint(ORIGIN, SIZE, tree.root())
    note = sign(checkpoint, [signer]) + witness.line(checkpoint.text.encode(), AT)
    rows = [(at, b"", entry.leaf, entry.private) for at, entry in enumerate(entries)]
    export = head_line(note, [signer.key], tree, 3, 9) + entry_lines(rows[3:9], private=True)
    found = [rows[2], (*rows[5][:3], None), rows[6], rows[9]]  # the second one's private part is destroyed
    search = {
        "assignment": "019abb00-0000-7000-8000-0000000000ff",
        "filters": {"purpose": "account_opening"},
        "next": "9",
    }
    drawn = [index for index in draws(SEED, 2, 10) if index % 2 == 0]
    lot = {
        **search,
        "filters": {"seed": SEED},
        "next": None,
        "sample": {"seed": SEED, "first": 2, "end": 10, "drawn": 8},
    }
    keys = [str(signer.key)]
    document = {
        "vkey": str(signer.key),
        "witness": str(witness.key),
        "leaves": [
            {"leaf": entry.leaf.decode(), "hash": b64(entry.hash), "private": b64(entry.private)} for entry in entries
        ],
        "roots": roots,
        "inclusion": [
            {"index": index, "size": size, "path": [b64(each) for each in tree.inclusion(index, size)]}
            for size in (1, 2, 7, 8, SIZE)
            for index in (0, size // 2, size - 1)
        ],
        "consistency": [
            {"old": old, "size": size, "path": [b64(each) for each in tree.consistency(old, size)]}
            for size in (2, 7, 8, SIZE)
            for old in (1, size // 2, size - 1, size)
        ],
        "checkpoint": note,
        "receipt": Receipt(entries[4].leaf, 4, tuple(tree.inclusion(4)), note).text,
        "export": export.decode(),
        "selection": selection(note, keys, tree, found, search).decode(),
        "sample": selection(note, keys, tree, [rows[index] for index in drawn], lot).decode(),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
