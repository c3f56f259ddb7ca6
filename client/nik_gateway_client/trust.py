"""May this reply be believed? The one place where a response is verified before anything reads its members.

Signature (RFC 9421) first, then the digest of the content (RFC 9530), then its form.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nik_gateway_client.answer_keys import AnswerKeys
from nik_gateway_client.causes import ProblemSlug
from nik_gateway_client.clock import SECOND, LocalClock
from nik_gateway_client.contents import check_digest, parsed
from nik_gateway_client.profile import Profile
from nik_gateway_client.refusals import Distrusted
from nik_gateway_client.signature import FRESH, Signed, signed
from nik_gateway_client.steps import Reply, Send, Talk

TEXT = "text/plain"
_SUCCESS = range(200, 300)
BEFORE_IDENTITY = frozenset({
    ProblemSlug.INVALID_TOKEN, ProblemSlug.INVALID_DPOP_PROOF, ProblemSlug.USE_DPOP_NONCE, ProblemSlug.RATE_EXCEEDED,
    ProblemSlug.OVERLOADED,
    ProblemSlug.REGISTER_UNAVAILABLE, ProblemSlug.METHOD_NOT_ALLOWED, ProblemSlug.NOT_FOUND,
})  # fmt: skip
"""What a gateway says before it knows who asks, and so without a signature: none of it says anything of a resident."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A reply that was let through, with its JSON object. `vouched` is False for a problem that bore no signature."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    vouched: bool = True

    @property
    def answered(self) -> bool:
        """Whether this is an answer; else it is a problem document."""
        return self.status in _SUCCESS


class Trust:
    """What one client believes of one gateway: its keys, and which signatures it has met."""

    def __init__(self, profile: Profile, clock: LocalClock) -> None:
        self._expected = profile.signed_answers
        self._keys = AnswerKeys(profile, clock)
        self._clock = clock
        self._met: dict[bytes, str] = {}  # signature → the call that it came for
        self._numbers = itertools.count()
        self._order: deque[tuple[int, bytes]] = deque()
        self._turn = threading.Lock()

    def ready(self) -> Talk[None]:
        """To be gone through before a question is put. Raises NoAnswer when its answer could not be verified."""
        if self._expected:
            yield from self._keys.ready()

    def verified(self, sent: Send, reply: Reply) -> Talk[Verified]:
        """Let a reply through, or raise Distrusted. `sent` is the request it answers."""
        if not self._expected:
            return read_response(sent, reply)
        signature = signed(sent, reply)
        if signature is None:
            return _unsigned(sent, read_response(sent, reply))
        key = yield from self._keys.find(signature.kid)
        now = self._clock.now() // SECOND
        signature.check(key, now)
        verified = read_response(sent, reply)
        self._meet(signature, sent, now)
        return verified

    def _meet(self, signature: Signed, sent: Send, now: int) -> None:
        """Every call gets a signature of its own; the same again is the repeat of one call, or somebody replays it."""
        call = sent.headers.get("Idempotency-Key") or str(next(self._numbers))
        with self._turn:
            while self._order and self._order[0][0] < now - 2 * FRESH:
                self._met.pop(self._order.popleft()[1], None)
            if signature.value not in self._met:
                self._met[signature.value] = call
                self._order.append((now, signature.value))
            elif self._met[signature.value] != call:
                raise Distrusted(f"{sent.method} {sent.url}: the reply is that of an earlier call")


def read_response(sent: Send, reply: Reply) -> Verified:
    """A reply whose digest and form are right; of signatures it knows nothing. Raises Distrusted."""
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise Distrusted(f"{sent.method} {sent.url}: the reply is encoded although identity was asked for")
    check_digest(reply)
    media = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    wanted = sent.headers.get("Accept", "").partition(",")[0]
    expected = wanted if reply.status in _SUCCESS else "application/problem+json"
    document = parsed(reply.content)
    if media == expected == TEXT:
        document = {"text": reply.content.decode("utf-8", "replace")}
    if media != expected or document is None:
        shown = media if re.fullmatch(r"[\w.+/-]{1,60}", media) else "no media type"
        raise Distrusted(f"{sent.method} {sent.url}: {reply.status} with {shown}, not the {expected} of a gateway")
    return Verified(reply.status, reply.headers, document)


def _unsigned(sent: Send, verified: Verified) -> Verified:
    """A problem that comes before identity is let through as what it is; everything else must be signed."""
    slug = str(verified.document.get("type", "")).rsplit("/", 1)[-1]
    if verified.answered or slug not in BEFORE_IDENTITY or "entry" in verified.document:
        raise Distrusted(
            f"{sent.method} {sent.url}: the reply is not signed. Where the agreement switches signing off, the profile "
            "says signed_answers = false"
        )
    return Verified(verified.status, verified.headers, verified.document, vouched=False)
