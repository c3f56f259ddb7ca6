"""Which refusals does a call get, as OpenAPI? One response for each set of causes, written once and referred to."""

from __future__ import annotations

import json
from collections.abc import Iterable

from gateway.errors import Cause
from gateway.web.http.problems import PROBLEMS
from gateway.web.openapi.shapes import Schema, ref

PROBLEM = "application/problem+json"
_BY_STATUS = {
    401: ("WWW-Authenticate", "DPoP-Nonce"),
    405: ("Allow",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_LISTED = 2  # causes that a name still spells out


def named(names: Iterable[str]) -> Schema:
    """References to headers of `components.headers`, by name."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def refusals(causes: Iterable[Cause], *headers: str) -> Schema:
    """`responses` for these causes, one a status, each naming its slugs."""
    by_status: dict[int, list[Cause]] = {}
    for cause in sorted(set(causes), key=list(Cause).index):
        by_status.setdefault(PROBLEMS[cause].status, []).append(cause)
    return {
        str(status): {
            "description": "; ".join(f"`{cause.value}`: {PROBLEMS[cause].title['en']}" for cause in told),
            "headers": named((*headers, *_BY_STATUS.get(status, ()))),
            "content": {
                PROBLEM: {
                    "schema": ref("Problem"),
                    "examples": {cause.value: {"$ref": f"#/components/examples/{cause.value}"} for cause in told},
                }
            },
        }
        for status, told in sorted(by_status.items())
    }


def shared(paths: Schema) -> Schema:
    """`components.responses`: takes the refusals out of `paths`, and leaves a reference where each was.

    Raises ValueError when two that differ would bear one name.
    """
    components: Schema = {}
    for operations in paths.values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if PROBLEM not in response.get("content", {}):
                    continue
                name = _name(response)
                if components.setdefault(name, response) != response:
                    raise ValueError(f"{name}: two refusals of one name: {json.dumps(response['headers'])}")
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(components.items()))


def _name(response: Schema) -> str:
    """What the response is called in generated code: its causes, and what its headers have beside the usual."""
    slugs = list(response["content"][PROBLEM]["examples"])
    words = ["".join(word.title() for word in slug.split("-")) for slug in slugs]
    told = words if len(words) <= _LISTED else [words[0], f"{len(words) - 1}Others"]
    headers = response["headers"]
    early = "Early" if slugs == [Cause.NOT_FOUND.value] and "Retry-After" in headers else ""
    return "Or".join(told) + early + ("" if "Signature" in headers else "Unsigned")
