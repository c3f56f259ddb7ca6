"""How does an agreement live? draft → proposed → approved → in force → suspended ⇄ → expired or terminated.

What a step may be taken from, and what a version lacks before it may be proposed (UU 27/2022 art 34(2)e: no DPIA, no activation).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from gateway.errors import Cause, Refused
from gateway.partners.agreement import Agreement, AgreementState
from gateway.partners.present import Present, objections
from gateway.partners.purposes import PurposeCatalogue
from gateway.partners.terms import PartnerEntry, parse_agreement

UNSETTLED = frozenset({AgreementState.DRAFT, AgreementState.PROPOSED})
"""States of a version that nobody has approved."""

LIVE = frozenset({AgreementState.APPROVED, AgreementState.IN_FORCE})
"""States of a version that is in force or will be when its term begins."""

AUTOMATIC = frozenset({"semester_report_overdue", "return_data_overdue"})
"""Reasons for which the gateway itself suspends, and which it lifts when the duty is delivered."""

_KEYS = "keys are proposed one by one: POST /v1/partners/{id}/keys"


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found in the fields of a draft.

    `agreement` is None while something is missing or at fault; `digest` is that of the version (`terms.digest_of`) or,
    while there is none, of the fields as they were sent. `missing` are paths, `faults` words.
    """

    agreement: Agreement | None
    digest: str
    missing: tuple[str, ...]
    faults: tuple[str, ...]

    def require_sound(self) -> Agreement:
        """The agreement. Raises Refused(MALFORMED_REQUEST) naming what is missing or at fault."""
        if self.agreement is None:
            named = [*self.missing, *(fault.partition(":")[0] for fault in self.faults)]
            raise Refused(Cause.MALFORMED_REQUEST, members=named)
        return self.agreement


def examine(  # noqa: PLR0913  what a draft is read with
    fields: Mapping[str, object],
    partner: PartnerEntry,
    agreement: str,
    version: int,
    purposes: PurposeCatalogue,
    present: Present,
) -> Examined:
    """A draft's fields, read as version `version` of `agreement` and held against what stands now."""
    named: dict[str, object] = {"id": partner.id, "name": partner.name, "class": partner.kind}
    if partner.exemption is not None:
        named["exemption"] = dict(partner.exemption)
    faults = ["client: " + _KEYS] if "client" in fields else []
    faults += [f"{name}: is given by the path" for name in ("id", "partner", "version") if name in fields]
    wanted = {name: value for name, value in fields.items() if name not in {"client", "id", "partner", "version"}}
    row = parse_agreement({**wanted, "id": agreement, "partner": named, "version": version}, 1, purposes)
    missing = list(row.missing)
    # The row's own label ends with its first "`: "; what is missing is listed by itself.
    faults += [told for fault in row.faults if ": missing" not in (told := fault.partition("`: ")[2])]
    read = row.agreement
    if read is not None:
        found = objections(read, present)
        missing += found.missing
        faults += found.faults
    if missing or faults or read is None:
        return Examined(None, digest(wanted), tuple(missing), tuple(faults))
    return Examined(read, read.digest, (), ())


def digest(document: object) -> str:
    """SHA-256 in base64url (43 characters) over the canonical JSON of a document."""
    hashed = hashlib.sha256(msgspec.json.encode(document, order="sorted")).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()


def newest_approved(versions: Sequence[Agreement]) -> Agreement | None:
    """The version that a new one is compared with; None when nothing was ever approved. `versions` are in order."""
    return next((one for one in reversed(versions) if one.state not in UNSETTLED), None)


def require_open(versions: Sequence[Agreement]) -> None:
    """Raises Refused(CONFLICT) when the agreement has ended: what follows it is another agreement."""
    if any(one.state is AgreementState.TERMINATED for one in versions):
        raise Refused(Cause.CONFLICT, fault="the agreement has ended: conclude another")


def suspend(held: Agreement, reason: str, purpose: str = "") -> Agreement:
    """The version suspended, or one purpose of it.

    A person's reason takes the place of an automatic one, so that delivering a duty does not lift what a person imposed.
    """
    if purpose:
        return replace(held, suspended=held.suspended | {purpose}) if purpose in held.purposes else held
    if held.state in LIVE:
        return replace(held, state=AgreementState.SUSPENDED, suspension=reason)
    if held.state is AgreementState.SUSPENDED and held.suspension in AUTOMATIC and reason not in AUTOMATIC:
        return replace(held, suspension=reason)
    return held


def resume(held: Agreement) -> Agreement:
    """The version with every suspension lifted."""
    state = AgreementState.IN_FORCE if held.state is AgreementState.SUSPENDED else held.state
    return replace(held, state=state, suspension="", suspended=frozenset())


def restore(held: Agreement) -> Agreement:
    """The version with the gateway's own suspension lifted, and no other."""
    if held.state is AgreementState.SUSPENDED and held.suspension in AUTOMATIC:
        return replace(held, state=AgreementState.IN_FORCE, suspension="")
    return held


def terminate(held: Agreement) -> Agreement:
    """The version ended for good."""
    ended = held.state in LIVE or held.state is AgreementState.SUSPENDED
    return replace(held, state=AgreementState.TERMINATED, suspension="") if ended else held
