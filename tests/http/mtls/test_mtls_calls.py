"""Do assertions, certificates, DPoP and bound tokens go together in every way that FAPI 2.0 has? Over the own listener.

Assertion or certificate × DPoP or certificate-bound: bpjs, small, mixed, bank, and tax with a self-signed one (RFC 8705).
"""

from __future__ import annotations

import json
import ssl
import time
import warnings
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from certificates import Issued
from click.testing import CliRunner
from contract import refused
from cryptography import x509
from joserfc.jwk import ECKey
from partner import native
from tls_served import Caller, TlsGateway

from gateway.cli.doctor import doctor
from gateway.oauth.mtls import certificate as certificate_of
from nik_gateway_client import GatewayClient

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # authlib would rather have httpx2
    from authlib.integrations.httpx_client import OAuth2Client

CLIENTS = {"bpjs": "", "small": "small", "bank": "bank", "tax": "tax", "mixed": "bank"}
BOUND = {"small": "small", "bank": "bank", "tax": "tax"}
"""Client → with whose certificate it comes."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsGateway]:
    """With TLS of its own, one worker on SQLite."""
    deployment = TlsGateway(tmp_path_factory.mktemp("tls"))
    deployment.serve()
    yield deployment
    assert deployment.stop() == 0


def claims_of(token: str) -> dict[str, Any]:
    """What stands in a JWT."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


@pytest.mark.parametrize("client_id", CLIENTS)
def test_every_combination_gets_its_answer(gateway: TlsGateway, client_id: str) -> None:
    """The token's type and confirmation are those of the binding, its one and only; the scheme is good in any case."""
    caller = gateway.caller(client_id, CLIENTS[client_id])
    reply = caller.ask_token()
    assert reply.status_code == 200, reply.text
    document = reply.json()
    assert document["token_type"] == ("Bearer" if client_id in BOUND else "DPoP")
    assert document["expires_in"] <= 300
    token = document["access_token"]
    cnf = claims_of(token)["cnf"]
    if client_id in BOUND:
        assert cnf == {"x5t#S256": gateway.thumbprint(CLIENTS[client_id])}
    else:
        assert list(cnf) == ["jkt"]
    for scheme in (document["token_type"], document["token_type"].lower(), document["token_type"].upper()):
        answer = caller.ask(gateway.question(client_id), token, scheme)
        assert answer.status_code == 200, answer.text
        assert answer.json()["usable"] is True


@pytest.mark.parametrize("client_id", CLIENTS)
def test_our_own_client_speaks_every_combination(gateway: TlsGateway, client_id: str) -> None:
    """By the profile that the demonstration writes; the doctor finds nothing to complain of."""
    if client_id == "mixed":
        folder = gateway.directory / "partners" / "bank"
        text = (folder / "profile.toml").read_text().replace('client_id = "bank"', 'client_id = "mixed"')
        path = folder / "mixed.toml"
        path.write_text(text.replace('sender_constraint = "mtls"', 'sender_constraint = "dpop"'))
    else:
        path = gateway.directory / "partners" / client_id / "profile.toml"
    question = gateway.question(client_id)
    with GatewayClient(path) as client:
        assert client.verify(question["nik"], question["purpose"], question["claims"]).usable is True
    result = CliRunner().invoke(doctor, ["--profile", str(path), "--json"])
    states = {finding["check"]: finding["state"] for finding in json.loads(result.stdout)["findings"]}
    assert states.pop("duties") in {"ok", "warn"}  # what falls due soon depends on the day
    assert set(states.values()) == {"ok"}, result.stdout


@pytest.mark.parametrize("client_id", ["bank", "tax", "mixed"])
@pytest.mark.parametrize("certificate", ["", "small", "other"])
def test_another_certificate_is_not_the_client(gateway: TlsGateway, client_id: str, certificate: str) -> None:
    """None, that of another partner, or the other method's: `invalid_client`."""
    if certificate == "other":
        certificate = "tax" if CLIENTS[client_id] == "bank" else "bank"
    reply = gateway.caller(client_id, certificate).ask_token()
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_client")
    assert "access_token" not in reply.json()


def test_the_client_is_named_in_the_form(gateway: TlsGateway) -> None:
    """RFC 8705 §2: client_id is required beside a certificate; an assertion beside it would be a second proof."""
    bank = gateway.caller("bank", "bank")
    assert bank.ask_token(client_id=None).json()["error"] == "invalid_client"
    assert bank.ask_token(client_id="tax").json()["error"] == "invalid_client"
    assert bank.request_token(proofs=[]).json()["error"] == "invalid_client"


def test_a_binding_needs_the_certificate(gateway: TlsGateway) -> None:
    """An assertion alone gets no token that is to be bound to a certificate, and no DPoP token in its stead."""
    small = gateway.caller("small")
    for proofs in ([], [small.proof("POST", "/oauth2/token")]):
        assert small.request_token(proofs=proofs).json()["error"] == "invalid_request"
    with_proof = gateway.caller("small", "small")
    reply = with_proof.request_token(proofs=[with_proof.proof("POST", "/oauth2/token")])
    assert reply.json()["error"] == "invalid_request"


@pytest.mark.parametrize("client_id", BOUND)
@pytest.mark.parametrize("certificate", ["", "another"])
def test_a_stolen_bound_token_is_worth_nothing(gateway: TlsGateway, client_id: str, certificate: str) -> None:
    """RFC 8705 §3: no certificate or another one is 401 `invalid_token`, and costs the partner nothing."""
    caller = gateway.caller(client_id, BOUND[client_id])
    token = caller.obtain()
    thief = "" if not certificate else "bank" if client_id != "bank" else "small"
    reply = caller.ask(gateway.question(client_id), token, http=gateway.http(thief))
    refused(reply, "invalid-token", gateway.issuer, identified=False)
    challenge = reply.headers["www-authenticate"]
    assert 'Bearer error="invalid_token"' in challenge


def test_schemes_are_not_mixed_up(gateway: TlsGateway) -> None:
    """A bound token under DPoP, with a good proof even, and a DPoP token as a bearer's with a certificate: both refused."""
    small, mixed = gateway.caller("small", "small"), gateway.caller("mixed", "bank")
    token = small.obtain()
    headers = {"Authorization": f"DPoP {token}"}
    reply = small.call("POST", "/v1/verifications", gateway.question("small"), headers=headers, token=token)
    refused(reply, "invalid-token", gateway.issuer, identified=False)
    token = mixed.obtain()
    reply = mixed.ask(gateway.question("mixed"), token, "Bearer")
    refused(reply, "invalid-token", gateway.issuer, identified=False)


def test_a_header_of_the_caller_is_no_certificate(gateway: TlsGateway) -> None:
    """Client-Cert from whoever is no listed proxy is as if it were not there, twice even."""
    pem = (gateway.directory / "partners" / "bank" / "cert.pem").read_text()
    der = ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----BEGIN PRIVATE KEY")])
    bank = gateway.caller("bank")
    form = {"grant_type": "client_credentials", "client_id": "bank"}
    for count in (1, 2):
        headers = [("Client-Cert", f":{b64encode(der).decode()}:")] * count
        reply = bank.http.post("/oauth2/token", data=form, headers=headers)
        assert reply.json()["error"] == "invalid_client"
    token = gateway.caller("bank", "bank").obtain()
    spoof = {"Client-Cert": f":{b64encode(der).decode()}:", "Authorization": f"Bearer {token}"}
    reply = bank.call("POST", "/v1/verifications", gateway.question("bank"), headers=spoof, token=token, proofs=[])
    refused(reply, "invalid-token", gateway.issuer, identified=False)


def test_metadata_name_what_is_so(gateway: TlsGateway) -> None:
    """RFC 8705 §3.3 and §5, RFC 9728: methods, bound tokens, and aliases at the very origin."""
    server = gateway.http().get("/.well-known/oauth-authorization-server").json()
    methods = {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}
    assert set(server["token_endpoint_auth_methods_supported"]) == methods
    assert server["tls_client_certificate_bound_access_tokens"] is True
    assert server["mtls_endpoint_aliases"]["token_endpoint"] == server["token_endpoint"]
    resource = gateway.http().get("/.well-known/oauth-protected-resource/v1").json()
    assert resource["tls_client_certificate_bound_access_tokens"] is True
    assert resource["dpop_bound_access_tokens_required"] is False


def test_a_certificate_that_is_registered_meanwhile_is_let_in(gateway: TlsGateway, tmp_path: Path) -> None:
    """A new self-signed one needs no restart: within seconds its handshake succeeds, and it gets its answer."""
    late = Issued("CN=late")
    jwk = ECKey.import_key(late.key).as_dict(private=False)
    chain = b64encode(late.der).decode()
    keys = f'[{{ kty = "EC", crv = "P-256", x = "{jwk["x"]}", y = "{jwk["y"]}", kid = "late-1", x5c = ["{chain}"] }}]'
    path = tmp_path / "late.pem"
    path.write_bytes(late.pem + late.key_pem)
    with pytest.raises(httpx.TransportError):
        gateway.http(path).get("/healthz")
    gateway.add(
        "late", f'auth_method = "self_signed_tls_client_auth"\nkeys = {keys}\n', [certificate_of(late.der).thumbprint]
    )
    deadline = time.monotonic() + 20
    while True:
        try:
            assert gateway.http(path).get("/healthz").status_code == 200
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    caller = Caller(gateway.issuer, "late", {**ECKey.import_key(late.key).as_dict(private=True)}, gateway.http(path))
    assert caller.ask(gateway.question("late"), caller.obtain()).json()["usable"] is True


def unlisted(reply: httpx.Response, gateway: TlsGateway) -> None:
    """A refusal with its entry: the call came without a certificate that the agreement lists."""
    assert refused(reply, "refused-by-policy", gateway.issuer)["policy"] == "certificate-not-agreed"


@pytest.mark.parametrize("certificate", ["", "small", "tax"])
def test_the_agreement_says_with_which_certificates_a_call_may_come(gateway: TlsGateway, certificate: str) -> None:
    """A token that is bound to a proof key identifies its caller over any connection; the agreement asks for its own."""
    mixed = gateway.caller("mixed", "bank")
    token = mixed.obtain()
    unlisted(mixed.ask(gateway.question("mixed"), token, http=gateway.http(certificate)), gateway)
    assert mixed.ask(gateway.question("mixed"), token).json()["usable"] is True


def test_a_certificate_of_the_client_that_the_agreement_does_not_list(gateway: TlsGateway) -> None:
    """It gets a token that is bound to it, and no answer by it; where none are asked for, what is listed says nothing."""
    credentials = (
        'auth_method = "tls_client_auth"\ntls_client_auth_subject_dn = "CN=bank,O=Bank Nusantara (demo),C=ID"\n'
    )
    listed = [gateway.thumbprint("small"), gateway.thumbprint("tax")]
    for client_id, method in (("renewed", "mtls"), ("lenient", "dpop")):
        gateway.add(client_id, credentials, listed, method)
        caller = gateway.caller(client_id, "bank")
        reply = caller.ask(gateway.question(client_id), caller.obtain())
        if method == "mtls":
            unlisted(reply, gateway)
        else:
            assert reply.json()["usable"] is True, reply.text


def test_a_client_of_authlib_comes_with_a_certificate(gateway: TlsGateway) -> None:
    """An OAuth client that was written by others: told the metadata and the certificate, and nothing else of us."""
    metadata = gateway.http().get("/.well-known/oauth-authorization-server").json()
    context = ssl.create_default_context(cafile=gateway.directory / "tls" / "ca.pem")
    context.load_cert_chain(gateway.directory / "partners" / "bank" / "cert.pem")
    with OAuth2Client("bank", token_endpoint_auth_method="none", verify=context, trust_env=False) as session:
        endpoint = metadata["mtls_endpoint_aliases"]["token_endpoint"]
        token = session.fetch_token(endpoint, grant_type="client_credentials", scope="nik.verify")
        assert token["token_type"] == "Bearer"
        reply = session.post(f"{metadata['issuer']}/v1/verifications", json=gateway.question("bank"))
    assert reply.json()["usable"] is True


def test_the_demonstrations_certificates_are_over_its_keys(gateway: TlsGateway) -> None:
    """demo.json names the authority and each certificate; key_file and cert_file hold the same key."""
    assert gateway.facts["base_url"].startswith("https://")
    assert (gateway.directory / gateway.facts["ca_file"]).exists()
    ways = {
        "bpjs": ("private_key_jwt", True), "bank": ("tls_client_auth", False),
        "tax": ("self_signed_tls_client_auth", False), "small": ("private_key_jwt", False),
        "agent": ("private_key_jwt", True),
    }  # fmt: skip
    for row in gateway.facts["partners"]:
        assert (row["auth_method"], row["dpop"]) == ways[row["client_id"]]
        assert ("cert_file" in row) is not row["dpop"]
        if "cert_file" in row:
            key = native(json.loads((gateway.directory / row["key_file"]).read_text())).public_key()
            pem = (gateway.directory / row["cert_file"]).read_bytes()
            assert x509.load_pem_x509_certificate(pem).public_key() == key
            assert (gateway.directory / row["cert_file"]).stat().st_mode & 0o077 == 0


def test_browsers_are_told_to_come_by_tls_alone(gateway: TlsGateway) -> None:
    """RFC 6797: on every response of a gateway whose issuer is https, pages and refusals too."""
    for path in ("/healthz", "/console/login", "/v1/agreement"):
        assert gateway.http().get(path).headers["strict-transport-security"] == "max-age=31536000"
