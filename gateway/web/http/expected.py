"""What would have been right? What a refusal tells past its facts: the form of members, and the name that was meant."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from gateway.claims import CLAIMS, Claim
from gateway.errors import Facts


def _example(row: Claim) -> dict[str, str]:
    """An example of a claim's value; none where any would be somebody's number."""
    return {} if row.example.startswith("<") else {"example": row.example}


_FORMS: Mapping[str, Mapping[str, Any]] = {
    **tomllib.loads(resources.files("gateway.web.http").joinpath("expected.toml").read_text("utf-8")),
    **{f"claims.{row.name}": {"id": row.form.id, "en": row.form.en, **_example(row)} for row in CLAIMS.values()},
}
DERIVED = frozenset({"expected", "did_you_mean"})
"""Members that are made from the facts of a problem."""
_UNKNOWN = {"id": "lihat /openapi.json, atau hapus", "en": "see /openapi.json, or leave it out"}
_MOST = 20  # members that are told of
_LONGEST = 64  # a name's length, so that comparing it costs little


def corrections(facts: Facts, language: str) -> dict[str, object]:
    """Members for a problem with these facts: `expected` for `members`, `did_you_mean` where a name is nearly one of `agreed`.

    `expected` is a list of {member, form[, example]}; a form is in `language`, `id` or `en`.
    """
    told: dict[str, object] = {}
    members = facts.get("members")
    if isinstance(members, list | tuple):
        told["expected"] = [_expected(str(member), language) for member in members[:_MOST]]
        meant = _meant(
            (str(member).removeprefix("claims.") for member in members if str(member).startswith("claims.")), CLAIMS
        )
        if meant and not set(meant) <= {str(member).removeprefix("claims.") for member in members}:
            told["did_you_mean"] = meant
    agreed = facts.get("agreed")
    if isinstance(agreed, list | tuple):
        asked = facts.get("claims", [facts.get("purpose")])
        meant = _meant(map(str, asked if isinstance(asked, list | tuple) else ()), agreed)
        if meant:
            told["did_you_mean"] = meant
    return told


def _expected(member: str, language: str) -> dict[str, object]:
    form = _FORMS.get(member) or _FORMS.get(member.rpartition(".")[2])
    if form is None:
        return {"member": member, "form": _UNKNOWN[language]}
    told: dict[str, object] = {"member": member, "form": form[language]}
    return {**told, "example": form["example"]} if "example" in form else told


def _meant(asked: Iterable[str], known: Iterable[object]) -> list[str]:
    """For each name that is none of `known` the nearest one that is, where one is near; none twice."""
    names = tuple(map(str, known))
    found = (_nearest(name[:_LONGEST], names) for name in list(asked)[:_MOST])
    return list(dict.fromkeys(name for name in found if name))


@lru_cache(maxsize=1024)
def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name.lower(), known, 1, 0.6)
    return near[0] if near and near[0] != name else ""
