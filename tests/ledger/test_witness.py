"""A witness cosigns what provably extends what it cosigned before, and nothing else (C2SP tlog-witness)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from logs import CLOCK, HOUSE, ORIGIN, SEED, VKEY, Log, log_in, signers
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as ForeignCheckpoint

from gateway.ledger.log.note import (
    COSIGNATURE,
    POST_QUANTUM,
    Note,
    NoteFault,
    VerifierKey,
    b64,
    b64_decode,
    new_signer_text,
    parse_signer,
)
from gateway.ledger.publication.checkpoint import Checkpoint, sign
from gateway.ledger.publication.cosigning import Cosigners
from gateway.ledger.publication.witness import Witness

SECRET, WITNESS_KEY = new_signer_text("witness.example/w1", COSIGNATURE, SEED[::-1])
SIZE = ("text/x.tlog.size", 409)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """A log of 300 entries."""
    with log_in(f"sqlite:///{tmp_path / 'log.db'}") as log:
        yield log.grow(300)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """A witness of that log which has cosigned nothing so far."""
    return Witness(parse_signer(SECRET), [VKEY], tmp_path / "witness" / "state.json", CLOCK)


def checkpoint(log: Log, size: int, origin: str = ORIGIN) -> str:
    with log.reader.moment() as moment:
        return sign(Checkpoint(origin, size, moment.tree(size).root()), signers(origin))


def request(log: Log, old: int, size: int, note: str = "") -> bytes:
    with log.reader.moment() as moment:
        path = moment.tree(size).consistency(old)
    return (
        f"old {old}\n" + "".join(b64(each) + "\n" for each in path) + "\n" + (note or checkpoint(log, size))
    ).encode()


def test_what_extends_the_last_one_is_cosigned(log: Log, witness: Witness) -> None:
    """From nothing to 100, to 256, to 300, and the same once more; a foreign reader verifies each cosignature."""
    for old, size in ((0, 100), (100, 256), (256, 300), (300, 300)):
        reply = witness.add_checkpoint(request(log, old, size))
        assert reply.status == 200, reply
        note = checkpoint(log, size) + reply.body
        assert Note.parse(note).signed_by([WITNESS_KEY])[WITNESS_KEY] > 0
        ForeignCheckpoint.from_text(note).verify(Vkey.from_string(str(WITNESS_KEY)))


def test_a_cosignature_against_quantum_computers_is_as_specified(log: Log, tmp_path: Path) -> None:
    """Type 6: eight bytes of time and ML-DSA-44 over the `cosigned_message`, written out; others pass it over."""
    secret, key = new_signer_text("witness.example/pq", POST_QUANTUM, SEED)
    witness = Witness(parse_signer(secret), [VKEY], tmp_path / "state.json", CLOCK)
    note = checkpoint(log, 300) + witness.add_checkpoint(request(log, 0, 300)).body
    raw = b64_decode(note.splitlines()[-1].split(" ")[2])
    name, origin, root = b"witness.example/pq", ORIGIN.encode(), b64_decode(note.splitlines()[2])
    assert raw[:4] == sha256(name + b"\n\x06" + key.public).digest()[:4]
    assert len(raw) == 4 + 8 + 2420
    message = b"subtree/v1\n\0" + bytes([len(name)]) + name + raw[4:12] + bytes([len(origin)]) + origin
    message += bytes(8) + (300).to_bytes(8, "big") + root
    MLDSA44PublicKey.from_public_bytes(key.public).verify(raw[12:], message)
    assert Note.parse(note).signed_by([key])[key] == int.from_bytes(raw[4:12], "big") > 0
    ForeignCheckpoint.from_text(note).verify(Vkey.from_string(str(VKEY)))
    assert VerifierKey.parse(str(key)) == key


@pytest.mark.parametrize("at", range(5))
def test_what_was_cosigned_cannot_be_changed(log: Log, tmp_path: Path, at: int) -> None:
    """Another origin, size, root, time or signature: type 6 does not verify, nor does the name of another cosigner."""
    secret, key = new_signer_text("witness.example/pq", POST_QUANTUM, SEED)
    witness = Witness(parse_signer(secret), [VKEY], tmp_path / "state.json", CLOCK)
    lines = (checkpoint(log, 300) + witness.add_checkpoint(request(log, 0, 300)).body).splitlines()
    raw = bytearray(b64_decode(lines[-1].split(" ")[2]))
    text, signature = ("\n".join(lines[:3]) + "\n").encode(), bytes(raw[4:])
    assert key.verify(text, signature) > 0
    changed = [
        text.replace(b"ledger", b"ledges"),
        text.replace(b"300", b"301"),
        text[:-46] + b"A" + text[-45:],
        text,
        text,
    ]
    raw[{3: 11, 4: 600}.get(at, 0)] ^= 1
    with pytest.raises(NoteFault):
        key.verify(changed[at], bytes(raw[4:]))
    with pytest.raises(NoteFault):
        VerifierKey("witness.example/pr", POST_QUANTUM, key.public).verify(text, signature)


def test_another_old_size_is_a_conflict_that_tells_the_right_one(log: Log, witness: Witness) -> None:
    """409 with the size that is known, as text/x.tlog.size."""
    assert witness.add_checkpoint(request(log, 10, 100)).body == "0\n"
    witness.add_checkpoint(request(log, 0, 100))
    for old in (0, 99):
        reply = witness.add_checkpoint(request(log, old, 300))
        assert (reply.media, reply.status, reply.body) == (*SIZE, "100\n")


def test_a_fork_is_never_cosigned(log: Log, witness: Witness, tmp_path: Path) -> None:
    """Another history of the same origin: a proof that does not verify is 422, another root of the same size 409."""
    witness.add_checkpoint(request(log, 0, 200))
    with log_in(f"sqlite:///{tmp_path / 'fork.db'}") as fork:
        fork.grow(300)
        assert witness.add_checkpoint(request(fork, 200, 300)).status == 422
        assert witness.add_checkpoint(request(fork, 200, 200)).status == 409
        assert witness.add_checkpoint(request(log, 200, 300, checkpoint(fork, 300))).status == 422
    assert witness.add_checkpoint(request(log, 200, 300)).status == 200


def test_what_is_not_to_be_cosigned_has_its_status(log: Log, witness: Witness) -> None:
    """404 for another log, 403 for another signer, 400 for a larger old size or what is no request, 422 for a bad proof."""
    good = request(log, 0, 100)
    note = checkpoint(log, 100)
    stranger = sign(Checkpoint.parse(note.partition("\n\n")[0] + "\n"), signers(ORIGIN, bytes(32)))
    with_proof = request(log, 50, 100).replace(b"old 50", b"old 0")
    for status, body in (
        (404, request(log, 0, 100, checkpoint(log, 100, "log.example/unknown"))),
        (403, request(log, 0, 100, stranger)),
        (400, good.replace(b"old 0", b"old 101")),
        (400, b""),
        (400, good.replace(b"old 0", b"old 00")),
        (400, good.replace(b"old 0", b"old -1")),
        (400, good.replace(b"old 0\n\n", b"old 0\n")),
        (400, good.replace(b"old 0\n", b"old 0\nAAAA\n")),
        (400, good.replace(b"old 0\n", b"old 0\n" + b64(bytes(32)).encode() * 2 + b"\n")),
        (400, good.replace(b"old 0\n", b"old 0\n" + (b64(bytes(32)) + "\n").encode() * 64)),
        (400, b"\xff" + good),
        (400, good[:-1]),
        (422, with_proof),
    ):
        assert witness.add_checkpoint(body).status == status, body[:60]
    assert witness.add_checkpoint(good).status == 200


def test_what_was_cosigned_is_on_disk_before_anybody_hears_of_it(log: Log, witness: Witness, tmp_path: Path) -> None:
    """Another process of the witness goes on from there; a state that cannot be written gives no cosignature."""
    witness.add_checkpoint(request(log, 0, 100))
    again = Witness(parse_signer(SECRET), [VKEY], tmp_path / "witness" / "state.json", CLOCK)
    assert again.add_checkpoint(request(log, 0, 300)).body == "100\n"
    assert again.add_checkpoint(request(log, 100, 300)).status == 200
    (tmp_path / "witness" / "state.json").write_text("broken")
    with pytest.raises(ValueError, match="Expecting value"):
        again.add_checkpoint(request(log, 300, 300))


def test_requests_at_once_never_roll_back(log: Log, witness: Witness) -> None:
    """Many checkpoints at the same moment: each is decided on what the one before has left."""
    witness.add_checkpoint(request(log, 0, 100))
    bodies = [request(log, 100, size) for size in range(101, 121)]
    gate = threading.Barrier(8)

    def ask(body: bytes) -> int:
        if not gate.broken:
            gate.wait(5)
        return witness.add_checkpoint(body).status

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(ask, bodies[:8]))
    assert sorted(statuses) == [200] + [409] * 7


def test_a_witness_needs_a_cosigners_key(tmp_path: Path) -> None:
    """A log's key would sign what looks like a checkpoint of a log."""
    secret, _ = new_signer_text("w", 1, SEED)
    with pytest.raises(NoteFault, match="type 4"):
        Witness(parse_signer(secret), [VKEY], tmp_path / "state", CLOCK)


class Served:
    """A witness as the command runs it."""

    def __init__(self, directory: Path, logs: list[VerifierKey], form: str) -> None:
        directory.mkdir()
        made = [sys.executable, "-m", "gateway.cli", "ledger"]
        key = directory / "key"
        told = subprocess.run(
            [*made, "witness-key", "auditor.example/w1", str(key), "--type", form],
            capture_output=True,
            text=True,
            check=True,
            cwd=HOUSE,
        )
        self.key = VerifierKey.parse(told.stdout)
        assert key.stat().st_mode & 0o777 == 0o600
        words = [*made, "witness", "--listen", "127.0.0.1:0", "--key", str(key), "--state", str(directory / "state")]
        words += [word for log in logs for word in ("--log", str(log))]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=HOUSE)
        assert self.process.stdout is not None
        self.url = "http://" + self.process.stdout.readline().split(" on ")[1].strip()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.mark.parametrize("form", ["ed25519", "ml-dsa-44"])
def test_the_command_witnesses_a_log_over_http(log: Log, tmp_path: Path, form: str) -> None:
    """A keeper asks it at every checkpoint; the published one bears the cosignature; an unreachable witness is told of."""
    served = Served(tmp_path / "auditor", [VKEY], form)
    told: list[tuple[str, str]] = []
    try:
        cosigners = Cosigners([(served.key, served.url)], lambda name, outcome: told.append((name, outcome)))
        keeper = log.keeper(tmp_path / "kept", cosigners)
        for _ in range(2):
            keeper.publish()
            assert Note.parse(keeper.public() or "").signed_by([VKEY, served.key]).keys() == {VKEY, served.key}
            assert Note.parse((tmp_path / "kept").read_text()).signed_by([VKEY, served.key]).keys() == {VKEY}
            log.grow(100)
        other = Cosigners([(served.key, served.url)], lambda name, outcome: told.append((name, outcome)))
        another = log.keeper(tmp_path / "another node", other)
        another.publish()  # it knows the witness's size by the conflict
        another.close()
        assert [outcome for _, outcome in told] == ["cosigned"] * 3
        assert httpx.get(served.url + "/x").status_code == 404
        assert httpx.post(served.url + "/x/add-checkpoint", content=b"").status_code == 400
        assert httpx.post(served.url + "/add-checkpoint", content=bytes(70_000)).status_code == 400
    finally:
        served.stop()
    log.grow(1)
    keeper.publish()
    assert Note.parse(keeper.public() or "").signed_by([VKEY, served.key]).keys() == {VKEY}
    keeper.close()
    assert told[-1][0] == served.key.name
    assert "unreachable" in told[-1][1]
