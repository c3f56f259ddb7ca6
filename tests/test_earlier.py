"""Does a deployment that the first release made go on under this one? Its database, keys and settings, as they were left."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

sys.path.append(str(Path(__file__).parent / "http"))  # pytest's importlib mode puts no test folder on the path

from deployment import command
from partner import Partner

from gateway.app import build
from gateway.clock import SystemClock, SystemEntropy
from gateway.config import read

HOUSE = Path(__file__).parents[1]


def _checked(config: Path) -> int:
    """How many entries the sound log of a deployment has."""
    code, told = command("ledger", "check", "--json", "--config", str(config))
    assert code == 0, told
    return int(json.loads(told)["entries"])


def test_a_deployment_of_the_first_release_goes_on(tmp_path: Path) -> None:
    """Brought up to date it answers from the records that were sealed then, and its log is sound from the first entry on."""
    with tarfile.open(HOUSE / "tests" / "vectors" / "deployment-0.1.tar.xz") as packed:
        packed.extraction_filter = lambda member, _: member  # older Pythons know no filters
        packed.extractall(tmp_path)  # noqa: S202  the archive is ours
    for key in (tmp_path / "keys").iterdir():
        key.chmod(0o600)
    shutil.copytree(HOUSE / "policies", tmp_path / "policies")
    config = tmp_path / "gateway.toml"
    code, told = command("db", "upgrade", "--config", str(config))
    assert code == 0, told
    before = _checked(config)
    settings = read(config)
    application = build(settings, SystemClock(), SystemEntropy())
    person = json.loads((tmp_path / "magic.json").read_text())["status"]["active"]

    async def local(scope: Any, receive: Any, send: Any) -> None:
        await application({**scope, "client": ("127.0.0.1", 1)}, receive, send)

    with TestClient(local, base_url=settings.issuer) as http:
        jwk = json.loads((tmp_path / "partners" / "bpjs" / "key.jwk").read_text())
        partner = Partner(settings.issuer, "bpjs", jwk, http)
        claims = {name: person["claims"][name] for name in ("name", "birth_date")}
        reply = partner.verify({"nik": person["nik"], "purpose": "claim_eligibility", "claims": claims})
        assert reply.status_code == 200, reply.text
        assert (reply.json()["match"], reply.json()["claims"]) == (True, {"name": "match", "birth_date": "match"})
    assert _checked(config) > before > 0
