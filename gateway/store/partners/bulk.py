"""How do many agreements come in at once? As drafts, all of them or none, under the rules of `nik-gateway agreements import`.

Nothing is widened: partners are registered before, keys are proposed one by one, and each draft is proposed and approved later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from gateway.administration.commands import Act
from gateway.errors import Refused
from gateway.ledger.log.entry import Kind
from gateway.partners import lifecycle
from gateway.partners.lifecycle import digest
from gateway.partners.terms import PartnerEntry
from gateway.store.base.statements import put_many
from gateway.store.commands.unit_of_work import CommandResult, UnitOfWork
from gateway.store.partners.agreements import ID, draft, examined, owner_of, partner_entry, versions_of
from gateway.store.partners.tables import agreements, drafts


@dataclass(slots=True)
class _ImportLine:
    """One agreement of an import, and what would become of it."""

    row: int
    fields: dict[str, Any]
    agreement: str = ""
    partner: PartnerEntry | None = None
    version: int = 0
    digest: str = ""
    outcome: str = ""
    missing: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        return {
            "row": self.row, "agreement": self.agreement or None, "partner": self.partner.id if self.partner else None,
            "version": self.version or None, "digest": self.digest or None, "outcome": self.outcome or None,
            "missing": list(self.missing), "faults": list(self.faults),
        }  # fmt: skip


def import_agreements(unit: UnitOfWork, act: Act) -> CommandResult:
    """`POST /v1/agreements/import`: drafts of all of them when none has a fault; with `dry_run` what each would become."""
    lines = [_ImportLine(row, dict(fields)) for row, fields in enumerate(act.body.agreements, 1)]
    taken: set[str] = set()
    for line in lines:
        _examine(unit, line, taken)
    sound = not any(line.faults or line.missing for line in lines)
    answer = {"imported": sound and not act.body.dry_run, "rows": [line.document() for line in lines]}
    if not answer["imported"]:
        return CommandResult(Kind.READ, answer, {"outcome": "import_agreements", "rows": len(lines), "sound": sound})
    made = [line for line in lines if line.outcome != "unchanged"]
    moved: set[str] = set()
    for line in made:
        assert line.partner is not None  # noqa: S101  for the type checker: a sound line has one
        if line.outcome == "create":
            put_many(unit.connection, agreements, [(line.agreement, line.partner.id, unit.now)])
        moved |= set(draft(unit, act, line.partner, line.agreement, line.version, line.fields).moved)
    digests = {line.agreement: line.digest for line in made}
    private = {"change": "import", "drafts": digests, "before": "", "after": digest(digests)}
    return CommandResult(Kind.AGREEMENT, answer, private, moved=sorted(moved))


def _examine(unit: UnitOfWork, line: _ImportLine, taken: set[str]) -> None:
    """What a line would become, or what is wrong with it."""
    connection = unit.connection
    line.agreement, named = _text(line.fields.pop("id", "")), line.fields.pop("partner", None)
    line.partner, told = _partner(connection, named)
    if not ID(line.agreement):
        told.append("id: the agreement's own id: small letters, digits and hyphens")
    elif line.agreement in taken:
        told.append("id: it stands in the import twice")
    taken.add(line.agreement)
    if told or line.partner is None:
        line.faults = tuple(told)
        line.agreement = line.agreement if ID(line.agreement) else ""
        return
    held = versions_of(connection, line.agreement)
    open_drafts = connection.execute(select(drafts).where(drafts.c.agreement == line.agreement)).all()
    line.version = max([one.version for one in held] + [row.version for row in open_drafts], default=0) + 1
    try:
        owner = owner_of(connection, line.agreement)
        lifecycle.require_open(held)
    except Refused as refused:
        owner = "" if not refused.refusal.facts else line.partner.id
        told += [f"id: {refused.refusal.facts['fault']}"] if refused.refusal.facts else []
    if owner not in ("", line.partner.id):
        told.append("id: it belongs to another partner")
    found = examined(unit, line.partner, line.agreement, line.version, line.fields)
    newest = lifecycle.newest_approved(held)
    line.digest = found.digest
    if found.digest in {row.digest for row in open_drafts} | ({newest.digest} if newest else set()):
        line.outcome = "unchanged"
        line.faults = tuple(told)
        return
    if open_drafts:
        told.append(f"id: version {open_drafts[-1].version} waits already: amend, withdraw or reject it first")
    line.missing, line.faults = found.missing, (*told, *found.faults)
    line.outcome = "" if line.missing or line.faults else ("new_version" if owner else "create")


def _partner(connection: Connection, named: object) -> tuple[PartnerEntry | None, list[str]]:
    """The registered partner that a line names, by its id or a table with it; and what is wrong."""
    table = named if isinstance(named, Mapping) else {"id": named}
    try:
        entry = partner_entry(connection, _text(table.get("id")))
    except Refused:
        return None, ["partner.id: no such partner: register it first"]
    own = {"id": entry.id, "name": entry.name, "class": entry.kind, "exemption": entry.exemption}
    return entry, [
        f"partner.{name}: it is registered otherwise" if name in own else f"partner.{str(name)[:40]}: not known"
        for name, value in table.items()
        if own.get(name) != value
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


ACTS: Mapping[str, Callable[[UnitOfWork, Act], CommandResult]] = {
    "import_agreements": import_agreements,
}
"""What is done here, by the name of the act."""
