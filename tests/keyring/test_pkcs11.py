"""Do keys that never leave an HSM do what keys in files do? On a real token of SoftHSM, with the whole gateway on top."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pkcs11 import Attribute, KeyType
from softhsm import MODULE, PIN, move_into_token, run, token

from gateway.app import build
from gateway.cli.demonstration import Demonstration
from gateway.clock import SystemClock, SystemEntropy
from gateway.config import read
from gateway.errors import Misconfigured
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files
from gateway.keyring.keys import MAC_JOBS, SIGN_JOBS, SealBroken
from gateway.keyring.pkcs11 import load
from gateway.keyring.provisioning import activate, missing, provision
from gateway.keyring.session import JOBS, Slot, TokenSession
from gateway.oauth.jose import JoseFault, parse_key

ENTROPY = SystemEntropy()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Slot, Path]:
    """A token with a key for every job that it holds, and the files beside it."""
    slot, directory = token("whole"), tmp_path_factory.mktemp("keys")
    for job in frozenset(Job) - JOBS:
        key_files.write(directory, key_files.new(job, 1, ENTROPY))
    assert missing(slot) == sorted(JOBS)
    provision(slot, directory, missing(slot), ENTROPY)
    assert missing(slot) == []
    return slot, directory


@pytest.fixture(scope="module")
def ring(whole: tuple[Slot, Path]) -> Keyring:
    return load(*whole)


@pytest.mark.parametrize("job", sorted(MAC_JOBS & JOBS))
def test_macs_are_made_inside(ring: Keyring, job: Job) -> None:
    """32 bytes, the same for the same, another for each job; and no secret is here."""
    key = ring.mac(job)
    assert key.mac(b"x") == key.mac(b"x") != key.mac(b"y")
    assert len(key.mac(b"")) == 32
    assert key.secret == b""
    assert len({ring.mac(each).mac(b"x") for each in MAC_JOBS}) == len(MAC_JOBS)


@pytest.mark.parametrize("job", sorted(SIGN_JOBS))
def test_signatures_are_made_inside_and_verify(ring: Keyring, job: Job) -> None:
    """In JOSE form, by the public key that is published."""
    key = ring.signer(job)
    assert key.alg == ("ES256" if job is Job.TOKEN else "Ed25519")
    public = parse_key(key.public_jwk)
    public.verify(key.sign(b"signed"), b"signed")
    with pytest.raises(JoseFault):
        public.verify(key.sign(b"signed"), b"other")
    assert ring.public_jwks(job)[0]["kid"] == key.kid


def test_records_are_sealed_by_what_was_unwrapped(ring: Keyring, whole: tuple[Slot, Path]) -> None:
    """The data key is the same at every start, and stands in no file in the clear."""
    sealed = ring.sealer(Job.CLAIMS).seal(b"plain", b"here", ENTROPY)
    again = load(*whole).opener(Job.CLAIMS, sealed)
    assert again.open(sealed, b"here") == b"plain"
    with pytest.raises(SealBroken):
        again.open(sealed, b"elsewhere")
    text = (whole[1] / "claims-1.wrapped").read_text()
    assert again.secret.hex() not in text
    assert (whole[1] / "claims-1.wrapped").stat().st_mode & 0o777 == 0o600


def test_no_secret_can_be_read_from_the_token(whole: tuple[Slot, Path]) -> None:
    """Every key of ours is sensitive, private, and not extractable."""
    opened = TokenSession(whole[0])
    held = list(opened.labelled())
    assert {job for job, *_ in held} == JOBS
    for _, _, _, each in held:
        assert each[Attribute.SENSITIVE]
        assert each[Attribute.PRIVATE]
        assert not each[Attribute.EXTRACTABLE]
    opened.close()


def faults(slot: Slot, directory: Path) -> str:
    with pytest.raises(Misconfigured) as raised:
        load(slot, directory)
    assert PIN not in str(raised.value)
    return str(raised.value)


def test_a_start_says_which_key_is_missing(tmp_path: Path) -> None:
    """Each by its job, those in files too."""
    slot = token("empty")
    told = faults(slot, tmp_path)
    for job in JOBS:
        assert f"'empty' holds none for the job '{job}'" in told
    provision(slot, tmp_path, sorted(JOBS - {Job.INDEX}), ENTROPY)
    told = faults(slot, tmp_path)
    assert "holds none for the job 'index'" in told
    assert told.count("holds none") == 1
    provision(slot, tmp_path, [Job.INDEX], ENTROPY)
    told = faults(slot, tmp_path)
    assert "keys: none for the job 'nonce'" in told
    assert "keys: none for the job 'idempotency'" in told


def test_a_start_says_which_key_is_wrong(tmp_path: Path) -> None:
    """Of another kind, or one that does not open what it wrapped."""
    slot = token("wrong")
    for job in frozenset(Job) - JOBS:
        key_files.write(tmp_path, key_files.new(job, 1, ENTROPY))
    provision(slot, tmp_path, sorted(JOBS - {Job.SUBJECT}), ENTROPY)
    opened = TokenSession(slot, change=True)
    opened.session.generate_key(KeyType.AES, 256, label="subject-1", store=True)
    opened.close()
    assert "'subject' version 1 in token 'wrong': must be a secret key of type GENERIC_SECRET" in faults(slot, tmp_path)
    wrapped = tmp_path / "claims-1.wrapped"
    held = json.loads(wrapped.read_text())
    wrapped.write_text(json.dumps({**held, "sealed": "A" * 64}))
    assert "'claims' version 1 in token 'wrong': does not open" in faults(slot, tmp_path)
    wrapped.write_text("{}")
    assert "is no wrapped key" in faults(slot, tmp_path)
    wrapped.unlink()
    assert "is not there" in faults(slot, tmp_path)


@pytest.mark.parametrize(
    ("slot", "told"),
    [
        (Slot(Path("/nowhere/module.so"), "whole", PIN), "pkcs11.module"),
        (Slot(MODULE, "nobody", PIN), "has no token labelled 'nobody'"),
        (Slot(MODULE, "shut", "wrong"), "pkcs11.pin_file"),
    ],
)
def test_a_token_that_cannot_be_opened_is_told(whole: tuple[Slot, Path], slot: Slot, told: str) -> None:
    """Module, label and PIN, each by its setting."""
    assert told in faults(slot, whole[1])
    assert PIN not in repr(Slot(MODULE, "whole", PIN))


def test_keys_inside_rotate_as_those_in_files(tmp_path: Path) -> None:
    """A staged version verifies and opens; activated it is used; the old one goes on."""
    slot = token("turning")
    for job in frozenset(Job) - JOBS:
        key_files.write(tmp_path, key_files.new(job, 1, ENTROPY))
    provision(slot, tmp_path, sorted(JOBS), ENTROPY)
    jobs = [Job.TOKEN, Job.INDEX, Job.CLAIMS]
    assert provision(slot, tmp_path, jobs, ENTROPY, staged=True) == [f"{job}-2 staged" for job in jobs]
    staged = load(slot, tmp_path)
    for job in jobs:
        assert activate(slot, job) == [f"{job}-2"]
    assert activate(slot, Job.TOKEN) == []
    active = load(slot, tmp_path)
    for ring, version in ((staged, 1), (active, 2)):
        assert ring.signer(Job.TOKEN).version == ring.mac(Job.INDEX).version == version
        assert ring.sealer(Job.CLAIMS).version == version
        assert len(ring.public_jwks(Job.TOKEN)) == len(ring.macs(Job.INDEX)) == 2
    sealed = staged.sealer(Job.CLAIMS).seal(b"x", b"", ENTROPY)
    assert active.opener(Job.CLAIMS, sealed).open(sealed, b"") == b"x"


def test_the_gateway_runs_on_a_token(tmp_path: Path) -> None:
    """The commands provision it, residents are imported under its keys, and the application is built with it."""
    demonstration = Demonstration(tmp_path, 1_000, 1, None, "127.0.0.1", 8080, 1)
    demonstration.build(lambda _: None)
    config = demonstration.settings_file
    move_into_token(config, "served")
    assert run(config, "keys", "provision") == {"made": []}
    assert run(config, "keys", "provision", "--job", "answer", "--staged") == {"made": ["answer-2 staged"]}
    assert run(config, "keys", "activate", "--job", "answer") == {"activated": ["answer-2"]}
    words = ["register", "import", str(tmp_path / "residents.ndjson"), "--by", "A", "--anew"]
    assert run(config, *words)["taken"] == 1
    application = build(read(config), SystemClock(), ENTROPY, sealer_socket=tmp_path / "nobody-is-asked")
    assert application.routes
