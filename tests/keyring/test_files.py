"""Keys in files: how they are made, written and read, what is refused, and that the published ones never serve."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.clock import SystemEntropy
from gateway.errors import Misconfigured
from gateway.keyring import Job
from gateway.keyring import file as key_files
from gateway.keyring.example import THUMBPRINTS
from gateway.keyring.keys import MAC_JOBS, SIGN_JOBS, b64u

ENTROPY = SystemEntropy()
HOUSE = Path(__file__).parents[2]
EXAMPLES = HOUSE / "keys.example"
VECTOR = json.loads((HOUSE / "tests/vectors/rfc7638.json").read_text())


def fill(directory: Path) -> None:
    for job in Job:
        key_files.write(directory, key_files.new(job, 1, ENTROPY))


@pytest.mark.parametrize("job", sorted(Job))
def test_a_new_key_survives_its_file(job: Job, tmp_path: Path) -> None:
    """Written, read and parsed it is the same key; its name says job and version, and a signer's kid is its own."""
    jwk = key_files.new(job, 12, ENTROPY)
    path = key_files.write(tmp_path, jwk)
    assert path.name == f"{job}-12.jwk"
    read = json.loads(path.read_text())
    assert read == jwk
    key = key_files.parse(read)
    assert (key.job, key.version) == (job, 12)
    assert jwk["kid"].startswith(f"{job}-12")
    if job in SIGN_JOBS:
        assert getattr(key, "kid", None) == jwk["kid"] != key_files.new(job, 12, ENTROPY)["kid"]
        assert getattr(key, "alg", None) == ("ES256" if job is Job.TOKEN else "Ed25519")


def test_only_its_owner_reads_a_key(tmp_path: Path) -> None:
    """The file has mode 0600 and a directory made for it 0700, whatever the umask lets through."""
    directory = tmp_path / "keys"
    path = key_files.write(directory, key_files.new(Job.INDEX, 1, ENTROPY))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    """The second of one job and version is refused, and the first stays."""
    path = key_files.write(tmp_path, key_files.new(Job.CLAIMS, 1, ENTROPY))
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        key_files.write(tmp_path, key_files.new(Job.CLAIMS, 1, ENTROPY))
    assert path.read_bytes() == before


def test_a_directory_of_keys_is_a_ring(tmp_path: Path) -> None:
    """One file for each job is enough; other files are none of its business."""
    fill(tmp_path)
    (tmp_path / "README.md").write_text("not a key")
    keyring = key_files.load(tmp_path)
    assert keyring.mac(Job.INDEX).version == 1


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With what to do about it."""
    with pytest.raises(Misconfigured, match=r"no directory .*keys\. Make keys with: nik-gateway keys new"):
        key_files.load(tmp_path / "keys")


def test_every_faulty_file_is_named_without_its_content(tmp_path: Path) -> None:
    """All of them at once, each by its path; the secret in them is not repeated."""
    fill(tmp_path)
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
    broken = {
        "a.jwk": f'{{"kty":"oct","k":"{secret}"',
        "b.jwk": json.dumps({"kty": "oct", "k": secret, "job": "index", "version": 2}),
        "c.jwk": json.dumps([secret]),
        "d.jwk": "\x00\xff",
        "e.jwk": json.dumps({"kty": "OKP", "crv": "Ed25519", "d": secret, "x": secret, "job": "answer", "version": 2}),
    }
    for name, text in broken.items():
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(Misconfigured) as raised:
        key_files.load(tmp_path)
    assert [next(name for name in broken if f"/{name}:" in fault) for fault in raised.value.faults] == sorted(broken)
    assert secret not in str(raised.value)


def oct_key(size: int) -> dict[str, Any]:
    return {"kty": "oct", "k": b64u(bytes(size))}


P256 = ECKey.generate_key("P-256")
ED = OKPKey.generate_key("Ed25519")


@pytest.mark.parametrize(
    ("jwk", "what"),
    [
        ({**oct_key(32), "version": 1}, "members 'job'"),
        ({**oct_key(32), "job": "cooking", "version": 1}, "members 'job'"),
        ({**oct_key(32), "job": ["index"], "version": 1}, "members 'job'"),
        ({**oct_key(32), "job": "index"}, "members 'job'"),
        ([], "members 'job'"),
        ("index", "members 'job'"),
        ({**oct_key(32), "job": "index", "version": 0}, "'version' must be"),
        ({**oct_key(32), "job": "index", "version": 256}, "'version' must be"),
        ({**oct_key(32), "job": "index", "version": "1"}, "'version' must be"),
        ({**oct_key(32), "job": "index", "version": 1.0}, "'version' must be"),
        ({**oct_key(32), "job": "index", "version": True}, "'version' must be"),
        ({**oct_key(31), "job": "index", "version": 1}, "needs an 'oct' key of 256 bits"),
        ({**oct_key(33), "job": "claims", "version": 1}, "needs an 'oct' key of 256 bits"),
        ({**oct_key(0), "job": "claims", "version": 1}, "needs an 'oct' key of 256 bits"),
        ({"kty": "oct", "job": "claims", "version": 1}, "needs an 'oct' key of 256 bits"),
        ({**P256.as_dict(private=True), "job": "index", "version": 1}, "needs an 'oct' key of 256 bits"),
        ({**ED.as_dict(private=True), "job": "claims", "version": 1}, "needs an 'oct' key of 256 bits"),
        ({**oct_key(32), "job": "token", "version": 1}, "needs a private P-256 or Ed25519 key"),
        ({**P256.as_dict(private=False), "job": "token", "version": 1}, "needs a private P-256 or Ed25519 key"),
        ({**ED.as_dict(private=False), "job": "answer", "version": 1}, "needs a private P-256 or Ed25519 key"),
        ({**ECKey.generate_key("P-384").as_dict(private=True), "job": "token", "version": 1}, "needs a private P-256"),
        ({**RSAKey.generate_key(2048).as_dict(private=True), "job": "token", "version": 1}, "needs a private P-256"),
        (
            {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA", "job": "token", "version": 1},
            "not a private JWK",
        ),
        ({"kty": "OKP", "crv": "Ed448", "x": "AA", "d": "AA", "job": "answer", "version": 1}, "not a private JWK"),
        ({"kty": "PET", "job": "answer", "version": 1}, "not a private JWK"),
        ({"kty": {}, "job": "answer", "version": 1}, "not a private JWK"),
        ({"job": "answer", "version": 1}, "not a private JWK"),
    ],
)
def test_what_is_not_a_key_for_its_job_is_refused(jwk: Any, what: str) -> None:
    """Wrong kind, wrong curve, wrong length, public only, no job: ValueError, without the key."""
    with pytest.raises(ValueError, match=what) as raised:
        key_files.parse(jwk)
    if isinstance(jwk, dict):
        assert not [
            value for value in (jwk.get("d"), jwk.get("k")) if value and value != "AA" and value in str(raised.value)
        ]


def test_thumbprints_are_those_of_rfc_7638() -> None:
    """The RFC's own key has the RFC's thumbprint; job and version do not count."""
    assert key_files.thumbprint(VECTOR["jwk"]) == VECTOR["thumbprint"]
    assert key_files.thumbprint({**VECTOR["jwk"], "job": "token", "version": 9}) == VECTOR["thumbprint"]


def test_the_refused_thumbprints_are_those_of_the_example_keys() -> None:
    """Every published key is in the list, one for each job, and nothing else is."""
    examples = [json.loads(path.read_text()) for path in sorted(EXAMPLES.glob("*.jwk"))]
    assert {key_files.thumbprint(jwk) for jwk in examples} == THUMBPRINTS
    assert sorted(jwk["job"] for jwk in examples) == sorted(Job)


def test_example_keys_do_not_serve_in_production() -> None:
    """Every one is named; a demonstration may use them."""
    with pytest.raises(Misconfigured) as raised:
        key_files.load(EXAMPLES, THUMBPRINTS)
    assert len(raised.value.faults) == len(Job)
    assert all("is a published example key" in fault for fault in raised.value.faults)
    key_files.load(EXAMPLES)


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o601])
def test_a_key_that_others_can_read_does_not_serve(tmp_path: Path, mode: int) -> None:
    """Nor one that its group can write; to read it may be let the group, and the fault says what to do."""
    fill(tmp_path)
    path = next(tmp_path.glob("*.jwk"))
    path.chmod(0o640)
    key_files.load(tmp_path, THUMBPRINTS)
    path.chmod(mode)
    with pytest.raises(Misconfigured, match=f"chmod 0600 {path}"):
        key_files.load(tmp_path, THUMBPRINTS)


def test_an_example_key_under_another_name_is_found(tmp_path: Path) -> None:
    """Neither another file name, kid, version nor job hides it."""
    fill(tmp_path)
    jwk = json.loads((EXAMPLES / "index-1.jwk").read_text())
    (tmp_path / "index-1.jwk").write_text(json.dumps({**jwk, "kid": "mine", "job": "nonce", "version": 3}))
    key_files.write(tmp_path, key_files.new(Job.INDEX, 2, ENTROPY))
    with pytest.raises(Misconfigured) as raised:
        key_files.load(tmp_path, THUMBPRINTS)
    (fault,) = raised.value.faults
    assert "index-1.jwk is a published example key" in fault


def test_mac_keys_of_two_calls_differ() -> None:
    """A new key is chance, not a constant."""
    assert len({key_files.new(job, 1, ENTROPY)["k"] for job in MAC_JOBS for _ in range(3)}) == 3 * len(MAC_JOBS)
