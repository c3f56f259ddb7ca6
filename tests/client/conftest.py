"""Which gateway, key and profile does a test of the client get?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode puts no test folder on the path

from gateway_peer import Peer
from new_keys import make_key

from gateway.clock import SECOND, SystemClock
from nik_gateway_client import Patience

HASTY = Patience(attempts=4, first=0.005, longest=0.02, longest_asked=1.0)


@dataclass
class MovedClock:
    """The machine's clock, moved on by so many seconds."""

    ahead: float = 0.0

    def now(self) -> int:
        return SystemClock().now() + int(self.ahead * SECOND)


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A gateway's side on loopback that found nothing wrong with what it was sent."""
    peer = Peer()
    yield peer
    peer.close()
    assert peer.faults == []


@pytest.fixture
def write_profile(tmp_path: Path, peer: Peer) -> Callable[..., Path]:
    """Writes a key and a profile for the peer, registers the key there, and gives the profile's path."""

    def write(alg: str = "ES256", **fields: str) -> Path:
        jwk = make_key(alg)
        private = {"d", "p", "q", "dp", "dq", "qi"}
        peer.public = {name: value for name, value in jwk.items() if name not in private}
        key = tmp_path / "key.jwk"
        key.write_text(json.dumps(jwk))
        key.chmod(0o600)
        known = {"base_url": peer.url, "issuer": peer.issuer, "client_id": peer.client_id}
        known |= {"auth_method": "private_key_jwt", "key_file": "key.jwk"} | fields
        path = tmp_path / "profile.toml"
        path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in known.items()))
        return path

    return write


@pytest.fixture
def profile_path(write_profile: Callable[..., Path]) -> Path:
    """A profile whose key the peer knows."""
    return write_profile()


@pytest.fixture
def hasty() -> Patience:
    """Tries four times, with hardly a pause."""
    return HASTY


@pytest.fixture
def moved_clock() -> MovedClock:
    """A clock that a test can move."""
    return MovedClock()
