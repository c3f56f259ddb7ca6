"""Which calls administer the gateway? One row for each: method, path, scope, and the act or view that it stands for.

The same table makes the routes and their part of the OpenAPI document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import asgi
from litestar.types import Receive, Scope, Send
from msgspec.structs import replace

from gateway.administration.calls import request_of
from gateway.administration.commands import Act, View
from gateway.administration.requests import audit, staff
from gateway.administration.requests import partners as bodies
from gateway.administration.requests.feeds import FeedBatch
from gateway.administration.requests.referrals import NewReferral
from gateway.errors import Cause, Refused
from gateway.keyring.keys import b64u
from gateway.oauth.client import Caller
from gateway.sealing.submission import Repeat, Sealed
from gateway.strict import require_all_once
from gateway.verification.request import malformed
from gateway.web.api.audit import AUDIT_ROWS
from gateway.web.api.calls import Calls
from gateway.web.api.components import Components
from gateway.web.api.feeds import FEED_ROWS
from gateway.web.api.referrals import REFERRAL_ROWS
from gateway.web.api.rows import PAGED, CallRow
from gateway.web.http.exchange import read_body
from gateway.web.http.headers import Headers, check_digest, expected_revisions, idempotency_key, require_json
from gateway.web.http.large import LargeBodies, read_large

READ, WRITE, APPROVE, VERIFY = "partners.read", "partners.write", "partners.approve", "nik.verify"
MOST_QUERY = 2_000  # characters
APPROVAL, DRAFT = "/v1/approvals/{approval}", "/v1/agreements/{agreement}/versions/{version}"
_OPTIONAL = (bodies.Nothing, audit.Closing)


ROWS: tuple[CallRow, ...] = (
    CallRow("GET", "/v1/partners", READ, "partners", "Partners", query=PAGED),
    CallRow("POST", "/v1/partners", WRITE, "register_partner", "Register a partner", bodies.NewPartner, 201,
        location="/v1/partners/{id}"),
    CallRow("GET", "/v1/partners/{id}", READ, "partner", "One partner, with its agreements and keys"),
    CallRow("POST", "/v1/partners/{id}/suspend", WRITE, "suspend_partner", "Suspend a partner at once",
        bodies.SuspensionReason, watches="partner"),
    CallRow("POST", "/v1/partners/{id}/resume", WRITE, "propose_partner_resume", "Propose to resume a partner",
        bodies.Nothing, 202, watches="partner"),
    CallRow("GET", "/v1/partners/{id}/agreements", READ, "partner_agreements", "Agreements of a partner", query=PAGED),
    CallRow("POST", "/v1/partners/{id}/agreements", WRITE, "draft_agreement", "Draft an agreement", bodies.Fields, 201,
        location=DRAFT, watches="partner", answers="Drafted"),
    CallRow("GET", "/v1/partners/{id}/keys", READ, "partner_keys", "Keys and certificates of a partner", query=PAGED),
    CallRow("POST", "/v1/partners/{id}/keys", WRITE, "propose_key", "Propose a key or a certificate", bodies.NewKey, 202,
        watches="partner"),
    CallRow("DELETE", "/v1/partners/{id}/keys/{kid}", WRITE, "remove_key", "Remove a key at once", watches="partner"),
    CallRow("GET", "/v1/partners/{id}/usage", READ, "usage", "What a partner has agreed, spent and left"),
    CallRow("GET", "/v1/partners/{id}/payments", READ, "partner_payments", "Prepayments of a partner", query=PAGED),
    CallRow("POST", "/v1/partners/{id}/payments", WRITE, "propose_payment", "Propose to credit a prepayment",
        bodies.Payment, 202, watches="partner"),
    CallRow("POST", "/v1/partners/{id}/exemption", WRITE, "propose_exemption", "Propose an exemption, with proof",
        bodies.Exemption, 202, watches="partner"),
    CallRow("DELETE", "/v1/partners/{id}/exemption", WRITE, "end_exemption", "End an exemption at once",
        watches="partner"),
    CallRow("POST", "/v1/agreements/import", WRITE, "import_agreements", "Draft many agreements at once",
        bodies.AgreementImport),
    CallRow("GET", "/v1/agreements/{a}", READ, "agreement", "One agreement, with its versions"),
    CallRow("GET", "/v1/agreements/{a}/versions", READ, "versions", "Versions of an agreement", query=PAGED),
    CallRow("POST", "/v1/agreements/{a}/versions", WRITE, "draft_version", "Draft the next version", bodies.Fields, 201,
        location=DRAFT, watches="agreement", answers="Drafted"),
    CallRow("GET", "/v1/agreements/{a}/versions/{v}", READ, "version",
        "One version: fields, what is missing, what it changes"),
    CallRow("PUT", "/v1/agreements/{a}/versions/{v}", WRITE, "amend_draft", "Go on with a draft", bodies.Fields,
        watches="version", answers="Drafted"),
    CallRow("DELETE", "/v1/agreements/{a}/versions/{v}", WRITE, "discard_draft", "Discard a draft that one had a hand in",
        watches="version"),
    CallRow("POST", "/v1/agreements/{a}/versions/{v}/propose", WRITE, "propose_version", "Propose a version",
        bodies.Nothing, 202, watches="version"),
    CallRow("POST", "/v1/agreements/{a}/suspend", WRITE, "suspend_agreement", "Suspend it, or one purpose, at once",
        bodies.Suspension, watches="agreement"),
    CallRow("POST", "/v1/agreements/{a}/resume", WRITE, "propose_resume", "Propose to resume an agreement",
        bodies.Nothing, 202, watches="agreement"),
    CallRow("POST", "/v1/agreements/{a}/terminate", WRITE, "terminate_agreement", "End an agreement for good",
        bodies.SuspensionReason, watches="agreement"),
    CallRow("GET", "/v1/agreements/{a}/deliveries", READ, "deliveries", "Duties that were delivered", query=PAGED),
    CallRow("POST", "/v1/agreements/{a}/deliveries", WRITE, "deliver", "Write down that a duty was delivered",
        bodies.Delivery, 201, watches="agreement"),
    CallRow("GET", "/v1/approvals", READ, "approvals", "What waits for a second person, or did",
        query=("state", "kind", "partner", "order", *PAGED)),
    CallRow("GET", "/v1/approvals/{id}", READ, "approval",
        "One proposal: what it changes, and what it would have refused"),
    CallRow("POST", "/v1/approvals/{id}/approve", APPROVE, "approve", "Approve what another person proposed",
        bodies.ApprovedDigest, watches="approval"),
    CallRow("POST", "/v1/approvals/{id}/reject", APPROVE, "reject", "Turn down what another person proposed",
        bodies.Objection, watches="approval"),
    CallRow("POST", "/v1/approvals/{id}/withdraw", WRITE, "withdraw", "Take back an own proposal", bodies.Objection,
        watches="approval"),
    CallRow("GET", "/v1/duties", READ, "duties", "What is due, by when", query=("partner", "until", *PAGED)),
    CallRow("GET", "/v1/overview", READ, "overview", "What waits for somebody: counts"),
    CallRow("GET", "/v1/traffic", READ, "traffic", "Calls by minute, hour or day, and how long verifications took",
        query=("partner", "since", "until", "step"), also="audit.read"),
    CallRow("GET", "/v1/usage/traffic", VERIFY, "own_traffic", "Own calls by minute, hour or day",
        query=("since", "until", "step")),
    CallRow("GET", "/v1/staff", READ, "staff", "Credentials of the house, and whose they are", query=PAGED),
    CallRow("POST", "/v1/staff", WRITE, "propose_administrator", "Propose a credential of a person",
        bodies.NewAdministrator, 202),
    CallRow("DELETE", "/v1/staff/{client_id}", WRITE, "dismiss_administrator", "Take a credential away at once"),
    CallRow("GET", "/v1/staff/members", READ, "members", "People at the console, and until when they are certified",
        query=("text", "state", "role", "partner", "due", *PAGED)),
    CallRow("POST", "/v1/staff/members", WRITE, "propose_member", "Propose a person at the console", staff.NewMember,
        202),
    CallRow("GET", "/v1/staff/members/{id}", READ, "member", "One person at the console"),
    CallRow("DELETE", "/v1/staff/members/{id}", WRITE, "dismiss_member", "Dismiss a person from the console at once",
        watches="member"),
    CallRow("POST", "/v1/staff/members/{id}/invitation", WRITE, "invite_member", "A one-time link, told once",
        bodies.Nothing, 201, watches="member"),
    CallRow("POST", "/v1/staff/members/{id}/recover", WRITE, "propose_recovery", "Propose a new enrolment",
        bodies.Nothing, 202, watches="member"),
    CallRow("POST", "/v1/staff/members/{id}/recertify", APPROVE, "recertify_member",
        "Say that another person still needs the roles", bodies.Nothing, also=WRITE, watches="member"),
    CallRow("POST", "/v1/staff/members/{id}/suspend", WRITE, "suspend_member", "Suspend a person at once",
        bodies.SuspensionReason, watches="member"),
    CallRow("POST", "/v1/staff/members/{id}/resume", WRITE, "propose_member_resume", "Propose to resume a person",
        bodies.Nothing, 202, watches="member"),
    CallRow("DELETE", "/v1/staff/members/{id}/sessions", WRITE, "end_sessions", "End the sessions of a person at once",
        watches="member"),
    CallRow("GET", "/v1/failures", VERIFY, "own_failures", "Own refused calls, newest first",
        query=("since", "cause", *PAGED)),
    CallRow("GET", "/v1/keys", VERIFY, "own_keys", "Own keys and certificates, with their ends", query=PAGED),
    CallRow("GET", "/v1/statements", VERIFY, "own_statements", "Days of which there is a statement", query=PAGED),
    CallRow("GET", "/v1/statements/{date}", VERIFY, "statement", "Signed statement of a day", answers="StatementAnswer"),
    CallRow("POST", "/v1/keys", VERIFY, "rotate_key", "Rotate the own key, proven by the old and the new", bodies.OwnKey,
        201),
    *AUDIT_ROWS,
    *FEED_ROWS,
    *REFERRAL_ROWS,
)  # fmt: skip


WATCHED: Mapping[str, str] = {row.does: row.watches for row in ROWS if row.watches}
"""Whose state `If-Match` names, by act."""


class AdministrationCalls(Calls):
    """The routes of `ROWS`."""

    def __init__(self, components: Components) -> None:
        super().__init__(components)
        self._large = LargeBodies()

    async def call(self, scope: Scope, receive: Receive, send: Send, rows: Mapping[str, CallRow]) -> None:
        """One call to a path that has these rows, by method."""
        row = rows.get(str(scope.get("method")))
        if row is None:
            some = next(iter(rows.values()))
            await self.exchange(
                scope, receive, send, ", ".join(sorted(rows)), some.path, self._nothing, label=some.path
            )
            return
        target, query = str(scope["path"]), bytes(scope["query_string"]).decode("latin-1")

        async def ask(id: str, caller: Caller, language: str, headers: Headers, receive: Receive) -> Sealed:
            if not row.large:
                return await ask_now(id, caller, language, headers, receive)
            async with self._large.turn(caller.client_id):
                return await ask_now(id, caller, language, headers, receive)

        async def ask_now(id: str, caller: Caller, language: str, headers: Headers, receive: Receive) -> Sealed:
            raw, key = b"", None
            needed = row.also if row.also in caller.scopes else row.scope
            try:
                raw = await _read(row, needed, caller, headers, receive)
                body, asked = _body(row, headers, raw), _query(row, query)
                key = idempotency_key(headers.idempotency_key) if row.creates else None
            except Refused as refused:
                told = request_of(row.method, target, query, _sent(row, raw))
                return await self._components.administration.refuse(id, caller, language, needed, told, refused.refusal)
            told = request_of(row.method, target, query, _sent(row, raw) if row.large else msgspec.to_builtins(body))
            path = _parameters(row.path, target)
            own = {"partner": caller.partner} if row.scope == VERIFY else {}
            if row.reads:
                view = View(row.does, {**own, **path}, asked, body)
                return await self._components.administration.read(id, caller, language, needed, told, lambda: view)

            expected = expected_revisions(headers.if_match) if row.watches else ()

            def make(person: str) -> Act:
                named = {**own, **path} if row.body is NewReferral else path
                return Act(row.does, named, body, person, row.watches, expected, caller.client_id)

            repeat = None if key is None else self._repeat(caller, key, told)
            sealed = await self._components.administration.act(id, caller, language, needed, told, make, repeat)
            return sealed if sealed.cause else replace(sealed, status=_status(row, sealed))

        await self.exchange(
            scope,
            receive,
            send,
            row.method,
            target,
            ask,
            label=row.path,
            media=row.media,
            more=partial(_location, row),
        )

    def _repeat(self, caller: Caller, key: str, told: bytes) -> Repeat:
        """What an `Idempotency-Key` of this client stands for; `told` is the whole request."""
        return Repeat.of(f"desk\0{caller.partner}\0{caller.client_id}\0{key}", told, self._components.idempotency)

    async def _nothing(self, *_: Any) -> Sealed:  # noqa: ANN401  never asked: the method is refused before
        raise Refused(Cause.METHOD_NOT_ALLOWED)


def _status(row: CallRow, sealed: Sealed) -> int:
    """The status of a success."""
    if row.otherwise is not None and row.otherwise[0] in json.loads(sealed.body):
        return row.otherwise[1]
    return row.status


def _location(row: CallRow, sealed: Sealed) -> Sequence[tuple[bytes, bytes]]:
    """Where what was made, or proposed, is found."""
    if sealed.status != row.status:
        return ()
    template = APPROVAL if row.proposes else row.location
    return ((b"location", template.format_map(json.loads(sealed.body)).encode()),) if template else ()


async def _read(row: CallRow, needed: str, caller: Caller, headers: Headers, receive: Receive) -> bytes:
    """The body of a call, whose digest fits. Raises Refused, CallerGone."""
    if row.large:
        if needed not in caller.scopes:
            raise Refused(Cause.INSUFFICIENT_SCOPE, scope=needed)  # before so much is read
        return await read_large(receive, headers)
    raw = await read_body(receive, headers.content_length)
    if headers.content_digest:
        check_digest(headers.content_digest, raw)
    return raw


def _parameters(template: str, path: str) -> dict[str, str]:
    """What a path says where its template has names (the framework leaves it to bare ASGI routes)."""
    pairs = zip(template.split("/"), path.rstrip("/").split("/"), strict=True)
    return {name[1:-1]: value for name, value in pairs if name.startswith("{")}


def _body(row: CallRow, headers: Headers, raw: bytes) -> Any:  # noqa: ANN401  what the row says
    """The body as the row wants it. Raises Refused(MALFORMED_REQUEST, UNSUPPORTED_MEDIA_TYPE)."""
    if row.body is None or (row.body in _OPTIONAL and not raw.strip()):
        if raw.strip() and row.body is None:
            raise Refused(Cause.MALFORMED_REQUEST, members=["body"])
        return None
    require_json(headers, coded=row.large)
    if row.body is FeedBatch:
        return raw  # read row by row, where it delays nobody
    try:
        body = msgspec.json.decode(raw, type=row.body, strict=True)
        require_all_once(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise malformed(fault) from fault
    return body


def _sent(row: CallRow, raw: bytes) -> str:
    """A body that did not become a request, as the entry commits to it; a large one by its SHA-256."""
    return f"sha-256 {b64u(sha256(raw).digest())}" if row.large else raw.decode("utf-8", "replace")


def _query(row: CallRow, text: str) -> dict[str, str]:
    """The parameters of a query; only those that the row knows, none twice. Raises Refused(MALFORMED_REQUEST)."""
    if not text:
        return {}
    try:
        pairs = (
            parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=10)
            if len(text) < MOST_QUERY
            else []
        )
    except ValueError:
        pairs = []
    asked = dict(pairs)
    if not pairs or len(asked) != len(pairs) or not set(asked) <= set(row.query):
        raise Refused(Cause.MALFORMED_REQUEST, members=["query"])
    return asked


def administration_routes(components: Components) -> list[Any]:
    """A bare ASGI handler for every path of `ROWS`."""
    calls = AdministrationCalls(components)
    paths: dict[str, dict[str, CallRow]] = {}
    for row in ROWS:
        paths.setdefault(row.path, {})[row.method] = row
    return [_route(calls, path, rows) for path, rows in paths.items()]


def _route(calls: AdministrationCalls, path: str, rows: Mapping[str, CallRow]) -> Any:  # noqa: ANN401  Litestar's handler
    @asgi(path.replace("}", ":str}"), copy_scope=False)
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await calls.call(scope, receive, send, rows)

    return answer
