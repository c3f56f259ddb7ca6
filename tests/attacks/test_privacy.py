"""Does a NIK or a name lie anywhere in the clear? Scans databases, logs, metrics and exports after a full run."""

# Attacks held here (an intruder with a copy of the disk, a reader of logs, a partner that puts NIKs anywhere):
#   test_no_nik_and_no_name_is_left_behind   in database, log, temporary files, metrics, exports, responses
#   test_the_scan_finds_what_it_looks_for    that the scan itself would see one

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from deployment import SINGLE, Deployment, Line, Partner, Reply, jcs

from gateway.config import read

BATCH = "/v1/verifications/batch"
STRANGER = "ZULKARNAEN BUKANSIAPA"  # a name that is asked for and belongs to nobody
MEANT_TO_HOLD_THEM = {"residents.sample.ndjson", "magic.json"}
_digits = re.compile(rb"[0-9]{16,}")
_hex_digits = re.compile(rb"(?:3[0-9]){16,}")
_words = re.compile(rb"[A-Z][A-Z .,'`-]{5,}")


def someone(node: Deployment) -> dict[str, Any]:
    """An active resident whose name the scan looks for: one word alone is no name of anybody."""
    return next(one for one in node.active[500:] if " " in one["claims"]["name"])


def encodings(text: str) -> set[bytes]:
    """What a text looks like in hexadecimal, and inside base64 at each of the three alignments."""
    raw = text.encode()
    found = {raw.hex().encode(), raw.hex().upper().encode()}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw).rstrip(b"=")
        found.add(whole[-(-shift * 8 // 6) + (shift > 0) : -1])
    return found


class Scan:
    """Looks for residents in bytes: every NIK and name of the sample as text, those `used` in other encodings too."""

    def __init__(self, residents: Iterable[dict[str, Any]], used: Iterable[str]) -> None:
        residents = list(residents)
        texts = set(used)
        self._niks = {one["nik"].encode() for one in residents} | {t.encode() for t in texts if t.isdigit()}
        names = {one["claims"].get(which, "") for one in residents for which in ("name", "mother_name")} | texts
        # Shorter ones stand in random base64 by chance.
        self._names = {name.upper().encode() for name in names if sum(map(str.isalpha, name)) >= 8}
        self._encoded = {form for text in texts for form in encodings(text)}
        self._encoded |= {bytes.fromhex(text) for text in texts if text.isdigit()}  # packed, two digits a byte

    def finds(self, data: bytes) -> list[bytes]:
        """What is found; empty when the bytes hold nobody."""
        runs = list(_digits.findall(data))
        runs += [bytes.fromhex(run.decode()) for run in _hex_digits.findall(data)]
        found = [run for run in runs if any(run[at : at + 16] in self._niks for at in range(len(run) - 15))]
        words = b"\n".join(_words.findall(data.upper()))
        found += [name for name in self._names if name in words]
        return found + [form for form in self._encoded if form in data]


def _questions(node: Deployment, partner: Partner) -> Iterator[dict[str, Any]]:
    """A match, a mismatch, an unknown NIK, and a NIK or name wherever a body can hold one."""
    resident = someone(node)
    right, nik = partner.question(resident), resident["nik"]
    yield right
    yield right | {"claims": right["claims"] | {"name": STRANGER}}
    yield right | {"nik": nik[:12] + "8998"}
    yield right | {"nik": nik[:6] + "99" + nik[8:]}
    yield right | {"claims": resident["claims"]}
    for member in ("purpose", "channel", "operator", "on_behalf_of", "previous"):
        yield right | {member: nik}
    yield right | {"consent": {"basis": nik, "reference": nik}}
    yield right | {"claims": right["claims"] | {nik: resident["claims"]["name"]}}
    yield right | {"claims": right["claims"] | {"birth_date": nik, "sex": STRANGER}}
    yield right | {nik: STRANGER, STRANGER: nik}
    yield right | {"nik": nik + "0"}
    yield right | {"nik": [nik]}
    yield {"claims": right["claims"]}


async def _use(node: Deployment) -> list[Reply]:
    """Every kind of call, and NIKs in every place that a call has."""
    partner = await Partner(node).log_in()
    line = await Line.to(node.port)
    resident = someone(node)
    nik, name = resident["nik"], resident["claims"]["name"]
    questions = list(_questions(node, partner))
    replies = [await partner.verify(line, question) for question in questions]
    odd = [
        {"idempotency-key": "privacy-1"}, {"idempotency-key": "privacy-1"}, {"idempotency-key": nik},
        {"accept-language": nik}, {"x-request-id": nik}, {"x-fapi-interaction-id": nik}, {"user-agent": nik},
        {"content-type": nik}, {"content-digest": f"sha-256=:{nik}:"}, {"x-forwarded-for": nik},
        {"cookie": f"nik={nik}"}, {"dpop": nik}, {"authorization": f"DPoP {nik}"}, {"authorization": f"Basic {nik}"},
    ]  # fmt: skip
    replies += [await partner.verify(line, questions[0], **headers) for headers in odd]
    items = [{"ref": f"r{at}", **question} for at, question in enumerate(questions)]
    items = [{n: v for n, v in item.items() if n != "purpose"} for item in items]
    batch = {"purpose": partner.purpose, "items": [*items, {"ref": nik, "nik": nik, "claims": {}}]}
    batches = [jcs(batch | {"purpose": purpose}) for purpose in (partner.purpose, nik)]
    replies += [await line.ask("POST", BATCH, partner.headers(BATCH), body) for body in batches]
    bodies = [nik.encode(), f'{{"nik":"{nik}"'.encode(), f'"{name}"'.encode(), f"nik={nik}".encode()]
    replies += [await line.ask("POST", SINGLE, partner.headers(), body) for body in bodies]
    paths = [f"{SINGLE}/{nik}", f"{SINGLE}?nik={nik}", f"/{nik}", f"/problems/{nik}", f"/reasons/{nik}?name={nik}"]
    for path in [*paths, f"/keys?{urlencode({'nik': nik, 'name': name})}"]:
        replies.append(await line.ask("GET", path, partner.headers()))
        replies.append(await line.ask("POST", path, partner.headers(path.partition("?")[0]), jcs(questions[0])))
    headers, form = partner.token_request()
    for more in ({"scope": nik}, {"client_id": nik}, {nik: nik}, {"client_assertion": nik}):
        body = form + b"&" + urlencode(more).encode()
        replies.append(await line.ask("POST", "/oauth2/token", headers, body))
    replies.append(await line.ask("POST", "/oauth2/token", headers, urlencode({"client_id": nik}).encode()))
    line.leave()
    broken = await Line.to(node.port)
    broken.write(f"{nik}", f"\0{nik}", {nik: nik})
    await asyncio.sleep(0.05)
    broken.leave()
    return replies


def _everything(node: Deployment) -> Iterator[tuple[str, bytes]]:
    """Whatever of the deployment an intruder could read, by name: files, and every table on PostgreSQL."""
    for path in sorted(node.directory.rglob("*")):
        if path.is_file() and path.name not in MEANT_TO_HOLD_THEM:
            yield str(path), path.read_bytes()
    url = read(node.config).database_url
    if url.startswith("postgresql"):
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                with connection.cursor().copy(f"COPY {table} TO STDOUT (FORMAT binary)".encode()) as copy:
                    yield f"table {table}", b"".join(bytes(part) for part in copy)


def _metrics(node: Deployment) -> str:
    token = (node.directory / "metrics.token").read_text().strip()

    async def ask() -> Reply:
        line = await Line.to(node.port)
        reply = await line.ask("GET", "/metrics", {"authorization": f"Bearer {token}"})
        line.leave()
        return reply

    text = str(asyncio.run(ask()).document)
    assert "nik_gateway_calls" in text
    return text


def test_no_nik_and_no_name_is_left_behind(node: Deployment) -> None:
    """After a full run no NIK and no name that it used is in any file, table, log, metric, export or response."""
    resident = someone(node)
    used = (resident["nik"], resident["nik"][:12] + "8998", STRANGER, resident["claims"]["name"])
    scan = Scan(node.residents, used)
    replies = asyncio.run(_use(node))
    assert {200, 400, 401, 403, 404, 405, 415, 422} <= {reply.status for reply in replies}
    for reply in replies:
        assert scan.finds(json.dumps([dict(reply.headers), reply.document]).encode()) == []
    exports = [
        _metrics(node),
        node.command("register", "status", "--json"),
        node.command("agreements", "list", "--json"),
        node.command("ledger", "check", "--json"),
    ]
    for text in exports:
        assert scan.finds(text.encode()) == []
    running = {name: scan.finds(data) for name, data in _everything(node)}
    assert {name for name, found in running.items() if found} == set()
    if read(node.config).database_url.startswith("postgresql"):
        return
    assert any(name.endswith("-wal") for name in running)
    node.stop()  # what it writes on leaving is the same on both databases
    try:
        assert {name for name, data in _everything(node) if scan.finds(data)} == set()
    finally:
        node.start()


@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_the_scan_finds_what_it_looks_for(node: Deployment) -> None:
    """The scan finds a NIK and a name as text, in hexadecimal, in base64 at any alignment, packed, and in a file."""
    resident = someone(node)
    nik, name = resident["nik"], resident["claims"]["name"]
    scan = Scan(node.residents, (nik, name))
    noise = bytes(range(256))
    forms = [nik.encode(), name.encode(), name.title().encode(), node.active[7]["nik"].encode().hex().encode()]
    forms += [nik.encode().hex().encode(), name.encode().hex().upper().encode(), bytes.fromhex(nik)]
    forms += [base64.b64encode(noise[:at] + text.encode() + noise) for text in (nik, name) for at in range(6)]
    assert [form for form in forms if not scan.finds(noise + form + noise)] == []
    assert scan.finds(noise * 100) == []
    assert scan.finds((node.directory / "residents.sample.ndjson").read_bytes()) != []
