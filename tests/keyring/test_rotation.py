"""Can every key be changed without losing what the old one made? `nik-gateway keys rotate`, `activate`, `retire`."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from admitting import any_log
from click.testing import CliRunner

from gateway.cli.demonstration import Demonstration
from gateway.cli.keys import LASTING
from gateway.cli.main import group
from gateway.clock import SECOND, SystemClock, SystemEntropy
from gateway.config import read
from gateway.errors import Misconfigured, Refused
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files
from gateway.keyring.keys import MAC_JOBS, SEAL_JOBS, SIGN_JOBS
from gateway.ledger.log.merkle import EMPTY_ROOT
from gateway.ledger.publication.checkpoint import Checkpoint, sign, signers_of, verify, vkeys_of
from gateway.oauth.access_token import AccessTokens, Confirmation, TokenClaims
from gateway.store.base.engine import Database
from gateway.store.register.residents import RegisterOf
from gateway.verification.judge import indexes

ISSUER = "https://nik.example.go.id"


def run(directory: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """A `keys` command about a directory; its answer as JSON, or its words when it failed."""
    result = CliRunner().invoke(group, ["keys", *map(str, words), "--keys", str(directory), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.output) if code == 0 else {"told": result.output}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """One key for every job."""
    run(tmp_path / "keys", "new")
    return tmp_path / "keys"


def tokens(ring: Keyring) -> AccessTokens:
    return AccessTokens(ISSUER, f"{ISSUER}/v1", ring.signer(Job.TOKEN), ring.public_jwks(Job.TOKEN))


def token(issued_by: AccessTokens) -> str:
    now = SystemClock().now() // SECOND
    return issued_by.issue(
        TokenClaims(
            iss=ISSUER, aud=f"{ISSUER}/v1", sub="b", client_id="b", jti="j", iat=now, exp=now + 300, scope="nik.verify",
            cnf=Confirmation(jkt="x"), partner="b",
        )
    )  # fmt: skip


@pytest.mark.parametrize("job", Job)
def test_every_job_gets_a_new_version(directory: Path, job: Job) -> None:
    """It is used, and the old one stays; what must last is changed only on insisting."""
    if job in LASTING:
        assert LASTING[job] in run(directory, "rotate", "--job", job, code=1)["told"]
        run(directory, "rotate", "--job", job, "--force")
    else:
        run(directory, "rotate", "--job", job)
    ring = key_files.load(directory)
    if job in MAC_JOBS:
        assert [key.version for key in ring.macs(job)] == [2, 1]
        assert ring.mac(job).version == 2
    elif job in SEAL_JOBS:
        assert ring.sealer(job).version == 2
        assert ring.opener(job, b"\x01").version == 1
    else:
        assert job in SIGN_JOBS
        assert ring.signer(job).version == 2
        assert [key["kid"].removeprefix(f"{job}-").split("-")[0] for key in ring.public_jwks(job)] == ["2", "1"]


@pytest.mark.parametrize("job", [job for job in Job if job not in LASTING])
def test_a_staged_key_is_known_before_it_is_used(directory: Path, job: Job) -> None:
    """It finds, opens and is published; only activated does it make anything."""
    run(directory, "rotate", "--job", job, "--staged")
    listed = {(row["job"], row["version"]): row["staged"] for row in run(directory, "list")["keys"]}
    assert (listed[(job, 1)], listed[(job, 2)]) == (False, True)
    staged = key_files.load(directory)
    run(directory, "activate", "--job", job)
    active = key_files.load(directory)
    for ring, version in ((staged, 1), (active, 2)):
        if job in MAC_JOBS:
            assert {key.version for key in ring.macs(job)} == {1, 2}
            assert ring.mac(job).version == version
        elif job in SEAL_JOBS:
            assert ring.opener(job, b"\x02").version == 2
            assert ring.sealer(job).version == version
        else:
            assert len(ring.public_jwks(job)) == 2
            assert ring.signer(job).version == version
    assert (directory / f"{job}-2.jwk").stat().st_mode & 0o777 == 0o600
    run(directory, "activate", "--job", job, code=1)


def test_a_staged_checkpoint_key_is_published_and_signs_nothing(directory: Path) -> None:
    """Its verifier key can be taken before the first checkpoint; once activated it signs, beside the older one. Ed25519 alone."""
    run(directory, "rotate", "--job", "checkpoint", "--staged")
    checkpoint = Checkpoint("log.example/ledger", 0, EMPTY_ROOT)
    for versions in ({1}, {1, 2}):
        ring = key_files.load(directory)
        newest, oldest = vkeys_of(ring, checkpoint.origin)
        signed = verify(sign(checkpoint, signers_of(ring, checkpoint.origin)), [newest, oldest])
        assert signed.by.keys() == {{1: oldest, 2: newest}[version] for version in versions}
        if versions == {1}:
            run(directory, "activate", "--job", "checkpoint")
    jwk = key_files.new(Job.TOKEN, 3, SystemEntropy()) | {"job": "checkpoint"}
    key_files.write(directory, jwk)
    with pytest.raises(Misconfigured, match="must be an Ed25519 key"):
        signers_of(key_files.load(directory), checkpoint.origin)


def test_staged_keys_alone_start_nothing(directory: Path) -> None:
    """A job needs a key that is used."""
    path = directory / "token-1.jwk"
    path.write_text(json.dumps({**json.loads(path.read_text()), "staged": True}))
    with pytest.raises(Misconfigured, match="keys activate --job token"):
        key_files.load(directory)
    path.write_text(json.dumps({**json.loads(path.read_text()), "staged": "yes"}))
    with pytest.raises(Misconfigured, match="'staged' must be true or false"):
        key_files.load(directory)


def test_nodes_change_over_without_refusing_each_others_tokens(directory: Path) -> None:
    """Staged, activated, retired: at every step a node that is a step behind takes the tokens of one that is ahead."""
    steps = [tokens(key_files.load(directory))]
    for words in (("rotate", "--staged"), ("activate",), ("retire", "--version", "1", "--force")):
        run(directory, words[0], "--job", "token", *words[1:])
        steps.append(tokens(key_files.load(directory)))
    for behind, ahead in pairwise(steps[:3]):
        now = SystemClock().now()
        assert behind.verify(token(ahead), now).claims.sub == "b"
        assert ahead.verify(token(behind), now).claims.sub == "b"
    assert steps[3].verify(token(steps[2]), SystemClock().now()).claims.sub == "b"
    with pytest.raises(Refused):
        steps[3].verify(token(steps[0]), SystemClock().now())


def test_a_key_in_use_is_not_retired(directory: Path) -> None:
    """Nor one that there is none of, nor one whose nonces may still come; a retired number is never used again."""
    run(directory, "retire", "--job", "nonce", "--version", "1", code=1)
    run(directory, "retire", "--job", "nonce", "--version", "7", code=1)
    run(directory, "rotate", "--job", "nonce", "--staged")
    run(directory, "retire", "--job", "nonce", "--version", "1", code=1)
    run(directory, "retire", "--job", "nonce", "--version", "2")
    assert (directory / "retired" / "nonce-2.jwk").exists()
    assert run(directory, "rotate", "--job", "nonce")["made"].endswith("nonce-3.jwk")
    run(directory, "retire", "--job", "subject", "--version", "1", code=1)
    assert "may still live" in run(directory, "retire", "--job", "nonce", "--version", "1", code=1)["told"]
    key_files.note_use(directory / "nonce-3.jwk", SystemClock().now() - 301 * SECOND)
    run(directory, "retire", "--job", "nonce", "--version", "1")


def test_residents_are_found_under_every_version(tmp_path: Path) -> None:
    """New records stand under the new keys, old ones under the old; a key that rows need is not retired."""
    demonstration = Demonstration(tmp_path, 1_000, 1, None, "127.0.0.1", 8080, 1)
    demonstration.build(lambda _: None)
    settings = read(demonstration.settings_file)
    config = ("--config", str(demonstration.settings_file))
    for job in ("index", "claims"):
        run(settings.keys, "rotate", "--job", job)
    former = json.loads((tmp_path / "residents.sample.ndjson").read_text().splitlines()[0])["nik"]
    newcomer = "7402150101909003"
    line = {"nik": newcomer, "claims": {"name": "WA INA", "regency": "7402"}}
    (tmp_path / "more.ndjson").write_text(json.dumps(line) + "\n")
    words = ["register", "import", str(tmp_path / "more.ndjson"), "--by", "A", *config]
    assert CliRunner().invoke(group, words).exit_code == 0
    ring = key_files.load(settings.keys)
    database = Database(settings.database_url, SystemClock(), any_log)
    register = RegisterOf(database, ring, SystemEntropy())
    with database.reading() as connection:
        for nik, version in ((former, 1), (newcomer, 2)):
            found = register.find(connection, indexes(ring, nik))
            ((_, sealed),) = found.values()
            assert sealed[0] == version
            assert found.keys() == {indexes(ring, nik)[2 - version]}
    database.close()
    for job in ("index", "claims"):
        assert (
            "1,000 rows need" in run(settings.keys, "retire", "--job", job, "--version", "1", *config, code=1)["told"]
        )
        run(settings.keys, "retire", "--job", job, "--version", "1", code=2)
