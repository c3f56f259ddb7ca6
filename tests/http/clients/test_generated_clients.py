"""Can a partner have its client written from the OpenAPI document? Three generators' are compiled and make a call."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from partner import Partner

from gateway.web.openapi import document as openapi

HERE = Path(__file__).parent / "generated"


class _Proving(httpx.Auth):
    """What no generator knows of: the token, and a new DPoP proof for every call."""

    def __init__(self, partner: Partner) -> None:
        self._partner, self._token = partner, partner.token()

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"DPoP {self._token}"
        request.headers["DPoP"] = self._partner.proof(request.method, request.url.path, self._token)
        yield request


def test_the_client_of_openapi_python_client(sqlite_gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the document is dropped but the export's lines; an answer and a problem are read by their types."""
    (tmp_path / "openapi.json").write_text(openapi.text(sqlite_gateway.issuer))
    (tmp_path / "config.yaml").write_text(
        "post_hooks: []\npackage_name_override: written\ncontent_type_overrides:\n  application/x-ndjson: text/plain\n"
    )
    words = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--config", "config.yaml"]
    words += ["--path", "openapi.json", "--output-path", "written", "--fail-on-warning"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    verify = importlib.import_module("written.api.verification.verify")
    models = importlib.import_module("written.models")
    own = {"auth": _Proving(sqlite_gateway.partner("bpjs")), "trust_env": False}
    question = sqlite_gateway.question("bpjs", sqlite_gateway.resident())
    other = {**question, "purpose": "nothing"}
    generated = importlib.import_module("written").Client(sqlite_gateway.issuer, httpx_args=own)
    with generated as client:
        answer = verify.sync(client=client, body=models.Question.from_dict(question))
        problem = verify.sync(client=client, body=models.Question.from_dict(other))
    assert answer.usable is True
    assert problem.type_ is models.ProblemType.PURPOSE_NOT_AGREED
    assert problem.status == 403


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generators of npm as they are locked, with the document to write from."""
    directory = tmp_path_factory.mktemp("generated")
    shutil.copytree(HERE, directory, dirs_exist_ok=True)
    (directory / "openapi.json").write_text(openapi.text())
    _npm(directory, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    return directory


def _npm(directory: Path, *words: str, told: str = "") -> str:
    done = subprocess.run(words, cwd=directory, input=told, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.prove  # it needs node and a package registry
def test_redocly_finds_nothing(installed: Path) -> None:
    """The rules of the specification hold by redocly's reading as well."""
    (installed / "redocly.yaml").write_text("extends: [spec]\n")
    _npm(installed, "npx", "redocly", "lint", "--max-problems", "5", "openapi.json")


@pytest.mark.prove  # it needs node and a package registry
@pytest.mark.parametrize(
    ("words", "name", "most"),
    [
        (["openapi-typescript", "openapi.json", "-o", "typescript/schema.d.ts"], "call-typescript", 8_000),
        (["openapi-ts", "-i", "openapi.json", "-o", "heyapi"], "call-heyapi", 12_000),
    ],
)
def test_a_client_of_npm_compiles_and_calls(
    sqlite_gateway, installed: Path, words: list[str], name: str, most: int
) -> None:
    """It is written within so many lines, compiles strictly, is answered, and knows a refusal by its type."""
    _npm(installed, "npx", *words)
    folder = installed / Path(words[-1]).parts[0]
    assert sum(len(file.read_text().splitlines()) for file in folder.glob("*.ts")) < most
    (installed / f"{name}.json").write_text(json.dumps({"extends": "./tsconfig.json", "files": [f"{name}.ts"]}))
    _npm(installed, "npx", "tsc", "-p", f"{name}.json")
    partner = sqlite_gateway.partner("bpjs")
    told = {
        "issuer": sqlite_gateway.issuer,
        "token": partner.token(),
        "jwk": partner.proof_key.private_jwk,
        "question": sqlite_gateway.question("bpjs", sqlite_gateway.resident()),
    }
    found = json.loads(_npm(installed, "node", f"built/{name}.js", told=json.dumps(told)))
    assert found == {"status": 200, "usable": True, "refused": 403, "as": True}
