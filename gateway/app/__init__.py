"""How are the rooms put together? `build` makes the web application of one worker, `seal_for_workers` the one sealer.

The only room that knows every other; nothing here decides anything.
"""

from gateway.app.appending import guard, open_to_append
from gateway.app.deployment import (
    Deployment,
    authorities_of,
    load_keys,
    lock_sealer,
    metrics_token_of,
    open_deployment,
    slot_of,
)
from gateway.app.logs import configure_logging
from gateway.app.publishing import keeper_of
from gateway.app.sealing import seal_for_workers
from gateway.app.worker import build

__all__ = [
    "Deployment", "authorities_of", "build", "configure_logging", "guard", "keeper_of", "load_keys", "lock_sealer",
    "metrics_token_of", "open_deployment", "open_to_append", "seal_for_workers", "slot_of",
]  # fmt: skip
