"""Does a gateway that is not safe to run refuse to start? By the real command: exit 2, words, no traceback."""

# Attacks and accidents held here:
#   test_unsafe_gateway_refuses_to_start   published example keys, missing or wrong keys, broken policies, plain http,
#                                          an unknown setting or schema, a database that never will be there
#   test_every_fault_is_listed_at_once     that one fault does not hide another
#   test_port_in_use_is_named              taking over the port of another program
#   test_second_server_is_refused          two sealers on one SQLite database

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployment import ENTROPY, HOUSE, Deployment, command, free_port

from gateway.keyring import Job
from gateway.keyring import file as key_files


@pytest.fixture(scope="module")
def built() -> Iterator[Deployment]:
    """A deployment that never runs; every case copies it."""
    deployment = Deployment()
    yield deployment
    deployment.close()


def _edit(directory: Path, old: str, new: str) -> None:
    config = directory / "gateway.toml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))


def _line(directory: Path, setting: str) -> str:
    return next(line for line in (directory / "gateway.toml").read_text().splitlines() if line.startswith(setting))


def _production(directory: Path) -> None:
    _edit(directory, "demo = true", "demo = false")
    _edit(directory, _line(directory, "issuer"), 'issuer = "https://nik.example.go.id"')
    _edit(directory, _line(directory, "origin"), 'origin = "https://nik.example.go.id"')


def _example_keys(directory: Path) -> None:
    _production(directory)
    shutil.rmtree(directory / "keys")
    shutil.copytree(HOUSE / "keys.example", directory / "keys")


def _one_example_key(directory: Path) -> None:
    _production(directory)
    shutil.copy(HOUSE / "keys.example" / "claims-1.jwk", directory / "keys" / "claims-1.jwk")


def _wrong_kind(directory: Path) -> None:
    signing = json.loads((directory / "keys" / "token-1.jwk").read_text())
    (directory / "keys" / "index-1.jwk").write_text(json.dumps(signing | {"job": "index"}))


def _weak_key(directory: Path) -> None:
    path = directory / "keys" / "index-1.jwk"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"k": "AAAA"}))


def _twice_the_version(directory: Path) -> None:
    jwk = key_files.new(Job.INDEX, 1, ENTROPY)
    (directory / "keys" / "index-again.jwk").write_text(json.dumps(jwk))


def _schema_of_tomorrow(directory: Path) -> None:
    with sqlite3.connect(directory / "gateway.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def _broken_policy(directory: Path) -> None:
    (directory / "policies" / "purpose.cedar").write_text("permit (principal, action, resource) when {")


# name: (what is done to the deployment, what the message names, what it says to do)
CASES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "example keys": (_example_keys, "published example key", "nik-gateway keys new"),
    "one example key": (_one_example_key, "claims-1.jwk is a published example key", "nik-gateway keys new"),
    "a missing key": (
        lambda d: (d / "keys" / "claims-1.jwk").unlink(),
        "'claims'",
        "nik-gateway keys new --job claims",
    ),
    "no keys at all": (lambda d: shutil.rmtree(d / "keys"), "keys", "nik-gateway keys new"),
    "a key of the wrong kind": (_wrong_kind, "index-1.jwk", "needs an 'oct' key of 256 bits"),
    "a key that is too short": (_weak_key, "index-1.jwk", "needs an 'oct' key of 256 bits"),
    "two keys of one version": (_twice_the_version, "'index'", "same version"),
    "a database in no directory": (
        lambda d: _edit(d, "sqlite:///gateway.sqlite", "sqlite:///nowhere/gateway.sqlite"),
        "database.url",
        "the address right",
    ),
    "no metrics token": (lambda d: (d / "metrics.token").unlink(), "metrics.token_file", "openssl rand"),
    "a schema of tomorrow": (_schema_of_tomorrow, "schema version 9999", "run that one, or restore"),
    "no schema": (lambda d: (d / "gateway.sqlite").unlink(), "schema version none", "nik-gateway db upgrade"),
    "an unknown setting": (lambda d: _edit(d, "workers = 1", "wrokers = 1"), "server.wrokers", "no such setting"),
    "plain http": (lambda d: _edit(d, "demo = true", "demo = false"), "issuer", "must be https"),
    "a broken policy": (_broken_policy, "purpose.cedar", ""),
    "no purposes": (lambda d: (d / "policies" / "purposes.toml").unlink(), "purposes.toml", ""),
    "no settings": (lambda d: (d / "gateway.toml").unlink(), "gateway.toml", "nik-gateway demo DIR"),
}


def refusal(config: Path) -> str:
    """What `serve` says when it refuses to start; it must exit with 2 and without a traceback."""
    code, words = command("serve", "--config", str(config))
    assert (code, "Traceback" in words) == (2, False), words
    return words


@pytest.mark.parametrize("case", CASES)
def test_unsafe_gateway_refuses_to_start(built: Deployment, tmp_path: Path, case: str) -> None:
    """The command exits with 2 and names what is wrong and what to do."""
    directory = tmp_path / "deployment"
    shutil.copytree(built.directory, directory)
    spoil, named, advised = CASES[case]
    spoil(directory)
    words = refusal(directory / "gateway.toml")
    assert named in words
    assert advised in words
    keys = [json.loads(path.read_text()) for path in built.directory.glob("keys/*.jwk")]
    secrets = {jwk.get("k") or jwk["d"] for jwk in keys}
    assert not any(secret in words for secret in secrets), "a key is never shown"


def test_every_fault_is_listed_at_once(built: Deployment, tmp_path: Path) -> None:
    """Keys, database, policies and metrics token that are wrong at the same time are named together."""
    directory = tmp_path / "deployment"
    shutil.copytree(built.directory, directory)
    for case in ("a missing key", "a schema of tomorrow", "a broken policy", "no metrics token"):
        CASES[case][0](directory)
    words = refusal(directory / "gateway.toml")
    assert [named for named in ("'claims'", "9999", "purpose.cedar", "metrics.token_file") if named not in words] == []


def test_port_in_use_is_named(built: Deployment) -> None:
    """A port that somebody listens on already is named, with what to do."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", built.port))
        listener.listen()
        words = refusal(built.config)
    assert f"127.0.0.1:{built.port}" in words
    assert "--port" in words


@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_second_server_is_refused(node: Deployment) -> None:
    """Another server on a database in which one seals already is refused with words, and the first goes on."""
    second = node.directory / "second.toml"
    second.write_text(node.config.read_text().replace(f"port = {node.port}", f"port = {free_port()}"))
    words = refusal(second)
    assert "another gateway is sealing" in words
    assert "Stop it first" in words
    assert node.process is not None
    assert node.process.poll() is None
