"""How does a partner's private key sign? JWS compact (RFC 7515) with ES256, PS256 or Ed25519, on joserfc.

The signing keys never show themselves: `repr` hides them, and only the public members can be read.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

from nik_gateway_client.profile import ProfileFault

ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")
RSA_BITS = 2048
_SAME = {"EdDSA": "Ed25519", "Ed25519": "EdDSA"}  # RFC 9864 gave the algorithm its second name


class PrivateKey:
    """A private key with the one algorithm that it signs with. `repr` hides it.

    Args:
        key: a joserfc key that holds its private part.
        alg: one of `ALGORITHMS`.
    """

    __slots__ = ("_key", "_signs", "alg", "kid", "public")

    def __init__(self, key: ECKey | OKPKey | RSAKey, alg: str) -> None:
        self._key = key
        self._signs = JWSRegistry.algorithms[alg]
        self.alg = alg
        self.kid = key.kid or key.thumbprint()
        self.public = {name: key.as_dict(private=False)[name] for name in _MEMBERS[key.key_type]}

    def __repr__(self) -> str:
        return f"PrivateKey(kid={self.kid!r}, alg={self.alg!r})"

    def sign(self, header: Mapping[str, object], claims: Mapping[str, object]) -> str:
        """A JWS in compact form; `alg` is added to the header."""
        signing_input = f"{_segment({**header, 'alg': self.alg})}.{_segment(claims)}"
        # joserfc's own serializer would warn at every use of the name EdDSA, which partners still register
        signature = self._signs.sign(signing_input.encode(), self._key)
        return f"{signing_input}.{b64url(signature)}"

    def named_as(self, names: tuple[str, ...]) -> PrivateKey:
        """This key under the name that the gateway lists for its algorithm (EdDSA or Ed25519); itself when none is."""
        other = _SAME.get(self.alg)
        if self.alg in names or other not in names:
            return self
        return PrivateKey(self._key, other)

    @classmethod
    def load(cls, path: Path) -> PrivateKey:
        """Read a private JWK from a file. Raises ProfileFault, which never quotes the file."""
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise ProfileFault([f"{path}: cannot be read: {error.strerror}"]) from None
        except ValueError:
            raise ProfileFault([f"{path}: not text"]) from None
        fault, key = _imported(text)
        if key is None:
            raise ProfileFault([f"{path}: {fault}"])
        return key

    @classmethod
    def fresh(cls) -> PrivateKey:
        """A new ES256 key, for DPoP proofs."""
        return cls(ECKey.generate_key("P-256", private=True), "ES256")


_MEMBERS = {"EC": ("kty", "crv", "x", "y"), "RSA": ("kty", "n", "e"), "OKP": ("kty", "crv", "x")}


def _imported(text: str) -> tuple[str, PrivateKey | None]:
    # the error is dropped here: its text, and the frames it holds, could quote the private key
    try:
        jwk = json.loads(text)
        short = jwk["kty"] == "RSA" and len(jwk["n"]) * 6 < RSA_BITS  # joserfc would take it, with a warning
        key = import_key(jwk) if jwk["kty"] in _MEMBERS and not short else None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return "no JWK can be read from it", None
    if short:
        return "an RSA key must have 2048 bits or more", None
    if not isinstance(key, (ECKey, OKPKey, RSAKey)) or not key.is_private:
        return "not a private JWK: it must hold the private part of an EC, RSA or OKP key", None
    fitting = _fitting(key)
    if not fitting:
        return f"a {key.key_type} key of this curve or size is not accepted: P-256, RSA of 2048 bits or Ed25519", None
    alg = jwk.get("alg") or fitting[0]
    if alg not in fitting:
        return f"alg {alg!r} does not fit the key: {' or '.join(fitting)}", None
    return "", PrivateKey(key, alg)


def _fitting(key: ECKey | OKPKey | RSAKey) -> tuple[str, ...]:
    if isinstance(key, RSAKey):
        return ("PS256",) if key.raw_value.key_size >= RSA_BITS else ()
    if isinstance(key, ECKey):
        return ("ES256",) if key.curve_name == "P-256" else ()
    return ("EdDSA", "Ed25519") if key.as_dict(private=False)["crv"] == "Ed25519" else ()


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _segment(document: Mapping[str, object]) -> str:
    return b64url(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())
