"""What does a partner's engineer import? The two clients, what they answer and what they raise (docs/integrate.md)."""

from gateway.client.answers import Answer
from gateway.client.clients import AsyncGatewayClient, GatewayClient
from gateway.client.conversation import Patience
from gateway.client.limits import Limit
from gateway.client.profile import Profile, ProfileFault
from gateway.client.receipts import Proven, ReceiptFault, answer_digest, check_receipt, request_digest
from gateway.client.refusals import (
    CredentialRefused,
    Distrusted,
    IdempotencyClash,
    InvalidQuestion,
    LimitReached,
    NikNotYetIssued,
    NoAnswer,
    NotAgreed,
    NotAsked,
    Refusal,
    TokenRefused,
    Unavailable,
    Unreachable,
)

__all__ = [
    "Answer",
    "AsyncGatewayClient",
    "CredentialRefused",
    "Distrusted",
    "GatewayClient",
    "IdempotencyClash",
    "InvalidQuestion",
    "Limit",
    "LimitReached",
    "NikNotYetIssued",
    "NoAnswer",
    "NotAgreed",
    "NotAsked",
    "Patience",
    "Profile",
    "ProfileFault",
    "Proven",
    "ReceiptFault",
    "Refusal",
    "TokenRefused",
    "Unavailable",
    "Unreachable",
    "answer_digest",
    "check_receipt",
    "request_digest",
]
