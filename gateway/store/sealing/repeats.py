"""Was an act done under this idempotency key already? What the seal keeps of answers (`sealing.sealer`, step c), for acts."""

from __future__ import annotations

from sqlalchemy import Connection, select

from gateway.store.sealing.tables import repeats


def was_done(connection: Connection, key: bytes, now: int) -> bool:
    """Whether an answer is kept for this key."""
    wanted = select(repeats.c.key).where(repeats.c.key == key, repeats.c.expires > now)
    return connection.execute(wanted).first() is not None
