"""What stands behind a caller: its client, its partner with agreements, and the epochs at which those were read.

Steps 3 and 4 read this from memory; the seal refuses what was decided on an older epoch, and then it is read anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.clock import SECOND, Clock
from gateway.errors import Cause, Refused
from gateway.oauth.client import Client
from gateway.partners.agreement import Partner

HOUSE = "house"
_UNKNOWN_LIFE = SECOND  # an unknown client is asked for in the database at most once a second


def partner_scope(partner: str) -> str:
    """The epoch scope of a partner."""
    return f"partner:{partner}"


@dataclass(frozen=True, slots=True)
class Validity:
    """Which tokens of a client hold.

    None while it is `suspended`, none issued before `not_before` (microseconds), none whose `jti` was `revoked`, and none
    that was got with a key which is not among `keys` (RFC 7638 thumbprints) any more.
    """

    suspended: bool = False
    not_before: int = 0
    revoked: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()

    def admit(self, token_id: str, key: str, issued: int) -> None:
        """Raises Refused(INVALID_TOKEN) when a token of this client does not hold any more (FAPI 2.0 §5.3.4 (3)).

        `token_id` is its `jti`, `key` the thumbprint of the key it was got with (empty: with none), `issued` its `iat`.
        """
        if self.suspended:
            raise Refused(Cause.INVALID_TOKEN, fault="the client is suspended")
        if token_id in self.revoked:
            raise Refused(Cause.INVALID_TOKEN, fault="the token was revoked")
        if key and key not in self.keys:
            raise Refused(Cause.INVALID_TOKEN, fault="the key that this token was got with has been removed")
        if issued < self.not_before:
            raise Refused(Cause.INVALID_TOKEN, fault="the token is from before the client's suspension")


@dataclass(frozen=True, slots=True)
class Standing:
    """A client and its partner as they were at `epochs`."""

    client: Client
    partner: Partner
    epochs: Mapping[str, int]
    principals: Mapping[str, Partner] = field(default_factory=dict)  # whom an intermediary may ask for
    validity: Validity = Validity()


@dataclass(frozen=True, slots=True)
class Watermark:
    """Until when a regency's records are known to be complete (microseconds), and whether a gap is open."""

    complete_until: int
    gap: bool


@dataclass(frozen=True, slots=True)
class RegisterRows:
    """What the register holds for a batch.

    Index → (record id, sealed record); earlier entries by id → (leaf, private); watermarks by regency, not newer than
    the records.
    """

    records: Mapping[bytes, tuple[int, bytes]]
    earlier: Mapping[str, tuple[bytes, bytes | None]]
    watermarks: Mapping[str, Watermark]
    cases: Mapping[str, tuple[str, bytes]] = field(
        default_factory=dict
    )  # mended ones: id → partner, tag of the resident
    touched: Mapping[bytes, int] = field(
        default_factory=dict
    )  # index → since when a missing batch touches its resident


class CorridorReads(Protocol):
    """The port through which the corridor reads; every call is one trip to the database for all of a batch."""

    async def standing(self, client_id: str) -> Standing | None:
        """The client, or None when there is none. Raises StoreUnavailable."""

    async def find(self, indexes: Sequence[bytes], earlier: Sequence[str], cases: Sequence[str] = ()) -> RegisterRows:
        """Records by index, earlier entries and mended cases by id, and the watermarks. Raises StoreUnavailable."""


class Directory:
    """Standings in memory, read once and kept until the seal says that they have moved."""

    def __init__(self, reading: CorridorReads, clock: Clock, house_moved: Callable[[], None]) -> None:
        """`house_moved` is called when the house's own epoch has moved: policies are to be read anew."""
        self._reading = reading
        self._clock = clock
        self._house_moved = house_moved
        self._known: dict[str, Standing] = {}
        self._unknown: dict[str, int] = {}
        self._doubted: dict[str, int] = {}

    def recall(self, client_id: str) -> Standing | None:
        """The standing when it is in memory."""
        return self._known.get(client_id)

    async def standing(self, client_id: str) -> Standing | None:
        """The standing, from memory or the database; None when there is no such client."""
        known = self._known.get(client_id)
        if known is not None:
            return known
        now = self._clock.now()
        if self._unknown.get(client_id, 0) > now:
            return None
        found = await self._reading.standing(client_id)
        if found is None:
            if len(self._unknown) > 10_000:  # noqa: PLR2004  names that anyone may invent must not fill the memory
                self._unknown.clear()
            self._unknown[client_id] = now + _UNKNOWN_LIFE
        else:
            self._known[client_id] = found
        return found

    def doubt(self, client_id: str) -> bool:
        """Drop the standing by which a client was not known; whether it is worth a second look.

        Such a refusal is not sealed, so no seal ever tells that it has moved. Once a second: anyone may name a client.
        """
        now = self._clock.now()
        if client_id not in self._known or self._doubted.get(client_id, 0) > now:
            return False
        self._doubted[client_id] = now + SECOND
        del self._known[client_id]
        return True

    def forget(self, epochs: Mapping[str, int]) -> None:
        """Drop every standing that was read at other counts than `epochs`."""
        stale = [
            client_id
            for client_id, standing in self._known.items()
            if any(standing.epochs.get(scope, count) != count for scope, count in epochs.items())
        ]
        if any(self._known[client_id].epochs.get(HOUSE) != epochs.get(HOUSE) for client_id in stale):
            self._house_moved()
        for client_id in stale:
            del self._known[client_id]
