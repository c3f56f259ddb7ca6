"""Which challenge belongs to a log-in? None is kept before a passkey that is known signs one: whoever begins costs nothing."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.clock import SECOND, Clock, Entropy
from gateway.keyring.keys import MacKey, b64u, b64u_decode

LIFE = 120 * SECOND
_CHANCE = 16  # bytes
_LENGTH = 1 + 8 + _CHANCE


class LoginChallenges:
    """Challenges that are MACs of their ids; an id holds the key's version, the time and chance, so any node knows its own."""

    def __init__(self, keys: Sequence[MacKey], clock: Clock, entropy: Entropy) -> None:
        """`keys` are every live version, the one that is used first."""
        self._keys = {key.version: key for key in keys}
        self._used = keys[0]
        self._clock = clock
        self._entropy = entropy

    def new(self) -> tuple[str, bytes]:
        """(id, challenge of 32 bytes)."""
        raw = bytes([self._used.version]) + self._clock.now().to_bytes(8) + self._entropy.bytes(_CHANCE)
        return b64u(raw), self._mac(self._used, raw)

    def find(self, id: str) -> tuple[bytes, int] | None:
        """(challenge, until when it holds in microseconds) of an id that was given; None when it is over, or none."""
        try:
            raw = b64u_decode(id)
        except ValueError:
            return None
        key = self._keys.get(raw[0]) if len(raw) == _LENGTH else None
        if key is None or b64u(raw) != id:
            return None
        ends = int.from_bytes(raw[1:9]) + LIFE
        now = self._clock.now()
        return (self._mac(key, raw), ends) if now < ends <= now + LIFE + SECOND else None

    @staticmethod
    def _mac(key: MacKey, raw: bytes) -> bytes:
        return key.mac(b"nik-gateway log-in challenge\x00" + raw)  # the key makes DPoP nonces too
