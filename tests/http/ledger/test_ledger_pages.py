"""Is the log published as C2SP tlog-tiles asks? Read over HTTP by a reader that somebody else wrote, on both engines."""

from __future__ import annotations

import re
import time

import httpx
import pytest
from served import Gateway
from tlog_scales.backend import HttpBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey

from gateway.ledger.log.note import VerifierKey
from gateway.ledger.publication.checkpoint import Checkpoint, verify

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

FRESH = 10  # seconds that a checkpoint may be old while entries arrive


def checkpoint(gateway: Gateway) -> tuple[str, Checkpoint]:
    note = gateway.http.get("/ledger/checkpoint").text
    return note, verify(note, keys(gateway)).checkpoint


def keys(gateway: Gateway) -> list[VerifierKey]:
    return [VerifierKey.parse(line) for line in gateway.http.get("/ledger/keys").text.splitlines()]


def reader(gateway: Gateway) -> tuple[TilesReader, HttpBackend]:
    backend = HttpBackend(gateway.issuer + "/ledger")
    backend.session.trust_env = False
    return TilesReader(backend), backend


def test_a_foreign_reader_verifies_the_log(gateway: Gateway) -> None:
    """tlog-scales fetches checkpoint and tiles: signature and root are right, and an older checkpoint is a beginning of it."""
    told = Vkey.from_string(gateway.http.get("/ledger/keys").text.splitlines()[0])
    foreign, backend = reader(gateway)
    try:
        old = foreign.get_checkpoint()
        old.verify(told)
        assert foreign.calculate_root_hash() == old.root_hash
        partner = gateway.partner("bpjs")
        for _ in range(3):
            assert partner.verify(gateway.question("bpjs", gateway.resident())).status_code == 200
        deadline = time.monotonic() + FRESH
        while (new := foreign.get_checkpoint()).size < old.size + 3:
            assert time.monotonic() < deadline, "no new checkpoint although entries came"
            time.sleep(0.2)
        new.verify(told)
        assert foreign.calculate_root_hash() == new.root_hash
        foreign.get_consistency_proof(old.size, new.size).check(old.root_hash, new.root_hash)
    finally:
        backend.session.close()


def test_the_checkpoint_is_served_as_the_specification_says(gateway: Gateway) -> None:
    """As text, not to be kept; its origin is where it stands, without the scheme, and the name of its key."""
    reply = gateway.http.get("/ledger/checkpoint")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache"
    origin = f"{gateway.issuer.partition('://')[2]}/ledger"
    assert reply.text.startswith(origin + "\n")
    found = keys(gateway)
    assert [key.name for key in found] == [origin]
    assert gateway.http.get("/ledger/keys").headers["content-type"] == "text/plain; charset=utf-8"


def test_a_tile_is_served_as_the_specification_says(gateway: Gateway) -> None:
    """Bytes that never change: hashes of 32 bytes, for as long as anybody likes; a shorter tile begins a longer one."""
    _, now = checkpoint(gateway)
    width = min(now.size, 255)
    reply = gateway.http.get(f"/ledger/tile/0/000.p/{width}")
    assert (reply.status_code, len(reply.content)) == (200, width * 32)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert "immutable" in reply.headers["cache-control"]
    assert re.search(r"max-age=\d{7,}", reply.headers["cache-control"])
    assert reply.content.startswith(gateway.http.get("/ledger/tile/0/000.p/5").content)
    assert "content-encoding" not in reply.headers


@pytest.mark.parametrize(
    "path",
    ["0/x001/234/067", "0/999", "1/000", "5/000.p/1", "0/000.p/0", "0/000.p/256", "0/0", "00/000", "0/x000/000", "64/000",
     "entries/000", "entries/000.p/1", "data/000", "-1/000", "0/000.p", "0/000.p/1/2", "0/%30%30%30.p/01", "x", "0/000.p/1%20"],
)  # fmt: skip
def test_a_tile_that_is_none_is_not_found(gateway: Gateway, path: str) -> None:
    """Beyond the checkpoint, in another spelling, or entries: 404, as a problem."""
    reply = gateway.http.get(f"/ledger/tile/{path}")
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json"), reply.content[:80]


def test_nothing_is_shown_beyond_the_checkpoint(gateway: Gateway) -> None:
    """A partial tile is served up to the published size and not one hash further."""
    _, now = checkpoint(gateway)
    level, width = now.size // 256, now.size % 256
    beyond = gateway.http.get(f"/ledger/tile/0/{level:03d}.p/{width + 1}")
    assert beyond.status_code == 404 or checkpoint(gateway)[1].size > now.size


def test_readiness_looks_at_the_kept_checkpoint(gateway: Gateway) -> None:
    """The node keeps the checkpoint in a file of its own, beside its settings, and compares the database with it."""
    kept = (gateway.directory / "ledger.checkpoint").read_text("utf-8")
    assert verify(kept, keys(gateway)).checkpoint.size <= checkpoint(gateway)[1].size + 1_000
    assert gateway.http.get("/readyz").json()["ledger"] == "whole"


def test_metrics_count_checkpoints(gateway: Gateway) -> None:
    """How often one was published, and none was refused."""
    token = (gateway.directory / "metrics.token").read_text().strip()
    text = httpx.get(gateway.issuer + "/metrics", headers={"Authorization": f"Bearer {token}"}, trust_env=False).text
    assert re.search(r'nik_gateway_checkpoints_total\{outcome="published"\} [1-9]', text)
    assert 'outcome="refused"} ' not in text
