"""Which programs may ask for tokens? A client belongs to one partner and proves itself with one of its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.oauth.jose import PublicKey
from gateway.oauth.mtls import CertificateName

SCOPES: Mapping[str, str] = {
    "nik.verify": "Verifications, own agreement, usage, statements, receipts and keys of a partner.",
    "register.feed": "Change batches of a regency office.",
    "register.diagnose": "Diagnosis of a regency office's own residents.",
    "audit.read": "Search and proofs for auditors.",
    "audit.note": "Notes and states on findings.",
    "partners.read": "Administration: read.",
    "partners.write": "Administration: propose and narrow.",
    "partners.approve": "Administration: approve what another person proposed.",
}


INTROSPECT = "introspect"
"""What a resource server is registered with: it may introspect tokens. No token ever carries it."""


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client: how it authenticates, with which keys (by `kid`), and which scopes it may ask for.

    `sender_constraint` is what its tokens are bound to. `name` is how the certificate of a `tls_client_auth` client is
    known; `certificates` are the certificates of its keys (RFC 7517 §4.7): thumbprint → that of the JWK.
    """

    client_id: str
    partner: str
    auth_method: str
    keys: Mapping[str, PublicKey]
    scopes: frozenset[str]
    person: str = ""  # whose credential it is, for administrators, auditors and regency offices
    expiries: Mapping[str, int] = field(default_factory=dict)  # kid → when that key ends (microseconds)
    sender_constraint: str = "dpop"  # dpop | mtls
    name: CertificateName | None = None
    certificates: Mapping[str, str] = field(default_factory=dict)
    suspended: bool = False  # then whoever proves to be it is told so, and gets nothing


@dataclass(frozen=True, slots=True)
class ProofId:
    """One use of a `jti`: SHA-256(key thumbprint ‖ jti) cut to 16 bytes, and when it may be forgotten (microseconds)."""

    id: bytes
    expires: int
    kind: str  # dpop | assertion


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a valid token and has proven possession of its key; the outcome of step 1.

    `expires` and `issued` are the token's `exp` and `iat` in microseconds; `purposes` bound every call when the token was
    so bound, `claims` those of each purpose that has a bound of its own; `key` is the thumbprint of the registered key
    that the token was got with, empty when it was got otherwise; `certificate` that of the TLS certificate (`x5t#S256`)
    of the connection that the call came by, empty without one.
    """

    client_id: str
    partner: str
    scopes: frozenset[str]
    constraint: str  # dpop | mtls
    token_id: str
    expires: int
    proofs: tuple[ProofId, ...]
    address: str
    purposes: frozenset[str] | None = None
    claims: Mapping[str, frozenset[str]] | None = None
    key: str = ""
    issued: int = 0
    certificate: str = ""
