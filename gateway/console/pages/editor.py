"""How is a draft of an agreement written? As a form that may be saved incomplete, checked, resumed, and proposed when it is whole.

Rows are added and removed by buttons that send the form, so that it works without a script.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from litestar import Response

from gateway.administration.requests.partners import Fields
from gateway.console.frame.answers import go
from gateway.console.frame.client import Told, Turned
from gateway.console.frame.differences import said
from gateway.console.frame.page import REGISTRAR, Action, Page
from gateway.console.frame.session import Visit
from gateway.console.frame.words import Words
from gateway.console.pages.agreement_faults import Catalogue, place_of
from gateway.console.pages.agreement_form import Given, added, pruned, read, removed, unknown
from gateway.console.pages.agreement_sheet import read_only, sheet
from gateway.errors import Cause
from gateway.partners.document import written_fields

_AMEND = Action(
    "amend_draft", frozenset({REGISTRAR}), "partners.write", Fields, path={"a": "a", "v": "v"}, watch="version"
)
_UNAPPROVED = ("draft", "proposed")
_NUMBERED = re.compile(r"\[\d+\]")


def made(documents: Mapping[str, Any], visit: Visit, _: int) -> Mapping[str, Any]:
    """What version.html is given: the form of a draft for whoever may write it, else the version to read."""
    version = documents["version"]
    catalogue = Catalogue.of(documents["purposes"])
    fields = version["fields"] if version["state"] in _UNAPPROVED else written_fields(version["fields"])
    facts = _facts(version, fields, catalogue, visit.words)
    if not facts["editable"] or REGISTRAR not in visit.member.roles:
        return {**facts, "editable": False, "read": read_only(fields, catalogue, visit.words)}
    return facts


def _facts(version: Mapping[str, Any], fields: Mapping[str, Any], catalogue: Catalogue, words: Words) -> dict[str, Any]:
    return {
        "editable": version["state"] == "draft",
        "sheet": sheet(fields, version["missing"], version["faults"], catalogue, words),
        "base": json.dumps(version["fields"], ensure_ascii=False),
        "unknown": unknown(fields) if version["state"] == "draft" else [],
        "read": None,
        "moved": None,
        "problem": None,
        "dirty": False,
        "first": all(each["before"] is None for each in version["difference"]),
    }


async def edit(screen: Any, visit: Visit, page: Page, given: Given) -> Response[bytes]:  # noqa: ANN401  the screen
    """Add or remove a row, save, or save and go on to the proposal. Nothing typed is lost."""
    fields = _in_order(read(given), _one(given, "base"))
    do, _, where = _one(given, "do").partition(":")
    parameters = {name: str(value) for name, value in visit.request.path_params.items()}
    if do in {"add", "remove"}:
        told = await screen.client.read_all(visit, page, parameters, {})
        _change(fields, do, where, given, Catalogue.of(told["purposes"].document))
        return _again(screen, visit, page, told, fields, given)
    pruned(fields)
    try:
        document = await screen.client.act(visit, _AMEND, parameters, {}, fields, _one(given, "match"))
    except Turned as turned:
        if turned.cause == Cause.INVALID_TOKEN:
            raise
        told = await screen.client.read_all(visit, page, parameters, {})
        return _again(screen, visit, page, told, fields, given, turned)
    here = quote(visit.path, safe="/")
    if do == "propose" and not document["missing"] and not document["faults"]:
        return go(visit, f"{here}/do/propose_version")
    return go(visit, f"{here}?saved={'lacks' if do == 'propose' else 'yes'}")


def _change(fields: dict[str, Any], do: str, where: str, given: Given, catalogue: Catalogue) -> None:
    if do == "remove":
        removed(fields, where)
        return
    purpose = _one(given, "purpose")
    if where != "purposes":
        added(fields, where)
    elif purpose in catalogue.purposes and purpose not in fields["purposes"]:
        added(fields, f"purposes.{purpose}", catalogue.start(purpose))


def _again(  # noqa: PLR0913  what is shown again
    screen: Any,  # noqa: ANN401  the screen
    visit: Visit,
    page: Page,
    told: Mapping[str, Told],
    fields: Mapping[str, Any],
    given: Given,
    turned: Turned | None = None,
) -> Response[bytes]:
    """The form with what was typed: as it goes on being written, or with what changed under it meanwhile."""
    version = told["version"]
    catalogue = Catalogue.of(told["purposes"].document)
    facts = _facts(version.document, fields, catalogue, visit.words) | {"dirty": True, "match": _one(given, "match")}
    facts |= {"base": _one(given, "base")}
    if turned is not None:
        stale = turned.cause == Cause.CONFLICT and version.revision != _one(given, "match")
        moved = list(_moved(_one(given, "base"), version.document, catalogue, visit.words)) if stale else None
        facts |= {"problem": turned.document, "moved": moved}
        if stale:
            facts |= {"match": version.revision, "base": json.dumps(version.document["fields"], ensure_ascii=False)}
    status = turned.status if turned else 200
    answered: Response[bytes] = screen.render(visit, page, told, {}, status=status, more=facts)
    return answered


def _in_order(fields: dict[str, Any], base: str) -> dict[str, Any]:
    """The lists of each purpose in the order that they had: a form knows which are chosen, not in which order."""
    try:
        held = json.loads(base or "{}").get("purposes", {})
    except (ValueError, AttributeError):
        return fields
    for purpose, terms in fields["purposes"].items():
        before = held.get(purpose) if isinstance(held, dict) else None
        for name, chosen in list(terms.items()):
            old = before.get(name) if isinstance(before, dict) else None
            if isinstance(chosen, list) and isinstance(old, list):
                terms[name] = [one for one in old if one in chosen] + [one for one in chosen if one not in old]
    return fields


def _moved(base: str, version: Mapping[str, Any], catalogue: Catalogue, words: Words) -> Iterator[tuple[str, str, str]]:
    """(place, when the form was opened, now) of every plain field that somebody else has changed."""
    try:
        then = dict(_flat("", json.loads(base)))
    except ValueError:
        then = {}
    now = dict(_flat("", version["fields"]))
    for path in sorted({*then, *now}):
        if then.get(path) != now.get(path):
            plain = _NUMBERED.sub("", path)
            old, new = (", ".join(said(plain, one, words) for one in each.get(path, ())) for each in (then, now))
            yield place_of(path, catalogue, words), old, new


def _flat(path: str, value: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:  # noqa: ANN401  any JSON
    """(path as faults name it, what stands there): lists of texts without their order, which says nothing."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(f"{path}.{name}" if path else str(name), each)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for place, each in enumerate(value, 1):
            yield from _flat(f"{path}[{place}]", each)
    elif isinstance(value, list):
        if value:
            yield path, tuple(sorted(value, key=str))
    elif value not in (None, ""):
        yield path, (value,)


def _one(given: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(given.get(name, ())), "")
