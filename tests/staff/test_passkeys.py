"""What is taken of a passkey that an authenticator has made?"""

from __future__ import annotations

import pytest
from authenticator import Authenticator

from gateway.clock import SystemEntropy
from gateway.staff.passkeys import PasskeyFault, Relying

RELYING = Relying("https://console.example", "Console")


def made(size: int) -> int:
    """How long the id of the credential is that was taken, when the authenticator makes one of `size` bytes."""
    entropy = SystemEntropy()
    challenge = entropy.bytes(32)
    authenticator = Authenticator(RELYING.origin, next_id=entropy.bytes(size))
    response = authenticator.create(RELYING.creation(challenge, entropy.bytes(16), "Sri", ()))
    return len(RELYING.registered(response, challenge).credential)


def test_a_credential_id_has_a_bound() -> None:
    """As long as WebAuthn lets it be (1023 bytes, §4), and not longer."""
    assert made(1023) == 1023
    with pytest.raises(PasskeyFault, match="too long"):
        made(1024)
