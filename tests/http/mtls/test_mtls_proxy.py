"""Do certificates reach the gateway through a proxy, and nobody else's word for one? deploy/haproxy.cfg on a real HAProxy.

HAProxy comes to the gateway from 127.0.0.2, the one address that is listed as a proxy; tests come from 127.0.0.1.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from certificates import Issued
from contract import refused
from served import HOUSE, PATIENCE, free_port
from tls_served import Caller, TlsGateway

from nik_gateway_client import GatewayClient

LISTED, UNLISTED = "127.0.0.2", "127.0.0.1"
CLIENTS = {"bpjs": "", "small": "small", "bank": "bank", "tax": "tax", "mixed": "bank"}


class Proxied(TlsGateway):
    """A gateway that speaks plain http on `plain`, and HAProxy in front of it on the issuer's port."""

    def __init__(self, directory: Path) -> None:
        # Debian puts it where the paths of users do not lead.
        program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
        assert program, "haproxy is missing: sudo apt-get install haproxy"
        self.plain = free_port()
        super().__init__(directory, self._behind)
        self.serve(self._begun)
        self._start_haproxy(program)

    def _behind(self, settings: str, port: int) -> str:
        """TLS ends in the proxy: what is left of it here are the authorities."""
        changes = {
            f"port = {port}\n": f'port = {self.plain}\nproxies = ["{LISTED}"]\n',
            'certificate = "tls/server.pem"\nkey = "tls/server.key"\n': "",
        }
        for old, new in changes.items():
            assert settings.count(old) == 1, old
            settings = settings.replace(old, new)
        return settings

    def _begun(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.plain}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def _start_haproxy(self, program: str) -> None:
        """By the file that operators are given; only what names another machine or user is changed."""
        tls = self.directory / "tls"
        (tls / "nik.pem").write_bytes((tls / "server.pem").read_bytes() + (tls / "server.key").read_bytes())
        changes = {
            "    log /dev/log local0 notice\n    user haproxy\n    group haproxy\n": "",
            "    maxconn 20000\n": "    maxconn 200\n",
            "bind :443 ": f"bind 127.0.0.1:{self.port} ",
            "/etc/haproxy/nik.pem": str(tls / "nik.pem"),
            "/etc/haproxy/partners-ca.pem": str(tls / "ca.pem"),
            "    server node-1 10.0.0.11:8080\n": f"    server node-1 127.0.0.1:{self.plain} source {LISTED}\n",
            "    server node-2 10.0.0.12:8080\n": "",
        }
        text = (HOUSE / "deploy" / "haproxy.cfg").read_text()
        for old, new in changes.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = self.directory / "haproxy.cfg"
        path.write_text(text)
        self._haproxy_log = (self.directory / "haproxy.log").open("wb")
        self._haproxy = subprocess.Popen(
            [program, "-db", "-f", str(path)], stdout=self._haproxy_log, stderr=self._haproxy_log
        )
        deadline = time.monotonic() + PATIENCE
        while not self.ready():
            if self._haproxy.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError((self.directory / "haproxy.log").read_text()[-3000:])
            time.sleep(0.05)

    def stop(self) -> int:
        """End the proxy, then the gateway."""
        self._haproxy.kill()
        self._haproxy.wait()
        self._haproxy_log.close()
        return super().stop()

    def straight(self, address: str) -> httpx.Client:
        """A client that goes past the proxy, from this address of the machine."""
        transport = httpx.HTTPTransport(local_address=address)
        return httpx.Client(base_url=f"http://127.0.0.1:{self.plain}", transport=transport, trust_env=False)

    def header(self, client_id: str) -> str:
        """`Client-Cert` (RFC 9440 §2.2) with a partner's certificate."""
        pem = (self.directory / "partners" / client_id / "cert.pem").read_text()
        return f":{b64encode(ssl.PEM_cert_to_DER_cert(pem[: pem.index('-----BEGIN PRIVATE KEY')])).decode()}:"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """Behind HAProxy, one worker on SQLite."""
    deployment = Proxied(tmp_path_factory.mktemp("proxied"))
    yield deployment
    assert deployment.stop() == 0


@pytest.mark.parametrize("client_id", CLIENTS)
def test_every_combination_gets_its_answer_through_a_proxy(gateway: Proxied, client_id: str) -> None:
    """By assertion or certificate, with a proof or a bound token: as if there were no proxy."""
    caller = gateway.caller(client_id, CLIENTS[client_id])
    reply = caller.ask(gateway.question(client_id), caller.obtain())
    assert reply.status_code == 200, reply.text
    assert reply.json()["usable"] is True


def test_our_own_client_gets_through(gateway: Proxied) -> None:
    """Both methods by certificate, by the profiles of the demonstration."""
    for client_id in ("bank", "tax"):
        question = gateway.question(client_id)
        with GatewayClient(gateway.directory / "partners" / client_id / "profile.toml") as client:
            assert client.verify(question["nik"], question["purpose"], question["claims"]).usable is True


@pytest.mark.parametrize("certificate", ["", "tax"])
def test_a_spoofed_header_does_not_get_through(gateway: Proxied, certificate: str) -> None:
    """The proxy throws away what the caller says of its certificate, whether it has one of its own or none."""
    bank = gateway.caller("bank", certificate)
    spoof = {"Client-Cert": gateway.header("bank")}
    reply = bank.http.post(
        "/oauth2/token", data={"grant_type": "client_credentials", "client_id": "bank"}, headers=spoof
    )
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_client")
    token = gateway.caller("bank", "bank").obtain()
    headers = {"Authorization": f"Bearer {token}", **spoof}
    reply = bank.call("POST", "/v1/verifications", gateway.question("bank"), headers=headers, token=token, proofs=[])
    refused(reply, "invalid-token", gateway.issuer, identified=False)


def test_a_stolen_token_is_worth_nothing_through_a_proxy(gateway: Proxied) -> None:
    """Another certificate than the token's, or none."""
    bank = gateway.caller("bank", "bank")
    token = bank.obtain()
    for thief in ("", "tax", "small"):
        reply = bank.ask(gateway.question("bank"), token, http=gateway.http(thief))
        refused(reply, "invalid-token", gateway.issuer, identified=False)


def test_the_agreements_certificates_hold_through_a_proxy(gateway: Proxied) -> None:
    """What counts is the certificate that the proxy names: none, or one that is not listed, is refused with an entry."""
    mixed = gateway.caller("mixed", "bank")
    token = mixed.obtain()
    for certificate in ("", "small", "tax"):
        reply = mixed.ask(gateway.question("mixed"), token, http=gateway.http(certificate))
        assert refused(reply, "refused-by-policy", gateway.issuer)["policy"] == "certificate-not-agreed"
    headers = {"Client-Cert": gateway.header("bank")}
    reply = mixed.call(
        "POST", "/v1/verifications", gateway.question("mixed"), token=token,
        headers={"Authorization": f"DPoP {token}", **headers}, http=gateway.http(),
    )  # fmt: skip
    assert refused(reply, "refused-by-policy", gateway.issuer)["policy"] == "certificate-not-agreed"


def test_a_stranger_with_the_right_name_is_not_the_client(gateway: Proxied, tmp_path: Path) -> None:
    """The proxy lets every certificate pass; the gateway asks who issued it."""
    stranger = Issued("CN=bank,O=Bank Nusantara (demo),C=ID")
    issued = Issued(
        "CN=bank,O=Bank Nusantara (demo),C=ID", by=Issued("CN=NIK gateway demo authority,O=Demo,C=ID", ca=True)
    )
    for number, one in enumerate((stranger, issued)):
        path = tmp_path / f"{number}.pem"
        path.write_bytes(one.pem + one.key_pem)
        reply = gateway.caller("bank", path).ask_token()
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_client")


def test_past_the_proxy_the_header_says_nothing(gateway: Proxied) -> None:
    """Whoever reaches the gateway's own port and is not listed has no certificate, whatever the header says."""
    form = {"grant_type": "client_credentials", "client_id": "bank"}
    token = gateway.caller("bank", "bank").obtain()
    with gateway.straight(UNLISTED) as http:
        reply = http.post("/oauth2/token", data=form, headers={"Client-Cert": gateway.header("bank")})
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_client")
        caller = Caller(gateway.issuer, "bank", gateway.caller("bank").jwk, http)
        headers = {"Authorization": f"Bearer {token}", "Client-Cert": gateway.header("bank")}
        reply = caller.call(
            "POST", "/v1/verifications", gateway.question("bank"), headers=headers, token=token, proofs=[]
        )
        refused(reply, "invalid-token", gateway.issuer, identified=False)


def test_a_listed_proxy_says_one_certificate(gateway: Proxied) -> None:
    """Its header is believed (RFC 9440); two of them, or one that is no byte sequence, are refused and not guessed at."""
    form = {"grant_type": "client_credentials", "client_id": "bank"}
    one = gateway.header("bank")
    bad = [[one, one], [one, gateway.header("tax")], [one.strip(":")], ["::"], [":*:"], [f"{one}, {one}"], [one[:-1]]]
    with gateway.straight(LISTED) as http:
        reply = http.post("/oauth2/token", data=form, headers={"Client-Cert": one})
        assert reply.status_code == 200, reply.text
        token = reply.json()["access_token"]
        for values in bad:
            headers = [("Client-Cert", value) for value in values]
            reply = http.post("/oauth2/token", data=form, headers=headers)
            assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request"), values
            sent = [*headers, ("Authorization", f"Bearer {token}"), ("Content-Type", "application/json")]
            reply = http.post("/v1/verifications", json=gateway.question("bank"), headers=sent)
            document = refused(reply, "malformed-request", gateway.issuer, identified=False)
            assert document["members"] == ["Client-Cert"]


def test_the_callers_address_is_what_the_proxy_sees(gateway: Proxied) -> None:
    """X-Forwarded-For of the caller is thrown away as well: an agreement's addresses hold through a proxy."""
    elsewhere = gateway.caller("elsewhere")
    token = elsewhere.obtain()
    headers = {"X-Forwarded-For": "192.0.2.9"}
    reply = elsewhere.call("POST", "/v1/verifications", gateway.question("elsewhere"), headers=headers, token=token)
    document = refused(reply, "address-not-allowed", gateway.issuer)
    assert document["seen_address"] == UNLISTED


def test_the_proxy_speaks_what_the_gateway_would(gateway: Proxied) -> None:
    """TLS 1.3, or 1.2 with a suite of the four; nothing before; no names of authorities, which would put clients off."""
    context = ssl.create_default_context(cafile=gateway.directory / "tls" / "ca.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for suite, spoken in (("ECDHE-ECDSA-AES256-GCM-SHA384", True), ("ECDHE-ECDSA-CHACHA20-POLY1305", False)):
        context.set_ciphers(suite)
        with httpx.Client(verify=context, trust_env=False) as http:
            if spoken:
                assert http.get(f"{gateway.issuer}/healthz").status_code == 200
            else:
                with pytest.raises(httpx.ConnectError):
                    http.get(f"{gateway.issuer}/healthz")
    asked = ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-tls1_2"]
    told = subprocess.run(asked, input=b"", capture_output=True, check=False, timeout=20).stdout
    assert b"No client certificate CA names sent" in told
    assert b"Client Certificate Types" in told  # one is asked for
