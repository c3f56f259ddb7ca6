"""How is a token asked for? `POST /oauth2/token` over HTTP; what it decides stands in `oauth/token_endpoint.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

import structlog
from litestar.types import Receive, Scope, Send

from gateway.clock import SECOND
from gateway.errors import CallerGone, Cause, Refused, StoreUnavailable
from gateway.oauth.client import Client
from gateway.oauth.mtls import Certificate
from gateway.oauth.token_endpoint import PATH, Grant
from gateway.sealing.attempt import attempt
from gateway.sealing.standing import Standing
from gateway.sealing.submission import Failed, Outcome, Sealed, StaleEpoch
from gateway.web.api.components import Components
from gateway.web.http.certificate import certificate_of
from gateway.web.http.exchange import JSON, encode, peer, read_body, send_response
from gateway.web.http.headers import Headers, address, parse_headers

FIELDS = 30
FORM = 65_536  # bytes: an assertion has 16 KiB at most
_OK = 200
_log = structlog.get_logger("gateway.web")


@dataclass(frozen=True, slots=True)
class TokenReply:
    """What an endpoint answers: `body` as JSON, or `raw` of another `kind`; `partner` is whoever was authenticated."""

    status: int
    body: Mapping[str, Any]
    partner: str = ""
    raw: bytes = b""
    kind: bytes = JSON


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


class OAuthCall(ABC):
    """An endpoint of the authorization server as an ASGI route; each says how it decides a form, and what it then seals."""

    path = ""
    unauthenticated = 400
    """With which status a client that did not authenticate is told so."""

    def __init__(self, components: Components) -> None:
        self._components = components

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call; errors are those of RFC 6749 §5.2 and of what each endpoint follows."""
        components = self._components
        began = components.clock.now()
        headers = parse_headers(scope["headers"])
        origin = address(peer(scope), headers, components.proxies)
        extra: list[tuple[bytes, bytes]] = []
        try:
            reply = await self._meet(scope, receive, headers, origin)
        except CallerGone:
            return
        except Refused as refused:
            reply = _as_oauth(refused)
            after = refused.refusal.facts.get("retry_after")
            if after:
                extra.append((b"retry-after", str(after).encode()))
        except StoreUnavailable:
            reply = _AGAIN
            extra.append((b"retry-after", b"1"))
        except Exception:  # noqa: BLE001  logged, and told as what it is to a client: try again
            _log.exception("a call of the authorization server failed", route=self.path)
            reply = _AGAIN
            extra.append((b"retry-after", b"1"))
        reply = _explained(reply, components.issuer)
        error = str(reply.body.get("error", ""))
        if error == "use_dpop_nonce" or (reply.status == _OK and components.proofs.nonce_required):
            extra.append((b"dpop-nonce", components.proofs.nonce().encode()))
        if reply.status == 405:  # noqa: PLR2004  RFC 9110 §15.5.6
            extra.append((b"allow", b"POST"))
        if reply.status == 401:  # noqa: PLR2004  RFC 9110 §15.5.2; no registered scheme stands for a signed assertion
            extra.append((b"www-authenticate", f'private_key_jwt realm="{components.issuer}"'.encode()))
        if error and reply.status in {400, 401, 403}:
            await self._count(origin, error)
        extra.append((b"pragma", b"no-cache"))
        await send_response(send, reply.status, reply.raw or encode(reply.body), reply.kind, tuple(extra))
        components.metrics.note(self.path, error or "answer", reply.partner, (components.clock.now() - began) / SECOND)

    async def _meet(self, scope: Scope, receive: Receive, headers: Headers, origin: str) -> TokenReply:
        components = self._components
        if scope.get("method") != "POST":
            return TokenReply(405, {"error": "invalid_request", "error_description": "use POST"})
        await components.rate_limiter.admit_address(origin)
        body = await read_body(receive, headers.content_length, FORM)
        try:
            form = parse_form(headers, body)
        except FormFault as fault:
            return TokenReply(400, {"error": "invalid_request", "error_description": str(fault)})
        claimed = components.token_endpoint.claimed_client(form)
        certificate = certificate_of(scope, headers, components.proxies)

        async def step() -> TokenReply | StaleEpoch | Failed:
            standing = await components.directory.standing(claimed) if claimed else None
            grant = self._decide(form, headers, standing, certificate)
            if grant.body.get("error") == "invalid_client" and components.directory.doubt(claimed or ""):
                suspended = standing is not None and standing.validity.suspended
                reason = "it is suspended" if suspended else grant.reason or grant.body["error_description"]
                _log.info("a client did not authenticate", client=claimed, reason=reason)
                return StaleEpoch({})  # it may have changed before
            if grant.status != _OK or standing is None:
                return self._error(grant.status, grant.body)
            await components.rate_limiter.admit_client(standing.client.client_id)
            sealed, reply = await self._settle(scope, grant, standing, origin)
            if not isinstance(sealed, Sealed):
                return sealed
            return self._error(400, _used_before(sealed)) if sealed.cause else reply

        return await attempt(components.directory, step, tries=3)

    @abstractmethod
    def _decide(
        self, form: Mapping[str, str], headers: Headers, standing: Standing | None, certificate: Certificate | None
    ) -> Grant:
        """What the endpoint decides; `standing` is whom the form claims to be from, and not yet more than a claim."""

    @abstractmethod
    async def _settle(self, scope: Scope, grant: Grant, standing: Standing, origin: str) -> tuple[Outcome, TokenReply]:
        """What the seal made of a decision that is no error; and what is told once it is sealed."""

    def _error(self, status: int, body: Mapping[str, Any]) -> TokenReply:
        return TokenReply(self.unauthenticated if body.get("error") == "invalid_client" else status, body)

    async def _count(self, origin: str, error: str) -> None:
        self._components.unidentified[error] = self._components.unidentified.get(error, 0) + 1
        await self._components.rate_limiter.count_failure(origin)


class TokenCall(OAuthCall):
    """`POST /oauth2/token`."""

    path = PATH

    def _decide(
        self, form: Mapping[str, str], headers: Headers, standing: Standing | None, certificate: Certificate | None
    ) -> Grant:
        agreed: dict[str, frozenset[str]] = {}
        for agreement in standing.partner.agreements if standing else ():
            for purpose, terms in agreement.purposes.items():
                agreed[purpose] = agreed.get(purpose, frozenset()) | terms.claims
        return self._components.token_endpoint.grant(form, headers.dpop, client_of(standing), agreed, certificate)

    async def _settle(
        self,
        scope: Scope,  # noqa: ARG002  every endpoint is told of the call
        grant: Grant,
        standing: Standing,
        origin: str,
    ) -> tuple[Outcome, TokenReply]:
        assert grant.token is not None  # noqa: S101  for the type checker: what is no error is a token here
        sealed = await self._components.grants.token(standing, grant.token, grant.proofs, origin)
        return sealed, TokenReply(grant.status, grant.body, standing.partner.id)


def client_of(standing: Standing | None) -> Client | None:
    """The client that may authenticate, marked when it is suspended; None when there is none."""
    if standing is None:
        return None
    return replace(standing.client, suspended=True) if standing.validity.suspended else standing.client


def _explained(reply: TokenReply, issuer: str) -> TokenReply:
    """An error with the address of its explanation (RFC 6749 §5.2)."""
    error = reply.body.get("error")
    return replace(reply, body={**reply.body, "error_uri": f"{issuer}/docs#{error}"}) if error else reply


def _used_before(sealed: Sealed) -> Mapping[str, str]:
    """The error for what was sealed as a replay."""
    if sealed.cause == Cause.INVALID_DPOP_PROOF:
        return {"error": "invalid_dpop_proof", "error_description": "the proof's jti was used before"}
    return {"error": "invalid_client", "error_description": "the assertion's jti was used before"}


_AGAIN = TokenReply(503, {"error": "temporarily_unavailable", "error_description": "try again"})


def _as_oauth(refused: Refused) -> TokenReply:
    """What a refusal of the door or the seal is in the words of RFC 6749."""
    cause = refused.refusal.cause
    if cause is Cause.RATE_EXCEEDED:
        return TokenReply(429, {"error": "temporarily_unavailable", "error_description": "too many calls"})
    if cause is Cause.MALFORMED_REQUEST:  # a listed proxy's, of what it says of the certificate
        return TokenReply(
            400, {"error": "invalid_request", "error_description": "Client-Cert is no single certificate"}
        )
    if cause is Cause.BODY_TOO_LARGE:
        return TokenReply(413, {"error": "invalid_request", "error_description": "the body is too large"})
    return _AGAIN
