"""What happens to one call of a partner between its headers and its answer? The routes that need a token, as bare ASGI.

The order is the corridor's: 1 identify before any body is read, 2 parse, 3–7 in `verification`, 8 answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
from litestar.types import Receive, Scope, Send

from gateway.clock import SECOND, uuid7
from gateway.errors import CallerGone, Cause, CommitUnknown, KeysUnavailable, Refusal, Refused, StoreUnavailable
from gateway.ledger.log.canonical import canonical
from gateway.oauth.client import Caller
from gateway.sealing.submission import Repeat, Sealed
from gateway.verification.corridor import Call, ParsedQuestion
from gateway.verification.request import parse_batch, parse_item, parse_question
from gateway.web.api.components import Components
from gateway.web.http.certificate import certificate_of
from gateway.web.http.exchange import JSON, PROBLEM, encode, has_gone, peer, read_body, send_response
from gateway.web.http.headers import (
    Headers,
    address,
    challenge,
    check_digest,
    idempotency_key,
    parse_headers,
    preferred_language,
    rate_limit,
    request_id,
    require_json,
)

SCOPE = "nik.verify"
_log = structlog.get_logger("gateway.web")
Ask = Callable[[str, Caller, str, Headers, Receive], Awaitable[Sealed]]


class Calls:
    """The routes under `/v1` that partners call."""

    def __init__(self, components: Components) -> None:
        self._components = components

    async def verify(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /v1/verifications`."""
        await self.exchange(scope, receive, send, "POST", "/v1/verifications", self._verify)

    async def verify_batch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /v1/verifications/batch`."""
        await self.exchange(scope, receive, send, "POST", "/v1/verifications/batch", self._verify_batch)

    async def agreement(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`GET /v1/agreement`."""
        await self.exchange(scope, receive, send, "GET", "/v1/agreement", self._agreement)

    async def usage(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`GET /v1/usage`."""
        await self.exchange(scope, receive, send, "GET", "/v1/usage", self._usage)

    async def exchange(  # noqa: PLR0913  ASGI's three and what the route is; one place for every way to say no
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        method: str,
        path: str,
        ask: Ask,
        *,
        label: str = "",
        media: bytes = JSON,
        more: Callable[[Sealed], Sequence[tuple[bytes, bytes]]] = lambda sealed: (),  # noqa: ARG005
    ) -> None:
        """`label` is the path with names for its parameters: metrics and logs never hold what a caller wrote there.

        `media` is what an answer is; a refusal is a problem document. `more` gives the headers that an answer has beside.
        """
        components = self._components
        label = label or path
        # As it was sent: what is signed, and what a proof names, is that (RFC 9421 §2.2.2); decoded it may be no ASCII.
        path = scope.get("raw_path", b"").decode("latin-1") or path
        began = components.clock.now()
        headers = parse_headers(scope["headers"])
        language = preferred_language(headers.accept_language)
        id = uuid7(began, components.entropy)
        caller: Caller | None = None
        try:
            if scope.get("method") != method:
                raise Refused(Cause.METHOD_NOT_ALLOWED, allowed=[method])  # noqa: TRY301
            caller = await self._identify(scope, headers, method, path)
            await components.rate_limiter.admit_client(caller.client_id)
            sealed = await ask(id, caller, language, headers, receive)
        except Refused as refused:
            sealed = self._unsealed(refused.refusal, language, id)
        except CommitUnknown:
            sealed = self._unsealed(Refusal(Cause.LEDGER_UNAVAILABLE, {"retry_after": 1}), language, id, unknown=True)
        except StoreUnavailable:
            sealed = self._unsealed(Refusal(Cause.REGISTER_UNAVAILABLE, {"retry_after": 1}), language, id)
        except CallerGone:
            return
        except Exception:  # noqa: BLE001  fail closed: nobody is told more than to come back
            _log.exception("a call failed", route=label, call=id)
            sealed = self._unsealed(Refusal(Cause.REGISTER_UNAVAILABLE, {"retry_after": 1}), language, id, unknown=True)
        extra = self._extra(sealed, headers, id, method)
        if caller is not None and sealed.signed:
            query = scope["query_string"]
            try:
                extra += components.signer.sign(sealed.status, sealed.body, method, path, query, headers.content_digest)
            except KeysUnavailable:  # sealed, and perhaps billed, a moment ago; its Idempotency-Key brings the answer
                refusal = Refusal(Cause.REGISTER_UNAVAILABLE, {"retry_after": 1})
                sealed = self._unsealed(refusal, language, id, unknown=True)
                extra = self._extra(sealed, headers, id, method)
        if not sealed.cause:
            extra += more(sealed)
        await send_response(send, sealed.status, sealed.body, PROBLEM if sealed.cause else media, tuple(extra))
        partner = "" if caller is None else caller.partner
        components.metrics.note(label, sealed.cause or "answer", partner, (components.clock.now() - began) / SECOND)

    def _extra(self, sealed: Sealed, headers: Headers, id: str, method: str) -> list[tuple[bytes, bytes]]:
        """The headers of a response beside those of its body."""
        components = self._components
        extra = [(b"x-request-id", request_id(headers, id).encode()), *rate_limit(sealed.readings)]
        if sealed.revision:
            extra.append((b"etag", f'"{sealed.revision}"'.encode()))
        if sealed.status == 401:  # noqa: PLR2004  RFC 9110 §15.5.2
            own, certificates = bool(headers.authorization), bool(components.mtls_base_url)
            told = challenge(Cause(sealed.cause), components.issuer, credentials=own, certificates=certificates)
            extra.append((b"www-authenticate", told))
        elif sealed.status == 405:  # noqa: PLR2004  RFC 9110 §15.5.6
            extra.append((b"allow", method.encode()))
        # ParsedQuestion for, or the next one beforehand (RFC 9449 §8.2).
        if sealed.cause == Cause.USE_DPOP_NONCE or (
            components.proofs.nonce_required and headers.dpop and sealed.status not in {401, 405}
        ):
            extra.append((b"dpop-nonce", components.proofs.nonce().encode()))
        if sealed.retry_after:
            extra.append((b"retry-after", str(sealed.retry_after).encode()))
        if len(headers.interaction_id) == 36:  # noqa: PLR2004  a UUID, echoed for those who trace by it
            told_id = request_id(Headers(request_id=headers.interaction_id), id)
            extra.append((b"x-fapi-interaction-id", told_id.encode()))
        return extra

    async def _identify(self, scope: Scope, headers: Headers, method: str, path: str) -> Caller:  # 1
        components = self._components
        origin = address(peer(scope), headers, components.proxies)
        await components.rate_limiter.admit_address(origin)
        try:
            certificate = certificate_of(scope, headers, components.proxies)
            proven = (headers.authorization, headers.dpop, method, path, origin, certificate)
            try:
                caller = components.identifier.identify(*proven)
            except Refused:
                if components.external is None or not await components.external.renewed():
                    raise
                caller = components.identifier.identify(*proven)  # another issuer signs with a new key
        except Refused as refused:
            components.unidentified[refused.refusal.cause] = components.unidentified.get(refused.refusal.cause, 0) + 1
            await components.rate_limiter.count_failure(origin)
            raise
        return caller

    def _unsealed(self, refusal: Refusal, language: str, id: str, *, unknown: bool = False) -> Sealed:
        """A refusal for which no seal could be had, or whose caller is not known."""
        status, document = self._components.problems(refusal, language, id)
        if unknown:
            document["billed"] = None
        after = refusal.facts.get("retry_after", 0)
        return Sealed(status, encode(document), (), after if isinstance(after, int) else 0, refusal.cause)

    async def _verify(self, id: str, caller: Caller, language: str, headers: Headers, receive: Receive) -> Sealed:
        call, body = await self._begin(id, caller, language, headers, receive)
        if call.refusal is None:
            try:
                question = parse_question(body)  # 2
                call.asked = (ParsedQuestion(question, None, canonical(question)),)
            except Refused as refused:
                call.refusal = refused.refusal
        return await self._components.corridor.verify(call, lambda: has_gone(receive))

    async def _verify_batch(self, id: str, caller: Caller, language: str, headers: Headers, receive: Receive) -> Sealed:
        call, body = await self._begin(id, caller, language, headers, receive)
        if call.refusal is None:
            try:
                batch = parse_batch(body)
            except Refused as refused:
                call.refusal = refused.refusal
            else:
                asked = []
                for raw in batch.items:
                    ref, question = parse_item(raw, batch)
                    told = bytes(raw) if isinstance(question, Refusal) else canonical(question)
                    asked.append(ParsedQuestion(question, ref, told))
                call.asked, call.batch, call.whole = tuple(asked), True, batch.partial is not True
                call.purpose = batch.purpose
        return await self._components.corridor.verify(call, lambda: has_gone(receive))

    async def _begin(
        self, id: str, caller: Caller, language: str, headers: Headers, receive: Receive
    ) -> tuple[Call, bytes]:
        """The call with its body read; what is wrong with the call as a whole becomes its refusal."""
        refusal: Refusal | None = None
        body = b""
        repeat: Repeat | None = None
        try:
            body = await read_body(receive, headers.content_length)
            if SCOPE not in caller.scopes:
                raise Refused(Cause.INSUFFICIENT_SCOPE, scope=SCOPE)  # noqa: TRY301  refusals have one way out
            require_json(headers)
            if headers.content_digest:
                check_digest(headers.content_digest, body)
            key = idempotency_key(headers.idempotency_key)
            if key is not None:
                repeat = Repeat.of(f"{caller.partner}\0{key}", body, self._components.idempotency)
        except Refused as refused:
            refusal = refused.refusal
        return Call(
            id,
            caller,
            language,
            (ParsedQuestion(refusal or _NOTHING, None, body),),
            body,
            repeat=repeat,
            refusal=refusal,
        ), body

    async def _agreement(self, id: str, caller: Caller, language: str, headers: Headers, receive: Receive) -> Sealed:
        refusal = await _read_nothing(caller, headers, receive)
        if refusal is not None:
            return await self._components.plain.refuse(id, caller, language, refusal, b"")
        return await self._components.plain.agreement(id, caller, language)

    async def _usage(self, id: str, caller: Caller, language: str, headers: Headers, receive: Receive) -> Sealed:
        refusal = await _read_nothing(caller, headers, receive)
        if refusal is not None:
            return await self._components.plain.refuse(id, caller, language, refusal, b"")
        return await self._components.plain.usage(id, caller, language)


async def _read_nothing(caller: Caller, headers: Headers, receive: Receive) -> Refusal | None:
    """What is wrong with a call that asks for a partner's own papers; what it sends as a body is only measured."""
    if SCOPE not in caller.scopes:
        return _NO_SCOPE
    if headers.content_digest:
        try:
            check_digest(headers.content_digest, await read_body(receive, headers.content_length))
        except Refused as refused:
            return refused.refusal
    return None


_NO_SCOPE = Refusal(Cause.INSUFFICIENT_SCOPE, {"scope": SCOPE})
_NOTHING = Refusal(Cause.MALFORMED_REQUEST, {"members": ["body"]})
