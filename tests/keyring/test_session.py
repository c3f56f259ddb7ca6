"""What happens when an HSM goes away under a gateway that runs? On real tokens of SoftHSM."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from deployment import Deployment, Line, Partner, Reply, wait_for
from softhsm import PIN, RESIDENT, move_into_token, places, token

from gateway.clock import SystemEntropy
from gateway.errors import KeysUnavailable
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files
from gateway.keyring.keys import SIGN_JOBS
from gateway.keyring.pkcs11 import load
from gateway.keyring.provisioning import provision
from gateway.keyring.session import JOBS, Held
from gateway.oauth.jose import parse_key

ENTROPY = SystemEntropy()


def loaded(label: str, directory: Path) -> Keyring:
    """A ring whose keys lie in a token, all of them new."""
    for job in frozenset(Job) - JOBS:
        key_files.write(directory, key_files.new(job, 1, ENTROPY))
    provision(token(label), directory, sorted(JOBS), ENTROPY)
    return load(token(label), directory)


def held_by(ring: Keyring) -> Held:
    """The session behind a ring."""
    mac: Any = ring.mac(Job.INDEX)
    found: Held = next(cell.cell_contents for cell in mac.inside.__closure__ if isinstance(cell.cell_contents, Held))
    return found


def test_a_session_that_was_closed_is_opened_anew(tmp_path: Path) -> None:
    """Nobody notices: every key goes on, and is the same."""
    ring = loaded("closing", tmp_path)
    before = ring.mac(Job.INDEX).mac(b"x")
    for job in SIGN_JOBS:
        held_by(ring).opened.session.close()
        key = ring.signer(job)
        parse_key(key.public_jwk).verify(key.sign(b"signed"), b"signed")
        held_by(ring).opened.session.close()
        assert ring.mac(Job.INDEX).mac(b"x") == before


def test_a_token_that_is_gone_is_refused_until_it_is_back(tmp_path: Path) -> None:
    """Whoever asks meanwhile is told at once, by the name of the token."""
    ring = loaded("leaving", tmp_path)
    before = ring.mac(Job.INDEX).mac(b"x")
    aside = places["leaving"].rename(tmp_path / "aside")
    for _ in range(3):
        with pytest.raises(KeysUnavailable, match="token 'leaving' cannot be used"):
            ring.mac(Job.INDEX).mac(b"x")
    aside.rename(places["leaving"])

    def answers() -> bytes:
        try:
            return ring.mac(Job.INDEX).mac(b"x")
        except KeysUnavailable:
            return b""

    assert wait_for("the token", answers) == before


def test_other_keys_under_the_same_labels_are_not_taken(tmp_path: Path) -> None:
    """A token that was initialised anew and filled again: under other keys nobody would be found any more."""
    ring = loaded("other", tmp_path)
    with closing(held_by(ring)):  # what goes on asking the token would not survive its module
        anew = f"softhsm2-util --init-token --token other --label other --so-pin 1234 --pin {PIN}"
        subprocess.run(anew.split(), check=True, capture_output=True)
        with pytest.raises(KeysUnavailable):
            ring.mac(Job.INDEX).mac(b"x")
        (tmp_path / "claims-1.wrapped").unlink()
        wait_for("the empty token", lambda: "holds no key for" in told(ring))
        # In a process of its own, as an operator would: what is tried here meanwhile ends every session of this one.
        subprocess.run([sys.executable, "-c", _PROVISION, str(token("other").module), PIN, str(tmp_path)], check=True)
        wait_for("the other keys", lambda: "holds another key for" in told(ring))


_PROVISION = """
import sys
from pathlib import Path
from gateway.clock import SystemEntropy
from gateway.keyring.provisioning import provision
from gateway.keyring.session import JOBS, Slot
module, pin, directory = sys.argv[1:]
provision(Slot(Path(module), "other", pin), Path(directory), sorted(JOBS), SystemEntropy())
"""


def told(ring: Keyring) -> str:
    """Why a ring cannot be used."""
    with pytest.raises(KeysUnavailable) as raised:
        ring.mac(Job.INDEX).mac(b"x")
    return str(raised.value)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Deployment]:
    """A served gateway whose keys lie in a token."""
    deployment = Deployment()
    try:
        move_into_token(deployment.config, "outage")
        deployment.start()
        yield deployment
        deployment.stop()
    finally:
        deployment.close()


async def _ask(partner: Partner, key: str = "") -> Reply:
    line = await Line.to(partner.deployment.port)
    more = {"idempotency-key": f'"{key}"'} if key else {}
    reply = await partner.verify(line, partner.question(RESIDENT), **more)
    line.leave()
    return reply


def readiness(gateway: Deployment) -> httpx.Response:
    """What `/readyz` says."""
    return httpx.get(f"http://127.0.0.1:{gateway.port}/readyz", trust_env=False)


def test_a_gateway_that_lost_its_hsm_fails_closed_and_comes_back(gateway: Deployment, tmp_path: Path) -> None:
    """503 to everybody and red with the reason while it is gone; the same answers once it is back, without a restart."""
    partner = asyncio.run(Partner(gateway).log_in())
    before = asyncio.run(_ask(partner))
    assert (before.status, before.document["usable"]) == (200, True)
    aside = places["outage"].rename(tmp_path / "aside")
    for _ in range(3):
        reply = asyncio.run(_ask(partner, "once"))
        assert (reply.status, reply.slug) == (503, "register-unavailable")
        assert "retry-after" in reply.headers
    line = asyncio.run(_token_status(partner))
    assert line == (503, "temporarily_unavailable")
    state = readiness(gateway)
    assert (state.status_code, state.json()["ready"]) == (503, False)
    assert "token 'outage' cannot be used" in state.json()["keys"]
    aside.rename(places["outage"])
    wait_for("the gateway", lambda: readiness(gateway).status_code == 200)
    after = asyncio.run(_ask(partner, "once"))
    assert (after.status, after.document["usable"]) == (200, True)
    assert after.document["subject"] == before.document["subject"]
    names = [event["event"] for event in gateway.events()]
    assert names.count("the HSM is lost: nothing is answered") == names.count("the HSM is there again") == 1


async def _token_status(partner: Partner) -> tuple[int, str]:
    line = await Line.to(partner.deployment.port)
    reply = await line.ask("POST", "/oauth2/token", *partner.token_request())
    line.leave()
    return reply.status, reply.document["error"]
