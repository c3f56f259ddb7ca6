"""Does a certificate let in the client that it belongs to, and nobody else? RFC 8705 §2 and §3, RFC 7517 §4.7."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
from certificates import DN, Issued
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from holders import BASE, NOW, HandClock, Holder
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from gateway.clock import SECOND, SystemEntropy
from gateway.errors import Cause, Refused
from gateway.keyring import Job, SigningKey
from gateway.keyring import file as key_files
from gateway.oauth import assertion, mtls
from gateway.oauth.access_token import AccessTokens, Confirmation
from gateway.oauth.bearer import Identifier
from gateway.oauth.client import Client
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.jose import parse_key
from gateway.oauth.metadata import authorization_server, protected_resource, taking_certificates, with_certificates
from gateway.oauth.mtls import Authorities, CertificateFault, certificate, parse_name, registered_certificate
from gateway.oauth.token_endpoint import PATH, Grant, TokenEndpoint

AT, DAY = datetime.fromtimestamp(NOW // SECOND, UTC), timedelta(days=1)
NAMES = [
    x509.DNSName("core.bank.example"),
    x509.UniformResourceIdentifier("urn:bank:core"),
    x509.IPAddress(ip_address("2001:db8::1")),
    x509.RFC822Name("Core@bank.example"),
]
CA = Issued("CN=Issuing authority,C=ID", ca=True)
OTHER_CA = Issued("CN=Another authority,C=ID", ca=True)
AUTHORITIES = Authorities([CA.pem])
CORE = Issued(by=CA, alt=NAMES)
OWN = Issued("CN=tax", begins=AT - DAY, ends=AT + DAY)
SCOPES = frozenset({"nik.verify"})
EC = Holder("EC")
KEY = key_files.parse(key_files.new(Job.TOKEN, 1, SystemEntropy()))
assert isinstance(KEY, SigningKey)
TOKENS = AccessTokens(BASE, f"{BASE}/v1", KEY, [KEY.public_jwk])
CHECKER = ProofChecker(BASE, HandClock(), key_files.parse(key_files.new(Job.NONCE, 1, SystemEntropy())))
ENDPOINT = TokenEndpoint(BASE, f"{BASE}/v1", TOKENS, CHECKER, HandClock(), SystemEntropy(), AUTHORITIES)
OWN_JWK = {
    **ECKey.import_key(OWN.key).as_dict(private=False),
    "kid": "own-1",
    "x5c": [b64encode(OWN.der).decode()],
}
NAMED = Client(
    "bank-1", "bank", mtls.TLS, {}, SCOPES, sender_constraint="mtls", name=parse_name("tls_client_auth_subject_dn", DN)
)
SELF = Client(
    "tax-1", "tax", mtls.SELF_SIGNED, {"own-1": parse_key(OWN_JWK)}, SCOPES, sender_constraint="mtls",
    certificates={certificate(OWN.der).thumbprint: "own-1"},
)  # fmt: skip
SIGNING = Client(
    "small-1", "small", "private_key_jwt", {EC.kid: parse_key(EC.public)}, SCOPES, sender_constraint="mtls"
)


def check(presented: Issued, name: tuple[str, str] = ("tls_client_auth_subject_dn", DN), now: int = NOW) -> None:
    mtls.authenticate(certificate(presented.der), mtls.TLS, parse_name(*name), (), AUTHORITIES, now)


@pytest.mark.parametrize(
    "name",
    [
        ("subject_dn", DN), ("san_dns", "core.bank.example"), ("san_dns", "CORE.Bank.example"), ("san_uri", "urn:bank:core"),
        ("san_ip", "2001:db8::1"), ("san_ip", "2001:0DB8:0:0::0001"), ("san_email", "Core@BANK.example"),
    ],
)  # fmt: skip
def test_a_certificate_is_known_by_its_name(name: tuple[str, str]) -> None:
    """By any one of the five members; domains in any case, addresses in any form."""
    check(CORE, (f"tls_client_auth_{name[0]}", name[1]))


@pytest.mark.parametrize(
    "name",
    [
        ("subject_dn", "CN=core"), ("subject_dn", "C=ID,O=Bank,CN=core"), ("subject_dn", "CN=Core,O=Bank,C=ID"),
        ("subject_dn", "CN=core+O=Bank,C=ID"), ("san_dns", "bank.example"), ("san_dns", "*.bank.example"),
        ("san_dns", "core.bank.example."), ("san_uri", "urn:bank:Core"), ("san_uri", "core.bank.example"),
        ("san_ip", "2001:db8::2"), ("san_email", "core@bank.example"), ("san_email", "@bank.example"),
    ],
)  # fmt: skip
def test_another_name_is_anothers(name: tuple[str, str]) -> None:
    """No part of a name, no other order, no pattern, no name of another kind."""
    with pytest.raises(CertificateFault, match="names somebody else"):
        check(CORE, (f"tls_client_auth_{name[0]}", name[1]))


def test_a_pattern_in_the_certificate_is_no_name() -> None:
    """A certificate for every host of a domain is not that of one client."""
    wild = Issued(by=CA, alt=[x509.DNSName("*.bank.example")])
    with pytest.raises(CertificateFault):
        check(wild, ("tls_client_auth_san_dns", "core.bank.example"))
    with pytest.raises(CertificateFault):
        check(Issued(by=CA), ("tls_client_auth_san_dns", "core"))  # what it has no names of, it is not known by


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("tls_client_auth_subject_dn", "core"), ("tls_client_auth_subject_dn", "CN"),
        ("tls_client_auth_san_ip", "bank.example"), ("tls_client_auth_san_ip", "10.0.0.0/8"), ("subject_dn", DN),
        ("tls_client_auth_san", "x"),
    ],
)  # fmt: skip
def test_what_names_no_certificate_is_refused_when_it_is_read(member: str, value: str) -> None:
    """A registration that could never match is a fault, not a client that nobody understands."""
    with pytest.raises(CertificateFault):
        parse_name(member, value)


@pytest.mark.parametrize(
    "presented",
    [
        Issued(by=OTHER_CA),
        Issued(),
        Issued(by=CORE),
        Issued(by=Issued("CN=Issuing authority,C=ID", ca=True)),
        Issued(by=CA, ends=AT - DAY / 2, begins=AT - DAY),
        Issued(by=CA, begins=AT + DAY / 2),
        Issued(by=CA, usage=ExtendedKeyUsageOID.SERVER_AUTH),
    ],
    ids=["another authority", "itself", "no authority", "its namesake", "over", "not yet", "for servers"],
)
def test_an_authority_must_vouch_for_it(presented: Issued) -> None:
    """The right name is worth nothing without the authority, the term and the usage."""
    with pytest.raises(CertificateFault, match="authority"):
        check(presented)


def test_every_kind_of_key_and_no_extension_at_all_will_do() -> None:
    """EC, RSA and Ed25519; authorities of institutions issue sparse certificates."""
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        check(Issued(by=CA, key=key))
    check(Issued(by=CA, key=ed25519.Ed25519PrivateKey.generate()))
    check(Issued(by=CA, ca=None, usage=None))


def test_an_authority_below_another_is_listed_itself() -> None:
    """What a listed authority issued is believed, what a listed one's issuer issued is not."""
    below = Issued("CN=Below", by=CA, ca=True)
    leaf = Issued(by=below)
    mtls.authenticate(
        certificate(leaf.der), mtls.TLS, parse_name("tls_client_auth_subject_dn", DN), (), Authorities([below.pem]), NOW
    )
    with pytest.raises(CertificateFault):
        check(leaf)


def test_without_authorities_nobody_is_known_by_a_name() -> None:
    """A gateway that was told of none refuses every such client."""
    with pytest.raises(CertificateFault, match="no certificate authority"):
        mtls.authenticate(certificate(CORE.der), mtls.TLS, NAMED.name, (), Authorities(()), NOW)


@pytest.mark.parametrize("pem", [b"", b"x", CORE.pem, CA.key_pem, Issued(ca=None).pem, CA.pem + CORE.pem])
def test_what_is_no_authority_vouches_for_nobody(pem: bytes) -> None:
    """A file of authorities with anything else in it is refused when it is read."""
    with pytest.raises(CertificateFault):
        Authorities([pem])


def test_a_self_signed_certificate_is_that_very_one() -> None:
    """Neither another over the same key nor one that is out of its term; it needs no authority."""
    own = (certificate(OWN.der).thumbprint,)
    mtls.authenticate(certificate(OWN.der), mtls.SELF_SIGNED, None, own, Authorities(()), NOW)
    renewed = Issued("CN=tax", key=OWN.key, ends=AT + 2 * DAY)
    for presented, now in ((renewed, NOW), (OWN, NOW + 2 * 86_400_000_000), (OWN, NOW - 2 * 86_400_000_000)):
        with pytest.raises(CertificateFault):
            mtls.authenticate(certificate(presented.der), mtls.SELF_SIGNED, None, own, AUTHORITIES, now)


@given(st.binary(max_size=200))
def test_rubbish_is_never_an_error_of_the_gateway(rubbish: bytes) -> None:
    """Whatever bytes are sent as a certificate: a fault, which becomes a refusal."""
    try:
        presented = certificate(rubbish)
    except CertificateFault:
        assert rubbish == b""
        return
    for method, own in ((mtls.TLS, ()), (mtls.SELF_SIGNED, (presented.thumbprint,))):
        with pytest.raises(CertificateFault):
            mtls.authenticate(presented, method, NAMED.name, own, AUTHORITIES, NOW)


@given(st.integers(0, len(CORE.der) - 1), st.integers(0, 255))
def test_a_spoiled_certificate_is_refused(at: int, byte: int) -> None:
    """One byte changed, in whatever part: what is let through says what its authority signed, to the bit."""
    spoiled = bytearray(CORE.der)
    spoiled[at] = byte if byte != spoiled[at] else byte ^ 1
    presented = certificate(bytes(spoiled))
    try:
        mtls.authenticate(
            presented, mtls.TLS, parse_name("tls_client_auth_san_uri", "urn:bank:core"), (), AUTHORITIES, NOW
        )
    except CertificateFault:
        return
    # How many bits of the signature's last byte do not count is not signed itself (X.690 §8.6.2).
    assert mtls.parse(presented).tbs_certificate_bytes == CORE.certificate.tbs_certificate_bytes
    assert mtls.parse(presented).signature == CORE.certificate.signature


def test_a_registered_certificate_is_that_of_its_key() -> None:
    """RFC 7517 §4.7: the first of x5c; none is none, and what is no certificate is a fault."""
    assert registered_certificate(OWN_JWK) == OWN.der
    assert registered_certificate({"kty": "EC"}) is None
    for chain in ([], ["*"], "MIIB", [7], {}, 7):
        with pytest.raises(CertificateFault):
            registered_certificate({"x5c": chain})


# The token endpoint.


def grant(client: Client | None, presented: Issued | None, dpop: list[str] | None = None, **fields: Any) -> Grant:
    form = {"grant_type": "client_credentials", "client_id": client.client_id if client else "nobody", **fields}
    form = {name: value for name, value in form.items() if value is not ...}
    shown = certificate(presented.der) if presented else None
    return ENDPOINT.grant(form, dpop or [], client, None, shown)


def signed(client: Client = SIGNING) -> dict[str, str]:
    return {"client_assertion_type": assertion.TYPE, "client_assertion": EC.assertion(client.client_id)}


@pytest.mark.parametrize(
    ("client", "presented", "proofs"),
    [(NAMED, CORE, 0), (SELF, OWN, 0), (SIGNING, CORE, 1)],
    ids=["tls", "self", "jwt"],
)
def test_a_token_is_bound_to_the_certificate(client: Client, presented: Issued, proofs: int) -> None:
    """RFC 8705 §3.1: `x5t#S256` and nothing else, type Bearer; only an assertion leaves a proof to be used up."""
    found = grant(client, presented, **(signed() if client is SIGNING else {}))
    assert (found.status, found.body["token_type"]) == (200, "Bearer")
    assert found.token is not None
    assert found.token.cnf == Confirmation(x5t=certificate(presented.der).thumbprint)
    assert TOKENS.verify(found.body["access_token"], NOW).claims == found.token
    assert len(found.proofs) == proofs
    assert found.token.key == (SELF.keys["own-1"].thumbprint if client is SELF else EC.thumbprint if proofs else "")


def test_a_certificate_client_may_have_dpop_tokens() -> None:
    """Registered for DPoP, known by its certificate: the token is bound to the proof's key alone."""
    mixed = Client("bank-1", "bank", mtls.TLS, {}, SCOPES, name=NAMED.name)
    found = grant(mixed, CORE, [EC.proof(htu=BASE + PATH)])
    assert found.body["token_type"] == "DPoP"
    assert found.token is not None
    assert found.token.cnf == Confirmation(jkt=EC.thumbprint)
    assert grant(mixed, CORE).body["error"] == "invalid_dpop_proof"


REFUSED: dict[str, tuple[Client | None, Issued | None, dict[str, Any]]] = {
    "nobody": (None, CORE, {}),
    "no certificate": (NAMED, None, {}),
    "no client_id": (NAMED, CORE, {"client_id": ...}),
    "another's": (NAMED, OWN, {}),
    "another's, self-signed": (SELF, CORE, {}),
    "its name, self-signed": (NAMED, Issued(), {}),
    "an assertion too": (SELF, OWN, signed(SELF)),
    "a type of assertion": (NAMED, CORE, {"client_assertion_type": assertion.TYPE}),
    "a certificate for an assertion": (SIGNING, CORE, {}),
    "an assertion for a certificate": (NAMED, CORE, signed(NAMED)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_whoever_is_not_known_gets_no_token(case: str) -> None:
    """`invalid_client`, and nothing to be sealed."""
    client, presented, fields = REFUSED[case]
    found = grant(client, presented, **fields)
    assert (found.status, found.body["error"], found.token) == (400, "invalid_client", None)


def test_nobody_learns_who_is_registered() -> None:
    """An unknown client, another method's client and another's certificate are told the very same."""
    pairs = ((None, CORE), (NAMED, OWN), (SELF, CORE), (SIGNING, CORE))
    bodies = [grant(client, presented).body for client, presented in pairs]
    assert len({json.dumps(body, sort_keys=True) for body in bodies}) == 1


def test_a_key_that_has_ended_is_no_certificate_of_the_client() -> None:
    """The end of a registered key ends its certificate too."""
    ended = Client("tax-1", "tax", mtls.SELF_SIGNED, SELF.keys, SCOPES, expiries={"own-1": NOW},
                   sender_constraint="mtls", certificates=SELF.certificates)  # fmt: skip
    assert grant(ended, OWN).body["error"] == "invalid_client"


def test_a_token_has_one_binding() -> None:
    """Without the certificate that it is to be bound to, or with a proof beside it, there is no token."""
    assert grant(SIGNING, None, **signed()).body["error"] == "invalid_request"
    assert grant(NAMED, CORE, [EC.proof(htu=BASE + PATH)]).body["error"] == "invalid_request"


# The resource.


def identify(scheme: str, token: str, presented: Issued | None, proofs: list[str] | None = None) -> Any:
    shown = certificate(presented.der) if presented else None
    identifier = Identifier(TOKENS, CHECKER, HandClock())
    return identifier.identify([f"{scheme} {token}"], proofs or [], "POST", "/v1/verifications", "192.0.2.7", shown)


def test_a_bound_token_and_its_certificate_are_a_caller() -> None:
    """RFC 8705 §3: the scheme Bearer in any case; there is nothing that could be replayed, and so no proof."""
    token = grant(NAMED, CORE).body["access_token"]
    for scheme in ("Bearer", "bearer", "BEARER"):
        caller = identify(scheme, token, CORE)
        assert (caller.client_id, caller.constraint, caller.proofs) == ("bank-1", "mtls", ())


def test_a_bound_token_in_strange_hands_is_no_caller() -> None:
    """Another certificate, one over the same key, none, the other scheme, or a token bound to both or to nothing."""
    found = grant(NAMED, CORE)
    token = found.body["access_token"]
    assert found.token is not None
    both, neither = (
        TOKENS.issue(msgspec.structs.replace(found.token, cnf=cnf))
        for cnf in (Confirmation(jkt=EC.thumbprint, x5t=found.token.cnf.x5t), Confirmation())
    )
    cases = [
        ("Bearer", token, OWN), ("Bearer", token, Issued(by=CA, key=CORE.key)), ("Bearer", token, None), ("DPoP", token, CORE),
        ("Bearer", both, CORE), ("Bearer", neither, CORE), ("Bearer", neither, None), ("DPoP", both, CORE),
    ]  # fmt: skip
    for scheme, each, presented in cases:
        with pytest.raises(Refused) as raised:
            identify(scheme, each, presented, [EC.proof()])
        assert raised.value.refusal.cause is Cause.INVALID_TOKEN


def test_a_dpop_token_is_no_bearer_token_for_a_certificate() -> None:
    """Whatever certificate comes with it."""
    mixed = Client("bank-1", "bank", mtls.TLS, {}, SCOPES, name=NAMED.name)
    token = grant(mixed, CORE, [EC.proof(htu=BASE + PATH)]).body["access_token"]
    with pytest.raises(Refused) as raised:
        identify("Bearer", token, CORE)
    assert raised.value.refusal.cause is Cause.INVALID_TOKEN


def test_metadata_say_so_where_certificates_are_asked_for() -> None:
    """RFC 8705 §3.3 and §5: both methods, bound tokens, and an alias for every endpoint."""
    server = with_certificates(authorization_server(BASE), "https://mtls.example.go.id")
    assert set(server["token_endpoint_auth_methods_supported"]) == {"private_key_jwt", *mtls.METHODS}
    assert server["tls_client_certificate_bound_access_tokens"] is True
    aliases = server["mtls_endpoint_aliases"]
    assert aliases["token_endpoint"] == f"https://mtls.example.go.id{PATH}"
    assert aliases.keys() == {name for name in server if name.endswith("_endpoint")}
    assert server["token_endpoint"] == BASE + PATH
    resource = taking_certificates(protected_resource(BASE))
    assert resource["tls_client_certificate_bound_access_tokens"] is True
    assert resource["dpop_bound_access_tokens_required"] is False


def test_a_proof_may_be_for_the_other_url() -> None:
    """A client that finds the token endpoint by its alias makes proofs for that; those for elsewhere stay refused."""
    nonce_key = key_files.parse(key_files.new(Job.NONCE, 1, SystemEntropy()))
    other = ProofChecker(BASE, HandClock(), nonce_key, other_url="https://mtls.example.go.id")
    for base in (BASE, "https://mtls.example.go.id"):
        other.check([EC.proof(htu=base + PATH)], "POST", PATH, None)
    for checker, base in ((other, "https://nik.example"), (CHECKER, "https://mtls.example.go.id")):
        with pytest.raises(Refused):
            checker.check([EC.proof(htu=base + PATH)], "POST", PATH, None)
