"""Whom does the gateway's own TLS listener let through a handshake, and with which protocol? FAPI 2.0 §5.2, RFC 9325.

Handshakes in memory: OpenSSL on both sides, and no socket between.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from certificates import Issued
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from gateway.cli.tls import SUITES, Listener
from gateway.config import parse
from gateway.errors import Misconfigured

CA = Issued("CN=Partners authority,C=ID", ca=True)
BELOW = Issued("CN=Issuing authority,C=ID", by=CA, ca=True)
SERVER_CA = Issued("CN=Server authority,C=ID", ca=True)
SERVER = Issued("CN=localhost", by=SERVER_CA, alt=[x509.DNSName("localhost")], usage=None)
NOW = datetime.now(UTC)
MakeListener = Callable[..., Listener]


@pytest.fixture
def make_listener(tmp_path: Path) -> MakeListener:
    """A listener with this certificate that believes these authorities."""

    def make(*authorities: Issued, certificate: bytes = SERVER.pem, key: bytes = SERVER.key_pem) -> Listener:
        (tmp_path / "server.pem").write_bytes(certificate)
        (tmp_path / "server.key").write_bytes(key)
        (tmp_path / "ca.pem").write_bytes(b"".join(one.pem for one in authorities))
        tls = {"certificate": "server.pem", "key": "server.key", "client_ca": ["ca.pem"] if authorities else []}
        return Listener(parse({"issuer": "https://localhost", "tls": tls}, tmp_path / "gateway.toml"))

    return make


def client_context(tmp_path: Path, own: Issued | None = None, chain: bytes = b"") -> ssl.SSLContext:
    """Whoever calls `localhost`, with or without a certificate."""
    context = ssl.create_default_context(cadata=SERVER_CA.pem.decode())
    if own is not None:
        path = tmp_path / "client.pem"
        path.write_bytes(own.pem + chain + own.key_pem)
        context.load_cert_chain(path)
    return context


def shaken(listener: Listener, client: ssl.SSLContext) -> tuple[ssl.SSLObject, bytes | None]:
    """(the client's side, the certificate that the server saw). Raises ssl.SSLError of whichever side ends it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    theirs = listener.context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [ours, theirs]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not waiting
    return ours, theirs.getpeercert(binary_form=True)


def test_a_certificate_is_asked_for_and_not_demanded(make_listener: MakeListener, tmp_path: Path) -> None:
    """Whoever authenticates by other means comes without one."""
    assert shaken(make_listener(CA), client_context(tmp_path))[1] is None


@pytest.mark.parametrize("below", [False, True], ids=["an authority", "an authority below one that is not listed"])
def test_who_holds_a_certificate_of_an_authority_is_let_through(
    make_listener: MakeListener, tmp_path: Path, *, below: bool
) -> None:
    """The gateway sees the certificate whose key was proven."""
    own = Issued(by=BELOW if below else CA)
    assert shaken(make_listener(BELOW if below else CA), client_context(tmp_path, own))[1] == own.der


@pytest.mark.parametrize(
    "own",
    [
        Issued(),
        Issued(by=Issued("CN=Another authority", ca=True)),
        Issued(by=Issued("CN=Partners authority,C=ID", ca=True)),
        Issued(by=CA, ends=NOW - timedelta(hours=1)),
    ],
    ids=["self-signed", "of a stranger", "of its namesake", "over"],
)
def test_a_certificate_that_leads_nowhere_ends_the_handshake(
    make_listener: MakeListener, tmp_path: Path, own: Issued
) -> None:
    """Not even a call without the need of one is taken from there."""
    with pytest.raises(ssl.SSLError):
        shaken(make_listener(CA), client_context(tmp_path, own))


@pytest.mark.parametrize(
    "ca", [False, True, None], ids=["a leaf", "as `openssl req -x509` makes it", "without extensions"]
)
def test_registered_certificates_are_let_through(
    make_listener: MakeListener, tmp_path: Path, *, ca: bool | None
) -> None:
    """Two of one name, in whatever form they were made; known from the moment on that the listener is told."""
    listener = make_listener()
    own, other = (Issued("CN=nik client", ca=ca, serial=serial, usage=None) for serial in (1, 2))
    with pytest.raises(ssl.SSLError):
        shaken(listener, client_context(tmp_path, own))
    listener.trust([other.der])
    listener.trust([other.der, own.der])
    for one in (own, other):
        assert shaken(listener, client_context(tmp_path, one))[1] == one.der
    stranger = Issued("CN=nik client", ca=ca, serial=3, usage=None)
    with pytest.raises(ssl.SSLError):
        shaken(listener, client_context(tmp_path, stranger))


def test_a_registered_certificate_does_not_hide_an_authority(make_listener: MakeListener, tmp_path: Path) -> None:
    """One that goes by an authority's name is left out, or the partners of that authority could not come any more."""
    listener = make_listener(CA)
    namesake = Issued("CN=Partners authority,C=ID", ca=True)
    with capture_logs() as told:  # whatever another test has configured
        listener.trust([namesake.der, b"rubbish"])
        listener.trust([namesake.der, b"rubbish"])
    own = Issued(by=CA)
    assert shaken(listener, client_context(tmp_path, own))[1] == own.der
    with pytest.raises(ssl.SSLError):
        shaken(listener, client_context(tmp_path, namesake))
    assert ["is not trusted by the listener" in line["event"] for line in told] == [True, True]  # said once for each


def test_protocols_before_1_2_are_refused(make_listener: MakeListener, tmp_path: Path) -> None:
    """A client that can do nothing newer is told so by an alert."""
    context = client_context(tmp_path)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    for old in ("TLSv1", "TLSv1_1"):
        with pytest.warns(DeprecationWarning, match="deprecated"):
            context.maximum_version = ssl.TLSVersion[old]
        with pytest.raises(ssl.SSLError):
            shaken(make_listener(CA), context)


def test_1_3_is_preferred(make_listener: MakeListener, tmp_path: Path) -> None:
    """Whoever can, speaks it, with one of its suites; nothing is compressed and no session is handed out."""
    ours, _ = shaken(make_listener(CA), client_context(tmp_path))
    assert ours.version() == "TLSv1.3"
    assert ours.compression() is None
    assert ours.session is None or not ours.session.has_ticket


@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_1_2_has_four_suites(make_listener: MakeListener, tmp_path: Path, kind: str) -> None:
    """Of all that OpenSSL knows, those with the server's kind of key among the four are all that is spoken."""
    listener = make_listener(CA) if kind == "ECDSA" else _with_rsa(make_listener)
    context = client_context(tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    spoken = set()
    for suite in {one["name"] for one in context.get_ciphers()} - {"TLS_AES_256_GCM_SHA384"}:
        if suite.startswith("TLS_"):
            continue  # of TLS 1.3: these cannot be switched off, and are not spoken here
        context.set_ciphers(f"{suite}:@SECLEVEL=0")
        try:
            spoken.add(shaken(listener, context)[0].cipher()[0])  # type: ignore[index]
        except ssl.SSLError:
            continue
    assert spoken == {suite for suite in SUITES if kind in suite}


def _with_rsa(make_listener: MakeListener) -> Listener:
    key = rsa.generate_private_key(65537, 2048)
    server = Issued("CN=localhost", by=SERVER_CA, alt=[x509.DNSName("localhost")], usage=None, key=key)
    return make_listener(CA, certificate=server.pem, key=server.key_pem)


def test_every_fault_of_its_files_is_told(make_listener: MakeListener) -> None:
    """No certificate, another's key, and what is no authority: all at once, before anything listens."""
    for certificate, key in ((b"x", SERVER.key_pem), (SERVER.pem, CA.key_pem), (SERVER.pem, b"")):
        with pytest.raises(Misconfigured) as raised:
            make_listener(Issued(), certificate=certificate, key=key)
        told = raised.value.faults
        assert [fault.split(": ")[0] for fault in told] == ["tls", "tls.client_ca"]
