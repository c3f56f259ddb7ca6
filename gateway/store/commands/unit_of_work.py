"""What does an act need, and what does it leave? The books it may write in, and the deed that becomes its entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from gateway.clock import Entropy
from gateway.ledger.log.entry import Kind
from gateway.partners.present import Reach
from gateway.partners.purposes import PurposeCatalogue
from gateway.store.search.copy import AuditTools

PARTNER_SCOPES = ("nik.verify",)
STAFF = "dukcapil"
"""Whom the clients of administrators, auditors and regency offices belong to."""


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """A transaction under the sealing lock. `now` is database time in microseconds."""

    connection: Connection
    now: int
    entropy: Entropy
    purposes: PurposeCatalogue
    audit_tools: AuditTools | None = None
    reach: Reach = Reach()  # noqa: RUF009  a value


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What was done.

    `answer` is told to whoever did it; `private` goes into the private part of the entry, with digests before and after.
    `moved` are the partners whose standing has changed.
    """

    kind: Kind
    answer: Mapping[str, Any]
    private: Mapping[str, Any]
    agreement: str = ""
    moved: Sequence[str] = ()
    shown: tuple[str, Mapping[str, str]] | None = field(default=None)  # the view whose revision the answer bears
