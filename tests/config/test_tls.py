"""What is told about TLS, and which faults are found in it before anything starts?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from certificates import Issued

from gateway.app import authorities_of
from gateway.config import parse
from gateway.errors import Misconfigured


def told(folder: Path, **tables: Any) -> Any:
    """The settings of a document with these tables."""
    return parse({"issuer": "https://nik.example.go.id", **tables}, folder / "gateway.toml")


def faults(folder: Path, **tables: Any) -> list[str]:
    with pytest.raises(Misconfigured) as raised:
        told(folder, **tables)
    return raised.value.faults


def test_without_a_word_tls_ends_in_a_proxy(tmp_path: Path) -> None:
    """No certificate, no authorities, no other URL."""
    settings = told(tmp_path)
    assert (settings.tls_certificate, settings.tls_key) == (None, None)
    assert (settings.tls_client_ca, settings.oauth_mtls_base_url) == ((), "")


def test_files_are_relative_to_the_settings(tmp_path: Path) -> None:
    """As every other path is."""
    tls = {"certificate": "tls/server.pem", "key": "/etc/server.key", "client_ca": ["a.pem", "b.pem"]}
    settings = told(tmp_path, tls=tls, oauth={"mtls_base_url": "https://mtls.nik.example.go.id"})
    assert settings.tls_certificate == tmp_path / "tls" / "server.pem"
    assert settings.tls_key == Path("/etc/server.key")
    assert settings.tls_client_ca == (tmp_path / "a.pem", tmp_path / "b.pem")
    assert settings.oauth_mtls_base_url == "https://mtls.nik.example.go.id"


@pytest.mark.parametrize("tls", [{"certificate": "server.pem"}, {"key": "server.key"}])
def test_a_certificate_needs_its_key(tmp_path: Path, tls: dict[str, str]) -> None:
    """One without the other is a fault."""
    assert faults(tmp_path, tls=tls) == ["gateway.toml: tls: certificate and key are needed together"]


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    """A list that is none, and another URL that is no base URL or not https."""
    assert faults(tmp_path, tls={"client_ca": "a.pem"}) == ["gateway.toml: tls.client_ca: must be a list of files"]
    (fault,) = faults(tmp_path, oauth={"mtls_base_url": "https://nik.example.go.id/mtls"})
    assert fault.startswith("gateway.toml: oauth.mtls_base_url: must be a URL of scheme and host")
    (fault,) = faults(tmp_path, oauth={"mtls_base_url": "http://nik.example.go.id"})
    assert fault.startswith("gateway.toml: oauth.mtls_base_url: must be https")


def test_every_file_of_authorities_is_looked_into(tmp_path: Path) -> None:
    """One that is not there and one that holds no authority: both are named."""
    (tmp_path / "leaf.pem").write_bytes(Issued().pem)
    (tmp_path / "ca.pem").write_bytes(Issued("CN=One", ca=True).pem + Issued("CN=Two", ca=True).pem)
    good = told(tmp_path, tls={"client_ca": ["ca.pem"]})
    assert len(authorities_of(good).certificates) == 2
    with pytest.raises(Misconfigured) as raised:
        authorities_of(told(tmp_path, tls={"client_ca": ["ca.pem", "none.pem", "leaf.pem"]}))
    assert [Path(fault.split(": ")[1]).name for fault in raised.value.faults] == ["none.pem", "leaf.pem"]
