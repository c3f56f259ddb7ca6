"""Why is a NIK not usable, and who can mend it, where, with which documents?

The closed table of reasons in order of precedence (wire contract §3); its words stand in `reasons.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from types import MappingProxyType
from typing import Any


class Status(StrEnum):
    """Whether a NIK can be used: yes; no, until someone mends it; or not known for sure, as data are missing."""

    ACTIVE = "active"
    BLOCKED = "blocked"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Remedy:
    """Who mends a reason (`by`: resident, family, regency_office or centre), `where`, by which `action`.

    `documents` are the names that stand on the documents themselves; the texts are for the resident.
    """

    by: str
    where: str
    action: str
    documents: tuple[str, ...]
    text_id: str
    text_en: str
    _document: dict[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        document = {
            "by": self.by,
            "where": self.where,
            "action": self.action,
            "documents": list(self.documents),
            "text": {"id": self.text_id, "en": self.text_en},
        }
        object.__setattr__(self, "_document", document)

    def document(self) -> dict[str, Any]:
        """The wire member `remedy`: `by where action documents text{id,en}`. Built once: copy before changing it."""
        return self._document


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. `precedence` counts from 1; of several that apply, the lowest is told."""

    slug: str
    status: Status
    precedence: int
    title_id: str
    title_en: str
    meaning_id: str
    meaning_en: str
    remedy: Remedy


def _remedy(table: Mapping[str, Any]) -> Remedy:
    return Remedy(
        by=table["by"],
        where=table["where"],
        action=table["action"],
        documents=tuple(table["documents"]),
        text_id=table["text"]["id"],
        text_en=table["text"]["en"],
    )


def _read() -> Mapping[str, Reason]:
    """The table; a fault in it is a fault of the program and raises KeyError or ValueError at import."""
    rows = tomllib.loads(resources.files("gateway.register").joinpath("reasons.toml").read_text("utf-8"))["reason"]
    remedies = {row["slug"]: _remedy(row["remedy"]) for row in rows if "remedy" in row}
    return MappingProxyType(
        {
            row["slug"]: Reason(
                slug=row["slug"],
                status=Status(row["status"]),
                precedence=at,
                title_id=row["title"]["id"],
                title_en=row["title"]["en"],
                meaning_id=row["meaning"]["id"],
                meaning_en=row["meaning"]["en"],
                remedy=remedies[row.get("remedy_of", row["slug"])],
            )
            for at, row in enumerate(rows, 1)
        }
    )


REASONS: Mapping[str, Reason] = _read()
"""Every reason by slug, in order of precedence."""


def reason_document(reason: Reason) -> dict[str, Any]:
    """What `GET /reasons/<slug>` shows: slug, status, precedence, title, meaning and remedy, texts in `id` and `en`."""
    return {
        "slug": reason.slug,
        "status": reason.status.value,
        "precedence": reason.precedence,
        "title": {"id": reason.title_id, "en": reason.title_en},
        "meaning": {"id": reason.meaning_id, "en": reason.meaning_en},
        "remedy": reason.remedy.document(),
    }
