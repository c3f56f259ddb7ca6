"""Is a token worth nothing without its key? DPoP (RFC 9449) at the token endpoint and at the resource, proof by proof.

The lists are those of the OpenID conformance suite (fapi2-security-profile-final, dpop-negative-tests), and more.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from contract import refused
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from partner import Partner, ProofKey, b64u, jwt
from served import Gateway

DATABASES = ("postgresql",)  # two workers there; what is asked here does not depend on the database

USAGE, TOKEN = "/v1/usage", "/oauth2/token"
Where = tuple[str, str]
PLACES = {"token": ("POST", TOKEN), "resource": ("GET", USAGE)}
CLAIMS: dict[str, dict[str, Any]] = {
    "jti missing": {"jti": None},
    "jti empty": {"jti": ""},
    "jti a number": {"jti": 7},
    "htm missing": {"htm": None},
    "htm other": {"htm": "PUT"},
    "htm lower case": {"htm": "get"},
    "htu missing": {"htu": None},
    "htu elsewhere": {"htu": "https://elsewhere.example/v1/usage"},
    "htu other path": {"htu": "{issuer}/v1/agreement"},
    "htu other scheme": {"htu": "https{rest}"},
    "htu a path": {"htu": "{path}"},
    "iat missing": {"iat": None},
    "iat an hour ahead": {"iat": 3600},
    "iat an hour ago": {"iat": -3600},
    "iat 70 s ahead": {"iat": 70},
    "iat 70 s ago": {"iat": -70},
    "iat text": {"iat": "now"},
    "expired": {"exp": -120},
    "not yet": {"nbf": 120},
}
HEADERS: dict[str, dict[str, Any]] = {
    "typ missing": {"typ": None},
    "typ JWT": {"typ": "JWT"},
    "typ at+jwt": {"typ": "at+jwt"},
    "alg missing": {"alg": None},
    "alg none": {"alg": "none"},
    "jwk missing": {"jwk": None},
    "jwk text": {"jwk": "x"},
    "crit": {"crit": ["htm"]},
    "jku": {"jku": "https://elsewhere.example"},
}
GOOD_CLAIMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "query in htu": {"htu": "{url}?a=b"},
    "fragment in htu": {"htu": "{url}#a"},
    "upper-case scheme and host": {"htu": "HTTP{rest}"},
    "iat 10 s ahead": {"iat": 10},
    "iat 10 s ago": {"iat": -10},
    "iat 45 s ahead": {"iat": 45},
    "nbf and exp": {"nbf": 0, "exp": 300},
    "more claims": {"more": [1], "aud": "x"},
}


def filled(gateway: Gateway, where: Where, claims: dict[str, Any]) -> dict[str, Any]:
    """Claims with their times, in seconds from now, as instants, and their URLs written out."""
    url, now = gateway.issuer + where[1], int(time.time())
    words = {"issuer": gateway.issuer, "url": url, "path": where[1], "rest": url.removeprefix("http")}
    made: dict[str, Any] = {}
    for name, value in claims.items():
        timed = name in ("iat", "nbf", "exp") and isinstance(value, int)
        made[name] = now + value if timed else value.format_map(words) if isinstance(value, str) else value
    return made


def sent(gateway: Gateway, place: str, proofs: Callable[[Partner, str], list[str]]) -> httpx.Response:
    """The reply at a place to a call that brings `proofs`."""
    partner = gateway.partner("bpjs")
    if place == "token":
        return partner.request_token(proofs=proofs(partner, ""))
    token = partner.token()
    return partner.call("GET", USAGE, token=token, proofs=proofs(partner, token))


def turned_away(gateway: Gateway, place: str, reply: httpx.Response, *slugs: str) -> None:
    """A refusal in the words of its place: RFC 9449 §5 or §7.1."""
    if place == "token":
        assert reply.status_code == 400, reply.text
        assert reply.json()["error"] in ("invalid_dpop_proof", "invalid_request")
        return
    slug = reply.json()["type"].rpartition("/")[2]
    assert slug in (slugs or ("invalid-dpop-proof",))
    refused(reply, slug, gateway.issuer, identified="id" in reply.json())
    if reply.request.headers.get("authorization"):  # without credentials no error is named (RFC 6750 §3.1)
        assert f'error="{slug.replace("-", "_")}"' in reply.headers["www-authenticate"]
    assert 'algs="' in reply.headers["www-authenticate"]


@pytest.mark.parametrize("what", [*CLAIMS, *HEADERS])
@pytest.mark.parametrize("place", PLACES)
def test_a_bad_proof_is_refused(gateway, place: str, what: str) -> None:
    """Each member of a proof refuses by itself when it is missing, wrong or out of time."""
    where = PLACES[place]
    claims, header = filled(gateway, where, CLAIMS.get(what, {})), HEADERS.get(what)
    turned_away(
        gateway, place, sent(gateway, place, lambda partner, token: [partner.proof(*where, token, claims, header)])
    )


@pytest.mark.parametrize("what", GOOD_CLAIMS)
@pytest.mark.parametrize("place", PLACES)
def test_a_good_proof_is_accepted(gateway, place: str, what: str) -> None:
    """What RFC 9449 leaves open is accepted: query and fragment in htu, other members, clocks that are a little off."""
    where = PLACES[place]
    claims = filled(gateway, where, GOOD_CLAIMS[what])
    reply = sent(gateway, place, lambda partner, token: [partner.proof(*where, token, claims, {"more": 1})])
    assert reply.status_code == 200, reply.text


def rsa_jwk(key: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    n, e = (b64u(number.to_bytes((number.bit_length() + 7) // 8, "big")) for number in (numbers.n, numbers.e))
    return {"kty": "RSA", "n": n, "e": e}


def ed_jwk(key: ed25519.Ed25519PrivateKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": b64u(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))}


@pytest.mark.parametrize("place", PLACES)
def test_a_proof_is_made_by_its_own_key(gateway, place: str) -> None:
    """No signature, another key's, RS256, HS256, a private or a short key in `jwk`, and what is no JWT are refused."""
    where = PLACES[place]
    long, short = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 1024)  # noqa: S505  to be refused
    curve = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    p384 = {"kty": "EC", "crv": "P-384", **{c: b64u(getattr(curve, c).to_bytes(48, "big")) for c in "xy"}}

    secret = b"s" * 32

    def bad(partner: Partner, token: str) -> list[str]:
        good = partner.proof(*where, token)
        own = partner.proof_key
        signed, _, signature = good.rpartition(".")
        return [
            partner.proof(*where, token, key=ProofKey().private),
            f"{signed}.",
            f"{signed}.{signature[:-4]}AAAA",
            signed,
            f"{good}.x",
            "x",
            partner.proof(*where, token, header={"jwk": own.private_jwk}),
            partner.proof(*where, token, header={"jwk": rsa_jwk(long), "alg": "RS256"}, key=long),
            partner.proof(*where, token, header={"jwk": rsa_jwk(short), "alg": "PS256"}, key=short),
            partner.proof(*where, token, header={"jwk": {"kty": "oct", "k": b64u(secret)}, "alg": "HS256"}, key=secret),
            partner.proof(*where, token, header={"jwk": p384}),
            jwt({"typ": "dpop+jwt", "alg": "ES256", "jwk": own.jwk}, {}, own.private),
        ]  # fmt: skip

    for number in range(12):
        turned_away(gateway, place, sent(gateway, place, lambda *who, n=number: [bad(*who)[n]]))


@pytest.mark.parametrize("place", PLACES)
def test_there_is_exactly_one_proof(gateway, place: str) -> None:
    """No proof, two DPoP headers, and two proofs in one header are refused."""
    where = PLACES[place]
    for proofs in (
        lambda *_: [],
        lambda partner, token: [partner.proof(*where, token), partner.proof(*where, token)],
        lambda partner, token: [f"{partner.proof(*where, token)}, {partner.proof(*where, token)}"],
        lambda *_: [""],
    ):
        turned_away(gateway, place, sent(gateway, place, proofs), "invalid-dpop-proof", "invalid-token")


@pytest.mark.parametrize("alg", ["PS256", "EdDSA", "Ed25519"])
def test_proof_keys_of_every_algorithm_are_accepted(gateway, alg: str) -> None:
    """A proof key may be RSA of 2048 bits or Ed25519 as well, for token and call."""
    partner = gateway.new_partner("small")
    key: Any = rsa.generate_private_key(65537, 2048) if alg == "PS256" else ed25519.Ed25519PrivateKey.generate()
    header = {"alg": alg, "jwk": rsa_jwk(key) if alg == "PS256" else ed_jwk(key)}
    reply = partner.request_token(proofs=[partner.proof("POST", TOKEN, header=header, key=key)])
    token = reply.json()["access_token"]
    made = partner.proof("GET", USAGE, token, header=header, key=key)
    assert partner.call("GET", USAGE, token=token, proofs=[made]).status_code == 200


@pytest.mark.parametrize("ath", [None, "", "x", b64u(bytes(32))])
def test_a_call_is_bound_to_its_token(gateway, ath: str | None) -> None:
    """At the resource `ath` is the hash of the very token."""
    reply = sent(gateway, "resource", lambda partner, token: [partner.proof("GET", USAGE, token, {"ath": ath})])
    turned_away(gateway, "resource", reply)


def test_a_token_is_bound_to_its_key(gateway) -> None:
    """A token with a proof by another key than its own is refused, be it the key of another client or of a twin."""
    mine, twin, other = gateway.partner("bpjs"), gateway.new_partner("bpjs"), gateway.partner("tax")
    for thief, token in ((twin, mine.token()), (other, mine.token()), (mine, other.token())):
        proof = thief.proof("GET", USAGE, token)
        turned_away(
            gateway,
            "resource",
            thief.call("GET", USAGE, token=token, proofs=[proof]),
            "invalid-token",
            "invalid-dpop-proof",
        )


def test_the_scheme_is_dpop(gateway) -> None:
    """`DPoP` in any case of letters is accepted; Bearer, another scheme, none, two headers and none at all are not."""
    partner = gateway.partner("bpjs")
    token = partner.token()
    for scheme in ("DPoP", "dpop", "DPOP"):
        assert partner.call("GET", USAGE, headers={"Authorization": f"{scheme} {token}"}).status_code == 200
    for bad in (f"Bearer {token}", f"bearer {token}", f"Basic {token}", token, "DPoP", "", None):
        reply = partner.call("GET", USAGE, headers={"Authorization": bad})
        turned_away(gateway, "resource", reply, "invalid-token")
    doubled = [("Authorization", f"DPoP {token}")] * 2 + [("DPoP", partner.proof("GET", USAGE, token))]
    turned_away(gateway, "resource", gateway.http.get(USAGE, headers=doubled), "invalid-token")


def test_a_token_in_the_query_is_none(gateway) -> None:
    """A token in the query or in a form is not looked at (FAPI 2.0 §5.3.4)."""
    partner = gateway.partner("bpjs")
    token = partner.token()
    for path in (f"{USAGE}?access_token={token}", f"{USAGE}?DPoP={token}"):
        reply = partner.call("GET", path, headers={"Authorization": None}, proofs=[partner.proof("GET", USAGE, token)])
        turned_away(gateway, "resource", reply, "invalid-token")
    form = f"access_token={token}".encode()
    headers = {"Authorization": None, "Content-Type": "application/x-www-form-urlencoded"}
    reply = partner.call("POST", "/v1/verifications", form, headers=headers)
    turned_away(gateway, "resource", reply, "invalid-token")


def test_a_forged_token_is_none(gateway) -> None:
    """A token signed by its holder, unsigned, tampered with, or of another kind of JWT is refused."""
    partner = gateway.partner("bpjs")
    header, claims, signature = partner.token().split(".")
    own = {"iss": gateway.issuer, "aud": f"{gateway.issuer}/v1", "sub": "bpjs", "client_id": "bpjs", "partner": "bpjs"}
    own |= {"jti": "x", "scope": "nik.verify", "cnf": {"jkt": "x"}}
    times = {"iat": int(time.time()), "exp": int(time.time()) + 300}
    (kid,) = (key["kid"] for key in gateway.http.get("/oauth2/jwks").json()["keys"])
    forged = [
        jwt({"typ": "at+jwt", "alg": "ES256", "kid": kid}, {**own, **times}, partner.key),
        jwt({"typ": "at+jwt", "alg": "none", "kid": kid}, {**own, **times}, None),
        f"{header}.{claims}.",
        f"{header}.{b64u(json.dumps({**own, **times}).encode())}.{signature}",
        f"{header}.{claims}.{b64u(bytes(64))}",
        partner.assertion(),
        "x",
        "a.b.c",
        "ey" * 20_000,
    ]
    for token in forged:
        proof = partner.proof("GET", USAGE, token)
        reply = partner.call("GET", USAGE, token=token, proofs=[proof])
        if len(token) > 30_000:
            assert reply.status_code in (400, 401, 431)
            continue
        turned_away(gateway, "resource", reply, "invalid-token")


@pytest.mark.parametrize("place", PLACES)
def test_a_proof_is_used_once(gateway, place: str) -> None:
    """A proof that was used is refused on every worker and at every route; another proof after it is accepted."""
    method, path = PLACES[place]
    partner = gateway.partner("bpjs")
    token = "" if place == "token" else partner.token()
    proof = partner.proof(method, path, token)
    jti = secrets.token_urlsafe(16)
    assert sent(gateway, place, lambda *_: [proof]).status_code == 200
    for _ in range(6):  # a connection each: with two workers both are met
        with gateway.fresh_connection() as http:
            if place == "token":
                form = {"grant_type": "client_credentials", "client_assertion": partner.assertion()}
                form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                reply = http.post(TOKEN, data=form, headers={"DPoP": proof})
            else:
                reply = partner.call("GET", USAGE, token=token, proofs=[proof], http=http)
        turned_away(gateway, place, reply)
    same_jti = [partner.proof(method, path, token, {"jti": jti, "more": n}) for n in range(2)]
    assert sent(gateway, place, lambda *_: [same_jti[0]]).status_code == 200
    turned_away(gateway, place, sent(gateway, place, lambda *_: [same_jti[1]]))
    assert sent(gateway, place, lambda who, held: [who.proof(method, path, held)]).status_code == 200


def test_a_replayed_proof_costs_nothing(gateway) -> None:
    """A verification that comes twice under one proof is answered once and charged once; the other has its receipt."""
    partner, body = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident())
    token, before = partner.token(), partner.spent()
    proof = partner.proof("POST", "/v1/verifications", token)
    replies = [partner.call("POST", "/v1/verifications", body, token=token, proofs=[proof]) for _ in range(2)]
    assert replies[0].json()["usable"] is True
    refused(replies[1], "invalid-dpop-proof", gateway.issuer)
    assert partner.spent() == before + 1


def test_the_same_jti_of_another_key_is_another_proof(gateway) -> None:
    """Ids of proofs are a key's own: nobody can use up another one's."""
    mine, other = gateway.partner("bpjs"), gateway.partner("tax")
    for partner in (mine, other):
        token = partner.token()
        proof = partner.proof("GET", USAGE, token, {"jti": f"shared-{gateway.issuer}"})
        assert partner.call("GET", USAGE, token=token, proofs=[proof]).status_code == 200


def test_a_foreign_nonce_is_answered_with_a_good_one(gateway) -> None:
    """A proof with a nonce that is not the gateway's is `use_dpop_nonce`, and the DPoP-Nonce it brings is accepted."""
    partner = gateway.partner("bpjs")
    reply = partner.request_token(proofs=[partner.proof("POST", TOKEN, "", {"nonce": "x"})])
    assert (reply.status_code, reply.json()["error"]) == (400, "use_dpop_nonce")
    nonce = reply.headers["dpop-nonce"]
    assert partner.request_token(proofs=[partner.proof("POST", TOKEN, "", {"nonce": nonce})]).status_code == 200
    token = partner.token()
    reply = partner.call("GET", USAGE, token=token, proofs=[partner.proof("GET", USAGE, token, {"nonce": "x"})])
    refused(reply, "use-dpop-nonce", gateway.issuer, identified=False)
    assert 'error="use_dpop_nonce"' in reply.headers["www-authenticate"]
    good = partner.proof("GET", USAGE, token, {"nonce": reply.headers["dpop-nonce"]})
    assert partner.call("GET", USAGE, token=token, proofs=[good]).status_code == 200
