"""Which keys does a test of this room get?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode puts no test folder on the path

from holders import HandClock, Holder


@pytest.fixture
def clock() -> HandClock:
    """A clock set to NOW."""
    return HandClock()


@pytest.fixture(params=["EC", "OKP", "RSA"])
def holder(request: pytest.FixtureRequest) -> Holder:
    """A holder of a key of every kind."""
    return Holder(request.param)
