"""Which served gateways does a contract test call? One on SQLite with one worker, one on PostgreSQL with two."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode puts no test folder on the path

from desk import Office
from other_issuer import OtherIssuer, serving
from served import Gateway


@pytest.fixture(scope="session")
def sqlite_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """On an SQLite file, one worker that seals for itself, run by `serve`."""
    deployment = Gateway(tmp_path_factory.mktemp("sqlite"), None, 1)
    yield deployment
    assert deployment.stop() == 0


@pytest.fixture(scope="session")
def postgresql_gateway(tmp_path_factory: pytest.TempPathFactory, postgresql_server: str) -> Iterator[Gateway]:
    """On PostgreSQL, two workers and a sealer, run by `demo`."""
    name = f"http_{os.getpid()}"
    with psycopg.connect(postgresql_server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        url = f"{postgresql_server.rpartition('/')[0]}/{name}"
        deployment = Gateway(tmp_path_factory.mktemp("postgresql"), url, 2)
        yield deployment
        assert deployment.stop() == 0
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(scope="session")
def other_issuer() -> Iterator[OtherIssuer]:
    """An authorization server beside the gateway's own."""
    with serving() as other:
        yield other


@pytest.fixture(scope="session")
def strict_gateway(tmp_path_factory: pytest.TempPathFactory, other_issuer: OtherIssuer) -> Iterator[Gateway]:
    """On SQLite, demanding nonces, and taking the tokens of the other issuer as well."""
    clients = '{ "their-bank" = "bpjs", "their-auditor" = "auditor" }'
    more = f'\n[oauth]\ndpop_nonce = true\nexternal_issuer = "{other_issuer.issuer}"\nexternal_clients = {clients}\n'
    deployment = Gateway(tmp_path_factory.mktemp("strict"), None, 1, more)
    yield deployment
    assert deployment.stop() == 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A file is asked of both gateways, unless its `DATABASES`, or a test itself, names the one that is enough."""
    own = any(mark.args[0] == "gateway" for mark in metafunc.definition.iter_markers("parametrize"))
    if "gateway" in metafunc.fixturenames and not own and not hasattr(metafunc.module, "gateway"):
        metafunc.parametrize("gateway", getattr(metafunc.module, "DATABASES", ("sqlite", "postgresql")), indirect=True)


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> Gateway:
    """One of the two; both stay up for the whole run."""
    deployment: Gateway = request.getfixturevalue(f"{request.param}_gateway")
    return deployment


@pytest.fixture
def office(gateway: Gateway) -> Office:
    """The administrators of a served gateway."""
    return Office(gateway)
