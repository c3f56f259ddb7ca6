"""For which purposes may a resident's NIK be verified, and with which elements?

The closed list is `policies/purposes.toml` (UU 24/2013 art 58(4)); what no file can allow stands here in code: the
elements of art 84, religion and blood type (tier 3).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.claims import CLAIMS
from gateway.errors import Cause, Misconfigured, Refused
from gateway.partners.table import Faults, FieldReader

TIER_1 = frozenset(name for name, row in CLAIMS.items() if row.tier == 1)
"""Elements that any purpose may use."""

TIER_2 = frozenset(CLAIMS) - TIER_1
"""Elements that need a justification per purpose."""

FORBIDDEN = frozenset({"disability", "fingerprint", "iris", "signature", "aib", "religion", "blood_type"})
"""Elements that are never compared for anyone: UU 24/2013 art 84, and tier 3."""

LEGAL_BASES = frozenset({
    "consent", "contract", "legal_obligation", "vital_interest", "public_task", "legitimate_interest",
})  # fmt: skip
"""The legal bases of UU 27/2022 art 20(2)."""

DEMANDS = frozenset({"consent", "channel", "operator", "on_behalf_of"})
"""What a purpose or an agreement may demand of every request besides NIK, purpose and claims."""

STRICT_ATTEMPTS = 3
"""The most wrong guesses in 24 h for one NIK where the mother's name is compared: it opens accounts elsewhere."""

_SLUG = r"[a-z][a-z0-9_]{0,63}"


def refuse_forbidden(claims: Iterable[str], agreed: Iterable[str] = ()) -> None:
    """Raise Refused(CLAIM_NOT_AGREED) when an element of tier 3 is among `claims`, whatever any file allows.

    `agreed` is what may be compared, for the caller to be told.
    """
    named = FORBIDDEN.intersection(claims)
    if named:
        raise Refused(Cause.CLAIM_NOT_AGREED, claims=sorted(named), agreed=sorted({*agreed} - FORBIDDEN))


def read_claims(table: FieldReader, key: str, claims: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `claims` that exist and may be compared; the others are noted as faults of `key`."""
    kept = []
    for claim in claims:
        if claim in FORBIDDEN:
            table.faults.add(table.path(key), f"unknown claim `{claim}` — refused by law (art 84/tier 3)")
        elif claim not in TIER_1 and claim not in TIER_2:
            table.faults.add(table.path(key), f"unknown claim `{claim}`")
        else:
            kept.append(claim)
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class Purpose:
    """One purpose (tujuan pemanfaatan) and what an agreement for it starts from.

    `decide` are the default deciding claims, `inform` every other claim that an agreement may add, to decide or to
    inform. `demands` is demanded under every agreement. `tells_order`: an agreement may let `by_order` be told.
    """

    name: str
    title_id: str
    title_en: str
    legal_basis: str
    decide: tuple[str, ...]
    inform: tuple[str, ...]
    demands: frozenset[str] = frozenset()
    tells_order: bool = False

    @property
    def claims(self) -> frozenset[str]:
        """Every claim that an agreement for this purpose may name."""
        return frozenset(self.decide) | frozenset(self.inform)


@dataclass(frozen=True, slots=True)
class PurposeCatalogue:
    """The closed list of purposes by name. `parse` is the only way in from a file."""

    purposes: Mapping[str, Purpose]

    @staticmethod
    def read(path: Path) -> PurposeCatalogue:
        """The catalogue in a file. Raises Misconfigured with every fault."""
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured([f"{path.name}: cannot be read ({error}) — the closed list of purposes"]) from error
        return PurposeCatalogue.parse(text, path.name)

    @staticmethod
    def parse(text: str, source: str) -> PurposeCatalogue:
        """The catalogue in a TOML text: one table per purpose. Raises Misconfigured with every fault."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Misconfigured([f"{source}: not TOML: {error}"]) from error
        faults = Faults()
        purposes = {name: _purpose(name, values, faults) for name, values in document.items()}
        if not purposes:
            faults.add("", "names no purpose")
        if faults.found:
            raise Misconfigured([f"{source}: {fault}" for fault in faults.found])
        return PurposeCatalogue(purposes)


def _purpose(name: str, values: object, faults: Faults) -> Purpose:
    outer = FieldReader({name: values}, "", faults)
    if not re.fullmatch(_SLUG, name):
        faults.add(name, "a purpose is named in lower-case letters, digits and `_`")
    table = outer.table(name)
    title = table.table("title", "id and en")
    title_id, title_en = title.text("id"), title.text("en")
    title.close()
    basis = table.choice("legal_basis", LEGAL_BASES, "UU 27/2022 art 20(2)")
    decide = read_claims(table, "decide", table.texts("decide", default=("name", "birth_date")))
    inform = read_claims(table, "inform", table.texts("inform", default=()))
    if not decide:
        faults.add(table.path("decide"), "at least one claim must decide")
    if twice := sorted(set(decide) & set(inform)):
        faults.add(table.path("inform"), f"`{', '.join(twice)}` already decides")
    demands = table.texts("demands", default=())
    if unknown := sorted(set(demands) - DEMANDS):
        faults.add(table.path("demands"), f"`{', '.join(unknown)}` is not one of {', '.join(sorted(DEMANDS))}")
    consent = table.flag("consent", default=basis == "consent")
    if basis == "consent" and not consent:
        faults.add(table.path("consent"), "must be true where the legal basis is consent")
    tells_order = table.flag("tells_order", default=False)
    table.close()
    demanded = frozenset(demands) | ({"consent"} if consent else set())
    return Purpose(name, title_id, title_en, basis, decide, inform, demanded, tells_order)
