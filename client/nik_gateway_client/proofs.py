"""What does a partner prove with its keys? Who it is (RFC 7523) and that a token is its own (DPoP, RFC 9449)."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import urlsplit, urlunsplit

from nik_gateway_client.clock import SECOND, LocalEntropy
from nik_gateway_client.keys import PrivateKey, b64url

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 60


def client_assertion(key: PrivateKey, client_id: str, issuer: str, now: int, entropy: LocalEntropy) -> str:
    """A JWT that authenticates the client for one token request.

    Its audience is the issuer as a string, alone (FAPI 2.0 §5.3.2.1); it lives `ASSERTION_SECONDS` and has an id of its
    own, so every attempt needs a new one. `now` is an instant in microseconds.
    """
    seconds = now // SECOND
    return key.sign(
        {"typ": "client-authentication+jwt", "kid": key.kid},
        {
            "iss": client_id,
            "sub": client_id,
            "aud": issuer,
            "jti": b64url(entropy.bytes(16)),
            "iat": seconds,
            "exp": seconds + ASSERTION_SECONDS,
        },
    )


def dpop_proof(  # noqa: PLR0913  the members of a proof
    key: PrivateKey, method: str, url: str, now: int, entropy: LocalEntropy, *, token: str = "", nonce: str = ""
) -> str:
    """A DPoP proof for one request: `ath` when a token goes with it, `nonce` when the server asked for one."""
    claims: dict[str, object] = {
        "jti": b64url(entropy.bytes(16)),
        "htm": method,
        "htu": urlunsplit((*urlsplit(url)[:3], "", "")),
        "iat": now // SECOND,
    }
    if token:
        claims["ath"] = b64url(sha256(token.encode()).digest())
    if nonce:
        claims["nonce"] = nonce
    return key.sign({"typ": "dpop+jwt", "jwk": key.public}, claims)
