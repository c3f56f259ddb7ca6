"""What does a partner's engineer import? The two clients, what they answer and what they raise (docs/integrate.md)."""

from nik_gateway_client.answers import Answer
from nik_gateway_client.clients import AsyncGatewayClient, GatewayClient
from nik_gateway_client.conversation import Patience
from nik_gateway_client.limits import Limit
from nik_gateway_client.profile import Profile, ProfileFault
from nik_gateway_client.receipts import Proven, ReceiptFault, answer_digest, check_receipt, request_digest
from nik_gateway_client.refusals import (
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
