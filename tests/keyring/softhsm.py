"""What HSM do tests have? Tokens of SoftHSM, and keys of a demonstration that move into one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from gateway.cli.main import group
from gateway.keyring import Job
from gateway.keyring.session import JOBS, Slot

_PLACES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
MODULE = next((path.resolve() for path in map(Path, _PLACES) if path.exists()), Path(_PLACES[0]))
PIN = "5678"
LABELS = ("whole", "empty", "wrong", "turning", "served", "shut", "closing", "leaving", "other", "outage")
RESIDENT = {"nik": "7402150101909003", "claims": {"name": "WA INA", "birth_date": "1990-01-01", "regency": "7402"}}
places: dict[str, Path] = {}
"""Label → the directory in which SoftHSM keeps that token."""


def make_tokens(directory: Path) -> None:
    """Empty tokens, before the module is loaded: it looks for them once."""
    kept = directory / "tokens"
    kept.mkdir()
    config = directory / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {kept}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(config)
    for label in LABELS:
        words = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "1234", "--pin", PIN]
        subprocess.run(words, check=True, capture_output=True)
        (places[label],) = set(kept.iterdir()) - set(places.values())


def token(label: str) -> Slot:
    """One of the tokens."""
    return Slot(MODULE, label, PIN)


def run(config: Path, *words: str) -> dict[str, Any]:
    """A command about a deployment, which must succeed; its answer."""
    result = CliRunner().invoke(group, [*words, "--config", str(config), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.output)
    return told


def move_into_token(config: Path, label: str) -> None:
    """Let the keys of a demonstration lie in this token from now on; it has one resident more, the only one it finds."""
    directory = config.parent
    for path in (directory / "keys").glob("*.jwk"):
        if Job(path.stem.rpartition("-")[0]) in JOBS:
            path.unlink()
    with config.open("a") as settings:
        settings.write(f'\n[pkcs11]\nmodule = "{MODULE}"\ntoken = "{label}"\npin_file = "pin"\n')
    (directory / "pin").write_text(PIN)
    assert len(run(config, "keys", "provision")["made"]) == len(JOBS)
    (directory / "residents.ndjson").write_text(json.dumps(RESIDENT) + "\n")
    run(config, "register", "import", str(directory / "residents.ndjson"), "--by", "A")
