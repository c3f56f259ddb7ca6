"""Does a client that is certified for FAPI get its answer? `openid-client` of npm, with and without nonces."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from contract import MATCHED_BY_CLAIMS, answer

HERE = Path(__file__).parent / "foreign"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client as it is locked, installed from the registry that this machine uses."""
    directory = tmp_path_factory.mktemp("foreign")
    for name in ("package.json", "package-lock.json", "client.mjs"):
        shutil.copy(HERE / name, directory)
    words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(words, cwd=directory, check=True, timeout=100)
    return directory


@pytest.mark.prove  # it needs node and a package registry
@pytest.mark.parametrize("which", ["sqlite_gateway", "postgresql_gateway", "strict_gateway"])
def test_openid_client_verifies_and_revokes(installed: Path, which: str, request: pytest.FixtureRequest) -> None:
    """Discovery, private_key_jwt, DPoP (nonces as well), authorization details, an answer, and a token that is given up."""
    gateway = request.getfixturevalue(which)
    partner = gateway.partner("bpjs")
    details = [{"type": "nik_verification", "purposes": ["claim_eligibility"]}]
    told = {
        "issuer": gateway.issuer,
        "client_id": "bpjs",
        "jwk": dict(partner.jwk),
        "form": {"scope": "nik.verify", "authorization_details": json.dumps(details)},
        "question": gateway.question("bpjs", gateway.resident()),
    }
    words = ["node", "client.mjs"]
    done = subprocess.run(
        words, cwd=installed, input=json.dumps(told).encode(), capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["type"].lower(), found["scope"], found["status"]) == ("dpop", "nik.verify", 200)
    assert found["details"] == details
    answer(found["answer"], MATCHED_BY_CLAIMS)
    assert found["answer"]["usable"] is True
    assert found["after"] == 401, "what was given up is worth nothing"


@pytest.mark.parametrize("lock", sorted(HERE.parent.glob("*/package-lock.json")), ids=lambda lock: lock.parent.name)
def test_the_lock_names_no_host(lock: Path) -> None:
    """Packages come from whatever registry a machine uses; their hashes are pinned."""
    text = lock.read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    assert all(one.get("integrity", "").startswith("sha512-") for name, one in packages.items() if name)
