"""Who gets a token, and who does not (wire contract §2)? FAPI 2.0 §5.3.2.1, RFC 6749, 7523, 9396 and 9449 §5."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet
from partner import ASSERTION_TYPE, Partner, ProofKey, b64u

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

TOKEN = "/oauth2/token"


def denied(reply: httpx.Response, *errors: str) -> dict[str, Any]:
    """An error as RFC 6749 §5.2 tells it."""
    assert (reply.status_code, reply.text if reply.status_code not in (400, 401) else "") == (reply.status_code, "")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    document: dict[str, Any] = reply.json()
    assert document["error"] in errors
    assert "access_token" not in document
    assert all(" " <= letter <= "~" and letter not in '"\\' for letter in document.get("error_description", ""))
    return document


def asked_with(partner: Partner, assertion: str, **form: str | None) -> httpx.Response:
    return partner.request_token({"client_assertion": assertion, **form})


def parts(token: str) -> list[dict[str, Any]]:
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]


@pytest.mark.parametrize(
    ("client_id", "alg"), [("bpjs", "ES256"), ("bank", "PS256"), ("tax", "EdDSA"), ("tax", "Ed25519")]
)
def test_a_client_of_every_algorithm_gets_a_token(gateway, client_id: str, alg: str) -> None:
    """ES256, PS256 and Ed25519 (by either name) give a DPoP token of at most 300 s, and nothing to refresh it."""
    partner = gateway.partner(client_id)
    reply = asked_with(partner, partner.assertion(header={"alg": alg}))
    assert reply.status_code == 200, reply.text
    document = reply.json()
    assert document.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert document["token_type"] == "DPoP"
    assert 0 < document["expires_in"] <= 300
    assert document["scope"] == "nik.verify"


def test_a_token_is_an_at_jwt(gateway) -> None:
    """RFC 9068: `at+jwt`, signed by a published key, for the resource alone, bound to the proof's key."""
    partner = gateway.partner("bpjs")
    token = partner.token()
    header, claims = parts(token)
    assert header["typ"] == "at+jwt"
    keys = KeySet.import_key_set(gateway.http.get("/oauth2/jwks").json())
    assert joserfc_jwt.decode(token, keys, algorithms=[header["alg"]]).claims == claims
    assert claims.keys() >= {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "cnf"}
    assert (claims["iss"], claims["aud"]) == (gateway.issuer, f"{gateway.issuer}/v1")
    assert claims["sub"] == claims["client_id"] == "bpjs"
    assert claims["exp"] - claims["iat"] <= 300
    canonical = json.dumps(partner.proof_key.jwk, sort_keys=True, separators=(",", ":")).encode()
    assert claims["cnf"] == {"jkt": b64u(hashlib.sha256(canonical).digest())}
    assert len(base64.urlsafe_b64decode(claims["jti"] + "==")) >= 16


NOW = int(time.time())
ACCEPTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "typ JWT": ({}, {"typ": "JWT"}),
    "typ absent": ({}, {"typ": None}),
    "no kid": ({}, {"kid": None}),
    "iat 8 s ahead": ({"iat": 8, "exp": 68}, {}),
    "nbf 8 s ahead": ({"nbf": 8}, {}),
    "iat 45 s ahead": ({"iat": 45, "exp": 90}, {}),
    "five minutes": ({"iat": 0, "exp": 300}, {}),
    "iat absent": ({"iat": None}, {}),
    "more claims": ({"nonce": "x", "more": {"a": [1]}}, {}),
}
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "expired 5 minutes ago": ({"iat": -360, "exp": -300}, {}),
    "expired a minute ago": ({"iat": -120, "exp": -60}, {}),
    "ten minutes": ({"iat": 0, "exp": 600}, {}),
    "a little over five minutes": ({"iat": -10, "exp": 295}, {}),
    "thirty years": ({"exp": 30 * 365 * 86_400}, {}),
    "thirty years without iat": ({"iat": None, "exp": 30 * 365 * 86_400}, {}),
    "iat 70 s ahead": ({"iat": 70, "exp": 130}, {}),
    "nbf 70 s ahead": ({"nbf": 70}, {}),
    "no exp": ({"exp": None}, {}),
    "no jti": ({"jti": None}, {}),
    "empty jti": ({"jti": ""}, {}),
    "no sub": ({"sub": None}, {}),
    "no iss": ({"iss": None}, {}),
    "iss of another": ({"iss": "bank"}, {}),
    "sub of another": ({"sub": "bank"}, {}),
    "of another": ({"iss": "bank", "sub": "bank"}, {}),
    "of nobody": ({"iss": "nobody", "sub": "nobody"}, {}),
    "no aud": ({"aud": None}, {}),
    "kid unknown": ({}, {"kid": "bpjs-2"}),
    "kid of another": ({}, {"kid": "bank-1"}),
    "typ dpop+jwt": ({}, {"typ": "dpop+jwt"}),
    "typ at+jwt": ({}, {"typ": "at+jwt"}),
    "typ oauth-authz-req+jwt": ({}, {"typ": "oauth-authz-req+jwt"}),
    "typ secevent+jwt": ({}, {"typ": "secevent+jwt"}),
    "alg none": ({}, {"alg": "none"}),
    "jku": ({}, {"jku": "https://elsewhere.example/keys"}),
    "x5u": ({}, {"x5u": "https://elsewhere.example/cert"}),
    "crit": ({}, {"crit": ["exp"]}),
}


def timed(claims: dict[str, Any]) -> dict[str, Any]:
    """The claims with their times, given in seconds from now, as instants."""
    now = int(time.time())
    return {name: now + value if isinstance(value, int) else value for name, value in claims.items()}


@pytest.mark.parametrize("what", ACCEPTED)
def test_a_good_assertion_is_accepted(gateway, what: str) -> None:
    """Whatever the standards leave to the client is accepted, a clock that runs a little ahead too."""
    partner, (claims, header) = gateway.partner("bpjs"), ACCEPTED[what]
    reply = asked_with(partner, partner.assertion(timed(claims), header))
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize("what", REFUSED)
def test_a_bad_assertion_is_refused(gateway, what: str) -> None:
    """Each rule of the assertion refuses by itself what breaks it alone."""
    partner, (claims, header) = gateway.partner("bpjs"), REFUSED[what]
    denied(asked_with(partner, partner.assertion(timed(claims), header)), "invalid_client", "invalid_request")


@pytest.mark.parametrize(
    "form", ["array of one", "array", "token endpoint", "resource", "slash", "metadata", "upper case", "empty"]
)
def test_the_audience_is_the_issuer_as_a_string(gateway, form: str) -> None:
    """`aud` is the issuer, character by character, and nothing else: no array, no endpoint."""
    issuer = gateway.issuer
    audience: Any = {
        "array of one": [issuer],
        "array": [issuer, issuer + TOKEN],
        "token endpoint": issuer + TOKEN,
        "resource": issuer + "/v1",
        "slash": issuer + "/",
        "metadata": issuer + "/.well-known/oauth-authorization-server",
        "upper case": issuer.replace("http", "HTTP"),
        "empty": "",
    }[form]
    partner = gateway.partner("bpjs")
    denied(asked_with(partner, partner.assertion({"aud": audience})), "invalid_client")


def test_no_other_key_makes_an_assertion(gateway) -> None:
    """A signature by a stranger's key, by another client's, or one that was tampered with is `invalid_client`."""
    bpjs, small = gateway.partner("bpjs"), gateway.partner("small")
    denied(asked_with(bpjs, bpjs.assertion(key=ec.generate_private_key(ec.SECP256R1()))), "invalid_client")
    denied(asked_with(bpjs, bpjs.assertion(key=small.key)), "invalid_client")
    denied(asked_with(bpjs, bpjs.assertion({"iss": "small", "sub": "small"}, {"kid": "small-1"})), "invalid_client")
    header, claims, signature = bpjs.assertion().split(".")
    other = b64u(base64.urlsafe_b64decode(claims + "==").replace(b'"exp"', b'"exp" '))
    denied(asked_with(bpjs, f"{header}.{other}.{signature}"), "invalid_client")
    denied(asked_with(bpjs, f"{header}.{claims}.{b64u(bytes(64))}"), "invalid_client")
    denied(asked_with(bpjs, f"{header}.{claims}."), "invalid_client")


def test_algorithms_are_not_confused(gateway) -> None:
    """RS256 by the right RSA key, HS256 keyed by a public key, and PS256 by a short key are refused."""
    bank = gateway.partner("bank")
    denied(asked_with(bank, bank.assertion(header={"alg": "RS256"})), "invalid_client")
    public = bank.key.public_key()
    secrets_tried = [public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
                     public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
                     json.dumps({name: bank.jwk[name] for name in ("kty", "n", "e")}).encode()]  # fmt: skip
    for secret in secrets_tried:
        denied(asked_with(bank, bank.assertion(header={"alg": "HS256"}, key=secret)), "invalid_client")
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505  to be refused
    denied(asked_with(bank, bank.assertion(key=short)), "invalid_client")


def test_an_assertion_is_used_once(gateway) -> None:
    """The same jti of one client is refused the second time, by every worker; of another client it is another."""
    bpjs, jti = gateway.partner("bpjs"), secrets.token_urlsafe(16)
    assert asked_with(bpjs, bpjs.assertion({"jti": jti})).status_code == 200
    for _ in range(4):
        denied(asked_with(bpjs, bpjs.assertion({"jti": jti})), "invalid_client")
    tax = gateway.partner("tax")
    assert asked_with(tax, tax.assertion({"jti": jti})).status_code == 200


def test_a_refused_request_leaves_the_assertion_unused(gateway) -> None:
    """An assertion that came with a bad proof was not spent: the client may correct itself."""
    partner = gateway.partner("bpjs")
    assertion = partner.assertion()
    denied(partner.request_token({"client_assertion": assertion}, proofs=[]), "invalid_request", "invalid_dpop_proof")
    assert asked_with(partner, assertion).status_code == 200


@pytest.mark.parametrize(
    ("form", "errors"),
    [
        ({"client_assertion": None}, {"invalid_client", "invalid_request"}),
        ({"client_assertion": "x"}, {"invalid_client", "invalid_request"}),
        ({"client_assertion": "a.b.c"}, {"invalid_client", "invalid_request"}),
        ({"client_assertion_type": None}, {"invalid_client", "invalid_request"}),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, {"invalid_client"}),
        ({"client_id": "bank"}, {"invalid_client"}),
        ({"grant_type": None}, {"invalid_request", "unsupported_grant_type"}),
        ({"grant_type": "password"}, {"unsupported_grant_type"}),
        ({"grant_type": "authorization_code"}, {"unsupported_grant_type"}),
        ({"grant_type": "refresh_token"}, {"unsupported_grant_type"}),
        ({"scope": "audit.read"}, {"invalid_scope"}),
        ({"scope": "nik.verify partners.write"}, {"invalid_scope"}),
        ({"scope": "everything"}, {"invalid_scope"}),
        ({"resource": "https://elsewhere.example"}, {"invalid_target"}),
        ({"authorization_details": "no json"}, {"invalid_authorization_details"}),
        ({"authorization_details": "[]"}, {"invalid_authorization_details"}),
        ({"authorization_details": '[{"type":"payment"}]'}, {"invalid_authorization_details"}),
        ({"authorization_details": '[{"type":"nik_verification"}]'}, {"invalid_authorization_details"}),
        ({"authorization_details": '[{"type":"nik_verification","purposes":["claim_eligibility"],"x":1}]'},
         {"invalid_authorization_details"}),
    ],
)  # fmt: skip
def test_a_bad_form_is_refused(gateway, form: dict[str, str | None], errors: set[str]) -> None:
    """A parameter that is missing, unknown or not this client's is refused in RFC 6749's words, or its extensions'."""
    denied(gateway.partner("bpjs").request_token(form), *errors)


def test_good_parameters_are_accepted(gateway) -> None:
    """The client's own id, its scope, the resource, and parameters that nobody knows are accepted (RFC 6749 §3.2)."""
    form = {"client_id": "bpjs", "scope": "nik.verify", "resource": f"{gateway.issuer}/v1", "unknown": "x", "empty": ""}
    assert gateway.partner("bpjs").request_token(form).status_code == 200


def test_a_parameter_comes_once(gateway) -> None:
    """A parameter that comes twice, or a body that is no form, is `invalid_request` (RFC 6749 §3.2)."""
    partner = gateway.partner("bpjs")
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}

    def sent(body: str | bytes, kind: str = "application/x-www-form-urlencoded") -> httpx.Response:
        headers = {"Content-Type": kind, "DPoP": partner.proof("POST", TOKEN)}
        return gateway.http.post(TOKEN, content=body, headers=headers)

    def encoded() -> str:
        return str(httpx.QueryParams(form | {"client_assertion": partner.assertion()}))

    assert sent(encoded()).status_code == 200
    for name in (*form, "client_assertion", "scope"):
        denied(sent(f"{encoded()}&{name}=nik.verify&{name}=nik.verify"), "invalid_request")
    denied(sent(json.dumps(form | {"client_assertion": partner.assertion()}), "application/json"), "invalid_request")
    denied(sent(encoded(), "text/plain"), "invalid_request")
    denied(sent(b"\xff\xfe"), "invalid_request")
    denied(sent(encoded() + "".join(f"&p{n}=1" for n in range(200))), "invalid_request")


def test_only_post_asks_for_a_token(gateway) -> None:
    """GET, with everything in the query, gives no token but 405 with Allow; nor does POST read a query."""
    partner = gateway.partner("bpjs")
    query = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": partner.assertion(),
    }
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        reply = gateway.http.request(method, TOKEN, params=query, headers={"DPoP": partner.proof(method, TOKEN)})
        assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
        assert "access_token" not in reply.text
    reply = gateway.http.post(TOKEN, params=query, data={}, headers={"DPoP": partner.proof("POST", TOKEN)})
    assert reply.status_code in (400, 401)


def test_a_large_form_is_refused(gateway) -> None:
    """A form over 64 KiB is refused before it is read as one: nobody has said yet who sends it."""
    reply = gateway.partner("bpjs").request_token({"padding": "x" * 65_536})
    assert reply.status_code == 413


def details(purpose: str, *claims: str) -> str:
    row: dict[str, Any] = {"type": "nik_verification", "purposes": [purpose]}
    return json.dumps([row | ({"claims": list(claims)} if claims else {})])


def test_a_token_promises_nothing_that_was_not_agreed(gateway) -> None:
    """A purpose or a claim that no agreement of the client has is `invalid_authorization_details` (RFC 9396 §5)."""
    for asked in (details("vaccination"), details("claim_eligibility", "name", "mother_name"), details("no_purpose")):
        denied(gateway.partner("bpjs").request_token({"authorization_details": asked}), "invalid_authorization_details")
    asked = details("claim_eligibility")
    denied(gateway.partner("auditor").request_token({"authorization_details": asked}), "invalid_authorization_details")


def test_a_purpose_in_the_token_bounds_every_call(gateway) -> None:
    """`authorization_details` (RFC 9396) is echoed, stands in the token, and refuses other purposes and claims."""
    partner = gateway.partner("bpjs")
    asked = details("claim_eligibility", "name", "birth_date")
    reply = partner.request_token({"authorization_details": asked})
    assert reply.json()["authorization_details"] == json.loads(asked)
    token = reply.json()["access_token"]
    assert parts(token)[1]["authorization_details"] == json.loads(asked)
    body = gateway.question("bpjs", gateway.resident())
    statuses = {}
    for what, changed in {
        "as asked": body,
        "other purpose": body | {"purpose": "membership_registration"},
        "other claim": body | {"claims": body["claims"] | {"sex": "M"}},
    }.items():
        found = partner.call("POST", "/v1/verifications", changed, token=token)
        statuses[what] = found.json().get("type", "").rpartition("/")[2]
    assert statuses == {"as asked": "", "other purpose": "purpose-not-agreed", "other claim": "claim-not-agreed"}


def test_staff_get_their_own_scopes_alone(gateway) -> None:
    """An auditor's scopes are an auditor's, and no one's token both writes and approves."""
    auditor = gateway.partner("auditor").request_token().json()
    assert set(auditor["scope"].split()) == {"audit.read", "audit.note"}
    denied(gateway.partner("auditor").request_token({"scope": "nik.verify"}), "invalid_scope")
    for client_id, other in (("registrar", "partners.approve"), ("approver", "partners.write")):
        staff = gateway.partner(client_id)
        assert other not in staff.request_token().json()["scope"].split()
        denied(staff.request_token({"scope": f"partners.read {other}"}), "invalid_scope")


def test_a_proof_key_of_the_clients_own_is_enough(gateway) -> None:
    """Any P-256 key may be the proof key: it is bound, not registered."""
    partner = gateway.new_partner("small")
    partner.proof_key = ProofKey()
    assert partner.request_token().status_code == 200
