"""Tokens of SoftHSM for every test of this room."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode puts no test folder on the path

from softhsm import make_tokens


@pytest.fixture(scope="session", autouse=True)
def _tokens(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Made before the module is loaded."""
    make_tokens(tmp_path_factory.mktemp("softhsm"))
