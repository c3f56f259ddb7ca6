"""Is the OpenAPI document whole, valid and the one in the repository, and do real answers fit it?"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import openapi_spec_validator
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from gateway.app import build
from gateway.cli.demonstration import Demonstration
from gateway.clock import SystemClock, SystemEntropy
from gateway.config import read
from gateway.errors import Cause
from gateway.nik import Nik
from gateway.web.http.problems import PROBLEMS
from gateway.web.openapi import document as openapi

HOUSE = Path(__file__).parents[2]
DOCUMENT = openapi.document()


def _validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """A validator of one of the document's schemas, with the others to refer to."""
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def _media(node: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(schema, example) of everything in the document that has both."""
    if isinstance(node, dict):
        for example in node.get("examples", {}).values() if isinstance(node.get("examples"), dict) else ():
            if "schema" in node:
                name = example.get("$ref", "").rpartition("/")[2]
                yield node["schema"], DOCUMENT["components"]["examples"][name]["value"] if name else example["value"]
        for child in node.values():
            yield from _media(child)
    elif isinstance(node, list):
        for child in node:
            yield from _media(child)


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """The gateway as `build` makes it."""
    directory = tmp_path_factory.mktemp("openapi")
    demonstration = Demonstration(directory, 1_000, 1, None, "127.0.0.1", 8080, 1)
    demonstration.build(lambda _: None)
    return build(read(demonstration.settings_file), SystemClock(), SystemEntropy(), sealer_socket=directory / "none")


def test_it_is_the_one_in_the_repository() -> None:
    """openapi/openapi.json is, byte for byte, what the code writes."""
    assert (HOUSE / "openapi" / "openapi.json").read_text("utf-8") == openapi.text()


def test_it_is_openapi() -> None:
    """It holds against OpenAPI 3.1 by another's reading, no operation's id is there twice, every schema is one of 2020-12."""
    openapi_spec_validator.validate(json.loads(openapi.text()))
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def test_a_gateway_tells_it_of_itself() -> None:
    """Under another issuer every URL in it is that gateway's: types of problems, the token endpoint, examples."""
    text = openapi.text("https://nik.other.example")
    assert openapi.ISSUER not in text
    assert text.count("https://nik.other.example") == openapi.text().count(openapi.ISSUER)


def test_every_reference_leads_somewhere() -> None:
    """No `$ref` points into the void, and no component is there for nothing."""
    used = set(re.findall(r'"\$ref": "#/components/([^"]+)"', openapi.text()))
    held = {
        f"{kind}/{name}"
        for kind in ("schemas", "examples", "headers", "parameters", "responses")
        for name in DOCUMENT["components"][kind]
    }
    assert used <= held
    told_of_by_the_ledger_page = {"schemas/Leaf"}
    assert held - used == told_of_by_the_ledger_page


def test_it_has_every_route_and_no_other(application: Litestar) -> None:
    """What the application routes, but for the console's pages, and what the document describes are the same."""
    described = {path: {method.upper() for method in operations} for path, operations in DOCUMENT["paths"].items()}
    routed = {
        route.path_format: set(route.methods) - {"OPTIONS", "HEAD"}
        if isinstance(route, HTTPRoute)
        else _allowed(application, route.path)
        for route in application.routes
        if not f"{route.path_format}/".startswith("/console/")  # pages for people
    }
    assert routed == described


def _allowed(application: Litestar, path: str) -> set[str]:
    """The methods of a bare ASGI route: what it says when it is asked with one that no route has."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://gateway") as client:
            return await client.request("PATCH", path)

    refused = asyncio.run(ask())
    assert refused.status_code == 405
    return set(refused.headers["allow"].split(", "))


def test_every_cause_has_its_type() -> None:
    """There is one object for problems; its type knows every slug, says the status of each, and each has an example."""
    schemas = DOCUMENT["components"]["schemas"]
    slugs = [cause.value for cause in Cause]
    assert [known.rpartition("/")[2] for known in schemas["ProblemType"]["enum"]] == slugs
    assert [int(told[:3]) for told in schemas["ProblemType"]["x-enumDescriptions"].values()] == [
        PROBLEMS[cause].status for cause in Cause
    ]
    assert schemas["ProblemSlug"]["enum"] == slugs
    told = {
        name: int(status)
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if (component := response.get("$ref", "").rpartition("/")[2])
        for name in DOCUMENT["components"]["responses"][component]["content"]["application/problem+json"]["examples"]
    }
    assert told == {cause.value: PROBLEMS[cause].status for cause in Cause}


def test_examples_fit_their_schemas() -> None:
    """Every example is an instance of the schema beside it."""
    shown = list(_media({"paths": DOCUMENT["paths"], "responses": DOCUMENT["components"]["responses"]}))
    assert len(shown) > 40
    for schema, example in shown:
        _validator(schema).validate(example)


def test_no_example_can_be_a_person() -> None:
    """Every NIK in the document is well-formed and synthetic: its serial is 9000 or more."""
    niks = set(re.findall(r'"([0-9]{16})"', openapi.text()))
    assert niks
    assert all(int(Nik.parse(nik).digits[12:]) >= 9000 for nik in niks)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"match": True}, "match without what comes with it"),
        ({"score": 88}, "a number"),
        ({"status": "active"}, "a status without a match"),
        ({"match": False, "status": "active", "usable": False}, "a status of nobody"),
    ],
)
def test_an_answer_that_tells_too_much_does_not_fit(answer: dict[str, Any], fault: str) -> None:
    """The schema of answers is closed: what no disclosure has does not validate."""
    example = DOCUMENT["paths"]["/v1/verifications"]["post"]["responses"]["200"]["content"]["application/json"][
        "examples"
    ]
    validator = _validator(DOCUMENT["components"]["schemas"]["Answer"])
    verdict = example["verdict"]["value"]
    assert validator.is_valid(verdict)
    assert not validator.is_valid({**verdict, **answer}), fault
