"""What does a partner's engineer hold in hand? `GatewayClient` for threads, `AsyncGatewayClient` for an event loop.

Both only move bytes (httpx): what is said, and in which order, is in `conversation.py`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import urlsplit

import httpx

from nik_gateway_client.answers import Answer
from nik_gateway_client.clock import LocalClock, LocalEntropy
from nik_gateway_client.conversation import Conversation, Patience, lost
from nik_gateway_client.limits import Limit
from nik_gateway_client.profile import Profile, is_loopback
from nik_gateway_client.questions import BatchContext, Context
from nik_gateway_client.refusals import NoAnswer, Refusal
from nik_gateway_client.steps import Alone, Pause, Reply, Send, Talk
from nik_gateway_client.tokens import Metadata, Token

T = TypeVar("T")
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class _Client:
    """What both clients are made of."""

    def __init__(
        self,
        profile: Profile | Path | str,
        *,
        clock: LocalClock | None = None,
        entropy: LocalEntropy | None = None,
        patience: Patience | None = None,
        timeout: float = 10.0,
    ) -> None:
        """`profile` is one that was loaded, or the path of a `profile.toml`. Raises ProfileFault."""
        self.profile = profile if isinstance(profile, Profile) else Profile.load(profile)
        self._says = Conversation(
            self.profile, clock or LocalClock(), entropy or LocalEntropy(), patience or Patience()
        )
        self._options: dict[str, Any] = {
            "verify": self.profile.tls(),
            "timeout": timeout,
            "follow_redirects": False,  # a token or a NIK goes to the configured gateway alone
            "trust_env": not is_loopback(urlsplit(self.profile.base_url).hostname or ""),
            "headers": {"User-Agent": "nik-gateway-client"},
        }

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What the last reply said is left of each limit; empty before the first one."""
        return self._says.limits


class GatewayClient(_Client):
    """Asks a gateway, from any thread. Close it, or use it in a `with` statement."""

    def __init__(self, profile: Profile | Path | str, **parts: Any) -> None:  # noqa: ANN401  see _Client
        super().__init__(profile, **parts)
        self._http = httpx.Client(**self._options)
        self._turn = threading.Lock()

    def verify(self, nik: str | None, purpose: str, claims: Mapping[str, str], **context: Unpack[Context]) -> Answer:
        """Ask whether this NIK with these claims is a usable identity right now.

        Raises Refusal when the gateway says no, TokenRefused when it does not know the caller, Unreachable when nothing
        came, Distrusted when what came does not hold together, NotAsked when the question cannot be put: all NoAnswer.
        """
        return self._drive(self._says.verify(nik, purpose, claims, **context))

    def verify_batch(
        self, purpose: str, items: Sequence[Mapping[str, Any]], **context: Unpack[BatchContext]
    ) -> list[Answer | Refusal]:
        """Ask up to 1,000 at once; items are `{"ref", "nik", "claims", "consent"?, …}`, outcomes come in their order.

        A `Refusal` stands in the list where one item was refused; it raises, as `verify` does, when all were at once.
        """
        return self._drive(self._says.verify_batch(purpose, items, **context))

    def agreement(self) -> Mapping[str, Any]:
        """What this partner may ask, needs and owes (`GET /v1/agreement`)."""
        return self._drive(self._says.read("/agreement"))

    def receipt(self, id: str) -> str:
        """The receipt of an answer or refusal of this partner's, by its `id`; waits until a checkpoint covers it.

        Keep it beside the evidence: `check_receipt` proves from the two, offline, which question got which answer.
        """
        return self._drive(self._says.receipt(id))

    def usage(self) -> Mapping[str, Any]:
        """Limits, spent, left, resets and cost (`GET /v1/usage`)."""
        return self._drive(self._says.read("/usage"))

    def failures(self) -> Mapping[str, Any]:
        """Own refused calls, the newest first (`GET /v1/failures`)."""
        return self._drive(self._says.read("/failures"))

    def read(self, path: str) -> Mapping[str, Any]:
        """The JSON object at a path below the resource."""
        return self._drive(self._says.read(path))

    def post(self, path: str, body: bytes) -> tuple[int, Mapping[str, Any]]:
        """(status, document) of a call with a JSON body, which is sent packed; for what no word of its own exists."""
        return self._drive(self._says.post(path, body))

    def metadata(self) -> Metadata:
        """What the gateway says of itself; asked for once."""
        return self._drive(self._says.metadata())

    def token(self) -> Token:
        """The access token in use; a new one when it is about to expire."""
        return self._drive(self._says.token())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _drive(self, talk: Talk[T]) -> T:
        try:
            step = next(talk)
            while True:
                outcome = self._outcome(step)
                step = talk.throw(outcome) if isinstance(outcome, NoAnswer) else talk.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result

    def _outcome(self, step: Send | Pause | Alone) -> object:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        if isinstance(step, Alone):
            with self._turn:
                try:
                    return self._drive(step.talk)
                except NoAnswer as error:
                    return error
        try:
            # raw, not decoded: the digest in a reply's headers is that of the bytes as sent
            with self._http.stream(
                step.method, self.profile.address(step.url), headers=step.headers, content=step.content
            ) as got:
                reply = Reply(got.status_code, got.headers, b"".join(got.iter_raw()))
        except httpx.TransportError as error:
            reason = f"{step.method} {step.url}: {type(error).__name__}: {error}"
            unsent = isinstance(error, _UNSENT)
        else:
            return reply
        # made here, outside the handler: httpx's own exception holds the request, NIK and all
        return lost(reason, unsent=unsent)


class AsyncGatewayClient(_Client):
    """Asks a gateway from one event loop; the same calls as `GatewayClient`, awaited. Use it in `async with`."""

    def __init__(self, profile: Profile | Path | str, **parts: Any) -> None:  # noqa: ANN401  see _Client
        super().__init__(profile, **parts)
        self._http = httpx.AsyncClient(**self._options)
        self._turn = asyncio.Lock()

    async def verify(
        self, nik: str | None, purpose: str, claims: Mapping[str, str], **context: Unpack[Context]
    ) -> Answer:
        """See `GatewayClient.verify`."""
        return await self._drive(self._says.verify(nik, purpose, claims, **context))

    async def verify_batch(
        self, purpose: str, items: Sequence[Mapping[str, Any]], **context: Unpack[BatchContext]
    ) -> list[Answer | Refusal]:
        """See `GatewayClient.verify_batch`."""
        return await self._drive(self._says.verify_batch(purpose, items, **context))

    async def agreement(self) -> Mapping[str, Any]:
        """See `GatewayClient.agreement`."""
        return await self._drive(self._says.read("/agreement"))

    async def receipt(self, id: str) -> str:
        """See `GatewayClient.receipt`."""
        return await self._drive(self._says.receipt(id))

    async def usage(self) -> Mapping[str, Any]:
        """See `GatewayClient.usage`."""
        return await self._drive(self._says.read("/usage"))

    async def failures(self) -> Mapping[str, Any]:
        """See `GatewayClient.failures`."""
        return await self._drive(self._says.read("/failures"))

    async def metadata(self) -> Metadata:
        """See `GatewayClient.metadata`."""
        return await self._drive(self._says.metadata())

    async def token(self) -> Token:
        """See `GatewayClient.token`."""
        return await self._drive(self._says.token())

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _drive(self, talk: Talk[T]) -> T:
        try:
            step = next(talk)
            while True:
                outcome = await self._outcome(step)
                step = talk.throw(outcome) if isinstance(outcome, NoAnswer) else talk.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _outcome(self, step: Send | Pause | Alone) -> object:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        if isinstance(step, Alone):
            async with self._turn:
                try:
                    return await self._drive(step.talk)
                except NoAnswer as error:
                    return error
        try:
            async with self._http.stream(
                step.method, self.profile.address(step.url), headers=step.headers, content=step.content
            ) as got:
                reply = Reply(got.status_code, got.headers, b"".join([part async for part in got.aiter_raw()]))
        except httpx.TransportError as error:
            reason = f"{step.method} {step.url}: {type(error).__name__}: {error}"
            unsent = isinstance(error, _UNSENT)
        else:
            return reply
        # made here, outside the handler: httpx's own exception holds the request, NIK and all
        return lost(reason, unsent=unsent)
