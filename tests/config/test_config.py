"""Settings: one file, every fault at once, and a table that cannot forget one."""

from __future__ import annotations

from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from gateway.config import SETTINGS, Settings, parse, read, table
from gateway.errors import Misconfigured

LEAST = {"issuer": "https://nik.example.go.id"}
FILE = Path("/etc/nik/gateway.toml")


def faults(document: dict[str, Any]) -> list[str]:
    with pytest.raises(Misconfigured) as raised:
        parse(document, FILE)
    return raised.value.faults


def test_the_issuer_alone_is_enough() -> None:
    """Everything else has a default, and paths are relative to the file."""
    settings = parse(LEAST, FILE)
    assert settings.issuer == "https://nik.example.go.id"
    assert (settings.keys, settings.policies) == (Path("/etc/nik/keys"), Path("/etc/nik/policies"))
    assert settings.database_url == "sqlite:////etc/nik/gateway.sqlite"
    assert (settings.server_host, settings.server_port, settings.server_workers) == ("127.0.0.1", 8080, 1)
    assert (settings.demo, settings.server_proxies, settings.metrics_token_file) == (False, (), None)


def test_everything_can_be_said(tmp_path: Path) -> None:
    """A file with every setting is read as it says."""
    path = tmp_path / "gateway.toml"
    path.write_text(
        'issuer = "http://127.0.0.1:9"\ndemo = true\nkeys = "/k"\npolicies = "../p"\n'
        '[database]\nurl = "postgresql+psycopg://nik@db/nik"\n'
        '[server]\nhost = "::"\nport = 443\nworkers = 4\nproxies = ["10.0.0.0/8", "2001:db8::1"]\n'
        '[oauth]\ndpop_nonce = true\n[door]\nstore = "valkey+cluster://v:1"\nfailures = "6/minute"\ncalls = "7/second"\n'
        '[register]\nbehind_after_hours = 24\n[metrics]\ntoken_file = "m.token"\n[log]\nlevel = "debug"\n',
    )
    settings = read(path)
    told = {
        "file": path, "issuer": "http://127.0.0.1:9", "demo": True, "keys": Path("/k"), "policies": tmp_path.parent / "p",
        "database_url": "postgresql+psycopg://nik@db/nik", "server_host": "::", "server_port": 443, "server_workers": 4,
        "server_proxies": (ip_network("10.0.0.0/8"), ip_network("2001:db8::1")), "oauth_dpop_nonce": True,
        "door_store": "valkey+cluster://v:1", "door_failures": "6/minute", "door_calls": "7/second",
        "register_behind_after_hours": 24, "metrics_token_file": tmp_path / "m.token", "log_level": "debug",
    }  # fmt: skip
    assert {name: getattr(settings, name) for name in told} == told


def test_a_database_file_is_relative_to_the_settings(tmp_path: Path) -> None:
    """Wherever the command is run."""
    for url, file in (("sqlite:///here.db", tmp_path / "here.db"), ("sqlite:////var/x.db", Path("/var/x.db"))):
        assert parse({**LEAST, "database": {"url": url}}, tmp_path / "g.toml").database_url == f"sqlite:///{file}"


def test_every_fault_is_told_at_once() -> None:
    """Unknown keys, wrong values and rules between settings alike, each by its name."""
    found = faults(
        {
            "issuer": "http://nik.example.go.id", "demo": False, "colour": "red", "keys": 7,
            "server": {"port": 0, "workers": True, "proxies": ["10.0.0.0/33"], "tls": {"file": "x"}},
            "database": {"url": "mysql://x"}, "door": {"store": "disk://", "failures": "many"},
            "oauth": {"dpop_nonce": 1}, "register": {"behind_after_hours": 1.5}, "log": {"level": "loud"},
        },
    )  # fmt: skip
    named = {fault.split(": ")[1] for fault in found}
    assert named == {
        "issuer", "colour", "keys", "server.port", "server.workers", "server.proxies", "server.tls", "database.url",
        "door.store", "door.failures", "oauth.dpop_nonce", "register.behind_after_hours", "log.level",
    }  # fmt: skip
    assert len(found) == 13
    assert all(fault.startswith("gateway.toml: ") for fault in found)


def test_an_empty_file_lacks_the_issuer() -> None:
    """And nothing else."""
    assert faults({}) == [
        "gateway.toml: issuer: is missing. The gateway's own URL as clients see it; https, except in a demo.",
    ]


@pytest.mark.parametrize(
    "issuer",
    [
        "", "nik.example", "ftp://nik.example", "https://", "https:///x", "https://nik.example/",
        "https://nik.example/x",
        "https://nik.example?x", "https://nik.example#x", "http://nik.example", 7, None, [], "https://nik.example:x",
        "https://[",
    ],
)  # fmt: skip
def test_what_is_no_issuer_is_refused(issuer: Any) -> None:
    """Scheme and host, and https outside a demo."""
    (fault,) = faults({"issuer": issuer})
    assert fault.startswith("gateway.toml: issuer: ")


def test_http_is_for_a_demo() -> None:
    """There it may be."""
    assert parse({"issuer": "http://127.0.0.1:8080", "demo": True}, FILE).issuer == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("table_name", "key", "value"),
    [
        ("server", "port", 65536), ("server", "port", "80"), ("server", "port", 80.0), ("server", "host", ""),
        ("server", "proxies", "10.0.0.1"), ("server", "proxies", [7]), ("server", "proxies", [True]),
        ("server", "proxies", ["10.0.0.1/8"]),
        ("door", "calls", "0/second"), ("door", "calls", "5/day"), ("door", "calls", "5 per minute"),
        ("door", "calls", 5),
        ("database", "url", "sqlite://"), ("database", "url", "postgresql://x"), ("database", "url", 1),
        ("log", "level", "INFO"), ("log", "level", 1), ("register", "behind_after_hours", 0),
        ("oauth", "dpop_nonce", "yes"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(table_name: str, key: str, value: Any) -> None:
    """Wrong kinds as well as wrong numbers."""
    (fault,) = faults({**LEAST, table_name: {key: value}})
    assert fault.startswith(f"gateway.toml: {table_name}.{key}: ")


@pytest.mark.parametrize("document", [{"server": 5}, {"issuer": {"url": "x"}}, {"server": {"portt": 1}}, {"": 1}])
def test_a_key_in_the_wrong_place_is_unknown(document: dict[str, Any]) -> None:
    """A word where a table belongs, a table where a word belongs, a slip of the pen."""
    assert any("there is no such setting" in fault for fault in faults({**LEAST, **document}))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """That it is not there, or is no TOML, by its name and with what to do."""
    with pytest.raises(Misconfigured, match=r"there is no such file\. Name it with --config"):
        read(tmp_path / "gateway.toml")
    for content in (b"issuer = ", b"\xff\xfe", b"issuer = 'x'\nissuer = 'y'"):
        (tmp_path / "gateway.toml").write_bytes(content)
        with pytest.raises(Misconfigured, match=r"gateway\.toml: "):
            read(tmp_path / "gateway.toml")


def test_the_table_lists_every_setting_once() -> None:
    """And every setting is a field, and every field a setting."""
    rows = [line.split("`")[1] for line in table().splitlines() if line.startswith("| `")]
    assert rows == [setting.name for setting in SETTINGS]
    assert {name.replace(".", "_") for name in rows} == {field.name for field in fields(Settings)} - {"file"}
    assert len(set(rows)) == len(rows)
    assert all(setting.meaning in table() for setting in SETTINGS)


def test_every_default_is_one_that_may_be_given() -> None:
    """What the table shows as default can be written into a file."""
    for setting in SETTINGS:
        if not setting.required:
            setting.read(setting.default, FILE.parent)
