"""How is a token asked for? `POST /oauth2/token` over HTTP; what it decides stands in `oauth/token_endpoint.py`."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import structlog
from litestar.types import Receive, Scope, Send

from gateway.clock import SECOND
from gateway.errors import CallerGone, Cause, Refused, StoreUnavailable
from gateway.oauth.token_endpoint import PATH
from gateway.web.exchange import JSON, encode, peer, read_body, send_response
from gateway.web.headers import Headers, address, parse_headers
from gateway.web.rooms import Rooms

FIELDS = 30
_log = structlog.get_logger("gateway.web")


class FormFault(Exception):
    """The body is no form that RFC 6749 §3.2 allows."""


def parse_form(headers: Headers, body: bytes) -> dict[str, str]:
    """The parameters of a form; none twice (RFC 6749 §3.2). Raises FormFault."""
    if headers.content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        msg = "the body must be application/x-www-form-urlencoded"
        raise FormFault(msg)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, max_num_fields=FIELDS)
    except ValueError as fault:
        msg = "the body is not a form"
        raise FormFault(msg) from fault
    form = dict(pairs)
    if len(form) != len(pairs):
        msg = "no parameter may come twice"
        raise FormFault(msg)
    return {name: value for name, value in form.items() if value}


class TokenCall:
    """The token endpoint as an ASGI route."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /oauth2/token`; errors are those of RFC 6749 §5.2 and RFC 9449 §5."""
        rooms = self._rooms
        began = rooms.clock.now()
        headers = parse_headers(scope["headers"])
        origin = address(peer(scope), headers, rooms.proxies)
        extra: list[tuple[bytes, bytes]] = []
        partner = ""
        try:
            status, body, partner = await self._answer(scope, receive, headers, origin)
        except CallerGone:
            return
        except Refused as refused:
            status, body = _as_oauth(refused)
            after = refused.refusal.facts.get("retry_after")
            if after:
                extra.append((b"retry-after", str(after).encode()))
        except StoreUnavailable:
            status, body = 503, {"error": "temporarily_unavailable", "error_description": "try again"}
            extra.append((b"retry-after", b"1"))
        except Exception:  # noqa: BLE001  logged, and told as what it is to a client: try again
            _log.exception("a token request failed")
            status, body = 503, {"error": "temporarily_unavailable", "error_description": "try again"}
        if body.get("error") == "use_dpop_nonce":
            extra.append((b"dpop-nonce", rooms.proofs.nonce().encode()))
        if status == 405:  # noqa: PLR2004  RFC 9110 §15.5.6
            extra.append((b"allow", b"POST"))
        if status == 400 and body.get("error"):  # noqa: PLR2004
            await self._count(origin, str(body["error"]))
        extra.append((b"pragma", b"no-cache"))
        await send_response(send, status, encode(body), JSON, tuple(extra))
        rooms.metrics.note(PATH, str(body.get("error", "answer")), partner, (rooms.clock.now() - began) / SECOND)

    async def _answer(self, scope: Scope, receive: Receive, headers: Headers, origin: str) -> tuple[int, Any, str]:
        rooms = self._rooms
        if scope.get("method") != "POST":
            return 405, {"error": "invalid_request", "error_description": "use POST"}, ""
        await rooms.door.admit_address(origin)
        body = await read_body(receive, headers.content_length)
        try:
            form = parse_form(headers, body)
        except FormFault as fault:
            return 400, {"error": "invalid_request", "error_description": str(fault)}, ""
        claimed = rooms.token_endpoint.claimed_client(form)
        standing = await rooms.directory.standing(claimed) if claimed else None
        agreed: dict[str, frozenset[str]] = {}
        for agreement in standing.partner.agreements if standing else ():
            for purpose, terms in agreement.purposes.items():
                agreed[purpose] = agreed.get(purpose, frozenset()) | terms.claims
        grant = rooms.token_endpoint.grant(form, headers.dpop, standing.client if standing else None, agreed)
        if grant.token is None or standing is None:
            return grant.status, grant.body, ""
        await rooms.door.admit_client(standing.client.client_id)
        sealed = await rooms.plain.token(standing, grant.token, grant.proofs, origin)
        if sealed.cause == Cause.INVALID_DPOP_PROOF:
            return 400, {"error": "invalid_dpop_proof", "error_description": "the proof's jti was used before"}, ""
        if sealed.cause:
            return 400, {"error": "invalid_client", "error_description": "the assertion's jti was used before"}, ""
        return grant.status, grant.body, standing.partner.id

    async def _count(self, origin: str, error: str) -> None:
        self._rooms.unidentified[error] = self._rooms.unidentified.get(error, 0) + 1
        await self._rooms.door.count_failure(origin)


def _as_oauth(refused: Refused) -> tuple[int, dict[str, Any]]:
    """What a refusal of the door or the seal is in the words of RFC 6749."""
    cause = refused.refusal.cause
    if cause is Cause.RATE_EXCEEDED:
        return 429, {"error": "temporarily_unavailable", "error_description": "too many calls"}
    if cause is Cause.BODY_TOO_LARGE:
        return 413, {"error": "invalid_request", "error_description": "the body is too large"}
    return 503, {"error": "temporarily_unavailable", "error_description": "try again"}
