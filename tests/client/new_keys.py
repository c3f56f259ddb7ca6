"""Which key does a partner of a test have? A new one of each kind that the gateway takes."""

from __future__ import annotations

from joserfc.jwk import ECKey, OKPKey, RSAKey


def make_key(alg: str, kid: str = "key-1") -> dict[str, str]:
    """A new private JWK."""
    key = {
        "ES256": lambda: ECKey.generate_key("P-256"),
        "PS256": lambda: RSAKey.generate_key(2048),
        "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
        "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
    }[alg]()
    return {**key.as_dict(private=True), "kid": kid, "alg": alg}
