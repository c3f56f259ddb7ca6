"""Are only sound public keys and fitting names registered?"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from joserfc.jwk import import_key

from gateway.partners.clients import ClientRegistration, read_client
from gateway.partners.table import Faults, FieldReader


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _rsa(bits: int) -> dict[str, Any]:
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    return {"kty": "RSA", "kid": "r", "n": _text(numbers.n.to_bytes(bits // 8)), "e": "AQAB"}


# The P-256 key of RFC 7517 appendix A.1 and the Ed25519 key of RFC 8037 appendix A.2.
EC = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "e",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
OKP = {"kty": "OKP", "crv": "Ed25519", "kid": "o", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
RSA = _rsa(2048)
_SIGNER = ec.generate_private_key(ec.SECP256R1())


def certified(jwk: dict[str, Any]) -> str:
    """A certificate over a public key, as x5c holds it; who signed it does not matter here."""
    public: Any = import_key({name: value for name, value in jwk.items() if name != "kid"}).public_key
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "core")])
    begins, ends = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, public, 7, begins, ends).sign(_SIGNER, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


def read(values: dict[str, Any]) -> tuple[ClientRegistration, list[str]]:
    """The registration in a table, and its faults."""
    faults = Faults()
    return read_client(FieldReader(values, "client", faults), "bank-contoh"), faults.found


def keyed(*keys: dict[str, Any], method: str = "private_key_jwt", **more: object) -> dict[str, Any]:
    """A client table with these keys."""
    return {"client_id": "core", "auth_method": method, "keys": list(keys), **more}


def test_sound_keys_are_registered() -> None:
    """ES256, PS256 and Ed25519 keys are registered as they came, with and without alg."""
    keys = (EC, EC | {"kid": "2", "alg": "ES256"}, OKP, OKP | {"kid": "4", "alg": "Ed25519"}, RSA | {"alg": "PS256"})
    client, faults = read(keyed(*keys))
    assert faults == []
    assert client == ClientRegistration("core", "bank-contoh", "private_key_jwt", "dpop", keys, None)


FLAWED: list[tuple[str, dict[str, Any], str]] = [
    ("private EC", EC | {"d": "AA"}, "holds a private key"),
    ("private RSA", RSA | {"p": "AA"}, "holds a private key"),
    ("symmetric", {"kty": "oct", "kid": "s", "k": "AA"}, "holds a private key"),
    ("fetched", EC | {"x5u": "https://x.example"}, "never followed"),
    ("no kid", {name: value for name, value in EC.items() if name != "kid"}, "has no kid"),
    ("empty kid", EC | {"kid": ""}, "has no kid"),
    ("no kty", {"kid": "x"}, "kty must be"),
    ("list as kty", EC | {"kty": []}, "kty must be"),
    ("RS256", RSA | {"alg": "RS256"}, "alg must be PS256"),
    ("wrong alg", EC | {"alg": "PS256"}, "alg must be ES256"),
    ("encryption", EC | {"use": "enc"}, "use must be sig"),
    ("P-384", EC | {"crv": "P-384"}, "must be on P-256"),
    ("short point", EC | {"x": "AA"}, "must be on P-256"),
    ("off the curve", EC | {"y": EC["x"]}, "no valid public key"),
    ("no y", {name: value for name, value in EC.items() if name != "y"}, "no valid public key"),
    ("padded", OKP | {"x": OKP["x"] + "="}, "no valid public key"),
    ("not base64url", OKP | {"x": "+" * 43}, "no valid public key"),
    ("Ed448", OKP | {"crv": "Ed448"}, "must be Ed25519"),
    ("X25519", OKP | {"crv": "X25519"}, "must be Ed25519"),
    ("short Ed25519", OKP | {"x": "AAAA"}, "must be Ed25519"),
    ("RSA 1024", _rsa(1024), "2048 bits or more"),
    ("RSA e=1", RSA | {"e": "AQ"}, "odd exponent"),
    ("RSA even e", RSA | {"e": "BA"}, "odd exponent"),
]


@pytest.mark.parametrize(("key", "fault"), [case[1:] for case in FLAWED], ids=[case[0] for case in FLAWED])
def test_flawed_key_is_refused(key: dict[str, Any], fault: str) -> None:
    """A key that is private, weak, of another kind or malformed is a fault that names its place."""
    _, faults = read(keyed(OKP | {"kid": "first"}, key))
    assert len(faults) == 1
    assert faults[0].startswith("client.keys[2]")
    assert fault in faults[0]


def test_fault_never_shows_a_private_key() -> None:
    """The message about a private key does not repeat it."""
    _, faults = read(keyed(EC | {"d": "c2VjcmV0"}))
    assert "c2VjcmV0" not in faults[0]


def test_two_keys_with_one_kid_are_refused() -> None:
    """A kid names one key."""
    assert read(keyed(EC, OKP | {"kid": "e"}))[1] == ["client.keys: two keys have the same kid"]


def test_no_key_is_refused() -> None:
    """A client of private_key_jwt without a key is refused, and so is keys that is no list."""
    assert read(keyed())[1][0].startswith("client.keys: missing")
    assert read(keyed() | {"keys": "EC"})[1] == ["client.keys: must be a list of tables"]


def test_certificate_clients_are_bound_by_mtls() -> None:
    """A client of tls_client_auth is registered by exactly one name of its certificate and has no keys."""
    values = {"client_id": "core", "auth_method": "tls_client_auth", "tls_client_auth_san_dns": "core.bank.example"}
    client, faults = read(values)
    assert faults == []
    assert client.sender_constraint == "mtls"
    assert client.tls == ("tls_client_auth_san_dns", "core.bank.example")
    _, faults = read(values | {"tls_client_auth_san_ip": "203.0.113.9"})
    assert faults[0].startswith("client.tls_client_auth_…: exactly one of")
    _, faults = read({"client_id": "core", "auth_method": "tls_client_auth"})
    assert faults[0].startswith("client.tls_client_auth_…: exactly one of")
    assert read(values | {"keys": [EC]})[1] == ["client.keys: unknown key"]


def test_self_signed_certificate_must_be_in_the_key() -> None:
    """A client of self_signed_tls_client_auth is compared with the certificate of its key."""
    _, faults = read(keyed(EC, method="self_signed_tls_client_auth"))
    assert faults[0].startswith("client.keys[1].x5c: missing")
    for jwk in (EC, OKP, RSA):
        client, faults = read(keyed(jwk | {"x5c": [certified(jwk)]}, method="self_signed_tls_client_auth"))
        assert faults == []
        assert client.sender_constraint == "mtls"


@pytest.mark.parametrize("chain", [["MIIB"], [], "MIIB", [7], ["*"], 7])
def test_what_is_no_certificate_is_refused(chain: object) -> None:
    """`x5c` holds certificates, whatever the client authenticates by."""
    faults = read(keyed(EC | {"x5c": chain}))[1]
    assert faults == ["client.keys[1].x5c: holds no certificate (DER in base64)"]


def test_the_certificate_of_another_key_is_refused() -> None:
    """RFC 7517 §4.7: the first certificate is that of the key beside it."""
    for jwk, other in ((EC, OKP), (OKP, RSA), (RSA, _rsa(2048))):
        faults = read(keyed(jwk | {"x5c": [certified(other)]}, method="self_signed_tls_client_auth"))[1]
        assert faults == ["client.keys[1].x5c: its certificate is that of another key"]


@pytest.mark.parametrize(
    ("member", "value"),
    [("subject_dn", "core"), ("subject_dn", "CN"), ("san_ip", "bank.example"), ("san_ip", "10.0.0.0/8")],
)
def test_what_could_name_no_certificate_is_refused(member: str, value: str) -> None:
    """A registration that never matches is a fault when it is read."""
    key = f"tls_client_auth_{member}"
    faults = read({"client_id": "core", "auth_method": "tls_client_auth", key: value})[1]
    assert len(faults) == 1
    assert faults[0].startswith(f"client.{key}: is no ")


def test_names_of_a_certificate_belong_to_one_method() -> None:
    """A certificate's name beside private_key_jwt is a fault; binding its tokens by mTLS is not."""
    _, faults = read(keyed(EC, tls_client_auth_subject_dn="CN=core"))
    assert faults == ["client.tls_client_auth_subject_dn: belongs to tls_client_auth alone"]
    assert read(keyed(EC, sender_constraint="mtls"))[0].sender_constraint == "mtls"


@pytest.mark.parametrize("method", ["client_secret_basic", "none", ""])
def test_other_methods_are_refused(method: str) -> None:
    """Shared secrets and public clients do not exist."""
    assert any(fault.startswith("client.auth_method: ") for fault in read(keyed(EC, method=method))[1])
