"""What may a person at the console do? By roles, each of which is a set of scopes; nothing is given to a person alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from gateway.errors import Cause, Refused

CONSOLE = "console"
"""Own passkeys, sessions and certification. Every member has it, even with a lapsed certification; no token ever carries it."""


class Role(StrEnum):
    """One kind of work."""

    REGISTRAR = "registrar"
    APPROVER = "approver"
    AUDITOR = "auditor"
    KEY_OFFICER = "key_officer"
    REGENCY_OPERATOR = "regency_operator"
    ENGINEER = "engineer"


SCOPES_OF: Mapping[Role, tuple[str, ...]] = {
    Role.REGISTRAR: ("partners.read", "partners.write"),
    Role.APPROVER: ("partners.read", "partners.approve"),
    Role.AUDITOR: ("audit.read", "audit.note"),
    Role.KEY_OFFICER: ("partners.read", "partners.write"),
    Role.REGENCY_OPERATOR: ("register.diagnose",),
    Role.ENGINEER: ("nik.verify",),
}
"""The scopes of each role; what a page shows of them is the page's to narrow."""

OF_PARTNERS = frozenset({Role.ENGINEER})
"""Roles of people of a partner; all others are the house's own."""


def scopes_of(roles: Collection[Role]) -> frozenset[str]:
    """The union of the roles' scopes, and `CONSOLE`."""
    return frozenset({CONSOLE, *(scope for role in roles for scope in SCOPES_OF[role])})


def read_roles(names: Collection[str], partner: str) -> frozenset[Role]:
    """The roles of these names for a person of `partner` ("" for the house). Raises Refused(MALFORMED_REQUEST)."""
    if not names or not set(names) <= set(Role):
        raise Refused(Cause.MALFORMED_REQUEST, members=["roles"])
    roles = frozenset(Role(name) for name in names)
    if roles <= OF_PARTNERS if partner else not roles & OF_PARTNERS:
        return roles
    raise Refused(Cause.MALFORMED_REQUEST, members=["roles", "partner"])
