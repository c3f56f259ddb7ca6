"""How are the calls of administration described to a machine? Their part of the OpenAPI document, from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from gateway.administration.requests import audit
from gateway.administration.requests import partners as bodies
from gateway.errors import Cause
from gateway.feeds.change import Slug
from gateway.ledger.check.findings import RULES
from gateway.partners.agreement import AgreementState
from gateway.partners.approvals import Decision
from gateway.staff.roles import Role
from gateway.web.api.administration import ROWS, VERIFY
from gateway.web.api.audit import NDJSON
from gateway.web.api.rows import CallRow
from gateway.web.openapi.shapes import DIGEST, MILLISECONDS, UUID, WHOLE, Schema, closed, ref

_BODIES = tuple(dict.fromkeys(row.body for row in ROWS if row.body not in (None, bodies.Fields)))
_CALLED: Mapping[str, str] = {  # where a view's own word would name an operation that anybody or a partner has
    "usage": "readUsageOfPartner", "agreement": "readAgreementWithVersions", "checkpoint": "readCheckpointForAudit",
}  # fmt: skip
_QUERY: Mapping[str, Schema] = {
    "cursor": {"type": "string", "maxLength": 200, "description": "`next` of the page before."},
    "limit": {"type": "integer", "minimum": 1, "maximum": 200, "description": "Items on a page; 50 by default."},
    "state": {
        "type": "string",
        "description": "Of proposals: "
        + ", ".join(Decision)
        + "; of findings: open, examining, confirmed, dismissed; of cases: received, checked, mended, rejected.",
    },
    "purpose": {"type": "string", "description": "Asked for this purpose."},
    "kind": {"type": "string", "description": "Of this kind; docs/ledger-entries.md."},
    "outcome": {"type": "string", "description": "With this outcome: a status, a reason, or the slug of a refusal."},
    "since": {"type": "string", "description": "From this moment (RFC 3339) or day in Asia/Jakarta on."},
    "cause": {"type": "string", "description": "Refused with this slug; /problems."},
    "rule": {"enum": list(RULES)},
    "seed": {"type": "string", "maxLength": 100, "description": "Whoever has it draws the same entries."},
    "count": {"type": "integer", "minimum": 1, "maximum": 200, "description": "How many are drawn; 50 by default."},
    "end": {
        "type": "integer",
        "minimum": 0,
        "description": "Draw over entries before this one: `end` of the sample to be drawn again.",
    },
    "step": {
        "enum": ["minute", "hour", "day"],
        "description": "Of each point; an hour by default, 750 points at most.",
    },
    "partner": {"type": "string", "description": "Of this partner alone."},
    "text": {"type": "string", "maxLength": 200, "description": "With this in the name."},
    "role": {"enum": [role.value for role in Role]},
    "due": {"enum": ["yes"], "description": "Certified for 30 days more at most, or no longer; the soonest first."},
    "order": {"enum": ["newest"], "description": "The newest first."},
    "regency": {"type": "string", "description": "Of this regency alone."},
    "days": {"type": "integer", "minimum": 0, "maximum": 366, "description": "Within so many days; 90 by default."},
    "until": {"type": "string", "description": "Until the end of this day in Asia/Jakarta, or this moment (RFC 3339)."},
}
_BESIDE: Mapping[str, tuple[str, str]] = {
    "take_batch": ("202", "BatchHeld"),
    "consolidate": ("200", "ConsolidationExamined"),
}
"""What else a success may be: status and answer."""
_OWN_CAUSES: Mapping[str, tuple[Cause, ...]] = {
    "approve": (Cause.SAME_PERSON,),
    "reject": (Cause.SAME_PERSON,),
    "recertify_member": (Cause.SAME_PERSON,),
    "search_nik": (Cause.NIK_FORMAT,),
    "open_access_request": (Cause.NIK_FORMAT,),
    "take_batch": (Cause.SEQUENCE_CONFLICT, Cause.OVERLOADED),
    "diagnose": (Cause.NOT_FOUND, Cause.NIK_FORMAT),
    "open_referral": (Cause.NOT_FOUND, Cause.NIK_FORMAT, Cause.NOT_OWN_REGION, Cause.PREVIOUS_UNKNOWN),
}
"""Why else a call may be refused, by what it does."""
_BODY = (Cause.MALFORMED_REQUEST, Cause.DIGEST_MISMATCH, Cause.BODY_TOO_LARGE, Cause.UNSUPPORTED_MEDIA_TYPE)


def schemas() -> Schema:
    """What administrators send and are told."""
    _, found = msgspec.json.schema_components(_BODIES, ref_template="#/components/schemas/{name}")
    sealed: Schema = {
        "answered_at": MILLISECONDS,
        "nonce": DIGEST,
        "entry": DIGEST,
        "billed": {"const": False},
        "receipt": {**UUID, "description": "Id of the entry, where `id` names something else."},
    }
    required = ["answered_at", "nonce", "entry", "billed"]

    def told(members: Schema, description: str) -> Schema:
        names = [*members, *required]
        return {"type": "object", "description": description, "properties": {**members, **sealed}, "required": names}

    texts: Schema = {"type": "array", "items": {"type": "string"}}
    line = closed(
        {
            "agreement": {"type": "string"},
            "purpose": {"type": "string"},
            "answers": WHOLE,
            "price": WHOLE,
            "amount": WHOLE,
        }
    )
    paid = closed(
        {"agreement": {"type": "string"}, "amount": WHOLE, "reference": {"type": "string"}, "at": MILLISECONDS}
    )
    statement = closed(
        {
            "iss": {"type": "string", "format": "uri"},
            "sub": {"type": "string", "description": "The partner."},
            "date": {"type": "string", "format": "date"},
            "currency": {"const": "IDR"},
            "lines": {"type": "array", "items": line},
            "answers": WHOLE,
            "refusals": WHOLE,
            "amount": WHOLE,
            "payments": {"type": "array", "items": paid},
            "credited": WHOLE,
            "ledger": closed(
                {"from": WHOLE, "to": WHOLE, "size": WHOLE}, description="Entries `from` until before `to`."
            ),
        }
    )
    return {
        **{name: _open_end(schema) for name, schema in found.items()},
        "AgreementFields": {"type": "object", "description": "As far as they are known; docs/agreements.md."},
        "Drafted": told(
            {
                "agreement": {"type": "string"},
                "version": {"type": "integer", "minimum": 1},
                "state": {"enum": [each.value for each in AgreementState]},
                "digest": DIGEST,
                "missing": {**texts, "description": "Paths of mandatory fields that are absent."},
                "faults": {**texts, "description": "What else keeps it from being proposed."},
            },
            "A draft as it reads now.",
        ),
        "Proposed": told({"approval": UUID, "digest": DIGEST}, "It waits for a second person, who names the digest."),
        "Listed": told(
            {
                "items": {"type": "array", "items": {"type": "object"}},
                "next": {
                    "anyOf": [{"type": "string"}, {"type": "null"}],
                    "description": "The cursor of the next page.",
                },
            },
            "One page of a list.",
        ),
        "BatchTaken": told(
            {
                "accepted": WHOLE,
                "refused": {"type": "array", "items": {"$ref": "#/components/schemas/RefusedChange"}},
                "next": {"type": "integer", "minimum": 1, "description": "The sequence that is expected next."},
            },
            "What a batch did.",
        ),
        "BatchHeld": told(
            {"held": {"const": True}, "missing": {"type": "array", "items": WHOLE}},
            "It waits for the batches that are missing before it.",
        ),
        "RefusedChange": {
            "type": "object",
            "properties": {
                "index": WHOLE,
                "slug": {"enum": [each.value for each in Slug]},
                "members": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["index", "slug"],
        },
        "ConsolidationExamined": told(
            {
                "would": {"type": "object", "additionalProperties": WHOLE, "description": "Changes by event."},
                "refused": {"type": "array", "items": {"$ref": "#/components/schemas/RefusedChange"}},
            },
            "What a dry run would have done.",
        ),
        "Told": told({}, "What was done or read; docs/administration.md."),
        "StatementAnswer": told(
            {"statement": statement, "jws": {"type": "string", "description": "RFC 7515 over the JCS of `statement`."}},
            "A day's statement, signed with a key of `/keys`.",
        ),
    }


def _open_end(schema: Mapping[str, Any]) -> Schema:
    """A schema of msgspec without what JSON Schema takes for another thing: `title` is the component's name already.

    Rows that are read one by one later are objects.
    """
    found = {name: value for name, value in schema.items() if name != "title"}
    members = found.get("properties", {})
    bare = [name for name, value in members.items() if value.get("type") == "array" and "items" not in value]
    return (
        found | {"properties": members | {name: {**members[name], "items": {"type": "object"}} for name in bare}}
        if bare
        else found
    )


def paths(call: Callable[..., Schema], sealed: Iterable[Cause]) -> Schema:
    """Every path of `ROWS`; `call` makes an operation that needs a token, `sealed` are the causes that all of them have."""
    found: dict[str, Schema] = {}
    for row in ROWS:
        found.setdefault(row.path, {})[row.method.lower()] = _operation(row, call, tuple(sealed))
    return found


def _causes(row: CallRow, names: list[str], sealed: tuple[Cause, ...]) -> list[Cause]:
    """Why a call may be refused."""
    causes = [*sealed, *_BODY]
    if names:
        causes.append(Cause.NOT_FOUND)
    if not row.reads:
        causes.append(Cause.CONFLICT)
    if row.scope.startswith("audit.") and row.tag == "audit":
        causes.append(Cause.ASSIGNMENT_MISSING)
    if row.creates:
        causes.append(Cause.IDEMPOTENCY_CONFLICT)
    if "regency" in names:
        causes.append(Cause.NOT_OWN_REGION)
    return [*causes, *_OWN_CAUSES.get(row.does, ())]


def _operation(row: CallRow, call: Callable[..., Schema], sealed: tuple[Cause, ...]) -> Schema:
    names = re.findall(r"{(\w+)}", row.path)
    causes = _causes(row, names, sealed)
    listed = row.method == "GET" and "cursor" in row.query
    answer = row.answers or ("Listed" if listed else "Proposed" if row.proposes else "Told")
    tag = "agreement" if row.scope == VERIFY else row.tag
    id = ("read" if row.reads else "do") + "".join(word.title() for word in row.does.split("_"))
    operation = call(tag, _CALLED.get(row.does, id), row.summary, answer, {}, causes)
    operation["security"] = [{"oauth2": [scope], "dpop": []} for scope in (row.scope, row.also) if scope]
    if not row.scope:
        operation["security"] = [{"oauth2": [], "dpop": []}]
    operation["parameters"] += [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ] + [{"name": name, "in": "query", "required": False, "schema": dict(_QUERY[name])} for name in row.query]
    if not row.reads and names:
        operation["parameters"].append({"$ref": "#/components/parameters/IfMatch"})
    if row.creates:
        operation["parameters"].append({"$ref": "#/components/parameters/IdempotencyKey"})
    done = operation["responses"].pop("200")
    if row.media == NDJSON:
        lines = {"type": "string", "description": "A line for the selection, then one for each entry."}
        done["content"] = {NDJSON.decode(): {"schema": lines}}
    if not row.reads:
        done["headers"] |= {"ETag": {"$ref": "#/components/headers/ETag"}}
    operation["responses"] = {str(row.status): done, **operation["responses"]}
    if row.does in _BESIDE:
        status, also = _BESIDE[row.does]
        operation["responses"][status] = {
            **done, "content": {"application/json": {"schema": ref(also)}}
        }  # fmt: skip
    if row.body is not None:
        schema = ref("AgreementFields") if row.body is bodies.Fields else ref(row.body.__name__)
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": row.body not in (bodies.Nothing, audit.Closing), "content": content}
    return operation
