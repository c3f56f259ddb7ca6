"""Does an OAuth client that was written by others get its answer? That of authlib, told nothing but the metadata."""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Generator
from typing import Any

import httpx
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from contract import MATCHED_BY_CLAIMS, answered
from joserfc.jwk import RSAKey, import_key
from partner import Partner

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # authlib would rather have httpx2
    from authlib.integrations.httpx_client import OAuth2Client


class _ProofOnCalls(httpx.Auth):
    """What authlib does not know of yet: a DPoP proof beside its token."""

    def __init__(self, partner: Partner, token: str) -> None:
        self._partner, self._token = partner, token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        proof = self._partner.proof(request.method, request.url.path, self._token)
        request.headers.update({"Authorization": f"DPoP {self._token}", "DPoP": proof})
        yield request


def test_a_client_of_authlib_as_it_comes_is_told_what_to_change(gateway) -> None:
    """It signs for an hour and for the token endpoint, with RS256: one answer names all three, whoever it is from."""
    key = RSAKey.generate_key(2048, {"kid": "bank-1"})
    endpoint = f"{gateway.issuer}/oauth2/token"
    told = set()
    for client_id in ("bank", "nobody-9"):
        with OAuth2Client(
            client_id, key, token_endpoint_auth_method=PrivateKeyJWT(endpoint), trust_env=False
        ) as session:
            with pytest.raises(OAuthError) as refused:
                session.fetch_token(endpoint, grant_type="client_credentials")
            told.add(refused.value.description)
    (text,) = told
    assert all(word in text for word in ("alg must be one of", "aud must be the issuer", gateway.issuer, "5 minutes"))


@pytest.mark.parametrize("language", ["id", "en"])
def test_a_client_of_authlib_verifies(gateway, language: str) -> None:
    """It finds the token endpoint by the metadata, authenticates by private_key_jwt, and its question is answered."""
    metadata: dict[str, Any] = gateway.http.get("/.well-known/oauth-authorization-server").json()
    partner = gateway.new_partner("bpjs")
    jwk = dict(partner.jwk)
    # What authlib would say else is an hour, and the token endpoint as audience.
    claims = {"aud": metadata["issuer"], "jti": secrets.token_urlsafe(16), "exp": int(time.time()) + 60}
    method = PrivateKeyJWT(metadata["token_endpoint"], claims=claims, headers={"kid": jwk["kid"]}, alg=jwk["alg"])
    with OAuth2Client(
        "bpjs",
        import_key(jwk),
        token_endpoint_auth_method=method,
        scope="nik.verify",
        trust_env=False,
    ) as session:
        proof = partner.proof("POST", "/oauth2/token")
        token = session.fetch_token(
            metadata["token_endpoint"], grant_type="client_credentials", headers={"DPoP": proof}
        )
        assert token["token_type"] == "DPoP"
        assert token["scope"] == "nik.verify"
        reply = session.post(
            f"{metadata['issuer']}/v1/verifications",
            json=gateway.question("bpjs", gateway.resident()),
            headers={"Accept-Language": language},
            auth=_ProofOnCalls(partner, token["access_token"]),
        )
    assert answered(reply, MATCHED_BY_CLAIMS)["usable"] is True
