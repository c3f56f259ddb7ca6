"""What of the log does everybody see? The checkpoint, who has cosigned it when, and what this node keeps outside the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.administration.commands import Shown, View
from gateway.clock import SECOND, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.ledger.publication.checkpoint import Checkpoint, verify
from gateway.store.audit.searches import audit_tools
from gateway.store.commands.query import ReadContext
from gateway.store.search.copy import followed, size_of


def checkpoint(context: ReadContext, view: View) -> Shown:  # noqa: ARG001  every view is told what was asked
    """`GET /v1/ledger/checkpoint`: the published note, who has cosigned it and when, and the copy kept outside the database."""
    keeper = audit_tools(context).published.keeper
    note, kept = keeper.public(), keeper.kept()
    if note is None or kept is None:
        raise Refused(Cause.NOT_FOUND, retry_after=2)
    signed = verify(note, keeper.vkeys(), keeper.witnesses)
    document = {
        **_facts(signed.checkpoint),
        "note": note,
        "published_at": rfc3339_seconds(keeper.published_at()),
        "keys": [str(key) for key in keeper.vkeys()],
        "witnesses": [
            {"name": key.name, "key": str(key), "cosigned_at": _moment(signed.by.get(key))} for key in keeper.witnesses
        ],
        "kept": _facts(kept.checkpoint),
        "entries": size_of(context.connection),
        "searchable": followed(context.connection),
    }
    return Shown(document)


def _facts(held: Checkpoint) -> dict[str, Any]:
    return {"origin": held.origin, "size": held.size, "root": b64u(held.root)}


def _moment(second: int | None) -> str | None:
    """When it was cosigned; None where the published note has no cosignature of this witness."""
    return None if second is None else rfc3339_seconds(second * SECOND)


VIEWS: Mapping[str, Callable[[ReadContext, View], Shown]] = {"checkpoint": checkpoint}
