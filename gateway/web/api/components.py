"""Which rooms does a call pass through? Made once by `app.build`, handed to every route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from gateway.administration.calls import Administration
from gateway.administration.sign_in import SignIn
from gateway.clock import Clock, Entropy
from gateway.keyring import SealKey
from gateway.ledger.publication.rhythm import Publication
from gateway.oauth.bearer import Identifier
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.external import ExternalTokens
from gateway.oauth.introspection import Introspections
from gateway.oauth.revocation import Revocations
from gateway.oauth.token_endpoint import TokenEndpoint
from gateway.sealing.grants import Grants
from gateway.sealing.reads import SealedReads
from gateway.sealing.standing import Directory
from gateway.verification.corridor import Corridor
from gateway.web.http.metrics import Metrics
from gateway.web.http.problems import Problems
from gateway.web.http.rate_limiter import RateLimiter
from gateway.web.http.signature import AnswerSigner


@dataclass(slots=True)
class Components:
    """Everything that the routes reach."""

    issuer: str
    clock: Clock
    entropy: Entropy
    rate_limiter: RateLimiter
    identifier: Identifier
    proofs: ProofChecker
    token_endpoint: TokenEndpoint
    directory: Directory
    corridor: Corridor
    plain: SealedReads
    administration: Administration
    grants: Grants
    revocations: Revocations
    introspections: Introspections
    problems: Problems
    signer: AnswerSigner
    metrics: Metrics
    idempotency: Sequence[SealKey]  # every live version, the one in use first
    proxies: Sequence[IPv4Network | IPv6Network]
    mtls_base_url: str  # where client certificates are asked for; empty when none can arrive
    token_keys: Sequence[Mapping[str, str]]
    answer_keys: Sequence[Mapping[str, str]]
    metrics_token: bytes
    ready: Callable[[], Awaitable[Mapping[str, Any]]]
    log: Publication
    sign_in: SignIn
    console_origin: str  # scheme and host that a browser shows, and passkeys are bound to
    external: ExternalTokens | None = None
    unidentified: dict[str, int] = field(default_factory=dict)
