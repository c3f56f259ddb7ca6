"""Is a demonstration the same one when it is started again?"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from deployment import free_port, wait_for


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
