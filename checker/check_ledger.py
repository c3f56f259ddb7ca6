#!/usr/bin/env python3
"""Is this log of a NIK gateway whole? One file that needs nothing but Python's standard library (3.9 or newer).

    check_ledger.py sqlite FILE  [--checkpoint NOTE --key VKEY]
    check_ledger.py export FILE  [--key VKEY]                     a stretch, or what an auditor searched for or drew
    check_ledger.py receipt FILE --key VKEY [--evidence FILE]     Exit 0: sound, 1: not, 2: could not be checked.

Written from docs/ledger.md, RFC 6962/9162, RFC 8032, RFC 8785 and C2SP alone; it shares no line with the gateway.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sqlite3
import sys
import uuid

MEMBERS = ["actor", "agreement", "answer", "at", "id", "kind", "private", "purpose", "request", "v"]
# kinds: written by `make docs`
KINDS = set(
    """
answer refusal repeat token read refused_unidentified agreement partner client approval duty money revocation
introspection import start destruction new_log audit access_request incident staff feed referral rekey
""".split()
)
# end of kinds
KEPT = {"destruction", "new_log"}  # their private parts explain the others, and are never destroyed
STRETCH, SELECTION = "nik-gateway-ledger-export/1", "nik-gateway-ledger-selection/1"
DRAWS = 20_000  # a sample has no more
LINES = {  # members of the lines of an export, by its form: of the first line, of the others
    STRETCH: ({"format", "checkpoint", "keys", "first", "count", "left", "right"}, {"index", "leaf", "private"}),
    SELECTION: (
        {"format", "checkpoint", "keys", "assignment", "filters", "count", "next", "sample"},
        {"index", "leaf", "private", "proof"},
    ),
}
OPTIONAL = {"private", "sample"}


class Fault(Exception):
    """The log does not fit; `index` is the first entry that does not, -1 when it is no single entry; `line` of a file, from 1."""

    def __init__(self, index, what, line=0):
        where = ([f"line {line}"] if line else []) + ([f"entry {index}"] if index >= 0 else [])
        super().__init__(f"{', '.join(where)}: {what}" if where else what)
        self.index, self.what, self.line = index, what, line


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def b64u(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jcs(document):
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


# ------------------------------------------------------------------------------------------------ the tree


class Tree:
    """Roots of perfect subtrees, largest first: (number of leaves, hash)."""

    def __init__(self):
        self.parts = []
        self.size = 0

    def add(self, root, count=1):
        if self.size % count:
            raise Fault(-1, "the parts do not lie side by side")
        self.size += count
        self.parts.append((count, root))
        while len(self.parts) > 1 and self.parts[-1][0] == self.parts[-2][0]:
            count, right = self.parts.pop()
            count, left = self.parts.pop()
            self.parts.append((2 * count, sha256(b"\1", left, right)))

    def root(self):
        if not self.parts:
            return sha256()
        root = self.parts[-1][1]
        for _, left in reversed(self.parts[:-1]):
            root = sha256(b"\1", left, root)
        return root

    def frontier(self):
        return b"".join(root for _, root in self.parts)


def cover(begin, end):
    """Sizes of the fewest perfect subtrees over leaves begin..end-1."""
    while begin < end:
        count = 1 << ((end - begin).bit_length() - 1)
        if begin:
            count = min(count, begin & -begin)
        yield count
        begin += count


def fold(hashes):
    tree = Tree()
    for each in hashes:
        tree.add(each)
    return tree.root()


# ------------------------------------------------------------------------------------------------ entries


def leaf_of(raw, index):
    """The document in a leaf's bytes, which must be the canonical ones."""
    if not isinstance(raw, bytes):
        raise Fault(index, "leaf: not bytes")
    try:
        leaf = json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise Fault(index, "leaf: not a leaf document") from None
    if not isinstance(leaf, dict) or sorted(leaf) != MEMBERS:
        raise Fault(index, "leaf: not a leaf document")
    if type(leaf["v"]) is not int or any(type(leaf[name]) is not str for name in MEMBERS if name != "v"):
        raise Fault(index, "leaf: not a leaf document")
    try:
        same = jcs(leaf) == raw
    except UnicodeEncodeError:
        same = False
    if not same:
        raise Fault(index, "leaf: not in canonical form")
    if leaf["v"] != 1 or leaf["kind"] not in KINDS:
        raise Fault(index, "leaf: unknown version or kind")
    return leaf


class Destructions:
    """Private parts that are missing, and the records that explain them."""

    def __init__(self):
        self.open = {}
        self.under = {}

    def missing(self, index, leaf):
        bucket = self.open.setdefault((leaf["kind"], leaf["at"][:13]), [index, 0, leaf["at"]])
        bucket[1] += 1
        bucket[2] = max(bucket[2], leaf["at"])

    def record(self, index, private):
        try:
            told = json.loads(private[32:].decode("utf-8"))
            kinds, before = set(told["kinds"]) - KEPT, str(told["before"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        for key, (_, count, last) in list(self.open.items()):
            if key[0] in kinds and last < before:
                self.under[index] = self.under.get(index, 0) + count
                del self.open[key]

    def require_all(self):
        if self.open:
            raise Fault(min(bucket[0] for bucket in self.open.values()), "private: destroyed without a record of it")


def check_private(index, leaf, private, destructions):
    if private is None:
        destructions.missing(index, leaf)
        return
    if not isinstance(private, bytes) or b64u(sha256(private)) != leaf["private"]:
        raise Fault(index, "private: not what the leaf commits to")
    if leaf["kind"] == "destruction":
        destructions.record(index, private)


def check_database(path, marks=()):
    """Every column of every ledger_ table of an SQLite file; `marks` are (size, root) that it must have had."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    database.execute("BEGIN")
    head = database.execute("SELECT size, frontier FROM ledger_head WHERE one = 1").fetchone()
    if head is None or type(head[0]) is not int:
        raise Fault(-1, "the head is missing")
    tiles = database.execute("SELECT level, number, hashes, root FROM ledger_tiles ORDER BY level, number")
    kept = database.execute("SELECT first, hashes FROM ledger_open ORDER BY first").fetchall()
    tree, destructions, open_tile, levels = Tree(), Destructions(), [], [[]]
    marks = dict(marks)
    broken = reach(tree, marks)
    index = 0
    for found, id, raw, private in database.execute(
        "SELECT leaf_index, id, leaf, private FROM ledger_entries ORDER BY leaf_index"
    ):
        if found != index:
            raise Fault(index, f"missing; the next one stored is {found}")
        leaf = leaf_of(raw, index)
        if not isinstance(id, bytes) or len(id) != 16 or str(uuid.UUID(bytes=id)) != leaf["id"]:
            raise Fault(index, "id: another than in the leaf")
        check_private(index, leaf, private, destructions)
        open_tile.append(sha256(b"\0", raw))
        tree.add(open_tile[-1])
        index += 1
        broken = broken or reach(tree, marks)
        if len(open_tile) == 256:
            levels[0].append(check_tile(tiles, 0, len(levels[0]), open_tile))  # names the entry, which a mark cannot
            open_tile = []
            if broken:
                raise broken
    if index != head[0]:
        raise Fault(min(index, head[0]), f"the head counts {head[0]} entries, {index} are stored")
    while len(levels[-1]) >= 256:
        below, level = levels[-1], len(levels)
        whole = range(len(below) // 256)
        levels.append([check_tile(tiles, level, at, below[at * 256 : at * 256 + 256]) for at in whole])
    if tiles.fetchone():
        raise Fault(-1, "a tile is stored, but there are no such entries")
    check_open(kept, index - len(open_tile), open_tile, fits=tree.frontier() == head[1])
    if broken:
        raise broken
    for size in marks:
        raise Fault(-1, f"the log had {size} entries, it has {index} now")
    destructions.require_all()
    return tree, destructions


def reach(tree, marks):
    """What is wrong where the tree has come to the size of a mark; None when nothing is."""
    if tree.size in marks and marks.pop(tree.size) != tree.root():
        return Fault(-1, f"the first {tree.size} entries are not those of the checkpoint of that size")
    return None


def check_open(kept, begun, hashes, fits):
    """The hashes kept of the tile that is not full; `fits`: the head agrees with the entries."""
    told = []
    for first, some in kept:
        if first != begun + len(told) or not isinstance(some, bytes) or not some or len(some) % 32:
            raise Fault(-1, f"the open tile: the hashes kept from {first} on are out of place")
        told += [some[at : at + 32] for at in range(0, len(some), 32)]
    if told != hashes:
        at = next(at for at in range(256) if told[at : at + 1] != hashes[at : at + 1])
        if not fits and at < len(hashes):
            raise Fault(begun + at, "leaf: another than the one that was sealed, by the hash kept beside the head")
        raise Fault(-1, "the open tile: the hashes kept are not those of the entries")
    if not fits:
        raise Fault(-1, "the head's frontier is not that of the entries")


def check_tile(tiles, level, number, hashes):
    row = tiles.fetchone()
    if row is None or row[:2] != (level, number):
        raise Fault(-1, f"tile {level}/{number} is missing")
    root = fold(hashes)
    if row[2:] == (b"".join(hashes), root):
        return root
    stored = row[2] if isinstance(row[2], bytes) else b""
    told = [stored[at : at + 32] for at in range(0, len(stored), 32)]
    if level == 0 and stored != b"".join(hashes) and len(stored) == 8192 and fold(told) == row[3]:
        at = next(at for at in range(256) if told[at] != hashes[at])
        raise Fault(number * 256 + at, "leaf: another than the one that was sealed, by its tile")
    raise Fault(-1, f"tile {level}/{number}: not that of the entries")


def check_export(path, keys=()):
    """An export of either form; what was proven, a line each."""
    with open(path, "rb") as file:
        try:
            told = json.loads(file.readline(), object_pairs_hook=once)
            form = told["format"]
            known = set(told) <= LINES[form][0] <= set(told) | OPTIONAL
        except (ValueError, KeyError, TypeError, RecursionError):
            known = False
        if known and form == STRETCH:
            return check_stretch(file, told, keys)
        if known:
            return check_selection(file, told, keys)
    raise Fault(-1, "not an export", 1)


def check_stretch(file, told, keys=()):
    """Entries without a gap: the first line proves all that follow it, up to the signed checkpoint."""
    destructions = Destructions()
    try:
        _, size, root = checkpoint_of(told["checkpoint"], keys or told["keys"])
        first, count = told["first"], told["count"]
        left, right = [unb64(each) for each in told["left"]], [unb64(each) for each in told["right"]]
        if type(first) is not int or type(count) is not int or first < 0 or count < 0:
            raise Fault(-1, "not an export")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Fault(-1, "not an export") from None
    tree = Tree()
    add_parts(tree, left, list(cover(0, first)))
    index = first
    for line in file:
        found, raw, private, row = line_of(line, STRETCH, index)
        if found != index:
            raise Fault(index, f"missing; the next line is {found}")
        leaf = leaf_of(raw, index)
        if "private" in row:
            require_kept(index, leaf, private)
            check_private(index, leaf, private, destructions)
        tree.add(sha256(b"\0", raw))
        index += 1
    if index != first + count:
        raise Fault(index, f"{count} entries were promised, {index - first} are there")
    add_parts(tree, right, list(cover(index, size)))
    if tree.size != size or tree.root() != root:
        raise Fault(-1, "an entry was changed, or the proof: together they do not lead to the checkpoint's root")
    if size == index:
        destructions.require_all()
    return summary(tree, destructions)


def check_selection(file, told, keys=()):
    """Entries that were searched for, or drawn: every line proves its own entry, up to the signed checkpoint.

    Those of a search stand in the order of the log, those of a sample in the order in which its seed draws them.
    """
    try:
        _, size, root = checkpoint_of(told["checkpoint"], keys or told["keys"])
        count, following, sample = told["count"], told["next"], told.get("sample")
        lots = None if sample is None else lots_of(sample, size)
    except Fault as fault:
        raise Fault(-1, fault.what, 1) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Fault(-1, "not an export", 1) from None
    last, number, gone = -1, 1, 0
    for number, line in enumerate(file, 2):
        try:
            last, private = check_line(line, last, lots, size, root)
        except Fault as fault:
            raise Fault(fault.index, fault.what, number) from None
        gone += private is None
    if type(count) is not int or number - 1 != count:
        raise Fault(-1, f"{count} entries were promised, {number - 1} are there", number + 1)
    if following is not None and (sample is not None or following != str(last)):
        raise Fault(-1, "the file that follows begins after another entry than the last one here", 1)
    how = (
        ""
        if sample is None
        else f", drawn by seed {json.dumps(sample['seed'])} over {sample['first']} to {sample['end'] - 1}"
    )
    lines = [f"sound: {count} entries of the first {size}, root {b64u(root)}{how}"]
    return lines + (
        [f"{gone} private parts: destroyed, it says; the whole log tells under which record"] if gone else []
    )


def check_line(line, last, lots, size, root):
    """(index, private part) of a line with an entry and its path, after a line of entry `last`."""
    index, raw, private, row = line_of(line, SELECTION)
    if lots is None and index <= last:
        raise Fault(index, f"out of order, or twice; the line before is of entry {last}")
    if lots is not None and index not in lots:  # goes on from the draw before
        raise Fault(index, "not drawn by this seed, or not at this place")
    leaf = leaf_of(raw, index)
    if "private" in row:
        require_kept(index, leaf, private)
        check_private(index, leaf, private, Destructions())
    try:
        path = [unb64(each) for each in row["proof"]]
    except (ValueError, KeyError, TypeError):
        raise Fault(index, "proof: not a path") from None
    climb(index, size, sha256(b"\0", raw), path, root)
    return index, b"" if "private" not in row else private


def require_kept(index, leaf, private):
    if private is None and leaf["kind"] in KEPT:
        raise Fault(index, "private: of a kind that is never destroyed")


def line_of(line, form, index=-1):
    """(index, leaf's bytes, private part or None, the whole row) of a line that holds an entry."""
    try:
        row = json.loads(line, object_pairs_hook=once)
        found, raw, private = row["index"], row["leaf"].encode("utf-8"), row.get("private")
        if type(found) is not int or found < 0 or not set(row) <= LINES[form][1]:
            raise Fault(index, "not a line of an export")
        private = None if private is None else unb64u(private)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Fault(index, "not a line of an export") from None
    return found, raw, private, row


def once(pairs):
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a member twice")
    return document


def lots_of(sample, size):
    """The entries that a sample's seed draws, in that order (docs/audit.md)."""
    seed, first, end, drawn = sample["seed"], sample["first"], sample["end"], sample["drawn"]
    if any(type(each) is not int for each in (first, end, drawn)):
        raise ValueError("not a sample")
    seed.encode("utf-8")
    if not 0 <= first <= end <= size or not 0 <= drawn <= min(end - first, DRAWS):
        raise ValueError("not a sample")
    return draw(seed, first, end, drawn)


def draw(seed, first, end, drawn):
    number, seen = 0, set()
    while len(seen) < drawn:
        text = f"nik-sample/1\n{seed}\n{first}\n{end}\n{number}"
        lot, number = int.from_bytes(sha256(text.encode()), "big"), number + 1
        index = first + lot % (end - first)
        if lot < 2**256 - 2**256 % (end - first) and index not in seen:
            seen.add(index)
            yield index


def add_parts(tree, roots, counts):
    if len(roots) != len(counts) or any(len(root) != 32 for root in roots):
        raise Fault(-1, "the proof has not the form that its stretch needs")
    for root, count in zip(roots, counts):
        tree.add(root, count)


# ------------------------------------------------------------------------------------------------ signatures


def whole(text):
    """A whole number in its one spelling."""
    if not text.isascii() or not text.isdecimal() or str(int(text)) != text:
        raise ValueError("not a whole number")
    return int(text)


def unb64(text):
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not base64")
    return raw


def unb64u(text):
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64u(raw) != text:
        raise ValueError("not base64url")
    return raw


def checkpoint_of(note, keys):
    """(text, size, root) of a checkpoint that one of `keys` has signed under its origin (C2SP signed-note)."""
    try:
        text, _, lines = note.rpartition("\n\n")
        text += "\n"
        origin, size, root = text.split("\n")[:3]
        size, root = whole(size), unb64(root)
        if len(root) != 32 or lines[-1:] != "\n":
            raise Fault(-1, "not a checkpoint")
        signatures = [line.split(" ") for line in lines[:-1].split("\n")]
        known = {}
        for key in keys:
            name, id, material = key.strip().split("+", 2)
            raw = unb64(material)
            if sha256(name.encode(), b"\n", raw)[:4].hex() != id:
                raise Fault(-1, f"the key of {name} is damaged")
            known[name, id] = raw
        signed = False
        for dash, name, signature in signatures:
            raw = unb64(signature)
            material = known.get((name, raw[:4].hex()))
            if dash == "\u2014" and material and material[0] == 1 and name == origin:
                if not ed25519(material[1:], text.encode(), raw[4:]):
                    raise Fault(-1, f"the signature of {name} does not verify")
                signed = True
    except ValueError:
        raise Fault(-1, "not a checkpoint") from None
    if not signed:
        raise Fault(-1, f"the checkpoint of {origin} is signed by none of the keys given")
    return text, size, root


P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _recover(raw):
    """A point from its 32 bytes (RFC 8032 5.1.3), in extended coordinates; None when it is none."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def _add(one, other):
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = _add(result, point)
        point = _add(point, point)
        number >>= 1
    return result


BASE = _recover((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519(public, message, signature):
    """Whether an Ed25519 signature verifies (RFC 8032 5.1.7)."""
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r, s = _recover(public), _recover(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = _times(s, BASE), _add(r, _times(k, a))
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


# ------------------------------------------------------------------------------------------------ receipts


def climb(index, size, node, path, root):
    """From a leaf's hash by its path to the root (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        raise Fault(index, "is not in the log of that checkpoint")
    at, last = index, size - 1
    for sibling in path:
        if last == 0:
            raise Fault(index, "the proof is too long")
        if at & 1 or at == last:
            node = sha256(b"\1", sibling, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = sha256(b"\1", node, sibling)
        at, last = at >> 1, last >> 1
    if last or node != root:
        raise Fault(index, "is not in the log of that checkpoint")


def check_receipt(text, keys, evidence=None):
    """(leaf, index, size) that a receipt (C2SP tlog-proof) proves; with `evidence`, of that question and answer."""
    head, _, note = text.partition("\n\n")
    try:
        first, extra, index, *path = head.split("\n")
        if first != "c2sp.org/tlog-proof@v1" or extra[:6] != "extra " or index[:6] != "index ":
            raise Fault(-1, "not a receipt")
        raw, index, path = unb64(extra[6:]), whole(index[6:]), [unb64(each) for each in path]
    except ValueError:
        raise Fault(-1, "not a receipt") from None
    _, size, root = checkpoint_of(note, keys)
    leaf = leaf_of(raw, index)
    climb(index, size, sha256(b"\0", raw), path, root)
    if evidence is not None:
        check_evidence(evidence, leaf, index, b64u(sha256(b"\0", raw)))
    return leaf, index, size


def check_evidence(evidence, leaf, index, entry):
    """The question and the answer that somebody kept are those of the leaf; `entry` is the leaf's hash."""
    try:
        answer = {name: value for name, value in evidence["answer"].items() if name != "entry"}
        nonce = unb64u(answer["nonce"])
        told, asked = jcs(answer), jcs(evidence["request"])
        if not set(evidence) <= {"request", "answer", "nonce", "entry"} or len(nonce) != 32:
            raise Fault(index, "not evidence of a question and its answer")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Fault(index, "not evidence of a question and its answer") from None
    if answer.get("id") != leaf["id"] or b64u(sha256(told)) != leaf["answer"]:
        raise Fault(index, "another answer than the one that was sealed")
    if b64u(sha256(nonce, asked)) != leaf["request"]:
        raise Fault(index, "another question than the one that was asked")
    if any(each.get("entry", entry) != entry for each in (evidence, evidence["answer"])):
        raise Fault(index, "the evidence names another entry")
    if evidence.get("nonce", answer["nonce"]) != answer["nonce"]:
        raise Fault(index, "the evidence names another nonce than the answer")


def summary(tree, destructions):
    under = destructions.under.items()
    return [f"sound: {tree.size} entries, root {b64u(tree.root())}"] + [
        f"{count} private parts: destroyed under record {record}" for record, count in under
    ]


def read(path):
    with open(path, encoding="utf-8", newline="") as file:  # to the byte: no other line ends
        return file.read()


def keys_of(given):
    found = []
    for key in given or ():
        found += [key] if key.count("+") >= 2 else read(key).split()
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", choices=["sqlite", "export", "receipt"],
        help="a whole log; NDJSON of `ledger export`, or of a search or sample of an auditor; the proof of one entry",
    )  # fmt: skip
    parser.add_argument("file")
    parser.add_argument("--key", action="append", help="verifier key of the log, or a file of them")
    parser.add_argument(
        "--checkpoint", action="append", default=[], help="a signed checkpoint that the log must extend"
    )
    parser.add_argument("--evidence", help="JSON with question and answer, as `verify --evidence` keeps them")
    told = parser.parse_args(arguments)
    if (told.checkpoint and told.what != "sqlite") or (told.evidence and told.what != "receipt"):
        parser.error("--checkpoint goes with `sqlite`, --evidence with `receipt`")  # never ignored in silence
    try:
        keys = keys_of(told.key)
        if told.what == "receipt":
            evidence = json.loads(read(told.evidence), object_pairs_hook=once) if told.evidence else None
            leaf, index, size = check_receipt(read(told.file), keys, evidence)
            what = ", of this question and answer" if evidence else ""
            print(f"proven: entry {index} of {size}, sealed {leaf['at']}{what}")
            return 0
        if told.what == "sqlite":
            marks = [checkpoint_of(read(path), keys)[1:] for path in told.checkpoint]
            proven = summary(*check_database(told.file, marks))
        else:
            proven = check_export(told.file, keys)
            if not keys:
                print(
                    "the checkpoint was verified with the key that the export itself brings: compare it with one you trust"
                )
        print("\n".join(proven))
    except Fault as fault:
        print(f"NOT SOUND: {fault}")
        return 1
    except (OSError, sqlite3.Error, ValueError, KeyError, RecursionError) as fault:
        print(f"could not be checked: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
