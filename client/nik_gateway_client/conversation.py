"""In which order does a partner speak with the gateway? Token, proof, question, retry: all of it without any I/O.

Both clients drive these talks, so there is one order. Retries: only what the problem calls `retryable`, or no reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from nik_gateway_client.answers import Answer, answer_of, check_receipt
from nik_gateway_client.causes import ProblemSlug
from nik_gateway_client.clock import LocalClock, LocalEntropy, uuid7
from nik_gateway_client.contents import parsed
from nik_gateway_client.limits import Limit, limits_of, retry_after_of
from nik_gateway_client.profile import Profile
from nik_gateway_client.questions import BatchContext, Context, Question, batch, posting, reading, verification
from nik_gateway_client.refusals import Distrusted, NoAnswer, Refusal, Unreachable, refusal_of
from nik_gateway_client.steps import Pause, Reply, Send, T, Talk
from nik_gateway_client.tokens import Metadata, Purse, Token
from nik_gateway_client.trust import TEXT, Trust, Verified

_UNAUTHORISED = 401
_ERROR = re.compile(r'\berror="([a-z_]+)"')


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try. Seconds; `attempts` counts the first one.

    Without a Retry-After the pause before attempt n + 1 is chosen at random up to `first * 2 ** (n - 1)`, at most
    `longest`. A Retry-After is kept to; one longer than `longest_asked` ends the call instead.
    """

    attempts: int = 4
    first: float = 0.2
    longest: float = 5.0
    longest_asked: float = 30.0


class Conversation:
    """Everything that a partner can ask, as talks. Raises ProfileFault when a key cannot be used."""

    def __init__(self, profile: Profile, clock: LocalClock, entropy: LocalEntropy, patience: Patience) -> None:
        self.limits: tuple[Limit, ...] = ()
        self._purse = Purse(profile, clock, entropy)
        self._trust = Trust(profile, clock)
        self._endpoint = profile.endpoint
        self._clock = clock
        self._entropy = entropy
        self._patience = patience

    def metadata(self) -> Talk[Metadata]:
        """See `GatewayClient.metadata`."""
        return (yield from self._purse.metadata())

    def token(self) -> Talk[Token]:
        """See `GatewayClient.token`."""
        return (yield from self._purse.token())

    def verify(
        self, nik: str | None, purpose: str, claims: Mapping[str, str], **context: Unpack[Context]
    ) -> Talk[Answer]:
        """See `GatewayClient.verify`."""
        question = verification(nik, purpose, claims, context, self._fresh_key())
        request = question.requests[0][1]
        return (yield from self._asked(question, lambda document: answer_of(document, request)))

    def verify_batch(
        self, purpose: str, items: Sequence[Mapping[str, Any]], **context: Unpack[BatchContext]
    ) -> Talk[list[Answer | Refusal]]:
        """See `GatewayClient.verify_batch`."""
        question = batch(purpose, items, context, self._fresh_key())
        return (yield from self._asked(question, lambda document: _items(question, document)))

    def read(self, path: str) -> Talk[Mapping[str, Any]]:
        """The JSON object at a path below the resource."""
        return (yield from self._asked(reading(path), lambda document: document))

    def post(self, path: str, body: bytes) -> Talk[tuple[int, Mapping[str, Any]]]:
        """See `GatewayClient.post`."""
        question = posting(path, body, self._fresh_key())
        return (yield from self._retried(question, lambda verified: (verified.status, verified.document)))

    def receipt(self, id: str) -> Talk[str]:
        """See `GatewayClient.receipt`."""
        question = reading(f"/receipts/{id}", TEXT)
        for attempt in range(1, self._patience.attempts + 1):
            try:
                return (yield from self._asked(question, lambda document: str(document["text"])))
            except Refusal as refusal:
                after = refusal.retry_after
                last = attempt == self._patience.attempts or after is None or after > self._patience.longest_asked
                if refusal.slug != ProblemSlug.NOT_FOUND or last or after is None:
                    raise
            yield Pause(after)  # no checkpoint covers the entry yet
        raise AssertionError  # the last attempt has returned or raised

    def _fresh_key(self) -> str:
        return uuid7(self._clock.now(), self._entropy)

    def _asked(self, question: Question, read: Callable[[Mapping[str, Any]], T]) -> Talk[T]:
        return (yield from self._retried(question, lambda verified: read(verified.document)))

    def _retried(self, question: Question, read: Callable[[Verified], T]) -> Talk[T]:
        attempt = 1
        doubt = False
        while True:
            try:
                return read((yield from self._attempted(question)))
            except NoAnswer as error:
                error.idempotency_key = question.idempotency_key
                doubt = doubt or error.billed is None
                if doubt and not error.billed:
                    error.billed = None  # an earlier attempt may have been answered and lost on its way
                pause = self._pause(error, attempt)
                if pause is None:
                    raise
            yield Pause(pause)
            attempt += 1

    def _pause(self, error: NoAnswer, attempt: int) -> float | None:
        """Seconds to wait before asking again, or None to give up."""
        patience = self._patience
        if not error.retryable or attempt >= patience.attempts:
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= patience.longest_asked else None
        # full jitter: partners that were refused together do not come back together
        chance = int.from_bytes(self._entropy.bytes(4), "big") / 2**32
        return chance * min(patience.longest, patience.first * 2.0 ** (attempt - 1))

    def _attempted(self, question: Question) -> Talk[Verified]:
        renewed = nonced = False
        while True:
            token = yield from self._purse.token()
            yield from self._trust.ready()
            sent = self._worded(question, token)
            reply: Reply = yield sent
            told = self._purse.note_nonce(sent.url, reply)
            if reply.status == _UNAUTHORISED:
                error = _bearer_error(reply)
                if error == "use_dpop_nonce" and told and not nonced:
                    nonced = True
                    continue
                if error == "invalid_token" and not renewed:
                    renewed = True
                    self._purse.forget(token)
                    continue
            verified = yield from self._trust.verified(sent, reply)
            self.limits = limits_of(reply.headers) or self.limits
            if verified.answered:
                return verified
            check_receipt(verified.document, required=False)
            refusal = refusal_of(verified.document, reply.status, retry_after_of(reply.headers, self._clock.now()))
            if not verified.vouched:
                refusal.billed = None  # whoever wrote this, the question may have been answered
            raise refusal

    def _worded(self, question: Question, token: Token) -> Send:
        url = self._endpoint + question.path
        headers = {
            "Accept": f"{question.accept}, application/problem+json",
            "Accept-Encoding": "identity",  # answers are never compressed
            "Accept-Language": question.language,
            "Authorization": f"{self._purse.scheme()} {token.value}",
            **self._purse.binding(question.method, url, token.value),
        }
        if question.content:
            headers["Content-Type"] = "application/json"
            headers["Content-Digest"] = question.digest
            headers["Idempotency-Key"] = f'"{question.idempotency_key}"'
        if question.encoding:
            headers["Content-Encoding"] = question.encoding
        return Send(question.method, url, headers, question.content)


def _items(question: Question, document: Mapping[str, Any]) -> list[Answer | Refusal]:
    items = document.get("items")
    asked = question.requests
    if not isinstance(items, list) or len(items) != len(asked):
        raise Distrusted("the batch's reply does not hold an item for each that was asked")
    outcomes: list[Answer | Refusal] = []
    for item, (ref, request) in zip(items, asked, strict=True):
        # an item that could not be parsed is refused without its ref: its place tells which it is
        unnamed = isinstance(item, dict) and "ref" not in item and "usable" not in item
        if not isinstance(item, dict) or not (unnamed or item.get("ref") == ref):
            raise Distrusted("the batch's reply is not in the order in which it was asked")
        item = {name: value for name, value in item.items() if name != "ref"}  # noqa: PLW2901  as it was sealed
        if "usable" in item:
            outcomes.append(answer_of(item, request, ref))
        elif isinstance(item.get("type"), str) and isinstance(item.get("status"), int):
            check_receipt(item, required=False)
            refusal = refusal_of(item, item["status"], None, ref)
            refusal.idempotency_key = question.idempotency_key
            outcomes.append(refusal)
        else:
            raise Distrusted("an item of the batch's reply is neither an answer nor a problem")
    return outcomes


def _bearer_error(reply: Reply) -> str:
    """What a 401 complains of, by its challenge (RFC 6750 §3) or else by its problem's slug."""
    found = _ERROR.search(reply.headers.get("www-authenticate", ""))
    if found:
        return found[1]
    problem = parsed(reply.content) or {}
    return str(problem.get("type", "")).rsplit("/", 1)[-1].replace("-", "_")


def lost(reason: str, *, unsent: bool) -> Unreachable:
    """The exception for a transport's failure; `unsent` when the request cannot have arrived.

    A certificate that is not trusted now will not be a moment later, so that is not retried.
    """
    error = Unreachable(reason)
    error.billed = False if unsent else None
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        error.certificate, error.retryable = True, False
    return error
