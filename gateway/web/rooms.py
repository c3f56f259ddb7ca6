"""Which rooms does a call pass through? Made once by `app.build`, handed to every route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from gateway.clock import Clock, Entropy
from gateway.keyring import SealKey
from gateway.ledger.publication import Publication
from gateway.oauth.bearer import Identifier
from gateway.oauth.dpop import ProofChecker
from gateway.oauth.external import ExternalTokens
from gateway.oauth.introspection import Introspections
from gateway.oauth.revocation import Revocations
from gateway.oauth.token_endpoint import TokenEndpoint
from gateway.verification.administration import Administration
from gateway.verification.corridor import Corridor
from gateway.verification.entrance import Entrance
from gateway.verification.grants import Grants
from gateway.verification.plain import Plain
from gateway.verification.standing import Directory
from gateway.web.door import Door
from gateway.web.metrics import Metrics
from gateway.web.problems import Problems
from gateway.web.signature import AnswerSigner


@dataclass(slots=True)
class Rooms:
    """Everything that the routes reach."""

    issuer: str
    clock: Clock
    entropy: Entropy
    door: Door
    identifier: Identifier
    proofs: ProofChecker
    token_endpoint: TokenEndpoint
    directory: Directory
    corridor: Corridor
    plain: Plain
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
    entrance: Entrance
    console_origin: str  # scheme and host that a browser shows, and passkeys are bound to
    external: ExternalTokens | None = None
    unidentified: dict[str, int] = field(default_factory=dict)
