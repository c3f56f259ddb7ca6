"""Is the client a package of its own: whole, typed, with few dependencies, and nothing of the gateway in it?"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import nik_gateway_client
from gateway.clock import SystemClock, SystemEntropy, jakarta_date, parse_rfc3339, uuid7
from gateway.errors import Cause
from nik_gateway_client import clock
from nik_gateway_client.causes import ProblemSlug

HOUSE = Path(__file__).parents[2]
ALONE = """
import importlib, pkgutil, sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("gateway", "litestar", "sqlalchemy", "authlib", "msgspec"):
            raise ImportError(name)
sys.meta_path.insert(0, Wall())
sys.path.insert(0, sys.argv[1])
import nik_gateway_client
for each in pkgutil.iter_modules(nik_gateway_client.__path__):
    importlib.import_module(f"nik_gateway_client.{each.name}")
print(nik_gateway_client.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that a partner is given."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    environment = os.environ | {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [*words, str(HOUSE / "client")], env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("nik_gateway_client-*.whl")
    return built


def test_the_wheel_is_whole_and_typed(wheel: Path) -> None:
    """Every module and the mark of PEP 561 is in it, and it needs three packages."""
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        needs = [line for line in opened.read(metadata).decode().splitlines() if line.startswith("Requires-Dist: ")]
    source = {f"nik_gateway_client/{file.name}" for file in Path(nik_gateway_client.__file__).parent.glob("*.py")}
    assert source | {"nik_gateway_client/py.typed"} <= names
    assert [need.split()[1].partition(">")[0] for need in needs] == ["cryptography", "httpx", "joserfc"]


def test_it_needs_nothing_of_the_gateway(wheel: Path) -> None:
    """Every module is imported from the wheel where neither the gateway nor what it is built on can be."""
    words = [sys.executable, "-I", "-c", ALONE, str(wheel)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(wheel))


def test_both_sides_speak_of_the_same_causes() -> None:
    """The client knows every slug that this gateway has."""
    assert {slug.name: slug.value for slug in ProblemSlug} == {cause.name: cause.value for cause in Cause}


def test_both_sides_read_the_same_clock() -> None:
    """Instants, days and ids are told alike on both sides."""
    now, entropy = SystemClock().now(), SystemEntropy()
    assert abs(clock.LocalClock().now() - now) < 5 * clock.SECOND
    assert len(clock.uuid7(now, clock.LocalEntropy())) == len(uuid7(now, entropy))
    assert clock.uuid7(now, clock.LocalEntropy())[:13] == uuid7(now, entropy)[:13]
    assert clock.parse_rfc3339("2026-11-24T02:11:09.123Z") == parse_rfc3339("2026-11-24T02:11:09.123Z")
    for instant in (now, now + 5 * clock.HOUR, now + 17 * clock.HOUR, 0):
        assert clock.jakarta_date(instant) == jakarta_date(instant)
    with pytest.raises(ValueError, match="not of the form"):
        clock.parse_rfc3339("2026-11-24")
