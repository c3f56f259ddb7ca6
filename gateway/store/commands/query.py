"""What does a view read from, and how is a list cut into pages? Every view is one document from one snapshot."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from gateway.administration.commands import View
from gateway.clock import DAY, jakarta_midnight, parse_rfc3339
from gateway.errors import Cause, Refused
from gateway.partners.lifecycle import digest
from gateway.partners.present import Reach
from gateway.partners.purposes import PurposeCatalogue
from gateway.policy.decide import Decider
from gateway.store.search.copy import AuditTools

PAGE, MOST = 50, 200


def slug_alone(cause: str) -> Mapping[str, Any]:
    """What is told of a cause where nobody has words for it."""
    return {"slug": cause}


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What a view is read from."""

    connection: Connection
    now: int
    purposes: PurposeCatalogue
    decider: Decider
    audit_tools: AuditTools | None = None
    words: Callable[[str], Mapping[str, Any]] = slug_alone  # of a cause, by its slug
    reach: Reach = Reach()  # noqa: RUF009  a value
    replays: bool = False  # deciding the past again takes seconds: never under the sealing lock


_MOVING = frozenset({"replay", "overdue", "suspended_by", "open_sessions"})


def revision(document: Mapping[str, Any]) -> str:
    """What tells one state of a document from another; what moves by itself is left out."""
    return digest({name: value for name, value in document.items() if name not in _MOVING})[:27]


ViewedDocument = tuple[dict[str, Any], str]
"""(document, the agreement that it speaks of)."""


def page(items: Sequence[dict[str, Any]], name: str, query: Mapping[str, str], *, back: bool = False) -> ViewedDocument:
    """One page of a list sorted by its member `name`, downwards when `back`; `next` is the cursor of the next one, or null."""
    text = query.get("limit", str(PAGE))
    limit = int(text) if text.isdecimal() and len(text) < 4 else 0  # noqa: PLR2004  three digits are enough
    if not 1 <= limit <= MOST:
        raise Refused(Cause.MALFORMED_REQUEST, members=["limit"])
    after = query.get("cursor", "")
    left = (
        [each for each in items if (str(each[name]) < after if back else str(each[name]) > after)] if after else items
    )
    shown = left[:limit]
    return {"items": shown, "next": str(shown[-1][name]) if len(left) > limit else None}, ""


def instant(text: str, member: str, *, end: bool = False) -> int:
    """A moment of a query: RFC 3339, or a day in Asia/Jakarta (`end`: until its end). Raises Refused(MALFORMED_REQUEST)."""
    try:
        if len(text) == 10:  # noqa: PLR2004  a day
            return jakarta_midnight(day_of(text)) + (DAY if end else 0)
        return parse_rfc3339(text)
    except (ValueError, Refused) as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=[member]) from fault


def whole_number(text: str, member: str, absent: int, most: int = 1 << 62) -> int:
    """A number of a query, `absent` when there is none. Raises Refused(MALFORMED_REQUEST)."""
    if not text:
        return absent
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or int(text) > most:  # noqa: PLR2004
        raise Refused(Cause.MALFORMED_REQUEST, members=[member])
    return int(text)


def limit_of(view: View, usual: int = PAGE, most: int = MOST) -> int:
    """How many items a page may have. Raises Refused(MALFORMED_REQUEST)."""
    limit = whole_number(view.query.get("limit", ""), "limit", usual, most)
    if not limit:
        raise Refused(Cause.MALFORMED_REQUEST, members=["limit"])
    return limit


def day_of(text: str) -> date:
    """A day in a path. Raises Refused(NOT_FOUND)."""
    try:
        if re.fullmatch(r"2\d{3}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Refused(Cause.NOT_FOUND)


def number(text: str) -> int:
    """A version's number in a path. Raises Refused(NOT_FOUND)."""
    if not re.fullmatch(r"[1-9][0-9]{0,6}", text):
        raise Refused(Cause.NOT_FOUND)
    return int(text)
