"""Which key does which job? One key per job, each with `kid` and version; nothing outside this room sees key bytes."""

from gateway.keyring.keys import Job, Keyring, MacKey, SealKey, SigningKey

__all__ = ["Job", "Keyring", "MacKey", "SealKey", "SigningKey"]
