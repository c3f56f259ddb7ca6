"""Which agreements does a file hold, and what is wrong with each?

One TOML file, `[[agreement]]` tables (docs/agreements.md lists the fields). A row is an agreement or its faults, never
both: what is at fault cannot be activated by mistake.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from gateway.clock import jakarta_midnight
from gateway.partners.agreement import INTERMEDIARY, Agreement, AgreementState, Disclosure, Limits, PurposeTerms
from gateway.partners.clients import ClientRegistration, read_client
from gateway.partners.document import digest_of, from_document, to_document
from gateway.partners.particulars import CLASSES, read_exemption, read_networks, read_particulars
from gateway.partners.purposes import (
    DEMANDS,
    LEGAL_BASES,
    STRICT_ATTEMPTS,
    TIER_2,
    Purpose,
    PurposeCatalogue,
    read_claims,
)
from gateway.partners.table import Faults, FieldReader

__all__ = ["PartnerEntry", "TermRow", "digest_of", "from_document", "parse_agreement", "parse_file", "to_document"]

_ID = r"[a-z0-9][a-z0-9-]{0,63}"
_ID_FORM = "1 to 64 of a-z, 0-9 and -"
_MOST = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class PartnerEntry:
    """The institution of an agreement as the file names it: id, name, class and exemption (ground, proof) or None."""

    id: str
    name: str
    kind: str
    exemption: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class TermRow:
    """One `[[agreement]]` of a file. `index` counts from 1 (0: the file itself is at fault).

    `agreement` and `partner` are None when there are `faults`; `missing` are the paths of absent mandatory fields.
    `numbered` says that the row itself tells which version it is.
    """

    index: int
    partner: PartnerEntry | None = None
    agreement: Agreement | None = None
    clients: tuple[ClientRegistration, ...] = ()
    faults: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    numbered: bool = False


def parse_file(
    text: str, source: str, purposes: PurposeCatalogue, state: AgreementState = AgreementState.DRAFT
) -> list[TermRow]:
    """Every agreement of a TOML text, in order; `source` names it in faults of the whole file. Never raises.

    No file can say in which state its agreements are: that is the caller's word, and DRAFT unless it says otherwise.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [TermRow(0, faults=(f"{source}: not TOML: {error}",))]
    faults = Faults()
    tables = FieldReader(document, "", faults)
    entries = tables.raw("agreement", "a file holds [[agreement]] tables")
    tables.close()
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        faults.add("agreement", "must be [[agreement]] tables")
        entries = []
    rows = [TermRow(0, faults=tuple(f"{source}: {fault}" for fault in faults.found))] if faults.found else []
    rows.extend(parse_agreement(entry, index, purposes, state) for index, entry in enumerate(entries, 1))
    return _refuse_collisions(rows)


def parse_agreement(
    values: Mapping[str, object], index: int, purposes: PurposeCatalogue, state: AgreementState = AgreementState.DRAFT
) -> TermRow:
    """One agreement from its table, or from the JSON object with the same members. Never raises."""
    faults = Faults()
    table = FieldReader(values, "", faults)
    partner = _read_partner(table.table("partner", "id, name and class of the institution"))
    agreement_id = table.text("id", "the agreement's own id", None, _ID, _ID_FORM)
    version = table.whole("version", 1, 1_000_000, 1)
    starts, ends = _read_term(table.table("term", "starts and ends"))
    limits = _read_limits(table.table("allowance", "burst, day, month, tariff"), partner)
    agreed = _read_purposes(table.table("purposes", "for which purposes, art 58(4)"), purposes, limits, partner)
    fields = read_particulars(table)
    fields["partner"] = {"name": partner.name, "class": partner.kind, "exemption": partner.exemption}
    access = fields["access"]
    networks = read_networks(access["addresses"], table) if isinstance(access, dict) else ()
    if partner.kind == INTERMEDIARY and not fields["on_behalf_of"]:
        faults.absent("on_behalf_of", "an intermediary names the institutions it asks for")
    clients = tuple(read_client(entry, partner.id) for entry in table.tables("client", optional=True))
    table.close()
    if faults.found:
        label = f"row {index} `{partner.id or agreement_id or '?'}`"
        return TermRow(
            index, faults=tuple(f"{label}: {fault}" for fault in faults.found), missing=tuple(faults.missing)
        )
    draft = Agreement(
        agreement_id, partner.id, version, state, "", starts, ends, agreed, limits, networks, fields
    )  # fmt: skip
    return TermRow(index, partner, replace(draft, digest=digest_of(draft)), clients, numbered=table.has("version"))


def _read_partner(table: FieldReader) -> PartnerEntry:
    entry = PartnerEntry(
        table.text("id", "the institution's id", None, _ID, _ID_FORM),
        table.text("name", "the institution's name"),
        table.choice("class", CLASSES, "partner class"),
        read_exemption(table),
    )
    table.close()
    return entry


def _read_term(table: FieldReader) -> tuple[int, int]:
    first, last = table.day("starts", "first day of the term"), table.day("ends", "first day after the term")
    table.close()
    if last <= first and date.min not in {first, last}:
        table.faults.add(table.path("ends"), "must be after starts")
    return jakarta_midnight(first), jakarta_midnight(last)


def _read_limits(table: FieldReader, partner: PartnerEntry) -> Limits:
    burst, day, month = (table.whole(key, 1, _MOST) for key in ("burst", "day", "month"))
    tariff = table.whole("tariff", 0, 1_000_000)
    prepaid = table.flag("prepaid", default=tariff > 0)
    per_nik = table.whole("per_nik", 1, 100, 5)
    if table.has("month") and month < day:
        table.faults.add(table.path("month"), "must not be less than day")
    if table.has("tariff") and tariff == 0 and partner.exemption is None:
        table.faults.absent("partner.exemption", "a tariff of 0 needs an exemption with proof, PP 10/2023")
    if tariff > 0 and partner.exemption is not None:
        table.faults.add(table.path("tariff"), "must be 0, for the partner is exempt")
    table.close()
    return Limits(burst, day, month, tariff, prepaid, per_nik)


def _read_purposes(
    table: FieldReader, catalogue: PurposeCatalogue, limits: Limits, partner: PartnerEntry
) -> dict[str, PurposeTerms]:
    agreed = {}
    for name in table.keys():  # noqa: SIM118  a FieldReader is no mapping
        entry = table.table(name)
        purpose = catalogue.purposes.get(name)
        if purpose is None:
            table.faults.add(table.path(name), "is not a purpose of the closed list (purposes.toml)")
        else:
            agreed[name] = _read_purpose(entry, purpose, limits, partner)
    if not table.keys():
        table.faults.absent("purposes", "at least one purpose must be agreed, art 58(4)")
    return agreed


def _read_purpose(table: FieldReader, purpose: Purpose, limits: Limits, partner: PartnerEntry) -> PurposeTerms:
    decide = _read_agreed(table, "decide", purpose, purpose.decide)
    inform = _read_agreed(table, "inform", purpose, ())
    if not decide:
        table.faults.add(table.path("decide"), "at least one claim must decide")
    if twice := sorted(set(decide) & set(inform)):
        table.faults.add(table.path("inform"), f"`{', '.join(twice)}` already decides")
    justified = sorted(TIER_2.intersection((*decide, *inform)))
    why = f"elements of tier 2 are justified per purpose: {', '.join(justified)}"
    most = min(limits.per_nik, STRICT_ATTEMPTS) if "mother_name" in justified else limits.per_nik
    basis = table.choice("legal_basis", LEGAL_BASES, "", purpose.legal_basis)
    demands = set(table.texts("demands", default=()))
    if unknown := sorted(demands - DEMANDS):
        table.faults.add(table.path("demands"), f"`{', '.join(unknown)}` is not one of {', '.join(sorted(DEMANDS))}")
    if basis == "consent":
        demands.add("consent")
    if partner.kind == INTERMEDIARY:
        demands.add("on_behalf_of")
    tells_order = table.flag("tells_order", default=False)
    if tells_order and not purpose.tells_order:
        table.faults.add(table.path("tells_order"), "the purpose does not let by_order be told")
    terms = PurposeTerms(
        purpose=purpose.name,
        legal_basis=basis,
        decide=decide,
        inform=inform,
        disclosure=Disclosure(table.choice("disclosure", set(Disclosure), "what an answer may contain") or "verdict"),
        attempts=table.whole("attempts", 1, most, most),
        demands=frozenset(demands) | purpose.demands,
        tells_order=tells_order,
        sector_law=table.text("sector_law", "the law of the sector that needs the verification"),
        justification=table.text("justification", why, None if justified else ""),
    )
    table.close()
    return terms


def _read_agreed(table: FieldReader, key: str, purpose: Purpose, default: tuple[str, ...]) -> tuple[str, ...]:
    claims = read_claims(table, key, table.texts(key, default=default))
    for claim in claims:
        if claim not in purpose.claims:
            table.faults.add(table.path(key), f"`{claim}` is not allowed for this purpose (purposes.toml)")
    return claims


def _refuse_collisions(rows: list[TermRow]) -> list[TermRow]:
    """Rows that contradict an earlier row of the same file become faults."""
    versions: set[tuple[str, int]] = set()
    owners: dict[str, str] = {}
    names: dict[str, PartnerEntry] = {}
    checked = []
    for row in rows:
        if row.agreement is None or row.partner is None:
            checked.append(row)
            continue
        faults = []
        if (row.agreement.id, row.agreement.version) in versions:
            faults.append(f"id: version {row.agreement.version} of `{row.agreement.id}` stands twice in the file")
        if names.setdefault(row.partner.id, row.partner) != row.partner:
            faults.append("partner: another row gives this id another name, class or exemption")
        for client in row.clients:
            if client.client_id in owners:
                faults.append(f"client.client_id: `{client.client_id}` stands twice in the file")
            owners[client.client_id] = row.partner.id
        versions.add((row.agreement.id, row.agreement.version))
        label = f"row {row.index} `{row.partner.id}`"
        checked.append(TermRow(row.index, faults=tuple(f"{label}: {fault}" for fault in faults)) if faults else row)
    return checked
