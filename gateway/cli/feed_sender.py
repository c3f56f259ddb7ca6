"""How do batches get from an office to the centre? In order, as often as it takes, by whatever clock the office has."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from gateway.cli.feed_spool import Spool
from gateway.clock import SECOND, Clock, rfc3339_seconds
from gateway.errors import Cause, Misconfigured, StoreUnavailable
from nik_gateway_client import GatewayClient, NoAnswer, Profile, Refusal

LONGEST_PAUSE = 60.0  # seconds between two tries


class CentreClock:
    """The office's clock, set right by what the centre says the time is: a wrong one would have every token refused."""

    def __init__(self, clock: Clock, profile: Profile) -> None:
        self._clock = clock
        self._profile = profile
        self._ahead = 0

    def now(self) -> int:
        """See `Clock.now`."""
        return self._clock.now() + self._ahead

    def set_right(self) -> None:
        """Ask the centre for the time. Without an answer it stays as it is."""
        try:
            reply = httpx.get(self._profile.metadata_url, verify=self._profile.tls(), timeout=10)
            told = int(parsedate_to_datetime(reply.headers["date"]).timestamp()) * SECOND
        except (httpx.HTTPError, KeyError, ValueError):
            return
        ahead = told - self._clock.now()
        self._ahead = ahead if abs(ahead) > 5 * SECOND else 0


class Sender:
    """Sends what a spool holds for one regency."""

    def __init__(self, spool: Spool, client: GatewayClient, clock: CentreClock, regency: str) -> None:
        self._spool = spool
        self._client = client
        self._clock = clock
        self._path = f"/feeds/{regency}"

    def begin(self, *, resume: bool) -> None:
        """Learn from the centre which number is next, where the office does not know, or no longer trusts its own."""
        if self._spool.state.offset is None or resume:
            self._spool.number_from(int(self._client.read(self._path)["next"]))

    def pack(self) -> int:
        """Make batches of every file that waits; an empty one when none does. How many were made."""
        until = rfc3339_seconds(self._clock.now())
        made = sum(self._spool.pack(path, until) for path in self._spool.files())
        if not made and not self._spool.pending():
            self._spool.beat(until)
            made = 1
        return made

    def send(self, tell: Callable[[int, dict[str, Any]], None]) -> int:
        """Send everything in order; how many batches were taken. Raises NoAnswer, Misconfigured (a gap nobody can fill)."""
        sent = 0
        for number in self._spool.pending():
            answer = self._deliver(number)
            missing = answer.get("missing") or []
            self._fill(missing)
            self._spool.taken(number, answer)
            tell(number, answer)
            sent += 1
        return sent

    def _deliver(self, number: int) -> dict[str, Any]:
        body = self._spool.body(number)
        if body is None:
            raise Misconfigured([f"batch {number} is not kept any more"])
        try:
            _, answer = self._client.post(f"{self._path}/batches", body)
        except Refusal as refusal:
            if refusal.slug == Cause.SEQUENCE_CONFLICT:
                raise Misconfigured(
                    ["the centre has another batch under this number: was a backup restored? Go on with --resume"]
                ) from refusal
            raise
        return dict(answer)

    def _fill(self, missing: list[int]) -> None:
        """Send again what the centre says that it lacks."""
        offset = self._spool.state.offset or 0
        lost = [sequence for sequence in missing if self._spool.body(sequence - offset) is None]
        if lost:
            raise Misconfigured(
                [f"the centre lacks batches that are not kept here any more: {lost}. They need a consolidation"]
            )
        for sequence in missing:
            self._deliver(sequence - offset)


def persist(work: Callable[[], object], clock: CentreClock, tell: Callable[[str], None]) -> None:
    """Do it until it is done: a network that loses packets, a gateway that restarts, a disk that is full."""
    pause = 1.0
    while True:
        try:
            work()
        except NoAnswer as fault:
            if not fault.retryable and isinstance(fault, Refusal):
                raise
            reason = str(fault)
        except (OSError, StoreUnavailable) as fault:
            reason = str(fault)
        else:
            return
        tell(f"not yet: {reason}; again in {pause:.0f} s")
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
        clock.set_right()
