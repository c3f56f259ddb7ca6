"""Access tokens: RFC 9068 claims of our own making, and everything that only looks like one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from holders import BASE, NOW, HandClock, Holder, ath, compact

from gateway.clock import SECOND, SystemEntropy
from gateway.errors import Cause, Refused
from gateway.keyring import Job, SigningKey
from gateway.keyring import file as key_files
from gateway.keyring.keys import b64u, b64u_decode
from gateway.oauth.access_token import AccessTokens, Confirmation, Details, TokenClaims
from gateway.oauth.bearer import Identifier
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.jose import parse_key

RESOURCE = f"{BASE}/v1"
T = NOW // SECOND
EC = Holder("EC")


def signer(job: Job = Job.TOKEN) -> SigningKey:
    made = key_files.parse(key_files.new(job, 1, SystemEntropy()))
    assert isinstance(made, SigningKey)
    return made


@dataclass
class Issuer:
    """A signing key and what issues and verifies with it."""

    key: SigningKey

    def __post_init__(self) -> None:
        self.tokens = AccessTokens(BASE, RESOURCE, self.key, [self.key.public_jwk])

    def forge(self, header: dict[str, Any] | None = None, **members: Any) -> str:
        """A token of any header and claims, signed by the issuer's own key."""
        head = {"typ": "at+jwt", "alg": "ES256", "kid": self.key.kid, **(header or {})}
        body = {**msgspec.to_builtins(claims()), **members}
        parts = [
            b64u(msgspec.json.encode({name: value for name, value in part.items() if value is not ...}))
            for part in (head, body)
        ]
        signed = ".".join(parts)
        return f"{signed}.{b64u(self.key.sign(signed.encode()))}"


def claims(**members: Any) -> TokenClaims:
    return TokenClaims(
        **{
            "iss": BASE, "aud": RESOURCE, "sub": "bank-1", "client_id": "bank-1", "jti": "t-1", "iat": T, "exp": T + 300,
            "scope": "nik.verify", "cnf": Confirmation(jkt=EC.thumbprint), "partner": "bank", **members,
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """An issuer with its key."""
    return Issuer(signer())


def fault(issuer: Issuer, token: str, now: int = NOW) -> str:
    with pytest.raises(Refused) as raised:
        issuer.tokens.verify(token, now)
    assert raised.value.refusal.cause is Cause.INVALID_TOKEN
    return str(raised.value.refusal.facts["fault"])


def test_what_was_issued_is_verified(issuer: Issuer) -> None:
    """All of it, and the hash of the text that a proof must name; a second time from memory."""
    details = [Details("nik_verification", ["account_opening"], ["name"])]
    made = claims(scope="audit.read nik.verify", authorization_details=details)
    token = issuer.tokens.issue(made)
    for _ in range(2):
        found = issuer.tokens.verify(token, NOW)
        assert found.claims == made
        assert (found.ath, found.expires) == (ath(token), (T + 300) * SECOND)
        assert found.scopes == {"audit.read", "nik.verify"}
        assert (found.purposes, found.claim_names) == ({"account_opening"}, {"account_opening": {"name"}})
    plain = issuer.tokens.verify(issuer.tokens.issue(claims()), NOW)
    assert (plain.purposes, plain.claim_names) == (None, None)


def test_it_has_the_form_of_rfc_9068(issuer: Issuer) -> None:
    """Type at+jwt, our kid, the claims of §2.2, and the confirmation of RFC 9449."""
    head, body, _ = issuer.tokens.issue(claims()).split(".")
    assert msgspec.json.decode(b64u_decode(head)) == {"typ": "at+jwt", "alg": "ES256", "kid": issuer.key.kid}
    payload = msgspec.json.decode(b64u_decode(body))
    assert set(payload) == {"iss", "aud", "sub", "client_id", "jti", "iat", "exp", "scope", "cnf", "partner"}
    assert payload["cnf"] == {"jkt": EC.thumbprint}


@pytest.mark.parametrize("typ", [..., "JWT", "dpop+jwt", "", [], None])
def test_another_type_is_refused(typ: Any, issuer: Issuer) -> None:
    """Whatever else our key has signed is no access token; and no value is an error of the gateway's."""
    assert fault(issuer, issuer.forge({"typ": typ}))


@pytest.mark.parametrize(
    "members", [{"iss": "https://other.example"}, {"aud": BASE}, {"aud": "https://other.example/v1"}, {"iss": BASE + "/"}],
)  # fmt: skip
def test_issued_by_or_for_somebody_else_is_refused(members: dict[str, str], issuer: Issuer) -> None:
    """Although our key has signed it."""
    assert fault(issuer, issuer.forge(**members)) == "issued by or for somebody else"


@pytest.mark.parametrize("member", ["iss", "aud", "sub", "client_id", "jti", "iat", "exp", "scope", "cnf", "partner"])
def test_every_claim_is_there(member: str, issuer: Issuer) -> None:
    """None of them may be absent or of another kind."""
    assert fault(issuer, issuer.forge(**{member: ...})) == "not an access token of this gateway"
    assert fault(issuer, issuer.forge(**{member: [BASE]})) == "not an access token of this gateway"


def test_it_expires_on_the_second(issuer: Issuer) -> None:
    """Also one that was verified before and is remembered."""
    token = issuer.tokens.issue(claims(exp=T + 5))
    issuer.tokens.verify(token, NOW + 5 * SECOND - 1)
    assert fault(issuer, token, NOW + 5 * SECOND) == "the token has expired"


def test_an_unknown_key_is_refused(issuer: Issuer) -> None:
    """Neither a kid that we do not have, nor none, nor a strange key under our kid."""
    assert fault(issuer, issuer.forge({"kid": "token-2"})) == "signed by an unknown key"
    assert fault(issuer, issuer.forge({"kid": ...})) == "signed by an unknown key"
    head = {"typ": "at+jwt", "alg": "ES256", "kid": issuer.key.kid}
    forged = compact(head, msgspec.json.encode(claims()), EC.key, "ES256")
    assert fault(issuer, forged) == "not an access token of this gateway"
    assert fault(issuer, Issuer(signer()).tokens.issue(claims())) == "signed by an unknown key"


@pytest.mark.parametrize("alg", ["none", "HS256", "EdDSA", "PS256"])
def test_another_algorithm_is_refused(alg: str, issuer: Issuer) -> None:
    """A key signs by its own algorithm alone."""
    assert fault(issuer, issuer.forge({"alg": alg})) == "not an access token of this gateway"
    head, body, _ = issuer.forge({"alg": "none"}).split(".")
    assert fault(issuer, f"{head}.{body}.")


def test_every_changed_character_is_refused(issuer: Issuer) -> None:
    """Of a token that is remembered as good."""
    token = issuer.tokens.issue(claims())
    issuer.tokens.verify(token, NOW)
    for at in range(0, len(token), 5):
        if token[at] != ".":
            fault(issuer, token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :])
    fault(issuer, token[:-1] + ("A" if token[-1] != "A" else "Q"))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", b64u(b'{"alg":' + b"[" * 6000) + ".e30.AA"])
def test_rubbish_is_refused(token: str, issuer: Issuer) -> None:
    """Whatever is sent before anyone is known is a refusal, never an error."""
    assert fault(issuer, token)


def test_older_keys_verify_until_they_are_gone() -> None:
    """After a rotation both keys' tokens hold; the newest signs."""
    old, new = signer(), signer()
    before = AccessTokens(BASE, RESOURCE, old, [old.public_jwk]).issue(claims())
    tokens = AccessTokens(BASE, RESOURCE, new, [new.public_jwk, old.public_jwk])
    assert tokens.verify(before, NOW).claims == claims()
    assert parse_key(new.public_jwk).kid in b64u_decode(tokens.issue(claims()).split(".")[0]).decode()


@pytest.fixture
def identify(issuer: Issuer, clock: HandClock) -> Any:
    """Step 1 for `POST /v1/verifications` from a documentation address."""
    checker = ProofChecker(BASE, clock, key_files.parse(key_files.new(Job.NONCE, 1, SystemEntropy())))
    identifier = Identifier(issuer.tokens, checker, clock)

    def ask(authorization: list[str], proofs: list[str]) -> Any:
        return identifier.identify(authorization, proofs, "POST", "/v1/verifications", "192.0.2.7")

    return ask


def test_a_token_and_its_holder_are_a_caller(issuer: Issuer, identify: Any) -> None:
    """The scheme in any case; everything that later steps need is in the caller."""
    details = [Details("nik_verification", ["account_opening"])]
    token = issuer.tokens.issue(claims(authorization_details=details))
    for scheme in ("DPoP", "dpop"):
        caller = identify([f"{scheme} {token}"], [EC.proof(ath=ath(token))])
        assert (caller.client_id, caller.partner, caller.scopes) == ("bank-1", "bank", {"nik.verify"})
        assert (caller.address, caller.token_id, caller.expires) == ("192.0.2.7", "t-1", (T + 300) * SECOND)
        assert (caller.constraint, caller.purposes, caller.claims) == ("dpop", {"account_opening"}, None)
        assert len(caller.proofs) == 1


def test_a_token_in_strange_hands_is_no_caller(issuer: Issuer, identify: Any) -> None:
    """Stolen, as a bearer token, bound to nothing, twice, or without a proof for it."""
    token = issuer.tokens.issue(claims())
    thief = Holder("EC", "thief")
    unbound = issuer.tokens.issue(claims(cnf=Confirmation()))
    cases = [
        ([f"DPoP {token}"], [thief.proof(ath=ath(token))], Cause.INVALID_TOKEN),
        ([f"Bearer {token}"], [EC.proof(ath=ath(token))], Cause.INVALID_TOKEN),
        ([f"Basic {token}"], [EC.proof(ath=ath(token))], Cause.INVALID_TOKEN),
        ([f"DPoP {unbound}"], [EC.proof(ath=ath(unbound))], Cause.INVALID_TOKEN),
        ([f"DPoP {token}"] * 2, [EC.proof(ath=ath(token))], Cause.INVALID_TOKEN),
        (["DPoP"], [EC.proof(ath=ath(token))], Cause.INVALID_TOKEN),
        (["DPoP "], [EC.proof(ath=ath(token))], Cause.INVALID_TOKEN),
        ([token], [EC.proof(ath=ath(token))], Cause.INVALID_TOKEN),
        ([], [EC.proof(ath=ath(token))], Cause.INVALID_TOKEN),
        ([f"DPoP {token}"], [], Cause.INVALID_DPOP_PROOF),
        ([f"DPoP {token}"], [EC.proof()], Cause.INVALID_DPOP_PROOF),
        ([f"DPoP {token}"], [EC.proof(ath=ath(token))] * 2, Cause.INVALID_DPOP_PROOF),
    ]
    for authorization, proofs, cause in cases:
        with pytest.raises(Refused) as raised:
            identify(authorization, proofs)
        assert raised.value.refusal.cause is cause
