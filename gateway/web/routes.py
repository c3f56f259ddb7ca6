"""Which routes are there? Every one is either in PUBLIC or refuses without a token; a test walks them all."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import structlog
from litestar import Litestar, Request, Response, asgi, get
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.handlers import ASGIRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.params import FromPath
from litestar.types import LifeSpanReceive, LifeSpanScope, Receive, Scope, Send

from gateway.clock import uuid7
from gateway.errors import Cause, Refusal
from gateway.oauth.metadata import authorization_server, protected_resource, taking_certificates, with_certificates
from gateway.register.reasons import REASONS, reason_document
from gateway.web.api.administration import administration_routes
from gateway.web.api.calls import Calls
from gateway.web.api.components import Components
from gateway.web.api.ledger import ReceiptCall, pages
from gateway.web.api.token import TokenCall
from gateway.web.api.tokens import IntrospectionCall, RevocationCall
from gateway.web.http.exchange import encode
from gateway.web.http.headers import Headers, preferred_language, request_id
from gateway.web.http.pages import CACHED, docs, docs_html, front, front_html, html, list_html, wants_html
from gateway.web.http.problems import PROBLEMS, page, page_html, reason_page_html
from gateway.web.http.shared import Shared
from gateway.web.openapi.document import text as openapi_text

PUBLIC = frozenset({
    "/",
    "/docs",
    "/openapi.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/v1",
    "/oauth2/jwks",
    "/oauth2/token",
    "/oauth2/revoke",
    "/oauth2/introspect",
    "/keys",
    "/problems",
    "/problems/{slug:str}",
    "/reasons",
    "/reasons/{slug:str}",
    "/ledger/checkpoint",
    "/ledger/keys",
    "/ledger/tile/{tile:path}",
    "/healthz",
    "/readyz",
})  # fmt: skip
"""Routes that answer without a token: they say nothing of anybody. The token endpoint authenticates in its own way."""

_log = structlog.get_logger("gateway.web")


def routes(components: Components) -> list[Any]:  # noqa: C901  a list of small handlers; each is as simple as can be
    """Every route handler, bound to these rooms."""
    calls, token = Calls(components), TokenCall(components)
    revocation, introspection = RevocationCall(components), IntrospectionCall(components)
    server = authorization_server(components.issuer, components.introspections.alg)
    others = [components.external.issuer] if components.external else []
    resource = protected_resource(components.issuer, others, sorted({key["alg"] for key in components.answer_keys}))
    if components.mtls_base_url:
        server, resource = with_certificates(server, components.mtls_base_url), taking_certificates(resource)

    @asgi("/v1/verifications", copy_scope=False)
    async def verifications(scope: Scope, receive: Receive, send: Send) -> None:
        await calls.verify(scope, receive, send)

    @asgi("/v1/verifications/batch", copy_scope=False)
    async def verifications_batch(scope: Scope, receive: Receive, send: Send) -> None:
        await calls.verify_batch(scope, receive, send)

    @asgi("/v1/agreement", copy_scope=False)
    async def agreement(scope: Scope, receive: Receive, send: Send) -> None:
        await calls.agreement(scope, receive, send)

    @asgi("/v1/usage", copy_scope=False)
    async def usage(scope: Scope, receive: Receive, send: Send) -> None:
        await calls.usage(scope, receive, send)

    receipts, readiness = ReceiptCall(components, calls), Shared(components.ready, components.clock)

    @asgi("/v1/receipts/{id:str}", copy_scope=False)
    async def receipt(scope: Scope, receive: Receive, send: Send) -> None:
        await receipts(scope, receive, send)

    @asgi("/oauth2/token", copy_scope=False)
    async def token_route(scope: Scope, receive: Receive, send: Send) -> None:
        await token(scope, receive, send)

    @asgi("/oauth2/revoke", copy_scope=False)
    async def revocation_route(scope: Scope, receive: Receive, send: Send) -> None:
        await revocation(scope, receive, send)

    @asgi("/oauth2/introspect", copy_scope=False)
    async def introspection_route(scope: Scope, receive: Receive, send: Send) -> None:
        await introspection(scope, receive, send)

    @get("/.well-known/oauth-authorization-server", summary="Metadata of the authorization server (RFC 8414)")
    async def server_metadata() -> dict[str, Any]:
        return server

    @get(
        ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/v1"],
        summary="Metadata of the protected resource (RFC 9728)",
    )
    async def resource_metadata() -> dict[str, Any]:
        return resource

    @get("/oauth2/jwks", summary="Keys that sign access tokens (RFC 7517)")
    async def token_keys() -> dict[str, Any]:
        return {"keys": [dict(key) for key in components.token_keys]}

    @get("/keys", summary="Keys that sign answers (RFC 7517)")
    async def answer_keys() -> dict[str, Any]:
        return {"keys": [dict(key) for key in components.answer_keys]}

    @get("/problems", summary="Every cause of a refusal")
    async def problems(request: Request[Any, Any, Any]) -> Response[Any]:
        if wants_html(request):
            rows = [(cause.value, problem.title) for cause, problem in PROBLEMS.items()]
            return html(list_html("/problems", components.issuer, rows))
        return Response({"problems": [page(cause, components.issuer) for cause in Cause]}, headers=CACHED)

    @get("/problems/{slug:str}", summary="One cause of a refusal: what it means and what to do")
    async def problem(request: Request[Any, Any, Any], slug: FromPath[str]) -> Response[Any]:
        if slug not in set(Cause):
            raise NotFoundException
        cause = Cause(slug)
        if wants_html(request):
            return html(page_html(cause, components.issuer))
        return Response(page(cause, components.issuer), headers=CACHED)

    @get("/reasons", summary="Every reason for which a NIK is blocked or stale")
    async def reasons(request: Request[Any, Any, Any]) -> Response[Any]:
        shown = [dict(reason_document(reason)) for reason in REASONS.values()]
        if wants_html(request):
            return html(list_html("/reasons", components.issuer, [(each["slug"], each["title"]) for each in shown]))
        return Response({"reasons": shown}, headers=CACHED)

    @get("/reasons/{slug:str}", summary="One reason: by whom, where and how it is mended")
    async def reason(request: Request[Any, Any, Any], slug: FromPath[str]) -> Response[Any]:
        if slug not in REASONS:
            raise NotFoundException
        document = reason_document(REASONS[slug])
        return html(reason_page_html(document)) if wants_html(request) else Response(dict(document), headers=CACHED)

    @get("/healthz", summary="Alive")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @get("/readyz", summary="Able to seal: database, ledger and keys")
    async def readyz() -> Response[Any]:
        state = await readiness.get()
        return Response(dict(state), status_code=200 if state["ready"] else 503)

    @get("/metrics", summary="Prometheus metrics; asks for the token of metrics.token_file")
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not components.metrics_token or not hmac.compare_digest(given, components.metrics_token):
            return _problem(components, Refusal(Cause.INVALID_TOKEN, {"fault": "the metrics token is needed"}), request)
        return Response(components.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return [
        *_front(components.issuer), *pages(components), *administration_routes(components), receipt,
        verifications, verifications_batch, agreement, usage, token_route, revocation_route, introspection_route,
        server_metadata, resource_metadata, token_keys, answer_keys, problems, problem, reasons, reason, healthz, readyz, metrics,
    ]  # fmt: skip


def _front(issuer: str) -> list[Any]:
    """What somebody finds who was given nothing but the address."""
    description = openapi_text(issuer).encode()

    @get("/", summary="What this is, and where everything else stands")
    async def index(request: Request[Any, Any, Any]) -> Response[Any]:
        return html(front_html(issuer)) if wants_html(request) else Response(front(issuer), headers=CACHED)

    @get("/docs", summary="A first call, and every error of the token endpoint")
    async def guide(request: Request[Any, Any, Any]) -> Response[Any]:
        return html(docs_html(issuer)) if wants_html(request) else Response(docs(issuer), headers=CACHED)

    @get("/openapi.json", summary="The OpenAPI description of this gateway")
    async def openapi() -> Response[bytes]:
        return Response(description, media_type="application/json", headers=CACHED)

    return [index, guide, openapi]


class Gateway(Litestar):
    """The application. Calls of partners are met at its door: Litestar's own way to a handler costs a tenth of an answer."""

    hot: Mapping[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = {}
    templated: Sequence[tuple[re.Pattern[str], Callable[[Scope, Receive, Send], Awaitable[None]]]] = ()

    async def __call__(self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Any) -> None:  # noqa: ANN401
        """ASGI; a call of a hot route goes straight to the handler that is registered for its path."""
        if scope.get("method") == "HEAD":
            scope, send = cast("Scope", {**scope, "method": "GET"}), _without_body(send)
        handler = None
        if str(scope["type"]) == "http":
            path = cast("Scope", scope)["path"]
            handler = self.hot.get(path) or self._templated(path)
        if handler is None:
            await super().__call__(scope, receive, send)
        else:
            await handler(scope, receive, send)  # type: ignore[arg-type]

    def _templated(self, path: str) -> Callable[[Scope, Receive, Send], Awaitable[None]] | None:
        """The bare ASGI route whose path has parameters, which Litestar 2.25 routes to nobody (KeyError on the method)."""
        return next((handler for pattern, handler in self.templated if pattern.fullmatch(path)), None)


def _without_body(send: Any) -> Any:  # noqa: ANN401  ASGI's send
    """What a HEAD sends: the headers of a GET (RFC 9110 §9.3.2)."""

    async def headers_only(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only


def application(
    components: Components, further: Sequence[Any], openapi: OpenAPIConfig | None, lifespan: list[Any]
) -> Gateway:
    """The ASGI application: the routes of this room and `further` ones."""

    def refuse(request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
        if isinstance(fault, MethodNotAllowedException):
            return _problem(components, Refusal(Cause.METHOD_NOT_ALLOWED, {"allowed": ["GET"]}), request)
        if isinstance(fault, HTTPException) and fault.status_code < 500:  # noqa: PLR2004  a fault of the caller
            return _problem(components, Refusal(Cause.NOT_FOUND), request)
        # The template of the path, never the path: a caller may have written anything there.
        _log.error("a page failed", route=request.scope.get("path_template", ""), exc_info=fault)
        return _problem(components, Refusal(Cause.REGISTER_UNAVAILABLE, {"retry_after": 1}), request)

    handlers = [*routes(components), *further]
    gateway = Gateway(
        handlers,
        openapi_config=openapi,
        exception_handlers={Exception: refuse},
        lifespan=lifespan,
        debug=False,
        compression_config=None,
        logging_config=None,  # structlog is configured by the command; Litestar's own would start a thread
    )
    gateway.hot = {
        path: handler.fn
        for handler in handlers
        if isinstance(handler, ASGIRouteHandler)
        for path in handler.paths
        if "{" not in path
    }
    gateway.templated = [
        (re.compile(re.sub(r"\{[a-z_]+:str\}", "[^/]+", path)), handler.fn)
        for handler in handlers
        if isinstance(handler, ASGIRouteHandler)
        for path in handler.paths
        if "{" in path
    ]
    return gateway


def _problem(components: Components, refusal: Refusal, request: Request[Any, Any, Any]) -> Response[bytes]:
    language = preferred_language(request.headers.get("accept-language", ""))
    id = uuid7(components.clock.now(), components.entropy)
    status, document = components.problems(refusal, language, id)
    own = request_id(Headers(request_id=request.headers.get("x-request-id", "")), id)
    headers = {"cache-control": "no-store", "x-request-id": own}
    allowed = refusal.facts.get("allowed")
    if isinstance(allowed, list):
        headers["allow"] = ", ".join(allowed)
    if status == 401:  # noqa: PLR2004  RFC 9110 §15.5.2
        headers["www-authenticate"] = 'Bearer error="invalid_token"'
    return Response(encode(document), status_code=status, media_type="application/problem+json", headers=headers)
