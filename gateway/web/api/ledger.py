"""How is the log published? Checkpoint, tiles and keys for everybody (C2SP tlog-tiles), receipts for their own partner."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.types import Receive, Scope, Send
from msgspec.structs import replace

from gateway.errors import Cause, LedgerFault, Refusal
from gateway.ledger.publication.rhythm import NotYet, Publication
from gateway.oauth.client import Caller
from gateway.sealing.submission import Sealed
from gateway.web.api.calls import SCOPE, Calls
from gateway.web.api.components import Components
from gateway.web.http.exchange import peer
from gateway.web.http.headers import Headers, address, parse_headers
from gateway.web.http.shared import Shared

TEXT = b"text/plain; charset=utf-8"
COVERED_IN = 2  # seconds until the next checkpoint
_NO_SCOPE = Refusal(Cause.INSUFFICIENT_SCOPE, {"scope": SCOPE})
_FRESH = {"cache-control": "no-cache", "access-control-allow-origin": "*"}
_FOREVER = {"cache-control": "public, max-age=31536000, immutable", "access-control-allow-origin": "*"}


def pages(components: Components) -> list[Any]:
    """The public route handlers."""
    log: Publication = components.log
    newest = Shared(partial(asyncio.to_thread, log.checkpoint), components.clock)

    @get("/ledger/checkpoint", summary="The log's signed checkpoint, with cosignatures (C2SP tlog-checkpoint)")
    async def checkpoint() -> Response[str]:
        note = await newest.get()
        if note is None:
            raise NotFoundException
        return Response(note, media_type="text/plain", headers=_FRESH)

    @get("/ledger/keys", summary="The log's verifier keys, one a line (C2SP signed-note)")
    async def keys() -> Response[str]:
        return Response(log.keys(), media_type="text/plain", headers=_FRESH)

    @get("/ledger/tile/{tile:path}", summary="A tile of the log's tree (C2SP tlog-tiles)")
    async def tile_page(request: Request[Any, Any, Any], tile: FromPath[str]) -> Response[bytes]:
        origin = address(peer(request.scope), parse_headers(request.scope["headers"]), components.proxies)
        await components.rate_limiter.admit_address(origin)
        await components.rate_limiter.count_failure(
            origin
        )  # nobody has to say who asks, so these are counted as such calls
        found = await asyncio.to_thread(log.tile, tile.removeprefix("/"))
        if found is None:
            raise NotFoundException
        return Response(found, media_type="application/octet-stream", headers=_FOREVER)

    return [checkpoint, keys, tile_page]


class ReceiptCall:
    """`GET /v1/receipts/{id}`."""

    def __init__(self, components: Components, calls: Calls) -> None:
        self._components = components
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call: a receipt of the caller's own entry, as text, or a problem."""
        id = str(scope["path"]).rpartition("/")[2]

        async def ask(own: str, caller: Caller, language: str, headers: Headers, receive: Receive) -> Sealed:  # noqa: ARG001
            return await self._receipt(id, own, caller, language)

        await self._calls.exchange(
            scope, receive, send, "GET", scope["path"], ask, label="/v1/receipts/{id}", media=TEXT
        )

    async def _receipt(self, id: str, own: str, caller: Caller, language: str) -> Sealed:
        plain = self._components.plain
        if SCOPE not in caller.scopes:
            return await plain.refuse(own, caller, language, _NO_SCOPE, b"")
        try:
            found = await asyncio.to_thread(self._components.log.receipt, id, caller.partner)
        except LedgerFault:
            return await plain.refuse(own, caller, language, Refusal(Cause.LEDGER_UNAVAILABLE, {"retry_after": 1}), b"")
        if found is None:
            return await plain.refuse(own, caller, language, Refusal(Cause.NOT_FOUND), b"")
        if isinstance(found, NotYet):
            return await plain.refuse(own, caller, language, Refusal(Cause.NOT_FOUND, {"retry_after": COVERED_IN}), b"")
        sealed = await plain.receipt(own, caller, language, {"receipt": id, "index": found.index})
        return replace(sealed, body=found.text.encode()) if not sealed.cause else sealed
