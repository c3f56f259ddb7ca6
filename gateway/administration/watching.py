"""When is looking again no new reading? The same call of the same session, within a minute of the entry that tells of it.

Who watches a page that renews itself leaves one entry a minute and process, and not one for every few seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import msgspec

from gateway.administration.calls import Administration
from gateway.administration.commands import View
from gateway.clock import SECOND, Clock
from gateway.errors import Refused
from gateway.oauth.client import Caller
from gateway.sealing.submission import Sealed

WATCHED = 60
"""Seconds for which one entry stands for looking again; the entry says so (`watched`)."""
_encode = msgspec.json.Encoder().encode


class Watching:
    """Views that are looked at again and again. Kept in this process alone: another one makes an entry of its own."""

    def __init__(self, administration: Administration, clock: Clock) -> None:
        self._administration = administration
        self._clock = clock
        self._until: dict[tuple[str, str, bytes], int] = {}

    async def read(  # noqa: PLR0913  as Administration.read
        self,
        id: str,
        caller: Caller,
        language: str,
        scope: str,
        raw: bytes,
        make: Callable[[], View],
        *,
        again: bool,
    ) -> Sealed:
        """As `Administration.read`; with `again` without an entry where one stands for it. What is refused is always sealed."""
        key = (caller.token_id, scope, raw)
        if again and self._until.get(key, 0) > self._clock.now():
            try:
                shown = await self._administration.glance(caller, scope, make)
            except Refused:
                self._until.pop(key, None)  # another look may have dropped it meanwhile
            else:
                return Sealed(200, shown.raw or _encode(shown.document))
        sealed = await self._administration.read(
            id, caller, language, scope, raw, lambda: dataclasses.replace(make(), watched=WATCHED)
        )
        if not sealed.cause:
            now = self._clock.now()
            self._until = {kept: until for kept, until in self._until.items() if until > now}
            self._until[key] = now + WATCHED * SECOND
        return sealed
