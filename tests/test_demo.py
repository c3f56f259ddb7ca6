"""Is a demonstration the same one when it is started again?"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from deployment import free_port, wait_for

from gateway.cli.demo import demo
from gateway.errors import Misconfigured


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@pytest.mark.prove
@pytest.mark.timeout(120)
def test_a_demonstration_may_move_to_another_port(tmp_path: Path) -> None:
    """Its log goes on under the name that it began with, and demo.json tells the new address."""
    sizes, origins = [], set()
    for port in (free_port(), free_port()):
        words = [sys.executable, "-m", "gateway.cli", "demo", "demo", "--residents", "1000", "--port", str(port)]
        with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as node:
            try:
                wait_for("the demonstration", lambda port=port: _ready(port))
                origin, size, *_ = httpx.get(
                    f"http://127.0.0.1:{port}/ledger/checkpoint", trust_env=False
                ).text.splitlines()
            finally:
                node.send_signal(signal.SIGTERM)
        origins.add(origin)
        sizes.append(int(size))
        assert json.loads((tmp_path / "demo" / "demo.json").read_text())["base_url"] == f"http://127.0.0.1:{port}"
    assert len(origins) == 1
    assert sizes[0] < sizes[1]


def test_settings_that_somebody_changed_are_kept(tmp_path: Path) -> None:
    """They are told of and never written again; those that nobody touched follow the command, and `--fresh` begins anew."""

    def built(*words: str) -> str:
        found = CliRunner().invoke(demo, [str(tmp_path / "demo"), "--residents", "1000", "--no-serve", *words])
        assert found.exit_code == 0, found.output
        return found.stderr

    settings, keys = tmp_path / "demo" / "gateway.toml", tmp_path / "demo" / "keys"

    def made() -> dict[str, str]:
        return {key.name: key.read_text() for key in keys.iterdir()}

    assert "kept" not in built("--port", "18080")
    assert "kept" not in built("--port", "18081")
    assert "port = 18081" in settings.read_text()
    changed = settings.read_text().replace("port = 18081", "port = 18082")
    settings.write_text(changed)
    before = made()
    assert "is kept as it is" in built("--port", "18083")
    assert (settings.read_text(), made()) == (changed, before)
    assert "kept" not in built("--port", "18083", "--fresh")
    assert "port = 18083" in settings.read_text()
    assert made() != before


def test_nothing_but_a_demonstration_is_removed(tmp_path: Path) -> None:
    """`--fresh` refuses a directory that holds anything else."""
    (tmp_path / "mine.txt").write_text("mine")
    found = CliRunner().invoke(demo, [str(tmp_path), "--no-serve", "--fresh"])
    assert isinstance(found.exception, Misconfigured)
    assert (tmp_path / "mine.txt").read_text() == "mine"
