"""What the revocation endpoint decides, before anything is sealed (RFC 7009)."""

from __future__ import annotations

from typing import Any

import pytest
from holders import BASE, NOW, HandClock, Holder

from gateway.clock import SECOND, SystemEntropy
from gateway.errors import Cause, Refused
from gateway.keyring import Job, MacKey, SigningKey
from gateway.keyring import file as key_files
from gateway.oauth import assertion
from gateway.oauth.access_token import AccessTokens, Confirmation, TokenClaims
from gateway.oauth.client import Client
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.jose import parse_key
from gateway.oauth.revocation import Revocations
from gateway.oauth.token_endpoint import Grant, TokenEndpoint
from gateway.sealing.standing import Validity

EC, OTHER = Holder("EC"), Holder("EC", "other")
CLIENT = Client("bank-1", "bank", "private_key_jwt", {EC.kid: parse_key(EC.public)}, frozenset({"nik.verify"}))
KEY = key_files.parse(key_files.new(Job.TOKEN, 1, SystemEntropy()))
assert isinstance(KEY, SigningKey)
TOKENS = AccessTokens(BASE, BASE + "/v1", KEY, [KEY.public_jwk])
T = NOW // SECOND


def claims(**members: Any) -> TokenClaims:
    base = {
        "iss": BASE,
        "aud": BASE + "/v1",
        "sub": "bank-1",
        "client_id": "bank-1",
        "jti": "t",
        "iat": T,
        "exp": T + 300,
    }
    bound = Confirmation(jkt=EC.thumbprint)
    return TokenClaims(**{**base, "scope": "nik.verify", "cnf": bound, "partner": "bank", **members})


def ask(token: str | None, hint: str = "", client: Client | None = CLIENT, signer: Holder = EC) -> Grant:
    checker = ProofChecker(BASE, HandClock(), MacKey(Job.NONCE, 1, bytes(32)))
    server = TokenEndpoint(BASE, BASE + "/v1", TOKENS, checker, HandClock(), SystemEntropy())
    form = {"client_assertion_type": assertion.TYPE, "client_assertion": signer.assertion("bank-1")}
    form |= {"token": token} if token else {}
    form |= {"token_type_hint": hint} if hint else {}
    return Revocations(server, TOKENS, HandClock()).decide(form, client)


def test_ones_own_token_is_to_be_revoked() -> None:
    """Its claims are handed to the seal, with the assertion that is then used up."""
    mine = claims()
    for hint in ("", "access_token", "refresh_token", "whatever"):
        grant = ask(TOKENS.issue(mine), hint)
        assert (grant.status, grant.token) == (200, mine)
        assert [one.kind for one in grant.proofs] == ["assertion"]


@pytest.mark.parametrize(
    "made", [{"client_id": "tax-1", "sub": "tax-1"}, {"exp": T}, {"iss": "https://else.example"}, {"aud": "x"}]
)
def test_any_other_token_is_not(made: dict[str, Any]) -> None:
    """Another client's, one that is over, another issuer's or resource's: answered alike, and nothing is to be revoked."""
    grant = ask(TOKENS.issue(claims(**made)))
    assert (grant.status, grant.body, grant.token) == (200, {}, None)
    assert len(grant.proofs) == 1


def test_who_is_not_the_client_revokes_nothing() -> None:
    """A stranger's key, and a client that there is none of (or that is suspended)."""
    for grant in (ask(TOKENS.issue(claims()), signer=OTHER), ask(TOKENS.issue(claims()), client=None)):
        assert (grant.body["error"], grant.token, grant.proofs) == ("invalid_client", None, ())


def test_what_is_missing_or_of_no_kind_is_told() -> None:
    """No token is `invalid_request`; a refresh token is of a type that is not supported."""
    assert ask(None).body["error"] == "invalid_request"
    assert ask("x", "refresh_token").body["error"] == "unsupported_token_type"


def test_a_token_holds_until_something_voids_it() -> None:
    """Revoked by its jti, got with a removed key, from before a suspension, or of a suspended client: refused, each by itself."""
    key = EC.thumbprint
    good = Validity(keys=frozenset({key}), revoked=frozenset({"other"}), not_before=NOW)
    good.admit("t", key, NOW)
    good.admit("t", "", NOW)  # got with a certificate of an authority: no registered key
    Validity().admit("t", "", 0)
    for validity, what in (
        (Validity(keys=frozenset({key}), revoked=frozenset({"t"})), "revoked"),
        (Validity(keys=frozenset({OTHER.thumbprint})), "removed"),
        (Validity(keys=frozenset({key}), not_before=NOW + 1), "suspension"),
        (Validity(suspended=True, keys=frozenset({key})), "suspended"),
    ):
        with pytest.raises(Refused) as raised:
            validity.admit("t", key, NOW)
        assert raised.value.refusal.cause is Cause.INVALID_TOKEN
        assert what in str(raised.value.refusal.facts["fault"])
