"""Which real servers and fresh databases does a test get?

All are lazy: a run that asks for no database starts none. All workers of a run share one server of each kind.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import valkey
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode puts no test folder on the path

import servers

from gateway.clock import SystemEntropy
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files

_RUN = pytest.StashKey[tuple[Path, int]]()
_numbers = itertools.count(1)
MakeDatabase = Callable[[], str]

# A machine that others use as well makes single examples slow; what counts is that the suite ends in time.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--shuffle SEED` runs the files, and the tests of each, in an order that the seed makes."""
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run the tests in an order that this seed makes")


@pytest.hookimpl(tryfirst=True)  # what shares a database is brought together again afterwards
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What waits longest begins first, or all in the order that a seed makes: no test may need another before it."""
    seed = config.getoption("--shuffle")
    if seed is None:
        items.sort(key=lambda item: _LONGEST.index(_room(item.nodeid)) if _room(item.nodeid) in _LONGEST else 99)
        return
    chance = random.Random(seed)  # noqa: S311  an order is no secret
    place = {path: chance.random() for path in sorted({item.path for item in items})}
    chance.shuffle(items)
    items.sort(key=lambda item: place[item.path])


_LONGEST = ("durability", "http", "attacks", "ledger", "bench", "store", "client", "keyring", "sealing", "staff")


def _room(nodeid: str) -> str:
    return nodeid.removeprefix("tests/").partition("/")[0]


class TogetherScheduling(LoadScopeScheduling):
    """What is dear to make is made once a run: a room's tests on one database run in one process, others file by file."""

    def _split_scope(self, nodeid: str) -> str:
        room, words = _room(nodeid), nodeid.partition("[")[2].rstrip("]").split("-")
        database = next((each for each in ("sqlite", "postgresql") if each in words), "")
        if room == "durability":  # each has servers of its own, and takes its time
            return nodeid
        return f"{room} {database}" if database else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherScheduling | None:
    """`--dist loadscope` is by what tests share, not by modules alone."""
    return TogetherScheduling(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_configure(config: pytest.Config) -> None:
    """The process that was started by hand owns the run's directory; workers are told of it."""
    told = getattr(config, "workerinput", None)
    if told is not None:
        config.stash[_RUN] = Path(told["servers_root"]), told["servers_owner"]
        return
    root = Path(tempfile.mkdtemp(prefix="nik-tests-", dir=servers.open_place()))
    root.chmod(0o711)  # the server's user passes through and sees nothing
    config.stash[_RUN] = root, os.getpid()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a worker which run it belongs to."""
    root, owner = node.config.stash[_RUN]  # type: ignore[attr-defined]
    node.workerinput.update(servers_root=str(root), servers_owner=owner)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """The owner stops what the run started."""
    if getattr(config, "workerinput", None) is None and _RUN in config.stash:
        servers.dismiss(config.stash[_RUN][0])


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's shell configures must not reach a test."""
    for name in [name for name in os.environ if name.startswith("NIK_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgresql_server(pytestconfig: pytest.Config) -> str:
    """URL of the shared PostgreSQL (fsync off), database `postgres`, a superuser."""
    return servers.shared("postgresql", *pytestconfig.stash[_RUN])


@pytest.fixture(scope="session")
def durable_postgresql_server(pytestconfig: pytest.Config) -> str:
    """URL of the shared PostgreSQL that keeps fsync on, for what must survive a kill."""
    return servers.shared("postgresql-durable", *pytestconfig.stash[_RUN])


@pytest.fixture(scope="session")
def valkey_server(pytestconfig: pytest.Config) -> str:
    """URL of the shared Valkey."""
    return servers.shared("valkey", *pytestconfig.stash[_RUN])


def _fresh_database(server: str) -> Iterator[str]:
    name = f"t_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        yield f"{server.rpartition('/')[0]}/{name}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """A fresh empty PostgreSQL database: `postgresql+psycopg://…`."""
    yield from _fresh_database(postgresql_server)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database file that does not exist yet: `sqlite:///…`."""
    return f"sqlite:///{tmp_path / 'gateway.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh empty database; the test runs once on each engine."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def durable_postgresql_url(durable_postgresql_server: str) -> Iterator[str]:
    """A fresh empty PostgreSQL database on the server that keeps fsync on."""
    yield from _fresh_database(durable_postgresql_server)


@pytest.fixture(params=["sqlite", "durable_postgresql"])
def durable_database_url(request: pytest.FixtureRequest) -> str:
    """As `database_url`, with fsync on: for tests that kill the gateway."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def own_postgresql() -> Iterator[servers.Postgresql]:
    """A durable PostgreSQL for this test alone, started: it may `kill()` and `start()` it again."""
    with tempfile.TemporaryDirectory(prefix="nik-own-", dir=servers.open_place()) as place:
        Path(place).chmod(0o711)
        server = servers.Postgresql(Path(place) / "postgresql", durable=True)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[servers.Valkey]:
    """A Valkey for this test alone, started: it may `kill()` and `start()` it again."""
    server = servers.Valkey(tmp_path / "valkey")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def valkey_url(valkey_server: str, worker_id: str) -> Iterator[str]:
    """An empty Valkey database of this worker's own: `valkey://127.0.0.1:…/N`."""
    number = 0 if worker_id == "master" else int(worker_id.removeprefix("gw")) + 1
    url = f"{valkey_server.rpartition('/')[0]}/{number}"
    with valkey.Valkey.from_url(url) as client:
        client.flushdb()
        yield url


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    """One key for each job, and two for the index."""
    keys = [key_files.parse(key_files.new(job, 1, SystemEntropy())) for job in Job]
    return Keyring([*keys, key_files.parse(key_files.new(Job.INDEX, 2, SystemEntropy()))])
